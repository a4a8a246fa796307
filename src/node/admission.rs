//! What pods may ask of their machine: the configuration of the API server's admission plugin `PodSecurity`.
//! The levels are in the template, the namespaces that it exempts in the catalogue.

use serde::Serialize;

use super::NodeError;
use super::archive::File;
use crate::catalog::addons;
use crate::templates::Templates;

#[derive(Serialize)]
struct Context {
    /// Namespaces whose pods use the machine itself.
    exempt: [&'static str; 1],
}

/// The file that the API server's flag `admission-control-config-file` names.
pub(super) fn file(templates: &Templates) -> Result<File, NodeError> {
    let context = Context {
        exempt: [addons::NAMESPACE],
    };
    let text = templates.render("node/apiserver/admission.yaml.tera", &context)?;
    Ok(File::plain("etc/kube-cfn/apiserver/admission.yaml", text))
}
