//! Labels and taints by the syntax of Kubernetes, and the prefixes that a node may not claim.

use super::{Violation, path};
use crate::spec::NodePool;

/// Names that a node may set on itself although they end in `kubernetes.io`: the admission plugin
/// `NodeRestriction` lets these two prefixes pass.
const FREE_PREFIXES: [&str; 2] = ["kubelet.kubernetes.io", "node.kubernetes.io"];

pub(super) fn labels(at: &str, pool: &NodePool, broken: &mut Vec<Violation>) {
    let section = format!("{at}.labels");
    for (key, value) in &pool.labels {
        let at = path(&section, key);
        if let Some(reason) = bad_key(key) {
            let what = format!("`{key}` is not a valid label key: {reason}");
            broken.push(Violation::new(&at, what, KEY_HELP).on_key());
        } else if let Some(owner) = reserved(key, &FREE_PREFIXES) {
            let what = format!("a node must not label itself `{key}`");
            let help = format!("{owner}: choose a prefix of your own, such as example.com/");
            broken.push(Violation::new(&at, what, help).on_key());
        }
        if let Some(reason) = bad_value(value) {
            let what = format!("`{value}` is not a valid label value: {reason}");
            broken.push(Violation::new(&at, what, VALUE_HELP));
        }
    }
}

pub(super) fn taints(at: &str, pool: &NodePool, broken: &mut Vec<Violation>) {
    for (index, taint) in pool.taints.iter().enumerate() {
        let at = format!("{at}.taints[{index}]");
        let key = &taint.key;
        if let Some(reason) = bad_key(key) {
            let what = format!("`{key}` is not a valid taint key: {reason}");
            broken.push(Violation::new(format!("{at}.key"), what, KEY_HELP));
        } else if let Some(owner) = reserved(key, &[]) {
            let what = format!("the taint `{key}` is not yours to set");
            let help = format!("{owner}: choose a prefix of your own, such as example.com/");
            broken.push(Violation::new(format!("{at}.key"), what, help));
        }
        if let Some(reason) = bad_value(&taint.value) {
            let what = format!("`{}` is not a valid taint value: {reason}", taint.value);
            broken.push(Violation::new(format!("{at}.value"), what, VALUE_HELP));
        }
        let same = |other: &&crate::spec::Taint| other.key == *key && other.effect == taint.effect;
        if pool.taints[..index].iter().any(|other| same(&other)) {
            let what = format!("taint `{key}:{}` is listed twice", taint.effect.as_str());
            let help = "key and effect together are unique on a node: remove one of them";
            broken.push(Violation::new(at, what, help));
        }
    }
}

const KEY_HELP: &str =
    "write a name such as `role`, or one with a domain before it: `example.com/role`";
const VALUE_HELP: &str =
    "up to 63 letters, digits, `-`, `_` and `.`, with a letter or digit first and last; or nothing";

fn bad_key(key: &str) -> Option<&'static str> {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    if name.is_empty() {
        return Some("it has no name");
    }
    if let Some(reason) = bad_value(name) {
        return Some(reason);
    }
    match prefix {
        Some(domain) if !is_domain(domain) => Some("the part before `/` is not a domain name"),
        _ => None,
    }
}

fn bad_value(text: &str) -> Option<&'static str> {
    let outer = |c: Option<char>| c.is_none_or(|c| c.is_ascii_alphanumeric());
    if text.len() > 63 {
        Some("longer than 63 letters")
    } else if !text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    {
        Some("only letters, digits, `-`, `_` and `.` are allowed in it")
    } else if !outer(text.chars().next()) || !outer(text.chars().next_back()) {
        Some("it must start and end with a letter or digit")
    } else {
        None
    }
}

fn is_domain(text: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && part
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(part)
}

/// Who owns the prefix of `key`, if it is not free to use.
fn reserved(key: &str, free: &[&str]) -> Option<&'static str> {
    let (prefix, _) = key.split_once('/')?;
    let under = |domain: &str| {
        prefix == domain
            || prefix
                .strip_suffix(domain)
                .is_some_and(|rest| rest.ends_with('.'))
    };
    if prefix == "kube-cfn" {
        Some("the tool itself sets what starts with kube-cfn/")
    } else if free.iter().any(|free| under(free)) {
        None
    } else if under("kubernetes.io") || under("k8s.io") {
        Some("kubernetes.io and k8s.io belong to Kubernetes, and the API server refuses the node")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_labels_use_permitted_prefixes() {
        assert!(reserved("node-role.kubernetes.io/worker", &FREE_PREFIXES).is_some());
        assert!(reserved("node.kubernetes.io/role", &FREE_PREFIXES).is_none());
        assert!(reserved("example.com/role", &FREE_PREFIXES).is_none());
        assert!(reserved("role", &FREE_PREFIXES).is_none());
    }

    #[test]
    fn label_syntax_follows_kubernetes() {
        assert_eq!(bad_key("example.com/role"), None);
        assert_eq!(bad_value(""), None);
        assert!(bad_key("Example.com/role").is_some());
        assert!(bad_key("a/b/c").is_some());
        assert!(bad_key("-a").is_some());
        assert!(bad_value(&"a".repeat(64)).is_some());
    }
}
