//! One pass: one engine, one size of value, one number of threads, from an empty folder to its end.
//!
//! The order is always the same: put everything, sync, merge the index, read from the page cache,
//! scan, open again and read from the disk, delete half, then put and delete with a sync for each.

use std::path::Path;

use crate::data::{Data, key, shuffled};
use crate::engine::{Durability, Engine, Outcome, Span};
use crate::engines::Kind;
use crate::figure::{Figure, Figures, Sample};
use crate::meter::{Spent, forget, in_parallel, sync_all, timed, written};

/// How much is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Threads that ask at a time.
    pub(crate) threads: usize,
    /// Keys of the data set.
    pub(crate) keys: u64,
    /// Puts, and deletes, that are synced each.
    pub(crate) synced: u64,
    /// GETs from the disk.
    pub(crate) cold: u64,
}

impl Plan {
    /// What is done with values of so many bytes: 512 MiB of those below 64 KiB, else 1 GiB, and of
    /// that so many hundredths.
    pub(crate) fn of(value: usize, threads: usize, percent: u64) -> Self {
        let value = value.max(1) as u64;
        let asking = threads as u64;
        let volume = if value < 64 << 10 { 512 } else { 1024 } << 20;
        let scaled = |count: u64| (count * percent / 100).max(asking);
        Self {
            threads,
            keys: scaled(volume / value),
            synced: scaled((2000 * asking).min((256 << 20) / value)),
            cold: scaled((5000 * asking).min(volume / value / 2)),
        }
    }
}

/// Measures an engine in an empty folder.
pub(crate) fn run(kind: Kind, folder: &Path, data: &Data, plan: &Plan) -> Outcome<Figures> {
    let mut pass = Pass {
        data,
        plan,
        figures: Figures::new(),
    };
    let engine = kind.open(folder)?;
    pass.fill(&*engine, folder)?;
    pass.read_cached(&*engine)?;
    pass.scan(&*engine)?;
    engine.close()?;
    forget(folder)?;
    let engine = kind.open(folder)?;
    pass.read_cold(&*engine)?;
    pass.delete(&*engine)?;
    sync_all(folder)?;
    pass.synced(&*engine)?;
    engine.close()?;
    Ok(pass.figures)
}

struct Pass<'a> {
    data: &'a Data,
    plan: &'a Plan,
    figures: Figures,
}

