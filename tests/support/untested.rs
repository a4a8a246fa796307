//! What a run of the tests leaves out for something that is missing, for the end of `tests/run`.

use std::fs::OpenOptions;
use std::io::Write as _;

/// Notes that `what` was not tested, and why. `tests/run` names the file and prints every line of it once.
pub fn untested(what: &str, why: &str) {
    let Some(file) = std::env::var_os("KUBE_CFN_TEST_UNTESTED") else {
        return;
    };
    let opened = OpenOptions::new().create(true).append(true).open(file);
    let line = format!("{what}: {why}\n");
    let mut file = opened.expect("the file of KUBE_CFN_TEST_UNTESTED");
    file.write_all(line.as_bytes()).expect("written");
}
