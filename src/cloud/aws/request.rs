//! Our maps and words as the lists that CloudFormation's requests want.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::types::{Capability, Parameter, Tag};

pub(super) fn parameters(values: &BTreeMap<String, String>) -> Vec<Parameter> {
    let one = |(key, value): (&String, &String)| {
        Parameter::builder()
            .parameter_key(key)
            .parameter_value(value)
            .build()
    };
    values.iter().map(one).collect()
}

pub(super) fn tags(values: &BTreeMap<String, String>) -> Vec<Tag> {
    let one = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
    values.iter().map(one).collect()
}

pub(super) fn capabilities(words: &[String]) -> Vec<Capability> {
    words
        .iter()
        .map(|word| Capability::from(word.as_str()))
        .collect()
}
