//! What the drive must hold: the commits of a history, in order, and how many must survive.
//!
//! Guarantee: a state passes after a stop only if it is the state after some prefix of the
//! commits, batches whole, and no shorter than the stop allows: after a kill everything that was
//! visible, after a power cut everything that was acknowledged as durable.
//! Not here: how the state is read from the drive (`check`).

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use kinetic_store::{CommitFailure, Expected, Mutation};

use super::content::Item;
use super::violation::{Broken, Promise};

/// Keys and what lies under them.
pub(super) type Content = BTreeMap<Bytes, Item>;

/// One change of a commit.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) key: Bytes,
    /// What is put; `None` deletes.
    pub(super) item: Option<Item>,
    pub(super) expected: Expected,
}

impl Change {
    /// What the engine is asked for.
    pub(super) fn mutation(&self) -> Mutation {
        let (key, expected) = (self.key.clone(), self.expected.clone());
        match self.item {
            Some(item) => Mutation::Put {
                value: item.value(&key),
                attributes: item.attributes(),
                key,
                expected,
            },
            None => Mutation::Delete { key, expected },
        }
    }
}

/// What a commit does to the keys it touches.
pub(super) type Effects = Vec<(Bytes, Option<Item>)>;

/// How the drive stopped, as far as that decides what may be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Loss {
    /// The process ended; the page cache is there.
    Nothing,
    /// Power failed: whatever was not synced may be lost.
    Unsynced,
    /// Bits rotted: the end of the log may be cut short, and keys may be unreadable.
    Rotten,
    /// The disk lied about a sync and lost power: whatever was ever written may be there.
    Deceived,
}

/// What was found under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Readable(Item),
    /// The drive says that it cannot read it; only rot and unreadable sectors excuse that.
    Unreadable,
}

/// How many commits since the last start survived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    /// Commits that survived.
    pub(super) kept: usize,
    /// Commits that had been visible.
    pub(super) visible: usize,
}

/// The commits since the last start, over what was there then.
#[derive(Debug, Default)]
pub(super) struct Model {
    base: Content,
    applied: Vec<Effects>,
    visible: Content,
    /// So many of `applied` are acknowledged as durable.
    durable: usize,
    /// Commits of the last group whose write failed or was cut short: they may come back behind
    /// all others.
    limbo: Vec<Effects>,
    /// Some of `limbo` may have been refused, and nobody was told which.
    limbo_is_doubtful: bool,
}

impl Model {
    /// What reads must show now.
    pub(super) fn visible(&self) -> &Content {
        &self.visible
    }

    /// What the visible state demands of a commit.
    pub(super) fn verdict(&self, changes: &[Change]) -> Result<Effects, CommitFailure> {
        verdict(&self.visible, changes)
    }

    /// The same where commits before it in the same group failed with their write.
    pub(super) fn verdict_in_limbo(&self, changes: &[Change]) -> Result<Effects, CommitFailure> {
        let mut state = self.visible.clone();
        self.limbo
            .iter()
            .for_each(|effects| apply(&mut state, effects));
        verdict(&state, changes)
    }

    /// A commit became visible; gives back its place.
    pub(super) fn apply(&mut self, effects: Effects) -> usize {
        if !effects.is_empty() {
            self.next_group();
        }
        apply(&mut self.visible, &effects);
        self.applied.push(effects);
        self.applied.len()
    }

    /// Everything up to this place was acknowledged as durable.
    pub(super) fn acknowledge(&mut self, place: usize) {
        self.durable = self.durable.max(place);
    }

    /// Another group is written, which happens only once the zone of a failed one is sealed: what
    /// failed before cannot come back.
    pub(super) fn next_group(&mut self) {
        self.limbo.clear();
        self.limbo_is_doubtful = false;
    }

    /// The drive was full or damaged: of the commits whose write failed, some were not in it.
    pub(super) fn doubt_group(&mut self) {
        self.limbo_is_doubtful = true;
    }

