//! A captured PDU taken apart, and why its HMAC is what it is.
//!
//! Guarantees: whatever the bytes are, they are read as far as they make sense; a signature that
//! does not match is tried against the mistakes that client authors make. Not here: showing it.

use bytes::Bytes;
use kinetic_proto::limits::FRAME_HEADER_SIZE;
use kinetic_proto::schema::message::AuthType;
use kinetic_proto::wire::WireError;
use kinetic_proto::{MessageView, SigningKey};
use ring::hmac;

use crate::config::FACTORY_KEY;

/// A PDU, or a message without a frame around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pdu {
    /// The two lengths of its frame, message and value; `None` where it has no frame.
    pub announced: Option<(usize, usize)>,
    /// The encoded Message.
    pub message: Bytes,
    /// The value, or what there is of it.
    pub value: Bytes,
    /// Bytes behind its end.
    pub trailing: usize,
}

/// Why bytes are no PDU.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PduError {
    /// Fewer bytes than the frame announces.
    #[error("the frame announces a message of {announced} bytes, and there are {found}")]
    Truncated {
        /// What the frame says.
        announced: usize,
        /// What is there.
        found: usize,
    },
    /// Too few bytes for the lengths of a frame.
    #[error("a frame begins with {FRAME_HEADER_SIZE} bytes, F and two lengths, and there are {0}")]
    Begun(usize),
    /// Neither a frame nor a message.
    #[error("it is neither a frame, which begins with F, nor a message without one: {0}")]
    Neither(WireError),
    /// A frame around something else.
    #[error("the message of {0} bytes in the frame cannot be read: {1}")]
    Message(usize, WireError),
}

/// What is to be said of a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The message is not authenticated by a signature.
    Unsigned,
    /// It is the one that the key gives.
    Right,
    /// It has not 20 bytes, as HMAC-SHA1 has.
    WrongSize(usize),
    /// It was made by this mistake.
    Mistake(Mistake),
    /// It was made with another key, or in a way that nobody thought of.
    Unexplained,
}

/// How a signature came to be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// The length before the command bytes is missing.
    NoLength,
    /// The length is little-endian.
    LittleEndianLength,
    /// The length has 8 bytes instead of 4.
    LongLength,
    /// The value is part of the input.
    WithValue,
    /// The whole message is the input, instead of the command bytes.
    WholeMessage,
    /// The length is there, and the command bytes are missing.
    LengthAlone,
    /// It was made with the key that drives have from the factory.
    FactoryKey,
    /// It was made with an empty key.
    EmptyKey,
    /// The key had a newline at its end.
    KeyWithNewline,
    /// The key's digits were taken as text instead of the bytes that they mean, or the other way.
    KeyAsHex,
}

impl Pdu {
    /// Takes bytes apart.
    ///
    /// # Errors
    /// [`PduError`]: what they begin with is no PDU.
    pub fn read(bytes: &Bytes) -> Result<Self, PduError> {
        let Some((message_length, value_length)) = frame_lengths(bytes) else {
            // No message begins with an F: that would be a field of a kind that there is not.
            if bytes.first() == Some(&b'F') {
                return Err(PduError::Begun(bytes.len()));
            }
            MessageView::parse(bytes).map_err(PduError::Neither)?;
            return Ok(Self {
                announced: None,
                message: bytes.clone(),
                value: Bytes::new(),
                trailing: 0,
            });
        };
        let rest = bytes.slice(FRAME_HEADER_SIZE..);
        if rest.len() < message_length {
            return Err(PduError::Truncated {
                announced: message_length,
                found: rest.len(),
            });
        }
        let message = rest.slice(..message_length);
        MessageView::parse(&message).map_err(|why| PduError::Message(message_length, why))?;
        let rest = rest.slice(message_length..);
        let value = rest.slice(..value_length.min(rest.len()));
        Ok(Self {
            announced: Some((message_length, value_length)),
            trailing: rest.len() - value.len(),
            message,
            value,
        })
    }

