//! Every bound of the protocol, by name, and the message that reports them.
//!
//! Guarantees: the relations between the bounds hold at compile time; what a drive reports is
//! what [`Limits`] holds; a limit that does not exist is absent from the report.
//! Not here: enforcing them. Units are bytes where a name ends in `_SIZE`, else counts.

use crate::schema::command::get_log;

/// Bytes before the message: magic, message length, value length.
pub const FRAME_HEADER_SIZE: usize = 9;

/// Largest encoded Message, in bytes; a longer one ends the connection.
pub const MAX_MESSAGE_SIZE: u32 = 1 << 20;

/// Largest value that is delivered, in bytes.
pub const MAX_VALUE_SIZE: u32 = 1 << 20;

/// Largest value that is read and thrown away, in bytes; a longer one ends the connection.
pub const MAX_DISCARDED_VALUE_SIZE: u32 = 16 << 20;

/// Most bytes a reader is asked to make room for while a value is thrown away.
pub const DISCARD_STEP_SIZE: usize = 64 << 10;

/// Largest key, in bytes.
pub const MAX_KEY_SIZE: u32 = 4096;

/// Largest version of an entry, in bytes.
pub const MAX_VERSION_SIZE: u32 = 2048;

/// Largest tag of an entry, in bytes. The protocol names none; this one is ours.
pub const MAX_TAG_SIZE: u32 = 4096;

/// Longest end of a range, in bytes. It may be longer than a key: a client that computes the end of
/// a prefix may need a byte more.
pub const MAX_RANGE_END_SIZE: u32 = 2 * MAX_KEY_SIZE;

/// Most keys in one answer to a range.
pub const MAX_KEY_RANGE_COUNT: u32 = 200;

/// Most connections a drive keeps.
pub const MAX_CONNECTIONS: u32 = 1024;

/// Most identities in the access control list.
pub const MAX_IDENTITY_COUNT: u32 = 1024;

/// Largest PIN, in bytes.
pub const MAX_PIN_SIZE: u32 = 1024;

/// Most operations in one batch.
pub const MAX_OPERATIONS_PER_BATCH: u32 = 1000;

/// Most bytes of keys, metadata and values in one batch.
pub const MAX_BATCH_SIZE: u32 = 8 << 20;

/// Most batches open on a drive.
pub const MAX_BATCHES_PER_DEVICE: u32 = 64;

/// Most keys in one EXISTS or MULTI_GET.
pub const MAX_KEYS_PER_REQUEST: u32 = 1000;

/// Most bytes of values in one answer to MULTI_GET: one largest value always fits.
pub const MAX_FOUND_SIZE: u32 = MAX_VALUE_SIZE;

/// Most parts in one answer to RANGE_DIGEST.
pub const MAX_DIGEST_PARTS: u32 = 200;

/// Deepest nesting of pushes from drive to drive.
pub const MAX_PUSH_DEPTH: u32 = 32;

/// Deepest nesting of protobuf messages or groups a decoder follows.
pub const MAX_NESTING_DEPTH: u32 = 100;

/// Bytes that the answer to a range needs beside its keys: the tag and length of each key
/// within them, the envelope with the HMAC and the header.
const RANGE_ANSWER_OVERHEAD: u32 = MAX_KEY_RANGE_COUNT * 4 + 256;

/// Bytes that a part of a digest needs beside its key: the sum, two numbers, tags and lengths.
const PART_OVERHEAD: u32 = 96;

/// Most bytes of a varint.
const MAX_VARINT_SIZE: u32 = 10;

const _: () = {
    assert!(
        MAX_KEY_RANGE_COUNT * MAX_KEY_SIZE + MAX_RANGE_END_SIZE + RANGE_ANSWER_OVERHEAD
            <= MAX_MESSAGE_SIZE
    );
    assert!(MAX_KEY_SIZE < MAX_RANGE_END_SIZE);
    assert!(MAX_OPERATIONS_PER_BATCH * MAX_VARINT_SIZE + 256 <= MAX_MESSAGE_SIZE);
    assert!(MAX_KEY_SIZE + 2 * MAX_VERSION_SIZE + MAX_TAG_SIZE + 256 <= MAX_MESSAGE_SIZE);
    assert!(MAX_DIGEST_PARTS * (MAX_KEY_SIZE + PART_OVERHEAD) + 8192 <= MAX_MESSAGE_SIZE);
    assert!(MAX_VALUE_SIZE <= MAX_DISCARDED_VALUE_SIZE);
    assert!(MAX_VALUE_SIZE <= MAX_BATCH_SIZE);
    assert!(DISCARD_STEP_SIZE <= MAX_VALUE_SIZE as usize);
    // Several clients read the two lengths of a frame as signed numbers.
    assert!(MAX_MESSAGE_SIZE <= i32::MAX as u32);
    assert!(MAX_DISCARDED_VALUE_SIZE <= i32::MAX as u32);
    assert!(MAX_PUSH_DEPTH * 2 < MAX_NESTING_DEPTH);
};

