//! PINOP: lock, unlock and erase, for whoever knows the PIN.
//!
//! Guarantees: nothing but the PIN is asked for, no identity and no cluster version; a secure erase
//! is an erase, for either makes all data unreadable by forgetting its key; where there is no key,
//! because the drive is not sealed, it is refused.
//! Not here: that it takes PINAUTH and TLS (`session`), and who must wait (`auth::penalties`).

use bytes::Bytes;
use kinetic_proto::Limits;
use kinetic_proto::message::Pin;
use kinetic_proto::schema::command::PinOperation as Wire;
use kinetic_proto::schema::command::pin_operation::PinOpType;

use super::answer::Answer;
use super::entry::within;
use super::invalid::Invalid;
use crate::auth::penalties::Secret;
use crate::device::{Device, LockError, Settings};

/// A PINOP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinOperation {
    kind: Kind,
    pin: Pin,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Lock,
    Unlock,
    Erase,
    SecureErase,
}

impl PinOperation {
    /// Reads what is to be done, and the PIN for it.
    pub fn parse(
        request: Option<Wire>,
        pin: Option<&[u8]>,
        limits: &Limits,
    ) -> Result<Self, Invalid> {
        let number = request.and_then(|request| request.pin_op_type);
        let kind = match PinOpType::try_from(number.unwrap_or(-1)) {
            Ok(PinOpType::LockPinop) => Kind::Lock,
            Ok(PinOpType::UnlockPinop) => Kind::Unlock,
            Ok(PinOpType::ErasePinop) => Kind::Erase,
            Ok(PinOpType::SecureErasePinop) => Kind::SecureErase,
            Ok(PinOpType::InvalidPinop) | Err(_) => return Err(Invalid::PinPurpose(number)),
        };
        within("PIN", pin, limits.max_pin_size)?;
        let pin = pin.unwrap_or_default();
        if pin.is_empty() && matches!(kind, Kind::Lock | Kind::Unlock) {
            return Err(Invalid::NoPin);
        }
        let pin = Pin(Bytes::copy_from_slice(pin));
        Ok(Self { kind, pin })
    }
}

impl PinOperation {
    /// Which PIN it says, that may be wrong.
    #[must_use]
    pub fn tries(&self) -> Secret {
        match self.kind {
            Kind::Lock | Kind::Unlock => Secret::LockPin,
            Kind::Erase | Kind::SecureErase => Secret::ErasePin,
        }
    }
}

/// Does it. Waits for the disk. What is true of an erased drive is put in force by `follow` before
/// anybody can use it.
pub fn run(
    request: &PinOperation,
    device: &Device,
    follow: &dyn Fn(&Settings),
) -> Result<Answer, LockError> {
    let (medium, pin) = (&device.medium, &request.pin.0);
    let done = match request.kind {
        Kind::Lock => {
            medium.lock(pin)?;
            "locked"
        }
        Kind::Unlock => {
            medium.unlock(pin, follow)?;
            "unlocked"
        }
        Kind::Erase => {
            medium.erase(pin, follow)?;
            "erased"
        }
        Kind::SecureErase => {
            medium.secure_erase(pin, follow)?;
            "erased"
        }
    };
    device.messages.note(&format!("the drive was {done}"));
    tracing::info!("the drive was {done}");
    Ok(Answer::success())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(number: Option<i32>, pin: Option<&[u8]>) -> Result<Kind, Invalid> {
        let wire = Wire {
            pin_op_type: number,
        };
        PinOperation::parse(Some(wire), pin, &Limits::default()).map(|parsed| parsed.kind)
    }

    #[test]
    fn locking_takes_a_pin_and_erasing_may_do_without() {
        assert_eq!(parsed(Some(1), Some(b"1")), Ok(Kind::Unlock));
        assert_eq!(parsed(Some(2), Some(b"1")), Ok(Kind::Lock));
        for pin in [None, Some(&b""[..])] {
            assert_eq!(parsed(Some(1), pin), Err(Invalid::NoPin));
            assert_eq!(parsed(Some(2), pin), Err(Invalid::NoPin));
            assert_eq!(parsed(Some(3), pin), Ok(Kind::Erase));
            assert_eq!(parsed(Some(4), pin), Ok(Kind::SecureErase));
        }
    }

    #[test]
    fn what_is_no_pin_operation_and_a_pin_that_is_too_long_are_refused() {
        for number in [None, Some(-1), Some(0), Some(5)] {
            assert_eq!(parsed(number, Some(b"1")), Err(Invalid::PinPurpose(number)));
        }
        let long = parsed(Some(3), Some(&[0; 1025])).unwrap_err().to_string();
        assert!(long.contains("1025") && long.contains("1024"), "{long}");
    }
}
