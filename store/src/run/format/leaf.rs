//! The leaf: entries in key order, each key without what it shares with the one before.
//!
//! Guarantee: a point lookup is a binary search over the restart points and a scan of at most
//! [`RESTART`] entries, on the bytes as they lie, allocating nothing but the answer.
//! Not here: the block around it (`block`), how leaves follow each other (`cursor`).
//!
//! Payload: entries, then the offset of each restart point (four bytes each; an entry with a
//! whole key every [`RESTART`] entries; their number follows from the block's entry count).

use std::cmp::Ordering;

use crate::entry::{Attributes, Entry, Seqno, State, ValueRef};
use crate::layout::codec::{Field, Put, Reader, fields, len16, len32, width};
use crate::layout::geometry::{Location, ZoneId};
use crate::limits::{MAX_KEY, MAX_TAG, MAX_VERSION, RUN_BLOCK_MAX};

use super::block::FRAMING;
use super::guide::{self, Guide};
use super::{Malformed, common_prefix, table_entry};

/// Entries from one restart point to the next.
pub const RESTART: usize = 8;

/// Start of an entry.
pub const ENTRY_FIELDS: [Field; 5] = fields([
    ("shared", 2),
    ("suffix_length", 2),
    ("seqno", 8),
    ("kind", 1),
    ("flags", 1),
]);

/// Follows if flag bit 0 is set.
pub const ALGORITHM_FIELDS: [Field; 1] = fields([("algorithm", 4)]);

/// Follows if the entry is live. Then come suffix, version and tag.
pub const LIVE_FIELDS: [Field; 6] = fields([
    ("version_length", 2),
    ("tag_length", 2),
    ("value_zone", 4),
    ("value_offset", 4),
    ("value_length", 4),
    ("value_checksum", 4),
]);

const LIVE: u8 = 1;
const DELETED: u8 = 2;
const HAS_ALGORITHM: u8 = 1;

/// Bytes of an entry beside suffix, version and tag, and its restart point.
const OVERHEAD: usize = width(&ENTRY_FIELDS) + width(&ALGORITHM_FIELDS) + width(&LIVE_FIELDS) + 4;

/// Fewest bytes of an entry.
pub const SMALLEST_ENTRY: usize = width(&ENTRY_FIELDS);

const _: () = assert!(FRAMING + OVERHEAD + MAX_KEY + MAX_VERSION + MAX_TAG <= RUN_BLOCK_MAX);
const _: () = assert!(MAX_KEY <= u16::MAX as usize);

/// Collects the entries of one leaf.
#[derive(Debug, Default)]
pub struct LeafBuilder {
    payload: Vec<u8>,
    restarts: Vec<u32>,
    last_key: Vec<u8>,
    count: u32,
}

impl LeafBuilder {
    /// Entries so far.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Bytes of the payload if the leaf ended here.
    #[must_use]
    pub fn length(&self) -> usize {
        self.payload.len() + 4 * self.restarts.len()
    }

    /// Most bytes of the payload if the leaf ended with this entry.
    #[must_use]
    pub fn length_with(&self, key: &[u8], entry: &Entry) -> usize {
        let attributes = match &entry.state {
            State::Live(attributes, _) => attributes.length(),
            State::Deleted => 0,
        };
        let shared = if self.restarts_here() {
            0
        } else {
            common_prefix(&self.last_key, key)
        };
        let suffix = key.len() - shared;
        self.length() + OVERHEAD + suffix + attributes
    }

    /// Appends an entry; the caller keeps keys ascending and lengths within the limits.
    pub fn add(&mut self, key: &[u8], entry: &Entry) {
        let shared = if self.restarts_here() {
            self.restarts.push(len32(self.payload.len()));
            0
        } else {
            common_prefix(&self.last_key, key)
        };
        let suffix = key.get(shared..).unwrap_or_default();
        self.payload.put_u16(len16(shared));
        self.payload.put_u16(len16(suffix.len()));
        self.payload.put_u64(entry.seqno.0);
        match &entry.state {
            State::Live(attributes, value) => self.put_live(suffix, attributes, value),
            State::Deleted => {
                self.payload.put(&[DELETED, 0]);
                self.payload.put(suffix);
            }
        }
        self.last_key.clear();
        self.last_key.extend_from_slice(key);
        self.count += 1;
    }

    fn restarts_here(&self) -> bool {
        usize::try_from(self.count).is_ok_and(|count| count.is_multiple_of(RESTART))
    }

    fn put_live(&mut self, suffix: &[u8], attributes: &Attributes, value: &ValueRef) {
        let out = &mut self.payload;
        match attributes.algorithm {
            Some(algorithm) => {
                out.put(&[LIVE, HAS_ALGORITHM]);
                out.put_i32(algorithm);
            }
            None => out.put(&[LIVE, 0]),
        }
        out.put_u16(len16(attributes.version().len()));
        out.put_u16(len16(attributes.tag().len()));
        out.put_u32(value.location.zone.0);
        out.put_u32(value.location.offset);
        out.put_u32(value.length);
        out.put_u32(value.checksum);
        out.put(suffix);
        out.put(attributes.version());
        out.put(attributes.tag());
    }

