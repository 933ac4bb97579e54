//! Flags of `kineticd` and the file that may stand in for them.
//!
//! Guarantee: a flag wins over the file, the file over the default; a name in the file that means
//! nothing is refused, not ignored.

mod peers;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use kinetic_server::certificate::{Certificate, CertificateError};
use kinetic_server::config::{
    BadScrubEvery, BadTlsListen, ScrubEvery, TlsListen, checked_connections,
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
#[command(name = "kineticd", version)]
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
    Unreadable {
        path: PathBuf,
        source: std::io::Error,
    },
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
    FirmwareKeyUnreadable {
        path: PathBuf,
        source: std::io::Error,
    },
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
        let files = (
            self.tls_cert.or(file.tls_cert),
            self.tls_key.or(file.tls_key),
        );
        config.certificate = match files {
            (Some(certificate), Some(key)) => {
                Some(Arc::new(Certificate::of_files(&certificate, &key)?))
            }
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => return Err(SettingsError::HalfACertificate),
        };
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
mod tests {
    use super::*;

    fn settle(flags: &[&str], file: &str) -> Result<Settings, SettingsError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kineticd.toml");
        fs::write(&path, file).unwrap();
        let path = path.to_string_lossy().into_owned();
        let head = ["kineticd", "drive.img", "--config", &path];
        let all = head.iter().chain(flags);
        Args::try_parse_from(all).unwrap().settle()
    }

    #[test]
    fn flags_win_over_the_file() {
        let file = "listen = '127.0.0.1:1'\nsize = '1GiB'\nmax-connections = 7\n";
        let settings = settle(&["--listen", "127.0.0.1:2"], file).unwrap();
        assert_eq!(settings.config.listen.port(), 2);
        assert_eq!(settings.new.size, ImageSize(1 << 30));
        assert_eq!(settings.new.seal, Seal::Sealed);
        assert_eq!(settings.config.max_connections, 7);
        assert_eq!(settings.greeting, Greeting::Text);
    }

    #[test]
    fn a_factory_key_that_is_empty_or_too_long_is_refused_wherever_it_comes_from() {
        let long = "k".repeat(HMAC_KEY_BYTES + 1);
        for key in ["", &long] {
            let (flags, file) = (["--factory-key", key], format!("factory-key = '{key}'"));
            for refused in [settle(&flags, ""), settle(&[], &file)] {
                let text = refused.unwrap_err().to_string();
                assert!(text.contains("KINETIC_FACTORY_KEY"), "{text}");
                assert!(text.contains(&format!("{} bytes", key.len())), "{text}");
            }
        }
        let longest = "k".repeat(HMAC_KEY_BYTES);
        let settings = settle(&["--factory-key", &longest], "").unwrap();
        assert_eq!(settings.config.factory_key, longest.as_bytes());
    }

    #[test]
    fn limits_are_settings_and_must_make_sense() {
        let file = "max-batch-operations = 7\nmax-batch-bytes = 2000000\nmax-open-batches = 3\n";
        let batches = settle(&[], file).unwrap().config.batches;
        let expected = BatchLimits {
            operations: 7,
            deletes: 7,
            bytes: 2_000_000,
            open: 3,
        };
        assert_eq!(batches, expected);
        for (wrong, most) in [
            ("max-batch-operations = 4097", "4096"),
            ("max-batch-deletes = 4097", "4096"),
            ("max-batch-bytes = 33554433", "33554432"),
            ("max-batch-bytes = 1048576", "33554432"),
            ("max-open-batches = 0", "4096"),
            ("max-connections = 0", "1048576"),
            ("max-connections = 1048577", "1048576"),
        ] {
            let error = settle(&[], wrong).unwrap_err().to_string();
            let name = wrong.split(' ').next().unwrap();
            assert!(error.contains(name) && error.contains(most), "{error}");
        }
    }

    #[test]
    fn the_file_says_how_much_memory_values_may_take() {
        let bytes = |file| settle(&[], file).map(|settings| settings.options.value_cache_bytes);
        assert_eq!(bytes("").unwrap(), Options::default().value_cache_bytes);
        assert_eq!(bytes("value-cache = '8 MiB'").unwrap(), 8 << 20);
        assert_eq!(bytes("value-cache = '0'").unwrap(), 0);
        let error = bytes("value-cache = 'much'").unwrap_err().to_string();
        assert!(error.contains("value-cache: `much`"), "{error}");
    }

    #[test]
    fn scrubs_are_some_days_apart_or_off() {
        let day = 24 * 3_600_000_000;
        let every = |flags: &[&str], file| settle(flags, file).unwrap().options.scrub_every_us;
        assert_eq!(every(&[], ""), 7 * day);
        assert_eq!(
            every(&["--scrub-every", "30"], "scrub-every = 'off'"),
            30 * day
        );
        assert_eq!(every(&[], "scrub-every = 'off'"), 0);
        for wrong in ["0", "3651", "often", "-1"] {
            let error = settle(&[], &format!("scrub-every = '{wrong}'")).unwrap_err();
            let text = error.to_string();
            assert!(text.contains(wrong) && text.contains("3650"), "{text}");
        }
    }

    #[test]
    fn one_port_is_not_plain_and_tls_at_once() {
        for (plain, tls) in [
            ("127.0.0.1:8123", "127.0.0.1:8123"),
            ("0.0.0.0:8123", "127.0.0.1:8123"),
            ("127.0.0.1:8123", "[::]:8123"),
        ] {
            let flags = ["--listen", plain, "--tls-listen", tls];
            let error = settle(&flags, "").unwrap_err().to_string();
            assert!(
                error.contains("8123") && error.contains("--tls-listen"),
                "{error}"
            );
        }
        for (plain, tls) in [
            ("127.0.0.1:0", "127.0.0.1:0"),
            ("127.0.0.1:8123", "127.0.0.2:8123"),
            ("127.0.0.1:8123", "off"),
            ("127.0.0.1:8123", "OFF"),
        ] {
            settle(&["--listen", plain, "--tls-listen", tls], "").unwrap();
        }
    }

    #[test]
    fn a_certificate_that_no_port_would_show_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let own = Certificate::of_drive("drive", Vec::new()).unwrap();
        let (certificate, key) = own.to_kept();
        let write = |name: &str, label: &str, der: Vec<u8>| {
            let body = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, der);
            let text = format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n");
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path.to_string_lossy().into_owned()
        };
        let certificate = write("cert.pem", "CERTIFICATE", certificate);
        let key = write("key.pem", "PRIVATE KEY", key);
        let flags = ["--tls-cert", &certificate, "--tls-key", &key];
        settle(&flags, "").unwrap();
        let error = settle(&flags, "tls-listen = 'off'\n").unwrap_err();
        assert!(
            matches!(error, SettingsError::CertificateWithoutTls),
            "{error}"
        );
    }

    #[test]
    fn a_firmware_key_is_read_and_what_is_none_is_refused_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("firmware.pem");
        // The public key of RFC 8032, test 1, as openssl writes it.
        let pem = "-----BEGIN PUBLIC KEY-----\n\
                   MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n\
                   -----END PUBLIC KEY-----\n";
        fs::write(&path, pem).unwrap();
        let name = path.to_string_lossy().into_owned();
        let settings = settle(&["--firmware-key", &name], "").unwrap();
        let key = settings.config.firmware_key.unwrap();
        assert_eq!(key[..4], [0xd7, 0x5a, 0x98, 0x01]);
        fs::write(&path, "no key").unwrap();
        let refused = settle(&["--firmware-key", &name], "").unwrap_err();
        assert!(refused.to_string().contains("openssl"), "{refused}");
    }

    #[test]
    fn a_mistake_is_told_by_its_place_and_without_the_line_in_which_a_key_may_be() {
        for wrong in [
            "factory-key = \"s3cret",
            "factory-key = s3cret",
            "factory-key = ['s3cret'",
            "max-connections = 's3cret'",
        ] {
            let error = settle(&[], &format!("size = '1GiB'\n{wrong}\n"));
            let error = error.unwrap_err();
            let text = format!("{error} {error:?}");
            assert!(text.contains("line 2, column"), "{text}");
            assert!(!text.contains("s3cret"), "{text}");
        }
    }

    #[test]
    fn a_name_that_means_nothing_is_refused() {
        let error = settle(&[], "lisen = '127.0.0.1:1'")
            .unwrap_err()
            .to_string();
        assert!(error.contains("lisen"), "{error}");
    }
}
