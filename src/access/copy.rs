//! The second copy of the authorities: one object in the state bucket, beside the etcd snapshots, which are
//! unreadable without it. The bucket encrypts it under the cluster's key and keeps every version; no machine
//! may write or delete it.
//!
//! It is only written whole, from what is stored, and a copy that differs is never replaced without a
//! question.

use std::collections::BTreeMap;

use futures::future::try_join_all;
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use super::AccessError;
use super::error::AccessOperation;
use super::names::{AuthorityParameter, ParameterNames};
use crate::cloud::Store;
use crate::cloud::remote::Remote;
use crate::pki::{Authority, CertificateAuthority, PkiError, ServiceAccountKey};

/// Its key. The policy of the state bucket names the prefix.
pub const COPY_KEY: &str = "authorities/parameters.json";
const SCHEMA: u32 = 1;

/// Values of parameters by their names below the cluster's path.
pub struct StoredValues(BTreeMap<String, SecretString>);

/// As it lies in the bucket.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    schema: u32,
    cluster: String,
    parameters: BTreeMap<String, String>,
}

/// What [`keep_copy`] found or did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeptCopy {
    /// There was one; its content was not read.
    Found,
    Written,
    /// None was written, because these parameters are missing.
    Incomplete(Vec<String>),
    /// None was written, because these plain parameters are not of the secrets beside them.
    Mismatched(Vec<String>),
}

impl StoredValues {
    /// The value of a parameter, if it was there.
    pub fn get(&self, parameter: &AuthorityParameter) -> Option<&SecretString> {
        self.0.get(&parameter.short)
    }

    /// These values, and for parameters without one those of `older`.
    #[must_use]
    pub fn or(&self, older: Option<&Self>) -> Self {
        let mut all = older.map(|older| older.0.clone()).unwrap_or_default();
        all.extend(self.0.clone());
        Self(all)
    }

    /// Those of `parameters` that have no value here.
    pub fn without<'a>(&self, parameters: &'a [AuthorityParameter]) -> Vec<&'a AuthorityParameter> {
        let absent = |one: &&AuthorityParameter| self.get(one).is_none();
        parameters.iter().filter(absent).collect()
    }

    /// The plain ones of `parameters` that are not of the secrets beside them, where both are here.
    pub fn mismatched<'a>(
        &self,
        names: &ParameterNames,
        parameters: &'a [AuthorityParameter],
    ) -> Vec<&'a AuthorityParameter> {
        let differs =
            |one: &&AuthorityParameter| match (plain_half(names, one, self), self.get(one)) {
                (Ok(Some(wanted)), Some(here)) => !is_same(&wanted, here),
                (Err(_), _) => true,
                (Ok(None), _) | (Ok(Some(_)), None) => false,
            };
        parameters.iter().filter(differs).collect()
    }

    /// Those of `parameters` that both have, with different values.
    pub fn differing<'a>(
        &self,
        other: &Self,
        parameters: &'a [AuthorityParameter],
    ) -> Vec<&'a AuthorityParameter> {
        let differs = |one: &&AuthorityParameter| match (self.get(one), other.get(one)) {
            (Some(here), Some(there)) => !is_same(here, there),
            _ => false,
        };
        parameters.iter().filter(differs).collect()
    }
}

/// Blanks at the end don't count: shells and editors add them.
pub(super) fn is_same(one: &SecretString, other: &SecretString) -> bool {
    one.expose_secret().trim_end() == other.expose_secret().trim_end()
}

/// What a plain parameter has to hold, by the secret that it belongs to; `None` for a secret, and where that secret is
/// not among the values.
///
/// # Errors
/// A secret that is damaged.
pub(super) fn plain_half(
    names: &ParameterNames,
    parameter: &AuthorityParameter,
    values: &StoredValues,
) -> Result<Option<SecretString>, PkiError> {
    let all = names.all();
    let value = |name: &str| values.get(all.iter().find(|one| one.name == name)?);
    if parameter.name == names.service_account_public() {
        let Some(key) = value(&names.service_account_key()) else {
            return Ok(None);
        };
        return Ok(Some(ServiceAccountKey::from_pem(key)?.public_pem().into()));
    }
    let of_role = |role: &Authority| names.certificate(*role) == parameter.name;
    let Some(role) = Authority::ALL.into_iter().find(of_role) else {
        return Ok(None);
    };
    let Some(bundle) = value(&names.secret(role)) else {
        return Ok(None);
    };
    let authority = CertificateAuthority::from_bundle(role, bundle)?;
    Ok(Some(authority.certificate_pem().into()))
}

