//! PUT and GET of the bare engine on an image file, for profiles: no network, no messages.
//!
//! `cargo run --release -p kinetic-store --example throughput -- FILE VALUE_BYTES COUNT GROUP SEAL`
//! puts COUNT values with GROUP of them submitted at a time, then reads them back. SEAL is `plain`
//! or `sealed`.
#![expect(clippy::print_stdout, reason = "an example prints its figures")]
#![expect(clippy::disallowed_methods, reason = "an example measures time")]

use std::error::Error;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use kinetic_store::disk::FileDisk;
use kinetic_store::{
    Attributes, Commit, CommitError, Completion, Durability, Effort, Expected, FormatOptions,
    Mutation, Options, Priority, Seal, Store, format_as,
};

#[derive(Default)]
struct Done {
    count: AtomicU64,
    lock: Mutex<()>,
    more: Condvar,
}

impl Completion for Done {
    fn complete(&self, _token: u64, outcome: Result<(), CommitError>) {
        assert!(outcome.is_ok(), "{outcome:?}");
        self.count.fetch_add(1, Ordering::AcqRel);
        let _guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.more.notify_all();
    }
}

impl Done {
    fn wait_for(&self, count: u64) {
        let mut guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        while self.count.load(Ordering::Acquire) < count {
            guard = self
                .more
                .wait(guard)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, file, size, count, group, seal] = &arguments[..] else {
        return Err("usage: throughput FILE VALUE_BYTES COUNT GROUP SEAL".into());
    };
    let seal = match seal.as_str() {
        "plain" => Seal::Plain,
        "sealed" => Seal::Sealed,
        other => return Err(format!("{other} is neither plain nor sealed").into()),
    };
    let (size, count, group): (usize, u64, u64) = (size.parse()?, count.parse()?, group.parse()?);
    let disk = FileDisk::create_new(Path::new(file), 16 << 30)?;
    format_as(
        &disk,
        &FormatOptions {
            uuid: [1; 16],
            entropy: [1; 32],
            zone_size: None,
        },
        seal,
    )?;
    let store = Store::open(Arc::new(disk), Options::default(), [2; 32], None)?;
    let threads = store.start_threads()?;
    let value = Bytes::from(vec![0x5a; size]);
    let done = Arc::new(Done::default());
    let start = Instant::now();
    let mut sent = 0;
    while sent < count {
        for _ in 0..group.min(count - sent) {
            let mutation = Mutation::Put {
                key: Bytes::from(format!("key{sent:012}")),
                value: value.clone(),
                attributes: Attributes::new(b"", b"", None),
                expected: Expected::Any,
            };
            let completion = Arc::<Done>::clone(&done);
            let durability = Durability::WriteBack;
            let commit = Commit {
                mutations: vec![mutation],
                durability,
                priority: Priority::NORMAL,
                token: sent,
                completion,
            };
            store.submit(commit).map_err(|error| format!("{error:?}"))?;
            sent += 1;
        }
        store.kick();
        done.wait_for(sent.saturating_sub(group));
    }
    done.wait_for(count);
    let put = start.elapsed();
    let start = Instant::now();
    for number in 0..count {
        store.get(format!("key{number:012}").as_bytes(), Effort::Disk)?;
    }
    let get = start.elapsed();
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let rate = |seconds: f64| {
        let per_second = count as f64 / seconds;
        (per_second, per_second * size as f64 / 1e6)
    };
    println!("put {:?} per second and MB/s", rate(put.as_secs_f64()));
    println!("get {:?} per second and MB/s", rate(get.as_secs_f64()));
    println!("{:?}", store.status());
    assert!(threads.stop(), "the last flush failed");
    Ok(())
}
