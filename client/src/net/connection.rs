//! Making a connection, and the handle that requests go through.
//!
//! Guarantees: a connection is made, greeting included, within its time or not at all; a call
//! waits for its share of the budget, fails at its deadline wherever it waits, and does nothing
//! more once its future is dropped. Not here: reconnecting.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use kinetic_proto::MessageType;
use kinetic_proto::schema::command::Priority;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, ToSocketAddrs};
use tokio::sync::{OnceCell, TryAcquireError, oneshot};
use tokio::time::{Instant, timeout_at};

use super::driver::{Driver, Input};
use super::shared::{Queued, Shared, Waiter};
use super::tls::handshake;
use crate::config::Config;
use crate::core::{Capabilities, Hello, Hints, Manner, Reply, Request, Session, Signer};
use crate::error::{ConnectError, Disconnected, Error, HelloError, TlsError};
use crate::limits::{MAX_TIMEOUT_MS, PUSH_GRACE_MS, REQUEST_OVERHEAD};
use crate::trust::{Fingerprint, Trust};

/// A handle to one connection; the connection ends with its last clone.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    handle: Arc<Handle>,
}

#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    hello: Hello,
    channel: Channel,
    timeout: Duration,
    priority: Option<Priority>,
    budget: u32,
    batches: AtomicU32,
    capabilities: OnceCell<Capabilities>,
}

/// What a connection runs over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Channel {
    /// TCP that everybody can read.
    Plain,
    /// TLS with this certificate.
    Tls(Fingerprint),
    /// A stream that the caller made: the caller knows.
    Given,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.abandon();
    }
}

impl Connection {
    pub(crate) async fn connect<A>(address: A, config: Config) -> Result<Self, ConnectError>
    where
        A: ToSocketAddrs + fmt::Display,
    {
        let name = address.to_string();
        let longest = Duration::from_millis(MAX_TIMEOUT_MS);
        let after = config.connect_timeout.min(longest);
        let deadline = Instant::now() + after;
        let late = |_elapsed| ConnectError::Timeout {
            address: name.clone(),
            after,
        };
        let stream = timeout_at(deadline, dial(address)).await.map_err(late)?;
        let stream = stream.map_err(|source| ConnectError::Unreachable {
            address: name.clone(),
            source,
        })?;
        let greeted = if matches!(config.trust, Trust::Plain) {
            let greeting = Self::greet(stream, Channel::Plain, config);
            let greeted = timeout_at(deadline, greeting).await;
            greeted.map_err(|_elapsed| ConnectError::Silent {
                address: name.clone(),
                after,
            })?
        } else {
            let secured = timeout_at(deadline, handshake(stream, host_of(&name), &config.trust));
            let secured = secured.await.unwrap_or(Err(TlsError::Timeout { after }));
            let (stream, fingerprint) = secured.map_err(|source| ConnectError::Tls {
                address: name.clone(),
                source,
            })?;
            let greeting = Self::greet(stream, Channel::Tls(fingerprint), config);
            timeout_at(deadline, greeting).await.map_err(late)?
        };
        greeted.map_err(|source| ConnectError::Hello {
            address: name,
            source,
        })
    }