    /// Ends the payload with the restart points and returns it; [`LeafBuilder::clear`] comes next.
    pub fn finish(&mut self) -> &[u8] {
        for restart in &self.restarts {
            self.payload.put_u32(*restart);
        }
        self.restarts.clear();
        &self.payload
    }

    /// Starts the next leaf in the same memory.
    pub fn clear(&mut self) {
        self.payload.clear();
        self.restarts.clear();
        self.last_key.clear();
        self.count = 0;
    }
}

/// An entry as it lies in a leaf.
struct Raw<'a> {
    shared: usize,
    suffix: &'a [u8],
    seqno: Seqno,
    live: Option<RawLive<'a>>,
}

struct RawLive<'a> {
    algorithm: Option<i32>,
    version: &'a [u8],
    tag: &'a [u8],
    value: ValueRef,
}

impl<'a> Raw<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        // Fixed fields in one piece: a search reads many entries, and each piece is a check.
        let [s0, s1, l0, l1, seqno @ .., kind, flags] =
            reader.array::<{ width(&ENTRY_FIELDS) }>()?;
        let shared = usize::from(u16::from_le_bytes([s0, s1]));
        let suffix_length = usize::from(u16::from_le_bytes([l0, l1]));
        let seqno = Seqno(u64::from_le_bytes(seqno));
        if kind == DELETED && flags == 0 {
            let suffix = reader.bytes(suffix_length)?;
            return Ok(Self {
                shared,
                suffix,
                seqno,
                live: None,
            });
        }
        let algorithm = match (kind, flags) {
            (LIVE, 0) => None,
            (LIVE, HAS_ALGORITHM) => Some(reader.i32()?),
            _ => return Err(Malformed),
        };
        let fields = reader.array::<{ width(&LIVE_FIELDS) }>()?;
        let mut fields = Reader::new(&fields);
        let version_length = usize::from(fields.u16()?);
        let tag_length = usize::from(fields.u16()?);
        let zone = ZoneId(fields.u32()?);
        let offset = fields.u32()?;
        let value = ValueRef {
            location: Location { zone, offset },
            length: fields.u32()?,
            checksum: fields.u32()?,
        };
        let suffix = reader.bytes(suffix_length)?;
        let live = Some(RawLive {
            algorithm,
            version: reader.bytes(version_length)?,
            tag: reader.bytes(tag_length)?,
            value,
        });
        Ok(Self {
            shared,
            suffix,
            seqno,
            live,
        })
    }

    fn entry(&self) -> Entry {
        let state = self.live.as_ref().map_or(State::Deleted, |live| {
            let attributes = Attributes::new(live.version, live.tag, live.algorithm);
            State::Live(attributes, live.value)
        });
        Entry {
            seqno: self.seqno,
            state,
        }
    }
}

/// Entries from one restart point to the next, decoded; its memory is used again.
#[derive(Debug, Default)]
pub struct Group {
    slots: Vec<(Vec<u8>, Entry)>,
    used: usize,
}

impl Group {
    /// Entries in it.
    #[must_use]
    pub fn entries(&self) -> &[(Vec<u8>, Entry)] {
        self.slots.get(..self.used).unwrap_or_default()
    }

    fn push(&mut self, raw: &Raw<'_>) -> Result<(), Malformed> {
        if self.slots.len() == self.used {
            self.slots.push((Vec::new(), raw.entry()));
        }
        let (before, free) = self
            .slots
            .split_at_mut_checked(self.used)
            .ok_or(Malformed)?;
        let last = before.last().map_or(&[][..], |(key, _)| key.as_slice());
        let shared = last.get(..raw.shared).ok_or(Malformed)?;
        let (key, entry) = free.first_mut().ok_or(Malformed)?;
        key.clear();
        key.extend_from_slice(shared);
        key.extend_from_slice(raw.suffix);
        *entry = raw.entry();
        self.used += 1;
        Ok(())
    }
}

/// A view of the payload of a leaf.
#[derive(Debug, Clone, Copy)]
pub struct Leaf<'a> {
    entries: &'a [u8],
    restarts: &'a [u8],
    count: usize,
    guide: Option<&'a Guide>,
}

impl<'a> Leaf<'a> {
    /// Looks at a payload that holds `count` entries.
    ///
    /// # Errors
    /// When it cannot hold them.
    pub fn new(payload: &'a [u8], count: u32) -> Result<Self, Malformed> {
        let count = usize::try_from(count).map_err(|_range| Malformed)?;
        let table = 4 * count.div_ceil(RESTART);
        let start = payload.len().checked_sub(table).ok_or(Malformed)?;
        let (entries, restarts) = payload.split_at_checked(start).ok_or(Malformed)?;
        if count == 0 {
            return Err(Malformed);
        }
        Ok(Self {
            entries,
            restarts,
            count,
            guide: None,
        })
    }

