//! What a change set is called: by what is in it. A run that was killed leaves one behind that the next
//! run asks for under the same name, finds, and uses.

use sha2::{Digest, Sha256};

use crate::cloud::{ChangeSetLifetime, ChangeSetRequest, Comparison};

/// Hexadecimal digits of the hash.
const DIGITS: usize = 32;

/// The name: letters, digits and dashes, beginning with a letter.
pub(super) fn of(wanted: &ChangeSetRequest) -> String {
    match wanted.lifetime {
        ChangeSetLifetime::Run => format!("kube-cfn-{}", hash(wanted, "")),
        // A saved plan's own: another run must not execute or remove it.
        ChangeSetLifetime::Persistent => format!("kube-cfn-saved-{}", hash(wanted, &wanted.token)),
    }
}

/// Every part goes in with its length, so that no two proposals run into one another.
fn hash(wanted: &ChangeSetRequest, run: &str) -> String {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    };
    add(run);
    add(&wanted.template);
    for (list, mark) in [(&wanted.parameters, "parameters"), (&wanted.tags, "tags")] {
        add(mark);
        for (key, value) in list {
            add(key);
            add(value);
        }
    }
    match wanted.comparison {
        Comparison::Template => {}
        Comparison::Resources => add("resources"),
    }
    add("capabilities");
    for word in &wanted.capabilities {
        add(word);
    }
    let digits = format!("{:x}", hash.finalize());
    digits.get(..DIGITS).unwrap_or(&digits).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proposal() -> ChangeSetRequest {
        ChangeSetRequest {
            stack: "canary-network".to_owned(),
            template: "{}".to_owned(),
            bucket: None,
            parameters: [("A".to_owned(), "1".to_owned())].into(),
            capabilities: vec!["CAPABILITY_IAM".to_owned()],
            tags: [("B".to_owned(), "2".to_owned())].into(),
            token: "7f-network".to_owned(),
            lifetime: ChangeSetLifetime::Run,
            comparison: Comparison::Template,
        }
    }

    #[test]
    fn change_set_name_is_the_same_for_the_same_content() {
        let mut other = proposal();
        other.token = "8a-network".to_owned();
        assert_eq!(of(&proposal()), of(&other));
        assert_eq!(of(&other).len(), "kube-cfn-".len() + DIGITS);
    }

    #[test]
    fn change_set_name_covers_every_input() {
        let changes: [fn(&mut ChangeSetRequest); 5] = [
            |wanted| wanted.comparison = Comparison::Resources,
            |wanted| wanted.template.push(' '),
            |wanted| wanted.capabilities.clear(),
            |wanted| wanted.tags = std::mem::take(&mut wanted.parameters),
            |wanted| {
                wanted.parameters.insert("A".to_owned(), "3".to_owned());
            },
        ];
        for change in changes {
            let mut wanted = proposal();
            change(&mut wanted);
            assert_ne!(of(&wanted), of(&proposal()), "{wanted:?}");
        }
    }

    #[test]
    fn change_set_name_of_a_saved_plan_is_unique() {
        let mut saved = proposal();
        saved.lifetime = ChangeSetLifetime::Persistent;
        let first = of(&saved);
        saved.token = "8a-network".to_owned();
        assert!(first.starts_with("kube-cfn-saved-"), "{first}");
        assert_ne!(first, of(&saved));
        assert!(first.len() <= 128);
    }
}
