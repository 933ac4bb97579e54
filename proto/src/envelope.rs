//! Borrowed views of the outer Message, the command header and the key-value body.
//!
//! Guarantees: nothing is copied; presence is kept; repeated occurrences of a field merge as
//! protobuf says (the last scalar wins, messages are merged), so a view holds what prost would.
//! The one difference: a view reads only its own level, so it accepts a command whose body or
//! status is malformed; that comes to light when they are decoded.
//! Not here: checking signatures, deciding what a request means.

use std::borrow::Cow;

use bytes::Bytes;
use prost::Message as _;

use crate::limits::MAX_NESTING_DEPTH;
use crate::message_type::MessageType;
use crate::schema::command::{Body, Header, KeyValue, Status};
use crate::schema::message::{HmaCauth, PiNauth};
use crate::schema::{Command, Message};
use crate::wire::{Fields, WireError};

/// The outer Message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MessageView<'a> {
    /// `authType`, as the number that came.
    pub auth_type: Option<i32>,
    /// `hmacAuth`.
    pub hmac_auth: Option<HmacAuthView<'a>>,
    /// `pinAuth`.
    pub pin_auth: Option<PinAuthView<'a>>,
    /// `commandBytes`: what a signature covers.
    pub command_bytes: Option<&'a [u8]>,
}

/// Identity and signature.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HmacAuthView<'a> {
    /// `identity`.
    pub identity: Option<i64>,
    /// `hmac`.
    pub hmac: Option<&'a [u8]>,
}

/// The PIN of a PIN operation.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct PinAuthView<'a> {
    /// `pin`.
    pub pin: Option<&'a [u8]>,
}

impl std::fmt::Debug for PinAuthView<'_> {
    /// A PIN is a secret: only its presence is shown.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(if self.pin.is_some() {
            "PinAuthView(..)"
        } else {
            "PinAuthView(none)"
        })
    }
}

impl<'a> MessageView<'a> {
    /// Reads a Message.
    pub fn parse(message: &'a [u8]) -> Result<Self, WireError> {
        let mut view = Self::default();
        let mut fields = Fields::new(message);
        while let Some(field) = fields.next_field()? {
            match field.number {
                4 => view.auth_type = Some(field.int32()?),
                5 => view
                    .hmac_auth
                    .get_or_insert_default()
                    .merge(field.bytes()?)?,
                6 => view
                    .pin_auth
                    .get_or_insert_default()
                    .merge(field.bytes()?)?,
                7 => view.command_bytes = Some(field.bytes()?),
                _ => {}
            }
        }
        Ok(view)
    }

    /// The command bytes; absent ones read as empty.
    pub fn command_bytes(&self) -> &'a [u8] {
        self.command_bytes.unwrap_or_default()
    }
}

impl<'a> HmacAuthView<'a> {
    fn merge(&mut self, message: &'a [u8]) -> Result<(), WireError> {
        let mut fields = Fields::nested(message, 1);
        while let Some(field) = fields.next_field()? {
            match field.number {
                1 => self.identity = Some(field.int64()?),
                2 => self.hmac = Some(field.bytes()?),
                _ => {}
            }
        }
        Ok(())
    }
}

impl<'a> PinAuthView<'a> {
    fn merge(&mut self, message: &'a [u8]) -> Result<(), WireError> {
        let mut fields = Fields::nested(message, 1);
        while let Some(field) = fields.next_field()? {
            if field.number == 1 {
                self.pin = Some(field.bytes()?);
            }
        }
        Ok(())
    }
}

/// A Command: its header read, body and status as bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommandView<'a> {
    /// `header`.
    pub header: Option<HeaderView>,
    /// The encoded `body`. Borrowed, unless it came in several parts: those are joined, which is
    /// the same as merging them.
    pub body: Option<Cow<'a, [u8]>>,
    /// The encoded `status`, likewise.
    pub status: Option<Cow<'a, [u8]>>,
}

impl<'a> CommandView<'a> {
    /// Reads a Command.
    pub fn parse(command_bytes: &'a [u8]) -> Result<Self, WireError> {
        let mut view = Self::default();
        let mut fields = Fields::new(command_bytes);
        while let Some(field) = fields.next_field()? {
            match field.number {
                1 => view.header.get_or_insert_default().merge(field.bytes()?)?,
                2 => join(&mut view.body, field.bytes()?)?,
                3 => join(&mut view.status, field.bytes()?)?,
                _ => {}
            }
        }
        Ok(view)
    }

