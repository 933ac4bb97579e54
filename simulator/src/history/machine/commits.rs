//! What is asked of the drive.
//!
//! Guarantee: nothing is asked that the drive must refuse for its size; everything else, wrong
//! versions and missing keys included, happens often.

use std::sync::Arc;

use bytes::Bytes;
use kinetic_store::limits::{SEAL_CHUNK, SEAL_TAG};
use kinetic_store::log::{group, record};
use kinetic_store::{Commit, Completion, Durability, Expected, Priority, Seal, SubmitError};

use super::state::{Machine, Outcomes, Pending};
use crate::history::content::{Item, key};
use crate::history::model::Change;
use crate::history::plan::pick;
use crate::history::report::Mark;
use crate::history::violation::{Broken, Promise};

const BLOCK: u64 = 4096;
/// Largest value of a batch, so that eight of them fit a group of the smallest zones.
const BATCH_VALUE: u64 = 2000;

impl Machine {
    /// Queues a random commit.
    pub(in crate::history) fn submit(&mut self) -> Result<(), Broken> {
        let number = self.next_commit;
        let durability = match self.rng.below(20) {
            0..=11 => Durability::WriteBack,
            12..=17 => Durability::WriteThrough,
            _ => Durability::Flush,
        };
        let changes = match self.rng.below(24) {
            0 => Vec::new(),
            1 => self.filling(number).into_iter().collect(),
            2..=6 => {
                let count = u16::try_from(2 + self.rng.below(7)).unwrap_or(2);
                (0..count)
                    .map(|part| self.change((number, part), BATCH_VALUE))
                    .collect()
            }
            _ => {
                let largest = self.largest();
                vec![self.change((number, 0), largest)]
            }
        };
        let durability = if changes.is_empty() {
            Durability::Flush
        } else {
            durability
        };
        self.queue(changes, durability)
    }

    /// Fills the drive as far as planned, or until it is full.
    pub(in crate::history) fn fill(&mut self) -> Result<(), Broken> {
        let (mut bytes, mut number) = (0, 0);
        let refused = self.no_space;
        while bytes < self.plan.filled && number < self.plan.keys {
            let length = 4000 + self.rng.below(12_000);
            let change = Change {
                key: key(number),
                item: Some(Item {
                    commit: self.next_commit,
                    part: 0,
                    length: u32::try_from(length).unwrap_or_default(),
                }),
                expected: Expected::Any,
            };
            self.queue(vec![change], Durability::WriteBack)?;
            (bytes, number) = (bytes + length, number + 1);
            self.settle()?;
            if self.is_stopped() || self.no_space > refused {
                break;
            }
        }
        Ok(())
    }

    /// Deletes everything and fills the drive again, half of what it can hold: nothing of that
    /// may be refused.
    pub(in crate::history) fn refill(&mut self) -> Result<(), Broken> {
        let keys: Vec<Bytes> = self.model.visible().keys().cloned().collect();
        for keys in keys.chunks(8) {
            let delete = |key: &Bytes| Change {
                key: key.clone(),
                item: None,
                expected: Expected::Any,
            };
            let changes = keys.iter().map(delete).collect();
            self.queue(changes, Durability::WriteBack)?;
            self.settle()?;
        }
        self.submit_flush()?;
        self.settle()?;
        let refused = self.no_space;
        self.plan.filled = self.plan.half_filled();
        self.fill()?;
        if self.no_space > refused {
            let status = self.store()?.status();
            return Broken::found(
                Promise::Space,
                format!("an emptied drive cannot be filled by half: {status:?}"),
            );
        }
        self.mark(Mark::Refilled);
        Ok(())
    }

    /// Queues a plain flush.
    pub(in crate::history) fn submit_flush(&mut self) -> Result<(), Broken> {
        self.queue(Vec::new(), Durability::Flush)
    }

    fn queue(&mut self, changes: Vec<Change>, durability: Durability) -> Result<(), Broken> {
        self.report.actions += 1;
        self.report.operations += changes.len().max(1) as u64;
        let token = self.next_commit;
        self.next_commit += 1;
        let commit = Commit {
            mutations: changes.iter().map(Change::mutation).collect(),
            durability,
            priority: Priority::nearest(i64::try_from(1 + token % 9).unwrap_or_default()),
            token,
            completion: Arc::<Outcomes>::clone(&self.outcomes) as Arc<dyn Completion>,
        };
        let (store, lane) = (self.store()?, self.lanes.draw(&mut self.rng));
        let submitted = match &lane {
            Some((_, lane)) => store.submit_in(lane, commit),
            None => store.submit(commit),
        };
        let lane = lane.map(|(number, _)| number);
        match submitted {
            Ok(ticket) => {
                // Whoever finds room by himself need not be told.
                if let Some(lane) = lane {
                    self.lanes.refused.remove(&lane);
                }
                let pending = Pending {
                    token,
                    lane,
                    ticket,
                    changes,
                    durability,
                };
                self.pending.insert(token, pending);
                Ok(())
            }
            Err(SubmitError::Busy(_)) if !self.pending.is_empty() => {
                self.lanes.refused.extend(lane);
                Ok(())
            }
            Err(error) => Broken::found(Promise::Answers, format!("{error:?}")),
        }
    }

    /// Largest value of a commit of its own.
    fn largest(&self) -> u64 {
        u64::from(self.plan.zone_size) / 2 - 3 * BLOCK
    }

    fn change(&mut self, (commit, part): (u64, u16), largest: u64) -> Change {
        let number = self.rng.below(self.plan.keys);
        let key = key(number);
        let expected = self.expected(&key);
        if self.rng.chance(3, 10) {
            return Change {
                key,
                item: None,
                expected,
            };
        }
        let length = match self.rng.below(1000) {
            0..100 => 0,
            roll if roll < 100 + self.plan.large_per_mille => self.rng.below(largest),
            roll if roll < 700 => self.rng.below(400),
            _ => self.rng.below(BATCH_VALUE),
        };
        let length = u32::try_from(length).unwrap_or_default();
        let item = Some(Item {
            commit,
            part,
            length,
        });
        Change {
            key,
            item,
            expected,
        }
    }

    fn expected(&mut self, key: &Bytes) -> Expected {
        let stored = self.model.visible().get(key).map(Item::version);
        match self.rng.below(10) {
            0 => Expected::Version(Bytes::from_static(b"wrong")),
            1 => Expected::Version(Bytes::new()),
            2..=4 => Expected::Version(stored.unwrap_or_default()),
            _ => Expected::Any,
        }
    }

    /// A put whose group ends where its zone does, if it comes alone and behind a sync.
    fn filling(&mut self, commit: u64) -> Option<Change> {
        let end = self.watched.log_end()?.offset.next_multiple_of(BLOCK);
        let left = u64::from(self.plan.zone_size).checked_sub(end)?;
        let number = self.rng.below(self.plan.keys);
        let (key, part) = (key(number), pick(&mut self.rng, &[0, 1], 0));
        let mut item = Item {
            commit,
            part,
            length: 0,
        };
        let head = group::WIDTH + record::encoded_length(&key, Some(&item.attributes()));
        let tags = match self.plan.seal {
            Seal::Plain => 0,
            // One for the records, one for each chunk of the value.
            Seal::Sealed => SEAL_TAG * (1 + usize::try_from(left).ok()?.div_ceil(SEAL_CHUNK)),
        };
        let length = left.checked_sub((head + tags) as u64)?;
        item.length = u32::try_from(length.min(self.largest())).ok()?;
        let expected = Expected::Any;
        Some(Change {
            key,
            item: Some(item),
            expected,
        })
    }
}
