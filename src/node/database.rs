//! What the control plane runs so that workloads get a user of the database and a Secret to connect
//! with. Knows which files that takes, and that a cluster without such a Secret takes none.

use serde::Serialize;

use super::NodeError;
use super::archive::File;
use crate::spec::ClusterSpec;
use crate::templates::Templates;

const PROGRAM: &str = include_str!("../../templates/node/database/database.sh");
const SERVER: &str = include_str!("../../templates/node/database/server.sh");
const SECRET: &str = include_str!("../../templates/node/database/secret.sh");
const GRANTS: &str = include_str!("../../templates/node/database/grants.sql");
const SERVICE: &str = include_str!("../../templates/node/database/database.service");
const TIMER: &str = include_str!("../../templates/node/database/database.timer");

#[derive(Serialize)]
struct Context<'a> {
    name: &'a str,
    user: &'a str,
    /// With spaces between: no namespace has one in its name.
    namespaces: String,
}

/// The files of a control-plane node; none without a Secret in the definition.
pub(super) fn files(spec: &ClusterSpec, templates: &Templates) -> Result<Vec<File>, NodeError> {
    let database = spec.database.as_ref();
    let Some(secret) = database.and_then(|database| database.secret.as_ref()) else {
        return Ok(Vec::new());
    };
    let context = Context {
        name: &secret.name,
        user: &secret.user,
        namespaces: secret.namespaces.join(" "),
    };
    let settings = templates.render("node/database/database.env.tera", &context)?;
    let plain = |name, text: &str| File::plain(name, text.to_owned());
    Ok(vec![
        File::plain("etc/kube-cfn/database.env", settings),
        plain("etc/systemd/system/kube-cfn-database.service", SERVICE),
        plain("etc/systemd/system/kube-cfn-database.timer", TIMER),
        File::executable("opt/kube-cfn/bin/database", PROGRAM.to_owned()),
        plain("opt/kube-cfn/lib/database/grants.sql", GRANTS),
        plain("opt/kube-cfn/lib/database/secret.sh", SECRET),
        plain("opt/kube-cfn/lib/database/server.sh", SERVER),
    ])
}
