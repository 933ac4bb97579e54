//! Whole messages: writing a sealed one straight into an output buffer, and reading one back.
//!
//! Guarantees: a message is written in one pass into one buffer, the signature put into its
//! place afterwards; what is over the message limit is refused and leaves the buffer as it was.
//! Not here: values (they are sent behind the frame, uncopied), and deciding what to say.

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message as _;
use prost::encoding::{encode_varint, encoded_len_varint};

use crate::envelope::{MessageView, share};
use crate::frame::{FrameError, checked_message_length, checked_value_length, frame_header};
use crate::limits::FRAME_HEADER_SIZE;
use crate::reply::{EncodeCommand, delimited, put_head};
use crate::schema::Command;
use crate::schema::message::AuthType;
use crate::sign::{BadSignature, SIGNATURE_SIZE, SigningKey};
use crate::status::StatusCode;
use crate::wire::WireError;

/// How a message is authenticated.
#[derive(Debug, Clone, Copy)]
pub enum Seal<'a> {
    /// HMACAUTH: signed for an identity.
    Signed {
        /// The identity whose key it is.
        identity: i64,
        /// Its key.
        key: &'a SigningKey,
    },
    /// PINAUTH as a request, with the PIN.
    PinRequest(&'a Pin),
    /// PINAUTH as a response, without anything.
    PinResponse,
    /// UNSOLICITEDSTATUS, without anything.
    Unsolicited,
}

/// A PIN; printing it shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Pin(pub Bytes);

impl std::fmt::Debug for Pin {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Pin(..)")
    }
}

// Field numbers of Message, HMACauth and PINauth.
const AUTH_TYPE: u8 = 4;
const HMAC_AUTH: u8 = 5;
const PIN_AUTH: u8 = 6;
const COMMAND_BYTES: u8 = 7;
const IDENTITY: u8 = 1;
const HMAC: u8 = 2;
const PIN: u8 = 1;

/// Appends a whole frame but for its value, which the caller sends right behind it. The command
/// is a [`Command`], or a [`Reply`](crate::reply::Reply) where every nanosecond counts.
pub fn encode_frame(
    seal: Seal<'_>,
    command: &impl EncodeCommand,
    value_length: usize,
    out: &mut BytesMut,
) -> Result<(), FrameError> {
    let command_length = command.length();
    let message_length = checked_message_length(seal.message_length(command_length))?;
    let value_length = checked_value_length(value_length)?;
    out.reserve(FRAME_HEADER_SIZE + message_length as usize);
    out.put_slice(&frame_header(message_length, value_length));
    seal.put(command, command_length, out);
    Ok(())
}

/// Appends an encoded Message without a frame around it.
pub fn encode_message(
    seal: Seal<'_>,
    command: &impl EncodeCommand,
    out: &mut BytesMut,
) -> Result<(), FrameError> {
    let command_length = command.length();
    let message_length = checked_message_length(seal.message_length(command_length))?;
    out.reserve(message_length as usize);
    seal.put(command, command_length, out);
    Ok(())
}

/// A signed Message on its own.
pub fn seal_message(
    key: &SigningKey,
    identity: i64,
    command: &impl EncodeCommand,
) -> Result<Bytes, FrameError> {
    let mut out = BytesMut::new();
    encode_message(Seal::Signed { identity, key }, command, &mut out)?;
    Ok(out.freeze())
}