    /// The same leaf with a guide that [`Leaf::guide`] made of it.
    #[must_use]
    pub fn guided(self, guide: Option<&'a Guide>) -> Self {
        Self { guide, ..self }
    }

    /// A guide to its groups.
    ///
    /// # Errors
    /// When its bytes make no sense.
    pub fn guide(&self) -> Result<Guide, Malformed> {
        let keys: Result<Vec<_>, _> = (0..self.groups()).map(|at| self.first_key(at)).collect();
        Ok(Guide::to(&keys?))
    }

    /// The first key of a group, which is whole.
    fn first_key(&self, group: usize) -> Result<&'a [u8], Malformed> {
        Ok(Raw::read(&mut self.reader(group)?)?.suffix)
    }

    /// Groups in it; at least one.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.count.div_ceil(RESTART)
    }

    /// What the leaf knows of `key`.
    ///
    /// # Errors
    /// When its bytes make no sense.
    pub fn find(&self, key: &[u8]) -> Result<Option<Entry>, Malformed> {
        let group = self.group_for(key)?;
        let mut reader = self.reader(group)?;
        // Bytes that `key` has in common with the entry before, which is smaller. Keys are
        // stored with the longest prefix they share, so this number decides without the keys.
        let mut matched = 0;
        for _ in 0..self.entries_of(group) {
            let raw = Raw::read(&mut reader)?;
            match raw.shared.cmp(&matched) {
                Ordering::Greater => continue,
                Ordering::Less => return Ok(None),
                Ordering::Equal => {}
            }
            let wanted = key.get(matched..).ok_or(Malformed)?;
            match raw.suffix.cmp(wanted) {
                Ordering::Equal => return Ok(Some(raw.entry())),
                Ordering::Greater => return Ok(None),
                Ordering::Less => matched += common_prefix(raw.suffix, wanted),
            }
        }
        Ok(None)
    }

    /// The last group that starts at or before `key`; the first when none does.
    ///
    /// # Errors
    /// When its bytes make no sense.
    pub fn group_for(&self, key: &[u8]) -> Result<usize, Malformed> {
        let fences = (self.groups(), self.guide);
        guide::search(fences, key, |group| self.first_key(group))
    }

    /// Decodes group `index` into `group`.
    ///
    /// # Errors
    /// When its bytes make no sense; `group` then holds a part of it.
    pub fn decode(&self, index: usize, group: &mut Group) -> Result<(), Malformed> {
        group.used = 0;
        let mut reader = self.reader(index)?;
        for _ in 0..self.entries_of(index) {
            group.push(&Raw::read(&mut reader)?)?;
        }
        Ok(())
    }

    fn entries_of(&self, group: usize) -> usize {
        self.count.saturating_sub(group * RESTART).min(RESTART)
    }

    fn reader(&self, group: usize) -> Result<Reader<'a>, Malformed> {
        let start = table_entry(self.restarts, group)?;
        Ok(Reader::new(self.entries.get(start..).ok_or(Malformed)?))
    }
}

/// Fuzzing: arbitrary bytes behind a number of entries may be refused; keys of a group that are
/// in order are found, in the same state, where the leaf has that group alone.
///
/// # Panics
/// When that does not hold.
pub fn fuzz_leaf(bytes: &[u8]) {
    let Some((&count, payload)) = bytes.split_first() else {
        return;
    };
    let Ok(leaf) = Leaf::new(payload, u32::from(count)) else {
        return;
    };
    let mut group = Group::default();
    for index in 0..leaf.groups() {
        if leaf.decode(index, &mut group).is_ok() {
            for (key, _) in group.entries() {
                let _found = leaf.find(key);
            }
            assert_found_again(group.entries());
        }
    }
    let _found = leaf.find(payload);
}

/// What the writer may be given is found in the leaf that it makes.
fn assert_found_again(entries: &[(Vec<u8>, Entry)]) {
    let fits = |(key, entry): &(Vec<u8>, Entry)| {
        let attributes = match &entry.state {
            State::Live(attributes, _) => attributes,
            State::Deleted => &Attributes::default(),
        };
        let (version, tag) = (attributes.version(), attributes.tag());
        key.len() <= MAX_KEY && version.len() <= MAX_VERSION && tag.len() <= MAX_TAG
    };
    let ascending = entries.is_sorted_by(|(left, _), (right, _)| left < right);
    if !ascending || !entries.iter().all(fits) {
        return;
    }
    let mut builder = LeafBuilder::default();
    for (key, entry) in entries {
        builder.add(key, entry);
    }
    let count = builder.count();
    let leaf = Leaf::new(builder.finish(), count);
    for (key, entry) in entries {
        let found = leaf.and_then(|leaf| leaf.find(key));
        assert_eq!(found, Ok(Some(entry.clone())));
    }
}
