//! One change of the manifest.
//!
//! Guarantee: what an edit means does not depend on anything outside the manifest, so that a
//! snapshot is just a list of edits too. Optional edits of later programs are passed over.
//! Not here: which edits become true together (`frame`).

use crate::entry::Seqno;
use crate::layout::checksum::ZoneStamp;
use crate::layout::codec::{Field, Put, Reader, Truncated, fields};
use crate::layout::geometry::ZoneId;
use crate::layout::zone_header::ZoneKind;
use crate::run::{RunId, RunMeta};

/// Fields of an edit that allocates or describes a zone, kind byte included.
pub const ZONE_FIELDS: [Field; 12] = fields([
    ("edit", 1),
    ("zone", 4),
    ("kind", 1),
    ("flags", 1),
    ("epoch", 8),
    ("salt", 8),
    ("boot", 8),
    ("ordinal", 8),
    ("end", 4),
    ("live", 8),
    ("born", 8),
    ("boot salt", 16),
]);
/// Fields of an edit that moves the replay point, kind byte included.
pub const REPLAY_FIELDS: [Field; 5] = fields([
    ("edit", 1),
    ("ordinal", 8),
    ("offset", 4),
    ("group", 8),
    ("sequence number", 8),
]);
/// Fields of an edit that sets the counters, kind byte included.
pub const COUNTER_FIELDS: [Field; 4] = fields([
    ("edit", 1),
    ("next epoch", 8),
    ("next run", 8),
    ("next ordinal", 8),
]);
/// Fields of an edit that changes a zone's live bytes, kind byte included.
pub const LIVE_FIELDS: [Field; 3] = fields([("edit", 1), ("zone", 4), ("change", 8)]);

const ZONE: u8 = 1;
const FREE: u8 = 2;
const ADD_RUN: u8 = 3;
const REMOVE_RUN: u8 = 4;
const REPLAY: u8 = 5;
const LIVE: u8 = 6;
const COUNTERS: u8 = 7;
const SEALED: u8 = 1;

/// From this number on an edit goes on with its length (4 bytes), and a program that does not know
/// it passes it over: it may tell of something, and must change nothing that others rely upon.
pub const OPTIONAL: u8 = 128;

/// What the manifest knows of a zone in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ZoneInfo {
    /// What it holds.
    pub kind: ZoneKind,
    /// This life of it.
    pub stamp: ZoneStamp,
    /// The boot that allocated it, and the only one that writes to it.
    pub boot: u64,
    /// Salt of that boot, from which the zone's key is made.
    pub boot_salt: [u8; 16],
    /// Place in the order in which log zones are written; 0 for other kinds.
    pub ordinal: u64,
    /// Where its contents end, once nothing may be appended any more.
    pub end: Option<u32>,
    /// Bytes of values in it that flushed runs refer to.
    pub live: u64,
    /// Sequence number of the first mutation that can refer to this life of it; older entries
    /// mean an earlier one.
    pub born: Seqno,
}

/// Where replay of the log starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReplayPoint {
    /// Log zone to start in, by its place in the order of log zones.
    pub ordinal: u64,
    /// Byte of that zone.
    pub offset: u32,
    /// Number of the first group to replay.
    pub group: u64,
    /// The last mutation that the runs hold.
    pub seqno: Seqno,
}

/// Numbers that are given out once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Epoch of the next allocation.
    pub next_epoch: u64,
    /// Id of the next run.
    pub next_run: u64,
    /// Ordinal of the next log zone.
    pub next_ordinal: u64,
}

/// One change of the manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// The zone is in use as described; also seals a log zone.
    Zone(ZoneInfo),
    /// The zone is free.
    Free(ZoneId),
    /// The run is live, at this place among the live runs, newest first.
    AddRun(u32, RunMeta),
    /// The run is not live any more.
    RemoveRun(RunId),
    /// Replay starts here.
    Replay(ReplayPoint),
    /// The live bytes of a zone grow or shrink.
    Live(ZoneId, i64),
    /// The next numbers.
    Counters(Counters),
}

