//! Connects to the API of a cluster: its address from the edge stack, its authority and a short-lived
//! certificate from the store.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::cluster;
use super::error::{CommandError, Exit};
use super::guard::FoundPlace;
use crate::access::{self, AccessError, CertificateRequest, LifetimeLimits};
use crate::cloud::{Cloud, Identity, Store};
pub use crate::common::duration::parse as parse_duration;
use crate::kube::{ClientLogin, Connection, KubeError};
use crate::kubeconfig::server_url;
use crate::stacks::{API_HOST, StackKind};

/// Lifetime of the tool's own certificate in seconds: longer than any command takes.
const LIFETIME: u64 = 3600;

/// How the API is reached.
#[derive(clap::Args, Clone)]
pub struct ApiArgs {
    #[arg(
        long,
        value_name = "URL",
        value_parser = url,
        env = "KUBE_CFN_SERVER",
        help = "Address of the API through a tunnel, such as https://127.0.0.1:6443"
    )]
    server: Option<String>,
}

impl ApiArgs {
    /// The URL of the API behind `host`, and the name that its certificate has to have where that is
    /// the end of a tunnel: the API still shows its own.
    pub fn url(&self, host: &str) -> (String, Option<String>) {
        match &self.server {
            Some(tunnel) => (tunnel.clone(), Some(host.to_owned())),
            None => (server_url(host), None),
        }
    }

    /// The end of a tunnel, where one was given.
    pub fn server(&self) -> Option<&str> {
        self.server.as_deref()
    }

    /// Why the API did not do what it was asked: with its address where that is not the one of the stacks.
    pub fn explain(&self, error: &KubeError) -> String {
        match self.server {
            Some(_) => error.to_string(),
            None => error.brief(),
        }
    }

    /// The address for the kubeconfig of another user: never our end of a tunnel.
    pub fn address(connection: &Connection) -> String {
        match &connection.server_name {
            Some(host) => server_url(host),
            None => connection.server.clone(),
        }
    }
}

/// An address with nothing but a host and perhaps a port: kubectl would send or refuse anything else
/// later.
fn url(text: &str) -> Result<String, String> {
    let text = text.trim_end_matches('/');
    let expected = || "expected https://HOST:PORT".to_owned();
    let uri: http::Uri = text.parse().map_err(|_| expected())?;
    let authority = uri.authority().ok_or_else(expected)?.as_str();
    let port = authority.rsplit_once(':').map(|(_, port)| port);
    // The colons of an IPv6 address are inside its brackets.
    let port = port.filter(|port| !port.ends_with(']'));
    let whole = text == format!("https://{authority}")
        && uri.host().is_some_and(|host| !host.is_empty())
        && !authority.contains('@')
        && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    whole.then(|| text.to_owned()).ok_or_else(expected)
}

/// A cluster whose API is wanted.
pub struct ClusterRef<'a, C> {
    pub name: &'a str,
    pub cloud: &'a C,
    pub identity: &'a Identity,
    /// The longest lifetime in seconds that its definition allows.
    pub max_ttl: Option<u64>,
    /// The file that names its account and region, in words.
    pub confirmed_by: Option<&'static str>,
    /// Whether there is a definition of it.
    pub is_defined: bool,
}

/// A connection, and what it can't do.
pub struct ApiConnection {
    pub connection: Connection,
    /// Why it has no credential.
    pub no_credentials_reason: Option<String>,
}

