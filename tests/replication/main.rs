//! Replication between three drives in processes of their own: one is killed and started again in
//! the middle, one is slow.
//!
//! What must come of it: the status of every key is true, a second run completes what the first one
//! left, and then all three drives hold the same.

mod relay;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use kinetic_client::{Client, Config, Copied, DigestPart, Durability, Peer, StatusCode, Way};
use kinetic_tests::drive::Drive;
use relay::{Pace, Relay};
use tempfile::TempDir;

const KEYS: u64 = 10_000;
const VALUE_BYTES: usize = 64 << 10;

/// Keys after which the second drive is killed.
const KILLED_AFTER: usize = 3_000;

fn start(folder: &Path, name: &str) -> Drive {
    let image = folder.join(name);
    Drive::start(&image, &["--size", "2GiB"]).expect("a running drive")
}

fn key(number: u64) -> String {
    format!("key {number:05}")
}

/// A value that says which key it belongs to, and nothing compresses or repeats.
fn value(number: u64) -> Vec<u8> {
    let mut state = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(VALUE_BYTES);
    while bytes.len() < VALUE_BYTES {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes
}

async fn connect(address: SocketAddr) -> Client {
    let connected = Client::connect(address.to_string(), Config::default()).await;
    connected.expect("a connection")
}

async fn fill(drive: SocketAddr) {
    let client = connect(drive).await;
    let mut under_way = tokio::task::JoinSet::new();
    for number in 0..KEYS {
        let put = client.put(key(number), value(number)).version("1").force();
        let put = put.durability(Durability::WriteBack);
        under_way.spawn(put.into_future());
        if under_way.len() >= 64 {
            let done = under_way.join_next().await;
            done.expect("one of many")
                .expect("no panic")
                .expect("a put");
        }
    }
    while let Some(done) = under_way.join_next().await {
        done.expect("no panic").expect("a put");
    }
    client.flush().await.expect("a flush");
}

/// The sum over keys, versions, tags and lengths of all that a drive holds.
async fn sum(client: &Client) -> DigestPart {
    let digested = client.all_keys().digest().await.expect("a digest");
    assert_eq!(digested.reached, None, "it ended early");
    digested.parts.into_iter().next().expect("one part")
}

/// What a drive has of these keys, each as a whole.
async fn holds(client: &Client, number: u64) -> bool {
    let found = client.get(key(number)).await.expect("an answer");
    found.is_some_and(|entry| entry.value == value(number) && entry.metadata.version == "1")
}

fn through(relay: &Relay) -> Peer {
    let address = relay.address();
    Peer::plain(address.ip().to_string(), address.port())
}

/// The drives, and the ways by which they know each other.
struct Three {
    folder: TempDir,
    a: Drive,
    b: Option<Drive>,
    c: Drive,
    to_b: Relay,
    to_c: Relay,
}

impl Three {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path();
        let (a, b, c) = (start(path, "a"), start(path, "b"), start(path, "c"));
        Self {
            to_b: Relay::to(b.plain(), Pace::Full),
            to_c: Relay::to(c.plain(), Pace::Slow),
            b: Some(b),
            folder,
            a,
            c,
        }
    }

    /// Kills the second drive, and has it come back where its peers look for it.
    fn kill_and_restart_b(&mut self) {
        let b = self.b.take().expect("it runs");
        b.kill().expect("a killed drive");
        let b = start(self.folder.path(), "b");
        self.to_b.lead_to(b.plain());
        self.b = Some(b);
    }

    /// One run over all keys: what it said of each.
    async fn replicate(&mut self, disturbed: bool) -> BTreeMap<String, Copied> {
        let client = connect(self.a.plain()).await;
        let peers = [through(&self.to_b), through(&self.to_c)];
        let run = client.all_keys().replicate(peers).way(Way::Pipeline);
        let (mut run, mut told) = (run.start(), BTreeMap::new());
        while let Some(copied) = run.next().await {
            let copied = copied.expect("the first drive is well");
            let name = String::from_utf8_lossy(&copied.key).into_owned();
            told.insert(name, copied);
            if disturbed && told.len() == KILLED_AFTER {
                self.kill_and_restart_b();
            }
        }
        told
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_key_s_status_is_true_while_a_drive_is_killed_and_a_second_run_completes_it() {
    let mut three = Three::new();
    fill(three.a.plain()).await;
    let told = three.replicate(true).await;
    assert_eq!(told.len() as u64, KEYS);
    let b = connect(three.b.as_ref().expect("it runs").plain()).await;
    let c = connect(three.c.plain()).await;
    let mut failed = 0;
    for number in 0..KEYS {
        let copied = told.get(&key(number)).expect("an outcome for each key");
        assert_eq!(copied.at.len(), 2, "{copied:?}");
        for ((status, _), drive) in copied.at.iter().zip([&b, &c]) {
            if *status == StatusCode::SUCCESS {
                assert!(holds(drive, number).await, "{copied:?}");
            }
        }
        failed += u64::from(!copied.is_complete());
    }
    eprintln!("{failed} of {KEYS} keys did not arrive while the second drive was gone");
    assert!(failed > 0, "the kill was noticed by nobody");
    let told = three.replicate(false).await;
    let incomplete = told.values().find(|copied| !copied.is_complete());
    assert!(incomplete.is_none(), "{incomplete:?}");
    let a = connect(three.a.plain()).await;
    let held = sum(&a).await;
    assert_eq!(held.count, KEYS);
    for drive in [&b, &c] {
        assert_eq!(sum(drive).await, held);
        let mut differences = a.compare(drive, ""..).with_values();
        assert_eq!(differences.next().await.expect("digests"), None);
        let keys = drive.all_keys().keys().collect().await.expect("all keys");
        assert_eq!(keys.len() as u64, KEYS);
        for number in 0..KEYS {
            assert!(holds(drive, number).await, "{}", key(number));
        }
    }
}
