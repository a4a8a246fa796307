//! The part of a deletion that Kubernetes does itself, against the tests' own API server with its controllers: volumes are
//! kept or deleted, Services go with their load balancers, and what does not work is named.

mod claims;
mod interrupted;
mod kept;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use kube_cfn::common::Clock;
use kube_cfn::events::{Emitter, Event, SweepPart};
use kube_cfn::kube::Api;
use kube_cfn::sweep::kubernetes::{Objects, Released, Wanted, objects, release, workloads};
use serde_json::Value;

use crate::apiserver::ApiServer;

/// Time that passes only while somebody sleeps.
pub struct VirtualTime(Cell<Timestamp>);

impl Clock for VirtualTime {
    fn now(&self) -> Timestamp {
        self.0.get()
    }

    async fn sleep(&self, time: Duration) {
        self.0.set(self.0.get().checked_add(time).unwrap());
        tokio::task::yield_now().await;
    }
}

/// One run: what came of it, how long it took, and the events.
pub struct Ran {
    pub released: Released,
    pub seconds: i64,
    pub events: Vec<Vec<SweepPart>>,
    pub notes: Vec<String>,
}

impl Ran {
    /// The parts of the last progress: name, how many are done, how many there are.
    pub fn last_parts(&self) -> Vec<(&str, usize, usize)> {
        let last = self.events.last().unwrap().iter();
        last.map(|part| (part.name.as_str(), part.done, part.wanted))
            .collect()
    }
}

pub fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(work)
}

pub fn seen(server: &ApiServer) -> Objects {
    run(async {
        let api = Api::connect(&server.connection()).unwrap();
        let mut seen = objects(&api).await.unwrap();
        seen.workloads = workloads(&api, &seen.claims).await.unwrap();
        seen
    })
}

/// Looks and releases, as a deletion does.
pub fn released(server: &ApiServer, delete_volumes: bool) -> Ran {
    let objects = seen(server);
    released_of(server, &objects, delete_volumes)
}

/// Releases what was seen before.
pub fn released_of(server: &ApiServer, objects: &Objects, delete_volumes: bool) -> Ran {
    let (sender, mut events) = tokio::sync::mpsc::unbounded_channel();
    let begin: Timestamp = "2026-11-30T12:00:00Z".parse().unwrap();
    let clock = VirtualTime(Cell::new(begin));
    let released = run(async {
        let api = Api::connect(&server.connection()).unwrap();
        let emit = Emitter {
            events: &sender,
            clock: &clock,
        };
        let ids = objects
            .volumes
            .iter()
            .filter_map(|one| one.volume_id.clone());
        let by_aws = ids.filter(|id| !id.contains("untagged")).collect();
        let wanted = Wanted {
            delete_volumes,
            by_aws: &by_aws,
            region: "eu-west-1",
        };
        release(&api, objects, wanted, emit).await
    });
    let (mut seen, mut notes) = (Vec::new(), Vec::new());
    while let Ok(event) = events.try_recv() {
        match event {
            Event::Sweep { parts, .. } => seen.push(parts),
            Event::Note { text, .. } => notes.push(text),
            other => panic!("{other:?}"),
        }
    }
    Ran {
        released,
        seconds: clock.now().duration_since(begin).as_secs(),
        events: seen,
        notes,
    }
}

/// Names of the objects of a collection.
pub fn names(server: &ApiServer, collection: &str) -> Vec<String> {
    let objects = server.objects(collection).into_iter();
    objects
        .map(|object| object["metadata"]["name"].as_str().unwrap().to_owned())
        .collect()
}

/// Reclaim policies by the name of their volume.
pub fn policies(server: &ApiServer) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let volumes = server.objects("api/v1/persistentvolumes").into_iter();
    volumes
        .map(|volume| {
            let policy = text(&volume["spec"]["persistentVolumeReclaimPolicy"]);
            (text(&volume["metadata"]["name"]), policy)
        })
        .collect()
}

/// The requests that wrote something.
pub fn writes(server: &ApiServer) -> Vec<String> {
    let mut requests = server.requests();
    requests.retain(|request| !request.starts_with("GET "));
    requests
}