    /// The write of this commit failed or was cut short.
    pub(super) fn write_failed(&mut self, effects: Effects) {
        self.limbo.push(effects);
    }

    /// Whether `found` is a state that may be left; if so, it is the new start.
    pub(super) fn recovered(
        &mut self,
        found: &BTreeMap<Bytes, Found>,
        loss: Loss,
    ) -> Result<Kept, Broken> {
        let least = match loss {
            Loss::Nothing => self.applied.len(),
            Loss::Unsynced => self.durable,
            Loss::Rotten | Loss::Deceived => 0,
        };
        if loss == Loss::Deceived {
            return Ok(self.take_over(found));
        }
        let best = self.longest(found, least);
        let visible = self.applied.len();
        let Some((kept, state)) = best.or_else(|| self.in_doubt(found)) else {
            return Broken::found(Promise::Durability, self.difference(found, least));
        };
        *self = Self {
            base: state.clone(),
            visible: state,
            ..Self::default()
        };
        Ok(Kept { kept, visible })
    }

    /// The longest prefix of the commits that agrees with what was found.
    fn longest(&self, found: &BTreeMap<Bytes, Found>, least: usize) -> Option<(usize, Content)> {
        let mut state = self.base.clone();
        let keys = state.keys().chain(found.keys());
        let mut wrong: BTreeSet<Bytes> = keys
            .filter(|key| !fits(state.get(*key), found.get(*key)))
            .cloned()
            .collect();
        let mut best = (least == 0 && wrong.is_empty()).then_some(0);
        let all = || self.applied.iter().chain(&self.limbo);
        for (effects, place) in all().zip(1..) {
            apply(&mut state, effects);
            for (key, _) in effects {
                if fits(state.get(key), found.get(key)) {
                    wrong.remove(key);
                } else {
                    wrong.insert(key.clone());
                }
            }
            if place >= least && wrong.is_empty() {
                best = Some(place);
            }
        }
        let place = best?;
        let mut state = self.base.clone();
        all()
            .take(place)
            .for_each(|effects| apply(&mut state, effects));
        Some((place, state))
    }

    /// Whatever was found is what is there from now on.
    fn take_over(&mut self, found: &BTreeMap<Bytes, Found>) -> Kept {
        let readable = found.iter().filter_map(|(key, found)| match found {
            Found::Readable(item) => Some((key.clone(), *item)),
            Found::Unreadable => None,
        });
        let state: Content = readable.collect();
        let visible = self.applied.len();
        *self = Self {
            base: state.clone(),
            visible: state,
            ..Self::default()
        };
        Kept {
            kept: visible,
            visible,
        }
    }

    /// All that was visible, and of a doubtful group whatever was found of it.
    fn in_doubt(&self, found: &BTreeMap<Bytes, Found>) -> Option<(usize, Content)> {
        let mut state = self.visible.clone();
        for (key, item) in self.limbo.iter().flatten() {
            match (found.get(key), item) {
                (Some(Found::Readable(there)), Some(item)) if there == item => {
                    state.insert(key.clone(), *item);
                }
                (None, None) => {
                    state.remove(key);
                }
                _ => {}
            }
        }
        let fits = self.limbo_is_doubtful && agrees(&state, found);
        fits.then_some((self.applied.len() + self.limbo.len(), state))
    }

    /// How what was found differs from the shortest state that would do, and from the longest.
    fn difference(&self, found: &BTreeMap<Bytes, Found>, least: usize) -> String {
        let mut state = self.base.clone();
        self.applied
            .iter()
            .take(least)
            .for_each(|effects| apply(&mut state, effects));
        format!(
            "of {} commits, and {} cut short, {least} must be there; against those: {}; \
             against all: {}",
            self.applied.len(),
            self.limbo.len(),
            first_difference(&state, found),
            first_difference(&self.visible, found),
        )
    }
}

