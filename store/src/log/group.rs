//! A commit group: what becomes durable together.
//!
//! Guarantee: header and record metadata are covered by one checksum that is seeded with the
//! place, so a group is recognised only where it was written, in the zone's present life; each
//! value has a checksum of its own in its record. Groups are numbered without gaps.
//! Not here: the chain over zones (`scan`), and what goes into a group (`engine::writer`).

use super::record::{self, Placement, Record};
use crate::entry::State;
use crate::layout::checksum::ZoneStamp;
use crate::layout::codec::{Field, Put, Reader, Truncated, fields, len32, width};
use crate::layout::geometry::Location;
use crate::layout::superblock::Seal;
use crate::limits::{BLOCK_LEN, SEAL_TAG};
use crate::seal::cipher::{Cipher, Kind, Spot};

/// First bytes of a group.
pub const MAGIC: u32 = u32::from_le_bytes(*b"KGRP");
/// Groups start at a multiple of this many bytes.
pub const ALIGNMENT: u32 = 8;

/// Fields of a group header, in order; records follow, then values.
pub const FIELDS: [Field; 12] = fields([
    ("magic", 4),
    ("seal", 1),
    ("reserved", 3),
    ("boot", 8),
    ("group", 8),
    ("durable up to", 8),
    ("nonce", 8),
    ("length", 4),
    ("records length", 4),
    ("count", 4),
    ("header checksum", 4),
    ("checksum", 4),
]);
/// Bytes of a group header.
pub const WIDTH: usize = width(&FIELDS);
const _: () = assert!(WIDTH + SEAL_TAG <= BLOCK_LEN);
const SUMMED: usize = WIDTH - 4;
const HEADER_SUMMED: usize = WIDTH - 8;

/// Header of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupHeader {
    /// The boot that wrote it.
    pub boot: u64,
    /// Number of the group; one more than the group before it.
    pub number: u64,
    /// Every group up to this one was on the disk when this one was written.
    pub durable_up_to: u64,
    /// Bytes of the whole group: header, records, values, padding.
    pub length: u32,
    /// How records and values are sealed.
    pub seal: Seal,
    /// Bytes of the records, as they are stored.
    pub records_length: u32,
    /// Number of records.
    pub count: u32,
}

impl GroupHeader {
    /// The header's bytes, for a group at this place; seals its records.
    #[must_use]
    pub fn encode(&self, spot: &Spot<'_>, records: &mut Vec<u8>) -> Vec<u8> {
        let mut out = Vec::with_capacity(WIDTH);
        out.put_u32(MAGIC);
        out.put(&[self.seal as u8, 0, 0, 0]);
        out.put_u64(self.boot);
        out.put_u64(self.number);
        out.put_u64(self.durable_up_to);
        out.put_u64(0);
        out.put_u32(self.length);
        out.put_u32(self.records_length);
        out.put_u32(self.count);
        spot.seal(Kind::Records, &out, (records, 0));
        let sum = spot.checksum(&[&out]);
        out.put_u32(sum);
        let sum = spot.checksum(&[&out, records]);
        out.put_u32(sum);
        out
    }

    /// Reads a header without verifying it; `None` where there is none. The lengths are only
    /// plausible: [`verify`](Self::verify) comes before anything is believed.
    #[must_use]
    pub fn peek(bytes: &[u8]) -> Option<Self> {
        Self::parse(bytes).ok().flatten()
    }

    fn parse(bytes: &[u8]) -> Result<Option<Self>, Truncated> {
        let mut reader = Reader::new(bytes);
        if reader.u32()? != MAGIC {
            return Ok(None);
        }
        let Some(seal) = Seal::from_number(reader.u8()?) else {
            return Ok(None);
        };
        reader.bytes(3)?;
        let (boot, number, durable_up_to) = (reader.u64()?, reader.u64()?, reader.u64()?);
        reader.u64()?;
        let (length, records_length, count) = (reader.u32()?, reader.u32()?, reader.u32()?);
        reader.u64()?;
        let header = Self {
            boot,
            number,
            durable_up_to,
            length,
            seal,
            records_length,
            count,
        };
        let least = u64::from(records_length) + u64::try_from(WIDTH).unwrap_or_default();
        let plausible = least <= u64::from(length) && length.is_multiple_of(ALIGNMENT);
        Ok(plausible.then_some(header))
    }

    /// Whether the header alone, at the front of `bytes` and at `offset` of the zone, matches its
    /// own checksum: a search that meets many look-alikes need not sum what they claim to head.
    #[must_use]
    pub fn verify_header(bytes: &[u8], stamp: &ZoneStamp, offset: u32) -> bool {
        let Some((summed, rest)) = bytes.split_at_checked(HEADER_SUMMED) else {
            return false;
        };
        rest.starts_with(&stamp.checksum(offset, &[summed]).to_le_bytes())
    }

    /// Whether `bytes` (header and records, at `offset` of the zone) match their checksum.
    #[must_use]
    pub fn verify(bytes: &[u8], stamp: &ZoneStamp, offset: u32) -> bool {
        let Some((summed, rest)) = bytes.split_at_checked(SUMMED) else {
            return false;
        };
        let Some((stored, records)) = rest.split_first_chunk::<4>() else {
            return false;
        };
        stamp.checksum(offset, &[summed, records]).to_le_bytes() == *stored
    }

    /// The records in `bytes` (header and records, verified, at this place); `None` where they
    /// cannot be unsealed.
    #[must_use]
    pub fn open(bytes: &[u8], spot: &Spot<'_>) -> Option<Vec<u8>> {
        let header = bytes.get(..HEADER_SUMMED)?;
        let mut records = bytes.get(WIDTH..)?.to_vec();
        let length = spot.open(Kind::Records, header, &mut records)?;
        records.truncate(length);
        Some(records)
    }

