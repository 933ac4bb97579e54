//! The log behind the replay point, as far as it verifies.
//!
//! Guarantee: each stretch holds what the groups of it made of their keys, in their order, and no
//! group that is missing lies inside one.
//! Not here: what the entries are worth where groups are missing (`walk`).

use std::collections::BTreeMap;

use super::look::{Contents, Survey};
use crate::entry::{Entry, Key};
use crate::log::scan::{Link, Log, ScanError, Scanner};
use crate::manifest::edit::ZoneInfo;

/// What the log holds.
#[derive(Debug, Default)]
pub struct Stretches {
    /// Entries of groups that follow each other, oldest stretch first. Before each but the first
    /// groups are missing.
    pub tables: Vec<BTreeMap<Key, Entry>>,
    /// Whether groups are missing behind the last stretch, too.
    pub open_end: bool,
    /// Groups that were read.
    pub groups: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Changes that they hold.
    pub changes: u64,
    /// Where their contents end, zone by zone.
    pub ends: BTreeMap<u32, u32>,
    /// What is wrong, if anything is.
    pub damage: Option<ScanError>,
}

impl Survey {
    /// Reads the log.
    pub(super) fn log(&self, contents: &Contents) -> Stretches {
        let state = &contents.remains.state;
        let zones = state.replay_zones();
        let log = Log {
            zones: &zones,
            manifest_boot: self.superblock.manifest_boot,
            keys: &contents.keys,
        };
        let mut scanner = Scanner::new(&*self.disk, self.superblock.geometry, log);
        let mut found = Stretches::default();
        match scanner.pieces(&state.replay) {
            Ok(pieces) => {
                found.damage = pieces.damage;
                found.open_end = found.damage.is_some() && pieces.behind.is_empty();
                found.read(&mut scanner, &zones, &pieces.chain.links);
                for stretch in &pieces.behind {
                    found.read(&mut scanner, &zones, stretch);
                }
            }
            Err(error) => {
                found.damage = Some(error);
                found.open_end = true;
            }
        }
        found
    }
}

impl Stretches {
    /// Reads groups that follow each other; one that cannot be read is missing.
    fn read(&mut self, scanner: &mut Scanner<'_>, zones: &[ZoneInfo], links: &[Link]) {
        let mut table = BTreeMap::new();
        for link in links {
            match scanner.records(link) {
                Ok(records) => {
                    self.groups += 1;
                    self.bytes += u64::from(link.header.length);
                    self.changes += u64::try_from(records.len()).unwrap_or(u64::MAX);
                    table.extend(records.into_iter().map(|record| (record.key, record.entry)));
                }
                Err(error) => {
                    self.damage.get_or_insert(error);
                    self.tables.push(std::mem::take(&mut table));
                }
            }
            if let Some(info) = zones.get(link.zone) {
                let end = link.start.offset.saturating_add(link.header.length);
                self.ends.insert(info.stamp.zone.0, end);
            }
        }
        self.tables.push(table);
    }
}