impl<C: Cloud + Store> ClusterRef<'_, C> {
    /// The outputs of one of its stacks; `None` before there is one.
    pub async fn outputs(
        &self,
        kind: &StackKind,
    ) -> Result<Option<BTreeMap<String, String>>, CommandError> {
        let found = self.cloud.stacks(Some(self.name)).await?;
        let kind = kind.to_string();
        let stack = found.into_iter().find(|stack| stack.kind == kind);
        Ok(stack.map(|stack| stack.outputs))
    }

    /// Where its API answers, as the edge stack says; `None` before there is one.
    pub async fn host(&self) -> Result<Option<String>, CommandError> {
        let outputs = self.outputs(&StackKind::Edge).await?;
        Ok(outputs.and_then(|mut outputs| outputs.remove(API_HOST)))
    }

    /// The host, or the failure that says there is none where one looked.
    pub async fn require_host(&self) -> Result<String, CommandError> {
        let name = self.name;
        let found = self.cloud.stacks(Some(name)).await?;
        if found.is_empty() {
            let place = FoundPlace {
                identity: self.identity,
                confirmed_by: self.confirmed_by,
                is_defined: self.is_defined,
            };
            return Err(cluster::stacks_not_found(name, &place));
        }
        let edge = StackKind::Edge.to_string();
        let edge = found.into_iter().find(|stack| stack.kind == edge);
        let host = edge.and_then(|mut edge| edge.outputs.remove(API_HOST));
        host.ok_or_else(|| {
            let Identity {
                account, region, ..
            } = self.identity;
            CommandError::other(format!(
                "{name} has no API in account {account}, region {region}: its edge stack is missing or not complete"
            ))
            .help(if self.is_defined {
                format!("`kube-cfn status {name}` shows what there is of it")
            } else {
                format!("`kube-cfn status {name} --region {region}` shows what there is of it")
            })
        })
    }

    /// The connection without a credential: takes only the right to read the plain certificate.
    async fn without_credentials(
        &self,
        host: &str,
        args: &ApiArgs,
    ) -> Result<Connection, AccessError> {
        let authority_pem = access::authority_certificate(self.cloud, self.name).await;
        let authority_pem = authority_pem.map_err(|error| error.in_place(self.identity))?;
        let (server, server_name) = args.url(host);
        Ok(Connection {
            server,
            server_name,
            authority_pem,
            login: None,
        })
    }

    /// The connection as an administrator, where IAM lets the caller issue a certificate.
    pub async fn as_admin(&self, host: &str, args: &ApiArgs) -> Result<Connection, AccessError> {
        let plain = self.without_credentials(host, args).await?;
        let most = self.max_ttl.unwrap_or(LIFETIME);
        let limits = LifetimeLimits {
            ttl_seconds: LIFETIME.min(most),
            max_ttl_seconds: most,
        };
        let request = certificate_request(None, &[], None, &self.identity.caller);
        let now = Timestamp::now();
        let made = access::issue(self.cloud, self.name, &request, limits, now).await;
        let made = made.map_err(|error| error.in_place(self.identity))?;
        Ok(Connection {
            login: Some(ClientLogin {
                certificate_pem: made.certificate_pem,
                key: made.key,
            }),
            ..plain
        })
    }

    /// As an administrator, or without a credential where IAM says no.
    pub async fn connect(&self, host: &str, args: &ApiArgs) -> Result<ApiConnection, AccessError> {
        let (connection, no_credentials_reason) = match self.as_admin(host, args).await {
            Ok(connection) => (connection, None),
            Err(denied @ AccessError::Denied { .. }) => {
                let plain = self.without_credentials(host, args).await?;
                (plain, Some(denied.to_string()))
            }
            Err(other) => return Err(other),
        };
        Ok(ApiConnection {
            connection,
            no_credentials_reason,
        })
    }
}

/// A request for a certificate; without a user it is for the caller, without groups for an administrator.
pub fn certificate_request(
    user: Option<&str>,
    groups: &[String],
    ttl: Option<SignedDuration>,
    caller: &str,
) -> CertificateRequest {
    CertificateRequest {
        user: user.map_or_else(|| last_part(caller), str::to_owned),
        groups: match groups {
            [] => vec![access::ADMINS.to_owned()],
            groups => groups.to_vec(),
        },
        ttl_seconds: ttl.map(|ttl| ttl.as_secs().unsigned_abs()),
    }
}

/// The last part of an ARN: the session of an assumed role, the name of a user.
pub fn last_part(arn: &str) -> String {
    arn.rsplit(['/', ':']).next().unwrap_or(arn).to_owned()
}

/// Distinguishes clusters of one name.
pub fn origin(identity: &Identity) -> String {
    format!("{}/{}", identity.account, identity.region)
}

impl From<KubeError> for CommandError {
    fn from(error: KubeError) -> Self {
        let failure = Self::new(Exit::Other, &error);
        match error {
            KubeError::Unreachable { .. } => failure.help(
                "does the API allow your address (api.allowedCidrs, api.exposure)? for a tunnel, give \
                 its address with --server",
            ),
            KubeError::Untrusted { .. } => failure.help(
                "this is another cluster's address, or a proxy that intercepts TLS; nothing was sent",
            ),
            KubeError::Conflict(_) => {
                failure.help("another client wrote the same fields; look at them before you continue")
            }
            _ => failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_flag_takes_an_https_address_without_a_path() {
        for (given, kept) in [
            ("https://[::1]:6443/", "https://[::1]:6443"),
            ("https://[::1]", "https://[::1]"),
            ("https://127.0.0.1:6443", "https://127.0.0.1:6443"),
            ("https://localhost", "https://localhost"),
        ] {
            assert_eq!(url(given), Ok(kept.to_owned()));
        }
        for wrong in [
            "127.0.0.1:6443",
            "http://x",
            "https://",
            "https://:6443",
            "https://x/y",
            "https://x?y",
            "https://x#y",
            "https://x:0",
            "https://x:65536",
            "https://x:",
            "https://x:port",
            "https://me:secret@x:6443",
            "https://a b",
        ] {
            assert!(url(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn caller_name_is_the_last_part_of_the_arn() {
        assert_eq!(
            last_part("arn:aws:sts::111122223333:assumed-role/ops/jane"),
            "jane"
        );
        assert_eq!(last_part("arn:aws:iam::111122223333:user/ops/jane"), "jane");
        assert_eq!(last_part("arn:aws:iam::111122223333:root"), "root");
    }

    #[test]
    fn lifetime_is_positive() {
        assert_eq!(parse_duration("8h"), Ok(SignedDuration::from_hours(8)));
        assert!(parse_duration("0s").is_err());
        assert!(parse_duration("-1h").is_err());
        assert!(parse_duration("soon").is_err());
    }
}
