//! Steps of a boot that run at the same time, what each took, and what they share: parameters that are asked for at once,
//! downloads, files on a full disk.

use super::boot::{slot, worker};
use super::machine::{Machine, text};

/// Functions of the boot programs, in a shell as boot has it.
fn functions(machine: &Machine, script: &str) -> std::process::Output {
    let start = "set -euo pipefail; mkdir -p /run/kube-cfn\n\
                 for one in common ec2 steps binaries boot-log; do . /opt/kube-cfn/lib/$one.sh\n\
                 [ $one != common ] || load_environment; done; begin_boot\n";
    machine.run(&["/bin/bash", "-c", &format!("{start}{script}")])
}

#[test]
fn a_first_boot_asks_once_for_all_parameters() {
    let (_, machine) = slot();
    machine.boots();
    let calls = machine.calls();
    let asks: Vec<_> = calls
        .lines()
        .filter(|call| call.starts_with("aws ssm get-"))
        .collect();
    // What another node may have noted meanwhile is asked at the end: a token, and that etcd is complete.
    let [all, token, again] = asks[..] else {
        panic!("{asks:?}")
    };
    assert_eq!(all.matches(" /kube-cfn/production/").count(), 9, "{all}");
    assert!(
        token.contains("get-parameter --name /kube-cfn/production/worker/bootstrap-token "),
        "{token}"
    );
    assert!(
        again.contains("get-parameter --name /kube-cfn/production/state/etcd-initialized "),
        "{again}"
    );
    assert_eq!(calls.matches("\naws ").count(), 7, "{calls}");
    machine.boots();
    let asks = machine.calls().matches("aws ssm get-").count();
    assert_eq!(asks, 2, "{}", machine.calls());
    let machine = worker();
    machine.boots();
    assert_eq!(
        machine.calls().matches("\naws ").count(),
        1,
        "{}",
        machine.calls()
    );
}

#[test]
fn parameters_asked_for_early_are_handed_out_once() {
    let (_, machine) = slot();
    machine.set("srv/parameters/state/etcd-token", "one\n");
    let script = r#"
        track_values
        ec2_prefetch_parameters state/etcd-token state/etcd-recover-a cp/sa.key
        stat --format '%a %u' "${EC2_PREFETCHED}"
        echo two > /srv/parameters/state/etcd-token
        ec2_parameter state/etcd-token
        ec2_parameter state/etcd-token
        for n in 1 2; do code=0; ec2_parameter state/etcd-recover-a || code=$?; echo "code ${code}"; done
        ec2_parameter pub/ca.crt | head -n 1
        grep -c 'content of sa.key' "${EC2_VALUES}"
        forget_values
        ls /run/kube-cfn
        touch /srv/store-is-down
        ec2_prefetch_parameters state/etcd-token || echo "code $?"
        ls /run/kube-cfn
    "#;
    let done = functions(&machine, script);
    let said = text(&done.stdout);
    let said: Vec<_> = said
        .lines()
        .map(|line| match line.split_once("steps.") {
            Some(_) => "steps",
            None => line,
        })
        .collect();
    let said = said.join("\n") + "\n";
    let expected =
        "600 0\none\ntwo\ncode 4\ncode 4\n-----BEGIN CERTIFICATE-----\n1\nsteps\ncode 1\nsteps\n";
    assert_eq!(said, expected, "{}", text(&done.stderr));
}

#[test]
fn a_boot_says_what_each_step_took() {
    for (machine, steps) in [
        (
            slot().1,
            "host, downloads, containerd, volume, certificates, images, kubelet, static pods, node, token and units; \
                    packages, downloads, volume, images",
        ),
        (
            worker(),
            "host, packages, parameters, downloads, containerd, certificate, kubelet, ready; \
                    packages, downloads, certificate",
        ),
    ] {
        let done = machine.boot();
        let said = text(&done.stdout);
        let line = said
            .lines()
            .find(|line| line.starts_with("boot: boot took "));
        let line = line.unwrap_or_else(|| panic!("{said}"));
        let (took, rest) = line.split_once(" s: ").expect("a sum");
        assert!(
            took["boot: boot took ".len()..].parse::<f64>().is_ok(),
            "{line}"
        );
        let rest = rest.replace(" at the same time: ", " ");
        let names: String = rest
            .chars()
            .filter(|one| !one.is_ascii_digit() && *one != '.')
            .collect();
        assert_eq!(
            names.replace(" ,", ",").replace(" ;", ";").trim_end(),
            steps,
            "{line}"
        );
        assert!(!said.contains("took s"), "{said}");
    }
}

#[test]
fn the_reason_of_a_step_beside_others_is_that_of_the_boot() {
    let (_, machine) = slot();
    let script = r#"
        report() { code=$?; end_steps; echo "${code} ${REASON_CODE} ${REASON}"; ls /run/kube-cfn; }
        trap report EXIT
        slow() { sleep 600; /usr/bin/sleep 600; echo 'still there'; }
        inner() { CODE=image-pull fail 'pull x/y:1: it is away'; }
        outer() { beside inner inner; finish inner; }
        beside slow slow
        beside outer outer
        finish outer
    "#;
    let began = std::time::Instant::now();
    let done = functions(&machine, script);
    assert_eq!(
        text(&done.stdout),
        "1 image-pull pull x/y:1: it is away\n",
        "{}",
        text(&done.stderr)
    );
    assert_eq!(text(&done.stderr).matches("it is away").count(), 1);
    assert!(began.elapsed().as_secs() < 60);
    let script = "trap 'echo \"$? ${REASON_CODE} ${REASON}\"' EXIT; broken() { false; }; beside broken broken; finish broken";
    let said = text(&functions(&machine, script).stdout);
    assert_eq!(
        said,
        "1 other the step broken ended with exit code 1, see journalctl -u kube-cfn-boot\n"
    );
}

