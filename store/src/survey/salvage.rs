//! Every value that can be read, and what cannot be.
//!
//! Guarantee: a value is given out only where it verified, under the newest entry of its key that
//! could be read; it is certain only where no newer one can have been missed. A deleted key is not
//! given out, nor an older value of a key whose newest one is lost: nothing is reinstated.
//! Not here: where the values go; whether somebody wants the uncertain ones.

use bytes::Bytes;

use super::look::{Contents, Survey};
use super::walk::{MissingBlock, Walk, Walked, WalkedKey};
use crate::effort::Effort;
use crate::entry::{Attributes, State};
use crate::error::{Damage, ReadError};
use crate::index::values::ValueReader;
use crate::log::scan::ScanError;

/// What comes of a salvage.
#[derive(Debug)]
pub enum Salvaged {
    /// A value.
    Value {
        /// Its key.
        key: Vec<u8>,
        /// The value.
        value: Bytes,
        /// Version, tag and algorithm.
        attributes: Attributes,
        /// Whether it is the one that was stored last.
        certainty: Certainty,
    },
    /// Something that cannot be read.
    Lost(Loss),
}

/// Whether a value is the one that was stored last under its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certainty {
    /// It is.
    Certain,
    /// It may have been replaced or deleted by what cannot be read.
    Uncertain,
}

/// Something that cannot be read.
#[derive(Debug)]
pub enum Loss {
    /// The value of a key.
    Value {
        /// The key.
        key: Vec<u8>,
        /// What is wrong.
        damage: Damage,
    },
    /// Keys of a run.
    Keys(MissingBlock),
    /// Changes that the log held.
    Changes(ScanError),
}

/// A salvage under way.
pub struct Salvage<'a> {
    contents: &'a Contents,
    values: ValueReader,
    walk: Walk,
    damage: Option<ScanError>,
}

impl Survey {
    /// Begins a salvage; `None` where the contents are hidden.
    #[must_use]
    pub fn salvage(&self) -> Option<Salvage<'_>> {
        let contents = self.contents.as_ref().ok()?;
        let mut log = self.log(contents);
        let damage = log.damage.take();
        Some(Salvage {
            contents,
            values: self.values(contents),
            walk: self.walk(contents, log),
            damage,
        })
    }
}

impl Iterator for Salvage<'_> {
    type Item = Salvaged;

    fn next(&mut self) -> Option<Salvaged> {
        if let Some(damage) = self.damage.take() {
            return Some(Salvaged::Lost(Loss::Changes(damage)));
        }
        loop {
            match self.walk.next()? {
                Walked::Missing(gap) => return Some(Salvaged::Lost(Loss::Keys(gap))),
                Walked::Key(found) => {
                    if let Some(salvaged) = self.value(found) {
                        return Some(salvaged);
                    }
                }
                // Neither hides a key.
                Walked::Filter(..) | Walked::Counts(_) => {}
            }
        }
    }
}

impl Salvage<'_> {
    /// The value of a key; nothing of one that was deleted.
    fn value(&self, found: WalkedKey) -> Option<Salvaged> {
        let WalkedKey {
            key,
            entry,
            doubtful,
            ..
        } = found;
        let State::Live(attributes, value) = entry.state else {
            return None;
        };
        let read = if value.length == 0 || self.contents.holds(&value) {
            self.values.read(&value, Effort::Disk)
        } else {
            Err(ReadError::Unreadable(Damage::Misplaced))
        };
        let certainty = if doubtful {
            Certainty::Uncertain
        } else {
            Certainty::Certain
        };
        match read {
            Ok(value) => Some(Salvaged::Value {
                key,
                value,
                attributes,
                certainty,
            }),
            Err(ReadError::Unreadable(damage)) => Some(Salvaged::Lost(Loss::Value { key, damage })),
            // Neither is said of a value with effort.
            Err(ReadError::NotFound | ReadError::NotCached) => None,
        }
    }
}
