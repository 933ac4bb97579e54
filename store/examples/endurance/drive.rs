//! A drive under load: many commits in flight, and what became of them.

use std::error::Error;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use kinetic_store::disk::FileDisk;
use kinetic_store::{
    Attributes, Commit, CommitError, CommitFailure, Completion, Durability, Expected,
    FormatOptions, Mutation, Options, Priority, Store, SubmitError, Threads, format,
};

use crate::counting::Counting;

/// Commits that are under way at a time.
const IN_FLIGHT: u64 = 256;

/// An open drive with its threads.
pub(crate) struct Drive {
    pub(crate) disk: Arc<Counting>,
    pub(crate) store: Store,
    threads: Option<Threads>,
    answers: Arc<Answers>,
    sent: u64,
}

#[derive(Default)]
struct Answers {
    done: AtomicU64,
    full: AtomicU64,
    failed: AtomicU64,
    lock: Mutex<()>,
    more: Condvar,
}

impl Completion for Answers {
    fn complete(&self, _token: u64, outcome: Result<(), CommitError>) {
        match outcome {
            Ok(()) => {}
            Err(error) if error.failure == CommitFailure::NotFound => {}
            Err(error) if error.failure == CommitFailure::NoSpace => {
                self.full.fetch_add(1, Ordering::AcqRel);
            }
            Err(_) => {
                self.failed.fetch_add(1, Ordering::AcqRel);
            }
        }
        self.done.fetch_add(1, Ordering::AcqRel);
        let _guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.more.notify_all();
    }
}

impl Drive {
    /// A new drive of so many GiB in a file that must not be there yet.
    pub(crate) fn create(file: &str, gib: u64) -> Result<Self, Box<dyn Error>> {
        let disk = FileDisk::create_new(Path::new(file), gib << 30)?;
        let options = FormatOptions {
            uuid: [1; 16],
            entropy: [1; 32],
            zone_size: None,
        };
        format(&disk, &options)?;
        Self::start(disk)
    }

    /// The drive in a file.
    pub(crate) fn open(file: &str) -> Result<Self, Box<dyn Error>> {
        Self::start(FileDisk::open(Path::new(file))?)
    }

    fn start(disk: FileDisk) -> Result<Self, Box<dyn Error>> {
        let disk = Arc::new(Counting::new(disk));
        let entropy = entropy();
        let store = Store::open(
            Arc::<Counting>::clone(&disk),
            Options::default(),
            entropy,
            None,
        )?;
        let threads = Some(store.start_threads()?);
        Ok(Self {
            disk,
            store,
            threads,
            answers: Arc::default(),
            sent: 0,
        })
    }

    /// Puts a value, waiting for earlier ones as far as necessary.
    pub(crate) fn put(&mut self, key: Bytes, value: Bytes) -> Result<(), Box<dyn Error>> {
        self.submit(Mutation::Put {
            key,
            value,
            attributes: Attributes::new(b"", b"", None),
            expected: Expected::Any,
        })
    }

    /// Deletes a key.
    pub(crate) fn delete(&mut self, key: Bytes) -> Result<(), Box<dyn Error>> {
        self.submit(Mutation::Delete {
            key,
            expected: Expected::Any,
        })
    }

    fn submit(&mut self, mutation: Mutation) -> Result<(), Box<dyn Error>> {
        loop {
            let commit = Commit {
                mutations: vec![mutation.clone()],
                durability: Durability::WriteBack,
                priority: Priority::NORMAL,
                token: self.sent,
                completion: Arc::<Answers>::clone(&self.answers),
            };
            match self.store.submit(commit) {
                Ok(_) => break,
                Err(SubmitError::Busy(_)) => self.wait_for(self.sent),
                Err(other) => return Err(format!("{other:?}").into()),
            }
        }
        self.sent += 1;
        if self.sent.is_multiple_of(16) {
            self.store.kick();
            self.wait_for(self.sent.saturating_sub(IN_FLIGHT));
        }
        Ok(())
    }

    /// Waits for everything; gives the number of commits that were refused since the last time
    /// because the drive was full.
    pub(crate) fn settle(&self) -> u64 {
        self.store.kick();
        self.wait_for(self.sent);
        let failed = self.answers.failed.load(Ordering::Acquire);
        assert_eq!(failed, 0, "commits failed");
        self.answers.full.swap(0, Ordering::AcqRel)
    }

    /// Commits that were refused so far.
    pub(crate) fn refused(&self) -> u64 {
        self.answers.full.load(Ordering::Acquire)
    }

    fn wait_for(&self, count: u64) {
        let mut guard = self
            .answers
            .lock
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        while self.answers.done.load(Ordering::Acquire) < count {
            let waited = self
                .answers
                .more
                .wait_timeout(guard, Duration::from_millis(100));
            guard = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Stops it in order.
    pub(crate) fn stop(mut self) -> Result<(), Box<dyn Error>> {
        self.settle();
        let stopped = self.threads.take().is_none_or(Threads::stop);
        stopped
            .then_some(())
            .ok_or_else(|| "the last flush failed".into())
    }
}

/// Bytes that no other opening gets: the time is enough for a measurement.
fn entropy() -> [u8; 32] {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let nanos = now.unwrap_or_default().as_nanos();
    let mut entropy = [7; 32];
    entropy[..16].copy_from_slice(&nanos.to_le_bytes());
    entropy
}

/// A pseudo-random number made of another one.
pub(crate) fn scrambled(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A key of 24 bytes.
pub(crate) fn key(number: u64) -> Bytes {
    Bytes::from(format!("{:016x}{number:08}", scrambled(number)))
}

/// Bytes of memory that this process holds.
pub(crate) fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = status
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse().ok());
    pages.unwrap_or(0_u64) * 4096
}
