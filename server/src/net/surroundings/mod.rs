//! What a server is surrounded by, where that is not a machine of its own: who does its work, by
//! which doors connections come, how it reaches its peers.
//!
//! Guarantee: the defaults are those of `kineticd`: threads of its own, listening sockets, TCP.
//! With [`Labour::Here`], [`TaskHands`], given doors, a dial and given entropy, a server has no
//! thread, socket, clock or chance of its own: on a runtime of one thread whose clock is paused,
//! any number of drives and their clients run the same way each time.
//!
//! In layer order: [`labour`] (threads, or tasks), [`task_hands`] (the same for the work of
//! stores), [`dial`] (ways to peers), and here all of it.

pub mod labour;

pub mod task_hands;

pub mod dial;

pub use dial::{Dial, Dialled, PeerAddress, Stream};
pub use labour::Labour;
pub use task_hands::TaskHands;

use crate::device::Ports;

/// By which doors connections come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Doors {
    /// It listens where its configuration says.
    #[default]
    Listening,
    /// It listens nowhere: others hand it streams through [`Reception`](super::Reception), and tell
    /// clients of these ports.
    Given(Ports),
}

/// What a server is surrounded by.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// By which doors connections come.
    pub doors: Doors,
    /// Who does what takes its time.
    pub labour: Labour,
    /// How it reaches its peers; by TCP where nothing is given.
    pub dial: Option<Dial>,
    /// The first connection's number; where none is given, by the time of day, so that no two runs
    /// use the same.
    pub first_connection: Option<i64>,
}
