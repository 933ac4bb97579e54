//! Builders that are ended by a call instead of an await.
//!
//! Guarantee: each method does what the one of the same name does in [`crate::ops`].

use std::time::Duration;

use bytes::Bytes;

use super::thread::{Coming, Gone, Thread};
use crate::error::{Disconnected, Error};
use crate::ops::{
    Algorithm, BatchOperation, Delete, Durability, Get, GetLog, GetMetadata, GetVersion, Neighbour,
    Plain, Put,
};

/// A request that is being put together; what it can be told depends on what it is.
#[derive(Debug)]
#[must_use = "a request is sent by send() or begin()"]
pub struct Request<B> {
    builder: B,
    thread: Thread,
}

/// A request whose answer is to come. Dropping it does not take the request back.
#[derive(Debug)]
#[must_use = "whether it was done is known by wait()"]
pub struct Pending<T>(Coming<Result<T, Error>>);

impl<B> Request<B> {
    pub(super) fn new(builder: B, thread: &Thread) -> Self {
        Self {
            builder,
            thread: thread.clone(),
        }
    }

    fn map(self, change: impl FnOnce(B) -> B) -> Self {
        Self {
            builder: change(self.builder),
            thread: self.thread,
        }
    }
}

impl<B, T> Request<B>
where
    B: IntoFuture<Output = Result<T, Error>>,
    B::IntoFuture: Send + 'static,
    T: Send + 'static,
{
    /// Sends it and waits for the answer.
    ///
    /// # Errors
    /// Those of the request.
    ///
    /// # Panics
    /// Within asynchronous code.
    pub fn send(self) -> Result<T, Error> {
        self.begin().wait()
    }

    /// Sends it and does not wait. Requests that are begun one after the other are sent in that
    /// order; what is over [`crate::Config::in_flight_bytes`] waits in memory until it is sent, so
    /// bound how many you begin.
    ///
    /// ```no_run
    /// # use kinetic_client::blocking::Client;
    /// # fn example(client: Client) -> Result<(), kinetic_client::Error> {
    /// let first = client.get("photos/1").begin();
    /// let second = client.get("photos/2").begin();
    /// let (first, second) = (first.wait()?, second.wait()?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn begin(self) -> Pending<T> {
        Pending(self.thread.begin(self.builder.into_future()))
    }
}

impl<T> Pending<T> {
    /// Waits for the answer.
    ///
    /// # Errors
    /// Those of the request.
    ///
    /// # Panics
    /// Within asynchronous code.
    pub fn wait(self) -> Result<T, Error> {
        let gone = |_: Gone| Err(Disconnected::Closed.into());
        self.0.wait().unwrap_or_else(gone)
    }
}

macro_rules! timeouts {
    ($($builder:ident)*) => {
        $(
            impl Request<$builder> {
                /// The time from here to the answer, instead of the connection's.
                pub fn timeout(self, timeout: Duration) -> Self {
                    self.map(|builder| builder.timeout(timeout))
                }
            }
        )*
    };
}

timeouts!(Put Get GetMetadata GetVersion Delete Neighbour Plain GetLog);

impl Request<Put> {
    /// The version that the entry gets.
    pub fn version(self, version: impl Into<Bytes>) -> Self {
        self.map(|put| put.version(version))
    }

    /// The version that the entry must have now.
    pub fn expected_version(self, version: impl Into<Bytes>) -> Self {
        self.map(|put| put.expected_version(version))
    }

    /// A checksum or signature of the value, kept with it as it is.
    pub fn tag(self, tag: impl Into<Bytes>) -> Self {
        self.map(|put| put.tag(tag))
    }

    /// What the tag was made with.
    pub fn algorithm(self, algorithm: Algorithm) -> Self {
        self.map(|put| put.algorithm(algorithm))
    }

    /// Stores whatever version the entry has.
    pub fn force(self) -> Self {
        self.map(Put::force)
    }

    /// When the drive answers.
    pub fn durability(self, durability: Durability) -> Self {
        self.map(|put| put.durability(durability))
    }
}

impl Request<Delete> {
    /// The version that the entry must have now.
    pub fn expected_version(self, version: impl Into<Bytes>) -> Self {
        self.map(|delete| delete.expected_version(version))
    }

    /// Removes whatever version the entry has, if there is one.
    pub fn force(self) -> Self {
        self.map(Delete::force)
    }

    /// When the drive answers.
    pub fn durability(self, durability: Durability) -> Self {
        self.map(|delete| delete.durability(durability))
    }
}

impl Request<Neighbour> {
    /// Leaves the value where it is: the entry comes with an empty one.
    pub fn without_value(self) -> Self {
        self.map(Neighbour::without_value)
    }
}

impl Request<GetLog> {
    /// Asks for the log of this name, too; it comes as [`crate::Log::value`].
    pub fn device(self, name: impl Into<Bytes>) -> Self {
        self.map(|log| log.device(name))
    }
}

impl From<Request<Put>> for BatchOperation {
    fn from(put: Request<Put>) -> Self {
        put.builder.into()
    }
}

impl From<Request<Delete>> for BatchOperation {
    fn from(delete: Request<Delete>) -> Self {
        delete.builder.into()
    }
}
