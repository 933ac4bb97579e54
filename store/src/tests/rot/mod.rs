//! Rot and read errors once the drive is open: what they cost, and that nothing else is lost.

mod errors;
mod runs;
mod scrub;

use std::io::{self, IoSlice};
use std::ops::Range;

use super::*;
use crate::run::format::block::{BlockHandle, Kind};
use crate::run::format::node::Node;
use crate::run::{Gap, Run};

/// A disk with places that cannot be read.
pub(super) struct Brittle {
    disk: Arc<MemoryDisk>,
    /// Places, and how many more reads of each fail.
    bad: Mutex<Vec<(Range<u64>, u32)>>,
}

impl Brittle {
    pub(super) fn over(disk: &Arc<MemoryDisk>) -> Arc<Self> {
        Arc::new(Self {
            disk: Arc::<MemoryDisk>::clone(disk),
            bad: Mutex::default(),
        })
    }

    pub(super) fn spoil(&self, place: Range<u64>, reads: u32) {
        self.bad.lock().unwrap().push((place, reads));
    }

    fn check(&self, offset: u64, length: usize) -> io::Result<()> {
        let end = offset + length as u64;
        let mut bad = self.bad.lock().unwrap();
        let met = bad
            .iter_mut()
            .find(|(place, left)| *left > 0 && place.start < end && offset < place.end);
        match met {
            Some((_, left)) => {
                *left -= 1;
                Err(io::Error::from_raw_os_error(5))
            }
            None => Ok(()),
        }
    }
}

impl Disk for Brittle {
    fn capacity(&self) -> u64 {
        self.disk.capacity()
    }

    fn sector_size(&self) -> u32 {
        self.disk.sector_size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.check(offset, buffer.len())?;
        self.disk.read_at(offset, buffer)
    }

    fn try_read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<bool> {
        self.check(offset, buffer.len())?;
        self.disk.try_read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, parts: &[IoSlice<'_>]) -> io::Result<()> {
        self.disk.write_at(offset, parts)
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.sync()
    }

    fn discard(&self, offset: u64, length: u64) -> io::Result<()> {
        self.disk.discard(offset, length)
    }
}

impl Drive {
    /// The same drive on a disk that can be made to fail.
    pub(super) fn on_brittle(&mut self) -> Arc<Brittle> {
        let disk = Brittle::over(&self.disk);
        let boot = u8::try_from(self.store.status().boot + 1).unwrap();
        let brittle: Arc<dyn Disk> = Arc::<Brittle>::clone(&disk);
        self.store = Store::open(brittle, options(), entropy(boot), None).unwrap();
        disk
    }

    /// Where something of a zone lies on the disk.
    pub(super) fn place(&self, location: crate::layout::geometry::Location) -> u64 {
        self.store.inner.shared.geometry.position(location)
    }

    pub(super) fn runs(&self) -> Vec<Arc<Run>> {
        self.store.inner.shared.view().runs.to_vec()
    }

    /// All leaves of a run with the keys that they may hold.
    pub(super) fn leaves(&self, run: &Run) -> Vec<(Gap, BlockHandle)> {
        let root = (Gap::default(), run.meta().root);
        let mut level = vec![root];
        for _ in 0..run.meta().height {
            let below = level.iter().flat_map(|node| self.children(run, node));
            level = below.collect();
        }
        level
    }

    fn children(&self, run: &Run, (gap, handle): &(Gap, BlockHandle)) -> Vec<(Gap, BlockHandle)> {
        let reader = &self.store.inner.shared.reader;
        let expected = run.expect(*handle, Kind::Node).unwrap();
        let block = reader.read_cold(&expected, Effort::Disk).unwrap();
        let node = Node::new(block.payload(), block.count()).unwrap();
        let child = |at: usize| node.child(at).unwrap();
        let end_of = |at: usize| match at + 1 < node.count() {
            true => Some(child(at + 1).fence.to_vec()),
            false => gap.end.clone(),
        };
        let all = (0..node.count()).map(|at| {
            let gap = Gap {
                start: child(at).fence.to_vec(),
                end: end_of(at),
            };
            (gap, child(at).handle)
        });
        all.collect()
    }

    /// A leaf in the middle of the greatest run, rotten from now on.
    pub(super) fn rot_a_leaf(&mut self) -> Gap {
        let runs = self.runs();
        let run = runs.iter().max_by_key(|run| run.meta().entries).unwrap();
        let leaves = self.leaves(run);
        assert!(leaves.len() > 4, "{} leaves", leaves.len());
        let (gap, handle) = leaves[leaves.len() / 2].clone();
        damage::flip_at(&self.disk, self.place(handle.location) + 50);
        self.reopen();
        gap
    }
}

pub(super) fn holds(gap: &Gap, key: &[u8]) -> bool {
    key >= &gap.start[..] && gap.end.as_ref().is_none_or(|end| key < &end[..])
}

pub(super) fn key_of(number: u32) -> Vec<u8> {
    format!("key{number:05}").into_bytes()
}

/// A drive of which one run holds all of so many keys, and those keys.
pub(super) fn one_run(count: u32) -> (Drive, Model) {
    let mut drive = Drive::new();
    let mut model = Model::new();
    for number in 0..count {
        let value = format!("value {number}").into_bytes();
        drive.put(&key_of(number), &value).unwrap();
        model.insert(key_of(number), value);
    }
    drive.merge_all();
    (drive, model)
}

impl Drive {
    /// Flushes and merges everything, as deletes of most keys would.
    pub(super) fn merge_all(&mut self) {
        for number in 0..2000_u32 {
            self.put(format!("zz{number:06}").as_bytes(), b"x").unwrap();
        }
        self.settle();
        for number in 0..2000_u32 {
            let gone = vec![delete(format!("zz{number:06}").as_bytes(), Expected::Any)];
            let token = self.submit(gone, Durability::WriteBack);
            self.finish(token).unwrap();
        }
        self.settle();
        self.reopen();
    }
}
