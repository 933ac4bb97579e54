//! Whom a client takes for its drive: certificates by authority, by fingerprint, or any.
//!
//! Guarantees: what was not asked for is not trusted; no authorities of the host are used. Not
//! here: the handshake (`net::tls`).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;

/// Bytes of a fingerprint.
pub const FINGERPRINT_SIZE: usize = 32;

/// Whether a connection is under TLS, and which certificates it accepts then.
#[derive(Debug, Clone, Default)]
pub enum Trust {
    /// TCP without TLS: everybody on the way can read values and change them.
    #[default]
    Plain,
    /// TLS with a certificate that one of these authorities vouches for, issued for the name or
    /// address that was connected to. A drive's own certificate can be its own authority.
    Authorities(Authorities),
    /// TLS with a certificate that has one of these fingerprints, whatever it says.
    Fingerprints(Vec<Fingerprint>),
    /// TLS with any certificate: whoever sits in between can read and change everything.
    Anybody,
}

/// The SHA-256 fingerprint of a certificate.
///
/// ```
/// use kinetic_client::Fingerprint;
///
/// let text = "AA:".repeat(31) + "aa";
/// let fingerprint: Fingerprint = text.parse()?;
/// assert_eq!(fingerprint.to_string(), "aa".repeat(32));
/// assert!("aa:bb".parse::<Fingerprint>().is_err());
/// # Ok::<(), kinetic_client::FingerprintError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u8; FINGERPRINT_SIZE]);

/// Why a text is no fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no SHA-256 fingerprint, which has {count} hexadecimal digits, with colons if you \
     like",
    count = 2 * FINGERPRINT_SIZE
)]
pub struct FingerprintError(String);

/// Authorities that vouch for certificates.
#[derive(Debug, Clone)]
pub struct Authorities {
    pub(crate) roots: Arc<RootCertStore>,
}

/// Why there are no authorities.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthoritiesError {
    /// The text holds no certificate.
    #[error("there is no certificate in it; a PEM file has one behind BEGIN CERTIFICATE")]
    Empty,
    /// A part of the text is no PEM.
    #[error("it is no PEM file: {0}")]
    Pem(String),
    /// A certificate that cannot be read.
    #[error("certificate {number} in it cannot be used: {reason}")]
    Certificate {
        /// Which one, from 1.
        number: usize,
        /// What is wrong with it.
        reason: String,
    },
}

impl Fingerprint {
    /// The fingerprint of a certificate in DER.
    pub fn of(certificate: &[u8]) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, certificate);
        let mut bytes = [0; FINGERPRINT_SIZE];
        for (byte, digested) in bytes.iter_mut().zip(digest.as_ref()) {
            *byte = *digested;
        }
        Self(bytes)
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    fn from_str(text: &str) -> Result<Self, FingerprintError> {
        let wrong = || FingerprintError(text.to_owned());
        let digits: Vec<char> = text.trim().chars().filter(|c| *c != ':').collect();
        if digits.len() != 2 * FINGERPRINT_SIZE {
            return Err(wrong());
        }
        let mut bytes = [0; FINGERPRINT_SIZE];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            for digit in pair {
                let value = digit.to_digit(16).ok_or_else(wrong)?;
                *byte = *byte << 4 | u8::try_from(value).unwrap_or_default();
            }
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Fingerprint({self})")
    }
}

impl Authorities {
    /// All certificates of a PEM file.
    ///
    /// # Errors
    /// [`AuthoritiesError`]: there is none, or one cannot be read.
    pub fn from_pem(pem: &[u8]) -> Result<Self, AuthoritiesError> {
        let mut roots = RootCertStore::empty();
        for (index, certificate) in CertificateDer::pem_slice_iter(pem).enumerate() {
            let certificate =
                certificate.map_err(|error| AuthoritiesError::Pem(error.to_string()))?;
            roots
                .add(certificate)
                .map_err(|error| AuthoritiesError::Certificate {
                    number: index + 1,
                    reason: error.to_string(),
                })?;
        }
        if roots.is_empty() {
            return Err(AuthoritiesError::Empty);
        }
        Ok(Self {
            roots: Arc::new(roots),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_reads_back_in_every_usual_form() {
        let fingerprint = Fingerprint::of(b"a certificate");
        let plain = fingerprint.to_string();
        let pairs: Vec<&str> = plain
            .as_bytes()
            .chunks(2)
            .map(|pair| std::str::from_utf8(pair).unwrap())
            .collect();
        for text in [
            plain.clone(),
            plain.to_uppercase(),
            pairs.join(":").to_uppercase(),
            format!(" {plain}\n"),
        ] {
            assert_eq!(text.parse(), Ok(fingerprint), "{text}");
        }
    }

    #[test]
    fn sha_256_of_nothing_is_the_known_one() {
        let expected = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Fingerprint::of(b"").to_string(), expected);
    }

    #[test]
    fn what_is_no_fingerprint_is_shown_with_what_one_looks_like() {
        for text in ["", "aa", &"a".repeat(63), &"a".repeat(65), &"g".repeat(64)] {
            let error = text.parse::<Fingerprint>().unwrap_err().to_string();
            assert!(error.contains("64 hexadecimal digits"), "{error}");
        }
    }

    #[test]
    fn a_file_without_certificates_is_no_authority() {
        let error = |pem: &[u8]| Authorities::from_pem(pem).unwrap_err();
        assert_eq!(error(b""), AuthoritiesError::Empty);
        assert_eq!(error(b"no PEM at all"), AuthoritiesError::Empty);
        let garbage = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let read = error(garbage);
        assert!(
            matches!(&read, AuthoritiesError::Certificate { number: 1, .. }),
            "{read}"
        );
        let broken = b"-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----\n";
        assert!(matches!(error(broken), AuthoritiesError::Pem(_)));
    }
}
