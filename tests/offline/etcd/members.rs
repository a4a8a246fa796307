//! Membership: starting in any order, crashing, losing the disk, being replaced.

use std::fs;

use serde_json::Value;

use super::world::{Running, World};

fn member<'a>(status: &'a Value, slot: &str) -> &'a Value {
    let members = status["members"].as_array().unwrap();
    let of_slot = |member: &&Value| member["slot"] == slot;
    members.iter().find(of_slot).unwrap()
}

#[test]
fn three_members_start_in_any_order_with_valid_certificates() {
    let world = World::of("abc");
    for slot in ['a', 'b', 'c'] {
        let accepted = "server.crt: OK\npeer.crt: OK\nhealthcheck-client.crt: OK\n";
        assert_eq!(world.verdict(slot), accepted);
    }
    let _c = world.start('c');
    world.until("c's etcd", || world.log('c').contains("raft"));
    assert!(world.ctl('c', "endpoint health").is_err(), "one of three");
    assert!(
        world
            .refused('c', "etcd-member status")
            .contains("a majority of the control-plane nodes has to run")
    );
    let _a = world.start('a');
    world.serves('a');
    world.put('a', "first", "kept");
    let _b = world.start('b');
    world.serves('b');
    assert_eq!(world.get('b', "first"), "kept");
    let status = world.well('b', "etcd-member status");
    let members = status["members"].as_array().unwrap();
    assert_eq!(members.len(), 3, "{status}");
    for member in members {
        assert_eq!(member["serves"], true, "{status}");
        assert_eq!(member["learner"], false, "{status}");
        assert!(member["revision"].as_u64().unwrap() > 1, "{status}");
    }
    let leaders = members.iter().filter(|member| member["leader"] == true);
    assert_eq!(leaders.count(), 1, "{status}");
    assert_eq!(status["alarms"], serde_json::json!([]));
}

#[test]
fn a_client_without_a_certificate_of_the_authority_is_refused() {
    let (world, other) = (World::of("a"), World::of("a"));
    let _a = world.start('a');
    world.serves('a');
    let pki = other.root('a').join("etc/kubernetes/pki/etcd");
    for file in ["healthcheck-client.crt", "healthcheck-client.key"] {
        fs::copy(
            pki.join(file),
            world.root('a').join("etc/kubernetes/pki/etcd").join(file),
        )
        .unwrap();
    }
    assert!(world.ctl('a', "endpoint health").is_err());
}

#[test]
fn a_killed_member_comes_back_with_its_data() {
    let world = World::of("abc");
    let _slots = ['a', 'b', 'c'].map(|slot| world.start(slot));
    world.serves('a');
    world.serves('c');
    world.put('a', "before", "1");
    let id = member(&world.well('a', "etcd-member status"), "c")["id"].clone();
    let pid = rustix::process::Pid::from_raw(world.process('c')).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    world.put('a', "meanwhile", "2");
    world.until("a new process", || {
        world.process('c') != pid.as_raw_nonzero().get()
    });
    world.serves('c');
    assert_eq!(world.get('c', "before"), "1");
    assert_eq!(world.get('c', "meanwhile"), "2");
    assert_eq!(
        member(&world.well('a', "etcd-member status"), "c")["id"],
        id
    );
}

