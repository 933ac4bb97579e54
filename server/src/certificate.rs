//! The certificate that a drive shows on its TLS port.
//!
//! Guarantees: a drive's own certificate is made from fresh randomness, on the curve P-256, which
//! costs a millisecond and which every TLS 1.2 client that we tried accepts; the private key is
//! never printed. Whoever needs RSA brings a certificate in files.
//! Not here: where it is kept, and the connections (`net`).

use std::fmt;
use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use thiserror::Error;
use tokio_rustls::rustls::pki_types::pem::{Error as PemError, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// A chain of certificates, the drive's own first, and its private key.
pub struct Certificate {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

/// Why there is no certificate.
#[derive(Debug, Error)]
pub enum CertificateError {
    /// The library refused.
    #[error("the drive's certificate cannot be made: {0}")]
    Make(#[from] rcgen::Error),
    /// A file cannot be used.
    #[error("{}: {source}; it must hold {what} in PEM form", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// What is wrong.
        source: PemError,
    },
    /// A key that only its passphrase opens.
    #[error(
        "{path}: the private key is encrypted, and a drive asks for no passphrase; `openssl pkey \
         -in {path} -out FILE` writes it without",
        path = .0.display()
    )]
    Encrypted(PathBuf),
}

impl Certificate {
    /// A new one, signed by itself, for a drive of this name that is reached by these names and
    /// addresses.
    pub fn of_drive(name: &str, reached_by: Vec<String>) -> Result<Self, CertificateError> {
        let key = KeyPair::generate()?;
        let mut parameters = CertificateParams::new(reached_by)?;
        parameters.distinguished_name = DistinguishedName::new();
        parameters.distinguished_name.push(DnType::CommonName, name);
        let certificate = parameters.self_signed(&key)?;
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        Ok(Self {
            chain: vec![certificate.der().clone()],
            key: key.into(),
        })
    }

    /// One that somebody else made, from two PEM files.
    pub fn of_files(certificate: &Path, key: &Path) -> Result<Self, CertificateError> {
        let failed = |path: &Path, what| {
            let path = path.to_path_buf();
            move |source| CertificateError::File { path, what, source }
        };
        let what = "a certificate, and those that it rests on";
        let chain = CertificateDer::pem_file_iter(certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .and_then(|chain| match chain.is_empty() {
                true => Err(PemError::NoItemsFound),
                false => Ok(chain),
            })
            .map_err(failed(certificate, what))?;
        let read = PrivateKeyDer::from_pem_file(key);
        if read.is_err() && is_encrypted(key) {
            return Err(CertificateError::Encrypted(key.to_path_buf()));
        }
        let key = read.map_err(failed(key, "one private key"))?;
        Ok(Self { chain, key })
    }

    /// One that was kept: certificate and PKCS #8 key in DER form, as
    /// [`to_kept`](Self::to_kept) gave them.
    #[must_use]
    pub fn of_kept(certificate: Vec<u8>, key: Vec<u8>) -> Self {
        Self {
            chain: vec![certificate.into()],
            key: PrivatePkcs8KeyDer::from(key).into(),
        }
    }

    /// The drive's own certificate and its key in DER form, to be kept.
    #[must_use]
    pub fn to_kept(&self) -> (Vec<u8>, Vec<u8>) {
        let own = self.chain.first().map(|own| own.to_vec());
        (own.unwrap_or_default(), self.key.secret_der().to_vec())
    }

    /// SHA-256 of the drive's own certificate, by which a client can know it.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let own = self.chain.first().map(|own| own.as_ref());
        let digest = ring::digest::digest(&ring::digest::SHA256, own.unwrap_or_default());
        Fingerprint(digest.as_ref().to_vec())
    }

    pub(crate) fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    pub(crate) fn key(&self) -> &PrivateKeyDer<'static> {
        &self.key
    }
}

/// Whether a PEM file says so of what it holds, in either of the two ways that there are.
fn is_encrypted(path: &Path) -> bool {
    let text = std::fs::read(path).unwrap_or_default();
    let says = |words: &[u8]| text.windows(words.len()).any(|window| window == words);
    says(b"BEGIN ENCRYPTED PRIVATE KEY") || says(b"Proc-Type: 4,ENCRYPTED")
}

impl fmt::Debug for Certificate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fingerprint = self.fingerprint().to_string();
        out.debug_struct("Certificate")
            .field("fingerprint", &fingerprint)
            .finish_non_exhaustive()
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.chain == other.chain
    }
}

impl Eq for Certificate {}

/// What a certificate is known by; shown as hexadecimal digits in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint(Vec<u8>);

impl fmt::Display for Fingerprint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_drive_has_its_own_and_keeps_it() {
        let make = || Certificate::of_drive("drive", vec!["localhost".to_owned()]).unwrap();
        let (one, two) = (make(), make());
        assert_ne!(one.fingerprint(), two.fingerprint());
        let (certificate, key) = one.to_kept();
        let again = Certificate::of_kept(certificate, key);
        assert_eq!(again.fingerprint(), one.fingerprint());
        assert_eq!(one.fingerprint().to_string().len(), 64);
    }

    #[test]
    fn nothing_prints_the_private_key() {
        let certificate = Certificate::of_drive("drive", Vec::new()).unwrap();
        let text = format!("{certificate:?}");
        assert!(text.len() < 150 && text.contains("fingerprint"), "{text}");
    }

    #[test]
    fn files_that_are_none_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("drive.pem");
        let missing = Certificate::of_files(&path, &path).unwrap_err().to_string();
        assert!(missing.contains("drive.pem"), "{missing}");
        std::fs::write(&path, "no certificate").unwrap();
        let empty = Certificate::of_files(&path, &path).unwrap_err().to_string();
        assert!(empty.contains("PEM"), "{empty}");
    }

    #[test]
    fn a_key_that_is_encrypted_is_told_as_such() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let own = Certificate::of_drive("drive", Vec::new()).unwrap();
        let body =
            base64::Engine::encode(&base64::engine::general_purpose::STANDARD, own.to_kept().0);
        let chain = format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n");
        std::fs::write(path("cert.pem"), chain).unwrap();
        for text in [
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n\
             -----END RSA PRIVATE KEY-----\n",
        ] {
            std::fs::write(path("key.pem"), text).unwrap();
            let found = Certificate::of_files(&path("cert.pem"), &path("key.pem"));
            let text = found.unwrap_err().to_string();
            assert!(
                text.contains("passphrase") && text.contains("openssl pkey"),
                "{text}"
            );
        }
    }
}
