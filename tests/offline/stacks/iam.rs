//! A small evaluator of IAM for rendered policies: as much as the templates use. From the user guides of IAM ("Policy
//! evaluation logic", "Condition operators") and KMS ("Key policies").

use std::collections::BTreeMap;

use kube_cfn::stacks::Stack;
use serde_json::Value;

pub const ACCOUNT: &str = "123456789012";

/// What is asked for.
#[derive(Clone)]
pub struct Request {
    /// ARN of the role that asks.
    pub principal: String,
    pub action: String,
    pub resource: String,
    pub context: BTreeMap<String, String>,
}

/// What a policy says of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Answer {
    Nothing,
    /// To the account, whose IAM policies decide: a principal without one may nothing.
    Delegated,
    Allowed,
    Denied,
}

impl Request {
    pub fn new(principal: &str, action: &str, resource: &str) -> Self {
        let account = principal.split(':').nth(4).unwrap().to_owned();
        let context = BTreeMap::from([
            ("aws:PrincipalArn".to_owned(), principal.to_owned()),
            ("kms:CallerAccount".to_owned(), account),
        ]);
        Self {
            principal: principal.to_owned(),
            action: action.to_owned(),
            resource: resource.to_owned(),
            context,
        }
    }

    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.context.insert(key.to_owned(), value.to_owned());
        self
    }
}

/// A rendered policy with the functions of its template filled in: ARNs of resources are `arn:NAME`, a role's is an ARN.
pub fn filled(value: &Value) -> Value {
    let text = |text: &str| {
        let text = text
            .replace("${AWS::Partition}", "aws")
            .replace("${AWS::Region}", "eu-west-1")
            .replace("${AWS::AccountId}", ACCOUNT)
            .replace("${!aws:userid}", "AROA1:i-1");
        text.replace("${StateBucket.Arn}", &arn("StateBucket"))
    };
    match value {
        Value::Object(entries) => match entries.iter().next() {
            Some((key, Value::String(sub))) if key == "Fn::Sub" => text(sub).into(),
            Some((key, Value::String(name))) if key == "Ref" && name == "AWS::AccountId" => {
                ACCOUNT.into()
            }
            Some((key, Value::Array(words))) if key == "Fn::GetAtt" => {
                arn(words[0].as_str().unwrap()).into()
            }
            _ => entries
                .iter()
                .map(|(key, value)| (key.clone(), filled(value)))
                .collect(),
        },
        Value::Array(values) => values.iter().map(filled).collect(),
        other => other.clone(),
    }
}

/// The ARN of a resource of the base.
pub fn arn(logical_id: &str) -> String {
    if logical_id.ends_with("Role") {
        format!("arn:aws:iam::{ACCOUNT}:role/{logical_id}")
    } else {
        format!("arn:{logical_id}")
    }
}

/// What a policy of a resource says.
pub fn of_resource(policy: &Value, request: &Request) -> Answer {
    evaluate(policy, request, |statement| {
        who(&statement["Principal"], request)
    })
}

/// What the policies of a role say, inline and managed.
pub fn of_role(base: &Stack, role: &str, request: &Request) -> Answer {
    let resources = base.template["Resources"].as_object().unwrap().values();
    let policies = resources.filter(|body| {
        let roles = body["Properties"]["Roles"].as_array();
        body["Properties"].get("PolicyDocument").is_some()
            && roles.is_some_and(|roles| roles.iter().any(|one| one["Ref"] == role))
    });
    let answers = policies.map(|body| {
        let document = &body["Properties"]["PolicyDocument"];
        evaluate(document, request, |_| Answer::Allowed)
    });
    answers.max().unwrap_or(Answer::Nothing)
}

/// The strongest word of all statements that fit; `who` says what a statement gives to its principals.
fn evaluate(policy: &Value, request: &Request, who: impl Fn(&Value) -> Answer) -> Answer {
    let policy = filled(policy);
    let statements = policy["Statement"].as_array().unwrap();
    let fitting = statements.iter().filter(|statement| {
        let resource = match statement.get("NotResource") {
            Some(others) => !fits(others, &request.resource),
            None => fits(&statement["Resource"], &request.resource),
        };
        resource && fits(&statement["Action"], &request.action) && holds(statement, request)
    });
    let words = fitting.map(
        |statement| match (who(statement), statement["Effect"].as_str()) {
            (Answer::Nothing, _) => Answer::Nothing,
            (_, Some("Deny")) => Answer::Denied,
            (given, _) => given,
        },
    );
    words.max().unwrap_or(Answer::Nothing)
}

/// A statement for the account gives its principals nothing: it lets IAM policies decide. One for everybody or for the
/// role itself gives it directly.
fn who(principal: &Value, request: &Request) -> Answer {
    let names = list(if principal.is_string() {
        principal
    } else {
        &principal["AWS"]
    });
    let account = request.principal.split(':').nth(4).unwrap();
    let root = format!("arn:aws:iam::{account}:root");
    let given = names.iter().map(|name| match name.as_str() {
        "*" => Answer::Allowed,
        name if name == request.principal => Answer::Allowed,
        name if name == root || name == account => Answer::Delegated,
        _ => Answer::Nothing,
    });
    given.max().unwrap_or(Answer::Nothing)
}

fn holds(statement: &Value, request: &Request) -> bool {
    let operators = statement["Condition"].as_object();
    let mut keys = operators
        .into_iter()
        .flatten()
        .flat_map(|(operator, keys)| {
            let keys = keys.as_object().unwrap();
            keys.iter()
                .map(move |(key, values)| (operator.as_str(), key, list(values)))
        });
    keys.all(|(operator, key, values)| {
        let found = request.context.get(key);
        let any = |like: bool| {
            found.is_some_and(|found| {
                values
                    .iter()
                    .any(|value| value == found || like && covers(value, found))
            })
        };
        match operator {
            "StringEquals" | "Bool" => any(false),
            "StringLike" | "ArnEquals" | "ArnLike" => any(true),
            "StringNotEquals" => !any(false),
            "StringNotLike" | "ArnNotEquals" | "ArnNotLike" => !any(true),
            "Null" => found.is_none() == (values == ["true"]),
            other => panic!("the evaluator does not know {other}"),
        }
    })
}

fn fits(patterns: &Value, text: &str) -> bool {
    list(patterns).iter().any(|pattern| covers(pattern, text))
}

fn list(value: &Value) -> Vec<String> {
    let items = value
        .as_array()
        .cloned()
        .unwrap_or_else(|| vec![value.clone()]);
    items
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

/// Whether a pattern of IAM covers a text: `*` is any part of it.
pub fn covers(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|text| {
            (0..=text.len()).any(|at| text.is_char_boundary(at) && covers(rest, &text[at..]))
        }),
    }
}