    /// `body.keyValue`, borrowed. Other bodies in the same message are passed over unread.
    pub fn key_value(&self) -> Result<Option<KeyValueView<'_>>, WireError> {
        let Some(body) = &self.body else {
            return Ok(None);
        };
        let mut view = None;
        let mut fields = Fields::nested(body, 1);
        while let Some(field) = fields.next_field()? {
            if field.number == 1 {
                let key_value: &mut KeyValueView<'_> = view.get_or_insert_default();
                key_value.merge(field.bytes()?)?;
            }
        }
        Ok(view)
    }

    /// The whole body, decoded. Its byte fields are slices of `source`, the memory the command
    /// lies in (see [`share`]).
    pub fn decode_body(&self, source: &Bytes) -> Result<Option<Body>, WireError> {
        let Some(body) = &self.body else {
            return Ok(None);
        };
        Body::decode(share(source, body))
            .map(Some)
            .map_err(|_why| WireError::Malformed)
    }

    /// One message of the body, decoded, by its field number. Others are passed over unread, so
    /// that what it takes in memory is what this one message takes.
    pub fn decode_part<M: prost::Message + Default>(
        &self,
        number: u32,
        source: &Bytes,
    ) -> Result<Option<M>, WireError> {
        let Some(body) = &self.body else {
            return Ok(None);
        };
        let mut part: Option<M> = None;
        let mut fields = Fields::nested(body, 1);
        while let Some(field) = fields.next_field()? {
            if field.number == number {
                let bytes = share(source, field.bytes()?);
                let part = part.get_or_insert_default();
                part.merge(bytes).map_err(|_why| WireError::Malformed)?;
            }
        }
        Ok(part)
    }

    /// How often a message of the body repeats a field, in the messages of its own type that are
    /// nested in that included. Nothing is decoded for it: what takes two bytes here may take
    /// hundreds in memory.
    pub fn count_repeated(&self, number: u32, repeated: Repeated) -> Result<usize, WireError> {
        let Some(body) = &self.body else {
            return Ok(0);
        };
        let mut count = 0;
        let mut fields = Fields::nested(body, 1);
        while let Some(field) = fields.next_field()? {
            if field.number == number {
                count += repeated.count_in(field.bytes()?, 2)?;
            }
        }
        Ok(count)
    }

    /// The whole status, decoded.
    pub fn decode_status(&self, source: &Bytes) -> Result<Option<Status>, WireError> {
        let Some(status) = &self.status else {
            return Ok(None);
        };
        Status::decode(share(source, status))
            .map(Some)
            .map_err(|_why| WireError::Malformed)
    }
}

/// Adds one more part of a message. Each part has to be whole fields: joined, the half of one
/// and the half of another could make sense that neither part has.
fn join<'a>(whole: &mut Option<Cow<'a, [u8]>>, part: &'a [u8]) -> Result<(), WireError> {
    match whole {
        None => *whole = Some(Cow::Borrowed(part)),
        Some(earlier) => {
            if let Cow::Borrowed(first) = earlier {
                check_fields(first)?;
            }
            check_fields(part)?;
            earlier.to_mut().extend_from_slice(part);
        }
    }
    Ok(())
}

fn check_fields(message: &[u8]) -> Result<(), WireError> {
    let mut fields = Fields::nested(message, 1);
    while fields.next_field()?.is_some() {}
    Ok(())
}

/// The header of a command.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "fields have the names of the schema")]
pub struct HeaderView {
    pub cluster_version: Option<i64>,
    pub connection_id: Option<i64>,
    pub sequence: Option<u64>,
    pub ack_sequence: Option<u64>,
    pub message_type: Option<i32>,
    pub timeout: Option<u64>,
    pub early_exit: Option<bool>,
    pub priority: Option<i32>,
    pub time_quanta: Option<u64>,
    pub batch_id: Option<u32>,
}

impl HeaderView {
    /// The message type; an absent one reads as -1, which is no request.
    pub fn message_type(&self) -> MessageType {
        MessageType(self.message_type.unwrap_or(-1))
    }

    fn merge(&mut self, message: &[u8]) -> Result<(), WireError> {
        let mut fields = Fields::nested(message, 1);
        while let Some(field) = fields.next_field()? {
            match field.number {
                1 => self.cluster_version = Some(field.int64()?),
                3 => self.connection_id = Some(field.int64()?),
                4 => self.sequence = Some(field.uint64()?),
                6 => self.ack_sequence = Some(field.uint64()?),
                7 => self.message_type = Some(field.int32()?),
                9 => self.timeout = Some(field.uint64()?),
                10 => self.early_exit = Some(field.boolean()?),
                12 => self.priority = Some(field.int32()?),
                13 => self.time_quanta = Some(field.uint64()?),
                14 => self.batch_id = Some(field.uint32()?),
                _ => {}
            }
        }
        Ok(())
    }
}

/// The key-value body of PUT, GET, DELETE and their like, without the fields of extensions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "fields have the names of the schema")]
pub struct KeyValueView<'a> {
    pub new_version: Option<&'a [u8]>,
    pub key: Option<&'a [u8]>,
    pub db_version: Option<&'a [u8]>,
    pub tag: Option<&'a [u8]>,
    pub algorithm: Option<i32>,
    pub metadata_only: Option<bool>,
    pub force: Option<bool>,
    pub synchronization: Option<i32>,
}

