//! What the control plane runs so that workloads get a user of the database and a Secret to connect
//! with. Knows which files that takes, and that a cluster without such a Secret takes none.

use serde::Serialize;

use super::NodeError;
use super::archive::File;
use crate::spec::ClusterSpec;
use crate::templates::Templates;

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
    let text = |name: &str| templates.text(&format!("node/database/{name}"));
    let unit = |ending: &str| {
        let path = format!("etc/systemd/system/kube-cfn-database.{ending}");
        Ok::<_, NodeError>(File::plain(path, text(&format!("database.{ending}"))?))
    };
    let part = |name: &str| {
        let path = format!("opt/kube-cfn/lib/database/{name}");
        Ok::<_, NodeError>(File::plain(path, text(name)?))
    };
    Ok(vec![
        File::plain("etc/kube-cfn/database.env", settings),
        unit("service")?,
        unit("timer")?,
        File::executable("opt/kube-cfn/bin/database", text("database.sh")?),
        part("grants.sql")?,
        part("secret.sh")?,
        part("server.sh")?,
    ])
}
