//! SETUP: cluster version and firmware.
//!
//! Guarantees: one purpose in a request, and an empty request changes nothing; firmware is stored
//! and reported, never executed. Where a public key is configured, only an image that it verifies
//! is stored: its last 64 bytes are an Ed25519 signature of all before them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use kinetic_proto::StatusCode;
use kinetic_proto::schema::command::Setup as Wire;
use kinetic_proto::schema::command::setup::SetupOpType;
use ring::digest::{SHA256, digest};
use ring::signature::{ED25519, UnparsedPublicKey};

use super::answer::Answer;
use super::entry::Source;
use super::invalid::Invalid;
use super::status::{of_kept, unchanged};
use crate::auth::{Grant, grant};
use crate::device::Device;
use crate::device::opaque::Opaque;
use crate::device::settings::{Firmware, Settings};

/// Bytes of a signature at the end of an image.
const SIGNATURE_SIZE: usize = 64;

/// A SETUP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setup {
    /// It changes nothing.
    Nothing,
    /// It sets the cluster version.
    ClusterVersion(i64),
    /// It stores firmware.
    Firmware(Bytes),
}

impl Setup {
    /// Reads the fields that a SETUP has.
    pub fn parse(request: Option<Wire>, source: &Source<'_>) -> Result<Self, Invalid> {
        let request = request.unwrap_or_default();
        let version = request.new_cluster_version;
        let firmware = request.firmware_download == Some(true);
        if version.is_some() && firmware {
            return Err(Invalid::ManyPurposes("SETUP"));
        }
        let image = || match source.keep_value() {
            image if image.is_empty() => Err(Invalid::NoFirmware),
            image => Ok(Self::Firmware(image)),
        };
        let Some(number) = request.setup_op_type else {
            return match version {
                Some(version) => Ok(Self::ClusterVersion(version)),
                None if firmware => image(),
                None => Ok(Self::Nothing),
            };
        };
        match (SetupOpType::try_from(number), version) {
            (Ok(SetupOpType::ClusterVersionSetupop), _) if firmware => {
                Err(Invalid::ManyPurposes("SETUP"))
            }
            (Ok(SetupOpType::ClusterVersionSetupop), Some(version)) => {
                Ok(Self::ClusterVersion(version))
            }
            (Ok(SetupOpType::ClusterVersionSetupop), None) => Err(Invalid::NoClusterVersion),
            (Ok(SetupOpType::FirmwareSetupop), Some(_)) => Err(Invalid::ManyPurposes("SETUP")),
            (Ok(SetupOpType::FirmwareSetupop), None) => image(),
            (Ok(SetupOpType::InvalidSetupop) | Err(_), _) => Err(Invalid::SetupPurpose(number)),
        }
    }
}

/// Does it. Waits for the disk.
#[must_use]
pub fn run(_grant: &Grant<grant::Setup>, request: &Setup, device: &Device) -> Answer {
    let (outcome, note) = match request {
        Setup::Nothing => return Answer::success(),
        Setup::ClusterVersion(version) => {
            let edit = |settings: &mut Settings| {
                settings.cluster_version = *version;
                Ok(())
            };
            let note = format!("the cluster version was set to {version}");
            (device.medium.change(edit), note)
        }
        Setup::Firmware(image) => {
            let key = device.policy.firmware_key.as_ref();
            let firmware = match examine(image, key) {
                Ok(firmware) => firmware,
                Err(invalid) => return Answer::of(invalid.into()),
            };
            let note = firmware.summary(key);
            let edit = |settings: &mut Settings| {
                settings.firmware = Some(firmware);
                Ok(())
            };
            (device.medium.change(edit), note)
        }
    };
    match outcome {
        Ok(kept) => {
            device.messages.note(&note);
            Answer::of(of_kept(&kept))
        }
        Err(error) => Answer::of(unchanged(error, |()| StatusCode::SUCCESS.to_message())),
    }
}