/// The limits that one drive enforces and reports, or that a client learned from a hello.
///
/// `None` is "no such limit": it is absent on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "fields have the names that GETLOG LIMITS gives them"
)]
pub struct Limits {
    pub max_key_size: Option<u32>,
    pub max_value_size: Option<u32>,
    pub max_version_size: Option<u32>,
    pub max_tag_size: Option<u32>,
    pub max_connections: Option<u32>,
    pub max_outstanding_read_requests: Option<u32>,
    pub max_outstanding_write_requests: Option<u32>,
    pub max_message_size: Option<u32>,
    pub max_key_range_count: Option<u32>,
    pub max_identity_count: Option<u32>,
    pub max_pin_size: Option<u32>,
    pub max_operation_count_per_batch: Option<u32>,
    pub max_batch_count_per_device: Option<u32>,
    pub max_batch_size: Option<u32>,
    pub max_deletes_per_batch: Option<u32>,
}

impl Default for Limits {
    /// The limits of this drive. Outstanding requests are bounded in bytes, not in number.
    fn default() -> Self {
        Self {
            max_key_size: Some(MAX_KEY_SIZE),
            max_value_size: Some(MAX_VALUE_SIZE),
            max_version_size: Some(MAX_VERSION_SIZE),
            max_tag_size: Some(MAX_TAG_SIZE),
            max_connections: Some(MAX_CONNECTIONS),
            max_outstanding_read_requests: None,
            max_outstanding_write_requests: None,
            max_message_size: Some(MAX_MESSAGE_SIZE),
            max_key_range_count: Some(MAX_KEY_RANGE_COUNT),
            max_identity_count: Some(MAX_IDENTITY_COUNT),
            max_pin_size: Some(MAX_PIN_SIZE),
            max_operation_count_per_batch: Some(MAX_OPERATIONS_PER_BATCH),
            max_batch_count_per_device: Some(MAX_BATCHES_PER_DEVICE),
            max_batch_size: Some(MAX_BATCH_SIZE),
            max_deletes_per_batch: Some(MAX_OPERATIONS_PER_BATCH),
        }
    }
}

impl Limits {
    /// The body of GETLOG LIMITS and of the hello.
    pub fn to_message(&self) -> get_log::Limits {
        get_log::Limits {
            max_key_size: self.max_key_size,
            max_value_size: self.max_value_size,
            max_version_size: self.max_version_size,
            max_tag_size: self.max_tag_size,
            max_connections: self.max_connections,
            max_outstanding_read_requests: self.max_outstanding_read_requests,
            max_outstanding_write_requests: self.max_outstanding_write_requests,
            max_message_size: self.max_message_size,
            max_key_range_count: self.max_key_range_count,
            max_identity_count: self.max_identity_count,
            max_pin_size: self.max_pin_size,
            max_operation_count_per_batch: self.max_operation_count_per_batch,
            max_batch_count_per_device: self.max_batch_count_per_device,
            max_batch_size: self.max_batch_size,
            max_deletes_per_batch: self.max_deletes_per_batch,
        }
    }

    /// What a drive reported. Drives of protocol 3.x write -1 where they have no limit, which
    /// arrives as 4294967295: that reads as no limit.
    pub fn from_message(reported: &get_log::Limits) -> Self {
        let real = |limit: Option<u32>| limit.filter(|&limit| limit != u32::MAX);
        Self {
            max_key_size: real(reported.max_key_size),
            max_value_size: real(reported.max_value_size),
            max_version_size: real(reported.max_version_size),
            max_tag_size: real(reported.max_tag_size),
            max_connections: real(reported.max_connections),
            max_outstanding_read_requests: real(reported.max_outstanding_read_requests),
            max_outstanding_write_requests: real(reported.max_outstanding_write_requests),
            max_message_size: real(reported.max_message_size),
            max_key_range_count: real(reported.max_key_range_count),
            max_identity_count: real(reported.max_identity_count),
            max_pin_size: real(reported.max_pin_size),
            max_operation_count_per_batch: real(reported.max_operation_count_per_batch),
            max_batch_count_per_device: real(reported.max_batch_count_per_device),
            max_batch_size: real(reported.max_batch_size),
            max_deletes_per_batch: real(reported.max_deletes_per_batch),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message as _;

    #[test]
    fn a_limit_that_does_not_exist_is_absent_on_the_wire() {
        let wire = Limits::default().to_message().encode_to_vec();
        let read = get_log::Limits::decode(wire.as_slice()).unwrap();
        assert_eq!(read.max_outstanding_read_requests, None);
        assert_eq!(read.max_key_size, Some(4096));
        assert_eq!(Limits::from_message(&read), Limits::default());
    }

    #[test]
    fn minus_one_of_an_old_drive_is_no_limit() {
        let reported = get_log::Limits {
            max_tag_size: Some(u32::MAX),
            max_key_size: Some(7),
            ..Default::default()
        };
        let limits = Limits::from_message(&reported);
        assert_eq!((limits.max_tag_size, limits.max_key_size), (None, Some(7)));
    }
}
