//! SECURITY: who may use the drive, and the PINs for lock and erase.
//!
//! Guarantees: a request has one purpose, which it names (4.x) or which follows from its fields
//! (3.x); with its purpose named a list replaces all identities, without it the list is merged, and
//! who comes without scopes is taken out; a change is durable before it is in force, and done as a
//! whole or not at all.
//! Not here: that it takes TLS (`session`), and the rules of the list (`acl`).

use bytes::Bytes;
use kinetic_proto::Limits;
use kinetic_proto::message::Pin;
use kinetic_proto::schema::command::Security as Wire;
use kinetic_proto::schema::command::security::SecurityOpType;

use super::acl::{self, InvalidAcl};
use super::answer::Answer;
use super::entry::within;
use super::invalid::Invalid;
use super::status::{of_kept, unchanged};
use crate::auth::penalties::Secret;
use crate::auth::{Grant, factory_record, grant};
use crate::device::settings::{IdentityRecord, Settings};
use crate::device::{Device, LockError, NewPin};

/// A SECURITY.
#[derive(Debug, Clone, PartialEq)]
pub enum Security {
    /// It changes nothing.
    Nothing,
    /// It changes the list of identities.
    Acl(Extent, Vec<IdentityRecord>),
    /// It changes the PIN for erasing.
    ErasePin(PinChange),
    /// It changes the PIN for locking.
    LockPin(PinChange),
}

/// What becomes of identities that a list does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// They go.
    Replace,
    /// They stay.
    Merge,
}

/// A PIN and the one that it replaces; absent is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinChange {
    old: Pin,
    new: Pin,
}

impl Security {
    /// Reads the fields that a SECURITY has.
    pub fn parse(request: Option<Box<Wire>>, limits: &Limits) -> Result<Self, Invalid> {
        let request = *request.unwrap_or_default();
        let erase = request.old_erase_pin.is_some() || request.new_erase_pin.is_some();
        let lock = request.old_lock_pin.is_some() || request.new_lock_pin.is_some();
        let present = [
            (SecurityOpType::AclSecurityop, !request.acl.is_empty()),
            (SecurityOpType::ErasePinSecurityop, erase),
            (SecurityOpType::LockPinSecurityop, lock),
        ];
        let mut present = present
            .into_iter()
            .filter_map(|(one, is)| is.then_some(one));
        let (first, second) = (present.next(), present.next());
        let named = match request.security_op_type {
            None => None,
            Some(number) => Some(
                SecurityOpType::try_from(number)
                    .ok()
                    .filter(|one| *one != SecurityOpType::InvalidSecurityop)
                    .ok_or(Invalid::SecurityPurpose(number))?,
            ),
        };
        if second.is_some() || named.is_some_and(|named| first.is_some_and(|one| one != named)) {
            return Err(Invalid::ManyPurposes("SECURITY"));
        }
        let extent = match named {
            Some(_) => Extent::Replace,
            None => Extent::Merge,
        };
        Ok(match named.or(first) {
            Some(SecurityOpType::AclSecurityop) => {
                Self::Acl(extent, acl::parse(request.acl, limits)?)
            }
            Some(SecurityOpType::ErasePinSecurityop) => {
                let (old, new) = (request.old_erase_pin, request.new_erase_pin);
                Self::ErasePin(PinChange::parse(
                    ("oldErasePIN", old),
                    ("newErasePIN", new),
                    limits,
                )?)
            }
            Some(SecurityOpType::LockPinSecurityop) => {
                let (old, new) = (request.old_lock_pin, request.new_lock_pin);
                Self::LockPin(PinChange::parse(
                    ("oldLockPIN", old),
                    ("newLockPIN", new),
                    limits,
                )?)
            }
            Some(SecurityOpType::InvalidSecurityop) | None => Self::Nothing,
        })
    }

    /// Which PIN it says, that may be wrong.
    #[must_use]
    pub fn tries(&self) -> Option<Secret> {
        match self {
            Self::ErasePin(_) => Some(Secret::ErasePin),
            Self::LockPin(_) => Some(Secret::LockPin),
            Self::Nothing | Self::Acl(..) => None,
        }
    }
}

