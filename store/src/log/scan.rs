//! Reads the chain of groups back, and tells a torn tail from corruption.
//!
//! Guarantee: what is replayed is the longest chain of groups from the replay point in which every
//! group verifies and every value past the last known sync too. A group that does not verify ends
//! the chain only if no later valid group says that it had been synced; else the log is corrupt
//! and nothing is cut. Nor is anything cut of what recovery sealed: all of that had been synced.
//! What stays undecidable: if the group that rotted is the last one that was synced and nothing
//! was written behind it, it looks like one that was never synced.
//! Whoever does not open the drive can have the pieces on both sides of damage (`Pieces`); nothing
//! is served of them.
//! Not here: what is done with the groups (`open::recovery`).

use std::io;
use std::sync::Arc;

use thiserror::Error;

use super::group::{self, ALIGNMENT, GroupHeader, MAGIC};
use super::record::{Placement, Record};
use crate::disk::Disk;
use crate::entry::{State, ValueRef};
use crate::layout::checksum::checksum;
use crate::layout::geometry::{Geometry, Location};
use crate::layout::superblock::Seal;
use crate::limits::BLOCK32;
use crate::manifest::edit::{ReplayPoint, ZoneInfo};
use crate::seal::{Cipher, Keys, Spot};

const WINDOW: usize = 256 << 10;

/// Why the log cannot be replayed.
#[derive(Debug, Error)]
pub enum ScanError {
    /// The disk failed.
    #[error("reading the log failed: {0}")]
    Disk(#[from] io::Error),
    /// A group that had been synced does not verify.
    #[error("group {group} of the log, in zone {zone}, is damaged although it had been synced")]
    Corrupt {
        /// Number of the damaged group.
        group: u64,
        /// Zone in which it should be.
        zone: u32,
    },
    /// A group verifies but holds a record that this program does not know.
    #[error("group {0} of the log cannot be understood by this program")]
    Unknown(u64),
    /// A group verifies but its seal does not.
    #[error("group {0} of the log cannot be unsealed")]
    Sealed(u64),
}

/// A group of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Its header.
    pub header: GroupHeader,
    /// Where it starts.
    pub start: Location,
    /// Place of its zone among the scanned zones.
    pub zone: usize,
}

/// The chain as it was found.
#[derive(Debug, PartialEq, Eq)]
pub struct Chain {
    /// Its groups, in order.
    pub links: Vec<Link>,
    /// All groups up to this one are known to be on the disk.
    pub durable_up_to: u64,
}

/// The log as far as it verifies, damaged or not.
#[derive(Debug)]
pub struct Pieces {
    /// What replay would take, up to the damage if there is any.
    pub chain: Chain,
    /// Groups behind the damage, in order: each stretch without a gap in itself. Before each of
    /// them groups are missing.
    pub behind: Vec<Vec<Link>>,
    /// Why the chain ends before its end.
    pub damage: Option<ScanError>,
}

/// A way along the chain.
#[derive(Debug)]
struct Walked {
    links: Vec<Link>,
    durable_up_to: u64,
    /// Place of the zone and offset behind the last link.
    end: (usize, u32),
    /// Number of the group that should come next.
    next: u64,
    damage: Option<ScanError>,
}

/// Whether values past the last sync are verified; only a deliberate bug says no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    /// They are.
    Verified,
    /// They are believed.
    Believed,
}

/// Which zones to read.
#[derive(Clone, Copy)]
pub struct Log<'a> {
    /// Log zones, in the order in which they were written.
    pub zones: &'a [ZoneInfo],
    /// The boot that started the manifest that lists them.
    pub manifest_boot: u64,
    /// What they are sealed with.
    pub keys: &'a Keys,
}

/// Bytes that a scanner read ahead.
#[derive(Debug, Default)]
pub struct Window {
    bytes: Vec<u8>,
    start: Location,
}

/// Reads groups of some log zones, in the order in which they were written.
pub struct Scanner<'a> {
    disk: &'a dyn Disk,
    geometry: Geometry,
    log: Log<'a>,
    window: Window,
}

impl<'a> Scanner<'a> {
    /// A scanner.
    #[must_use]
    pub fn new(disk: &'a dyn Disk, geometry: Geometry, log: Log<'a>) -> Self {
        Self {
            disk,
            geometry,
            log,
            window: Window::default(),
        }
    }

