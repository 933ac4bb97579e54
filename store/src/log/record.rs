//! Metadata of one mutation, as it stands in a commit group before the values.
//!
//! Guarantee: a record holds all that the index needs to know, so that replay never reads a value
//! that is known to be durable.
//! Not here: where the value lies; the group adds up the lengths of the values before it.

use crate::entry::{Attributes, Entry, Key, Seqno, State, ValueRef};
use crate::layout::codec::{Field, Put, Reader, Truncated, fields, len16, width};
use crate::layout::geometry::{Location, ZoneId};
use crate::limits::{MUTATION_BYTES, SEAL_TAG};

/// Fixed fields of a record, in order; key, version and tag follow.
pub const FIELDS: [Field; 11] = fields([
    ("kind", 1),
    ("flags", 1),
    ("key length", 2),
    ("version length", 2),
    ("tag length", 2),
    ("sequence number", 8),
    ("algorithm", 4),
    ("value length", 4),
    ("value checksum", 4),
    ("zone", 4),
    ("offset", 4),
]);
/// Bytes of the fixed fields.
pub const WIDTH: usize = width(&FIELDS);

const _: () = assert!((WIDTH + SEAL_TAG) as u64 <= MUTATION_BYTES);

const PUT: u8 = 1;
const DELETE: u8 = 2;
const MOVE: u8 = 3;
const HAS_ALGORITHM: u8 = 1;

/// What a record says happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The key.
    pub key: Key,
    /// The key's state from here on. The location of a value in the same group is filled in when
    /// the group is read.
    pub entry: Entry,
    /// Whether the value stands in the same group, or lies elsewhere already (moved by reclaim).
    pub placement: Placement,
}

/// Where the value of a record lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// In the group of the record, after the values of the records before it.
    Inside,
    /// At the place that the record names.
    Elsewhere,
}

/// Bytes that a record takes.
#[must_use]
pub fn encoded_length(key: &[u8], attributes: Option<&Attributes>) -> usize {
    WIDTH + key.len() + attributes.map_or(0, Attributes::length)
}

/// Appends a record.
pub fn encode(out: &mut Vec<u8>, key: &[u8], entry: &Entry, placement: Placement) {
    let none = Attributes::default();
    let (kind, attributes, value) = match (&entry.state, placement) {
        (State::Deleted, _) => (DELETE, &none, ValueRef::default()),
        (State::Live(attributes, value), Placement::Inside) => (
            PUT,
            attributes,
            ValueRef {
                location: Location::default(),
                ..*value
            },
        ),
        (State::Live(attributes, value), Placement::Elsewhere) => (MOVE, attributes, *value),
    };
    out.put_u8(kind);
    out.put_u8(if attributes.algorithm.is_some() {
        HAS_ALGORITHM
    } else {
        0
    });
    out.put_u16(len16(key.len()));
    out.put_u16(len16(attributes.version().len()));
    out.put_u16(len16(attributes.tag().len()));
    out.put_u64(entry.seqno.0);
    out.put_i32(attributes.algorithm.unwrap_or_default());
    out.put_u32(value.length);
    out.put_u32(value.checksum);
    out.put_u32(value.location.zone.0);
    out.put_u32(value.location.offset);
    out.put(key);
    out.put(attributes.version());
    out.put(attributes.tag());
}

/// Reads a record; `None` when its kind is unknown, or a flag of it.
pub fn decode(reader: &mut Reader<'_>) -> Result<Option<Record>, Truncated> {
    let kind = reader.u8()?;
    let flags = reader.u8()?;
    let lengths = [reader.u16()?, reader.u16()?, reader.u16()?].map(usize::from);
    let seqno = Seqno(reader.u64()?);
    let algorithm = reader.i32()?;
    let algorithm = (flags & HAS_ALGORITHM != 0).then_some(algorithm);
    let length = reader.u32()?;
    let checksum = reader.u32()?;
    let location = Location {
        zone: ZoneId(reader.u32()?),
        offset: reader.u32()?,
    };
    let [key, version, tag] = lengths;
    let key: Key = reader.bytes(key)?.into();
    let attributes = Attributes::new(reader.bytes(version)?, reader.bytes(tag)?, algorithm);
    let live = State::Live(
        attributes,
        ValueRef {
            location,
            length,
            checksum,
        },
    );
    let (state, placement) = match (kind, flags) {
        (PUT, 0 | HAS_ALGORITHM) => (live, Placement::Inside),
        (MOVE, 0 | HAS_ALGORITHM) => (live, Placement::Elsewhere),
        (DELETE, 0) if (version, tag) == (0, 0) => (State::Deleted, Placement::Inside),
        _ => return Ok(None),
    };
    Ok(Some(Record {
        key,
        entry: Entry { seqno, state },
        placement,
    }))
}

