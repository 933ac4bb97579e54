//! All memtables and runs of a view in key order, the newest entry of each key.
//!
//! Guarantee: keys come strictly in order, each once, with the entry of the newest source that
//! has it; tombstones are reported, so that the caller decides. An unreadable block stops the
//! cursor with an error instead of being skipped, but not before the first key that it may hold.
//! Not here: limits and what to do with tombstones (`store`, `upkeep::merge`).

use std::collections::VecDeque;
use std::ops::Bound;
use std::sync::Arc;

use super::memtable::Memtable;
use super::view::View;
use crate::effort::Effort;
use crate::entry::{Entry, Key};
use crate::error::ReadError;
use crate::limits::SCAN_CHUNK;
use crate::run::{BlockError, BlockReader, Direction, Gap, Run, RunCursor};

/// A key with its newest entry, and the older ones that it hides.
#[derive(Debug)]
pub struct MergedEntry {
    /// The key.
    pub key: Box<[u8]>,
    /// Its newest entry.
    pub entry: Entry,
    /// Entries of older sources for the same key.
    pub hidden: Vec<Entry>,
}

/// A cursor over several sources, newest first.
#[derive(Debug)]
pub struct MergedCursor {
    sources: Vec<Source>,
    direction: Direction,
    /// The key that was given out last; sources that stand on it have to go on.
    last: Option<Box<[u8]>>,
    failed: Option<usize>,
}

#[derive(Debug)]
enum Source {
    Table(TableCursor),
    Run(RunCursor),
    /// A run that cannot be read from some key on.
    Broken(Broken),
}

#[derive(Debug, Clone)]
struct Broken {
    gap: Gap,
    error: ReadError,
}

impl MergedCursor {
    /// A cursor over a whole view, placed at `from`.
    pub fn over_view(
        view: &View,
        reader: &BlockReader,
        from: Bound<&[u8]>,
        how: (Direction, Effort),
    ) -> Result<Self, ReadError> {
        let (direction, effort) = how;
        let frozen = view.frozen.iter().map(|frozen| &frozen.table);
        let mut sources: Vec<Source> = [&view.active]
            .into_iter()
            .chain(frozen)
            .map(|table| Source::Table(TableCursor::new(Arc::clone(table), direction, from)))
            .collect();
        for run in view.runs.iter() {
            let cursor = RunCursor::new(Arc::clone(run), direction);
            sources.push(placed(cursor, (reader, from), effort)?);
        }
        Ok(Self {
            sources,
            direction,
            last: None,
            failed: None,
        })
    }

    /// A cursor over some runs, newest first, from their first key on.
    pub fn over_runs(runs: &[Arc<Run>], reader: &BlockReader) -> Result<Self, ReadError> {
        let mut sources = Vec::new();
        for run in runs {
            let cursor = RunCursor::new(Arc::clone(run), Direction::Forward);
            let from = (reader, Bound::Unbounded);
            sources.push(placed(cursor, from, Effort::Disk)?);
        }
        Ok(Self {
            sources,
            direction: Direction::Forward,
            last: None,
            failed: None,
        })
    }

    /// The source, counted from the newest, that made the last call of `next` fail.
    #[must_use]
    pub fn failed_source(&self) -> Option<usize> {
        self.failed
    }

    /// The keys because of which the last call of `next` found something unreadable.
    #[must_use]
    pub fn gap(&self) -> Option<&Gap> {
        match self.sources.get(self.failed?)? {
            Source::Broken(broken) => Some(&broken.gap),
            Source::Table(_) | Source::Run(_) => None,
        }
    }

    /// The next key; `None` at the end. Where the block that may hold it is not in memory this can
    /// be called again with more effort.
    pub fn next(
        &mut self,
        reader: &BlockReader,
        effort: Effort,
    ) -> Result<Option<MergedEntry>, ReadError> {
        self.go_on(reader, effort)?;
        let keys = self
            .sources
            .iter()
            .filter_map(|source| source.current().map(|(key, _)| key));
        let key: Option<Box<[u8]>> = match self.direction {
            Direction::Forward => keys.min().map(Box::from),
            Direction::Backward => keys.max().map(Box::from),
        };
        if let Some((place, error)) = self.obstacle(key.as_deref()) {
            self.failed = Some(place);
            return Err(error);
        }
        let Some(key) = key else { return Ok(None) };
        let mut newest = None;
        let mut hidden = Vec::new();
        for source in &self.sources {
            match source.current() {
                Some((other, entry)) if *other == *key => match newest {
                    None => newest = Some(entry.clone()),
                    Some(_) => hidden.push(entry.clone()),
                },
                Some(_) | None => {}
            }
        }
        self.last = Some(key.clone());
        Ok(newest.map(|entry| MergedEntry { key, entry, hidden }))
    }