    /// Bytes of header and records together.
    #[must_use]
    pub fn head_length(&self) -> u64 {
        u64::from(self.records_length) + u64::try_from(WIDTH).unwrap_or_default()
    }
}

/// Reads the records of a verified group that starts at `start`, and gives each value its place.
/// `None` when a record is of an unknown kind or the values do not fit the group.
#[must_use]
pub fn decode_records(
    header: &GroupHeader,
    records: &[u8],
    start: Location,
    cipher: &Cipher,
) -> Option<Vec<Record>> {
    let mut reader = Reader::new(records);
    let mut list = Vec::new();
    let mut next = u64::from(start.offset) + header.head_length();
    let end = u64::from(start.offset) + u64::from(header.length);
    for _ in 0..header.count {
        let mut record = record::decode(&mut reader).ok()??;
        if let (State::Live(_, value), Placement::Inside) =
            (&mut record.entry.state, record.placement)
        {
            value.location = Location {
                zone: start.zone,
                offset: u32::try_from(next).ok()?,
            };
            next += u64::from(cipher.stored32(value.length));
        }
        list.push(record);
    }
    (reader.is_empty() && next <= end).then_some(list)
}

/// Length of a group with `head` bytes of header and records and `values` bytes of values.
#[must_use]
pub fn padded_length(head: usize, values: usize, alignment: u32) -> u32 {
    len32(head + values).next_multiple_of(alignment)
}

/// Fuzzing: in arbitrary bytes, the values of a group that can be read lie in it behind its
/// records, one after the other; whole groups verify by their header, too.
///
/// # Panics
/// When that does not hold.
pub fn fuzz_group(bytes: &[u8]) {
    let stamp = ZoneStamp::default();
    let Some(header) = GroupHeader::peek(bytes) else {
        return;
    };
    let _verified = GroupHeader::verify(bytes, &stamp, 4096);
    let records = bytes.get(WIDTH..).unwrap_or_default();
    let cipher = Cipher::default();
    let start = Location::default();
    let Some(records) = decode_records(&header, records, start, &cipher) else {
        return;
    };
    assert_eq!(len32(records.len()), header.count);
    let mut next = header.head_length();
    for record in records {
        if let (State::Live(_, value), Placement::Inside) = (record.entry.state, record.placement) {
            assert_eq!(u64::from(value.location.offset), next);
            next += u64::from(value.length);
        }
    }
    assert!(
        next <= u64::from(header.length),
        "a value outside its group"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::{Attributes, Entry, Seqno, ValueRef};
    use crate::layout::geometry::ZoneId;

    const START: Location = Location {
        zone: ZoneId(7),
        offset: 8192,
    };

    fn sample() -> (Vec<u8>, ZoneStamp) {
        let stamp = ZoneStamp {
            drive: 1,
            zone: START.zone,
            epoch: 2,
            salt: 3,
        };
        let mut records = Vec::new();
        for (seqno, length) in [(5, 100), (6, 50)] {
            let value = ValueRef {
                location: Location::default(),
                length,
                checksum: 1,
            };
            let state = State::Live(Attributes::default(), value);
            let entry = Entry {
                seqno: Seqno(seqno),
                state,
            };
            record::encode(&mut records, b"key", &entry, Placement::Inside);
        }
        let header = GroupHeader {
            boot: 4,
            number: 9,
            durable_up_to: 8,
            length: padded_length(WIDTH + records.len(), 150, ALIGNMENT),
            seal: Seal::Plain,
            records_length: len32(records.len()),
            count: 2,
        };
        let spot = Spot {
            cipher: &Cipher::default(),
            stamp: &stamp,
            offset: START.offset,
        };
        let mut bytes = header.encode(&spot, &mut records);
        bytes.extend_from_slice(&records);
        (bytes, stamp)
    }

    #[test]
    fn values_follow_each_other_behind_the_records() {
        let (bytes, stamp) = sample();
        let header = GroupHeader::peek(&bytes).unwrap();
        assert!(GroupHeader::verify(&bytes, &stamp, START.offset));
        assert!(GroupHeader::verify_header(&bytes, &stamp, START.offset));
        let records = decode_records(&header, &bytes[WIDTH..], START, &Cipher::default()).unwrap();
        let places: Vec<u32> = records
            .iter()
            .map(|r| r.entry.live().unwrap().location.offset)
            .collect();
        let first = START.offset + u32::try_from(bytes.len()).unwrap();
        assert_eq!(places, [first, first + 100]);
    }

    #[test]
    fn a_group_verifies_only_where_it_was_written() {
        let (bytes, stamp) = sample();
        assert!(!GroupHeader::verify(
            &bytes,
            &stamp,
            START.offset + ALIGNMENT
        ));
        assert!(!GroupHeader::verify(
            &bytes,
            &ZoneStamp { epoch: 3, ..stamp },
            START.offset
        ));
    }

    #[test]
    fn every_flipped_bit_is_noticed_and_nothing_panics() {
        let (bytes, stamp) = sample();
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(
                !GroupHeader::verify(&damaged, &stamp, START.offset),
                "bit {bit}"
            );
            fuzz_group(&damaged);
            fuzz_group(&damaged[..bit / 8]);
        }
    }

    #[test]
    fn values_longer_than_the_group_are_refused() {
        let (bytes, _) = sample();
        let mut header = GroupHeader::peek(&bytes).unwrap();
        header.length -= 8;
        assert_eq!(
            decode_records(&header, &bytes[WIDTH..], START, &Cipher::default()),
            None
        );
    }
}
