//! Flags about the drives that this one may push to.

use std::fs;
use std::path::PathBuf;

use kinetic_client::{Authorities, AuthoritiesError, Fingerprint, FingerprintError, Trust};
use kinetic_proto::SigningKey;
use kinetic_server::config::peers::{Allowed, BadAllowedPeer, PeerIdentity, PeerTrust, Peers};
use kinetic_server::limits::{ALLOWED_PEERS, HMAC_KEY_BYTES};

/// As they stand on the command line or in a file.
#[derive(Debug, Default, clap::Args)]
pub(super) struct PeerArgs {
    /// Drive that this one may push to: a host, an address or a network such as 10.0.0.0/8, with
    /// :PORT or without; may be given several times; `none` is nobody [default: any]
    #[arg(long, value_name = "PEER")]
    pub(super) peer: Vec<String>,
    /// Identity that this drive has at its peers [default: that of whoever asks for the push]
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub(super) peer_identity: Option<i64>,
    /// Key of that identity
    #[arg(
        long,
        value_name = "KEY",
        env = "KINETIC_PEER_KEY",
        hide_env_values = true
    )]
    pub(super) peer_key: Option<String>,
    /// SHA-256 fingerprint of the certificate of a peer that is reached under TLS; may be given
    /// several times [default: any certificate]
    #[arg(long, value_name = "FINGERPRINT")]
    pub(super) peer_fingerprint: Vec<String>,
    /// PEM file with authorities that vouch for the certificates of peers
    #[arg(long, value_name = "FILE")]
    pub(super) peer_ca: Option<PathBuf>,
}

/// Why the peers make no sense.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadPeers {
    #[error("peer: {0}")]
    Allowed(#[from] BadAllowedPeer),
    #[error("peer: `none` stands alone, or not at all")]
    NoneAndSome,
    #[error("peer: {0} are named, and the limit is {ALLOWED_PEERS}; name networks instead")]
    TooMany(usize),
    #[error(
        "peer-identity and peer-key belong together: one of them is missing; the key may come from \
         KINETIC_PEER_KEY, too"
    )]
    HalfAnIdentity,
    #[error("the peer key has {0} bytes, and it must have 1 to {HMAC_KEY_BYTES}")]
    Key(usize),
    #[error("peer-fingerprint: {0}")]
    Fingerprint(#[from] FingerprintError),
    #[error("peer-fingerprint and peer-ca are two ways to trust a peer: give one of them")]
    TwoTrusts,
    #[error("peer-ca: {} cannot be read: {source}", .path.display())]
    Unreadable {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("peer-ca: {}: {source}", .path.display())]
    Authorities {
        path: PathBuf,
        source: AuthoritiesError,
    },
}

impl PeerArgs {
    /// These, and what they leave open from a file.
    pub(super) fn or(self, file: Self) -> Self {
        let trusts = self.peer_ca.is_some() || !self.peer_fingerprint.is_empty();
        let identifies = self.peer_identity.is_some();
        Self {
            peer: if self.peer.is_empty() {
                file.peer
            } else {
                self.peer
            },
            peer_identity: self.peer_identity.or(file.peer_identity),
            peer_key: match identifies {
                true => self.peer_key,
                false => self.peer_key.or(file.peer_key),
            },
            peer_fingerprint: if trusts {
                self.peer_fingerprint
            } else {
                file.peer_fingerprint
            },
            peer_ca: if trusts { self.peer_ca } else { file.peer_ca },
        }
    }

    pub(super) fn settle(self) -> Result<Peers, BadPeers> {
        Ok(Peers {
            allowed: allowed(&self.peer)?,
            identity: match (self.peer_identity, self.peer_key) {
                (None, None) => None,
                (Some(number), Some(key)) if (1..=HMAC_KEY_BYTES).contains(&key.len()) => {
                    let key = SigningKey::new(key.as_bytes());
                    Some(PeerIdentity { number, key })
                }
                (Some(_), Some(key)) => return Err(BadPeers::Key(key.len())),
                (Some(_), None) | (None, Some(_)) => return Err(BadPeers::HalfAnIdentity),
            },
            trust: PeerTrust(match (self.peer_fingerprint.is_empty(), self.peer_ca) {
                (true, None) => PeerTrust::default().0,
                (false, None) => {
                    let texts = self.peer_fingerprint.iter();
                    let read: Result<Vec<Fingerprint>, _> =
                        texts.map(|text| text.parse()).collect();
                    Trust::Fingerprints(read?)
                }
                (true, Some(path)) => Trust::Authorities(authorities(path)?),
                (false, Some(_)) => return Err(BadPeers::TwoTrusts),
            }),
        })
    }
}

