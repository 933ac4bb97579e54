//! How a builder becomes a future.
//!
//! Not here: any operation.

use std::pin::Pin;

use crate::core::Reply;
use crate::error::Error;

/// The future of an answer.
pub type Answer<T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send>>;

/// Gives a builder its `timeout`, and `.await` by way of its method `run`.
macro_rules! awaitable {
    ($builder:ident => $output:ty) => {
        impl $builder {
            /// The time from here to the answer, instead of the connection's.
            pub fn timeout(mut self, timeout: std::time::Duration) -> Self {
                self.timeout = Some(timeout);
                self
            }
        }

        impl IntoFuture for $builder {
            type Output = Result<$output, $crate::error::Error>;
            type IntoFuture = $crate::ops::Answer<$output>;

            fn into_future(self) -> Self::IntoFuture {
                Box::pin(self.run())
            }
        }
    };
}

pub(super) use awaitable;

/// NOT_FOUND is an ordinary outcome of a read.
pub(super) fn found(answer: Result<Reply, Error>) -> Result<Option<Reply>, Error> {
    match answer {
        Ok(reply) => Ok(Some(reply)),
        Err(error @ Error::Disconnected(_)) => Err(error),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}
