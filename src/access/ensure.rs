//! The authorities of a cluster: made once, kept under the cluster's key, the same for every run.
//!
//! Several parameters can't be written as one, so each authority has exactly one parameter that
//! decides: its secret, which holds key and certificate together and is never overwritten. The run
//! that stores it first decides; all others read it. Everything else (the plain certificates,
//! `sa.pub`) is computed from the secret as stored, never from what a run made in memory, and is
//! added by whichever run finds it missing. So no order of two runs and no crash between two writes
//! can leave a certificate beside another run's key.

use std::time::Duration;

use futures::future::{try_join, try_join_all, try_join3};
use jiff::Timestamp;
use secrecy::SecretString;

use super::error::AccessOperation;
use super::inventory::{ClusterLife, ClusterStacks, Inventory, inventory};
use super::{AccessError, ParameterNames};
use crate::cloud::remote::Remote;
use crate::cloud::{PutResult, Store};
use crate::common::Clock;
use crate::common::retry::{Backoff, Try, retry};
use crate::pki::{
    Authority, CertificateAuthority, CertificateInfo, PkiError, ServiceAccountKey,
    encryption_configuration,
};
use crate::stacks::KEY_ARN;

/// Reads of a parameter that is known to exist: reads may lag writes.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(200), 5);

/// What is in the store after [`ensure_authorities`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnsuredAuthorities {
    /// Names of the secrets that this run made. Empty when all were there.
    pub made: Vec<String>,
    /// The Kubernetes authority's certificate, or bundle, as PEM.
    pub certificate_pem: String,
    /// What the certificates of all three authorities say, the cluster's own first.
    pub facts: Vec<(Authority, CertificateInfo)>,
    /// The public key of the service accounts as PEM.
    pub service_accounts: String,
}

impl EnsuredAuthorities {
    /// Whether this run made any of them.
    pub fn created(&self) -> bool {
        !self.made.is_empty()
    }
}

/// Makes the authorities of a cluster under its key, with their plain copies beside them. Uses what is there; two runs
/// at once return the same. Makes nothing for a cluster that has lived: see [`inventory`].
///
/// A caller who may not read the secrets (`access.issuers` names others) can still apply once the plain
/// copies exist: they are only made from stored secrets.
pub async fn ensure_authorities(
    store: &(impl Store + Remote),
    stacks: ClusterStacks<'_>,
    now: Timestamp,
) -> Result<EnsuredAuthorities, AccessError> {
    let names = ParameterNames::of(stacks.cluster)?;
    let key_arn = stacks.key.ok_or(AccessError::NoOutput(KEY_ARN))?;
    let listed = inventory(store, stacks).await?;
    if let Some(refused) = listed.refusal() {
        return Err(AccessError::Refused(refused));
    }
    match load_or_create(store, &names, &listed, key_arn, now).await {
        Err(
            denied @ AccessError::Denied {
                doing: AccessOperation::ReadSecret,
                ..
            },
        ) => published(store, &names).await?.ok_or(denied),
        other => other,
    }
}

/// What the plain copies say; `None` while one of them is missing.
async fn published(
    store: &impl Store,
    names: &ParameterNames,
) -> Result<Option<EnsuredAuthorities>, AccessError> {
    let mut ensured = EnsuredAuthorities::nothing();
    for role in Authority::ALL {
        let name = names.certificate(role);
        let Some(certificate) = read_plain(store, &name).await? else {
            return Ok(None);
        };
        let facts = CertificateInfo::of_pem("a kept authority", &certificate);
        ensured
            .facts
            .push((role, facts.map_err(|source| stored(&name, source))?));
        if role == Authority::Kubernetes {
            ensured.certificate_pem = certificate;
        }
    }
    let Some(public) = read_plain(store, &names.service_account_public()).await? else {
        return Ok(None);
    };
    ensured.service_accounts = public;
    Ok(Some(ensured))
}

/// The secrets go side by side, then the plain copies: the encryption configuration has none, so that
/// plain copies may only say that everything is there once every secret is.
async fn load_or_create(
    store: &(impl Store + Clock),
    names: &ParameterNames,
    listed: &Inventory,
    key_arn: &str,
    now: Timestamp,
) -> Result<EnsuredAuthorities, AccessError> {
    let encryption = names.encryption();
    let service_accounts = names.service_account_key();
    let authorities =
        Authority::ALL.map(|role| authority(store, listed, names, key_arn, role, now));
    let ((_, configured), authorities, (service_account, signed)) = try_join3(
        load_or_put(
            store,
            listed,
            &encryption,
            key_arn,
            encryption_configuration,
        ),
        try_join_all(authorities),
        load_or_put(store, listed, &service_accounts, key_arn, || {
            Ok(ServiceAccountKey::generate()?.private_pem().clone())
        }),
    )
    .await?;
    let key = ServiceAccountKey::from_pem(&service_account)
        .map_err(|source| stored(&service_accounts, source))?;
    let copies = authorities.iter().map(|(role, authority, _)| {
        let (copy, secret) = (names.certificate(*role), names.secret(*role));
        async move { publish(store, listed, &copy, authority.certificate_pem(), &secret).await }
    });
    let public = names.service_account_public();
    try_join(
        try_join_all(copies),
        publish(store, listed, &public, key.public_pem(), &service_accounts),
    )
    .await?;
    let mut ensured = EnsuredAuthorities::nothing();
    ensured.note(encryption, configured);
    for (role, authority, origin) in authorities {
        if role == Authority::Kubernetes {
            let certificate = authority.certificate_pem();
            certificate.clone_into(&mut ensured.certificate_pem);
        }
        ensured.facts.push((role, authority.facts().clone()));
        ensured.note(names.secret(role), origin);
    }
    key.public_pem().clone_into(&mut ensured.service_accounts);
    ensured.note(service_accounts, signed);
    Ok(ensured)
}

