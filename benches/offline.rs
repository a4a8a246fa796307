//! What the offline commands cost. `cargo bench`; the aims stand beside each bench.

use std::fmt::Write;
use std::hint::black_box;
use std::path::Path;
use std::process::{Command, Stdio};

use divan::{AllocProfiler, Bencher};
use kube_cfn::templates::Templates;
use kube_cfn::{definition, stacks};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// Runs the program as a whole process, from the repository's root.
fn program(arguments: &[&str]) {
    let status = Command::new(env!("CARGO_BIN_EXE_kube-cfn"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("the program starts");
    assert!(status.success(), "{arguments:?}: {status}");
}

/// Aim: 10 ms.
#[divan::bench(sample_count = 50)]
fn process_help() {
    program(&["--help"]);
}

/// Aim: 10 ms for both together.
#[divan::bench(sample_count = 50)]
fn process_render_production_and_canary() {
    program(&["render", "production"]);
    program(&["render", "canary"]);
}

/// Aim: 1 s and 100 MB for a thousand definitions, no two alike.
#[divan::bench(sample_count = 5)]
fn check_and_render_1000_definitions(bencher: Bencher) {
    let texts: Vec<_> = (0..1000).map(generated).collect();
    bencher.bench_local(|| {
        let templates = Templates::new(None::<&Path>).expect("the built-in templates load");
        for (name, text) in &texts {
            let spec = definition::parse(name, text)
                .unwrap_or_else(|problems| panic!("a generated definition is good:\n{problems}"));
            black_box(stacks::design(&spec, &templates).expect("a good definition renders"));
        }
    });
}

/// The `n`th definition: size, zones, pools and database vary with it.
fn generated(n: usize) -> (String, String) {
    let name = format!("bench-{n}");
    let mut text = format!(
        "name: {name}\nregion: eu-west-1\nkubernetes: 1.36.{}\nnetwork:\n  cidr: 10.{}.0.0/16\n  nat: {}\n",
        n % 5,
        n % 250,
        ["regional", "single", "none"][n % 3],
    );
    let _ = write!(text, "controlPlane:\n  nodes: {}\npools:\n", [1, 3][n % 2]);
    for pool in 0..=n % 6 {
        let spot = if pool == 0 { 0 } else { 50 };
        let _ = write!(
            text,
            "  - name: pool-{pool}\n    instanceTypes: [m7g.large, m7g.xlarge]\n    min: 1\n    max: {}\n    spotPercent: {spot}\n",
            3 + n % 7,
        );
    }
    if !n.is_multiple_of(4) {
        let _ = write!(text, "database:\n  storageGib: {}\n", 20 + n % 60);
    }
    (format!("{name}.yaml"), text)
}