#[test]
fn a_download_that_ends_early_is_fetched_again() {
    let (_, machine) = slot();
    machine.set("srv/downloads-end-early", "7\n");
    machine.boots();
    let downloads = machine.get("etc/kube-cfn/binaries").lines().count();
    let calls = machine.calls();
    assert_eq!(
        calls.matches("--speed-time 30 https://").count(),
        downloads + 7,
        "{calls}"
    );
    assert_eq!(
        machine.get("local/bin/kubelet"),
        machine.get("srv/downloads/kubelet")
    );
    machine.remove("var/lib/kube-cfn/installed/kubelet");
    machine.set("local/bin/kubelet", "an older one");
    // All five attempts end in the middle, and a file that is whole but another one is no better.
    machine.set("srv/downloads-end-early", "5\n");
    assert!(!machine.boot().status.success());
    assert_eq!(machine.get("local/bin/kubelet"), "an older one");
    machine.set("srv/downloads/kubelet", "another one");
    assert!(!machine.boot().status.success());
    assert_eq!(machine.get("local/bin/kubelet"), "an older one");
}

/// bash ignores `set -e` in what `if` and `||` call: half a file must not get its place there either.
#[test]
fn a_full_disk_puts_no_half_file_in_place() {
    let (_, machine) = slot();
    let script = r"
        mkdir /tmp/small; /usr/bin/mount -t tmpfs -o size=16k tmpfs /tmp/small
        put /tmp/small/file 644 <<< old
        if /usr/bin/head -c 100000 /dev/zero | put /tmp/small/file 644; then echo 'put says that it is done'; fi
        cat /tmp/small/file; ls /tmp/small
    ";
    let done = functions(&machine, script);
    assert_eq!(text(&done.stdout), "old\nfile\n", "{}", text(&done.stderr));
}

/// The approved key exists nowhere else: without it this machine never joins.
#[test]
fn a_full_disk_keeps_the_key_of_the_first_certificate() {
    let machine = worker();
    machine.set(
        "srv/parameters/worker/bootstrap-token",
        "abcdef.0123456789abcdef",
    );
    let script = r#"
        . /opt/kube-cfn/lib/first-certificate.sh; . /opt/kube-cfn/lib/worker.sh
        put() { case "$1" in *kube-cfn-first.pem) cat > /dev/null; return 1 ;; *) mkdir -p "${1%/*}"; cat > "$1" ;; esac; }
        NODE=i-0a NAME=x
        make_key
        certificate="$(/usr/bin/openssl req -new -x509 -key "${FIRST_KEY}" -subj /CN=x -days 2 -config /dev/stdin \
          <<< $'[req]\ndistinguished_name = name\n[name]')"
        store_certificate "${certificate}" || echo "code $?: ${WHY}"
        ls /var/lib/kubelet/pki
    "#;
    let done = functions(&machine, script);
    let expected = "code 1: its certificate could not be written into /var/lib/kubelet/pki; see df\nkube-cfn-first.key\n";
    assert_eq!(text(&done.stdout), expected, "{}", text(&done.stderr));
}

/// With `crictl logs | grep -q` crictl ends by SIGPIPE once grep has found it, and pipefail calls that not found.
#[test]
fn lost_data_is_found_in_a_long_log() {
    let (_, machine) = slot();
    let long = format!(
        "already been bootstrapped\n{}",
        format!("{}\n", "x".repeat(4000)).repeat(90)
    );
    machine.set("srv/crash/etcd", &long);
    let reason = machine.refuses();
    assert!(
        reason.contains("run kube-cfn etcd replace-member production a"),
        "{reason}"
    );
}

/// A server that accepts a connection and never answers must not hold a program up for ever.
#[test]
fn every_request_of_a_node_has_an_end() {
    let ends = ["--max-time ", "--speed-time ", "--request-timeout"];
    let mut requests = 0;
    for name in ["control-plane/a", "batch"] {
        for file in super::machine::tree(&crate::support::specs::production(), name) {
            if !file.path.starts_with("opt/kube-cfn") {
                continue;
            }
            let text = file.text.replace("\\\n", " ");
            let lines = text.lines().map(str::trim);
            for line in lines.filter(|line| !line.starts_with('#')) {
                let calls = ["curl", "kubectl"].iter().any(|program| {
                    let before = [
                        "",
                        "$(",
                        "| ",
                        "&& ",
                        "|| ",
                        "attempt 6 10 ",
                        "if ",
                        "until ",
                    ];
                    before.iter().any(|before| {
                        let call = format!("{before}{program} ");
                        line.starts_with(&call) || (!before.is_empty() && line.contains(&call))
                    })
                });
                requests += usize::from(calls);
                let ended = ends.iter().any(|end| line.contains(end));
                assert!(!calls || ended, "{}: {line}", file.path);
            }
        }
    }
    assert!(requests > 10, "only {requests} requests");
}
