//! A piece of a sparse platter: anonymous memory that the host gives page by page.

use std::io;

use memmap2::{Advice, MmapMut, MmapOptions};

use crate::limits::{EXTENT_LEN as LENGTH, PAGE};

/// Zero-filled when new.
pub(super) struct Extent {
    bytes: MmapMut,
    /// One bit for each page: somebody wrote into it.
    written: Box<[u64]>,
}

/// What a write replaced.
pub(super) enum Before {
    /// Pages, from this one on, that nobody had written.
    Fresh(usize, usize),
    /// These bytes, from there on.
    Bytes(usize, Box<[u8]>),
}

impl Extent {
    pub(super) fn new() -> io::Result<Self> {
        let bytes = MmapOptions::new()
            .len(LENGTH)
            .no_reserve_swap()
            .map_anon()?;
        // Huge pages would make a drive of few bytes cost megabytes. Only advice.
        let _ = bytes.advise(Advice::NoHugePage);
        Ok(Self {
            bytes,
            written: vec![0; LENGTH / PAGE / 64].into_boxed_slice(),
        })
    }

    /// Reads. Pages that nobody wrote are not touched: the host would map each of them.
    pub(super) fn read(&self, from: usize, to: &mut [u8]) {
        let end = from + to.len();
        let (mut at, mut rest) = (from, to);
        while at < end {
            let (fresh, next) = self.alike(at, end);
            let stop = end.min(next * PAGE);
            let (part, later) = rest.split_at_mut(stop - at);
            match self.bytes.get(at..stop) {
                Some(bytes) if !fresh => part.copy_from_slice(bytes),
                _ => part.fill(0),
            }
            (at, rest) = (stop, later);
        }
    }

    /// Writes, and tells what was there, the latest last.
    pub(super) fn write(&mut self, from: usize, data: &[u8], before: &mut Vec<Before>) {
        let (mut at, end) = (from, from + data.len());
        while at < end {
            let page = at / PAGE;
            let (fresh, next) = self.alike(at, end);
            let stop = end.min(next * PAGE);
            if fresh {
                before.push(Before::Fresh(page, next - page));
            } else if let Some(bytes) = self.bytes.get(at..stop) {
                before.push(Before::Bytes(at, bytes.into()));
            }
            at = stop;
        }
        if let Some(to) = self.bytes.get_mut(from..end) {
            to.copy_from_slice(data);
        }
        for page in from / PAGE..end.div_ceil(PAGE) {
            self.mark(page, true);
        }
    }

    /// Takes a write back.
    pub(super) fn restore(&mut self, before: &Before) {
        match before {
            Before::Fresh(page, count) => {
                if let Some(bytes) = self.bytes.get_mut(page * PAGE..(page + count) * PAGE) {
                    bytes.fill(0);
                }
                for page in *page..page + count {
                    self.mark(page, false);
                }
            }
            Before::Bytes(from, bytes) => {
                if let Some(to) = self.bytes.get_mut(*from..from + bytes.len()) {
                    to.copy_from_slice(bytes);
                }
            }
        }
    }

    /// Whether nobody wrote the page of this byte, and the next page of which that is not so.
    fn alike(&self, at: usize, end: usize) -> (bool, usize) {
        let fresh = !self.is_written(at / PAGE);
        let mut next = at / PAGE + 1;
        while next * PAGE < end && self.is_written(next) != fresh {
            next += 1;
        }
        (fresh, next)
    }

    fn is_written(&self, page: usize) -> bool {
        let word = self.written.get(page / 64).copied().unwrap_or_default();
        word & (1 << (page % 64)) != 0
    }

    fn mark(&mut self, page: usize, written: bool) {
        if let Some(word) = self.written.get_mut(page / 64) {
            match written {
                true => *word |= 1 << (page % 64),
                false => *word &= !(1 << (page % 64)),
            }
        }
    }
}
