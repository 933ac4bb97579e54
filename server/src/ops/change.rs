//! What changes the drive itself: identities, PINs, lock, erase, cluster version, firmware, power.
//!
//! Guarantees: a change holds its grant or is authenticated by the PIN that it carries; on a locked
//! drive only PIN operations are done; what is in force afterwards is what is durable, whichever
//! way it went. It may take seconds: call it where nobody waits but who asked.

use kinetic_proto::StatusCode;

use super::answer::Answer;
use super::pinop::{self, PinOperation};
use super::power::{self, SetPower};
use super::security::{self, Security};
use super::setup::{self, Setup};
use super::status::{locked, of_lock};
use crate::auth::penalties::Secret;
use crate::auth::{Grant, IdentityTable, grant};
use crate::device::{Device, LockError, Settings};

/// A change.
#[derive(Debug)]
pub enum Change {
    /// SECURITY.
    Security(Grant<grant::Security>, Security),
    /// SETUP.
    Setup(Grant<grant::Setup>, Setup),
    /// SET_POWER_LEVEL.
    Power(Grant<grant::PowerManagement>, SetPower),
    /// PINOP.
    Pin(PinOperation),
}

/// Whether the PIN that came was the right one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// No PIN was tried, or nobody got as far as looking at it.
    None,
    /// It was.
    Right,
    /// It was not.
    Wrong,
}

impl Change {
    /// Which PIN it carries, that may be wrong, so that whoever guesses must wait.
    #[must_use]
    pub fn tries(&self) -> Option<Secret> {
        match self {
            Self::Security(_, request) => request.tries(),
            Self::Setup(..) | Self::Power(..) => None,
            Self::Pin(request) => Some(request.tries()),
        }
    }

    /// Does it, and puts in force what came of it. `granted` is the list of identities by which it
    /// was granted: under another one it is not done.
    pub fn run(
        &self,
        device: &Device,
        identities: &IdentityTable,
        granted: u64,
    ) -> (Answer, Verdict) {
        let is_stale = || identities.generation() != granted;
        // Where no PIN is set none is compared, and nobody has shown that they know one.
        let compared = match self.tries() {
            Some(Secret::ErasePin) => device.medium.has_erase_pin(),
            Some(Secret::LockPin) => device.medium.has_lock_pin(),
            None => false,
        };
        let follow = |settings: &Settings| {
            identities.follow(settings, &device.policy.factory_key);
        };
        let before = device.medium.settings();
        let outcome = match self {
            Self::Security(..) | Self::Setup(..) | Self::Power(..) if device.is_locked() => {
                Err(LockError::Locked)
            }
            Self::Security(..) | Self::Setup(..) | Self::Power(..) if is_stale() => {
                let text = "the identities of the drive changed meanwhile; ask again";
                let status = StatusCode::SERVICE_BUSY.with_text(text);
                return (Answer::of(status), Verdict::None);
            }
            Self::Security(grant, request) => security::run(grant, request, device),
            Self::Setup(grant, request) => Ok(setup::run(grant, request, device)),
            Self::Power(grant, request) => Ok(power::run(grant, *request, device)),
            Self::Pin(request) => pinop::run(request, device, &follow),
        };
        let after = device.medium.settings();
        if before.identities != after.identities {
            follow(&after);
        }
        match outcome {
            Ok(answer) if compared => (answer, Verdict::Right),
            Ok(answer) => (answer, Verdict::None),
            Err(LockError::WrongPin) => {
                device.messages.note("a PIN was wrong");
                (Answer::of(of_lock(&LockError::WrongPin)), Verdict::Wrong)
            }
            Err(LockError::Locked) => (Answer::of(locked()), Verdict::None),
            Err(error @ (LockError::NoSealForPin | LockError::NoSealForErase)) => {
                (Answer::of(of_lock(&error)), Verdict::None)
            }
            Err(error) => {
                tracing::error!(%error, "a change of the drive failed");
                (Answer::of(of_lock(&error)), Verdict::None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use kinetic_proto::Limits;
    use kinetic_proto::schema::command::PinOperation as Wire;

    use super::*;
    use crate::auth::Identity;
    use crate::device::NewPin;
    use crate::ram_drive::device;

    fn pin_operation(number: i32, pin: &[u8]) -> Change {
        let wire = Wire {
            pin_op_type: Some(number),
        };
        let parsed = PinOperation::parse(Some(wire), Some(pin), &Limits::default());
        Change::Pin(parsed.unwrap())
    }

    #[test]
    fn who_is_let_through_because_no_pin_is_set_has_not_shown_that_they_know_one() {
        let device = device();
        let identities = IdentityTable::new([Identity::factory(b"key")]);
        let pin = NewPin {
            old: b"",
            new: b"erase",
            rounds: 1,
        };
        device.medium.set_erase_pin(&pin).unwrap();
        let before = identities.generation();
        let run = |change: &Change| change.run(&device, &identities, 0).1;
        assert_eq!(run(&pin_operation(3, b"guess")), Verdict::Wrong);
        assert_eq!(run(&pin_operation(1, b"anything")), Verdict::None);
        assert_eq!(identities.generation(), before);
        assert_eq!(run(&pin_operation(3, b"erase")), Verdict::Right);
        assert_ne!(identities.generation(), before);
    }
}
