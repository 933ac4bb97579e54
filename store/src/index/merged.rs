//! All memtables and runs of a view in key order, the newest entry of each key.
//!
//! Guarantee: keys come strictly in order, each once, with the entry of the newest source that
//! has it; tombstones are reported, so that the caller decides. An unreadable block stops the
//! cursor with an error instead of being skipped.
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
use crate::run::{BlockReader, Direction, Run, RunCursor};

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
    failed: Option<usize>,
}

#[derive(Debug)]
enum Source {
    Table(TableCursor),
    Run(RunCursor),
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
            let mut cursor = RunCursor::new(Arc::clone(run), direction);
            cursor.seek(reader, from, effort)?;
            sources.push(Source::Run(cursor));
        }
        Ok(Self {
            sources,
            direction,
            failed: None,
        })
    }

    /// A cursor over some runs, newest first, from their first key on.
    pub fn over_runs(runs: &[Arc<Run>], reader: &BlockReader) -> Result<Self, ReadError> {
        let mut sources = Vec::new();
        for run in runs {
            let mut cursor = RunCursor::new(Arc::clone(run), Direction::Forward);
            cursor.seek(reader, Bound::Unbounded, Effort::Disk)?;
            sources.push(Source::Run(cursor));
        }
        Ok(Self {
            sources,
            direction: Direction::Forward,
            failed: None,
        })
    }

    /// The source, counted from the newest, that made the last call of `next` fail.
    #[must_use]
    pub fn failed_source(&self) -> Option<usize> {
        self.failed
    }

    /// The next key; `None` at the end.
    pub fn next(
        &mut self,
        reader: &BlockReader,
        effort: Effort,
    ) -> Result<Option<MergedEntry>, ReadError> {
        let keys = self
            .sources
            .iter()
            .filter_map(|source| source.current().map(|(key, _)| key));
        let key: Option<Box<[u8]>> = match self.direction {
            Direction::Forward => keys.min().map(Box::from),
            Direction::Backward => keys.max().map(Box::from),
        };
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
        for (place, source) in self.sources.iter_mut().enumerate() {
            if source.current().is_some_and(|(other, _)| *other == *key) {
                let failed = &mut self.failed;
                source
                    .advance(reader, effort)
                    .inspect_err(|_| *failed = Some(place))?;
            }
        }
        Ok(newest.map(|entry| MergedEntry { key, entry, hidden }))
    }
}

impl Source {
    fn current(&self) -> Option<(&[u8], &Entry)> {
        match self {
            Self::Table(cursor) => cursor.current(),
            Self::Run(cursor) => cursor.current(),
        }
    }

    fn advance(&mut self, reader: &BlockReader, effort: Effort) -> Result<(), ReadError> {
        match self {
            Self::Table(cursor) => cursor.advance(),
            Self::Run(cursor) => cursor.advance(reader, effort)?,
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
