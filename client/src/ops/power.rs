//! SET_POWER_LEVEL: sends a drive to sleep, wakes it, or ends it.

use kinetic_proto::MessageType;
use kinetic_proto::schema::command::{self, Body, PowerManagement};

use super::answer::awaitable;
use crate::core::{Manner, Request};
use crate::error::Error;
use crate::net::Connection;

/// How awake a drive is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PowerLevel {
    /// It serves.
    Operational,
    /// It sleeps, and answers HIBERNATE to everything but what wakes it.
    Hibernate,
    /// It ends, once all is on the disk. Only who can start it can have it back.
    Shutdown,
}

impl PowerLevel {
    fn to_wire(self) -> command::PowerLevel {
        match self {
            Self::Operational => command::PowerLevel::Operational,
            Self::Hibernate => command::PowerLevel::Hibernate,
            Self::Shutdown => command::PowerLevel::Shutdown,
        }
    }
}

/// A SET_POWER_LEVEL, made by [`crate::Client::set_power_level`].
#[derive(Debug)]
#[must_use = "a request is sent when it is awaited"]
pub struct SetPowerLevel {
    connection: Connection,
    manner: Manner,
    level: PowerLevel,
}

impl SetPowerLevel {
    pub(crate) fn new(connection: Connection, level: PowerLevel) -> Self {
        Self {
            connection,
            manner: Manner::default(),
            level,
        }
    }

    async fn run(self) -> Result<(), Error> {
        let body = Body {
            power: Some(PowerManagement {
                level: Some(self.level.to_wire().into()),
            }),
            ..Body::default()
        };
        let request = Request::with_body(MessageType::SET_POWER_LEVEL, body);
        self.connection.call(request, self.manner).await.map(drop)
    }
}

awaitable!(SetPowerLevel => ());