fn verdict(state: &Content, changes: &[Change]) -> Result<Effects, CommitFailure> {
    for Change {
        key,
        item,
        expected,
    } in changes
    {
        let Expected::Version(wanted) = expected else {
            continue;
        };
        let stored = state.get(key).map(Item::version);
        if stored.is_none() && item.is_none() {
            return Err(CommitFailure::NotFound);
        }
        if stored.unwrap_or_default() != *wanted {
            return Err(CommitFailure::VersionMismatch);
        }
    }
    let mut effects = Effects::new();
    for Change { key, item, .. } in changes {
        let put_before = effects
            .iter()
            .rfind(|(other, _)| other == key)
            .is_some_and(|(_, item)| item.is_some());
        if item.is_some() || state.contains_key(key) || put_before {
            effects.push((key.clone(), *item));
        }
    }
    Ok(effects)
}

fn apply(state: &mut Content, effects: &Effects) {
    for (key, item) in effects {
        match item {
            Some(item) => state.insert(key.clone(), *item),
            None => state.remove(key),
        };
    }
}

/// An unreadable key agrees with anything, a missing one only with a missing one.
fn fits(state: Option<&Item>, found: Option<&Found>) -> bool {
    match found {
        Some(Found::Readable(item)) => state == Some(item),
        Some(Found::Unreadable) => true,
        None => state.is_none(),
    }
}

fn agrees(state: &Content, found: &BTreeMap<Bytes, Found>) -> bool {
    let keys = state.keys().chain(found.keys());
    keys.into_iter()
        .all(|key| fits(state.get(key), found.get(key)))
}

fn first_difference(state: &Content, found: &BTreeMap<Bytes, Found>) -> String {
    let keys = state.keys().chain(found.keys());
    let mut differing = keys.filter(|key| match found.get(*key) {
        Some(Found::Readable(item)) => state.get(*key) != Some(item),
        Some(Found::Unreadable) => false,
        None => state.contains_key(*key),
    });
    differing.next().map_or_else(
        || String::from("nothing differs"),
        |key| {
            let name = String::from_utf8_lossy(key.get(..7).unwrap_or(key)).into_owned();
            let (wanted, found) = (state.get(key), found.get(key));
            format!("{name} should be {wanted:?} and is {found:?}")
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(number: u64) -> Effects {
        let item = Item {
            commit: number,
            part: 0,
            length: 1,
        };
        vec![(super::super::content::key(number), Some(item))]
    }

    fn model(durable: usize) -> Model {
        let mut model = Model::default();
        for number in 1..=3 {
            model.apply(put(number));
        }
        model.acknowledge(durable);
        model
    }

    fn found(numbers: &[u64]) -> BTreeMap<Bytes, Found> {
        let items = numbers.iter().flat_map(|number| put(*number));
        items
            .filter_map(|(key, item)| Some((key, Found::Readable(item?))))
            .collect()
    }

    #[test]
    fn a_suffix_may_be_lost_up_to_what_is_durable_and_nothing_else() {
        let kept = model(1).recovered(&found(&[1, 2]), Loss::Unsynced).unwrap();
        assert_eq!(
            kept,
            Kept {
                kept: 2,
                visible: 3
            }
        );
        model(1).recovered(&found(&[]), Loss::Unsynced).unwrap_err();
        model(1)
            .recovered(&found(&[1, 3]), Loss::Unsynced)
            .unwrap_err();
        model(0).recovered(&found(&[]), Loss::Unsynced).unwrap();
    }

    #[test]
    fn a_kill_loses_nothing_and_what_was_cut_short_may_come_back() {
        model(0)
            .recovered(&found(&[1, 2]), Loss::Nothing)
            .unwrap_err();
        let mut cut_short = model(0);
        cut_short.write_failed(put(4));
        cut_short
            .recovered(&found(&[1, 2, 3, 4]), Loss::Nothing)
            .unwrap();
        let mut never = model(0);
        never
            .recovered(&found(&[1, 2, 3, 4]), Loss::Nothing)
            .unwrap_err();
    }
}
