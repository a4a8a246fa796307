//! The settings by which the control plane gives workloads a user of the database and a Secret to
//! connect with. A cluster without such a Secret has none of it.

use serde::Serialize;

use super::NodeError;
use super::archive::File;
use crate::spec::{ClusterSpec, DatabaseSecret};
use crate::templates::Templates;

#[derive(Serialize)]
struct Context<'a> {
    name: &'a str,
    user: &'a str,
    /// With spaces between: no namespace has one in its name.
    namespaces: String,
}

/// The settings of a control-plane node; `None` without a Secret in the definition.
pub(super) fn settings(
    spec: &ClusterSpec,
    templates: &Templates,
) -> Result<Option<File>, NodeError> {
    let database = spec.database.as_ref();
    let Some(secret) = database.and_then(|database| database.secret.as_ref()) else {
        return Ok(None);
    };
    let DatabaseSecret {
        name,
        namespaces,
        user,
    } = secret;
    let context = Context {
        name,
        user,
        namespaces: namespaces.join(" "),
    };
    let settings = templates.render("node/database/database.env.tera", &context)?;
    Ok(Some(File::plain("etc/kube-cfn/database.env", settings)))
}
