//! A command written from borrowed parts: the frequent answers, without building a
//! [`Command`] first.
//!
//! Guarantees: the bytes are those that prost writes for the same command; nothing is copied but
//! into the output. Made of the views that [`crate::envelope`] reads, so presence is what the
//! caller put in. Not here: bodies other than a key-value, for which there is [`Command`].

use bytes::{BufMut, BytesMut};
use prost::encoding::{encode_varint, encoded_len_varint};

use crate::envelope::{HeaderView, KeyValueView};
use crate::schema::Command;

/// What can be put into a Message: its exact length, and its bytes.
pub trait EncodeCommand {
    /// Bytes that [`put`](Self::put) appends.
    fn length(&self) -> usize;

    /// Appends the encoded command.
    fn put(&self, out: &mut BytesMut);
}

impl EncodeCommand for Command {
    fn length(&self) -> usize {
        prost::Message::encoded_len(self)
    }

    fn put(&self, out: &mut BytesMut) {
        prost::Message::encode_raw(self, out);
    }
}

/// A command of header, key-value body and status, each if present.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reply<'a> {
    /// `header`.
    pub header: Option<HeaderView>,
    /// `body`, holding `keyValue` only.
    pub key_value: Option<KeyValueView<'a>>,
    /// `status`.
    pub status: Option<StatusView<'a>>,
}

/// A status without detailed message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StatusView<'a> {
    /// `code`.
    pub code: Option<i32>,
    /// `statusMessage`.
    pub message: Option<&'a str>,
}

impl EncodeCommand for Reply<'_> {
    fn length(&self) -> usize {
        let body = self.key_value.as_ref().map(|view| delimited(view.length()));
        [
            self.header.as_ref().map(HeaderView::length),
            body,
            self.status.map(StatusView::length),
        ]
        .into_iter()
        .flatten()
        .map(delimited)
        .sum()
    }

    fn put(&self, out: &mut BytesMut) {
        if let Some(header) = &self.header {
            put_head(1, header.length(), out);
            header.put(out);
        }
        if let Some(key_value) = &self.key_value {
            let length = key_value.length();
            put_head(2, delimited(length), out);
            put_head(1, length, out);
            key_value.put(out);
        }
        if let Some(status) = self.status {
            put_head(3, status.length(), out);
            put_number(1, status.code.map(sign_extended), out);
            put_bytes(2, status.message.map(str::as_bytes), out);
        }
    }
}

impl HeaderView {
    fn length(&self) -> usize {
        number(self.cluster_version.map(i64::cast_unsigned))
            + number(self.connection_id.map(i64::cast_unsigned))
            + number(self.sequence)
            + number(self.ack_sequence)
            + number(self.message_type.map(sign_extended))
            + number(self.timeout)
            + number(self.early_exit.map(u64::from))
            + number(self.priority.map(sign_extended))
            + number(self.time_quanta)
            + number(self.batch_id.map(u64::from))
    }

    fn put(&self, out: &mut BytesMut) {
        put_number(1, self.cluster_version.map(i64::cast_unsigned), out);
        put_number(3, self.connection_id.map(i64::cast_unsigned), out);
        put_number(4, self.sequence, out);
        put_number(6, self.ack_sequence, out);
        put_number(7, self.message_type.map(sign_extended), out);
        put_number(9, self.timeout, out);
        put_number(10, self.early_exit.map(u64::from), out);
        put_number(12, self.priority.map(sign_extended), out);
        put_number(13, self.time_quanta, out);
        put_number(14, self.batch_id.map(u64::from), out);
    }
}

impl KeyValueView<'_> {
    fn length(&self) -> usize {
        bytes(self.new_version)
            + bytes(self.key)
            + bytes(self.db_version)
            + bytes(self.tag)
            + number(self.algorithm.map(sign_extended))
            + number(self.metadata_only.map(u64::from))
            + number(self.force.map(u64::from))
            + number(self.synchronization.map(sign_extended))
    }

    fn put(&self, out: &mut BytesMut) {
        put_bytes(2, self.new_version, out);
        put_bytes(3, self.key, out);
        put_bytes(4, self.db_version, out);
        put_bytes(5, self.tag, out);
        put_number(6, self.algorithm.map(sign_extended), out);
        put_number(7, self.metadata_only.map(u64::from), out);
        put_number(8, self.force.map(u64::from), out);
        put_number(9, self.synchronization.map(sign_extended), out);
    }
}

impl StatusView<'_> {
    fn length(self) -> usize {
        number(self.code.map(sign_extended)) + bytes(self.message.map(str::as_bytes))
    }
}

