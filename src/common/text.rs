//! Text for a terminal: folding between words, entries with a hanging indent.

use textwrap::{Options, WordSeparator, WordSplitter};

/// Folding to `columns` between words only: names, flags and commands are copied from what is printed.
pub fn folding<'a>(columns: usize) -> Options<'a> {
    Options::new(columns)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .break_words(false)
}

/// One entry folded to 80 columns behind `label`, deeper from the second line on.
pub fn listed_line(label: &str, text: &str) -> String {
    let deeper = " ".repeat(label.len() + 2);
    let options = folding(80).initial_indent(label).subsequent_indent(&deeper);
    textwrap::fill(text, options)
}
