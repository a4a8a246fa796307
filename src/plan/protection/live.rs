//! The values of a stack's template as they are in the account: its functions come to what the stack's own resources
//! are. What can't be known is marked, and nothing is compared with it.

use serde_json::Value;

use crate::cloud::{Identity, LiveResource, LiveStack};
use crate::templates::evaluate::{Pseudo, Resources, Scope, UNKNOWN, partition};

/// A stack in the account.
#[derive(Clone, Copy)]
pub(super) struct LiveTemplate<'a> {
    pub(super) identity: &'a Identity,
    pub(super) found: &'a LiveStack,
    pub(super) template: &'a Value,
    pub(super) resources: &'a [LiveResource],
}

impl<'a> LiveTemplate<'a> {
    /// Logical ids and bodies of a type.
    pub(super) fn of_type(self, wanted: &'a str) -> impl Iterator<Item = (&'a str, &'a Value)> {
        let all = self.template.get("Resources").and_then(Value::as_object);
        let all = all.into_iter().flatten();
        all.filter(move |(_, body)| body["Type"] == wanted)
            .map(|(id, body)| (id.as_str(), body))
    }

    pub(super) fn physical_id(self, logical_id: &str) -> Option<&'a str> {
        let mut all = self.resources.iter();
        let found = all.find(|one| one.logical_id == logical_id)?;
        found.physical_id.as_deref()
    }

    /// What a value comes to; `Err` with what is not known in it.
    pub(super) fn value(self, written: &Value) -> Result<Value, String> {
        let scope = Scope {
            template: self.template,
            parameters: &self.found.parameters,
            pseudo: Pseudo {
                account: &self.identity.account,
                region: &self.identity.region,
                stack_id: &self.found.id,
                stack_name: &self.found.name,
            },
            resources: &self,
        };
        let value = scope.evaluate(written).unwrap_or_default();
        if value.to_string().contains(UNKNOWN) || has_function(&value) {
            return Err("its template refers to something that can't be looked up".to_owned());
        }
        Ok(value)
    }

    /// The same of a policy document, which a template may give as text.
    pub(super) fn document(self, written: &Value) -> Result<Value, String> {
        match self.value(written)? {
            Value::String(text) => serde_json::from_str(&text)
                .map_err(|error| format!("its template has a document that is not JSON ({error})")),
            document => Ok(document),
        }
    }
}

/// Functions that were left as they are written.
fn has_function(value: &Value) -> bool {
    match value {
        Value::Object(map) => {
            map.keys().any(|key| key.starts_with("Fn::")) || map.values().any(has_function)
        }
        Value::Array(items) => items.iter().any(has_function),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

impl Resources for LiveTemplate<'_> {
    fn reference(&self, id: &str) -> Option<String> {
        self.physical_id(id).map(str::to_owned)
    }

    fn attribute(&self, id: &str, name: &str) -> Option<String> {
        let Identity {
            account, region, ..
        } = self.identity;
        let physical = self.physical_id(id)?;
        let partition = partition(region);
        let of_type = self.template["Resources"][id]["Type"].as_str()?;
        Some(match (of_type, name) {
            ("AWS::KMS::Key", "Arn") => {
                format!("arn:{partition}:kms:{region}:{account}:key/{physical}")
            }
            ("AWS::S3::Bucket", "Arn") => format!("arn:{partition}:s3:::{physical}"),
            ("AWS::S3::Bucket", "RegionalDomainName") => {
                let china = if partition == "aws-cn" { ".cn" } else { "" };
                format!("{physical}.s3.{region}.amazonaws.com{china}")
            }
            ("AWS::IAM::Role", "Arn") => {
                let path = &self.template["Resources"][id]["Properties"]["Path"];
                let path = path.as_str().unwrap_or("/");
                format!("arn:{partition}:iam::{account}:role{path}{physical}")
            }
            _ => return None,
        })
    }
}
