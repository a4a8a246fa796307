//! What protects the data outside CloudFormation: the authorities with their copy, the certificates of
//! control-plane nodes, and the etcd snapshots.

use crate::access::{self, AccessError, Inventory, copy};
use crate::cli::certs::certificates_of_nodes;
use crate::cli::planning::list_authorities;
use crate::cli::session::Session;
use crate::cloud::aws::Aws;
use crate::common::Clock as _;
use crate::etcd;
use crate::plan::Survey;
use crate::plan::protection::ProtectionLayer;
use crate::plan::status::rests;
use crate::report::protection::{self, CopyRead};
use crate::stacks::{STATE_BUCKET, StackKind};

/// The layers of the authorities, their copy, the nodes' certificates and the snapshots, as far as there are stacks that
/// hold them.
pub async fn layers(session: &Session, survey: &Survey) -> Vec<ProtectionLayer> {
    let (cloud, name) = (&session.cloud, &session.spec().name);
    let stack = |kind: StackKind| survey.named(&kind.stack_name(name));
    let bucket = stack(StackKind::Base).and_then(|base| base.outputs.get(STATE_BUCKET));
    let listed = match list_authorities(cloud, name, &survey.found).await {
        Ok(listed) => listed,
        Err(error) => return vec![protection::unlisted_layer(&error.to_string())],
    };
    let mut layers = protection::parameter_layers(&listed);
    let Some(bucket) = bucket else {
        return layers;
    };
    let (copy, authorities, snapshots) = futures::join!(
        read_copy(cloud, &listed, bucket),
        access::authorities(cloud, name),
        etcd::list(cloud, bucket)
    );
    let now = cloud.now();
    let copy = copy.map_err(|error| error.to_string());
    layers.push(protection::copy_layer(&listed, &copy));
    if listed.missing.is_empty() {
        let authorities = authorities.map_err(|error| error.to_string());
        layers.push(protection::validity_layer(name, &authorities, now));
    }
    let control_plane = stack(StackKind::ControlPlane);
    if let Some(control_plane) = control_plane.filter(|found| rests(&found.status)) {
        let nodes = certificates_of_nodes(cloud, &control_plane.outputs, now).await;
        layers.push(protection::node_certificates_layer(name, &nodes));
        let snapshots = snapshots.map(|all| all.found);
        let snapshots = snapshots.map_err(|error| error.to_string());
        let created = control_plane.created;
        layers.push(protection::snapshot_layer(name, created, &snapshots, now));
    }
    layers
}

/// Compares values where the caller may read them, else the moments at which they were written.
async fn read_copy(cloud: &Aws, listed: &Inventory, bucket: &str) -> Result<CopyRead, AccessError> {
    let readable = listed.readable();
    let read = futures::try_join!(
        copy::read_parameters(cloud, &readable),
        copy::read_copy(cloud, bucket, &listed.cluster)
    );
    match read {
        Ok((stored, Some(copy))) => Ok(CopyRead::Values { stored, copy }),
        Ok((_, None)) => Ok(CopyRead::Absent),
        Err(AccessError::Denied { .. }) => {
            let written = copy::written(cloud, bucket).await?;
            Ok(written.map_or(CopyRead::Absent, CopyRead::Written))
        }
        Err(error) => Err(error),
    }
}