    /// A scanner that goes on with what another one of the same zones read ahead.
    #[must_use]
    pub fn with_window(mut self, window: Window) -> Self {
        self.window = window;
        self
    }

    /// What it read ahead.
    #[must_use]
    pub fn into_window(self) -> Window {
        self.window
    }

    /// The group of the first zone that starts at `offset`, or at the next block behind it,
    /// whatever its number.
    pub fn group_from(&mut self, offset: u32) -> Result<Option<Link>, ScanError> {
        for offset in starts(offset) {
            if let Some(link) = self.group_at(0, offset)? {
                return Ok(Some(link));
            }
        }
        Ok(None)
    }

    /// Finds the chain that starts at `point`.
    pub fn chain(&mut self, point: &ReplayPoint, values: Values) -> Result<Chain, ScanError> {
        let walked = self.walk(point);
        match walked.damage {
            Some(damage) => Err(damage),
            None => self.cut((walked.links, walked.durable_up_to), values),
        }
    }

    /// The chain that starts at `point`, and what verifies behind the damage that ends it.
    pub fn pieces(&mut self, point: &ReplayPoint) -> Result<Pieces, ScanError> {
        let Walked {
            links,
            durable_up_to,
            end,
            next,
            damage,
        } = self.walk(point);
        if damage.is_none() {
            return Ok(Pieces {
                chain: self.cut((links, durable_up_to), Values::Verified)?,
                behind: Vec::new(),
                damage,
            });
        }
        let mut behind = Vec::new();
        // What the disk does not give is not there; what was found before it is.
        let _unreadable = self.search(end, &mut |link| {
            if link.header.number > next {
                behind.push(link);
            }
        });
        Ok(Pieces {
            chain: Chain {
                links,
                durable_up_to,
            },
            behind: stretches(behind),
            damage,
        })
    }

    /// Goes along the groups from `point` on as long as they follow each other, and tells what ends
    /// them.
    fn walk(&mut self, point: &ReplayPoint) -> Walked {
        let mut walked = Walked {
            links: Vec::new(),
            durable_up_to: point.group.saturating_sub(1),
            end: (0, point.offset),
            next: point.group,
            damage: None,
        };
        let outcome = self.walk_on(point, &mut walked);
        walked.damage = outcome.err();
        walked
    }

    fn walk_on(&mut self, point: &ReplayPoint, walked: &mut Walked) -> Result<(), ScanError> {
        for (place, info) in self.log.zones.iter().enumerate() {
            let mut offset = if info.ordinal == point.ordinal {
                point.offset
            } else {
                BLOCK32
            };
            while let Some(link) = self.next_group(place, offset, walked.next)? {
                walked.durable_up_to = walked.durable_up_to.max(link.header.durable_up_to);
                offset = link.start.offset.saturating_add(link.header.length);
                walked.next += 1;
                walked.end = (place, offset);
                walked.links.push(link);
            }
            if let Some(end) = self.sealed_by_recovery(info) {
                if offset != end {
                    walked.end = (place, offset);
                    return Err(ScanError::Corrupt {
                        group: walked.next,
                        zone: info.stamp.zone.0,
                    });
                }
                walked.durable_up_to = walked.durable_up_to.max(walked.next - 1);
            }
        }
        let (last, number) = (walked.end.0, walked.next);
        let mut evidence = 0;
        self.search(walked.end, &mut |link| {
            if link.header.number > number {
                evidence = link.header.durable_up_to.max(evidence);
            }
        })?;
        if evidence >= number {
            let zone = self.log.zones.get(last).map_or(0, |info| info.stamp.zone.0);
            return Err(ScanError::Corrupt {
                group: number,
                zone,
            });
        }
        walked.durable_up_to = walked.durable_up_to.max(evidence).min(number - 1);
        Ok(())
    }

    /// The chain of these groups, of which these are known to be on the disk.
    fn cut(
        &mut self,
        (mut links, durable_up_to): (Vec<Link>, u64),
        values: Values,
    ) -> Result<Chain, ScanError> {
        if values == Values::Verified {
            self.cut_at_bad_values(&mut links, durable_up_to)?;
        }
        Ok(Chain {
            links,
            durable_up_to,
        })
    }

