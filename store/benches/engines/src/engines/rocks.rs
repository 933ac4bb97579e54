//! RocksDB: blob files from 1 KiB on, a filter of 10 bits a key, as many background threads as
//! there are processors, else its defaults (two memtables of 64 MiB; log in the page cache).
//!
//! Its binding has no way to leave values out of an iteration: keys alone cost it their values.

use std::path::Path;

use bytes::Bytes;
use rocksdb::{
    BlockBasedOptions, Cache, DB, DBCompressionType, Options, ReadOptions, WriteOptions,
};

use super::{APART, CACHE};
use crate::engine::{Durability, Engine, Outcome, Span};

/// An open database.
pub(crate) struct Rocks {
    db: DB,
    cached: WriteOptions,
    synced: WriteOptions,
    reading: ReadOptions,
}

impl Rocks {
    pub(crate) fn open(folder: &Path) -> Outcome<Self> {
        let mut table = BlockBasedOptions::default();
        table.set_block_cache(&Cache::new_lru_cache(CACHE));
        table.set_bloom_filter(10.0, false);
        let mut options = Options::default();
        options.create_if_missing(true);
        options.set_block_based_table_factory(&table);
        options.set_compression_type(DBCompressionType::None);
        options.set_enable_blob_files(true);
        options.set_min_blob_size(u64::from(APART));
        options.set_blob_compression_type(DBCompressionType::None);
        let processors = std::thread::available_parallelism()?.get();
        options.increase_parallelism(i32::try_from(processors)?);
        let mut synced = WriteOptions::default();
        synced.set_sync(true);
        Ok(Self {
            db: DB::open(&options, folder)?,
            cached: WriteOptions::default(),
            synced,
            reading: ReadOptions::default(),
        })
    }

    fn writing(&self, durability: Durability) -> &WriteOptions {
        match durability {
            Durability::Cached => &self.cached,
            Durability::Synced => &self.synced,
        }
    }
}

impl Engine for Rocks {
    fn put(&self, key: &[u8], value: Bytes, durability: Durability) -> Outcome {
        Ok(self.db.put_opt(key, value, self.writing(durability))?)
    }

    fn delete(&self, key: &[u8], durability: Durability) -> Outcome {
        Ok(self.db.delete_opt(key, self.writing(durability))?)
    }

    fn get(&self, key: &[u8], look: &mut dyn FnMut(&[u8])) -> Outcome<bool> {
        let value = self.db.get_pinned_opt(key, &self.reading)?;
        Ok(value.map(|value| look(&value)).is_some())
    }

    fn keys(&self, span: &Span, visit: &mut dyn FnMut(&[u8])) -> Outcome {
        self.entries(span, &mut |key, _value| visit(key))
    }

    fn entries(&self, span: &Span, visit: &mut dyn FnMut(&[u8], &[u8])) -> Outcome {
        let mut reading = ReadOptions::default();
        if let Some(to) = &span.to {
            reading.set_iterate_upper_bound(to.clone());
        }
        let mut iterator = self.db.raw_iterator_opt(reading);
        iterator.seek(&span.from);
        while let Some((key, value)) = iterator.item() {
            visit(key, value);
            iterator.next();
        }
        Ok(iterator.status()?)
    }

    fn sync(&self) -> Outcome {
        Ok(self.db.flush_wal(true)?)
    }

    fn settle(&self) -> Outcome {
        self.db.flush()?;
        self.db.compact_range(None::<&[u8]>, None::<&[u8]>);
        self.sync()
    }

    fn close(self: Box<Self>) -> Outcome {
        self.db.cancel_all_background_work(true);
        Ok(())
    }
}
