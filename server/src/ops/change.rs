//! What changes the drive itself: identities, PINs, lock, erase, cluster version, firmware.
//!
//! Guarantees: a change holds its grant or is authenticated by the PIN that it carries; on a locked
//! drive only PIN operations are done; what is in force afterwards is what is durable, whichever
//! way it went. It may take seconds: call it where nobody waits but who asked.

use super::answer::Answer;
use super::pinop::{self, PinOperation};
use super::security::{self, Security};
use super::setup::{self, Setup};
use super::status::{locked, of_lock};
use crate::auth::{Grant, IdentityTable, grant};
use crate::device::{Device, LockError};

/// A change.
#[derive(Debug)]
pub enum Change {
    /// SECURITY.
    Security(Grant<grant::Security>, Security),
    /// SETUP.
    Setup(Grant<grant::Setup>, Setup),
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
    /// Whether it carries a PIN that may be wrong, so that whoever guesses must wait.
    #[must_use]
    pub fn tries_a_pin(&self) -> bool {
        match self {
            Self::Security(_, request) => request.tries_a_pin(),
            Self::Setup(..) => false,
            Self::Pin(_) => true,
        }
    }

    /// Does it, and puts in force what came of it.
    pub fn run(&self, device: &Device, identities: &IdentityTable) -> (Answer, Verdict) {
        let outcome = match self {
            Self::Security(..) | Self::Setup(..) if device.is_locked() => Err(LockError::Locked),
            Self::Security(grant, request) => security::run(grant, request, device),
            Self::Setup(grant, request) => Ok(setup::run(grant, request, device)),
            Self::Pin(request) => pinop::run(request, device),
        };
        identities.follow(&device.medium.settings(), &device.policy.factory_key);
        match outcome {
            Ok(answer) if self.tries_a_pin() => (answer, Verdict::Right),
            Ok(answer) => (answer, Verdict::None),
            Err(LockError::WrongPin) => {
                device.messages.note("a PIN was wrong");
                (Answer::of(of_lock(&LockError::WrongPin)), Verdict::Wrong)
            }
            Err(LockError::Locked) => (Answer::of(locked()), Verdict::None),
            Err(error) => {
                tracing::error!(%error, "a change of the drive failed");
                (Answer::of(of_lock(&error)), Verdict::None)
            }
        }
    }
}
