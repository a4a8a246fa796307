//! The XML of query APIs: elements by local name, lists, and what a refusal says. Pure.

use roxmltree::{Document, Node};

use super::ApiError;

pub(in crate::cloud::aws) fn parse(xml: &str) -> Result<Document<'_>, String> {
    Document::parse(xml).map_err(|error| format!("an answer that is not XML ({error})"))
}

/// Every element of this name, however deep.
pub(in crate::cloud::aws) fn elements<'a>(
    under: Node<'a, 'a>,
    name: &'a str,
) -> impl Iterator<Item = Node<'a, 'a>> {
    under
        .descendants()
        .filter(move |node| node.has_local_name(name))
}

/// The text of a direct child.
pub(in crate::cloud::aws) fn child(of: Node<'_, '_>, name: &str) -> Option<String> {
    let found = of.children().find(|node| node.has_local_name(name))?;
    found.text().map(|text| text.trim().to_owned())
}

/// Whether a text is a whole answer to `call`.
pub(super) fn is_answer(call: &str, xml: &str) -> bool {
    parse(xml).is_ok_and(|document| {
        let root = document.root_element().tag_name().name();
        root.strip_suffix("Response") == Some(call)
    })
}

pub(super) fn refusal(xml: &str) -> ApiError {
    let Ok(document) = parse(xml) else {
        return ApiError::default();
    };
    elements(document.root(), "Error")
        .next()
        .map(|error| ApiError {
            code: child(error, "Code"),
            message: child(error, "Message"),
        })
        .or_else(|| refused_batch(document.root_element()))
        .unwrap_or_default()
}

/// Route 53's refusal of a batch of changes, whose code is its root.
fn refused_batch(root: Node<'_, '_>) -> Option<ApiError> {
    const CODE: &str = "InvalidChangeBatch";
    root.has_local_name(CODE).then(|| {
        let messages = elements(root, "Message").filter_map(|message| message.text());
        ApiError {
            code: Some(CODE.to_owned()),
            message: Some(messages.map(str::trim).collect::<Vec<_>>().join("; ")),
        }
    })
}

/// A namespace names the version of an API; which one it is does not matter.
pub(in crate::cloud::aws) trait LocalName {
    fn has_local_name(&self, name: &str) -> bool;
}

impl LocalName for Node<'_, '_> {
    fn has_local_name(&self, name: &str) -> bool {
        self.is_element() && self.tag_name().name() == name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_is_whole_and_of_its_call() {
        let of = |xml: &str| is_answer("GetRole", xml);
        assert!(of("<GetRoleResponse xmlns=\"x\"><A/></GetRoleResponse>"));
        for foreign in [
            "",
            "<html><p/></html>",
            "<GetRoleResponse>",
            "<GetUserResponse/>",
        ] {
            assert!(!of(foreign), "{foreign}");
        }
    }

    #[test]
    fn error_answer_has_code_and_message() {
        let xml = "<Response><Errors><Error><Code>RequestLimitExceeded</Code><Message>Slow down\
            </Message></Error></Errors></Response>";
        assert_eq!(
            refusal(xml),
            ApiError {
                code: Some("RequestLimitExceeded".to_owned()),
                message: Some("Slow down".to_owned()),
            }
        );
        assert_eq!(refusal("<html><br></html>"), ApiError::default());
        let batch = "<InvalidChangeBatch xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><Messages>\
            <Message>one</Message><Message>two</Message></Messages></InvalidChangeBatch>";
        let refused = refusal(batch);
        assert_eq!(refused.code.as_deref(), Some("InvalidChangeBatch"));
        assert_eq!(refused.message.as_deref(), Some("one; two"));
    }
}
