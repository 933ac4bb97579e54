//! What a drive is told once and keeps: identities, cluster version, PIN, certificate, firmware.
//!
//! One JSON object with a version, in the slots for settings of the disk, readable while the drive
//! is locked. Guarantees: what is written reads back the same; a field that this program does not
//! know, or another version, is refused and not dropped.
//! Not here: writing it (`medium`), and what identities may do (`auth`).

use serde::{Deserialize, Serialize};

use super::opaque::Opaque;
use super::pin::PinHash;

/// The version that this program reads and writes.
pub const SETTINGS_VERSION: u32 = 1;

/// Why settings make no sense.
#[derive(Debug, thiserror::Error)]
pub enum BadSettings {
    /// They are of another program.
    #[error(
        "the settings on the drive have version {0}, and this program reads version \
         {SETTINGS_VERSION}: start the drive with the program that wrote them"
    )]
    Version(u32),
    /// They are no such object.
    #[error("the settings on the drive are not understood: {0}")]
    Malformed(#[from] serde_json::Error),
}

/// Everything that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    version: u32,
    /// The access control list; none on a drive that nobody has configured.
    pub identities: Option<Vec<IdentityRecord>>,
    /// What every request must name.
    pub cluster_version: i64,
    /// What an erase takes; none: no PIN.
    pub erase_pin: Option<PinHash>,
    /// Whether the drive was locked without a lock PIN; with one it starts locked anyway.
    pub locked: bool,
    /// The drive's own certificate.
    pub tls: Option<TlsPair>,
    /// The image that was stored last.
    pub firmware: Option<Firmware>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            version: SETTINGS_VERSION,
            identities: None,
            cluster_version: 0,
            erase_pin: None,
            locked: false,
            tls: None,
            firmware: None,
        }
    }
}

/// One identity of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityRecord {
    /// Its number.
    pub identity: i64,
    /// What it signs with, by HMAC-SHA1.
    pub key: Opaque,
    /// What it may do.
    pub scopes: Vec<ScopeRecord>,
    /// The highest priority that it may ask for; none is any.
    pub max_priority: Option<i32>,
}

/// One scope of an identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScopeRecord {
    /// Where in the key, in bytes.
    pub offset: u64,
    /// What must be there.
    pub value: Opaque,
    /// Permissions by their numbers on the wire.
    pub permissions: Vec<i32>,
    /// Whether it applies on TLS connections only.
    pub tls_required: bool,
}

/// A certificate and its key, in whatever form whoever made them reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsPair {
    /// The certificate.
    pub certificate: Opaque,
    /// Its private key.
    pub key: Opaque,
}

/// A firmware image, which is kept and never executed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Firmware {
    /// The image as it came.
    pub image: Opaque,
    /// Its SHA-256.
    pub sha256: Opaque,
    /// The public key that verified it when it was stored.
    pub verified_by: Option<Opaque>,
}

impl Firmware {
    /// Size, checksum and standing in words; `key` is the one that images are to be verified by.
    #[must_use]
    pub fn summary(&self, key: Option<&[u8; 32]>) -> String {
        let standing = match (&self.verified_by, key) {
            (None, _) => "unverified",
            (Some(by), Some(key)) if by.0 == key => "verified",
            (Some(_), Some(_)) => "verified by another key than the one of now",
            (Some(_), None) => "verified by a key that is not configured now",
        };
        let start: String = self
            .sha256
            .0
            .iter()
            .take(8)
            .map(|b| format!("{b:02x}"))
            .collect();
        let bytes = self.image.0.len();
        format!("stored firmware of {bytes} bytes, SHA-256 {start}.., {standing}, not executed")
    }
}

impl Settings {
    /// Reads what a disk keeps; nothing at all are the settings of a new drive.
    pub fn decode(bytes: &[u8]) -> Result<Self, BadSettings> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let Version { version } = serde_json::from_slice(bytes)?;
        if version != SETTINGS_VERSION {
            return Err(BadSettings::Version(version));
        }
        Ok(serde_json::from_slice(bytes)?)
    }

    /// What a disk is to keep.
    pub fn encode(&self) -> Result<Vec<u8>, BadSettings> {
        Ok(serde_json::to_vec(self)?)
    }

    /// What is left of these after an erase: the certificate.
    #[must_use]
    pub fn erased(&self) -> Self {
        Self {
            tls: self.tls.clone(),
            ..Self::default()
        }
    }
}

