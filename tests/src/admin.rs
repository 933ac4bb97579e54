//! What only whoever runs a drive asks it for: PINs, and what they are for.
//!
//! Not here: how a PIN operation travels (`conversation`).

use bytes::Bytes;
use kinetic_proto::MessageType;
use kinetic_proto::schema::command::{Body, Security};

use crate::conversation::Conversation;

/// The number of the PIN operation that unlocks a drive.
pub const UNLOCK: i32 = 1;
/// Of the one that locks it.
pub const LOCK: i32 = 2;
/// Of the one that erases it.
pub const ERASE: i32 = 3;
/// Of the one that erases it at once, whatever its capacity.
pub const SECURE_ERASE: i32 = 4;

/// Sends a SECURITY request, which must succeed.
pub fn secure(talk: &mut Conversation, security: Security) {
    let body = Body {
        security: Some(Box::new(security)),
        ..Body::default()
    };
    talk.ask(MessageType::SECURITY, body, &[]).success();
}

/// Sets the PIN for locking and unlocking, where none is set.
pub fn set_lock_pin(talk: &mut Conversation, pin: &'static [u8]) {
    let new_lock_pin = Some(Bytes::from_static(pin));
    secure(
        talk,
        Security {
            new_lock_pin,
            ..Security::default()
        },
    );
}

/// Sets the PIN for erasing, where none is set.
pub fn set_erase_pin(talk: &mut Conversation, pin: &'static [u8]) {
    let new_erase_pin = Some(Bytes::from_static(pin));
    secure(
        talk,
        Security {
            new_erase_pin,
            ..Security::default()
        },
    );
}
