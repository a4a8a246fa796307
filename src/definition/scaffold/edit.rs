//! Edits of a definition's text, by the places of its tree.

use std::ops::Range;

use crate::definition::tree::{Node, NodeKind};

/// Changes to a text, applied together.
pub(super) struct Edits<'a> {
    text: &'a str,
    changes: Vec<(Range<usize>, String)>,
    /// Sections to add at the end, with their lines.
    sections: Vec<(String, Vec<String>)>,
}

impl<'a> Edits<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            changes: Vec::new(),
            sections: Vec::new(),
        }
    }

    /// Writes `value` in place of a scalar, in the same quotes.
    pub(super) fn replace(&mut self, node: &Node, value: &str) {
        let before = self.text[node.place.clone()].chars().next();
        let value = match before.filter(|c| matches!(c, '"' | '\'')) {
            Some(quote) => format!("{quote}{value}{quote}"),
            None => value.to_owned(),
        };
        self.changes.push((node.place.clone(), value));
    }

    /// Gives `field` of `section` (empty for the definition itself) the plain scalar `value`,
    /// adding field and section where they are not written.
    pub(super) fn set(&mut self, root: &Node, section: &str, field: &str, value: &str) {
        let line = format!("{field}: {value}");
        let parent = match section {
            "" => Some(root),
            name => root.get(name).map(|(_, node)| node),
        };
        let Some(parent) = parent else {
            self.append(section, line);
            return;
        };
        match parent.get(field) {
            Some((_, node)) => self.replace(node, value),
            None if section.is_empty() => self.append("", line),
            None => self.insert(parent, &line),
        }
    }

    /// Takes the line of `field` out of `section`.
    pub(super) fn remove(&mut self, root: &Node, section: &str, field: &str) {
        let Some((_, parent)) = root.get(section) else {
            return;
        };
        let Some((key, value)) = parent.get(field) else {
            return;
        };
        if self.is_flow(parent) {
            let end = value.place.end;
            let comma =
                self.text[end..].len() - self.text[end..].trim_start_matches([',', ' ']).len();
            self.changes
                .push((key.place.start..end + comma, String::new()));
        } else {
            let end = self.line_end(value.place.end);
            self.changes
                .push((self.line_start(key.place.start)..end, String::new()));
        }
    }

    /// Adds a field as the first one of a mapping that is written down.
    fn insert(&mut self, parent: &Node, line: &str) {
        let NodeKind::Map(entries) = &parent.kind else {
            return;
        };
        let Some((first, _)) = entries.first() else {
            self.changes
                .push((parent.place.clone(), format!("{{ {line} }}")));
            return;
        };
        let start = first.place.start;
        if self.is_flow(parent) {
            self.changes.push((start..start, format!("{line}, ")));
        } else {
            let margin = self.line_start(start);
            let indent = &self.text[margin..start];
            self.changes
                .push((margin..margin, format!("{indent}{line}\n")));
        }
    }

    fn is_flow(&self, node: &Node) -> bool {
        self.text[node.place.start..].starts_with('{')
    }

    fn append(&mut self, section: &str, line: String) {
        if let Some((_, lines)) = self.sections.iter_mut().find(|(name, _)| name == section) {
            lines.push(line);
        } else {
            self.sections.push((section.to_owned(), vec![line]));
        }
    }

    fn line_end(&self, at: usize) -> usize {
        let newline = self.text[at..].find('\n');
        newline.map_or(self.text.len(), |newline| at + newline + 1)
    }

    fn line_start(&self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(0, |newline| newline + 1)
    }

    /// The places of values that become others.
    pub(super) fn changed(&self) -> Vec<Range<usize>> {
        let other = |(place, value): &&(Range<usize>, String)| self.text[place.clone()] != **value;
        let changes = self.changes.iter().filter(other);
        changes.map(|(place, _)| place.clone()).collect()
    }

    /// Takes out what stands at a place, unless it goes with something else.
    pub(super) fn take_out(&mut self, place: Range<usize>) {
        let around = |(other, _): &(Range<usize>, String)| {
            other.start <= place.start && place.end <= other.end
        };
        if !self.changes.iter().any(around) {
            self.changes.push((place, String::new()));
        }
    }

    /// Adds text before what stands at a place.
    pub(super) fn put_before(&mut self, at: usize, text: String) {
        self.changes.push((at..at, text));
    }

    /// Takes a whole section out, with its lines.
    pub(super) fn remove_section(&mut self, root: &Node, section: &str) {
        if let Some((key, value)) = root.get(section) {
            let end = self.line_end(value.place.end);
            self.changes
                .push((self.line_start(key.place.start)..end, String::new()));
        }
    }

    /// The new text.
    pub(super) fn apply(mut self) -> String {
        // From the end, so that earlier places stay where they are; what was asked for first stands
        // first where two changes meet.
        self.changes.reverse();
        self.changes
            .sort_by_key(|(place, _)| std::cmp::Reverse(place.start));
        let mut text = self.text.to_owned();
        for (place, value) in &self.changes {
            text.replace_range(place.clone(), value);
        }
        for (section, lines) in &self.sections {
            if !text.ends_with('\n') {
                text.push('\n');
            }
            text.push('\n');
            let indent = if section.is_empty() { "" } else { "  " };
            if !section.is_empty() {
                text.push_str(section);
                text.push_str(":\n");
            }
            for line in lines {
                text.extend([indent, line, "\n"]);
            }
        }
        text
    }
}
