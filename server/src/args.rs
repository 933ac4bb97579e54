//! Flags of `kineticd` and the file that may stand in for them.
//!
//! Guarantee: a flag wins over the file, the file over the default; a name in the file that means
//! nothing is refused, not ignored.

mod peers;

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{CommandFactory as _, Parser};
use kinetic_server::certificate::{Certificate, CertificateError};
use kinetic_server::config::heartbeat::{BadHeartbeat, Heartbeat, NoWayForHeartbeats};
use kinetic_server::config::{
    BadMetricsListen, BadScrubEvery, BadTlsListen, MetricsListen, ScrubEvery, TlsListen,
    checked_connections,
};
use kinetic_server::image::{BadSize, DEFAULT_SIZE, ImageSize, NewImage};
use kinetic_server::limits::HMAC_KEY_BYTES;
use kinetic_server::ops::setup::public_key;
use kinetic_server::{BatchLimits, Config, FactoryKeyReach, OutOfRange};
use kinetic_store::{Options, Seal};
use serde::Deserialize;

use peers::{BadPeers, PeerArgs};

/// One disk as an Ethernet-addressable key-value drive.
#[derive(Debug, Parser)]
#[command(
    name = "kineticd",
    version,
    after_help = "kineticd --man prints all of this as a manual page of section 8"
)]
pub(crate) struct Args {
    /// Image file or block device; an image is created where there is nothing
    image: PathBuf,
    /// Size of an image that is created [default: 16GiB]
    #[arg(long)]
    size: Option<ImageSize>,
    /// Do not encrypt what an image that is created stores: whoever has the disk reads it, an erase
    /// leaves it readable, and there is no lock PIN
    #[arg(long)]
    unsealed: bool,
    /// Address and port; port 0 takes a free one [default: 127.0.0.1:8123]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Address and port for TLS, or `off` [default: 127.0.0.1:8443]
    #[arg(long, value_name = "ADDRESS:PORT")]
    tls_listen: Option<TlsListen>,
    /// Serve metrics and health by HTTP, at this port of this machine, or where an address says;
    /// port 0 takes a free one [default: they are not served]
    #[arg(long, value_name = "[ADDRESS:]PORT")]
    metrics: Option<MetricsListen>,
    /// Announce the drive every five seconds by UDP multicast to 239.1.2.3:8123, where it listens
    /// or from the interface with an address: `kinetic discover` hears it [default: off]
    #[arg(
        long,
        value_name = "off|on|ADDRESS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "on"
    )]
    heartbeat: Option<Heartbeat>,
    /// Certificate for TLS in a PEM file, instead of the drive's own
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Its private key in a PEM file
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// TOML file with any of these settings, by the same names; flags win
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print one line of JSON with every bound address once the drive serves
    #[arg(long)]
    ready_json: bool,
    /// Serve other machines although everybody knows the factory key
    #[arg(long)]
    insecure_factory: bool,
    /// Key of identity 1 until a list of identities is set, and after an erase [default: asdfasdf]
    #[arg(
        long,
        value_name = "KEY",
        env = "KINETIC_FACTORY_KEY",
        hide_env_values = true
    )]
    factory_key: Option<String>,
    /// Days from one time that the drive reads and checks all that it holds to the next, or `off`
    /// [default: 7]
    #[arg(long, value_name = "DAYS")]
    scrub_every: Option<ScrubEvery>,
    /// Ed25519 public key in a PEM file that firmware must be signed by
    #[arg(long, value_name = "FILE")]
    firmware_key: Option<PathBuf>,
    #[command(flatten)]
    peers: PeerArgs,
    /// What to log to stderr: error, warn, info, debug, trace, or filters as in RUST_LOG
    #[arg(long, value_name = "LEVEL")]
    log: Option<String>,
}