    /// Takes over a stream on which nothing has been read yet.
    pub(crate) async fn greet<S>(
        stream: S,
        channel: Channel,
        config: Config,
    ) -> Result<Self, HelloError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut input = Input::new(stream);
        let hello = loop {
            if let Some(frame) = input.next_frame()? {
                break Hello::read(&frame.message)?;
            }
            if poll_fn(|cx| input.poll_read(cx)).await? == 0 {
                return Err(HelloError::EndOfStream);
            }
        };
        let signer = Signer {
            identity: config.identity,
            key: config.key,
            connection_id: hello.connection_id,
            cluster_version: config.cluster_version.unwrap_or(hello.cluster_version),
            max_value_size: hello.limits.max_value_size,
            first_sequence: 1,
        };
        let budget = u32::try_from(config.in_flight_bytes).unwrap_or(u32::MAX);
        let shared = Arc::new(Shared::new(budget as usize));
        let driver = Driver::new(input, Arc::clone(&shared), Session::new(signer));
        tokio::spawn(driver.run());
        let handle = Handle {
            shared,
            hello,
            channel,
            timeout: config.request_timeout,
            priority: config.priority,
            budget,
            batches: AtomicU32::new(0),
            capabilities: OnceCell::new(),
        };
        Ok(Self {
            handle: Arc::new(handle),
        })
    }

    pub(crate) fn hello(&self) -> &Hello {
        &self.handle.hello
    }

    pub(crate) fn channel(&self) -> Channel {
        self.handle.channel
    }

    /// The time for a request that says nothing of it.
    pub(crate) fn timeout(&self) -> Duration {
        self.handle.timeout
    }

    /// What the drive can beyond the protocol, once it was asked.
    pub(crate) fn capabilities(&self) -> &OnceCell<Capabilities> {
        &self.handle.capabilities
    }

    /// Refuses to send a secret where everybody could read it.
    pub(crate) fn require_tls(&self, request: MessageType) -> Result<(), Error> {
        match self.channel() {
            Channel::Plain => Err(Error::NeedsTls(request)),
            Channel::Tls(_) | Channel::Given => Ok(()),
        }
    }

    /// A number for a batch that no other open batch of this connection has.
    pub(super) fn batch_id(&self) -> u32 {
        self.handle.batches.fetch_add(1, Ordering::Relaxed)
    }

    /// Why the connection is over, if it is.
    pub(crate) fn disconnected(&self) -> Option<Disconnected> {
        self.handle.shared.reason()
    }

    /// Sends a request and waits for its answer.
    pub(crate) async fn call(&self, mut request: Request, manner: Manner) -> Result<Reply, Error> {
        let handle = &*self.handle;
        let longest = Duration::from_millis(MAX_TIMEOUT_MS);
        let timeout = manner.timeout.unwrap_or(handle.timeout).min(longest);
        let deadline = handle.shared.now().saturating_add(timeout);
        let cost = handle.acquire(&request, deadline, timeout).await?;
        let left = deadline.saturating_sub(handle.shared.now()).as_millis();
        let left = u64::try_from(left).unwrap_or(u64::MAX);
        let left = match request.message_type {
            // It tells what came of each key when its time is up: that is to arrive, too.
            MessageType::PEER2PEERPUSH => left - (left / 8).min(PUSH_GRACE_MS),
            _ => left,
        }
        .max(1);
        request.hints = Hints {
            timeout_ms: request.may_be_given_up().then_some(left),
            priority: manner.priority.or(handle.priority),
            patience: manner.patience,
        };
        let (answer, answered) = oneshot::channel();
        let waiter = Waiter {
            answer,
            cost,
            timeout,
        };
        handle.shared.push(Queued {
            request,
            deadline,
            waiter,
        })?;
        match answered.await {
            Ok(outcome) => outcome,
            // The task is gone without a word: its runtime was shut down.
            Err(_gone) => Err(Disconnected::Closed.into()),
        }
    }
}

async fn dial(address: impl ToSocketAddrs) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The name or address without its port.
fn host_of(address: &str) -> &str {
    let (host, _port) = address.rsplit_once(':').unwrap_or((address, ""));
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    bare.unwrap_or(host)
}

impl Handle {
    /// Waits for the request's share of the budget, which its answer gives back.
    async fn acquire(
        &self,
        request: &Request,
        deadline: Duration,
        timeout: Duration,
    ) -> Result<u32, Error> {
        let budget = &self.shared.budget;
        let weigh = |request: &Request| request.bytes() + REQUEST_OVERHEAD;
        let bytes = weigh(request) + request.ahead().iter().map(weigh).sum::<usize>();
        let cost = u32::try_from(bytes).unwrap_or(u32::MAX).min(self.budget);
        let over = || Error::from(self.shared.reason().unwrap_or(Disconnected::Closed));
        let share = match budget.try_acquire_many(cost) {
            Ok(share) => share,
            Err(TryAcquireError::Closed) => return Err(over()),
            Err(TryAcquireError::NoPermits) => {
                let waiting = budget.acquire_many(cost);
                let share = timeout_at(self.shared.moment(deadline), waiting).await;
                share
                    .map_err(|_elapsed| Error::Timeout { after: timeout })?
                    .map_err(|_closed| over())?
            }
        };
        share.forget();
        Ok(cost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_what_stands_before_the_port() {
        assert_eq!(host_of("drive-7:8443"), "drive-7");
        assert_eq!(host_of("127.0.0.1:8443"), "127.0.0.1");
        assert_eq!(host_of("[::1]:8443"), "::1");
    }
}