impl Seal<'_> {
    fn auth_type(&self) -> AuthType {
        match self {
            Self::Signed { .. } => AuthType::Hmacauth,
            Self::PinRequest(_) | Self::PinResponse => AuthType::Pinauth,
            Self::Unsolicited => AuthType::Unsolicitedstatus,
        }
    }

    fn message_length(&self, command_length: usize) -> usize {
        let proof = match self {
            Self::Signed { identity, .. } => 2 + hmac_auth_length(*identity),
            Self::PinRequest(pin) => delimited(delimited(pin.0.len())),
            Self::PinResponse | Self::Unsolicited => 0,
        };
        2 + proof + delimited(command_length)
    }

    /// Writes the Message; room has been reserved.
    fn put(&self, command: &impl EncodeCommand, command_length: usize, out: &mut BytesMut) {
        out.put_slice(&[AUTH_TYPE << 3, self.auth_type() as u8]);
        let mut signature_at = out.len();
        match self {
            Self::Signed { identity, .. } => {
                put_head(HMAC_AUTH, hmac_auth_length(*identity), out);
                out.put_u8(IDENTITY << 3);
                encode_varint(identity.cast_unsigned(), out);
                put_head(HMAC, SIGNATURE_SIZE, out);
                signature_at = out.len();
                out.put_bytes(0, SIGNATURE_SIZE);
            }
            Self::PinRequest(pin) => {
                put_head(PIN_AUTH, delimited(pin.0.len()), out);
                put_head(PIN, pin.0.len(), out);
                out.put_slice(&pin.0);
            }
            Self::PinResponse | Self::Unsolicited => {}
        }
        put_head(COMMAND_BYTES, command_length, out);
        let command_at = out.len();
        command.put(out);
        if let Self::Signed { key, .. } = self {
            let (head, command_bytes) = out.split_at_mut(command_at);
            let place = head.get_mut(signature_at..signature_at + SIGNATURE_SIZE);
            if let Some(place) = place {
                place.copy_from_slice(&key.sign(command_bytes));
            }
        }
    }
}

fn hmac_auth_length(identity: i64) -> usize {
    1 + encoded_len_varint(identity.cast_unsigned()) + 2 + SIGNATURE_SIZE
}

/// A message read whole, command and all: the way of clients and of tests. A drive reads the
/// views of [`crate::envelope`] first, and decodes a body only once the signature holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Received {
    /// `authType`, as the number that came.
    pub auth_type: Option<i32>,
    /// `hmacAuth.identity`.
    pub identity: Option<i64>,
    /// `hmacAuth.hmac`.
    pub hmac: Option<Bytes>,
    /// The command as it came: what a signature covers.
    pub command_bytes: Bytes,
    /// The command, decoded; its byte fields are slices of the frame.
    pub command: Command,
}

impl Received {
    /// Reads a Message. Absent command bytes read as an empty command.
    pub fn decode(message: &Bytes) -> Result<Self, WireError> {
        let view = MessageView::parse(message)?;
        let command_bytes = share(message, view.command_bytes());
        let command =
            Command::decode(command_bytes.clone()).map_err(|_why| WireError::Malformed)?;
        let hmac_auth = view.hmac_auth.unwrap_or_default();
        Ok(Self {
            auth_type: view.auth_type,
            identity: hmac_auth.identity,
            hmac: hmac_auth.hmac.map(|hmac| share(message, hmac)),
            command_bytes,
            command,
        })
    }

    /// Whether the signature is the one of the key; an absent one is not.
    pub fn verify(&self, key: &SigningKey) -> Result<(), BadSignature> {
        key.verify(
            &self.command_bytes,
            self.hmac.as_deref().unwrap_or_default(),
        )
    }

    /// Whether this is an unsolicited status, the hello included.
    pub fn is_unsolicited(&self) -> bool {
        self.auth_type == Some(AuthType::Unsolicitedstatus as i32)
    }

    /// `status.code`; an absent one reads as -1.
    pub fn status_code(&self) -> StatusCode {
        self.command
            .status
            .as_ref()
            .map_or(StatusCode(-1), StatusCode::of)
    }

    /// `header.ackSequence`: the request that this answers.
    pub fn ack_sequence(&self) -> Option<u64> {
        self.command
            .header
            .as_ref()
            .and_then(|header| header.ack_sequence)
    }
}

/// Fuzzing: a message that can be read can be sealed again, and then reads the same and
/// verifies.
///
/// # Panics
/// When that does not hold.
pub fn fuzz_received(bytes: &[u8]) {
    let Ok(first) = Received::decode(&Bytes::copy_from_slice(bytes)) else {
        return;
    };
    let key = SigningKey::new(b"fuzz");
    let identity = first.identity.unwrap_or(i64::MIN);
    let Ok(sealed) = seal_message(&key, identity, &first.command) else {
        return;
    };
    let again = Received::decode(&sealed);
    assert!(again.is_ok(), "a sealed message must be readable");
    let Ok(again) = again else { return };
    assert_eq!(again.verify(&key), Ok(()));
    assert_eq!(again.identity, Some(identity));
    assert_eq!(again.command.encode_to_vec(), first.command.encode_to_vec());
}

#[cfg(test)]
mod tests;
