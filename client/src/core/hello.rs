//! The unsolicited status with which a drive greets every connection.
//!
//! Guarantees: a greeting that is a refusal, or no greeting, is an error that says so. Lenient
//! where old drives are: an absent part reads as its default. Not here: later unsolicited
//! statuses, which end a connection (`session`).

use bytes::Bytes;
use kinetic_proto::schema::command::get_log::Configuration;
use kinetic_proto::{Limits, Received, StatusCode};

use crate::error::HelloError;

/// What a drive said of itself when the connection was made.
#[derive(Debug, Clone)]
pub struct Hello {
    /// The number of the connection, which every request carries.
    pub connection_id: i64,
    /// The drive's cluster version.
    pub cluster_version: i64,
    /// Names, versions, addresses.
    pub configuration: Configuration,
    /// Limits; `None` where the drive has none.
    pub limits: Limits,
}

impl Hello {
    /// Reads the first message of a connection.
    ///
    /// # Errors
    /// [`HelloError`]: it is no hello, or one that refuses.
    pub fn read(message: &Bytes) -> Result<Self, HelloError> {
        let received = Received::decode(message)?;
        if !received.is_unsolicited() {
            return Err(HelloError::NotAHello);
        }
        let status = received.status_code();
        if status != StatusCode::SUCCESS {
            let text = received
                .command
                .status
                .and_then(|status| status.status_message);
            return Err(HelloError::Refused {
                status,
                message: text.unwrap_or_default(),
            });
        }
        let header = received.command.header.unwrap_or_default();
        let log = received.command.body.and_then(|body| body.get_log);
        let log = log.map(|log| *log).unwrap_or_default();
        Ok(Self {
            connection_id: header.connection_id.unwrap_or_default(),
            cluster_version: header.cluster_version.unwrap_or_default(),
            configuration: log.configuration.unwrap_or_default(),
            limits: Limits::from_message(&log.limits.unwrap_or_default()),
        })
    }

    /// Whether the drive speaks a protocol older than 4, which reads an absent end of a range
    /// as the smallest key.
    pub fn is_before_4(&self) -> bool {
        let version = self.configuration.protocol_version.as_deref();
        version.is_some_and(|version| version.starts_with("3.") || version.starts_with("2."))
    }
}
