//! What requests beyond the protocol share: whether a drive knows them, and in what time it is to
//! answer.
//!
//! Guarantee: no drive is sent such a request that has not listed it, but for one that does not
//! tell this identity what it knows; the list is asked for once for each connection, when it is
//! needed.

use std::time::Duration;

use kinetic_proto::{MessageType, StatusCode};

use super::log::GetLog;
use crate::core::{CAPABILITIES_LOG, Capabilities, Manner};
use crate::error::Error;
use crate::limits::EXTENSION_QUANTUM_MS;
use crate::net::Connection;

/// What the drive can, if it knows this request.
pub(super) async fn require(
    connection: &Connection,
    request: MessageType,
    manner: Manner,
) -> Result<&Capabilities, Error> {
    let known = connection.capabilities();
    let capabilities = known.get_or_try_init(|| ask(connection, manner)).await?;
    if capabilities.may_know(request) {
        Ok(capabilities)
    } else {
        Err(Error::NotKnown(request))
    }
}

async fn ask(connection: &Connection, manner: Manner) -> Result<Capabilities, Error> {
    let mut log = GetLog::new(connection.clone(), &[]).device(CAPABILITIES_LOG);
    if let Some(timeout) = manner.timeout {
        log = log.timeout(timeout);
    }
    match log.await {
        Ok(log) => Ok(Capabilities::read(&log.value)),
        Err(Error::Refused {
            status: StatusCode::NOT_FOUND | StatusCode::INVALID_REQUEST,
            ..
        }) => Ok(Capabilities::none()),
        Err(Error::Refused {
            status: StatusCode::NOT_AUTHORIZED,
            ..
        }) => Ok(Capabilities::untold()),
        Err(error) => Err(error),
    }
}

/// After what time the drive is to answer what it has, where nothing is said of it: well before
/// this side stops waiting.
pub(super) fn quantum(connection: &Connection, timeout: Option<Duration>) -> Duration {
    let timeout = timeout.unwrap_or_else(|| connection.timeout());
    (timeout / 2).min(Duration::from_millis(EXTENSION_QUANTUM_MS))
}
