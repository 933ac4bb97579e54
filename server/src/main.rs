//! `kineticd`: serves one disk until it is told to stop.
//!
//! Exit codes: 0 after a stop by signal or by SET_POWER_LEVEL, 1 when the drive could not be served
//! or not be flushed, 2 for settings that make no sense. One sentence on stderr says what to do.

mod args;

use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;

use args::{Args, Greeting, Settings};
use clap::Parser as _;
use kinetic_server::device::Medium;
use kinetic_server::image::{self, ImageError, Origin};
use kinetic_server::session::Drive;
use kinetic_server::{Config, Server, StartError};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// Requests live a moment and are freed on other threads than made them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    if std::env::args_os().skip(1).eq(["--man"]) {
        return match args::print_manual(&mut io::stdout().lock()) {
            Ok(()) => ExitCode::SUCCESS,
            // A reader that has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("kineticd: the manual page cannot be printed: {error}");
                ExitCode::FAILURE
            }
        };
    }
    let settings = match Args::parse().settle() {
        Ok(settings) => settings,
        Err(error) => {
            eprintln!("kineticd: {error}");
            return ExitCode::from(2);
        }
    };
    if let Err(error) = start_log(settings.log.as_deref()) {
        eprintln!("kineticd: {error}");
        return ExitCode::from(2);
    }
    raise_descriptor_limit();
    match run(settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kineticd: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Takes all descriptors that the host allows. The soft limit is often 1,024, for programs that use
/// `select`; a drive keeps as many connections, and its disk and sockets come on top.
fn raise_descriptor_limit() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let all = Rlimit {
        current: maximum,
        maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, all) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}

/// Why the drive was not served to a good end.
#[derive(Debug, thiserror::Error)]
enum RunError {
    /// There is no drive.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// There is no server.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The host refused a thread or a signal handler.
    #[error("the host refused what a server needs: {0}")]
    Host(#[from] io::Error),
    /// The last writes are not on the disk.
    #[error("the drive stopped, but its last writes may not be on the disk: see the log")]
    NotFlushed,
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
enum LogError {
    /// A filter that the library does not take.
    #[error("the log filter is not understood: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// A word that would be taken for a part of the program, and silence all others.
    #[error(
        "the log filter has {0:?} in it, which is no level: it is error, warn, info, debug, trace \
         or off, or TARGET=LEVEL, such as kinetic_server=debug, with commas between several"
    )]
    Level(String),
}

/// A filter that says what it means.
fn log_filter(text: &str) -> Result<EnvFilter, LogError> {
    let is_level = |part: &str| !part.is_empty() && part.parse::<LevelFilter>().is_ok();
    let unknown = text
        .split(',')
        .map(str::trim)
        .find(|part| !is_level(part) && !part.contains(['=', '[', ']', '}']));
    match unknown {
        Some(part) => Err(LogError::Level(part.to_owned())),
        None => Ok(EnvFilter::builder().parse(text)?),
    }
}

fn start_log(filter: Option<&str>) -> Result<(), LogError> {
    let filter = match filter {
        Some(filter) => log_filter(filter)?,
        None => EnvFilter::try_from_default_env().unwrap_or_else(|_unset| EnvFilter::new("info")),
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::IsTerminal::is_terminal(&io::stderr()))
        .init();
    Ok(())
}

fn run(settings: Settings) -> Result<(), RunError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_name("kinetic-net")
        .enable_all()
        .build()?;
    let (medium, origin) =
        image::open_or_create(&settings.image, settings.new, settings.options.clone())?;
    if let Origin::Created(size) = origin {
        let path = settings.image.display();
        tracing::info!(%path, %size, "created");
    }
    let drive = runtime.block_on(serve(medium, &settings))?;
    // The second signal is still heard here, on the runtime's own threads.
    if !drive.device.medium.stop() {
        return Err(RunError::NotFlushed);
    }
    tracing::info!("stopped");
    Ok(())
}

async fn serve(medium: Medium, settings: &Settings) -> Result<Arc<Drive>, RunError> {
    let mut signals = Signals::listen()?;
    let config = Config {
        host_disk: image::host_disk(&settings.image),
        ..settings.config.clone()
    };
    let server = Server::start(medium, config).await?;
    let serial = &server.drive().device.names.serial_number;
    let locked = server.drive().device.is_locked();
    tracing::info!(plain = %server.plain_addr(), serial, locked, "serving");
    greet(settings, &server);
    let name = tokio::select! {
        name = signals.next() => name,
        () = server.asked_to_stop() => "SET_POWER_LEVEL",
    };
    tracing::info!(by = name, "stopping; a second signal stops at once");
    tokio::spawn(async move {
        let name = signals.next().await;
        eprintln!("kineticd: {name} again: stopped at once, unsynced writes may be lost");
        std::process::exit(1);
    });
    let drive = Arc::clone(server.drive());
    server.stop().await;
    Ok(drive)
}

/// Says on stdout where the drive is. Nobody need be listening.
fn greet(settings: &Settings, server: &Server) {
    let plain = server.plain_addr();
    let mut out = io::stdout().lock();
    let _ = match settings.greeting {
        Greeting::Json => {
            let mut ready = serde_json::Map::new();
            let addresses = [
                ("plain", Some(plain)),
                ("tls", server.tls_addr()),
                ("metrics", server.metrics_addr()),
            ];
            for (name, address) in addresses {
                let text = address.map(|address| address.to_string().into());
                ready.extend(text.map(|text| (name.to_owned(), text)));
            }
            writeln!(out, "{}", serde_json::Value::Object(ready))
        }
        Greeting::Text => {
            let image = settings.image.display();
            if server.drive().device.is_locked() {
                let tls = server
                    .tls_addr()
                    .map(|tls| format!(" --drive {}", reachable(tls)));
                let tls = tls.unwrap_or_default();
                writeln!(
                    out,
                    "The drive {image} listens on {plain}, and is locked. Under TLS\n  \
                     kinetic{tls} unlock\nunlocks it."
                )
            } else {
                let drive = reachable(plain);
                writeln!(
                    out,
                    "The drive {image} listens on {plain}. Try:\n  \
                     echo hello | kinetic --drive {drive} put greeting -"
                )
            }
        }
    };
    let _ = out.flush();
}

/// The address by which this machine reaches itself.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// The signals that stop a drive.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// The name of the next one.
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_of_levels_and_what_would_silence_the_log_is_refused() {
        for filter in [
            "info",
            "WARN",
            "off",
            "warn,kinetic_server=debug",
            "kinetic_server=trace",
        ] {
            log_filter(filter).unwrap();
        }
        for filter in ["", "zzz", "info,", "kinetic_server", "info,zzz"] {
            let error = log_filter(filter).unwrap_err().to_string();
            assert!(error.contains("debug"), "{error}");
        }
        log_filter("kinetic_server=loud").unwrap_err();
    }
}