impl<'a> KeyValueView<'a> {
    fn merge(&mut self, message: &'a [u8]) -> Result<(), WireError> {
        let mut fields = Fields::nested(message, 2);
        while let Some(field) = fields.next_field()? {
            match field.number {
                2 => self.new_version = Some(field.bytes()?),
                3 => self.key = Some(field.bytes()?),
                4 => self.db_version = Some(field.bytes()?),
                5 => self.tag = Some(field.bytes()?),
                6 => self.algorithm = Some(field.int32()?),
                7 => self.metadata_only = Some(field.boolean()?),
                8 => self.force = Some(field.boolean()?),
                9 => self.synchronization = Some(field.int32()?),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Owned bytes for a part of `source` that a view borrowed: a slice that shares its memory, or a
/// copy when `part` lies elsewhere (a body that came in several parts).
pub fn share(source: &Bytes, part: &[u8]) -> Bytes {
    let offset = part.as_ptr().addr().checked_sub(source.as_ptr().addr());
    let range = offset.and_then(|start| Some(start..start.checked_add(part.len())?));
    match range {
        Some(range) if range.end <= source.len() => source.slice(range),
        _ => Bytes::copy_from_slice(part),
    }
}

/// Fuzzing: the view of a Message is what prost makes of it.
///
/// # Panics
/// When it is not.
pub fn fuzz_message_view(bytes: &[u8]) {
    let full = Message::decode(bytes).ok();
    let view = MessageView::parse(bytes).ok();
    let owned = |part: Option<&[u8]>| part.map(Bytes::copy_from_slice);
    let from_view = view.map(|view| Message {
        auth_type: view.auth_type,
        hmac_auth: view.hmac_auth.map(|auth| HmaCauth {
            identity: auth.identity,
            hmac: owned(auth.hmac),
        }),
        pin_auth: view.pin_auth.map(|auth| PiNauth {
            pin: owned(auth.pin),
        }),
        command_bytes: owned(view.command_bytes),
    });
    assert_eq!(full, from_view);
}

/// Fuzzing: the views of a Command, and its body and status decoded from them, are what prost
/// makes of the whole.
///
/// # Panics
/// When they are not.
pub fn fuzz_command_view(bytes: &[u8]) {
    let source = Bytes::copy_from_slice(bytes);
    let full = Command::decode(bytes).ok();
    let from_view = command_from_view(&source).ok();
    // Floats may be NaN, which equals nothing: their encodings are compared.
    assert_eq!(
        full.as_ref().map(Command::encode_to_vec),
        from_view.as_ref().map(Command::encode_to_vec)
    );
    let Some(full) = full else { return };
    let Ok(view) = CommandView::parse(&source) else {
        return;
    };
    let owned = |part: Option<&[u8]>| part.map(Bytes::copy_from_slice);
    let key_value = view.key_value().map(|key_value| {
        key_value.map(|view| KeyValue {
            new_version: owned(view.new_version),
            key: owned(view.key),
            db_version: owned(view.db_version),
            tag: owned(view.tag),
            algorithm: view.algorithm,
            metadata_only: view.metadata_only,
            force: view.force,
            synchronization: view.synchronization,
            ..KeyValue::default()
        })
    });
    let expected = full.body.and_then(|body| body.key_value);
    assert_eq!(key_value, Ok(expected.map(without_extensions)));
}

/// What a view holds of an entry: the fields of the protocol.
pub(crate) fn without_extensions(key_value: KeyValue) -> KeyValue {
    KeyValue {
        offset: None,
        length: None,
        value_length: None,
        ..key_value
    }
}

fn command_from_view(source: &Bytes) -> Result<Command, WireError> {
    let view = CommandView::parse(source)?;
    let header = view.header.map(|header| Header {
        cluster_version: header.cluster_version,
        connection_id: header.connection_id,
        sequence: header.sequence,
        ack_sequence: header.ack_sequence,
        message_type: header.message_type,
        timeout: header.timeout,
        early_exit: header.early_exit,
        priority: header.priority,
        time_quanta: header.time_quanta,
        batch_id: header.batch_id,
    });
    Ok(Command {
        header,
        body: view.decode_body(source)?.map(Box::new),
        status: view.decode_status(source)?,
    })
}

/// A field that messages of one type repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repeated {
    /// Its number.
    pub field: u32,
    /// The number of the field within it that holds a message of the same type, if one may.
    pub nested: Option<u32>,
}

impl Repeated {
    fn count_in(self, message: &[u8], depth: u32) -> Result<usize, WireError> {
        let mut count = 0;
        let mut fields = Fields::nested(message, depth);
        while let Some(field) = fields.next_field()? {
            if field.number != self.field {
                continue;
            }
            count += 1;
            // What is nested deeper than that is not decoded either.
            let Some(nested) = self.nested.filter(|_| depth < MAX_NESTING_DEPTH) else {
                continue;
            };
            let mut inner = Fields::nested(field.bytes()?, depth + 1);
            while let Some(one) = inner.next_field()? {
                if one.number == nested {
                    count += self.count_in(one.bytes()?, depth + 2)?;
                }
            }
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests;