/// The settings of a file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    size: Option<String>,
    unsealed: Option<bool>,
    listen: Option<SocketAddr>,
    tls_listen: Option<String>,
    metrics: Option<MetricsSetting>,
    heartbeat: Option<String>,
    tls_cert: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    ready_json: Option<bool>,
    insecure_factory: Option<bool>,
    factory_key: Option<String>,
    firmware_key: Option<PathBuf>,
    log: Option<String>,
    scrub_every: Option<String>,
    peer: Option<Vec<String>>,
    peer_identity: Option<i64>,
    peer_key: Option<String>,
    peer_fingerprint: Option<Vec<String>>,
    peer_ca: Option<PathBuf>,
    max_connections: Option<u32>,
    max_batch_operations: Option<u32>,
    max_batch_deletes: Option<u32>,
    max_batch_bytes: Option<u32>,
    max_open_batches: Option<u32>,
    write_stall_seconds: Option<u64>,
    drain_seconds: Option<u64>,
    read_threads: Option<usize>,
    value_cache: Option<String>,
}

/// Where metrics are served, as a file may say it.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum MetricsSetting {
    Port(u16),
    Text(String),
}

impl MetricsSetting {
    fn parse(self) -> Result<MetricsListen, BadMetricsListen> {
        match self {
            Self::Port(port) => port.to_string().parse(),
            Self::Text(text) => text.parse(),
        }
    }
}

/// What is printed once the drive serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Greeting {
    /// A few lines for people.
    Text,
    /// One line for programs.
    Json,
}

/// All settings, from wherever they came.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) image: PathBuf,
    pub(crate) new: NewImage,
    pub(crate) greeting: Greeting,
    pub(crate) log: Option<String>,
    pub(crate) config: Config,
    pub(crate) options: Options,
}

