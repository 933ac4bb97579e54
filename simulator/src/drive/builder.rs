//! What a simulated drive is to be.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kinetic_server::Config;
use kinetic_server::auth::FACTORY_KEY;
use kinetic_server::config::TlsListen;
use kinetic_store::{Options, Seal};

use super::error::SimError;
use crate::limits;

/// What a drive is to be; [`SimDrive::builder`](super::SimDrive::builder) makes one,
/// [`start`](Self::start) the drive.
#[derive(Debug, Clone)]
#[must_use = "a drive is started by `start` or `start_blocking`"]
pub struct SimDriveBuilder {
    pub(super) capacity: u64,
    pub(super) image: Option<PathBuf>,
    pub(super) uuid: Option<[u8; 16]>,
    pub(super) seal: Seal,
    pub(super) tls: bool,
    pub(super) cluster_version: i64,
    pub(super) factory_key: Vec<u8>,
    pub(super) options: Options,
}

impl SimDriveBuilder {
    pub(super) fn new() -> Self {
        Self {
            capacity: limits::CAPACITY,
            image: None,
            uuid: None,
            seal: Seal::Sealed,
            tls: false,
            cluster_version: 0,
            factory_key: FACTORY_KEY.to_vec(),
            options: Options {
                memtable_bytes: limits::MEMTABLE_BYTES,
                log_bytes: limits::LOG_BYTES,
                cache_bytes: limits::CACHE_BYTES,
                value_cache_bytes: limits::VALUE_CACHE_BYTES,
                ..Options::default()
            },
        }
    }

    /// Bytes of its disk; 4 TB unless told otherwise, 256 MiB at least. Memory costs what is
    /// written, an image file likewise where the file system has sparse files.
    pub fn capacity(mut self, bytes: u64) -> Self {
        self.capacity = bytes;
        self
    }

    /// Keeps the drive in this image file, which is made if there is none, instead of in memory.
    pub fn image(mut self, path: impl Into<PathBuf>) -> Self {
        self.image = Some(path.into());
        self
    }

    /// The identity of a new drive, of which its serial number and world wide name follow; drawn at
    /// random unless it is given. No two drives may have the same.
    pub fn uuid(mut self, uuid: [u8; 16]) -> Self {
        self.uuid = Some(uuid);
        self
    }

    /// Serves TLS, too, at a port of its own, with a certificate of its own.
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// Stores values as they are instead of encrypted.
    pub fn unsealed(mut self) -> Self {
        self.seal = Seal::Plain;
        self
    }

    /// The cluster version that requests must carry; 0 unless told otherwise. A drive in an image
    /// keeps its own unless this is another one than 0.
    pub fn cluster_version(mut self, version: i64) -> Self {
        self.cluster_version = version;
        self
    }

    /// The key of identity 1; `asdfasdf` unless told otherwise, as for all new drives.
    pub fn factory_key(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.factory_key = key.into();
        self
    }

    /// Options of its store, where those of simulated drives, with small caches, are not wanted.
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// What the production server is told.
    pub(super) fn config(&self, listen: SocketAddr) -> Config {
        Config {
            listen,
            tls_listen: match self.tls {
                true => TlsListen::At(listen),
                false => TlsListen::Off,
            },
            factory_key: self.factory_key.clone(),
            pin_rounds: limits::PIN_ROUNDS,
            drain: Duration::from_millis(limits::DRAIN_MS),
            read_threads: limits::READS,
            ..Config::default()
        }
    }

    /// The name of the drive's certificate, and how it is reached.
    pub(super) fn certificate(
        serial_number: &str,
    ) -> Result<Arc<kinetic_server::certificate::Certificate>, SimError> {
        let name = format!("kinetic-sim {serial_number}");
        let reached_by = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = kinetic_server::certificate::Certificate::of_drive(&name, reached_by)?;
        Ok(Arc::new(made))
    }
}