/// The values of those `parameters` that are there.
///
/// # Errors
/// `Denied` for a caller who may not read the secrets.
pub async fn read_parameters(
    store: &impl Store,
    parameters: &[AuthorityParameter],
) -> Result<StoredValues, AccessError> {
    let read = parameters.iter().map(async |parameter| {
        let name = &parameter.name;
        let value = if parameter.is_secret {
            let value = store.secret(name).await;
            value.map_err(|source| AccessError::cloud(AccessOperation::ReadSecret, name, source))?
        } else {
            let value = store.parameter(name).await;
            let value = value
                .map_err(|source| AccessError::cloud(AccessOperation::ReadPlain, name, source))?;
            value.map(SecretString::from)
        };
        Ok(value.map(|value| (parameter.short.clone(), value)))
    });
    let values = try_join_all(read).await?;
    Ok(StoredValues(values.into_iter().flatten().collect()))
}

/// The copy; `None` when there is none.
///
/// # Errors
/// `Denied` for a caller who may not read it, `Copy` for one that is damaged or of another cluster.
pub async fn read_copy(
    store: &(impl Store + Remote),
    bucket: &str,
    cluster: &str,
) -> Result<Option<StoredValues>, AccessError> {
    if written(store, bucket).await?.is_none() {
        return Ok(None);
    }
    let read = store.object(bucket, COPY_KEY).await;
    let read = read.map_err(|source| failed(AccessOperation::ReadCopy, bucket, source))?;
    let unusable = |why: String| AccessError::Copy {
        bucket: bucket.to_owned(),
        key: COPY_KEY,
        why,
    };
    let Some(bytes) = read else {
        return Ok(None);
    };
    // The error's own text quotes the document.
    let document: Document = serde_json::from_slice(&bytes).map_err(|error| {
        unusable(format!(
            "it is not what kube-cfn wrote (line {}, column {})",
            error.line(),
            error.column()
        ))
    })?;
    if document.schema != SCHEMA {
        return Err(unusable(format!(
            "its format is {}, this version of kube-cfn reads {SCHEMA}",
            document.schema
        )));
    }
    if document.cluster != cluster {
        return Err(unusable(format!("it is of cluster {}", document.cluster)));
    }
    let values = document.parameters.into_iter();
    Ok(Some(StoredValues(
        values.map(|(name, value)| (name, value.into())).collect(),
    )))
}

/// Writes the copy unless there is one. Takes the right to read the secrets only where there is none.
pub async fn keep_copy(
    store: &(impl Store + Remote),
    bucket: &str,
    cluster: &str,
) -> Result<KeptCopy, AccessError> {
    if written(store, bucket).await?.is_some() {
        return Ok(KeptCopy::Found);
    }
    let values = read_parameters(store, &ParameterNames::of(cluster)?.all()).await?;
    replace_copy(store, bucket, cluster, &values).await
}

/// Writes the copy in place of what is there, whose version stays in the bucket. Not while a parameter is
/// missing: the copy may be the only one that has it.
pub async fn replace_copy(
    store: &impl Store,
    bucket: &str,
    cluster: &str,
    values: &StoredValues,
) -> Result<KeptCopy, AccessError> {
    let all = ParameterNames::of(cluster)?.all();
    let missing = values.without(&all);
    if !missing.is_empty() {
        let names = missing.into_iter().map(|one| one.short.clone());
        return Ok(KeptCopy::Incomplete(names.collect()));
    }
    let other = values.mismatched(&ParameterNames::of(cluster)?, &all);
    let other: Vec<_> = other.into_iter().map(|one| one.short.clone()).collect();
    if !other.is_empty() {
        return Ok(KeptCopy::Mismatched(other));
    }
    let plain = values.0.iter();
    let document = Document {
        schema: SCHEMA,
        cluster: cluster.to_owned(),
        parameters: plain
            .map(|(name, value)| (name.clone(), value.expose_secret().to_owned()))
            .collect(),
    };
    let text = serde_json::to_string_pretty(&document).map(SecretString::from);
    let text = text.map_err(|_| AccessError::Copy {
        bucket: bucket.to_owned(),
        key: COPY_KEY,
        why: "it can't be written as JSON".to_owned(),
    })?;
    let put = store
        .upload(bucket, COPY_KEY, text.expose_secret().as_bytes())
        .await;
    put.map_err(|source| failed(AccessOperation::KeepCopy, bucket, source))?;
    Ok(KeptCopy::Written)
}

/// When the copy was written; `None` when there is none. By the list of the bucket: a caller who may not read it gets
/// no other answer for one that is missing.
pub async fn written(store: &impl Remote, bucket: &str) -> Result<Option<Timestamp>, AccessError> {
    let listed = store.objects(bucket, COPY_KEY).await;
    let listed = listed.map_err(|source| failed(AccessOperation::ReadCopy, bucket, source))?;
    let copy = listed.iter().find(|object| object.key == COPY_KEY);
    Ok(copy.map(|copy| copy.written))
}

fn failed(doing: AccessOperation, bucket: &str, source: crate::cloud::CloudError) -> AccessError {
    AccessError::cloud(doing, &format!("s3://{bucket}/{COPY_KEY}"), source)
}
