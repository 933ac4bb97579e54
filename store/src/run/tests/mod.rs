//! Runs built, read, walked and damaged on a disk in memory.

mod damage;
mod fuzz;
mod model;
mod slack;
mod timing;

use std::collections::BTreeMap;
use std::io::IoSlice;
use std::sync::Arc;

use crate::disk::{Disk, MemoryDisk};
use crate::effort::Effort;
use crate::entry::{Attributes, Entry, Seqno, State, ValueRef};
use crate::layout::checksum::ZoneStamp;
use crate::layout::geometry::{Geometry, Location, ZoneId};

use super::{BlockCache, BlockReader, Finding, Run, RunBuilder, RunCheck, RunId, ZoneRoom};

pub(super) type Model = BTreeMap<Vec<u8>, Entry>;

/// Numbers that look random and are the same every time.
pub(super) struct Dice(pub u64);

impl Dice {
    pub(super) fn roll(&mut self, below: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let mixed = self.0 ^ (self.0 >> 29);
        (mixed.wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 20) % below
    }

    pub(super) fn size(&mut self, below: u64) -> usize {
        usize::try_from(self.roll(below)).unwrap()
    }

    pub(super) fn entry(&mut self) -> Entry {
        let seqno = Seqno(self.roll(1 << 40));
        if self.roll(5) == 0 {
            let state = State::Deleted;
            return Entry { seqno, state };
        }
        let length = if self.roll(50) == 0 {
            2048
        } else {
            self.size(20)
        };
        let algorithm = (self.roll(2) == 0).then(|| -i32::try_from(self.roll(9)).unwrap());
        let attributes = Attributes::new(&vec![7; length], &vec![9; length / 2 * 2], algorithm);
        let value = ValueRef {
            location: Location {
                zone: ZoneId(u32::try_from(self.roll(99)).unwrap()),
                offset: u32::try_from(self.roll(1 << 20)).unwrap(),
            },
            length: 5,
            checksum: u32::try_from(self.roll(1 << 32)).unwrap(),
        };
        let state = State::Live(attributes, value);
        Entry { seqno, state }
    }
}

/// A disk with room for runs.
pub(super) struct Bench {
    pub disk: Arc<MemoryDisk>,
    pub geometry: Geometry,
    pub reader: BlockReader,
    next_zone: u32,
    rest: Option<ZoneRoom>,
}

impl Bench {
    pub(super) fn new(zone_size: u32, zones: u32) -> Self {
        let disk = Arc::new(MemoryDisk::new(u64::from(zone_size) * u64::from(zones)));
        let geometry = Geometry { zone_size, zones };
        let cache = Arc::new(BlockCache::of_blocks(8 << 20));
        let reader = BlockReader::new(disk.clone(), geometry, cache);
        Self {
            disk,
            geometry,
            reader,
            next_zone: 1,
            rest: None,
        }
    }

    /// A reader that has nothing in memory.
    pub(super) fn cold(&self) -> BlockReader {
        let cache = Arc::new(BlockCache::of_blocks(8 << 20));
        BlockReader::new(self.disk.clone(), self.geometry, cache)
    }

    fn room(&mut self) -> ZoneRoom {
        if let Some(rest) = self.rest.take() {
            return rest;
        }
        let zone = ZoneId(self.next_zone);
        self.next_zone += 1;
        ZoneRoom {
            stamp: ZoneStamp {
                drive: 7,
                zone,
                epoch: 100 + u64::from(zone.0),
                salt: 3,
            },
            next: 4096,
            end: self.geometry.zone_size,
        }
    }

    fn drain(&self, builder: &mut RunBuilder) {
        while let Some(write) = builder.take_write() {
            assert_eq!(write.location.offset % 4096, 0);
            assert_eq!(write.bytes.len() % 4096, 0);
            let length = u32::try_from(write.bytes.len()).unwrap();
            assert!(self.geometry.holds(write.location, length));
            let position = self.geometry.position(write.location);
            self.disk
                .write_at(position, &[IoSlice::new(&write.bytes)])
                .unwrap();
        }
    }

    pub(super) fn build<'a>(
        &mut self,
        target: usize,
        entries: impl Iterator<Item = (&'a [u8], &'a Entry)>,
    ) -> Option<Arc<Run>> {
        let mut builder = RunBuilder::new(RunId(42), 0).with_block_target(target);
        for (key, entry) in entries {
            if builder.wants_room() {
                builder.give_room(self.room());
                assert!(!builder.wants_room());
            }
            builder.add(key, entry).unwrap();
            self.drain(&mut builder);
        }
        if builder.wants_room() {
            builder.give_room(self.room());
        }
        let meta = builder.finish().unwrap();
        self.drain(&mut builder);
        self.rest = builder.take_rest();
        meta.map(|meta| Arc::new(Run::new(meta)))
    }

    pub(super) fn build_model(&mut self, target: usize, model: &Model) -> Arc<Run> {
        let entries = model.iter().map(|(key, entry)| (key.as_slice(), entry));
        self.build(target, entries).unwrap()
    }

    /// Walks the whole run; the first finding that is not sound.
    pub(super) fn check(&self, run: &Arc<Run>) -> Finding {
        let mut check = RunCheck::new(Arc::clone(run));
        loop {
            match check.step(&self.reader) {
                Finding::Sound(_) => {}
                other => return other,
            }
        }
    }

    pub(super) fn get(&self, run: &Run, key: &[u8]) -> Option<Entry> {
        run.get(&self.reader, key, Effort::Disk).unwrap()
    }
}

/// A few hundred keys of every shape.
pub(super) fn model(seed: u64, keys: u64) -> Model {
    let mut dice = Dice(seed);
    let mut model = Model::new();
    for number in 0..keys {
        let key = match dice.roll(5) {
            0 => number.to_be_bytes().to_vec(),
            1 => format!("shared/prefix/of/many/keys/{}", dice.roll(keys)).into_bytes(),
            2 => vec![b'a'; dice.size(40)],
            3 if dice.roll(20) == 0 => {
                let mut key = vec![b'x'; 4096];
                let tail = key.last_chunk_mut::<8>().unwrap();
                *tail = number.to_be_bytes();
                key
            }
            _ => (0..dice.roll(30))
                .map(|_| dice.roll(256).to_le_bytes()[0])
                .collect(),
        };
        model.insert(key, dice.entry());
    }
    model.insert(Vec::new(), dice.entry());
    model
}

/// Many small keys.
pub(super) fn small(keys: u32) -> Model {
    let mut dice = Dice(5);
    (0..keys)
        .map(|number| (format!("key{:08}", number * 2).into_bytes(), dice.entry()))
        .collect()
}
