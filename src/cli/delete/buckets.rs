//! The state buckets that a deletion removes, with the etcd snapshots in them: the base stack's, and those that stacks left.

use crate::cli::cluster::Cluster;
use crate::cloud::outside::{OutsideKind, OutsideResource};
use crate::cloud::remote::Remote as _;
use crate::etcd;
use crate::plan::deletion::DeletePlan;
use crate::report::outside::{BucketContents, StateBucket};
use crate::stacks::{STATE_BUCKET, StackKind};
use crate::sweep::{Disposition, Inventory};

/// What a template calls the state bucket: CloudFormation's tag says it of one that a stack left.
const LOGICAL_ID: (&str, &str) = ("aws:cloudformation:logical-id", "StateBucket");

/// Looks into each.
pub async fn state_buckets(
    cluster: &Cluster,
    plan: &DeletePlan,
    shown: &Inventory,
) -> Vec<StateBucket> {
    let base = plan.steps.iter().find(|step| step.kind == StackKind::Base);
    let of_base = base.and_then(|base| base.found.outputs.get(STATE_BUCKET));
    let of_base = of_base.map(|name| look(cluster, name.clone(), false));
    let left = shown.becoming(Disposition::Removed, false);
    let left = left.filter(|one| one.resource.kind == OutsideKind::Bucket);
    let left = left.map(async |one| {
        let bucket = look(cluster, one.resource.id.clone(), true).await;
        // The issuer's bucket, and any other one that has none.
        let is_empty = matches!(&bucket.contents, Ok(contents) if contents.snapshots.is_empty());
        (!is_empty || is_state(&one.resource)).then_some(bucket)
    });
    let (of_base, left) = futures::join!(
        futures::future::OptionFuture::from(of_base),
        futures::future::join_all(left)
    );
    of_base
        .into_iter()
        .chain(left.into_iter().flatten())
        .collect()
}

fn is_state(bucket: &OutsideResource) -> bool {
    let (key, id) = LOGICAL_ID;
    bucket.tag(key) == Some(id)
}

async fn look(cluster: &Cluster, name: String, is_left: bool) -> StateBucket {
    let looked = async {
        let snapshots = etcd::list(&cluster.cloud, &name).await;
        let snapshots = snapshots.map_err(|error| error.to_string())?;
        let objects = if is_left {
            let all = cluster.cloud.objects(&name, "").await;
            all.map_err(|error| error.to_string())?.len()
        } else {
            snapshots.found.len()
        };
        Ok(BucketContents {
            snapshots: snapshots.found,
            objects,
        })
    };
    let contents = looked.await;
    StateBucket {
        name,
        is_left,
        contents,
    }
}
