//! The handle to a drive.
//!
//! Guarantees: cheap to clone, usable from any task; the connection ends when the last clone and
//! the last request made from one is gone. Not here: how requests travel (`net`) and what they
//! say ([`crate::ops`]).

use std::fmt;
use std::ops::RangeBounds;

use bytes::Bytes;
use kinetic_proto::message::Pin;
use kinetic_proto::schema::command::get_log::Configuration;
use kinetic_proto::schema::command::pin_operation::PinOpType;
use kinetic_proto::{Limits, MessageType};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::ToSocketAddrs;

use crate::config::Config;
use crate::core::{Manner, Reply, Request};
use crate::error::{ConnectError, Disconnected, Error, HelloError};
use crate::net::{Channel, Connection};
use crate::ops::{
    Acl, Batch, Comparison, Count, Delete, Digest, Exists, Get, GetAcls, GetLog, GetMetadata,
    GetVersion, LogType, MediaOptimize, MediaScan, MultiGet, Neighbour, Peer, PinKind,
    PinOperation, Plain, PowerLevel, Push, Put, Range, SetAcls, SetPin, SetPowerLevel, Setup,
    Transfer,
};
use crate::trust::Fingerprint;

/// A connection to a drive.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use kinetic_client::{Algorithm, Client, Config, Durability};
///
/// let client = Client::connect("drive-7:8123", Config::new(1, b"asdfasdf")).await?;
/// // Replaces version 1 by version 2, on the disk before the answer.
/// let put = client.put("photos/1", vec![0; 4096]).expected_version("1").version("2");
/// put.tag("a0b1").algorithm(Algorithm::CRC32C).durability(Durability::WriteThrough).await?;
/// // Many at a time over the one connection.
/// let (first, second) = tokio::join!(client.get("photos/1"), client.get("photos/2"));
/// assert_eq!(first?.map(|entry| entry.metadata.version), Some("2".into()));
/// assert!(second?.is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Client {
    connection: Connection,
}

impl Client {
    /// Connects over TCP, under TLS where the configuration says so, and reads the drive's
    /// hello. Must be called within a tokio runtime, which also runs the one task of the
    /// connection.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use kinetic_client::{Client, Config, Trust};
    ///
    /// let pinned = std::env::var("DRIVE_7_FINGERPRINT")?.parse()?;
    /// let config = Config {
    ///     trust: Trust::Fingerprints(vec![pinned]),
    ///     ..Config::default()
    /// };
    /// let client = Client::connect("drive-7:8443", config).await?;
    /// assert_eq!(client.certificate_fingerprint(), Some(pinned));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ConnectError`]: no connection, no trust, no hello, or not in time.
    pub async fn connect<A>(address: A, config: Config) -> Result<Self, ConnectError>
    where
        A: ToSocketAddrs + fmt::Display,
    {
        let connection = Connection::connect(address, config).await?;
        Ok(Self { connection })
    }

