//! The certificate that an API server shows, read from a TLS handshake of our own. It is read
//! before it is verified: an expired one is the most important to see.

use std::sync::Arc;
use std::time::Duration;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use super::{Connection, KubeError};

/// The longest that connecting and the TLS handshake may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What a server showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerCert {
    /// Its own certificate in DER form.
    pub certificate: Vec<u8>,
    /// `None` where it proves the server to be the cluster's API; else why not.
    pub verification_error: Option<KubeError>,
}

/// Does a TLS handshake with the server of `connection`, without a credential and without a request.
pub async fn serving_certificate(connection: &Connection) -> Result<PeerCert, KubeError> {
    let server = connection.server.as_str();
    let setup = |why: String| KubeError::Setup(why);
    let address: http::Uri = server
        .parse()
        .map_err(|error| setup(format!("`{server}` is no address ({error})")))?;
    let host = address.host().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = address.port_u16().unwrap_or(443);
    let name = connection.server_name.as_deref().unwrap_or(host);
    let name = ServerName::try_from(name.to_owned())
        .map_err(|error| setup(format!("`{name}` can't be a server's name ({error})")))?;

    let provider = Arc::new(ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| setup(error.to_string()))?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    config
        .dangerous()
        .set_certificate_verifier(Arc::new(AcceptAnyVerifier(provider.clone())));

    let handshake = async {
        let stream = tokio::net::TcpStream::connect((host, port)).await?;
        TlsConnector::from(Arc::new(config))
            .connect(name.clone(), stream)
            .await
    };
    let silent = |cause: &str| KubeError::of_transport(server, cause);
    let stream = tokio::time::timeout(TIMEOUT, handshake).await;
    let stream = stream.map_err(|_| silent("timed out"))?;
    let stream = stream.map_err(|error| {
        let unknown = error.to_string().contains("lookup");
        silent(&if unknown {
            "dns error".to_owned()
        } else {
            error.to_string()
        })
    })?;
    let (_, session) = stream.get_ref();
    let chain = session.peer_certificates().unwrap_or_default();
    let Some((own, between)) = chain.split_first() else {
        return Err(silent("the server shows no certificate"));
    };
    let verifier = verifier(&connection.authority_pem, provider)?;
    let verdict = verifier.verify_server_cert(own, between, &name, &[], UnixTime::now());
    Ok(PeerCert {
        certificate: own.to_vec(),
        verification_error: verdict.err().map(|error| silent(&error.to_string())),
    })
}

fn verifier(
    authority_pem: &str,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, KubeError> {
    let mut roots = RootCertStore::empty();
    for der in certificates(authority_pem)? {
        let added = roots.add(CertificateDer::from(der));
        added.map_err(|error| KubeError::Setup(format!("the authority: {error}")))?;
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| KubeError::Setup(error.to_string()))
}

/// The certificates of a PEM text in DER form; at least one.
pub(super) fn certificates(pem: &str) -> Result<Vec<Vec<u8>>, KubeError> {
    let unreadable = |why: String| KubeError::Setup(format!("the authority's certificate: {why}"));
    let mut found = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        found.push(
            certificate
                .map_err(|error| unreadable(error.to_string()))?
                .to_vec(),
        );
    }
    if found.is_empty() {
        return Err(unreadable("there is no CERTIFICATE block".to_owned()));
    }
    Ok(found)
}

/// Does not verify: accepts any certificate, so that it can be examined. The handshake's signature still has
/// to be of its key. Nothing is sent over such a connection.
#[derive(Debug)]
struct AcceptAnyVerifier(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAnyVerifier {
    fn verify_server_cert(
        &self,
        _own: &CertificateDer<'_>,
        _between: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.0.signature_verification_algorithms;
        tokio_rustls::rustls::crypto::verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.0.signature_verification_algorithms;
        tokio_rustls::rustls::crypto::verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
