//! All keys of a drive in order, each with its newest entry, and what is missing on the way.
//!
//! Guarantee: keys come strictly in order, each once. A block that cannot be read is told before
//! any key that it may hold, and is stepped over; an entry that a newer source may have replaced or
//! deleted where it cannot be read is given out as doubtful, never as certain.
//! Not here: values.

use std::collections::btree_map;
use std::sync::Arc;
use std::vec;

use super::log::Stretches;
use super::look::{Contents, Survey};
use crate::entry::{Entry, Key};
use crate::run::cache::Unreadable;
use crate::run::{BlockKind, BlockReader, Finding, Gap, Run, RunCheck, RunId};

/// What comes next.
#[derive(Debug)]
pub enum Walked {
    /// A key.
    Key(WalkedKey),
    /// A block of a run, and all below it, cannot be read.
    Missing(MissingBlock),
    /// A filter cannot be read, which hides nothing.
    Filter(RunId, Unreadable),
    /// A run was read whole, and has not as many entries as the manifest says.
    Counts(RunId),
}

/// A key.
#[derive(Debug)]
pub struct WalkedKey {
    /// The key.
    pub key: Vec<u8>,
    /// The newest entry that could be read.
    pub entry: Entry,
    /// Whether there may be a newer one that could not.
    pub doubtful: bool,
    /// What runs hold of it, hidden entries included.
    pub flushed: Vec<Entry>,
}

/// A block of a run that cannot be read, and all below it.
#[derive(Debug)]
pub struct MissingBlock {
    /// The run.
    pub run: RunId,
    /// A leaf or a node.
    pub kind: BlockKind,
    /// The keys that it may hold.
    pub keys: Gap,
    /// The block.
    pub bad: Unreadable,
}

/// A way through all keys.
pub struct Walk {
    sources: Vec<Source>,
    reader: BlockReader,
    bytes: u64,
}

/// The log or a run, or what is missing of them; newest first in the walk.
struct Source {
    feed: Feed,
    head: Option<(Vec<u8>, Entry)>,
    /// What could not be read of it, at and above the present key.
    gaps: Vec<Gap>,
    has_gaps: bool,
}

enum Feed {
    Table(btree_map::IntoIter<Key, Entry>),
    Run(Box<RunFeed>),
    Ended,
}

struct RunFeed {
    run: RunId,
    check: RunCheck,
    entries: vec::IntoIter<(Vec<u8>, Entry)>,
}

/// What a source gave.
enum Fed {
    Entry(Vec<u8>, Entry),
    Notice(Walked),
    /// A block without anything to tell, of so many bytes.
    Block(u32),
    End,
}

impl Survey {
    /// A walk over log and runs.
    pub(super) fn walk(&self, contents: &Contents, log: Stretches) -> Walk {
        let mut sources = Vec::new();
        if contents.remains.damage.is_some() || log.open_end {
            sources.push(Source::missing());
        }
        for (place, table) in log.tables.into_iter().rev().enumerate() {
            if place > 0 {
                sources.push(Source::missing());
            }
            sources.push(Source::of(Feed::Table(table.into_iter())));
        }
        for meta in &contents.remains.state.runs {
            let feed = RunFeed {
                run: meta.id,
                check: RunCheck::new(Arc::new(Run::new(meta.clone()))),
                entries: Vec::new().into_iter(),
            };
            sources.push(Source::of(Feed::Run(Box::new(feed))));
        }
        Walk {
            sources,
            reader: self.blocks(contents),
            bytes: 0,
        }
    }
}

impl Walk {
    /// Bytes of blocks that were read.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Sees to it that every source stands on an entry or has none; what is missing on the way.
    fn fill(&mut self) -> Option<Walked> {
        for source in &mut self.sources {
            while source.head.is_none() {
                match source.feed(&self.reader) {
                    Fed::Entry(key, entry) => source.head = Some((key, entry)),
                    Fed::Block(bytes) => self.bytes += u64::from(bytes),
                    Fed::Notice(notice) => return Some(notice),
                    Fed::End => break,
                }
            }
        }
        None
    }
}

impl Iterator for Walk {
    type Item = Walked;

    /// The next key, or what is missing before it; `None` at the end.
    fn next(&mut self) -> Option<Walked> {
        if let Some(notice) = self.fill() {
            return Some(notice);
        }
        let heads = self.sources.iter().filter_map(Source::key);
        let key = heads.min()?.to_vec();
        let mut found: Option<(Entry, bool)> = None;
        let mut flushed = Vec::new();
        let mut hidden_by_gap = false;
        for source in &mut self.sources {
            source.gaps.retain(|gap| !gap.ends_at(&key));
            if source.key() == Some(&key)
                && let Some((_, entry)) = source.head.take()
            {
                if let Feed::Run(_) = source.feed {
                    flushed.push(entry.clone());
                }
                found.get_or_insert((entry, hidden_by_gap));
            }
            hidden_by_gap |= source.gaps.iter().any(|gap| gap.holds(&key));
        }
        let (entry, doubtful) = found?;
        Some(Walked::Key(WalkedKey {
            key,
            entry,
            doubtful,
            flushed,
        }))
    }
}

impl Source {
    fn of(feed: Feed) -> Self {
        Self {
            feed,
            head: None,
            gaps: Vec::new(),
            has_gaps: false,
        }
    }

    /// Something of which nothing is known.
    fn missing() -> Self {
        Self {
            gaps: vec![Gap::default()],
            ..Self::of(Feed::Ended)
        }
    }

    fn key(&self) -> Option<&[u8]> {
        self.head.as_ref().map(|(key, _)| key.as_slice())
    }

    fn feed(&mut self, reader: &BlockReader) -> Fed {
        let feed = match &mut self.feed {
            Feed::Ended => return Fed::End,
            Feed::Table(table) => {
                return match table.next() {
                    Some((key, entry)) => Fed::Entry(key.to_vec(), entry),
                    None => Fed::End,
                };
            }
            Feed::Run(feed) => feed,
        };
        if let Some((key, entry)) = feed.entries.next() {
            return Fed::Entry(key, entry);
        }
        let run = feed.run;
        match feed.check.step(reader) {
            Finding::Sound(bytes) => {
                feed.entries = feed.check.take_entries().into_iter();
                Fed::Block(bytes)
            }
            Finding::Bad(bad) => {
                self.has_gaps = true;
                let kind = feed.check.kind();
                if kind == BlockKind::Filter {
                    return Fed::Notice(Walked::Filter(run, bad));
                }
                let keys = feed.check.gap().clone();
                self.gaps.push(keys.clone());
                Fed::Notice(Walked::Missing(MissingBlock {
                    run,
                    kind,
                    keys,
                    bad,
                }))
            }
            Finding::CountsDiffer if !self.has_gaps => {
                self.feed = Feed::Ended;
                Fed::Notice(Walked::Counts(run))
            }
            Finding::CountsDiffer | Finding::Done => {
                self.feed = Feed::Ended;
                Fed::End
            }
        }
    }
}