/// Why the settings make no sense.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    /// The file cannot be read.
    #[error("the configuration {} cannot be read: {source}", .path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    /// The file is not understood.
    #[error(
        "the configuration {} is not understood: line {line}, column {column}: {message}",
        .path.display()
    )]
    Malformed {
        path: PathBuf,
        line: usize,
        column: usize,
        message: String,
    },
    /// The size in the file is none.
    #[error("the configuration's size: {0}")]
    Size(#[from] BadSize),
    /// The memory for values in the file is no size.
    #[error("the configuration's value-cache: {0}")]
    ValueCache(#[source] BadSize),
    /// The TLS address in the file is none.
    #[error("the configuration's tls-listen: {0}")]
    TlsListen(#[from] BadTlsListen),
    /// The address for metrics in the file is none.
    #[error("the configuration's metrics: {0}")]
    Metrics(#[from] BadMetricsListen),
    /// The file's word on heartbeats is none.
    #[error("the configuration's heartbeat: {0}")]
    Heartbeat(#[from] BadHeartbeat),
    /// There is no way for them.
    #[error(transparent)]
    NoWayForHeartbeats(#[from] NoWayForHeartbeats),
    /// The time between two scrubs in the file is none.
    #[error("the configuration's scrub-every: {0}")]
    ScrubEvery(#[from] BadScrubEvery),
    /// The certificate cannot be used.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// One file of two.
    #[error("tls-cert and tls-key belong together: one of them is missing")]
    HalfACertificate,
    /// Nobody, or everybody, could sign with it.
    #[error(
        "the factory key has {bytes} bytes, and it must have 1 to {HMAC_KEY_BYTES}: see where \
         --factory-key, KINETIC_FACTORY_KEY or factory-key takes it from"
    )]
    FactoryKey { bytes: usize },
    /// A certificate for no port.
    #[error("tls-listen is off, so that tls-cert and tls-key would be of no use: leave them out")]
    CertificateWithoutTls,
    /// One port for two protocols.
    #[error(
        "listen and tls-listen are both port {0}, and one port cannot be plain and TLS: give \
         another with --listen or --tls-listen"
    )]
    SamePort(u16),
    /// The key for firmware cannot be read.
    #[error("the firmware key {} cannot be read: {source}", .path.display())]
    FirmwareKeyUnreadable { path: PathBuf, source: io::Error },
    /// The key for firmware is none.
    #[error(
        "{} holds no Ed25519 public key in PEM form; make a pair with `openssl genpkey -algorithm \
         ed25519`, and the public key of it with `openssl pkey -pubout`",
        .0.display()
    )]
    FirmwareKey(PathBuf),
    /// The peers make no sense.
    #[error(transparent)]
    Peers(#[from] BadPeers),
    /// A number in the file is out of its range.
    #[error("the configuration: {0}")]
    OutOfRange(#[from] OutOfRange),
}

/// The manual page, for `man -l` or a folder of section 8.
pub(crate) fn print_manual(out: &mut dyn io::Write) -> io::Result<()> {
    clap_mangen::Man::new(Args::command())
        .section("8")
        .render(out)
}

impl Args {
    /// Merges flags, file and defaults.
    pub(crate) fn settle(self) -> Result<Settings, SettingsError> {
        let mut file = match &self.config {
            Some(path) => File::read(path)?,
            None => File::default(),
        };
        let batches = file.batches()?;
        let options = options(self.scrub_every, &file)?;
        let new = self.new_image(&file)?;
        let peers = self.peers.or(file.peers()).settle()?;
        let mut config = Config {
            batches,
            peers,
            ..Config::default()
        };
        if let Some(listen) = self.listen.or(file.listen) {
            config.listen = listen;
        }
        config.tls_listen = match (self.tls_listen, file.tls_listen) {
            (Some(listen), _) => listen,
            (None, Some(text)) => text.parse()?,
            (None, None) => config.tls_listen,
        };
        config.metrics = match self.metrics {
            Some(listen) => Some(listen),
            None => file.metrics.map(MetricsSetting::parse).transpose()?,
        };
        config.heartbeat = heartbeat(self.heartbeat, file.heartbeat)?;
        let files = (
            self.tls_cert.or(file.tls_cert),
            self.tls_key.or(file.tls_key),
        );
        config.certificate = certificate(files)?;
        if let Some(key) = self.factory_key.or(file.factory_key) {
            let bytes = key.len();
            if !(1..=HMAC_KEY_BYTES).contains(&bytes) {
                return Err(SettingsError::FactoryKey { bytes });
            }
            config.factory_key = key.into_bytes();
        }
        let key = self.firmware_key.or(file.firmware_key);
        config.firmware_key = key.map(firmware_key).transpose()?;
        if self.insecure_factory || file.insecure_factory == Some(true) {
            config.factory_key_reach = FactoryKeyReach::Anywhere;
        }
        if let Some(count) = file.max_connections {
            config.max_connections = checked_connections(count)?;
        }
        if let Some(seconds) = file.write_stall_seconds {
            config.write_stall = Duration::from_secs(seconds);
        }
        if let Some(seconds) = file.drain_seconds {
            config.drain = Duration::from_secs(seconds);
        }
        if let Some(count) = file.read_threads {
            config.read_threads = count;
        }
        refuse_contradictions(&config)?;
        let json = self.ready_json || file.ready_json == Some(true);
        Ok(Settings {
            image: self.image,
            new,
            greeting: if json { Greeting::Json } else { Greeting::Text },
            log: self.log.or(file.log),
            config,
            options,
        })
    }
}

/// Whether the drive is announced, by the flag, the file or the default.
fn heartbeat(flag: Option<Heartbeat>, file: Option<String>) -> Result<Heartbeat, BadHeartbeat> {
    match (flag, file) {
        (Some(heartbeat), _) => Ok(heartbeat),
        (None, Some(text)) => text.parse(),
        (None, None) => Ok(Heartbeat::default()),
    }
}

/// The certificate that was given, from both of its files.
fn certificate(
    files: (Option<PathBuf>, Option<PathBuf>),
) -> Result<Option<Arc<Certificate>>, SettingsError> {
    match files {
        (Some(certificate), Some(key)) => {
            Ok(Some(Arc::new(Certificate::of_files(&certificate, &key)?)))
        }
        (None, None) => Ok(None),
        (Some(_), None) | (None, Some(_)) => Err(SettingsError::HalfACertificate),
    }
}

/// Options of the store.
fn options(scrub_every: Option<ScrubEvery>, file: &File) -> Result<Options, SettingsError> {
    let scrub_every = match (scrub_every, &file.scrub_every) {
        (Some(every), _) => every,
        (None, Some(text)) => text.parse()?,
        (None, None) => ScrubEvery::default(),
    };
    let mut options = scrub_every.options();
    if let Some(size) = &file.value_cache {
        let bytes = size
            .parse::<ImageSize>()
            .map_err(SettingsError::ValueCache)?;
        options.value_cache_bytes = bytes.0;
    }
    Ok(options)
}

impl Args {
    fn new_image(&self, file: &File) -> Result<NewImage, SettingsError> {
        let size = match (self.size, &file.size) {
            (Some(size), _) => size,
            (None, Some(text)) => text.parse()?,
            (None, None) => DEFAULT_SIZE,
        };
        let seal = if self.unsealed || file.unsealed == Some(true) {
            Seal::Plain
        } else {
            Seal::Sealed
        };
        Ok(NewImage { size, seal })
    }
}

/// Settings that make sense one by one, and not together.
fn refuse_contradictions(config: &Config) -> Result<(), SettingsError> {
    config.heartbeat.check(config.listen)?;
    let (plain, tls) = match config.tls_listen {
        TlsListen::Off if config.certificate.is_some() => {
            return Err(SettingsError::CertificateWithoutTls);
        }
        TlsListen::Off => return Ok(()),
        TlsListen::At(tls) => (config.listen, tls),
    };
    let all = plain.ip().is_unspecified() || tls.ip().is_unspecified();
    if plain.port() == tls.port() && plain.port() != 0 && (all || plain.ip() == tls.ip()) {
        return Err(SettingsError::SamePort(plain.port()));
    }
    Ok(())
}

fn firmware_key(path: PathBuf) -> Result<[u8; 32], SettingsError> {
    match fs::read(&path) {
        Ok(pem) => public_key(&pem).ok_or(SettingsError::FirmwareKey(path)),
        Err(source) => Err(SettingsError::FirmwareKeyUnreadable { path, source }),
    }
}

impl File {
    fn peers(&mut self) -> PeerArgs {
        PeerArgs {
            peer: self.peer.take().unwrap_or_default(),
            peer_identity: self.peer_identity.take(),
            peer_key: self.peer_key.take(),
            peer_fingerprint: self.peer_fingerprint.take().unwrap_or_default(),
            peer_ca: self.peer_ca.take(),
        }
    }

    fn batches(&self) -> Result<BatchLimits, OutOfRange> {
        let default = BatchLimits::default();
        let operations = self.max_batch_operations.unwrap_or(default.operations);
        BatchLimits {
            operations,
            // As many as operations, unless told otherwise.
            deletes: self.max_batch_deletes.unwrap_or(operations),
            bytes: self.max_batch_bytes.unwrap_or(default.bytes),
            open: self.max_open_batches.unwrap_or(default.open),
        }
        .checked()
    }

    fn read(path: &Path) -> Result<Self, SettingsError> {
        let text = fs::read_to_string(path).map_err(|source| SettingsError::Unreadable {
            path: path.to_path_buf(),
            source,
        })?;
        toml::from_str(&text).map_err(|error| malformed(path, &text, &error))
    }
}

/// Where the mistake is and what it is. The TOML reader's own text repeats the line, in which
/// there may be a key.
fn malformed(path: &Path, text: &str, error: &toml::de::Error) -> SettingsError {
    let before = error.span().and_then(|span| text.get(..span.start));
    let before = before.unwrap_or_default();
    let last = before.rsplit('\n').next().unwrap_or_default();
    SettingsError::Malformed {
        path: path.to_path_buf(),
        line: before.matches('\n').count() + 1,
        column: last.chars().count() + 1,
        message: match error.message().rsplit_once(", expected ") {
            // What was found instead may be a key too.
            Some((found, expected)) if found.starts_with("invalid") => {
                format!("expected {expected}")
            }
            _ => error.message().to_owned(),
        },
    }
}

#[cfg(test)]
mod tests;
