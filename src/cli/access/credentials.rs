//! The credentials of a grant, as text for a CI variable: a kubeconfig, or the certificates and the key.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};

use crate::access::{Grant, GrantResult};
use crate::cli::api_access::{ApiArgs, origin};
use crate::cli::cluster::Cluster;
use crate::cli::error::CommandError;
use crate::common::files::{self, Written};
use crate::kube::Connection;
use crate::kubeconfig::{self, Entry, Login};

/// The form in which they are printed.
#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
pub(super) enum CredentialFormat {
    /// A kubeconfig
    #[default]
    Kubeconfig,
    /// A kubeconfig, as one line of base64
    Base64Kubeconfig,
    /// A tar.gz of ca.crt, client.crt and client.key, as one line of base64
    Base64Archive,
}

/// What the CI gets.
pub(super) fn text(
    cluster: &Cluster,
    connection: &Connection,
    request: &Grant,
    granted: &GrantResult,
    format: CredentialFormat,
) -> Result<SecretString, CommandError> {
    let entry = Entry {
        cluster: cluster.name.clone(),
        origin: origin(&cluster.identity),
        server: ApiArgs::address(connection),
        server_name: None,
        authority_pem: connection.authority_pem.clone(),
        namespace: Some(request.namespace.clone()),
        person: None,
        login: Login::Certificate {
            certificate_pem: granted.certificate_pem.clone(),
            key: granted.key.clone(),
        },
    };
    let base64 = |bytes: &[u8]| SecretString::from(STANDARD.encode(bytes));
    Ok(match format {
        CredentialFormat::Kubeconfig => kubeconfig::render(&entry)?,
        CredentialFormat::Base64Kubeconfig => {
            base64(kubeconfig::render(&entry)?.expose_secret().as_bytes())
        }
        CredentialFormat::Base64Archive => {
            let files = [
                ("ca.crt", entry.authority_pem.as_str(), 0o644),
                ("client.crt", &granted.certificate_pem, 0o644),
                ("client.key", granted.key.expose_secret(), 0o600),
            ];
            let packed = archive(&files);
            let failed = |error| CommandError::other(format!("failed to pack the files: {error}"));
            base64(&packed.map_err(failed)?)
        }
    })
}

fn archive(files: &[(&str, &str, u32)]) -> std::io::Result<Vec<u8>> {
    let packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let mut tar = tar::Builder::new(packer);
    for (name, text, mode) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(*mode);
        tar.append_data(&mut header, name, text.as_bytes())?;
    }
    tar.into_inner()?.finish()
}

/// Written into a file whole or not at all, for the user alone from its first byte on; or into a stream.
pub(super) fn write(path: &Path, text: &SecretString) -> std::io::Result<Written> {
    let text = SecretString::from(format!("{}\n", text.expose_secret().trim_end()));
    files::output(path, text.expose_secret(), files::PRIVATE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archive_keeps_file_modes() {
        let files = [("ca.crt", "a", 0o644), ("client.key", "secret", 0o600)];
        let packed = archive(&files).unwrap();
        let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(packed.as_slice()));
        let read: Vec<_> = tar
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let name = entry.path().unwrap().display().to_string();
                (name, entry.header().mode().unwrap())
            })
            .collect();
        let wanted = [
            ("ca.crt".to_owned(), 0o644),
            ("client.key".to_owned(), 0o600),
        ];
        assert_eq!(read, wanted);
    }
}