impl PinChange {
    fn parse(
        (old_name, old): (&'static str, Option<Bytes>),
        (new_name, new): (&'static str, Option<Bytes>),
        limits: &Limits,
    ) -> Result<Self, Invalid> {
        within(old_name, old.as_deref(), limits.max_pin_size)?;
        within(new_name, new.as_deref(), limits.max_pin_size)?;
        let kept = |pin: Option<Bytes>| Pin(Bytes::copy_from_slice(&pin.unwrap_or_default()));
        Ok(Self {
            old: kept(old),
            new: kept(new),
        })
    }
}

/// Does it. Waits for the disk.
pub fn run(
    _grant: &Grant<grant::Security>,
    request: &Security,
    device: &Device,
) -> Result<Answer, LockError> {
    let (medium, note) = (&device.medium, |text: &str| device.messages.note(text));
    match request {
        Security::Nothing => Ok(Answer::success()),
        Security::Acl(extent, list) => {
            let edit = |settings: &mut Settings| edit(settings, (*extent, list), device);
            let kept = match medium.change(edit) {
                Ok(kept) => kept,
                Err(refused) => {
                    let status = unchanged(refused, |invalid| Invalid::Acl(invalid).into());
                    return Ok(Answer::of(status));
                }
            };
            let count = list.len();
            note(&match extent {
                Extent::Replace => format!("the list of identities was replaced by {count}"),
                Extent::Merge => format!("{count} identities were merged into the list"),
            });
            Ok(Answer::of(of_kept(&kept)))
        }
        Security::ErasePin(change) => {
            let kept = medium.set_erase_pin(&change.in_rounds(device))?;
            note("the erase PIN was changed");
            Ok(Answer::of(of_kept(&kept)))
        }
        Security::LockPin(change) => {
            medium.set_lock_pin(&change.in_rounds(device))?;
            note("the lock PIN was changed");
            Ok(Answer::success())
        }
    }
}

impl PinChange {
    fn in_rounds(&self, device: &Device) -> NewPin<'_> {
        NewPin {
            old: &self.old.0,
            new: &self.new.0,
            rounds: device.policy.pin_rounds,
        }
    }
}

fn edit(
    settings: &mut Settings,
    (extent, list): (Extent, &[IdentityRecord]),
    device: &Device,
) -> Result<(), InvalidAcl> {
    let list = match extent {
        Extent::Replace => list.to_vec(),
        Extent::Merge => {
            let old = match &settings.identities {
                Some(old) => old.clone(),
                None => vec![factory_record(&device.policy.factory_key)],
            };
            acl::merge(&old, list, &device.limits)?
        }
    };
    acl::must_leave_somebody(&list)?;
    settings.identities = Some(list);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(wire: Wire) -> Result<Security, Invalid> {
        Security::parse(Some(Box::new(wire)), &Limits::default())
    }

    fn pin(text: &'static [u8]) -> Option<Bytes> {
        Some(Bytes::from_static(text))
    }

    #[test]
    fn the_purpose_follows_from_the_fields_where_it_is_not_named() {
        assert_eq!(
            Security::parse(None, &Limits::default()),
            Ok(Security::Nothing)
        );
        assert_eq!(parsed(Wire::default()), Ok(Security::Nothing));
        let old_only = Wire {
            old_erase_pin: pin(b"old"),
            ..Wire::default()
        };
        let expected = PinChange {
            old: Pin(Bytes::from_static(b"old")),
            new: Pin(Bytes::new()),
        };
        assert_eq!(parsed(old_only), Ok(Security::ErasePin(expected)));
        let lock = Wire {
            new_lock_pin: pin(b"new"),
            ..Wire::default()
        };
        assert!(matches!(parsed(lock), Ok(Security::LockPin(_))));
    }

    #[test]
    fn two_purposes_are_refused_named_or_not() {
        let two = Wire {
            new_lock_pin: pin(b"new"),
            new_erase_pin: pin(b"new"),
            ..Wire::default()
        };
        assert_eq!(parsed(two), Err(Invalid::ManyPurposes("SECURITY")));
        let other = Wire {
            new_lock_pin: pin(b"new"),
            security_op_type: Some(2),
            ..Wire::default()
        };
        assert_eq!(parsed(other), Err(Invalid::ManyPurposes("SECURITY")));
        for number in [-1, 0, 4] {
            let unknown = Wire {
                security_op_type: Some(number),
                ..Wire::default()
            };
            assert_eq!(parsed(unknown), Err(Invalid::SecurityPurpose(number)));
        }
    }

    #[test]
    fn a_named_purpose_without_fields_clears_or_replaces() {
        let named = |number| Wire {
            security_op_type: Some(number),
            ..Wire::default()
        };
        let empty = Security::Acl(Extent::Replace, Vec::new());
        assert_eq!(parsed(named(1)), Ok(empty));
        assert!(matches!(parsed(named(2)), Ok(Security::ErasePin(_))));
        assert!(matches!(parsed(named(3)), Ok(Security::LockPin(_))));
    }

    #[test]
    fn a_pin_over_its_limit_is_named() {
        let long = Wire {
            new_lock_pin: Some(vec![0; 1025].into()),
            ..Wire::default()
        };
        let refused = parsed(long).unwrap_err().to_string();
        assert!(
            refused.contains("newLockPIN") && refused.contains("1024"),
            "{refused}"
        );
    }
}
