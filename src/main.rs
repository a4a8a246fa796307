//! Start and exit code; everything else is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    kube_cfn::cli::main()
}
