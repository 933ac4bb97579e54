//! NOOP and FLUSHALLDATA: requests without a body.

use kinetic_proto::MessageType;

use super::answer::awaitable;
use crate::core::{Manner, Request};
use crate::error::Error;
use crate::net::Connection;

/// A request without a body, made by [`crate::Client::noop`] and [`crate::Client::flush`].
#[derive(Debug)]
#[must_use = "a request is sent when it is awaited"]
pub struct Plain {
    connection: Connection,
    manner: Manner,
    message_type: MessageType,
}

impl Plain {
    pub(crate) fn new(connection: Connection, message_type: MessageType) -> Self {
        Self {
            connection,
            manner: Manner::default(),
            message_type,
        }
    }

    async fn run(self) -> Result<(), Error> {
        let request = Request::new(self.message_type);
        self.connection.call(request, self.manner).await.map(drop)
    }
}

awaitable!(Plain => ());