    /// Takes over a stream on which nothing has been read yet. TLS and the connect time-out are
    /// the caller's business.
    ///
    /// # Errors
    /// [`HelloError`]: the peer did not greet as a drive does.
    pub async fn over<S>(stream: S, config: Config) -> Result<Self, HelloError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let connection = Connection::greet(stream, Channel::Given, config).await?;
        Ok(Self { connection })
    }

    /// Stores a value. Long values are sent without being copied.
    pub fn put(&self, key: impl Into<Bytes>, value: impl Into<Bytes>) -> Put {
        Put::new(self.connection.clone(), key.into(), value.into())
    }

    /// Reads an entry.
    pub fn get(&self, key: impl Into<Bytes>) -> Get {
        Get::new(self.connection.clone(), key.into())
    }

    /// Reads an entry without its value.
    pub fn metadata(&self, key: impl Into<Bytes>) -> GetMetadata {
        GetMetadata::new(self.connection.clone(), key.into())
    }

    /// Reads an entry's version.
    pub fn version(&self, key: impl Into<Bytes>) -> GetVersion {
        GetVersion::new(self.connection.clone(), key.into())
    }

    /// Removes an entry.
    pub fn delete(&self, key: impl Into<Bytes>) -> Delete {
        Delete::new(self.connection.clone(), key.into())
    }

    /// Reads the entry with the smallest key greater than this one.
    pub fn next(&self, key: impl Into<Bytes>) -> Neighbour {
        Neighbour::new(self.connection.clone(), MessageType::GETNEXT, key.into())
    }

    /// Reads the entry with the greatest key smaller than this one.
    pub fn previous(&self, key: impl Into<Bytes>) -> Neighbour {
        Neighbour::new(
            self.connection.clone(),
            MessageType::GETPREVIOUS,
            key.into(),
        )
    }

    /// The keys of a range, such as `client.range("a".."b")` or `client.range("a"..)`.
    pub fn range<K: AsRef<[u8]>>(&self, range: impl RangeBounds<K>) -> Range {
        Range::new(self.connection.clone(), &range)
    }

    /// The keys that begin with a prefix.
    pub fn prefix(&self, prefix: impl AsRef<[u8]>) -> Range {
        Range::of_prefix(self.connection.clone(), prefix.as_ref())
    }

    /// All keys.
    pub fn all_keys(&self) -> Range {
        self.range::<&[u8]>(..)
    }

    /// Has the drive read the values of a range, and name the keys whose values are not sound.
    pub fn media_scan<K: AsRef<[u8]>>(&self, range: impl RangeBounds<K>) -> MediaScan {
        self.range(range).media_scan()
    }

    /// Counts the keys of a range on the drive: an extension, which only some drives know.
    pub fn count<K: AsRef<[u8]>>(&self, range: impl RangeBounds<K>) -> Count {
        self.range(range).count()
    }

    /// Which of these keys are there, in their order: an extension, which only some drives know.
    pub fn exists<K: Into<Bytes>>(&self, keys: impl IntoIterator<Item = K>) -> Exists {
        let keys = keys.into_iter().map(Into::into);
        Exists::new(self.connection.clone(), keys.collect())
    }

    /// Reads several entries at a time: an extension, which only some drives know.
    pub fn multi_get<K: Into<Bytes>>(&self, keys: impl IntoIterator<Item = K>) -> MultiGet {
        let keys = keys.into_iter().map(Into::into);
        MultiGet::new(self.connection.clone(), keys.collect())
    }

    /// Has the drive sum up the entries of a range, so that two drives can be compared: an
    /// extension, which only some drives know.
    pub fn digest<K: AsRef<[u8]>>(&self, range: impl RangeBounds<K>) -> Digest {
        self.range(range).digest()
    }

    /// Finds the keys of a range that are not the same on another drive, without listing those that
    /// are. Both drives have to know the extension RANGE_DIGEST.
    pub fn compare<K: AsRef<[u8]>>(&self, other: &Self, range: impl RangeBounds<K>) -> Comparison {
        let drives = (self.connection.clone(), other.connection.clone());
        Comparison::new(drives, self.range(range).bounds())
    }

    /// Has the drive put its index in order and give back what space it can.
    pub fn media_optimize(&self) -> MediaOptimize {
        MediaOptimize::new(self.connection.clone())
    }

    /// Asks for an answer and nothing else.
    pub fn noop(&self) -> Plain {
        Plain::new(self.connection.clone(), MessageType::NOOP)
    }

    /// Waits until all that was stored over this connection is on the disk.
    pub fn flush(&self) -> Plain {
        Plain::new(self.connection.clone(), MessageType::FLUSHALLDATA)
    }

    /// Collects PUTs and DELETEs that are done together or not at all.
    pub fn batch(&self) -> Batch {
        Batch::new(self.connection.clone())
    }

    /// Sets who may do what; the list replaces the drive's. Under TLS only.
    pub fn set_acls(&self, acls: impl IntoIterator<Item = Acl>) -> SetAcls {
        SetAcls::new(self.connection.clone(), acls.into_iter().collect())
    }

    /// Reads who may do what, without keys, from a drive that publishes it. Takes the permissions
    /// GETLOG and SECURITY. Under TLS only.
    pub fn acls(&self) -> GetAcls {
        GetAcls::new(self.connection.clone())
    }

    /// Sets a PIN. Under TLS only.
    pub fn set_pin(&self, kind: PinKind, new: impl Into<Bytes>) -> SetPin {
        SetPin::new(self.connection.clone(), kind, Pin(new.into()))
    }

    /// Clears a PIN. Under TLS only.
    pub fn clear_pin(&self, kind: PinKind) -> SetPin {
        self.set_pin(kind, Bytes::new())
    }

    /// Locks the drive: until it is unlocked, it answers nothing but PIN operations. Under TLS
    /// only.
    pub fn lock(&self, pin: impl Into<Bytes>) -> PinOperation {
        self.pin_operation(PinOpType::LockPinop, pin)
    }

    /// Unlocks the drive. Under TLS only.
    pub fn unlock(&self, pin: impl Into<Bytes>) -> PinOperation {
        self.pin_operation(PinOpType::UnlockPinop, pin)
    }

    /// Erases all data, PINs, identities and the cluster version; the PIN is empty where none is
    /// set. Make a new connection afterwards: identity and cluster version of this one are those
    /// of before. Under TLS only.
    pub fn erase(&self, pin: impl Into<Bytes>) -> PinOperation {
        self.pin_operation(PinOpType::ErasePinop, pin)
    }

    /// Erases as [`Client::erase`] does, and makes what was stored unreadable on the disk.
    pub fn secure_erase(&self, pin: impl Into<Bytes>) -> PinOperation {
        self.pin_operation(PinOpType::SecureErasePinop, pin)
    }

    fn pin_operation(&self, kind: PinOpType, pin: impl Into<Bytes>) -> PinOperation {
        PinOperation::new(self.connection.clone(), kind, Pin(pin.into()))
    }

    /// Sends the drive to sleep, wakes it, or ends it. Takes the permission POWER_MANAGEMENT.
    pub fn set_power_level(&self, level: PowerLevel) -> SetPowerLevel {
        SetPowerLevel::new(self.connection.clone(), level)
    }

    /// Sets the version that requests must carry. Those of this connection carry it from the
    /// answer on; other connections have to be made anew.
    pub fn set_cluster_version(&self, version: i64) -> Setup {
        Setup::of_cluster_version(self.connection.clone(), version)
    }

    /// Hands the drive an image of its firmware.
    pub fn download_firmware(&self, image: impl Into<Bytes>) -> Setup {
        Setup::of_firmware(self.connection.clone(), image.into())
    }

    /// Has this drive store entries of its own on another one, past the client.
    ///
    /// ```no_run
    /// # async fn example(client: kinetic_client::Client) -> Result<(), kinetic_client::Error> {
    /// use kinetic_client::{Peer, Transfer};
    ///
    /// // From this drive to b, and from there to c.
    /// let next = Transfer::of("photos/1").force();
    /// let first = Transfer::of("photos/1").force().then(Peer::plain("drive-c", 8123), [next]);
    /// let pushed = client.push(Peer::plain("drive-b", 8123), [first]).await?;
    /// assert!(pushed.is_complete());
    /// # Ok(())
    /// # }
    /// ```
    pub fn push(&self, peer: Peer, transfers: impl IntoIterator<Item = Transfer>) -> Push {
        let transfers = transfers.into_iter().collect();
        Push::new(self.connection.clone(), peer, transfers)
    }

    /// Asks what the drive says of itself.
    pub fn log(&self, types: &[LogType]) -> GetLog {
        GetLog::new(self.connection.clone(), types)
    }

    /// Sends a request for which there is no builder.
    ///
    /// # Errors
    /// As every request; NOT_FOUND is a refusal here.
    pub async fn request(&self, request: Request) -> Result<Reply, Error> {
        self.connection.call(request, Manner::default()).await
    }

    /// The drive's limits, as its hello gave them.
    pub fn limits(&self) -> &Limits {
        &self.connection.hello().limits
    }

    /// The drive's configuration, as its hello gave it.
    pub fn configuration(&self) -> &Configuration {
        &self.connection.hello().configuration
    }

    /// The number that the drive gave the connection.
    pub fn connection_id(&self) -> i64 {
        self.connection.hello().connection_id
    }

    /// The fingerprint of the drive's certificate, where the connection is under TLS and was
    /// made by [`Client::connect`].
    pub fn certificate_fingerprint(&self) -> Option<Fingerprint> {
        match self.connection.channel() {
            Channel::Tls(fingerprint) => Some(fingerprint),
            Channel::Plain | Channel::Given => None,
        }
    }

    /// The drive's cluster version, as its hello gave it.
    pub fn cluster_version(&self) -> i64 {
        self.connection.hello().cluster_version
    }

    /// Why the connection is over, if it is. A connection does not come back: make a new one.
    pub fn disconnected(&self) -> Option<Disconnected> {
        self.connection.disconnected()
    }
}