fn examine(image: &[u8], key: Option<&[u8; 32]>) -> Result<Firmware, Invalid> {
    if let Some(key) = key {
        let split = image.len().checked_sub(SIGNATURE_SIZE);
        let (signed, signature) = split
            .and_then(|split| image.split_at_checked(split))
            .ok_or(Invalid::Firmware)?;
        let key = UnparsedPublicKey::new(&ED25519, key);
        key.verify(signed, signature)
            .map_err(|_why| Invalid::Firmware)?;
    }
    Ok(Firmware {
        image: Opaque(image.to_vec()),
        sha256: Opaque(digest(&SHA256, image).as_ref().to_vec()),
        verified_by: key.map(|key| Opaque(key.to_vec())),
    })
}

/// What stands before the 32 bytes of an Ed25519 key in a SubjectPublicKeyInfo (RFC 8410).
const PUBLIC_KEY_INFO: [u8; 12] = [48, 42, 48, 5, 6, 3, 43, 101, 112, 3, 33, 0];

/// The Ed25519 public key in a PEM file.
#[must_use]
pub fn public_key(pem: &[u8]) -> Option<[u8; 32]> {
    let text = std::str::from_utf8(pem).ok()?;
    let (_, rest) = text.split_once("-----BEGIN PUBLIC KEY-----")?;
    let (body, _) = rest.split_once("-----END PUBLIC KEY-----")?;
    let body: String = body.split_whitespace().collect();
    let info = STANDARD.decode(body).ok()?;
    info.strip_prefix(&PUBLIC_KEY_INFO)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use kinetic_proto::Limits;
    use ring::signature::{Ed25519KeyPair, KeyPair};

    use super::*;

    fn parsed(wire: Wire, value: &'static [u8]) -> Result<Setup, Invalid> {
        let source = Source {
            message: &Bytes::new(),
            value: Bytes::from_static(value),
            limits: &Limits::default(),
        };
        Setup::parse(Some(wire), &source)
    }

    fn wire(version: Option<i64>, firmware: Option<bool>, purpose: Option<i32>) -> Wire {
        Wire {
            new_cluster_version: version,
            firmware_download: firmware,
            setup_op_type: purpose,
        }
    }

    #[test]
    fn a_setup_of_either_generation_has_one_purpose() {
        let image = || Ok(Setup::Firmware(Bytes::from_static(b"image")));
        let many = || Err(Invalid::ManyPurposes("SETUP"));
        let cases = [
            (wire(None, None, None), Ok(Setup::Nothing)),
            (wire(None, Some(false), None), Ok(Setup::Nothing)),
            (wire(Some(-3), None, None), Ok(Setup::ClusterVersion(-3))),
            (
                wire(Some(3), Some(false), None),
                Ok(Setup::ClusterVersion(3)),
            ),
            (wire(None, Some(true), None), image()),
            (wire(Some(3), None, Some(2)), Ok(Setup::ClusterVersion(3))),
            (wire(None, None, Some(1)), image()),
            (wire(Some(3), Some(true), None), many()),
            (wire(Some(3), None, Some(1)), many()),
            (wire(Some(3), Some(true), Some(2)), many()),
            (wire(None, Some(true), Some(2)), many()),
            (wire(None, None, Some(2)), Err(Invalid::NoClusterVersion)),
            (wire(None, None, Some(-1)), Err(Invalid::SetupPurpose(-1))),
            (wire(None, None, Some(3)), Err(Invalid::SetupPurpose(3))),
        ];
        for (wire, expected) in cases {
            assert_eq!(parsed(wire, b"image"), expected, "{wire:?}");
        }
        assert_eq!(
            parsed(wire(None, Some(true), None), b""),
            Err(Invalid::NoFirmware)
        );
    }

    #[test]
    fn firmware_is_verified_by_the_key_and_by_no_other() {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let key: [u8; 32] = pair.public_key().as_ref().try_into().unwrap();
        let image = [&b"image"[..], pair.sign(b"image").as_ref()].concat();
        let stored = examine(&image, Some(&key)).unwrap();
        assert_eq!(stored.verified_by.as_ref().unwrap().0, key);
        assert_eq!(stored.image.0, image);
        assert_eq!(examine(&image, None).unwrap().verified_by, None);
        let mut changed = image.clone();
        changed[0] ^= 1;
        let other = [0; 32];
        for (image, key) in [
            (&changed[..], &key),
            (&image[..64], &key),
            (b"", &key),
            (&image, &other),
        ] {
            assert_eq!(examine(image, Some(key)), Err(Invalid::Firmware));
        }
    }
}