/// Fuzzing: settings that can be read are written so that they read back the same.
///
/// # Panics
/// When that does not hold.
pub fn fuzz_settings(bytes: &[u8]) {
    let Ok(settings) = Settings::decode(bytes) else {
        return;
    };
    let again = settings.encode();
    let again = again.and_then(|bytes| Settings::decode(&bytes));
    assert_eq!(again.ok(), Some(settings));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Settings {
        let scope = ScopeRecord {
            offset: 3,
            value: Opaque(b"\0\xffvalue".to_vec()),
            permissions: vec![0, 8],
            tls_required: true,
        };
        Settings {
            identities: Some(vec![IdentityRecord {
                identity: -7,
                key: Opaque(b"secret".to_vec()),
                scopes: vec![scope],
                max_priority: Some(5),
            }]),
            cluster_version: i64::MIN,
            erase_pin: Some(PinHash::of(b"1234", [3; 16], 1)),
            locked: true,
            tls: Some(TlsPair {
                certificate: Opaque(vec![1]),
                key: Opaque(vec![2]),
            }),
            firmware: Some(Firmware {
                image: Opaque(vec![0; 9]),
                sha256: Opaque(vec![0xab; 32]),
                verified_by: None,
            }),
            ..Settings::default()
        }
    }

    /// As drives of version 1 hold them, which must open for ever.
    const VERSION_1: &[u8] = br#"{
        "version": 1,
        "identities": [{
            "identity": -7, "key": "c2VjcmV0", "max_priority": 5,
            "scopes": [{
                "offset": 3, "value": "AP92YWx1ZQ==", "permissions": [0, 8], "tls_required": true
            }]
        }],
        "cluster_version": -9223372036854775808,
        "erase_pin": {
            "salt": "AAECAwQFBgcICQoLDA0ODw==", "rounds": 1,
            "derived": "i/F57D1qcIBBiv5AzlKB8LqqXqCNwubIJuZH8P6K1uI="
        },
        "locked": true,
        "tls": {"certificate": "AQ==", "key": "Ag=="},
        "firmware": {
            "image": "AAAAAAAAAAAA", "verified_by": "BwcH",
            "sha256": "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s="
        }
    }"#;

    #[test]
    fn what_drives_of_version_1_hold_can_be_read_and_nothing_is_left_out() {
        let settings = Settings::decode(VERSION_1).unwrap();
        let pin = settings.erase_pin.clone().unwrap();
        assert!(pin.is_of(b"1234") && !pin.is_of(b"12345"));
        let mut expected = full();
        expected.erase_pin = Some(pin);
        let firmware = expected.firmware.as_mut().unwrap();
        firmware.verified_by = Some(Opaque(vec![7; 3]));
        assert_eq!(settings, expected);
        let held: serde_json::Value = serde_json::from_slice(VERSION_1).unwrap();
        let written: serde_json::Value =
            serde_json::from_slice(&settings.encode().unwrap()).unwrap();
        assert_eq!(written, held, "another form takes another version");
    }

    #[test]
    fn what_is_written_reads_back_the_same() {
        for settings in [Settings::default(), full()] {
            let bytes = settings.encode().unwrap();
            assert_eq!(Settings::decode(&bytes).unwrap(), settings);
            for end in 0..bytes.len() {
                fuzz_settings(&bytes[..end]);
            }
        }
        assert_eq!(Settings::decode(b"").unwrap(), Settings::default());
    }

    #[test]
    fn a_field_or_a_version_that_nobody_knows_is_refused() {
        let text = String::from_utf8(full().encode().unwrap()).unwrap();
        let more = text.replacen('{', "{\"extra\":1,", 1);
        let refused = Settings::decode(more.as_bytes()).unwrap_err().to_string();
        assert!(refused.contains("extra"), "{refused}");
        let newer = text.replacen("\"version\":1", "\"version\":2", 1);
        let refused = Settings::decode(newer.as_bytes()).unwrap_err();
        assert!(matches!(refused, BadSettings::Version(2)));
    }

    #[test]
    fn nothing_prints_a_key() {
        let printed = format!("{:?}", full());
        assert!(!printed.contains("secret"), "{printed}");
    }

    #[test]
    fn an_erase_leaves_the_certificate_and_nothing_else() {
        let erased = full().erased();
        assert_eq!(erased.tls, full().tls);
        let rest = Settings {
            tls: None,
            ..erased
        };
        assert_eq!(rest, Settings::default());
    }

    #[test]
    fn firmware_is_told_by_size_checksum_and_standing() {
        let mut firmware = full().firmware.unwrap();
        let summary = firmware.summary(Some(&[7; 32]));
        assert!(
            summary.contains("9 bytes") && summary.contains("abababab"),
            "{summary}"
        );
        assert!(summary.contains("unverified"), "{summary}");
        firmware.verified_by = Some(Opaque(vec![7; 32]));
        for (key, standing) in [
            (Some([7; 32]), "verified, "),
            (Some([8; 32]), "verified by another key"),
            (None, "verified by a key that is not configured"),
        ] {
            let summary = firmware.summary(key.as_ref());
            assert!(summary.contains(standing), "{summary}");
        }
    }
}
