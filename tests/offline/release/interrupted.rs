//! A run that ends at any request, and a second one from there.

use super::{Ran, names, policies, released, released_of, seen};
use crate::apiserver::controllers::Controllers;
use crate::apiserver::fixtures::{CLAIMS, PODS, SERVICES, VOLUMES, application, claim};
use crate::apiserver::{ApiServer, Outage};

const NONE: [&str; 0] = [];

fn cluster() -> ApiServer {
    let server = ApiServer::start();
    application(&server);
    claim(&server, "web", "spare", "Delete");
    server.run_controllers(Controllers::all());
    server
}

/// How many requests a run needs that nothing disturbs, without those of the look before it.
fn requests(delete_volumes: bool) -> usize {
    let server = cluster();
    let before = seen(&server);
    let looked = server.requests().len();
    released_of(&server, &before, delete_volumes);
    server.requests().len() - looked
}

/// Runs with an API that is gone after each number of requests, and again with one that answers.
fn everywhere(delete_volumes: bool, check: impl Fn(&ApiServer, &Ran, &Ran, &str)) {
    let all = requests(delete_volumes);
    assert!(all > 5, "{all}");
    for after in 0..all {
        for how in [Outage::HangUp, Outage::LostAnswer] {
            let server = cluster();
            let before = seen(&server);
            server.fail_after(after, how);
            let first = released_of(&server, &before, delete_volumes);
            server.answer_again();
            let second = released(&server, delete_volumes);
            check(&server, &first, &second, &format!("{how:?} after {after}"));
        }
    }
}

#[test]
fn kept_volumes_survive_an_end_at_any_request() {
    everywhere(false, |server, first, second, at| {
        if first.released.refused.is_some() {
            assert_eq!(first.released.left, NONE, "{at}: nothing was begun");
        }
        assert_eq!(second.released.refused, None, "{at}");
        assert_eq!(second.released.left, NONE, "{at}");
        assert_eq!(names(server, SERVICES), NONE, "{at}");
        assert_eq!(names(server, CLAIMS).len(), 3, "{at}");
        assert_eq!(names(server, PODS).len(), 2, "{at}");
        let policies = policies(server);
        assert_eq!(policies.len(), 3, "{at}");
        assert!(policies.values().all(|policy| policy == "Retain"), "{at}");
        let requests = server.requests();
        let first_delete = requests.iter().position(|one| one.starts_with("DELETE "));
        let last_patch = requests.iter().rposition(|one| one.starts_with("PATCH "));
        assert!(last_patch < first_delete, "{at}: {requests:#?}");
    });
}

#[test]
fn deleted_volumes_are_gone_after_an_end_at_any_request() {
    everywhere(true, |server, first, second, at| {
        assert_eq!(first.released.refused, None, "{at}");
        // The last request may be the look that finds nothing any more.
        assert!(
            !first.released.left.is_empty(),
            "{at}: it was not finished, and says so"
        );
        assert_eq!(second.released.left, NONE, "{at}");
        for collection in [SERVICES, CLAIMS, VOLUMES, PODS] {
            assert_eq!(names(server, collection), NONE, "{at}: {collection}");
        }
    });
}

#[test]
fn a_second_run_finds_nothing_to_do() {
    for delete_volumes in [false, true] {
        let server = cluster();
        released(&server, delete_volumes);
        let before = super::writes(&server).len();
        let second = released(&server, delete_volumes);
        assert_eq!(second.released.left, NONE);
        assert_eq!(super::writes(&server).len(), before);
        assert_eq!(second.seconds, 0);
    }
}
