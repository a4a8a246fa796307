//! What protects the data outside CloudFormation: the authorities with their copy, the certificates of
//! control-plane nodes, and the etcd snapshots.

use crate::access::{self, AccessError, Inventory, copy};
use crate::cli::certs::certificates_of_nodes;
use crate::cli::error::CommandError;
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

/// The layers of the authorities, their copy and the snapshots; none before there is a state bucket.
pub async fn layers(
    session: &Session,
    survey: &Survey,
) -> Result<Vec<ProtectionLayer>, CommandError> {
    let (cloud, name) = (&session.cloud, &session.spec().name);
    let base = survey.named(&StackKind::Base.stack_name(name));
    let Some(bucket) = base.and_then(|base| base.outputs.get(STATE_BUCKET)) else {
        return Ok(Vec::new());
    };
    let listed = list_authorities(cloud, name, &survey.found).await?;
    let control_plane = survey.named(&StackKind::ControlPlane.stack_name(name));
    let (copy, authorities, snapshots) = futures::join!(
        read_copy(cloud, &listed, bucket),
        access::authorities(cloud, name),
        etcd::list(cloud, bucket)
    );
    let now = cloud.now();
    let mut layers = protection::parameter_layers(&listed);
    layers.push(protection::copy_layer(
        &listed,
        &copy.map_err(|error| error.to_string()),
    ));
    if listed.missing.is_empty() {
        let authorities = authorities.map_err(|error| error.to_string());
        layers.push(protection::validity_layer(name, &authorities, now));
    }
    if let Some(control_plane) = control_plane.filter(|found| rests(&found.status)) {
        let nodes = certificates_of_nodes(cloud, &control_plane.outputs, now).await;
        layers.push(protection::node_certificates_layer(name, &nodes));
        let snapshots = snapshots
            .map(|all| all.found)
            .map_err(|error| error.to_string());
        layers.push(protection::snapshot_layer(
            name,
            control_plane.created,
            &snapshots,
            now,
        ));
    }
    Ok(layers)
}

async fn read_copy(cloud: &Aws, listed: &Inventory, bucket: &str) -> Result<CopyRead, AccessError> {
    let readable = listed.readable();
    let (stored, copy) = futures::try_join!(
        copy::read_parameters(cloud, &readable),
        copy::read_copy(cloud, bucket, &listed.cluster)
    )?;
    Ok(CopyRead { stored, copy })
}