    /// Where recovery sealed a zone of an earlier boot: everything before that had been synced.
    /// A seal of the boot that the manifest belongs to proves nothing: it came after a failed
    /// write, and may be on the disk without the groups before it.
    fn sealed_by_recovery(&self, info: &ZoneInfo) -> Option<u32> {
        info.end.filter(|_| info.boot < self.log.manifest_boot)
    }

    /// The group with this number: at `offset`, or at the next block where a sync came between.
    fn next_group(
        &mut self,
        place: usize,
        offset: u32,
        number: u64,
    ) -> Result<Option<Link>, ScanError> {
        for offset in starts(offset) {
            if let Some(link) = self.group_at(place, offset)?
                && link.header.number == number
            {
                return Ok(Some(link));
            }
        }
        Ok(None)
    }

    /// A group that verifies at this place, whatever its number.
    fn group_at(&mut self, place: usize, offset: u32) -> Result<Option<Link>, ScanError> {
        let Some(info) = self.log.zones.get(place).copied() else {
            return Ok(None);
        };
        let start = Location {
            zone: info.stamp.zone,
            offset,
        };
        let end = info.end.unwrap_or(self.geometry.zone_size);
        let header = self.bytes(start, group::WIDTH)?.filter(|bytes| {
            // Before anything that the header claims is read: old contents of a zone may hold any
            // number of look-alikes.
            GroupHeader::verify_header(bytes, &info.stamp, offset)
        });
        let Some(header) = header.and_then(GroupHeader::peek) else {
            return Ok(None);
        };
        let fits = u64::from(offset) + u64::from(header.length) <= u64::from(end);
        let Ok(head) = usize::try_from(header.head_length()) else {
            return Ok(None);
        };
        let alike = header.boot == info.boot && header.seal == self.cipher(&info).seal();
        if !fits || !alike {
            return Ok(None);
        }
        let verified = self
            .bytes(start, head)?
            .is_some_and(|bytes| GroupHeader::verify(bytes, &info.stamp, offset));
        Ok(verified.then_some(Link {
            header,
            start,
            zone: place,
        }))
    }

    /// The records of a group of the chain.
    pub fn records(&mut self, link: &Link) -> Result<Vec<Record>, ScanError> {
        let head = usize::try_from(link.header.head_length()).unwrap_or(usize::MAX);
        let bytes = self.bytes(link.start, head)?.unwrap_or_default();
        let bytes = bytes.to_vec();
        let Some((info, cipher)) = self.life(link) else {
            return Err(ScanError::Unknown(link.header.number));
        };
        let spot = Spot {
            cipher: &cipher,
            stamp: &info.stamp,
            offset: link.start.offset,
        };
        let sealed = ScanError::Sealed(link.header.number);
        let records = GroupHeader::open(&bytes, &spot).ok_or(sealed)?;
        group::decode_records(&link.header, &records, link.start, &cipher)
            .ok_or(ScanError::Unknown(link.header.number))
    }

    /// The zone of a group, and its key.
    fn life(&self, link: &Link) -> Option<(ZoneInfo, Arc<Cipher>)> {
        let info = self.log.zones.get(link.zone)?;
        Some((*info, self.cipher(info)))
    }

    fn cipher(&self, info: &ZoneInfo) -> Arc<Cipher> {
        self.log.keys.of_boot(&info.boot_salt)
    }

    /// Visits every group that verifies behind a place: zone among the scanned ones, and offset.
    fn search(
        &mut self,
        (first, behind): (usize, u32),
        visit: &mut dyn FnMut(Link),
    ) -> Result<(), ScanError> {
        for place in first..self.log.zones.len() {
            let Some(info) = self.log.zones.get(place).copied() else {
                break;
            };
            let mut offset = if place == first { behind } else { BLOCK32 };
            let end = info.end.unwrap_or(self.geometry.zone_size);
            while let Some(found) = self.find_magic(info, offset, end)? {
                if let Some(link) = self.group_at(place, found)? {
                    visit(link);
                }
                offset = found + ALIGNMENT;
            }
        }
        Ok(())
    }

