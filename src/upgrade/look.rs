//! Reads the facts, each question beside the others. What is not answered is a fact too.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;
use semver::Version;
use tokio::sync::mpsc::unbounded_channel;

use super::{ApiServer, Capacity, Download, Fact, Facts, StaticPods, Target};
use crate::cloud::remote::Remote;
use crate::cloud::{
    Dependencies, Downloads, Machines, NodeState, Nodes, PodState, Scaling, image_version,
};
use crate::common::Clock;
use crate::common::tags::SLOT_LABEL;
use crate::etcd::{self, Members};
use crate::roll::{Options, Roll, RollScope, foresee};
use crate::stacks::StackKind;

/// Files that are asked for at the same time.
const AT_ONCE: usize = 8;

/// Whom to ask.
pub struct Sources<'a, C, N> {
    pub cloud: &'a C,
    /// `Err` where the Kubernetes API can't be reached at all, with the reason.
    pub nodes: Result<&'a N, String>,
    pub members: &'a Members<'a, C>,
}

/// What is known from the definition and the stacks.
pub struct Known {
    pub cluster: String,
    pub target: Target,
    pub stacks: BTreeMap<StackKind, Fact<Version>>,
    pub unsettled: Vec<(StackKind, String)>,
    /// Who holds the operation lock.
    pub lock: Fact<Option<String>>,
    pub drift: Fact<Vec<String>>,
    pub capacity: Fact<Capacity>,
    /// Addresses of the files of the wanted version.
    pub files: Vec<String>,
    /// The state bucket, or why it is not known.
    pub bucket: Fact<String>,
    /// How machines would be rolled.
    pub roll: Options,
}

/// Reads everything that the checks need.
pub async fn look<C, N>(sources: &Sources<'_, C, N>, known: Known) -> Facts
where
    C: Machines + Scaling + Downloads + Remote + Clock,
    N: Nodes + Dependencies,
{
    let (cluster, etcd, requests, certificates, snapshot, downloads) = futures::join!(
        cluster(sources, &known.roll),
        sources.members.membership(),
        etcd::api_requests(sources.members),
        etcd::certificates(sources.members),
        newest_snapshot(sources.cloud, &known.bucket),
        downloads(sources.cloud, &known.files),
    );
    let servers = requests.into_iter().map(|(slot, requests)| ApiServer {
        slot,
        pods: match (&cluster.nodes, &cluster.pods) {
            (Ok(nodes), Ok(pods)) => static_pods(slot, nodes, pods),
            (Err(why), _) | (_, Err(why)) => Err(why.clone()),
        },
        requests,
    });
    Facts {
        api_servers: servers.collect(),
        cluster: known.cluster,
        target: known.target,
        now: sources.cloud.now(),
        stacks: known.stacks,
        unsettled: known.unsettled,
        lock: known.lock,
        drift: known.drift,
        nodes: cluster.nodes,
        pods: cluster.pods,
        forecast: cluster.forecast,
        etcd: etcd.map_err(|error| error.to_string()),
        newest_snapshot: snapshot,
        certificates,
        webhooks: cluster.webhooks,
        extensions: cluster.extensions,
        downloads,
        capacity: known.capacity,
    }
}

/// What the Kubernetes API says.
struct Cluster {
    nodes: Fact<Vec<NodeState>>,
    pods: Fact<Vec<PodState>>,
    forecast: Fact<crate::roll::Forecast>,
    webhooks: Fact<Vec<crate::cloud::Webhook>>,
    extensions: Fact<Vec<crate::cloud::Extension>>,
}

async fn cluster<C, N>(sources: &Sources<'_, C, N>, options: &Options) -> Cluster
where
    C: Machines + Scaling + Remote + Clock,
    N: Nodes + Dependencies,
{
    let nodes = match &sources.nodes {
        Ok(nodes) => *nodes,
        Err(why) => {
            return Cluster {
                nodes: Err(why.clone()),
                pods: Err(why.clone()),
                forecast: Err(why.clone()),
                webhooks: Err(why.clone()),
                extensions: Err(why.clone()),
            };
        }
    };
    // Every machine is replaced, whatever its template.
    let options = Options {
        scope: RollScope::All,
        older_than: Some(Duration::ZERO),
        ..options.clone()
    };
    let (sender, _events) = unbounded_channel();
    let roll = Roll::new((sources.cloud, nodes, sources.members), &options, &sender);
    let (seen, webhooks, extensions) =
        futures::join!(roll.observe(), nodes.webhooks(), nodes.extensions());
    let seen = seen.map_err(|error| error.to_string());
    Cluster {
        forecast: seen
            .as_ref()
            .map(|seen| foresee(seen, &options))
            .map_err(String::clone),
        nodes: seen
            .as_ref()
            .map(|seen| seen.nodes.values().cloned().collect())
            .map_err(String::clone),
        pods: seen.map(|seen| seen.pods),
        webhooks: webhooks.map_err(|error| error.to_string()),
        extensions: extensions.map_err(|error| error.to_string()),
    }
}

/// The API server of a control-plane node, from its static pod.
fn static_pods(slot: char, nodes: &[NodeState], pods: &[PodState]) -> Fact<StaticPods> {
    let is_slot = |node: &&NodeState| {
        let label = node.labels.get(SLOT_LABEL);
        label.is_some_and(|label| label.starts_with(slot) && label.len() == slot.len_utf8())
    };
    let node = nodes.iter().find(is_slot).ok_or("it has no node")?;
    let name = format!("kube-apiserver-{}", node.name);
    let pod = pods
        .iter()
        .find(|pod| pod.pod.namespace == "kube-system" && pod.pod.name == name);
    let pod = pod.ok_or_else(|| format!("there is no pod {name}"))?;
    let version = pod
        .images
        .iter()
        .find_map(|image| image_version(image)?.parse().ok());
    Ok(StaticPods {
        api_server: version.ok_or_else(|| format!("{name} has no image with a version"))?,
        trouble: pod.trouble.clone(),
    })
}

async fn newest_snapshot(cloud: &impl Remote, bucket: &Fact<String>) -> Fact<Option<Timestamp>> {
    let bucket = bucket.as_ref().map_err(String::clone)?;
    let found = etcd::list(cloud, bucket).await;
    let found = found.map_err(|error| error.to_string())?.found;
    let usable = found
        .into_iter()
        .find(|snapshot| snapshot.verifiable && snapshot.bytes > 0);
    Ok(usable.map(|snapshot| snapshot.written))
}

async fn downloads(cloud: &impl Downloads, files: &[String]) -> Vec<Download> {
    let mut all = Vec::new();
    for some in files.chunks(AT_ONCE) {
        let asked = some.iter().map(async |url| Download {
            url: url.clone(),
            answer: cloud.answers(url).await,
        });
        all.extend(join_all(asked).await);
    }
    all
}
