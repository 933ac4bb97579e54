//! fjall: one keyspace with key-value separation from 1 KiB on, else its defaults (64 MiB of
//! memtable, journal in the page cache).

use std::ops::Bound;
use std::path::Path;
use std::time::Duration;

use ::fjall::{
    CompressionType, Database, Keyspace, KeyspaceCreateOptions, KvSeparationOptions, PersistMode,
};
use bytes::Bytes;

use super::{APART, CACHE};
use crate::engine::{Durability, Engine, Outcome, Span};

/// An open database with its one keyspace.
pub(crate) struct Fjall {
    db: Database,
    all: Keyspace,
}

impl Fjall {
    pub(crate) fn open(folder: &Path) -> Outcome<Self> {
        let db = Database::builder(folder).cache_size(CACHE as u64).open()?;
        let apart = KvSeparationOptions::default()
            .compression(CompressionType::None)
            .separation_threshold(u32::from(APART));
        let all = db.keyspace("all", || {
            KeyspaceCreateOptions::default().with_kv_separation(Some(apart))
        })?;
        Ok(Self { db, all })
    }

    fn made(&self, durability: Durability) -> Outcome {
        match durability {
            Durability::Cached => Ok(()),
            Durability::Synced => self.sync(),
        }
    }

    fn iterate(&self, span: &Span) -> ::fjall::Iter {
        let end = span.to.clone();
        let end = end.map_or(Bound::Unbounded, Bound::Excluded);
        self.all.range((Bound::Included(span.from.clone()), end))
    }
}

impl Engine for Fjall {
    fn put(&self, key: &[u8], value: Bytes, durability: Durability) -> Outcome {
        self.all.insert(key, value)?;
        self.made(durability)
    }

    fn delete(&self, key: &[u8], durability: Durability) -> Outcome {
        self.all.remove(key)?;
        self.made(durability)
    }

    fn get(&self, key: &[u8], look: &mut dyn FnMut(&[u8])) -> Outcome<bool> {
        Ok(self.all.get(key)?.map(|value| look(&value)).is_some())
    }

    fn keys(&self, span: &Span, visit: &mut dyn FnMut(&[u8])) -> Outcome {
        for entry in self.iterate(span) {
            visit(&entry.key()?);
        }
        Ok(())
    }

    fn entries(&self, span: &Span, visit: &mut dyn FnMut(&[u8], &[u8])) -> Outcome {
        for entry in self.iterate(span) {
            let (key, value) = entry.into_inner()?;
            visit(&key, &value);
        }
        Ok(())
    }

    fn sync(&self) -> Outcome {
        Ok(self.db.persist(PersistMode::SyncData)?)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "fjall tells of this only when asked"
    )]
    fn settle(&self) -> Outcome {
        self.all.rotate_memtable_and_wait()?;
        self.all.major_compact()?;
        while self.db.outstanding_flushes() > 0 || self.db.active_compactions() > 0 {
            std::thread::sleep(Duration::from_millis(2));
        }
        self.sync()
    }

    fn close(self: Box<Self>) -> Outcome {
        self.sync()
    }
}