impl Pass<'_> {
    fn note(&mut self, figure: Figure, count: u64, spent: Spent) {
        let count = count as f64;
        let sample = Sample {
            rate: count / spent.time.as_secs_f64().max(1e-9),
            processor_us: Some(spent.processors.as_secs_f64() * 1e6 / count),
        };
        self.figures.insert(figure, sample);
    }

    fn fill(&mut self, engine: &dyn Engine, folder: &Path) -> Outcome {
        let before = written(folder)?;
        let numbers: Vec<u64> = (0..self.plan.keys).collect();
        let put = |number| engine.put(&key(number), self.data.value(number), Durability::Cached);
        let time = in_parallel(self.plan.threads, &numbers, put)?;
        let last = timed(|| engine.sync())?;
        engine.settle()?;
        if let Some((before, after)) = before.zip(written(folder)?) {
            let put = self.plan.keys * self.data.value_length() as u64;
            let sample = Sample {
                rate: (after - before) as f64 / put as f64,
                processor_us: None,
            };
            self.figures.insert(Figure::Written, sample);
        }
        self.note(Figure::Put, self.plan.keys, time);
        self.note(Figure::PutToDisk, self.plan.keys, time + last);
        Ok(())
    }

    fn get(&self, engine: &dyn Engine, number: u64) -> Outcome {
        let mut right = false;
        let there = engine.get(&key(number), &mut |value| {
            right = self.data.is_value(number, value);
        })?;
        match (there, right) {
            (true, true) => Ok(()),
            (true, false) => Err(format!("the value of key {number} is wrong").into()),
            (false, _) => Err(format!("key {number} is missing").into()),
        }
    }

    fn read_cached(&mut self, engine: &dyn Engine) -> Outcome {
        let (threads, keys) = (self.plan.threads, self.plan.keys);
        let get = |number| self.get(engine, number);
        // What was written past the page cache is not in it yet.
        in_parallel(threads, &(0..keys).collect::<Vec<_>>(), get)?;
        let time = in_parallel(threads, &shuffled(0..keys), get)?;
        self.note(Figure::GetCached, keys, time);
        Ok(())
    }

    fn read_cold(&mut self, engine: &dyn Engine) -> Outcome {
        let mut some = shuffled(0..self.plan.keys);
        some.truncate(usize::try_from(self.plan.cold)?);
        let time = in_parallel(self.plan.threads, &some, |number| self.get(engine, number))?;
        self.note(Figure::GetCold, some.len() as u64, time);
        Ok(())
    }

    fn scan(&mut self, engine: &dyn Engine) -> Outcome {
        use std::sync::atomic::{AtomicU64, Ordering};
        let threads = self.plan.threads;
        let parts: Vec<u64> = (0..threads as u64).collect();
        let (keys, values) = (AtomicU64::new(0), AtomicU64::new(0));
        let scan_keys = in_parallel(threads, &parts, |part| {
            let mut seen = 0;
            engine.keys(&span(part, threads), &mut |_key| seen += 1)?;
            keys.fetch_add(seen, Ordering::Relaxed);
            Ok(())
        })?;
        let scan_values = in_parallel(threads, &parts, |part| {
            let (mut seen, length) = (0, self.data.value_length());
            engine.entries(&span(part, threads), &mut |_key, value| {
                seen += u64::from(value.len() == length);
            })?;
            values.fetch_add(seen, Ordering::Relaxed);
            Ok(())
        })?;
        let (keys, values) = (keys.into_inner(), values.into_inner());
        if (keys, values) != (self.plan.keys, self.plan.keys) {
            let wanted = self.plan.keys;
            return Err(format!("of {wanted} keys the scans saw {keys} and {values}").into());
        }
        self.note(Figure::Keys, keys, scan_keys);
        self.note(Figure::Entries, values, scan_values);
        Ok(())
    }

    fn delete(&mut self, engine: &dyn Engine) -> Outcome {
        let mut half = shuffled(0..self.plan.keys);
        half.truncate(half.len().div_ceil(2));
        let time = in_parallel(self.plan.threads, &half, |number| {
            engine.delete(&key(number), Durability::Cached)
        })?;
        let last = timed(|| engine.sync())?;
        if let Some(gone) = half.first()
            && engine.get(&key(*gone), &mut |_value| {})?
        {
            return Err(format!("key {gone} was deleted and is there").into());
        }
        self.note(Figure::Delete, half.len() as u64, time);
        self.note(Figure::DeleteToDisk, half.len() as u64, time + last);
        Ok(())
    }

    fn synced(&mut self, engine: &dyn Engine) -> Outcome {
        let (threads, keys) = (self.plan.threads, self.plan.keys);
        let numbers: Vec<u64> = (keys..keys + self.plan.synced).collect();
        let put = |number| engine.put(&key(number), self.data.value(number), Durability::Synced);
        let puts = in_parallel(threads, &numbers, put)?;
        let delete = |number| engine.delete(&key(number), Durability::Synced);
        let deletes = in_parallel(threads, &numbers, delete)?;
        self.note(Figure::PutSynced, self.plan.synced, puts);
        self.note(Figure::DeleteSynced, self.plan.synced, deletes);
        Ok(())
    }
}

/// One of so many equal parts of all keys.
fn span(part: u64, parts: usize) -> Span {
    let edge = |part: u64| (u64::MAX / parts as u64 * part).to_be_bytes().to_vec();
    let next = part + 1;
    Span {
        from: edge(part),
        to: (next < parts as u64).then(|| edge(next)),
    }
}