    /// Moves all sources behind the key that was given out last.
    fn go_on(&mut self, reader: &BlockReader, effort: Effort) -> Result<(), ReadError> {
        let Some(last) = &self.last else {
            return Ok(());
        };
        for source in &mut self.sources {
            if source.current().is_some_and(|(other, _)| *other == **last) {
                source.advance(reader, effort)?;
            }
        }
        self.last = None;
        Ok(())
    }

    /// The first source that is unreadable where `key` may not be given out before it.
    fn obstacle(&self, key: Option<&[u8]>) -> Option<(usize, ReadError)> {
        let forward = self.direction == Direction::Forward;
        let broken = self.sources.iter().enumerate();
        let broken = broken.filter_map(|(place, source)| match source {
            Source::Broken(broken) => Some((place, broken)),
            Source::Table(_) | Source::Run(_) => None,
        });
        let (place, first) = if forward {
            broken.min_by(|(_, one), (_, other)| one.gap.start.cmp(&other.gap.start))?
        } else {
            // No end is behind every end.
            let end = |broken: &Broken| (broken.gap.end.is_none(), broken.gap.end.clone());
            broken.max_by_key(|(_, broken)| end(broken))?
        };
        let clear = key.is_some_and(|key| match &first.gap.end {
            _ if forward => key < &first.gap.start[..],
            Some(end) => key >= &end[..],
            None => false,
        });
        (!clear).then_some((place, first.error))
    }
}

/// A source of a run, placed at a bound.
fn placed(
    mut cursor: RunCursor,
    (reader, from): (&BlockReader, Bound<&[u8]>),
    effort: Effort,
) -> Result<Source, ReadError> {
    match cursor.seek(reader, from, effort) {
        Ok(()) => Ok(Source::Run(cursor)),
        Err(error) => Ok(Source::Broken(broken(&cursor, error)?)),
    }
}

/// What a run is from where it cannot be read; what is only not in memory is still an error.
fn broken(cursor: &RunCursor, error: BlockError) -> Result<Broken, ReadError> {
    match error {
        BlockError::NotCached => Err(ReadError::NotCached),
        BlockError::Unreadable(_) => Ok(Broken {
            gap: cursor.gap().clone(),
            error: error.into(),
        }),
    }
}

impl Source {
    fn current(&self) -> Option<(&[u8], &Entry)> {
        match self {
            Self::Table(cursor) => cursor.current(),
            Self::Run(cursor) => cursor.current(),
            Self::Broken(_) => None,
        }
    }

    fn advance(&mut self, reader: &BlockReader, effort: Effort) -> Result<(), ReadError> {
        match self {
            Self::Table(cursor) => cursor.advance(),
            Self::Broken(_) => {}
            Self::Run(cursor) => {
                if let Err(error) = cursor.advance(reader, effort) {
                    *self = Self::Broken(broken(cursor, error)?);
                }
            }
        }
        Ok(())
    }
}

/// A cursor over a memtable that may change meanwhile.
#[derive(Debug)]
struct TableCursor {
    table: Arc<Memtable>,
    direction: Direction,
    chunk: VecDeque<(Key, Entry)>,
}

impl TableCursor {
    fn new(table: Arc<Memtable>, direction: Direction, from: Bound<&[u8]>) -> Self {
        let chunk = table.chunk(from, direction, SCAN_CHUNK).into();
        Self {
            table,
            direction,
            chunk,
        }
    }

    fn current(&self) -> Option<(&[u8], &Entry)> {
        self.chunk.front().map(|(key, entry)| (&**key, entry))
    }

    fn advance(&mut self) {
        if let Some((last, _)) = self.chunk.pop_front()
            && self.chunk.is_empty()
        {
            let from = Bound::Excluded(&*last);
            self.chunk = self.table.chunk(from, self.direction, SCAN_CHUNK).into();
        }
    }
}