/// One authority as it is stored, made if there is none.
async fn authority(
    store: &(impl Store + Clock),
    listed: &Inventory,
    names: &ParameterNames,
    key_arn: &str,
    role: Authority,
    now: Timestamp,
) -> Result<(Authority, CertificateAuthority, SecretOrigin), AccessError> {
    let name = names.secret(role);
    let make = || Ok(CertificateAuthority::generate(role, &listed.cluster, now)?.to_bundle());
    let (secret, origin) = load_or_put(store, listed, &name, key_arn, make).await?;
    let authority =
        CertificateAuthority::from_bundle(role, &secret).map_err(|source| stored(&name, source))?;
    Ok((role, authority, origin))
}

impl EnsuredAuthorities {
    fn nothing() -> Self {
        Self {
            made: Vec::new(),
            certificate_pem: String::new(),
            facts: Vec::new(),
            service_accounts: String::new(),
        }
    }

    fn note(&mut self, name: String, origin: SecretOrigin) {
        if origin == SecretOrigin::ThisRun {
            self.made.push(name);
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum SecretOrigin {
    ThisRun,
    Found,
}

/// The secret as it is stored, made and offered first if there is none.
async fn load_or_put(
    store: &(impl Store + Clock),
    listed: &Inventory,
    name: &str,
    key_arn: &str,
    make: impl FnOnce() -> Result<SecretString, PkiError>,
) -> Result<(SecretString, SecretOrigin), AccessError> {
    if let Some(secret) = read(store, name).await? {
        return Ok((secret, SecretOrigin::Found));
    }
    // The list showed it a moment ago.
    if listed.life == ClusterLife::Lived {
        return Err(AccessError::Refused(listed.lost_since(name)));
    }
    let offer = make().map_err(AccessError::Issue)?;
    let kept = store
        .put_secret_if_absent(name, &offer, key_arn)
        .await
        .map_err(|source| AccessError::cloud(AccessOperation::KeepSecret, name, source))?;
    match kept {
        PutResult::Stored => Ok((offer, SecretOrigin::ThisRun)),
        // Another run was faster: its secret counts.
        PutResult::AlreadyThere => Ok((
            read_with_retry(store, name, || read(store, name)).await?,
            SecretOrigin::Found,
        )),
    }
}

/// Puts the plain copy beside its secret if it is missing, and refuses one that differs.
async fn publish(
    store: &(impl Store + Clock),
    listed: &Inventory,
    name: &str,
    value: &str,
    secret: &str,
) -> Result<(), AccessError> {
    let found = match read_plain(store, name).await? {
        Some(found) => found,
        None => match store.put_parameter_if_absent(name, value).await {
            Ok(PutResult::Stored) => return Ok(()),
            Ok(PutResult::AlreadyThere) => {
                read_with_retry(store, name, || read_plain(store, name)).await?
            }
            Err(source) => {
                return Err(AccessError::cloud(AccessOperation::KeepPlain, name, source));
            }
        },
    };
    if found.trim_end() == value.trim_end() {
        return Ok(());
    }
    Err(AccessError::Foreign {
        name: name.to_owned(),
        secret: secret.to_owned(),
        next: listed.on_mismatch(name),
    })
}

async fn read(store: &impl Store, name: &str) -> Result<Option<SecretString>, AccessError> {
    store
        .secret(name)
        .await
        .map_err(|source| AccessError::cloud(AccessOperation::ReadSecret, name, source))
}

async fn read_plain(store: &impl Store, name: &str) -> Result<Option<String>, AccessError> {
    store
        .parameter(name)
        .await
        .map_err(|source| AccessError::cloud(AccessOperation::ReadPlain, name, source))
}

/// Reads a parameter that is known to exist, until a read finds it.
async fn read_with_retry<T>(
    clock: &impl Clock,
    name: &str,
    read: impl AsyncFn() -> Result<Option<T>, AccessError>,
) -> Result<T, AccessError> {
    let find = async || Try::pending(read().await, Option::is_none);
    let found = retry(clock, BACKOFF, find).await?;
    found.ok_or_else(|| AccessError::Vanished(name.to_owned()))
}

fn stored(name: &str, source: PkiError) -> AccessError {
    AccessError::Stored {
        name: name.to_owned(),
        source,
    }
}
