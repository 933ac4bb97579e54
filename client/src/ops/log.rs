//! GETLOG: what a drive says of itself.

use bytes::Bytes;
use kinetic_proto::MessageType;
use kinetic_proto::schema::command::{self, Body, get_log};

use super::answer::awaitable;
use crate::core::{Manner, Request};
use crate::error::Error;
use crate::net::Connection;

/// The kinds of log.
pub type LogType = get_log::Type;

/// A drive's answer: the parts that were asked for, as the protocol has them.
#[derive(Debug, Clone)]
pub struct Log {
    /// The parts.
    pub parts: command::GetLog,
    /// The content of a log that was asked for by name.
    pub value: Bytes,
}

/// A GETLOG, made by [`crate::Client::log`].
#[derive(Debug)]
#[must_use = "a request is sent when it is awaited"]
pub struct GetLog {
    connection: Connection,
    pub(super) manner: Manner,
    log: command::GetLog,
}

impl GetLog {
    pub(crate) fn new(connection: Connection, types: &[LogType]) -> Self {
        let log = command::GetLog {
            types: types.iter().map(|&kind| kind.into()).collect(),
            ..command::GetLog::default()
        };
        Self {
            connection,
            manner: Manner::default(),
            log,
        }
    }

    /// Asks for the log of this name, too; it comes as [`Log::value`].
    pub fn device(mut self, name: impl Into<Bytes>) -> Self {
        let device: i32 = LogType::Device.into();
        if !self.log.types.contains(&device) {
            self.log.types.push(device);
        }
        self.log.device = Some(get_log::Device {
            name: Some(name.into()),
        });
        self
    }

    async fn run(self) -> Result<Log, Error> {
        let body = Body {
            get_log: Some(Box::new(self.log)),
            ..Body::default()
        };
        let request = Request::with_body(MessageType::GETLOG, body);
        let reply = self.connection.call(request, self.manner).await?;
        Ok(Log {
            parts: reply.body.get_log.map(|log| *log).unwrap_or_default(),
            value: reply.value,
        })
    }
}

awaitable!(GetLog => Log);
