//! PINOP: lock, unlock, erase. Authenticated by a PIN, not by an identity.
//!
//! Guarantees: a PIN is sent under TLS only, and never printed. The drive's answer is not signed:
//! TLS alone says that it is the drive's. Not here: setting PINs (`security`).

use std::time::Duration;

use kinetic_proto::MessageType;
use kinetic_proto::message::Pin;
use kinetic_proto::schema::command::pin_operation::PinOpType;
use kinetic_proto::schema::command::{self, Body};

use super::answer::awaitable;
use crate::core::{Manner, Request, Special};
use crate::error::Error;
use crate::limits::ERASE_TIMEOUT_MS;
use crate::net::Connection;

/// A PINOP, made by [`crate::Client::lock`], [`crate::Client::unlock`], [`crate::Client::erase`]
/// and [`crate::Client::secure_erase`].
///
/// ```no_run
/// # async fn example(client: kinetic_client::Client) -> Result<(), kinetic_client::Error> {
/// client.lock("1234").await?;
/// assert!(client.get("key").await.is_err());
/// client.unlock("1234").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a request is sent when it is awaited"]
pub struct PinOperation {
    connection: Connection,
    manner: Manner,
    kind: PinOpType,
    pin: Pin,
}

impl PinOperation {
    pub(crate) fn new(connection: Connection, kind: PinOpType, pin: Pin) -> Self {
        let erases = matches!(kind, PinOpType::ErasePinop | PinOpType::SecureErasePinop);
        Self {
            connection,
            manner: Manner {
                timeout: erases.then_some(Duration::from_millis(ERASE_TIMEOUT_MS)),
                ..Manner::default()
            },
            kind,
            pin,
        }
    }

    async fn run(self) -> Result<(), Error> {
        self.connection.require_tls(MessageType::PINOP)?;
        let limit = self.connection.hello().limits.max_pin_size;
        check_pin(&self.pin, limit)?;
        let body = Body {
            pin_op: Some(command::PinOperation {
                pin_op_type: Some(self.kind.into()),
            }),
            ..Body::default()
        };
        let mut request = Request::with_body(MessageType::PINOP, body);
        request.special = Some(Box::new(Special::WithPin(self.pin)));
        self.connection.call(request, self.manner).await.map(drop)
    }
}

awaitable!(PinOperation => ());

/// Refuses a PIN that the drive would refuse.
pub(super) fn check_pin(pin: &Pin, limit: Option<u32>) -> Result<(), Error> {
    let size = pin.0.len();
    match limit {
        Some(limit) if size > limit as usize => Err(Error::TooLarge {
            part: "PIN",
            size,
            limit,
        }),
        _ => Ok(()),
    }
}