/// Enumerations are signed: a negative one takes ten bytes.
fn sign_extended(value: i32) -> u64 {
    i64::from(value).cast_unsigned()
}

// All field numbers here are below 16, so a tag is one byte.

fn number(value: Option<u64>) -> usize {
    value.map_or(0, |value| 1 + encoded_len_varint(value))
}

fn bytes(value: Option<&[u8]>) -> usize {
    value.map_or(0, |value| delimited(value.len()))
}

/// Length of a field whose content has the given length.
pub(crate) fn delimited(length: usize) -> usize {
    1 + encoded_len_varint(length as u64) + length
}

fn put_number(field: u8, value: Option<u64>, out: &mut BytesMut) {
    if let Some(value) = value {
        put_tagged(field << 3, value, out);
    }
}

fn put_bytes(field: u8, value: Option<&[u8]>, out: &mut BytesMut) {
    if let Some(value) = value {
        put_head(field, value.len(), out);
        out.put_slice(value);
    }
}

/// The tag and length before bytes, a text or a message.
pub(crate) fn put_head(field: u8, length: usize, out: &mut BytesMut) {
    put_tagged(field << 3 | 2, length as u64, out);
}

/// One write for the short numbers that most are, for the others byte by byte.
#[inline]
fn put_tagged(tag: u8, value: u64, out: &mut BytesMut) {
    match u8::try_from(value) {
        Ok(short) if short < 0x80 => out.put_slice(&[tag, short]),
        _ => {
            out.put_u8(tag);
            encode_varint(value, out);
        }
    }
}

/// Fuzzing: a command that has only what a reply can say is written as prost writes it.
///
/// # Panics
/// When it is not.
pub fn fuzz_reply(command_bytes: &[u8]) {
    use crate::envelope::CommandView;
    let Ok(mut command) = <Command as prost::Message>::decode(command_bytes) else {
        return;
    };
    let Ok(view) = CommandView::parse(command_bytes) else {
        return;
    };
    let Ok(key_value) = view.key_value() else {
        return;
    };
    command.body = command
        .body
        .and_then(|body| body.key_value)
        .map(|key_value| {
            Box::new(crate::schema::command::Body {
                key_value: Some(crate::envelope::without_extensions(key_value)),
                ..Default::default()
            })
        });
    if let Some(status) = &mut command.status {
        status.detailed_message = None;
    }
    let status = command.status.as_ref().map(|status| StatusView {
        code: status.code,
        message: status.status_message.as_deref(),
    });
    let reply = Reply {
        header: view.header,
        key_value,
        status,
    };
    let mut out = BytesMut::new();
    reply.put(&mut out);
    assert_eq!(reply.length(), out.len());
    assert_eq!(out, prost::Message::encode_to_vec(&command));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_reply_is_what_prost_writes() {
        let mut command = BytesMut::new();
        let long = [7; 300];
        let header = HeaderView {
            cluster_version: Some(-1),
            connection_id: Some(i64::MAX),
            sequence: Some(u64::MAX),
            ack_sequence: Some(0),
            message_type: Some(-1),
            timeout: Some(128),
            early_exit: Some(false),
            priority: Some(9),
            time_quanta: Some(0),
            batch_id: Some(u32::MAX),
        };
        let key_value = KeyValueView {
            new_version: Some(&[]),
            key: Some(&long),
            db_version: Some(b"1"),
            tag: Some(&[0; 20]),
            algorithm: Some(100),
            metadata_only: Some(true),
            force: Some(false),
            synchronization: Some(-1),
        };
        let status = StatusView {
            code: Some(-1),
            message: Some(""),
        };
        Reply {
            header: Some(header),
            key_value: Some(key_value),
            status: Some(status),
        }
        .put(&mut command);
        let read = <Command as prost::Message>::decode(&command[..]).unwrap();
        assert_eq!(
            read.status.as_ref().unwrap().status_message.as_deref(),
            Some("")
        );
        assert_eq!(
            read.body
                .as_ref()
                .unwrap()
                .key_value
                .as_ref()
                .unwrap()
                .force,
            Some(false)
        );
        assert_eq!(command, prost::Message::encode_to_vec(&read));
        fuzz_reply(&command);
    }

    #[test]
    fn an_empty_key_value_is_present_and_an_absent_one_is_not() {
        let empty = Reply {
            key_value: Some(KeyValueView::default()),
            ..Reply::default()
        };
        let mut out = BytesMut::new();
        empty.put(&mut out);
        assert_eq!(&out[..], [0x12, 2, 0x0a, 0]);
        assert_eq!(Reply::default().length(), 0);
    }
}
