//! Membership: coming up in any order, dying, losing the disk, being replaced.

use std::fs;

use serde_json::Value;

use super::world::World;

fn member<'a>(status: &'a Value, slot: &str) -> &'a Value {
    let members = status["members"].as_array().unwrap();
    let of_slot = |member: &&Value| member["slot"] == slot;
    members.iter().find(of_slot).unwrap()
}

#[test]
fn three_members_come_up_in_any_order_and_openssl_accepts_their_certificates() {
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
            .contains("a majority of the slots has to run")
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
    assert!(unasked.contains("nobody asked for it"), "{unasked}");
    let own = world.refused('b', "etcd-member remove cp-b");
    assert!(own.contains("its own slot"), "{own}");
    assert_eq!(world.well('a', "etcd-member remove cp-b")["changed"], true);
    assert_eq!(world.well('c', "etcd-member remove b")["changed"], false);
    assert_eq!(world.well('a', "etcd-member add b")["changed"], true);
    let again = world.well('c', "etcd-member add b");
    assert_eq!(again["changed"], false);
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
    assert!(!world.try_shell('b', "etcd_recovering").status.success());
    assert_eq!(world.parameter("state/etcd-recover-b").unwrap(), "done");
    let again = world.well('c', "etcd-member promote cp-b");
    assert_eq!(
        (&again["promoted"], &again["changed"]),
        (&true.into(), &false.into())
    );
    let over = world.refused('b', "etcd-member rejoin");
    assert!(over.contains("nobody asked for it"), "{over}");
    assert_eq!(world.get('b', "second"), "kept-too");
}

#[test]
fn a_learner_called_again_keeps_what_it_learned() {
    let world = World::of("abc");
    let _slots = ['a', 'b', 'c'].map(|slot| world.start(slot));
    world.serves('a');
    world.serves('b');
    world.put('a', "first", "kept");
    world.well('a', "etcd-member remove b --even-if-healthy");
    world.well('a', "etcd-member add b");
    assert!(world.try_shell('b', "etcd_recovering").status.success());
    assert_eq!(world.well('b', "etcd-member rejoin")["changed"], true);
    world.until("the learner", || {
        let status = world.well('a', "etcd-member status");
        member(&status, "b")["started"] == true
    });
    assert_eq!(world.well('b', "etcd-member rejoin")["changed"], false);
    let aside = fs::read_dir(world.root('b').join("var/lib/etcd/aside")).unwrap();
    assert_eq!(aside.count(), 1, "the data of the removed member");
    world.well('c', "etcd-member promote b --wait 60");
    world.serves('b');
    assert_eq!(world.get('b', "first"), "kept");
}

#[test]
fn a_slot_that_never_started_etcd_boots_again_to_join() {
    let world = World::of("abc");
    let [_a, b, _c] = ['a', 'b', 'c'].map(|slot| world.start(slot));
    world.serves('a');
    world.serves('b');
    drop(b);
    // A new machine with an empty volume: boot stopped before it wrote a manifest.
    fs::remove_dir_all(world.root('b').join("var/lib/etcd/data")).unwrap();
    fs::remove_file(world.root('b').join("etc/kubernetes/manifests/etcd.yaml")).unwrap();
    world.well('a', "etcd-member remove b");
    world.well('a', "etcd-member add b");
    world.well('b', "etcd-member rejoin");
    let apart = fs::read_to_string(world.root('b').join("run/started-apart")).unwrap();
    assert!(apart.contains("/opt/kube-cfn/boot"), "{apart}");
    // That boot writes the manifest.
    let _b = world.start('b');
    world.well('a', "etcd-member promote b --wait 60");
    world.serves('b');
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
