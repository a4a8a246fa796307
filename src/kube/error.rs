//! Why a cluster's API did not do what it was asked, in words that fit after "failed to …: ".

use std::error::Error;

/// Why the API could not be reached, or what it said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KubeError {
    /// The address, authority or credential can't be used at all.
    #[error("what is needed to reach the API can't be used: {0}")]
    Setup(String),
    /// No answer: name unknown, connection refused, no answer in time.
    #[error("{server} can't be reached: {why}")]
    Unreachable { server: String, why: String },
    /// A server that is not the cluster answers, or whose certificate is out of its time.
    #[error("{server} does not prove to be the cluster's API: {why}")]
    Untrusted { server: String, why: String },
    /// 401: the credential is refused.
    #[error("the API does not accept the credential: {0}")]
    Unauthorized(String),
    /// 403, with user, verb and resource in the text.
    #[error("the API refuses: {0}")]
    Forbidden(String),
    /// 404.
    #[error("not found: {0}")]
    NotFound(String),
    /// 409: another client owns what would be written.
    #[error("conflict: {0}")]
    Conflict(String),
    /// Any other answer.
    #[error("the API answered {code}: {says}")]
    Api { code: u16, says: String },
    /// An answer that is not what the API promises.
    #[error("the API's answer can't be read: {0}")]
    Answer(String),
    /// A certificate request that came to no certificate.
    #[error("no certificate was signed: {0}")]
    NotSigned(String),
}

impl KubeError {
    /// Of the client, on its way to `server`.
    pub(super) fn of(server: &str, error: ::kube::Error) -> Self {
        match error {
            ::kube::Error::Api(status) => Self::of_status(status.code, &status.message),
            ::kube::Error::SerdeError(error) => Self::Answer(error.to_string()),
            ::kube::Error::FromUtf8(error) => Self::Answer(error.to_string()),
            ::kube::Error::BuildRequest(error) => Self::Setup(error.to_string()),
            ::kube::Error::RustlsTls(error) => Self::Setup(chain(&error)),
            other => Self::of_transport(server, &chain(&other)),
        }
    }

    pub(super) fn of_status(code: u16, message: &str) -> Self {
        let says = match message.trim() {
            "" => "nothing more".to_owned(),
            text => text.to_owned(),
        };
        match code {
            401 => Self::Unauthorized(says),
            403 => Self::Forbidden(says),
            404 => Self::NotFound(says),
            409 => Self::Conflict(says),
            _ => Self::Api { code, says },
        }
    }

    /// Of what went wrong below HTTP, from the outermost to the innermost cause.
    pub(super) fn of_transport(server: &str, chain: &str) -> Self {
        let server = server.to_owned();
        if let Some((_, why)) = chain.split_once("invalid peer certificate: ") {
            let why = certificate(why);
            return Self::Untrusted { server, why };
        }
        if let Some((_, why)) = chain.split_once("received fatal alert: ") {
            return Self::Unauthorized(format!("TLS alert {why}"));
        }
        let why = transport(chain);
        Self::Unreachable { server, why }
    }

    /// Whether the same request may succeed a moment later: no answer, an overloaded or failing server, an object that
    /// somebody else has just written.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Conflict(_) => true,
            Self::Api { code, .. } => *code == 429 || *code >= 500,
            Self::Setup(_)
            | Self::Untrusted { .. }
            | Self::Unauthorized(_)
            | Self::Forbidden(_)
            | Self::NotFound(_)
            | Self::Answer(_)
            | Self::NotSigned(_) => false,
        }
    }

    /// Without the address, where the address is already shown.
    pub fn brief(&self) -> String {
        match self {
            Self::Unreachable { why, .. } => format!("can't be reached: {why}"),
            Self::Untrusted { why, .. } => format!("does not prove to be the cluster's API: {why}"),
            other => other.to_string(),
        }
    }
}

/// What rustls says of a certificate, for people.
fn certificate(why: &str) -> String {
    let plain = match why {
        "UnknownIssuer" | "BadSignature" => "its certificate is not signed by our authority",
        why if why.starts_with("certificate not valid for name") => {
            "its certificate is for another name"
        }
        why if why.contains("expired") || why.starts_with("Expired") => {
            "its certificate has expired"
        }
        why => why,
    };
    plain.to_owned()
}

/// What the sockets say, for people.
fn transport(chain: &str) -> String {
    let known = [
        ("dns error", "its name is unknown (DNS)"),
        ("Connection refused", "nothing listens there"),
        ("Connection reset", "it hung up"),
        ("unexpected EOF", "it hung up"),
        ("deadline has elapsed", "no answer in time"),
        ("timed out", "no answer in time"),
        ("Network is unreachable", "there is no network to it"),
        ("No route to host", "there is no route to it"),
    ];
    let plain = known.iter().find(|(word, _)| chain.contains(word));
    plain.map_or_else(|| chain.to_owned(), |(_, plain)| (*plain).to_owned())
}

/// An error with its causes, `: ` between them, each said once.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut chain = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !chain.contains(&text) {
            chain = format!("{chain}: {text}");
        }
        cause = error.source();
    }
    chain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_certificate_differs_from_no_answer() {
        let of = |chain: &str| KubeError::of_transport("https://api:6443", chain);
        assert_eq!(
            of("ServiceError: client error (Connect): invalid peer certificate: UnknownIssuer")
                .to_string(),
            "https://api:6443 does not prove to be the cluster's API: its certificate is not signed \
             by our authority"
        );
        assert_eq!(
            of("client error (Connect): dns error: failed to lookup address").to_string(),
            "https://api:6443 can't be reached: its name is unknown (DNS)"
        );
        assert_eq!(
            of("tcp connect error: Connection refused (os error 111)").to_string(),
            "https://api:6443 can't be reached: nothing listens there"
        );
    }

    #[test]
    fn api_error_message_is_passed_on() {
        let text = "nodes is forbidden: User \"ci\" cannot list resource \"nodes\"";
        assert_eq!(
            KubeError::of_status(403, text).to_string(),
            format!("the API refuses: {text}")
        );
        assert_eq!(
            KubeError::of_status(500, " ").to_string(),
            "the API answered 500: nothing more"
        );
    }
}
