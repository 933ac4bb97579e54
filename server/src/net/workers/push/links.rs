//! Connections to peers, shared by all pushes that go there as the same identity.
//!
//! Guarantees: one attempt to connect at a time for each peer, whose outcome all who wait for it
//! share; a peer that could not be reached is not tried again for a moment, so that a dead one
//! costs one time-out and not one for each push; a connection that has ended is never given out; as
//! many as `PEER_LINKS` are kept, and those that nobody uses are closed after a while.
//! Not here: what is sent.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kinetic_client::{Client, Config, ConnectError, Trust};
use kinetic_proto::SigningKey;
use tokio::sync::{Notify, OnceCell};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::limits::{
    LINK_BYTES, LINK_IDLE_SECONDS, PEER_ANSWER_MS, PEER_CONNECT_MS, PEER_LINKS, PEER_PAUSE_MS,
};
use crate::net::surroundings::{Dial, PeerAddress};

/// A peer, and as whom it is met.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Address {
    /// Name or address, as it was given.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: Tls,
    pub(super) identity: i64,
    /// What tells its key from another one.
    pub(super) key_mark: [u8; 20],
}

/// Whether a peer is reached under TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tls {
    Off,
    On,
}

impl std::fmt::Display for Address {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.host.contains(':') {
            true => write!(out, "[{}]:{}", self.host, self.port),
            false => write!(out, "{}:{}", self.host, self.port),
        }
    }
}

/// Why there is no connection.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum NoLink {
    #[error("{0}")]
    Connect(Arc<ConnectError>),
    #[error(
        "this drive is connected to {PEER_LINKS} peers already, and all of them are in use: try \
         again later"
    )]
    TooMany,
}

/// All connections to peers.
#[derive(Default)]
pub(super) struct Links {
    known: Mutex<BTreeMap<Address, Known>>,
    /// A peer was added.
    added: Notify,
    dial: Option<Dial>,
}

struct Known {
    attempt: Arc<Attempt>,
    used: Instant,
}

/// One attempt to connect, and what came of it.
#[derive(Default)]
struct Attempt {
    outcome: OnceCell<Result<Client, Failed>>,
}

#[derive(Clone)]
struct Failed {
    why: Arc<ConnectError>,
    at: Instant,
}

impl Attempt {
    /// Whether it can be used, or waited for.
    fn is_good(&self, now: Instant) -> bool {
        match self.outcome.get() {
            None => true,
            Some(Ok(client)) => client.disconnected().is_none(),
            Some(Err(failed)) => now < failed.at + Duration::from_millis(PEER_PAUSE_MS),
        }
    }

    /// Whether nobody but the table knows of it and its connection.
    fn is_unused(self: &Arc<Self>, used: Instant, now: Instant) -> bool {
        Arc::strong_count(self) == 1 && used + Duration::from_secs(LINK_IDLE_SECONDS) <= now
    }
}

/// A connection that is in use as long as this is held.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) client: Client,
    attempt: Arc<Attempt>,
}

impl Links {
    /// Made in this way, or else by TCP.
    pub(super) fn by(dial: Option<Dial>) -> Self {
        Self {
            dial,
            ..Self::default()
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Address, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection to this peer, made now if there is none.
    pub(super) async fn get(
        &self,
        address: &Address,
        (key, trust): (&SigningKey, &Trust),
    ) -> Result<Link, NoLink> {
        let attempt = self.attempt(address)?;
        let connecting = attempt
            .outcome
            .get_or_init(|| self.connect(address, key, trust));
        match connecting.await {
            Ok(client) => Ok(Link {
                client: client.clone(),
                attempt: Arc::clone(&attempt),
            }),
            Err(failed) => Err(NoLink::Connect(Arc::clone(&failed.why))),
        }
    }

    /// Has the next one who asks connect anew.
    pub(super) fn forget(&self, address: &Address, link: &Link) {
        let mut known = self.lock();
        if known
            .get(address)
            .is_some_and(|known| Arc::ptr_eq(&known.attempt, &link.attempt))
        {
            known.remove(address);
        }
    }

    fn attempt(&self, address: &Address) -> Result<Arc<Attempt>, NoLink> {
        let now = Instant::now();
        let mut known = self.lock();
        if let Some(known) = known.get_mut(address)
            && known.attempt.is_good(now)
        {
            known.used = now;
            return Ok(Arc::clone(&known.attempt));
        }
        known.remove(address);
        if known.len() >= PEER_LINKS {
            // Room is made by the one that was not used for longest.
            let unused = known
                .iter()
                .filter(|(_, known)| Arc::strong_count(&known.attempt) == 1);
            let oldest = unused.min_by_key(|(_, known)| known.used);
            let oldest = oldest.map(|(address, _)| address.clone());
            known.remove(&oldest.ok_or(NoLink::TooMany)?);
        }
        let attempt = Arc::<Attempt>::default();
        let entry = Known {
            attempt: Arc::clone(&attempt),
            used: now,
        };
        known.insert(address.clone(), entry);
        drop(known);
        self.added.notify_one();
        Ok(attempt)
    }

    /// Never returns: closes what nobody uses, now and then.
    pub(super) async fn close_idle(&self) {
        let mut often = interval(Duration::from_secs(LINK_IDLE_SECONDS / 4));
        often.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            if self.lock().is_empty() {
                self.added.notified().await;
            }
            let now = often.tick().await;
            let is_kept = |known: &Known| !known.attempt.is_unused(known.used, now);
            self.lock().retain(|_, known| is_kept(known));
        }
    }

    async fn connect(
        &self,
        address: &Address,
        key: &SigningKey,
        trust: &Trust,
    ) -> Result<Client, Failed> {
        let config = Config {
            identity: address.identity,
            key: key.clone(),
            trust: match address.tls {
                Tls::Off => Trust::Plain,
                Tls::On => trust.clone(),
            },
            cluster_version: None,
            priority: None,
            connect_timeout: Duration::from_millis(PEER_CONNECT_MS),
            request_timeout: Duration::from_millis(PEER_ANSWER_MS),
            in_flight_bytes: LINK_BYTES,
        };
        let made = match &self.dial {
            None => Client::connect(address.to_string(), config).await,
            Some(dial) => dialled(dial, address, config).await,
        };
        made.map_err(|why| Failed {
            why: Arc::new(why),
            at: Instant::now(),
        })
    }
}

/// A connection over a link that was given.
async fn dialled(dial: &Dial, address: &Address, config: Config) -> Result<Client, ConnectError> {
    let after = config.connect_timeout;
    let link = dial.link(PeerAddress {
        host: address.host.clone(),
        port: address.port,
        tls: address.tls == Tls::On,
    });
    let connecting = async {
        let stream = link.await.map_err(|source| ConnectError::Unreachable {
            address: address.to_string(),
            source,
        })?;
        let greeted = Client::over(stream, config).await;
        greeted.map_err(|source| ConnectError::Hello {
            address: address.to_string(),
            source,
        })
    };
    let late = |_elapsed| ConnectError::Timeout {
        address: address.to_string(),
        after,
    };
    timeout(after, connecting).await.map_err(late)?
}
