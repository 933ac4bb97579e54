//! What a zone of values holds: its groups, read back one after the other.
//!
//! Guarantee: what is given out has verified. It says only what was written to the zone; what of it
//! is alive, the index knows.

use std::slice;

use super::choice::Contents;
use crate::engine::shared::Shared;
use crate::layout::zone_header::ZoneKind;
use crate::limits::{BLOCK, BLOCK32};
use crate::log::record::Record;
use crate::log::scan::{Link, Log, ScanError, Scanner, Window};
use crate::manifest::edit::ZoneInfo;

/// A way through a zone.
#[derive(Debug)]
pub struct Walk {
    info: ZoneInfo,
    offset: u32,
    /// Bytes of heads of groups so far.
    heads: u64,
    window: Window,
}

/// What came next.
#[derive(Debug)]
pub enum Walked {
    /// The records of a group, with the places of their values.
    Group(Vec<Record>),
    /// Nothing.
    End,
    /// Something that cannot be read; what lies behind it is not known.
    Damaged,
}

impl Walk {
    /// A walk through this zone, which takes no more writes.
    #[must_use]
    pub fn new(info: ZoneInfo) -> Self {
        Self {
            info,
            offset: BLOCK32,
            heads: 0,
            window: Window::default(),
        }
    }

    /// The zone.
    #[must_use]
    pub fn info(&self) -> &ZoneInfo {
        &self.info
    }

    /// What was found so far, with so many bytes of values.
    #[must_use]
    pub fn contents(&self, values: u64) -> Contents {
        let used = u64::from(self.offset) - BLOCK;
        match self.info.kind {
            ZoneKind::Cold => Contents::of_cold(used, values),
            ZoneKind::Log | ZoneKind::Run | ZoneKind::Manifest => Contents {
                used,
                overhead: self.heads,
                values,
            },
        }
    }

    /// The next group.
    pub fn next(&mut self, shared: &Shared) -> Walked {
        let log = Log {
            zones: slice::from_ref(&self.info),
            manifest_boot: shared.boot,
            keys: &shared.keys,
        };
        let window = std::mem::take(&mut self.window);
        let mut scanner = Scanner::new(&*shared.disk, shared.geometry, log).with_window(window);
        let found = next_group(&mut scanner, self.offset);
        self.window = scanner.into_window();
        match found {
            Ok(Some((link, records))) => {
                self.heads += link.header.head_length();
                self.offset = link.start.offset.saturating_add(link.header.length);
                Walked::Group(records)
            }
            Ok(None) if self.info.end.is_none_or(|end| self.offset >= end) => Walked::End,
            Ok(None) | Err(_) => Walked::Damaged,
        }
    }
}

fn next_group(
    scanner: &mut Scanner<'_>,
    offset: u32,
) -> Result<Option<(Link, Vec<Record>)>, ScanError> {
    let Some(link) = scanner.group_from(offset)? else {
        return Ok(None);
    };
    let records = scanner.records(&link)?;
    Ok(Some((link, records)))
}