    /// The next place from `offset` on at which a group could start.
    fn find_magic(
        &mut self,
        info: ZoneInfo,
        offset: u32,
        end: u32,
    ) -> Result<Option<u32>, ScanError> {
        let mut offset = offset.next_multiple_of(ALIGNMENT);
        let step = ALIGNMENT as usize;
        while offset < end {
            let start = Location {
                zone: info.stamp.zone,
                offset,
            };
            if self.bytes(start, step)?.is_none() {
                return Ok(None);
            }
            let window = self.window_from(start);
            let hit = window
                .chunks_exact(step)
                .position(|chunk| chunk.starts_with(&MAGIC.to_le_bytes()));
            let passed = hit.unwrap_or(window.len() / step).saturating_mul(step);
            offset = offset.saturating_add(u32::try_from(passed).unwrap_or(u32::MAX));
            if hit.is_some() {
                return Ok((offset < end).then_some(offset));
            }
        }
        Ok(None)
    }

    /// Ends the chain before the first group past the last sync whose values do not verify.
    fn cut_at_bad_values(&mut self, links: &mut Vec<Link>, durable: u64) -> Result<(), ScanError> {
        for index in 0..links.len() {
            let Some(link) = links.get(index).copied() else {
                break;
            };
            if link.header.number > durable && !self.values_verify(&link)? {
                links.truncate(index);
                break;
            }
        }
        Ok(())
    }

    fn values_verify(&mut self, link: &Link) -> Result<bool, ScanError> {
        let Some((info, cipher)) = self.life(link) else {
            return Ok(false);
        };
        for record in self.records(link)? {
            if let (State::Live(_, value), Placement::Inside) =
                (&record.entry.state, record.placement)
            {
                let mut bytes = vec![0; cipher.stored32(value.length) as usize];
                let position = self.geometry.position(value.location);
                let spot = Spot {
                    cipher: &cipher,
                    stamp: &info.stamp,
                    offset: value.location.offset,
                };
                // A value that cannot be read costs its key; cutting here would cost what follows.
                if self.disk.read_at(position, &mut bytes).is_ok()
                    && !value_verifies(&spot, value, &mut bytes)
                {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// `length` bytes at a place, through a window that is read at once; `None` past the zone.
    fn bytes(&mut self, start: Location, length: usize) -> Result<Option<&[u8]>, ScanError> {
        let left = usize::try_from(self.geometry.zone_size.saturating_sub(start.offset));
        let left = left.unwrap_or_default();
        if length > left {
            return Ok(None);
        }
        if self.window_from(start).len() < length {
            self.window.bytes.resize(length.max(WINDOW).min(left), 0);
            self.disk
                .read_at(self.geometry.position(start), &mut self.window.bytes)?;
            self.window.start = start;
        }
        Ok(self.window_from(start).get(..length))
    }

    /// What the window holds from `start` on.
    fn window_from(&self, start: Location) -> &[u8] {
        let skip = start.offset.checked_sub(self.window.start.offset);
        match skip.and_then(|skip| usize::try_from(skip).ok()) {
            Some(skip) if start.zone == self.window.start.zone => {
                self.window.bytes.get(skip..).unwrap_or_default()
            }
            _ => &[],
        }
    }
}

/// Groups in the order of their numbers, cut where one is missing. Of two with one number, the
/// later place counts: a write that failed is repeated in the next zone.
fn stretches(mut links: Vec<Link>) -> Vec<Vec<Link>> {
    links.sort_by_key(|link| link.header.number);
    let mut stretches: Vec<Vec<Link>> = Vec::new();
    for link in links {
        let stretch = stretches.last_mut();
        let number = link.header.number;
        match stretch.and_then(|stretch| Some((stretch.last()?.header.number, stretch))) {
            Some((last, stretch)) if last == number => {
                stretch.pop();
                stretch.push(link);
            }
            Some((last, stretch)) if last + 1 == number => stretch.push(link),
            _ => stretches.push(vec![link]),
        }
    }
    stretches
}

/// Where a group may start that follows what ends at `offset`.
fn starts(offset: u32) -> impl Iterator<Item = u32> {
    let first = offset.next_multiple_of(ALIGNMENT);
    let second = offset.next_multiple_of(BLOCK32);
    [first]
        .into_iter()
        .chain((second != first).then_some(second))
}

fn value_verifies(spot: &Spot<'_>, value: &ValueRef, bytes: &mut [u8]) -> bool {
    match spot.cipher.seal() {
        Seal::Sealed => spot.open_value(bytes, value.length as usize),
        Seal::Plain => checksum(bytes) == value.checksum,
    }
}