    /// Whether its signature is the one that `key` gives, and if not, why.
    pub fn judge(&self, key: &[u8]) -> Verdict {
        // It was parsed when it was read.
        let view = MessageView::parse(&self.message).unwrap_or_default();
        if view.auth_type != Some(AuthType::Hmacauth.into()) {
            return Verdict::Unsigned;
        }
        let command = view.command_bytes();
        let signature = view.hmac_auth.and_then(|auth| auth.hmac);
        let signature = signature.unwrap_or_default();
        if SigningKey::new(key).verify(command, signature).is_ok() {
            return Verdict::Right;
        }
        if signature.len() != kinetic_proto::sign::SIGNATURE_SIZE {
            return Verdict::WrongSize(signature.len());
        }
        let by_key = other_keys(key).into_iter().find(|(_, other)| {
            let other = SigningKey::new(other);
            other.verify(command, signature).is_ok()
        });
        let by_key = by_key.map(|(mistake, _)| mistake);
        match by_key.or_else(|| self.other_input(key, command, signature)) {
            Some(mistake) => Verdict::Mistake(mistake),
            None => Verdict::Unexplained,
        }
    }

    fn other_input(&self, key: &[u8], command: &[u8], signature: &[u8]) -> Option<Mistake> {
        let length = u32::try_from(command.len()).unwrap_or(u32::MAX);
        let big = length.to_be_bytes();
        let little = length.to_le_bytes();
        let long = u64::from(length).to_be_bytes();
        let value = &self.value[..];
        let inputs: [(Mistake, &[&[u8]]); 8] = [
            (Mistake::NoLength, &[command]),
            (Mistake::LittleEndianLength, &[&little, command]),
            (Mistake::LongLength, &[&long, command]),
            (Mistake::WithValue, &[&big, command, value]),
            (Mistake::WithValue, &[command, value]),
            (Mistake::WholeMessage, &[&self.message]),
            (Mistake::LengthAlone, &[&big]),
            (Mistake::LengthAlone, &[]),
        ];
        let keyed = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key);
        let found = inputs.into_iter().find(|(_, parts)| {
            let mut input = hmac::Context::with_key(&keyed);
            parts.iter().for_each(|part| input.update(part));
            input.sign().as_ref() == signature
        });
        found.map(|(mistake, _)| mistake)
    }
}

/// The lengths of a frame, if there is one.
fn frame_lengths(bytes: &[u8]) -> Option<(usize, usize)> {
    let number = |at: usize| -> Option<usize> {
        let four = bytes.get(at..at + 4)?.try_into().ok()?;
        usize::try_from(u32::from_be_bytes(four)).ok()
    };
    (bytes.first() == Some(&b'F')).then_some(())?;
    Some((number(1)?, number(5)?))
}

/// Keys that the signature may have been made with by mistake.
fn other_keys(key: &[u8]) -> Vec<(Mistake, Vec<u8>)> {
    let mut keys = vec![
        (Mistake::FactoryKey, FACTORY_KEY.to_vec()),
        (Mistake::EmptyKey, Vec::new()),
        (Mistake::KeyWithNewline, [key, b"\n"].concat()),
        (Mistake::KeyWithNewline, [key, b"\r\n"].concat()),
    ];
    let digits: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    keys.push((Mistake::KeyAsHex, digits.to_uppercase().into_bytes()));
    keys.push((Mistake::KeyAsHex, digits.into_bytes()));
    keys.extend(from_hex(key).map(|bytes| (Mistake::KeyAsHex, bytes)));
    keys
}

