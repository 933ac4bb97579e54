//! How a builder becomes a future.
//!
//! Not here: any operation.

use std::pin::Pin;

use crate::core::Reply;
use crate::error::Error;

/// The future of an answer.
pub type Answer<T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send>>;

/// Gives a builder its `timeout` and its `priority`.
macro_rules! mannered {
    ($builder:ident) => {
        impl $builder {
            /// The time from here to the answer, instead of the connection's. A drive is told what
            /// is left of it, and begins nothing whose time is over.
            pub fn timeout(mut self, timeout: std::time::Duration) -> Self {
                self.manner.timeout = Some(timeout);
                self
            }

            /// How urgent it is to the drive beside other requests, instead of the connection's.
            /// More than the identity may ask for is refused.
            pub fn priority(mut self, priority: $crate::ops::Priority) -> Self {
                self.manner.priority = Some(priority);
                self
            }
        }
    };
}

/// The same, and `.await` by way of its method `run`.
macro_rules! awaitable {
    ($builder:ident => $output:ty) => {
        $crate::ops::answer::mannered!($builder);

        impl IntoFuture for $builder {
            type Output = Result<$output, $crate::error::Error>;
            type IntoFuture = $crate::ops::Answer<$output>;

            fn into_future(self) -> Self::IntoFuture {
                Box::pin(self.run())
            }
        }
    };
}

pub(super) use {awaitable, mannered};

/// NOT_FOUND is an ordinary outcome of a read.
pub(super) fn found(answer: Result<Reply, Error>) -> Result<Option<Reply>, Error> {
    match answer {
        Ok(reply) => Ok(Some(reply)),
        Err(error @ Error::Disconnected(_)) => Err(error),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}
