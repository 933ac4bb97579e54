//! Two drives and a client on one thread, without sockets, threads, a clock or chance.

use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kinetic_client::{Client, Durability, Peer, PinKind, Transfer};
use kinetic_server::config::TlsListen;
use kinetic_server::device::{Means, Medium, Ports};
use kinetic_server::entropy::Entropy;
use kinetic_server::net::surroundings::{Dial, Doors, Labour, Stream, TaskHands};
use kinetic_server::{Config, Door, Reception, Server, Surroundings};
use kinetic_store::disk::{Disk, MemoryDisk};
use kinetic_store::{FormatOptions, Options};
use tokio::io::duplex;
use tokio::time::Instant;

/// A disk that sums up all that was done to it.
struct Traced {
    disk: MemoryDisk,
    trace: AtomicU64,
}

impl Traced {
    fn note(&self, what: u64, offset: u64, bytes: &[u8]) {
        let mut hash = self.trace.load(Ordering::Relaxed);
        for part in [what, offset]
            .into_iter()
            .chain(bytes.iter().map(|byte| u64::from(*byte)))
        {
            hash = (hash ^ part).wrapping_mul(0x0100_0000_01b3);
        }
        self.trace.store(hash, Ordering::Relaxed);
    }
}

impl Disk for Traced {
    fn capacity(&self) -> u64 {
        self.disk.capacity()
    }

    fn sector_size(&self) -> u32 {
        self.disk.sector_size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.disk.read_at(offset, buffer)?;
        self.note(1, offset, buffer);
        Ok(())
    }

    fn try_read_at(&self, _offset: u64, _buffer: &mut [u8]) -> io::Result<bool> {
        // So that the readers have something to do.
        Ok(false)
    }

    fn write_at(&self, offset: u64, parts: &[IoSlice<'_>]) -> io::Result<()> {
        for part in parts {
            self.note(2, offset, part);
        }
        self.disk.write_at(offset, parts)
    }

    fn sync(&self) -> io::Result<()> {
        self.note(3, 0, &[]);
        self.disk.sync()
    }

    fn discard(&self, offset: u64, length: u64) -> io::Result<()> {
        self.note(4, offset, &length.to_le_bytes());
        self.disk.discard(offset, length)
    }
}

/// Drives that can be reached by the port that they say.
#[derive(Clone, Default)]
struct Net(Arc<Mutex<BTreeMap<u16, Reception>>>);

impl Net {
    async fn link(self, port: u16) -> io::Result<Box<dyn Stream>> {
        let reception = self
            .0
            .lock()
            .expect("nothing here fails")
            .get(&port)
            .cloned();
        let reception = reception.ok_or(io::ErrorKind::ConnectionRefused)?;
        let (here, there) = duplex(1 << 20);
        let peer = SocketAddr::from(([10, 0, 0, 1], 7));
        let admitted = reception.admit(there, peer, Door::Secured).await;
        admitted.map_err(io::Error::other)?;
        Ok(Box::new(here))
    }

    fn dial(&self) -> Dial {
        let net = self.clone();
        Dial::new(move |peer| Box::pin(net.clone().link(peer.port)))
    }

    async fn client(&self, port: u16) -> Client {
        let stream = self.clone().link(port).await.expect("nothing here fails");
        let config = kinetic_client::Config::default();
        Client::over(stream, config)
            .await
            .expect("nothing here fails")
    }

    async fn drive(&self, port: u16, seed: u64) -> (Server, Arc<Traced>) {
        let disk = Arc::new(Traced {
            disk: MemoryDisk::new(256 << 20),
            trace: AtomicU64::new(seed),
        });
        let options = FormatOptions {
            uuid: [u8::try_from(port).expect("nothing here fails"); 16],
            entropy: [u8::try_from(seed).expect("nothing here fails"); 32],
            zone_size: None,
        };
        kinetic_store::format(&*disk, &options).expect("nothing here fails");
        let next = AtomicU64::new(seed);
        let means = Means {
            hands: Arc::new(TaskHands::here()),
            entropy: Entropy::given(move |bytes| {
                let number = next.fetch_add(1, Ordering::Relaxed).to_le_bytes();
                for (byte, part) in bytes.iter_mut().zip(number.iter().cycle()) {
                    *byte = *part;
                }
            }),
        };
        let options = Options {
            memtable_bytes: 64 << 10,
            ..Options::default()
        };
        let on: Arc<dyn Disk> = Arc::<Traced>::clone(&disk);
        let medium = Medium::open_by(on, options, means).expect("nothing here fails");
        let config = Config {
            tls_listen: TlsListen::Off,
            pin_rounds: 1,
            ..Config::local()
        };
        let surroundings = Surroundings {
            doors: Doors::Given(Ports {
                plain: Some(port),
                tls: None,
            }),
            labour: Labour::Here,
            dial: Some(self.dial()),
            first_connection: Some(1000),
        };
        let server = Server::start_in(medium, config, surroundings)
            .await
            .expect("nothing here fails");
        self.0
            .lock()
            .expect("nothing here fails")
            .insert(port, server.reception());
        (server, disk)
    }
}

/// Threads of this process, of which this test is the only one.
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task")
        .expect("nothing here fails")
        .count()
}

/// What two drives did to their disks, and how long it took by the clock.
fn run(seed: u64) -> (Vec<u64>, Duration) {
    let before = threads();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("nothing here fails");
    runtime.block_on(async {
        let begun = Instant::now();
        let net = Net::default();
        let (one, first) = net.drive(1, seed).await;
        let (two, second) = net.drive(2, seed + 1).await;
        let client = net.client(1).await;
        for number in 0..300 {
            let put = client
                .put(format!("key {number:03}"), vec![7; 1000])
                .force();
            put.durability(Durability::WriteBack)
                .await
                .expect("nothing here fails");
        }
        client.flush().await.expect("nothing here fails");
        client
            .put("checked", "value")
            .await
            .expect("nothing here fails");
        let pushed = client.push(
            Peer::plain("second", 2),
            ["key 007", "checked"].map(Transfer::of),
        );
        let pushed = pushed.await;
        assert!(pushed.expect("nothing here fails").is_complete());
        let other = net.client(2).await;
        assert_eq!(
            other
                .get("checked")
                .await
                .expect("nothing here fails")
                .expect("nothing here fails")
                .value,
            "value"
        );
        // A PIN, and what waits for it by the clock: the change has a task of its own.
        client
            .set_pin(PinKind::Erase, "1234")
            .await
            .expect("nothing here fails");
        assert!(client.erase("wrong").await.is_err());
        tokio::time::sleep(Duration::from_secs(3600)).await;
        assert_eq!(
            client
                .get("key 299")
                .await
                .expect("nothing here fails")
                .expect("nothing here fails")
                .value
                .len(),
            1000
        );
        assert_eq!(threads(), before);
        drop((client, other));
        for server in [one, two] {
            let drive = Arc::clone(server.drive());
            server.stop().await;
            assert!(drive.device.medium.stop());
        }
        let traces = [first, second].map(|disk| disk.trace.load(Ordering::Relaxed));
        (traces.to_vec(), begun.elapsed())
    })
}

#[test]
fn drives_and_clients_run_on_one_thread_the_same_way_for_the_same_seed() {
    let once = run(7);
    assert!(once.1 >= Duration::from_secs(3600));
    assert_eq!(run(7), once);
    assert_ne!(run(8).0, once.0);
}
