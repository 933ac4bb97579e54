//! Why a simulated drive does not start, or does not do what it is told.

use std::io;

use kinetic_server::StartError;
use kinetic_server::certificate::CertificateError;
use kinetic_server::device::{MediumError, Unchanged};
use kinetic_server::entropy::NoRandomness;
use kinetic_server::image::ImageError;
use kinetic_store::FormatError;

/// Why not.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// The host gave no threads for the drives of this process.
    #[error("the threads that all simulated drives share cannot be started: {0}")]
    Threads(io::Error),
    /// The host gave no port.
    #[error("a port of 127.0.0.1 cannot be listened on: {0}")]
    Listen(io::Error),
    /// The image is of no use.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The drive cannot be formatted.
    #[error("the simulated drive cannot be formatted: {0}")]
    Format(#[from] FormatError),
    /// The drive cannot be opened.
    #[error("the simulated drive cannot be opened: {0}")]
    Open(#[from] MediumError),
    /// The cluster version cannot be set.
    #[error("the cluster version cannot be set: {0}")]
    ClusterVersion(#[from] Unchanged<std::convert::Infallible>),
    /// There is no certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The server does not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The host gave no random bytes.
    #[error(transparent)]
    Entropy(#[from] NoRandomness),
    /// A chassis has a bound.
    #[error("a chassis of {0} drives: it takes 1 to {most}", most = crate::limits::CHASSIS)]
    Chassis(usize),
    /// The disk did not take the last writes.
    #[error("the drive is stopped, but its disk did not take its last writes")]
    NotFlushed,
    /// The process ends.
    #[error(
        "the runtime of the simulated drives has ended, or a drive ended by a fault of its own"
    )]
    Ended,
}
