//! Ours: a store on an image file of 16 GiB, the default, with the options and threads of
//! `kineticd`.
//!
//! It has no range with values, as the protocol has none: keys come in pages, each value by a GET.

use std::ops::Bound;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::thread::Thread;
use std::time::Duration;

use bytes::Bytes;
use kinetic_store::disk::FileDisk;
use kinetic_store::{
    Attributes, Commit, CommitError, Completion, Direction, Effort, Expected, FormatOptions,
    KeyRange, Mutation, Options, Priority, ReadError, Seal, Store, SubmitError, Threads, format_as,
};

use super::CACHE;
use crate::engine::{Durability, Engine, Outcome, Span};

/// Bytes of the image: sparse, so only what is put takes room.
const IMAGE: u64 = 16 << 30;
/// Keys that are asked for at a time.
const PAGE: usize = 1000;

/// An open store with its threads.
pub(crate) struct Kinetic {
    store: Store,
    threads: Threads,
}

impl Kinetic {
    pub(crate) fn open(folder: &Path, seal: Seal) -> Outcome<Self> {
        let file = folder.join("drive.img");
        let disk = if file.try_exists()? {
            FileDisk::open(&file)?
        } else {
            let disk = FileDisk::create_new(&file, IMAGE)?;
            let options = FormatOptions {
                uuid: [1; 16],
                entropy: entropy()?,
                zone_size: None,
            };
            format_as(&disk, &options, seal)?;
            disk
        };
        let options = Options::default();
        assert_eq!(options.cache_bytes, CACHE as u64, "the caches are equal");
        let store = Store::open(Arc::new(disk), options, entropy()?, None)?;
        let threads = store.start_threads()?;
        Ok(Self { store, threads })
    }

    /// Hands a commit in and waits for it as a connection does that has one request in flight.
    fn commit(&self, mutations: Vec<Mutation>, durability: kinetic_store::Durability) -> Outcome {
        let answer = Arc::new(Answer {
            outcome: OnceLock::new(),
            asker: std::thread::current(),
        });
        let completion: Arc<dyn Completion> = Arc::<Answer>::clone(&answer);
        let mut commit = Commit {
            mutations,
            durability,
            priority: Priority::NORMAL,
            token: 0,
            completion,
        };
        loop {
            match self.store.submit(commit) {
                Ok(_ticket) => break,
                Err(SubmitError::Busy(back)) => commit = *back,
                Err(SubmitError::Closed(_)) => return Err("the store is closed".into()),
            }
            self.store.kick();
            std::thread::yield_now();
        }
        self.store.kick();
        loop {
            if let Some(outcome) = answer.outcome.get() {
                return outcome.map_err(|error| format!("{error:?}").into());
            }
            std::thread::park();
        }
    }

    fn page(&self, from: Bound<Bytes>, span: &Span) -> Outcome<Vec<Bytes>> {
        let end = span.to.clone().map(Bytes::from);
        let range = KeyRange {
            start: from,
            end: end.map_or(Bound::Unbounded, Bound::Excluded),
            direction: Direction::Forward,
        };
        Ok(self.store.range(&range, PAGE, Effort::Disk)?)
    }
}

impl Engine for Kinetic {
    fn put(&self, key: &[u8], value: Bytes, durability: Durability) -> Outcome {
        let put = Mutation::Put {
            key: Bytes::copy_from_slice(key),
            value,
            attributes: Attributes::new(b"", b"", None),
            expected: Expected::Any,
        };
        self.commit(vec![put], durability.into())
    }

    fn delete(&self, key: &[u8], durability: Durability) -> Outcome {
        let delete = Mutation::Delete {
            key: Bytes::copy_from_slice(key),
            expected: Expected::Any,
        };
        self.commit(vec![delete], durability.into())
    }

    fn get(&self, key: &[u8], look: &mut dyn FnMut(&[u8])) -> Outcome<bool> {
        match self.store.get(key, Effort::Disk) {
            Ok(object) => {
                look(&object.value);
                Ok(true)
            }
            Err(ReadError::NotFound) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn keys(&self, span: &Span, visit: &mut dyn FnMut(&[u8])) -> Outcome {
        let mut from = Bound::Included(Bytes::from(span.from.clone()));
        loop {
            let page = self.page(from, span)?;
            page.iter().for_each(|key| visit(key));
            match page.last() {
                Some(last) if page.len() == PAGE => from = Bound::Excluded(last.clone()),
                Some(_) | None => return Ok(()),
            }
        }
    }

    fn entries(&self, span: &Span, visit: &mut dyn FnMut(&[u8], &[u8])) -> Outcome {
        let mut failed = Ok(());
        self.keys(span, &mut |key| {
            let got = self.get(key, &mut |value| visit(key, value));
            if let Err(error) = got {
                failed = Err(error);
            }
        })?;
        failed
    }

    fn sync(&self) -> Outcome {
        self.commit(Vec::new(), kinetic_store::Durability::Flush)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the store tells of this only when asked"
    )]
    fn settle(&self) -> Outcome {
        let asked = self.store.optimize();
        while !self.store.is_optimized(asked) {
            std::thread::sleep(Duration::from_millis(2));
        }
        self.sync()
    }

    fn close(self: Box<Self>) -> Outcome {
        let stopped = self.threads.stop();
        stopped
            .then_some(())
            .ok_or_else(|| "the last flush failed".into())
    }
}

impl From<Durability> for kinetic_store::Durability {
    fn from(durability: Durability) -> Self {
        match durability {
            Durability::Cached => Self::WriteBack,
            Durability::Synced => Self::WriteThrough,
        }
    }
}

/// What became of one commit.
struct Answer {
    outcome: OnceLock<Result<(), CommitError>>,
    asker: Thread,
}

impl Completion for Answer {
    fn complete(&self, _token: u64, outcome: Result<(), CommitError>) {
        // A store answers once.
        let _first = self.outcome.set(outcome);
        self.asker.unpark();
    }
}

/// Bytes that no other opening gets.
fn entropy() -> Outcome<[u8; 32]> {
    let mut bytes = [0; 32];
    let mut source = std::fs::File::open("/dev/urandom")?;
    std::io::Read::read_exact(&mut source, &mut bytes)?;
    Ok(bytes)
}