fn allowed(texts: &[String]) -> Result<Allowed, BadPeers> {
    let is_none = |text: &String| text.eq_ignore_ascii_case("none");
    match texts {
        [] => Ok(Allowed::Any),
        [one] if is_none(one) => Ok(Allowed::These(Vec::new())),
        many if many.iter().any(is_none) => Err(BadPeers::NoneAndSome),
        many if many.len() > ALLOWED_PEERS => Err(BadPeers::TooMany(many.len())),
        many => {
            let read: Result<Vec<_>, _> = many.iter().map(|text| text.parse()).collect();
            Ok(Allowed::These(read?))
        }
    }
}

fn authorities(path: PathBuf) -> Result<Authorities, BadPeers> {
    match fs::read(&path) {
        Ok(pem) => {
            Authorities::from_pem(&pem).map_err(|source| BadPeers::Authorities { path, source })
        }
        Err(source) => Err(BadPeers::Unreadable { path, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(peers: &[&str]) -> PeerArgs {
        PeerArgs {
            peer: peers.iter().map(|&text| text.to_owned()).collect(),
            ..PeerArgs::default()
        }
    }

    #[test]
    fn without_a_word_any_peer_is_good_and_none_is_nobody() {
        assert_eq!(args(&[]).settle().unwrap().allowed, Allowed::Any);
        let nobody = args(&["none"]).settle().unwrap().allowed;
        assert!(!nobody.allows("drive-b", 8123));
        let one = args(&["drive-b"]).settle().unwrap().allowed;
        assert!(one.allows("drive-b", 8123) && !one.allows("drive-c", 8123));
        assert!(matches!(
            args(&["none", "drive-b"]).settle(),
            Err(BadPeers::NoneAndSome)
        ));
        assert!(matches!(args(&["a/b"]).settle(), Err(BadPeers::Allowed(_))));
    }

    #[test]
    fn what_the_flags_leave_open_the_file_says() {
        let file = PeerArgs {
            peer_identity: Some(7),
            peer_key: Some("of the file".to_owned()),
            peer_fingerprint: vec!["aa".repeat(32)],
            ..args(&["drive-c"])
        };
        let both = args(&["drive-b"]).or(file).settle().unwrap();
        assert!(both.allowed.allows("drive-b", 1) && !both.allowed.allows("drive-c", 1));
        assert_eq!(both.identity.unwrap().number, 7);
        assert!(matches!(both.trust.0, Trust::Fingerprints(_)));
    }

    #[test]
    fn halves_and_contradictions_are_refused_with_what_to_do() {
        let half = PeerArgs {
            peer_identity: Some(7),
            ..PeerArgs::default()
        };
        let text = half.settle().unwrap_err().to_string();
        assert!(text.contains("KINETIC_PEER_KEY"), "{text}");
        let empty = PeerArgs {
            peer_identity: Some(7),
            peer_key: Some(String::new()),
            ..PeerArgs::default()
        };
        assert!(matches!(empty.settle(), Err(BadPeers::Key(0))));
        let two = PeerArgs {
            peer_fingerprint: vec!["aa".repeat(32)],
            peer_ca: Some(PathBuf::from("ca.pem")),
            ..PeerArgs::default()
        };
        assert!(matches!(two.settle(), Err(BadPeers::TwoTrusts)));
        let missing = PeerArgs {
            peer_ca: Some(PathBuf::from("/nowhere/ca.pem")),
            ..PeerArgs::default()
        };
        let text = missing.settle().unwrap_err().to_string();
        assert!(text.contains("/nowhere/ca.pem"), "{text}");
    }
}
