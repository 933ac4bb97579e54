//! The handle to a drive.

use std::fmt;
use std::io;
use std::ops::RangeBounds;

use bytes::Bytes;
use kinetic_proto::Limits;
use kinetic_proto::schema::command::get_log::Configuration;

use super::batch::Batch;
use super::keys::Range;
use super::request::Request;
use super::thread::Thread;
use crate::config::Config;
use crate::error::{ConnectError, Disconnected};
use crate::ops::{Delete, Get, GetLog, GetMetadata, GetVersion, LogType, Neighbour, Plain, Put};

/// A connection to a drive, for programs without asynchronous code. Cloning gives another handle to
/// the same connection, for another thread; it ends with the last handle and the last
/// [`super::Pending`].
///
/// ```no_run
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use kinetic_client::blocking::Client;
/// use kinetic_client::{Config, Durability};
///
/// let client = Client::connect("drive-7:8123", Config::new(1, b"asdfasdf"))?;
/// let put = client.put("photos/1", vec![0; 4096]).expected_version("1").version("2");
/// put.durability(Durability::WriteThrough).send()?;
/// std::thread::scope(|scope| {
///     for number in 0..4 {
///         let client = client.clone();
///         scope.spawn(move || client.get(format!("photos/{number}")).send());
///     }
/// });
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Client {
    client: crate::Client,
    thread: Thread,
}

impl Client {
    /// Connects over TCP, under TLS where the configuration says so, and reads the drive's hello.
    ///
    /// # Errors
    /// [`ConnectError`]: no thread, no connection, no trust, no hello, or not in time.
    ///
    /// # Panics
    /// Within asynchronous code.
    pub fn connect(address: impl fmt::Display, config: Config) -> Result<Self, ConnectError> {
        let address = address.to_string();
        let failed = |source: io::Error| ConnectError::Unreachable {
            address: address.clone(),
            source,
        };
        let thread = Thread::start().map_err(failed)?;
        let connected = thread.run(crate::Client::connect(address.clone(), config));
        let gone = |_gone| Err(failed(io::Error::other("the client's thread has ended")));
        let client = connected.unwrap_or_else(gone)?;
        Ok(Self { client, thread })
    }

    /// Does something with the asynchronous client, on the connection's thread, and waits for it:
    /// for requests that have no builder here.
    ///
    /// ```no_run
    /// # use kinetic_client::{Error, PinKind, blocking::Client};
    /// # fn example(client: Client) -> Result<(), Error> {
    /// client.run(|client| async move { client.set_pin(PinKind::Erase, "1234").await })?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Disconnected::Closed`] where the work did not come to its end, as when it panicked.
    ///
    /// # Panics
    /// Within asynchronous code.
    pub fn run<F, W, T, E>(&self, work: W) -> Result<T, E>
    where
        W: FnOnce(crate::Client) -> F,
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<Disconnected> + Send + 'static,
    {
        let done = self.thread.run(work(self.client.clone()));
        done.unwrap_or_else(|_gone| Err(Disconnected::Closed.into()))
    }

    /// Stores a value. Long values are sent without being copied.
    pub fn put(&self, key: impl Into<Bytes>, value: impl Into<Bytes>) -> Request<Put> {
        Request::new(self.client.put(key, value), &self.thread)
    }

    /// Reads an entry.
    pub fn get(&self, key: impl Into<Bytes>) -> Request<Get> {
        Request::new(self.client.get(key), &self.thread)
    }

    /// Reads an entry without its value.
    pub fn metadata(&self, key: impl Into<Bytes>) -> Request<GetMetadata> {
        Request::new(self.client.metadata(key), &self.thread)
    }

    /// Reads an entry's version.
    pub fn version(&self, key: impl Into<Bytes>) -> Request<GetVersion> {
        Request::new(self.client.version(key), &self.thread)
    }

    /// Removes an entry.
    pub fn delete(&self, key: impl Into<Bytes>) -> Request<Delete> {
        Request::new(self.client.delete(key), &self.thread)
    }

    /// Reads the entry with the smallest key greater than this one.
    pub fn next(&self, key: impl Into<Bytes>) -> Request<Neighbour> {
        Request::new(self.client.next(key), &self.thread)
    }

    /// Reads the entry with the greatest key smaller than this one.
    pub fn previous(&self, key: impl Into<Bytes>) -> Request<Neighbour> {
        Request::new(self.client.previous(key), &self.thread)
    }

    /// The keys of a range, such as `client.range("a".."b")` or `client.range("a"..)`.
    pub fn range<K: AsRef<[u8]>>(&self, range: impl RangeBounds<K>) -> Range {
        Range::new(self.client.range(range), &self.thread)
    }

    /// The keys that begin with a prefix.
    pub fn prefix(&self, prefix: impl AsRef<[u8]>) -> Range {
        Range::new(self.client.prefix(prefix), &self.thread)
    }

    /// All keys.
    pub fn all_keys(&self) -> Range {
        Range::new(self.client.all_keys(), &self.thread)
    }

    /// Asks for an answer and nothing else.
    pub fn noop(&self) -> Request<Plain> {
        Request::new(self.client.noop(), &self.thread)
    }

    /// Waits until all that was stored over this connection is on the disk.
    pub fn flush(&self) -> Request<Plain> {
        Request::new(self.client.flush(), &self.thread)
    }

    /// Collects PUTs and DELETEs that are done together or not at all.
    pub fn batch(&self) -> Batch {
        Batch::new(self.client.batch(), &self.thread)
    }

    /// Asks what the drive says of itself.
    pub fn log(&self, types: &[LogType]) -> Request<GetLog> {
        Request::new(self.client.log(types), &self.thread)
    }

    /// The drive's limits, as its hello gave them.
    pub fn limits(&self) -> &Limits {
        self.client.limits()
    }

    /// The drive's configuration, as its hello gave it.
    pub fn configuration(&self) -> &Configuration {
        self.client.configuration()
    }

    /// Why the connection is over, if it is. A connection does not come back: make a new one.
    pub fn disconnected(&self) -> Option<Disconnected> {
        self.client.disconnected()
    }
}