impl Edit {
    /// Appends the edit.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Zone(info) => encode_zone(info, out),
            Self::Free(zone) => {
                out.put_u8(FREE);
                out.put_u32(zone.0);
            }
            Self::AddRun(place, meta) => {
                out.put_u8(ADD_RUN);
                out.put_u32(*place);
                meta.encode(out);
            }
            Self::RemoveRun(run) => {
                out.put_u8(REMOVE_RUN);
                out.put_u64(run.0);
            }
            Self::Replay(point) => {
                out.put_u8(REPLAY);
                out.put_u64(point.ordinal);
                out.put_u32(point.offset);
                out.put_u64(point.group);
                out.put_u64(point.seqno.0);
            }
            Self::Live(zone, change) => {
                out.put_u8(LIVE);
                out.put_u32(zone.0);
                out.put_i64(*change);
            }
            Self::Counters(counters) => {
                out.put_u8(COUNTERS);
                out.put_u64(counters.next_epoch);
                out.put_u64(counters.next_run);
                out.put_u64(counters.next_ordinal);
            }
        }
    }

    /// Reads an edit of the drive with this random number; `None` when its kind is unknown.
    pub fn decode(reader: &mut Reader<'_>, drive: u64) -> Result<Option<Self>, Truncated> {
        Ok(Some(match reader.u8()? {
            ZONE => match decode_zone(reader, drive)? {
                Some(info) => Self::Zone(info),
                None => return Ok(None),
            },
            FREE => Self::Free(ZoneId(reader.u32()?)),
            ADD_RUN => Self::AddRun(reader.u32()?, RunMeta::decode(drive, reader)?),
            REMOVE_RUN => Self::RemoveRun(RunId(reader.u64()?)),
            REPLAY => Self::Replay(ReplayPoint {
                ordinal: reader.u64()?,
                offset: reader.u32()?,
                group: reader.u64()?,
                seqno: Seqno(reader.u64()?),
            }),
            LIVE => Self::Live(ZoneId(reader.u32()?), reader.i64()?),
            COUNTERS => Self::Counters(Counters {
                next_epoch: reader.u64()?,
                next_run: reader.u64()?,
                next_ordinal: reader.u64()?,
            }),
            _ => return Ok(None),
        }))
    }
}

/// Passes over an optional edit, if that is what comes next.
pub fn pass_over(reader: &mut Reader<'_>) -> Result<bool, Truncated> {
    let mut ahead = reader.clone();
    if ahead.u8()? < OPTIONAL {
        return Ok(false);
    }
    let length = ahead.u32()?;
    ahead.bytes(usize::try_from(length).unwrap_or(usize::MAX))?;
    *reader = ahead;
    Ok(true)
}

fn encode_zone(info: &ZoneInfo, out: &mut Vec<u8>) {
    out.put_u8(ZONE);
    out.put_u32(info.stamp.zone.0);
    out.put_u8(info.kind as u8);
    out.put_u8(if info.end.is_some() { SEALED } else { 0 });
    out.put_u64(info.stamp.epoch);
    out.put_u64(info.stamp.salt);
    out.put_u64(info.boot);
    out.put_u64(info.ordinal);
    out.put_u32(info.end.unwrap_or_default());
    out.put_u64(info.live);
    out.put_u64(info.born.0);
    out.put(&info.boot_salt);
}

fn decode_zone(reader: &mut Reader<'_>, drive: u64) -> Result<Option<ZoneInfo>, Truncated> {
    let zone = ZoneId(reader.u32()?);
    let kind = ZoneKind::from_number(reader.u8()?);
    let flags = reader.u8()?;
    let kind = kind.filter(|_| flags & !SEALED == 0);
    let stamp = ZoneStamp {
        drive,
        zone,
        epoch: reader.u64()?,
        salt: reader.u64()?,
    };
    let (boot, ordinal) = (reader.u64()?, reader.u64()?);
    let end = reader.u32()?;
    let end = (flags & SEALED != 0).then_some(end);
    let live = reader.u64()?;
    let born = Seqno(reader.u64()?);
    let boot_salt = reader.array()?;
    Ok(kind.map(|kind| ZoneInfo {
        kind,
        stamp,
        boot,
        boot_salt,
        ordinal,
        end,
        live,
        born,
    }))
}