fn from_hex(digits: &[u8]) -> Option<Vec<u8>> {
    let byte = |pair: &[u8]| {
        let pair = std::str::from_utf8(pair).ok()?;
        (pair.len() == 2).then_some(())?;
        u8::from_str_radix(pair, 16).ok()
    };
    digits.chunks(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BytesMut;
    use kinetic_proto::schema::Command;
    use kinetic_proto::schema::command::Header;
    use kinetic_proto::{Seal, message};

    const VALUE: &[u8] = b"the value";

    fn put() -> Command {
        Command {
            header: Some(Header {
                sequence: Some(7),
                ..Header::default()
            }),
            ..Command::default()
        }
    }

    /// A PUT signed with a key, and then given another signature.
    fn signed(key: &[u8], forge: impl Fn(&[u8], &[u8]) -> Vec<u8>) -> Pdu {
        let mut out = BytesMut::new();
        let seal = Seal::Signed {
            identity: 1,
            key: &SigningKey::new(key),
        };
        message::encode_frame(seal, &put(), VALUE.len(), &mut out).unwrap();
        let mut bytes = out.to_vec();
        let view = MessageView::parse(&bytes[FRAME_HEADER_SIZE..]).unwrap();
        let command = view.command_bytes().to_vec();
        let signature = view.hmac_auth.unwrap().hmac.unwrap();
        let at = signature.as_ptr() as usize - bytes.as_ptr() as usize;
        let forged = forge(&command, signature);
        bytes[at..at + 20].copy_from_slice(&forged);
        bytes.extend_from_slice(VALUE);
        Pdu::read(&bytes.into()).unwrap()
    }

    fn raw(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key);
        hmac::sign(&key, &parts.concat()).as_ref().to_vec()
    }

    #[test]
    fn a_right_signature_is_right_and_a_foreign_one_unexplained() {
        let right = signed(b"key", |_, signature| signature.to_vec());
        assert_eq!(right.judge(b"key"), Verdict::Right);
        assert_eq!(right.judge(b"other"), Verdict::Unexplained);
        assert_eq!(right.value, VALUE);
        assert_eq!(right.trailing, 0);
    }

    #[test]
    fn each_mistake_in_the_input_is_found() {
        let length = |command: &[u8]| u32::try_from(command.len()).unwrap();
        type Forge = Box<dyn Fn(&[u8], &[u8]) -> Vec<u8>>;
        let forgeries: [(Mistake, Forge); 5] = [
            (
                Mistake::NoLength,
                Box::new(|command, _| raw(b"key", &[command])),
            ),
            (
                Mistake::LittleEndianLength,
                Box::new(move |command, _| raw(b"key", &[&length(command).to_le_bytes(), command])),
            ),
            (
                Mistake::LongLength,
                Box::new(move |command, _| {
                    let long = u64::from(length(command)).to_be_bytes();
                    raw(b"key", &[&long, command])
                }),
            ),
            (
                Mistake::WithValue,
                Box::new(move |command, _| {
                    raw(b"key", &[&length(command).to_be_bytes(), command, VALUE])
                }),
            ),
            (Mistake::LengthAlone, Box::new(|_, _| raw(b"key", &[]))),
        ];
        for (mistake, forge) in forgeries {
            let pdu = signed(b"key", forge);
            assert_eq!(pdu.judge(b"key"), Verdict::Mistake(mistake));
        }
    }

    #[test]
    fn each_mistake_in_the_key_is_found() {
        for (made_with, mistake) in [
            (FACTORY_KEY, Mistake::FactoryKey),
            (b"", Mistake::EmptyKey),
            (b"abcd\n", Mistake::KeyWithNewline),
            (b"\xab\xcd", Mistake::KeyAsHex),
            (b"61626364", Mistake::KeyAsHex),
        ] {
            let pdu = signed(made_with, |_, signature| signature.to_vec());
            assert_eq!(pdu.judge(b"abcd"), Verdict::Mistake(mistake));
        }
    }

    #[test]
    fn what_is_no_pdu_says_why() {
        let read = |bytes: &'static [u8]| Pdu::read(&Bytes::from_static(bytes));
        assert_eq!(
            read(b"F\0\0\0\x09\0\0\0\0abc"),
            Err(PduError::Truncated {
                announced: 9,
                found: 3
            })
        );
        assert!(matches!(read(b"\xff\xff"), Err(PduError::Neither(_))));
        assert_eq!(read(b"F\0\0\0"), Err(PduError::Begun(4)));
        let garbage = read(b"F\0\0\0\x02\0\0\0\0\xff\xff");
        assert!(matches!(garbage, Err(PduError::Message(2, _))));
        let unsigned = read(b"F\0\0\0\0\0\0\0\x05ab").unwrap();
        assert_eq!(unsigned.judge(b""), Verdict::Unsigned);
        assert_eq!((&unsigned.value[..], unsigned.trailing), (&b"ab"[..], 0));
    }
}
