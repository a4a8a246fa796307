//! Expected results as files under `tests/cases`. `UPDATE=1` rewrites those that differ, and the test still fails,
//! so that a person reads the difference.

use std::fs;
use std::path::Path;

use similar::TextDiff;

/// Compares `actual` with the file `tests/cases/<case>`.
pub fn check(case: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/cases")
        .join(case);
    let expected = fs::read_to_string(&path).unwrap_or_default();
    if expected == actual {
        return;
    }
    let diff = TextDiff::from_lines(expected.as_str(), actual);
    let diff = diff.unified_diff().header("expected", "actual").to_string();
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        fs::create_dir_all(path.parent().expect("a case lies in a directory")).expect("directory");
        fs::write(&path, actual).expect("the case can be written");
        panic!("rewrote tests/cases/{case}, read it before you trust it:\n{diff}");
    }
    panic!("tests/cases/{case} differs (UPDATE=1 rewrites it):\n{diff}");
}
