//! What kube-cfn puts into a kubeconfig for one cluster. Must not know what is there already.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

/// Port of the API behind its load balancer.
const API_PORT: u16 = 6443;
/// Name of the extension that says what kube-cfn wrote.
pub(super) const MARKER: &str = "kube-cfn";

/// kubeconfig's field for the name in the server's certificate.
pub(super) const SERVER_NAME: &str = "tls-server-name";

/// A cluster and how to get in.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Names the cluster, and user and context of the file's owner.
    pub cluster: String,
    /// Account and region, `123456789012/eu-west-1`: tells clusters of one name apart.
    pub origin: String,
    /// URL of the API server; see [`server_url`].
    pub server: String,
    /// The name that the server's certificate has to have, where `server` is the end of a tunnel
    /// that the user asked for; `None` for the server's own address.
    pub server_name: Option<String>,
    /// Certificates to trust, as PEM.
    pub authority_pem: String,
    /// Where kubectl works without `--namespace`; `None` leaves it to kubectl.
    pub namespace: Option<String>,
    /// The user of a certificate for somebody else: user and context get a name of their own, so that those of
    /// the file's owner stay. `None` for the owner.
    pub person: Option<String>,
    pub login: Login,
}

/// How the user shows who they are.
#[derive(Debug, Clone)]
pub enum Login {
    /// A client certificate in the file itself.
    Certificate {
        certificate_pem: String,
        key: SecretString,
    },
    /// A plugin that kubectl asks.
    Exec(Exec),
}

/// A credential plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exec {
    /// Found on PATH, or a whole path.
    pub command: String,
    pub args: Vec<String>,
    /// Variables on top of kubectl's own, for example `AWS_PROFILE`.
    pub env: Vec<(String, String)>,
}

/// The URL of the API server behind `host`.
pub fn server_url(host: &str) -> String {
    format!("https://{host}:{API_PORT}")
}

impl Entry {
    /// The name of user and context: the cluster's, or `CLUSTER-USER` for somebody else. What a shell or kubectl
    /// could read in another way is a dash.
    pub fn context(&self) -> String {
        let safe = |c: char| match c {
            c if c.is_ascii_alphanumeric() || "._@-".contains(c) => c,
            _ => '-',
        };
        match &self.person {
            None => self.cluster.clone(),
            Some(person) => {
                let person: String = person.chars().map(safe).collect();
                format!("{}-{person}", self.cluster)
            }
        }
    }

    /// The mark of the user and context of somebody else.
    pub(super) fn person_marker(&self, person: &str) -> Value {
        let written = json!({"origin": self.origin, "cluster": self.cluster, "user": person});
        json!({"name": MARKER, "extension": written})
    }

    /// What kube-cfn wrote, kept in the file beside it: a later run sees by it what the user changed.
    pub(super) fn marker(&self) -> Value {
        let mut written = json!({"origin": self.origin, "server": self.server});
        if let Some(name) = &self.server_name {
            written[SERVER_NAME] = json!(name);
        }
        json!({"name": MARKER, "extension": written})
    }

    pub(super) fn authority_data(&self) -> String {
        STANDARD.encode(&self.authority_pem)
    }
}

impl Login {
    /// The fields of the user entry.
    pub(super) fn fields(&self) -> Map<String, Value> {
        let mut fields = Map::new();
        match self {
            Self::Certificate {
                certificate_pem,
                key,
            } => {
                let certificate = STANDARD.encode(certificate_pem);
                let key = STANDARD.encode(key.expose_secret());
                fields.insert("client-certificate-data".to_owned(), certificate.into());
                fields.insert("client-key-data".to_owned(), key.into());
            }
            Self::Exec(exec) => {
                fields.insert("exec".to_owned(), exec.to_value());
            }
        }
        fields
    }
}

impl Exec {
    /// The call of `kube-cfn credential` that hands out a credential for `cluster`.
    /// `region` and `profile` stand in it, since kubectl runs it anywhere, without the definition.
    pub fn credential(
        cluster: &str,
        region: &str,
        profile: Option<&str>,
        user: &str,
        groups: &[String],
        ttl: Option<&str>,
    ) -> Self {
        let mut args = vec!["credential", cluster, "--region", region, "--user", user];
        for group in groups {
            args.extend(["--group", group]);
        }
        if let Some(ttl) = ttl {
            args.extend(["--ttl", ttl]);
        }
        let profile = profile.map(|name| ("AWS_PROFILE".to_owned(), name.to_owned()));
        Self {
            command: "kube-cfn".to_owned(),
            args: args.into_iter().map(str::to_owned).collect(),
            env: profile.into_iter().collect(),
        }
    }

    fn to_value(&self) -> Value {
        let env: Vec<_> = self
            .env
            .iter()
            .map(|(name, value)| json!({"name": name, "value": value}))
            .collect();
        json!({
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": self.command,
            "args": self.args,
            "env": env,
            "installHint": "This cluster is reached through kube-cfn, which is not on your PATH: \
                            install it, or put it there.",
            "interactiveMode": "Never",
            // The plugin sees by it whether its cached credential is of this very cluster.
            "provideClusterInfo": true,
        })
    }
}