#[test]
fn a_wiped_disk_refuses_and_its_member_is_replaced_by_the_nodes_programs() {
    let world = World::of("abc");
    let [_a, b, _c] = ['a', 'b', 'c'].map(|slot| world.start(slot));
    world.serves('a');
    world.serves('b');
    world.put('a', "first", "kept");
    let id = member(&world.well('a', "etcd-member status"), "b")["id"].clone();

    let healthy = world.refused('a', "etcd-member remove b");
    assert!(healthy.contains("it is healthy"), "{healthy}");
    drop(b);
    fs::remove_dir_all(world.root('b').join("var/lib/etcd/data")).unwrap();
    let _b = world.start('b');
    world.until("the refusal", || {
        world.log('b').contains("already been bootstrapped")
    });
    world.put('a', "second", "kept-too");

    let unasked = world.refused('b', "etcd-member rejoin");
    assert!(unasked.contains("it was not requested"), "{unasked}");
    let own = world.refused('b', "etcd-member remove cp-b");
    assert!(own.contains("its own node"), "{own}");
    assert_eq!(world.well('a', "etcd-member remove cp-b")["changed"], true);
    assert_eq!(world.well('c', "etcd-member remove b")["changed"], false);
    let first = world.well('a', "etcd-member add b");
    assert_eq!(first["changed"], true);
    // Nobody knows what data the first learner's id has had on the slot: another one takes its place.
    let again = world.well('c', "etcd-member add b");
    assert_ne!(again["id"], first["id"]);
    let early = world.well('a', "etcd-member promote b");
    assert_eq!(early["promoted"], false, "{early}");
    assert_eq!(world.well('b', "etcd-member rejoin")["changed"], true);
    let promoted = world.well('a', "etcd-member promote b --wait 60");
    assert_eq!(promoted["promoted"], true, "{promoted}");
    assert_eq!(
        world.well('b', "etcd-member status")["members"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    world.serves('b');
    assert_eq!(world.get('b', "first"), "kept");
    assert_eq!(world.get('b', "second"), "kept-too");
    let status = world.well('a', "etcd-member status");
    assert_ne!(member(&status, "b")["id"], id, "{status}");
    assert_eq!(member(&status, "b")["learner"], false, "{status}");

    // All of it once more: nothing is left to do, and the new data stays where it is.
    assert!(!world.try_shell('b', "etcd_recovery").status.success());
    assert_eq!(world.parameter("state/etcd-recover-b").unwrap(), "done");
    let again = world.well('c', "etcd-member promote cp-b");
    assert_eq!(
        (&again["promoted"], &again["changed"]),
        (&true.into(), &false.into())
    );
    let over = world.refused('b', "etcd-member rejoin");
    assert!(over.contains("it was not requested"), "{over}");
    assert_eq!(world.get('b', "second"), "kept-too");
}

/// The last three programs of a replacement, which end with a vote and the data of the others.
fn replaces(world: &World, slot: char) {
    world.well('a', &format!("etcd-member add {slot}"));
    world.well(slot, "etcd-member rejoin");
    let promoted = world.well('a', &format!("etcd-member promote {slot} --wait 60"));
    assert_eq!(promoted["promoted"], true, "{promoted}");
    world.all_serve();
    assert_eq!(world.get(slot, "first"), "kept");
    let asked = world.parameter(&format!("state/etcd-recover-{slot}"));
    assert_eq!(asked.unwrap(), "done");
}

/// Three members with a key, of which b's machine is off and its volume empty.
fn without_b() -> (World, [Running; 2]) {
    let world = World::of("abc");
    let [a, b, c] = ['a', 'b', 'c'].map(|slot| world.start(slot));
    world.all_serve();
    world.put('a', "first", "kept");
    drop(b);
    wipe(&world, 'b');
    (world, [a, c])
}

/// Another machine with another volume.
fn wipe(world: &World, slot: char) {
    world.replace_machine(slot);
    fs::remove_dir_all(world.root(slot).join("var/lib/etcd")).unwrap();
    fs::create_dir_all(world.root(slot).join("var/lib/etcd")).unwrap();
}

fn learner_runs(world: &World, slot: char) {
    world.until("the learner", || {
        let status = world.well('a', "etcd-member status");
        member(&status, &slot.to_string())["answers"] == true
    });
}

fn aside(world: &World, slot: char) -> usize {
    let place = world.root(slot).join("var/lib/etcd/aside");
    fs::read_dir(place).map_or(0, Iterator::count)
}

#[test]
fn a_running_learner_keeps_its_data_when_steps_are_repeated() {
    let (world, _others) = without_b();
    world.well('a', "etcd-member remove b");
    let id = world.well('a', "etcd-member add b")["id"].clone();
    // A new machine boots by itself, before anybody calls a program there.
    let _b = world.start('b');
    learner_runs(&world, 'b');
    assert_eq!(world.well('b', "etcd-member rejoin")["changed"], false);
    assert_eq!(world.well('b', "etcd-member rejoin")["changed"], false);
    learner_runs(&world, 'b');
    let again = world.well('a', "etcd-member add b");
    assert_eq!((&again["changed"], &again["id"]), (&false.into(), &id));
    assert_eq!(aside(&world, 'b'), 0);
    replaces(&world, 'b');
    assert_eq!(aside(&world, 'b'), 0);
    assert!(!world.log('b').contains("panic"), "raft lost something");
}

#[test]
fn a_member_with_data_that_is_replaced_keeps_the_old_data_aside() {
    let world = World::of("abc");
    let _slots = ['a', 'b', 'c'].map(|slot| world.start(slot));
    world.all_serve();
    world.put('a', "first", "kept");
    world.well('a', "etcd-member remove b --even-if-healthy");
    let id = world.well('a', "etcd-member add b")["id"].clone();
    world.well('b', "etcd-member rejoin");
    learner_runs(&world, 'b');
    world.well('a', "etcd-member promote b --wait 60");
    world.all_serve();
    assert_eq!(world.get('b', "first"), "kept");
    let old = format!("var/lib/etcd/aside/before-{}", id.as_str().unwrap());
    assert!(world.root('b').join(old).join("member/snap/db").exists());
}

#[test]
fn a_learner_without_a_machine_is_started_by_its_next_boot() {
    let (world, _others) = without_b();
    world.well('a', "etcd-member remove b");
    world.well('a', "etcd-member add b");
    let early = world.well('a', "etcd-member promote b");
    assert_eq!(
        early["reason"],
        "control-plane node b has not started it yet"
    );
    let _b = world.start('b');
    let promoted = world.well('a', "etcd-member promote b --wait 60");
    assert_eq!(promoted["promoted"], true, "{promoted}");
    world.all_serve();
}

/// On a new machine the program comes before boot has got as far as the certificates.
#[test]
fn a_machine_without_certificates_is_asked_to_join() {
    let (world, _others) = without_b();
    world.well('a', "etcd-member remove b");
    world.well('a', "etcd-member add b");
    let certificates = world.root('b').join("etc/kubernetes/pki/etcd");
    let elsewhere = certificates.with_extension("later");
    fs::rename(&certificates, &elsewhere).unwrap();
    let _b = Running::of(&world, 'b');
    assert_eq!(world.well('b', "etcd-member rejoin")["changed"], true);
    world.until("boot's wait for the others", || {
        let log = fs::read_to_string(world.root('b').join("run/kube-cfn-boot.service.log"));
        log.unwrap_or_default()
            .contains("no other member answers with a leader")
    });
    fs::rename(&elsewhere, &certificates).unwrap();
    let promoted = world.well('a', "etcd-member promote b --wait 60");
    assert_eq!(promoted["promoted"], true, "{promoted}");
    world.all_serve();
}

#[test]
fn a_stuck_boot_restarts_as_the_learner() {
    let (world, _others) = without_b();
    // Its member is still in the list: etcd refuses to begin without data, and boot waits for the API.
    let _b = world.start('b');
    world.until("the refusal", || {
        world.log('b').contains("already been bootstrapped")
    });
    world.well('a', "etcd-member remove b");
    replaces(&world, 'b');
}

#[test]
fn a_member_that_does_not_answer_itself_gets_no_vote() {
    let (world, _others) = without_b();
    world.well('a', "etcd-member remove b");
    let first = world.well('a', "etcd-member add b")["id"].clone();
    let b = world.start('b');
    learner_runs(&world, 'b');
    drop(b);
    // The leader still believes it to be in sync.
    let silent = world.well('a', "etcd-member promote b --wait 2");
    assert_eq!(silent["promoted"], false, "{silent}");
    let reason = silent["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("it does not answer itself on"),
        "{reason}"
    );

    // Its volume is lost too: the data of that id is gone for good, and boot says so instead of starting etcd with it.
    wipe(&world, 'b');
    let _b = world.start('b');
    world.until("boot's refusal", || {
        let log = fs::read_to_string(world.root('b').join("run/kube-cfn-boot.service.log"));
        log.unwrap_or_default()
            .contains("run kube-cfn etcd replace-member canary b")
    });
    assert_eq!(world.well('a', "etcd-member promote b")["promoted"], false);
    let second = world.well('c', "etcd-member add b")["id"].clone();
    assert_ne!(second, first);
    replaces(&world, 'b');
    assert!(!world.log('b').contains("panic"), "raft lost something");
}

/// What version 0.1 left when it was cut off: a request without an id, and a learner whose data it did not note.
#[test]
fn a_half_done_replacement_of_the_first_version_is_finished() {
    let (world, _others) = without_b();
    world.well('a', "etcd-member remove b");
    world.well('a', "etcd-member add b");
    world.set_parameter("state/etcd-recover-b", "existing");
    let unnamed = world.refused('b', "etcd-member rejoin");
    assert!(unnamed.contains("the request names no member"), "{unnamed}");
    let _b = world.start('b');
    learner_runs(&world, 'b');
    fs::remove_file(world.root('b').join("var/lib/etcd/rejoined")).unwrap();
    replaces(&world, 'b');
}

/// And the worst of it: a vote for a member whose data was taken away under the same id, so that raft panics.
#[test]
fn a_member_with_a_vote_that_crashes_is_replaced() {
    let (world, _others) = without_b();
    world.well('a', "etcd-member remove b");
    let id = world.well('a', "etcd-member add b")["id"].clone();
    let b = world.start('b');
    learner_runs(&world, 'b');
    drop(b);
    let data = world.root('b').join("var/lib/etcd/data");
    fs::remove_dir_all(&data).unwrap();
    world.systemctl('b', "start kubelet.service");
    let off = Running::of(&world, 'b');
    world.until("the panic", || world.log('b').contains("panic"));
    world
        .ctl('a', &format!("member promote {}", id.as_str().unwrap()))
        .unwrap();
    drop(off);
    let _b = world.start('b');
    assert_eq!(world.well('a', "etcd-member remove b")["changed"], true);
    replaces(&world, 'b');
}

#[test]
fn boot_records_a_finished_promotion() {
    let (world, _others) = without_b();
    world.well('a', "etcd-member remove b");
    let id = world.well('a', "etcd-member add b")["id"].clone();
    let _b = world.start('b');
    learner_runs(&world, 'b');
    // As promote does it, but cut off before it wrote the parameter.
    world
        .ctl('a', &format!("member promote {}", id.as_str().unwrap()))
        .unwrap();
    world.until("boot to note it", || {
        world.parameter("state/etcd-recover-b").as_deref() == Some("done")
    });
}

#[test]
fn at_shutdown_the_api_server_ends_before_etcd_and_the_leadership_moves() {
    let world = World::of("abc");
    let _slots = ['a', 'b', 'c'].map(|slot| world.start(slot));
    world.all_serve();
    let status = world.well('a', "etcd-member status");
    let members = status["members"].as_array().unwrap();
    let leader = members.iter().find(|member| member["leader"] == true);
    let leader = leader.unwrap()["slot"]
        .as_str()
        .unwrap()
        .chars()
        .next()
        .unwrap();
    let answers = world.root(leader).join("run/api-answers");
    world.until("the API", || answers.exists());
    let stopped = world.program(leader, "stop-control-plane");
    assert_eq!(stopped.code, Some(0), "{}", stopped.talk);
    assert_eq!(
        world.systemctl(
            leader,
            "show --property ActiveState --value kubelet.service"
        ),
        "inactive"
    );
    let api = fs::read_to_string(world.root(leader).join("run/kube-apiserver.log")).unwrap();
    let ended: f64 = api.trim().rsplit(' ').next().unwrap().parse().unwrap();
    let log = world.log(leader);
    let signal = log.lines().find(|line| line.contains("received signal"));
    let signal: Value = serde_json::from_str(signal.unwrap()).unwrap();
    let at: jiff::Timestamp = signal["ts"].as_str().unwrap().parse().unwrap();
    assert!(at.as_duration().as_secs_f64() > ended, "{signal} {api}");
    assert_eq!(signal["signal"], "terminated");
    assert!(log.contains("leadership transfer finished"), "{log}");
    // Nobody starts them again.
    let running = world.shell(leader, "crictl ps --quiet");
    assert_eq!(running, "");
    world.systemctl(leader, "start kubelet.service");
    world.all_serve();
}

#[test]
fn a_member_is_not_removed_when_the_others_are_no_majority() {
    let world = World::of("abc");
    let [_a, b, c] = ['a', 'b', 'c'].map(|slot| world.start(slot));
    world.serves('a');
    world.serves('b');
    drop(c);
    let refused = world.refused('a', "etcd-member remove b --even-if-healthy");
    assert!(
        refused.contains("of the 2 others only 1 serve"),
        "{refused}"
    );
    drop(b);
    let refused = world.refused('a', "etcd-member remove b");
    assert!(refused.contains("without a majority"), "{refused}");
    let unknown = world.program('a', "etcd-member remove d");
    assert_eq!(unknown.code, Some(64), "{}", unknown.talk);
}

/// What a parameter says becomes a part of manifests and messages.
#[test]
fn parameters_that_hold_no_name_are_not_used() {
    let world = World::of("a");
    world.set_parameter("state/etcd-token", "t1");
    assert_eq!(world.shell('a', "etcd_initial_token"), "t1");
    world.set_parameter("state/etcd-token", "t1\"\n      - --client-cert-auth=false");
    let token = world.try_shell('a', "etcd_initial_token");
    assert_eq!(token.status.code(), Some(2), "{token:?}");
    assert!(token.stdout.is_empty(), "{token:?}");

    world.set_parameter("state/etcd-recover-a", "existing 1f");
    assert_eq!(world.shell('a', "etcd_recovery"), "1f");
    world.set_parameter("state/etcd-recover-a", "existing 1f;reboot");
    assert_eq!(world.shell('a', "etcd_recovery"), "-");
}
