//! What the requests about a stack carry: what is wanted of it, and a token by which a request that is
//! sent twice has its effect once.

use std::collections::BTreeMap;

use crate::cloud::{ChangeSetLifetime, ChangeSetRequest, Comparison};
use crate::common::digest::sha256;
use crate::stacks::Stack;

/// What is wanted of a stack, as a cloud is asked for it.
pub fn proposal(
    stack: &Stack,
    parameters: &BTreeMap<String, String>,
    bucket: Option<&str>,
    token: String,
    lifetime: ChangeSetLifetime,
) -> ChangeSetRequest {
    ChangeSetRequest {
        stack: stack.name.clone(),
        template: stack.body(),
        bucket: bucket.map(str::to_owned),
        parameters: parameters.clone(),
        capabilities: stack.capabilities.clone(),
        tags: stack.tags.clone(),
        token,
        lifetime,
        comparison: Comparison::Template,
    }
}

/// The idempotency token of a step: letters, digits and dashes, at most 128 of them. The same run,
/// stack and step give the same token, so that a write asked twice happens once.
pub fn token(run: &str, stack: &str, step: &str) -> String {
    const LONGEST: usize = 128;
    const DIGITS: usize = 32;
    let plain: String = format!("kcfn-{run}-{stack}-{step}")
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    if plain.len() <= LONGEST {
        return plain;
    }
    let digest = sha256(&plain);
    let head: String = plain.chars().take(LONGEST - DIGITS - 1).collect();
    let tail: String = digest.chars().take(DIGITS).collect();
    format!("{head}-{tail}")
}

/// The run that gave a token to a request on this stack; `None` where it was not this tool's.
pub fn run_of<'a>(token: &'a str, stack: &str) -> Option<&'a str> {
    let rest = token.strip_prefix("kcfn-")?;
    let (run, _) = rest.split_once(&format!("-{stack}-"))?;
    Some(run).filter(|run| !run.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_is_stable_and_within_its_length_limit() {
        assert_eq!(
            token("7f3a", "canary-base", "create"),
            "kcfn-7f3a-canary-base-create"
        );
        assert_eq!(
            run_of("kcfn-7f3a-canary-base-create", "canary-base"),
            Some("7f3a")
        );
        assert_eq!(run_of("somebody-canary-base-create", "canary-base"), None);
        let long = "x".repeat(128);
        let create = token("7f3a", &long, "create");
        let other = token("7f3a", &long, "execute");
        assert_eq!(create.len(), 128);
        assert_eq!(create, token("7f3a", &long, "create"));
        assert_ne!(create, other);
        assert!(
            token("a_b/c", "s", "t")
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-')
        );
    }
}