/// Fuzzing: records in arbitrary bytes encode to the same again; the place of a value in the
/// record's own group is not stored.
///
/// # Panics
/// When that does not hold.
pub fn fuzz_record(bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    while let Ok(Some(mut record)) = decode(&mut reader) {
        if let (State::Live(_, value), Placement::Inside) =
            (&mut record.entry.state, record.placement)
        {
            value.location = Location::default();
        }
        let mut again = Vec::new();
        encode(&mut again, &record.key, &record.entry, record.placement);
        assert_eq!(decode(&mut Reader::new(&again)), Ok(Some(record)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(algorithm: Option<i32>) -> State {
        let value = ValueRef {
            location: Location {
                zone: ZoneId(3),
                offset: 4096,
            },
            length: 70_000,
            checksum: 0xdead_beef,
        };
        State::Live(Attributes::new(b"v1", b"tag!", algorithm), value)
    }

    #[test]
    fn puts_deletes_and_moves_decode_to_what_was_encoded() {
        for (state, placement) in [
            (live(Some(-1)), Placement::Elsewhere),
            (live(None), Placement::Elsewhere),
            (State::Deleted, Placement::Inside),
        ] {
            let entry = Entry {
                seqno: Seqno(u64::MAX),
                state,
            };
            let mut bytes = Vec::new();
            encode(&mut bytes, b"key", &entry, placement);
            let record = Record {
                key: Key::from_slice(b"key"),
                entry,
                placement,
            };
            assert_eq!(decode(&mut Reader::new(&bytes)), Ok(Some(record)));
            for cut in 0..bytes.len() {
                assert_eq!(decode(&mut Reader::new(&bytes[..cut])), Err(Truncated));
                fuzz_record(&bytes[cut..]);
            }
        }
    }

    #[test]
    fn what_a_later_program_may_say_of_a_key_is_not_taken_for_something_else() {
        let encoded = |state, placement| {
            let seqno = Seqno(1);
            let mut bytes = Vec::new();
            encode(&mut bytes, b"key", &Entry { seqno, state }, placement);
            bytes
        };
        for bytes in [
            encoded(live(Some(1)), Placement::Inside),
            encoded(live(None), Placement::Elsewhere),
            encoded(State::Deleted, Placement::Inside),
        ] {
            let with = |place: usize, value| {
                let mut other = bytes.clone();
                other[place] = value;
                decode(&mut Reader::new(&other))
            };
            assert!(with(1, bytes[1]).unwrap().is_some());
            for flag in 1..8 {
                assert_eq!(with(1, bytes[1] | 1 << flag), Ok(None), "flag {flag}");
            }
            assert_eq!(with(0, 0), Ok(None));
            assert_eq!(with(0, MOVE + 1), Ok(None));
        }
        // A delete with a version: its three bytes of key would do for both.
        let mut odd = encoded(State::Deleted, Placement::Inside);
        (odd[2], odd[4]) = (2, 1);
        assert_eq!(decode(&mut Reader::new(&odd)), Ok(None));
    }

    #[test]
    fn a_put_does_not_store_a_place() {
        let entry = Entry {
            seqno: Seqno(1),
            state: live(None),
        };
        let mut bytes = Vec::new();
        encode(&mut bytes, b"", &entry, Placement::Inside);
        let record = decode(&mut Reader::new(&bytes)).unwrap().unwrap();
        let State::Live(_, value) = record.entry.state else {
            panic!("a put")
        };
        assert_eq!(value.location, Location::default());
        assert_eq!(
            encoded_length(b"", Some(&Attributes::new(b"v1", b"tag!", None))),
            bytes.len()
        );
    }
}
