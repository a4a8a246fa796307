//! Puts missing parameters of the authorities back: a plain one from the secret beside it, the others from
//! the copy in the state bucket. Never overwrites: what differs is shown.

use secrecy::{ExposeSecret as _, SecretString};

use super::copy::{StoredValues, is_same, plain_half};
use super::error::AccessOperation;
use super::names::{AuthorityParameter, ParameterNames};
use super::{AccessError, Inventory};
use crate::cloud::{PutResult, Store};

/// What a restore would do about each of the nine parameters.
pub struct RestorePlan {
    pub items: Vec<RestoreItem>,
}

/// One parameter of a [`RestorePlan`].
pub struct RestoreItem {
    pub parameter: AuthorityParameter,
    pub action: RestoreAction,
}

/// What is to do about a parameter.
pub enum RestoreAction {
    /// It is there, and as in the copy where there is one.
    Keep,
    /// It is there, with another value than the copy: which one is right is not for a program to decide.
    Differs,
    /// It is there, under a key that is not the cluster's.
    OtherKey {
        /// That key.
        key: String,
        /// Whether the copy has a value of it.
        in_copy: bool,
    },
    /// With what is there and what would come back, this plain one is not of the secret beside it.
    Mismatched,
    /// It is missing and comes back.
    Put {
        value: SecretString,
        from: RestoreSource,
    },
    /// It is missing, and nothing here has it.
    Lost,
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestoreSource {
    Copy,
    /// Computed from the secret that it belongs to.
    Secret,
}

impl RestorePlan {
    /// Compares what is listed and stored with the copy.
    pub fn of(
        listed: &Inventory,
        stored: &StoredValues,
        copy: Option<&StoredValues>,
    ) -> Result<Self, AccessError> {
        let names = ParameterNames::of(&listed.cluster)?;
        let after = stored.or(copy);
        let mismatched = after.mismatched(&names, &listed.all);
        let item = |parameter: &AuthorityParameter| {
            let action = match action(&names, parameter, listed, stored, copy) {
                RestoreAction::Keep | RestoreAction::Put { .. }
                    if mismatched.contains(&parameter) =>
                {
                    RestoreAction::Mismatched
                }
                action => action,
            };
            let parameter = parameter.clone();
            RestoreItem { parameter, action }
        };
        Ok(Self {
            items: listed.all.iter().map(item).collect(),
        })
    }

    /// The parameters that would come back.
    pub fn puts(&self) -> impl Iterator<Item = &RestoreItem> {
        let puts = |item: &&RestoreItem| matches!(item.action, RestoreAction::Put { .. });
        self.items.iter().filter(puts)
    }

    /// Whether something stored is not what it should be: then nothing is put back, since it would not
    /// belong to the rest.
    pub fn has_conflict(&self) -> bool {
        self.items.iter().any(|item| match item.action {
            RestoreAction::Differs | RestoreAction::Mismatched | RestoreAction::OtherKey { .. } => {
                true
            }
            RestoreAction::Keep | RestoreAction::Put { .. } | RestoreAction::Lost => false,
        })
    }

    /// The parameters that stay missing, or are not what the copy has.
    pub fn open(&self) -> impl Iterator<Item = &RestoreItem> {
        let open = |item: &&RestoreItem| match item.action {
            RestoreAction::Differs
            | RestoreAction::Mismatched
            | RestoreAction::OtherKey { .. }
            | RestoreAction::Lost => true,
            RestoreAction::Keep | RestoreAction::Put { .. } => false,
        };
        self.items.iter().filter(open)
    }
}

fn action(
    names: &ParameterNames,
    parameter: &AuthorityParameter,
    listed: &Inventory,
    stored: &StoredValues,
    copy: Option<&StoredValues>,
) -> RestoreAction {
    let other_key = listed.foreign.iter().find(|(one, _)| one == parameter);
    if let Some((_, key)) = other_key {
        return RestoreAction::OtherKey {
            key: key.clone(),
            in_copy: copy.is_some_and(|copy| copy.get(parameter).is_some()),
        };
    }
    let saved = copy.and_then(|copy| copy.get(parameter));
    match (stored.get(parameter), saved) {
        (Some(here), Some(saved)) if !is_same(here, saved) => RestoreAction::Differs,
        (Some(_), _) => RestoreAction::Keep,
        (None, Some(saved)) => RestoreAction::Put {
            value: saved.clone(),
            from: RestoreSource::Copy,
        },
        (None, None) => match plain_half(names, parameter, stored) {
            Ok(Some(value)) => RestoreAction::Put {
                value,
                from: RestoreSource::Secret,
            },
            Ok(None) | Err(_) => RestoreAction::Lost,
        },
    }
}

/// Stores what a plan puts back under the key of this ARN; returns the names. One that came back meanwhile
/// is left alone.
pub async fn restore_parameters(
    store: &impl Store,
    plan: &RestorePlan,
    key_arn: &str,
) -> Result<Vec<String>, AccessError> {
    let mut restored = Vec::new();
    for item in &plan.items {
        let RestoreAction::Put { value, .. } = &item.action else {
            continue;
        };
        let name = &item.parameter.name;
        let (doing, put) = if item.parameter.is_secret {
            let put = store.put_secret_if_absent(name, value, key_arn).await;
            (AccessOperation::KeepSecret, put)
        } else {
            let put = store.put_parameter_if_absent(name, value.expose_secret());
            (AccessOperation::KeepPlain, put.await)
        };
        match put.map_err(|source| AccessError::cloud(doing, name, source))? {
            PutResult::Stored => restored.push(item.parameter.short.clone()),
            PutResult::AlreadyThere => {}
        }
    }
    Ok(restored)
}