/// Fuzzing: edits in arbitrary bytes encode to the same again.
///
/// # Panics
/// When that does not hold.
pub fn fuzz_edit(bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    loop {
        let _passed = pass_over(&mut reader);
        let Ok(Some(edit)) = Edit::decode(&mut reader, 1) else {
            return;
        };
        let mut again = Vec::new();
        edit.encode(&mut again);
        let decoded = Edit::decode(&mut Reader::new(&again), 1);
        assert!(decoded.is_ok_and(|decoded| decoded == Some(edit)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(end: Option<u32>) -> Edit {
        let stamp = ZoneStamp {
            drive: 1,
            zone: ZoneId(2),
            epoch: 3,
            salt: 4,
        };
        Edit::Zone(ZoneInfo {
            kind: ZoneKind::Log,
            stamp,
            boot: 5,
            boot_salt: [8; 16],
            ordinal: 6,
            end,
            live: 7,
            born: Seqno(9),
        })
    }

    #[test]
    fn edits_decode_to_what_was_encoded_and_cut_ones_are_refused() {
        let point = ReplayPoint {
            ordinal: 1,
            offset: 2,
            group: 3,
            seqno: Seqno(4),
        };
        let counters = Counters {
            next_epoch: 1,
            next_run: 2,
            next_ordinal: 3,
        };
        for edit in [
            zone(None),
            zone(Some(0)),
            Edit::Free(ZoneId(9)),
            Edit::RemoveRun(RunId(8)),
            Edit::Replay(point),
            Edit::Live(ZoneId(1), -5),
            Edit::Counters(counters),
        ] {
            let mut bytes = Vec::new();
            edit.encode(&mut bytes);
            assert_eq!(Edit::decode(&mut Reader::new(&bytes), 1), Ok(Some(edit)));
            for cut in 0..bytes.len() {
                assert_eq!(
                    Edit::decode(&mut Reader::new(&bytes[..cut]), 1),
                    Err(Truncated)
                );
                fuzz_edit(&bytes[cut..]);
            }
        }
    }

    #[test]
    fn an_optional_edit_is_passed_over_and_no_other_one() {
        let mut reader = Reader::new(&[200, 2, 0, 0, 0, 8, 9, FREE, 1, 0, 0, 0]);
        assert_eq!(pass_over(&mut reader), Ok(true));
        assert_eq!(pass_over(&mut reader), Ok(false));
        let next = Edit::decode(&mut reader, 1);
        assert_eq!(next, Ok(Some(Edit::Free(ZoneId(1)))));
        assert_eq!(pass_over(&mut reader), Err(Truncated));
        for cut in [
            &[OPTIONAL, 2, 0, 0, 0, 8][..],
            &[OPTIONAL, 2, 0],
            &[255, 255, 255, 255, 255],
        ] {
            assert_eq!(pass_over(&mut Reader::new(cut)), Err(Truncated));
        }
        for known in [
            ZONE,
            FREE,
            ADD_RUN,
            REMOVE_RUN,
            REPLAY,
            LIVE,
            COUNTERS,
            OPTIONAL - 1,
        ] {
            assert_eq!(pass_over(&mut Reader::new(&[known; 9])), Ok(false));
        }
    }

    #[test]
    fn a_zone_with_a_flag_that_is_not_known_is_an_unknown_edit() {
        let mut bytes = Vec::new();
        zone(Some(5)).encode(&mut bytes);
        assert_eq!(ZONE_FIELDS[3].offset, 6);
        for flag in 1..8 {
            bytes[6] = 1 | 1 << flag;
            assert_eq!(Edit::decode(&mut Reader::new(&bytes), 1), Ok(None));
        }
    }

    #[test]
    fn an_unknown_edit_is_told_apart_from_a_cut_one() {
        assert_eq!(Edit::decode(&mut Reader::new(&[99, 0, 0]), 1), Ok(None));
    }
}
