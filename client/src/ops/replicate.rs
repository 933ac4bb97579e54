//! Replication: the keys of a range, pushed by their drive to other drives.
//!
//! Guarantees: every key of the range has one outcome for each peer, in the order of keys; what was
//! given out is done, so a run that ends early goes on behind the last key; a bounded number of
//! pushes is under way at a time, in the drive's time, past the client. What is written meanwhile
//! may or may not be copied; what a peer has beside is left alone.
//! Not here: comparing drives, and what to do with a key that did not arrive.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use kinetic_proto::StatusCode;

use super::answer::Answer;
use super::push::{Peer, Push, Pushed, Transfer, Transferred};
use super::range::{Keys, Range};
use crate::error::Error;
use crate::limits::{
    PUSH_OVERHEAD, PUSH_REQUEST_BYTES, PUSH_TIMEOUT_MS, PUSHED_KEYS, PUSHES_UNDER_WAY,
};
use crate::net::Connection;

/// The way that entries take to several peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Way {
    /// From the drive to the first peer, from there to the second, and so on: each sends once.
    #[default]
    Pipeline,
    /// From the drive to each peer: a peer that fails takes no other with it.
    SideBySide,
}

/// A replication, made by [`Range::replicate`].
#[derive(Debug, Clone)]
#[must_use = "nothing is replicated until the outcomes that start() makes are read"]
pub struct Replicate {
    connection: Connection,
    range: Range,
    peers: Vec<Peer>,
    way: Way,
    overwrite: Overwrite,
    keys: usize,
    under_way: usize,
    timeout: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Overwrite {
    Always,
    OnlyUnversioned,
}

impl Range {
    /// Has the drive push the entries of these keys to other drives.
    ///
    /// ```no_run
    /// # async fn example(client: kinetic_client::Client) -> Result<(), kinetic_client::Error> {
    /// use kinetic_client::Peer;
    ///
    /// let peers = [Peer::plain("drive-b", 8123), Peer::plain("drive-c", 8123)];
    /// let mut run = client.prefix("photos/").replicate(peers).start();
    /// while let Some(copied) = run.next().await {
    ///     let copied = copied?;
    ///     if !copied.is_complete() {
    ///         println!("{:?}: {:?}", copied.key, copied.at);
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn replicate(self, peers: impl IntoIterator<Item = Peer>) -> Replicate {
        Replicate::new(self, peers.into_iter().collect())
    }
}

impl Replicate {
    fn new(range: Range, peers: Vec<Peer>) -> Self {
        Self {
            connection: range.connection(),
            range,
            peers,
            way: Way::default(),
            overwrite: Overwrite::Always,
            keys: PUSHED_KEYS,
            under_way: PUSHES_UNDER_WAY,
            timeout: Duration::from_millis(PUSH_TIMEOUT_MS),
        }
    }

    /// The way that entries take to several peers; a pipeline unless told otherwise.
    pub fn way(mut self, way: Way) -> Self {
        self.way = way;
        self
    }

    /// Leaves alone what a peer has with a version; such keys have the outcome VERSION_MISMATCH.
    /// Otherwise peers get what this drive has, whatever they had.
    pub fn keep_versioned(mut self) -> Self {
        self.overwrite = Overwrite::OnlyUnversioned;
        self
    }

    /// At most so many keys in one request.
    pub fn keys_per_push(mut self, keys: usize) -> Self {
        self.keys = keys.max(1);
        self
    }

    /// At most so many requests under way, for each peer where they go side by side.
    pub fn pushes_under_way(mut self, pushes: usize) -> Self {
        self.under_way = pushes.max(1);
        self
    }

    /// The time for each request.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The outcomes, as a stream that drives the replication.
    pub fn start(self) -> Replication {
        let keys = self.range.clone().keys();
        Replication {
            replicate: self,
            keys: Some(keys),
            collected: Vec::new(),
            pushing: VecDeque::new(),
            ready: VecDeque::new(),
            failed: None,
        }
    }

    fn push(&self, keys: &[Bytes], peers: &[Peer]) -> Option<Push> {
        let (first, rest) = peers.split_first()?;
        let transfers = keys.iter().map(|key| self.transfer(key, rest)).collect();
        let push = Push::new(self.connection.clone(), first.clone(), transfers);
        Some(push.timeout(self.timeout))
    }

    /// One key to a peer, and from there to the rest of them.
    fn transfer(&self, key: &Bytes, rest: &[Peer]) -> Transfer {
        let transfer = Transfer::of(key.clone());
        let transfer = match self.overwrite {
            Overwrite::Always => transfer.force(),
            Overwrite::OnlyUnversioned => transfer,
        };
        match rest.split_first() {
            None => transfer,
            Some((next, rest)) => transfer.then(next.clone(), [self.transfer(key, rest)]),
        }
    }
}

/// What came of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// The key.
    pub key: Bytes,
    /// Code and text for each peer, in the order in which they were named.
    pub at: Vec<(StatusCode, String)>,
}

impl Copied {
    /// Whether all peers have it.
    pub fn is_complete(&self) -> bool {
        self.at.iter().all(|(code, _)| *code == StatusCode::SUCCESS)
    }
}

/// The outcomes of a [`Replicate`]: a [`Stream`], and without further crates
/// [`Replication::next`].
#[must_use = "a stream does nothing until it is read"]
pub struct Replication {
    replicate: Replicate,
    keys: Option<Keys>,
    collected: Vec<Bytes>,
    pushing: VecDeque<Chunk>,
    ready: VecDeque<Copied>,
    failed: Option<Error>,
}

/// Keys that are under way together.
struct Chunk {
    keys: Vec<Bytes>,
    pushes: Vec<Progress>,
}

enum Progress {
    UnderWay(Answer<Pushed>),
    Ended(Result<Pushed, Error>),
}

impl Replication {
    /// The next outcome; `None` at the end and after an error. Behind the last key that was given
    /// out, another run can go on.
    pub async fn next(&mut self) -> Option<Result<Copied, Error>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Lists keys until one request is full; whether one is to be sent.
    fn collect(&mut self, cx: &mut Context<'_>) -> bool {
        while !self.is_full()
            && let Some(keys) = &mut self.keys
        {
            match Pin::new(keys).poll_next(cx) {
                Poll::Pending => return false,
                Poll::Ready(Some(Ok(key))) => self.collected.push(key),
                Poll::Ready(None) => self.keys = None,
                Poll::Ready(Some(Err(error))) => {
                    self.keys = None;
                    self.collected.clear();
                    self.failed = Some(error);
                }
            }
        }
        !self.collected.is_empty()
    }

    /// Whether what was collected takes a request, or its answer, as far as that may go.
    fn is_full(&self) -> bool {
        let copies = self.replicate.peers.len().max(1);
        let keys: usize = self.collected.iter().map(Bytes::len).sum();
        let operations = self.collected.len() * copies;
        self.collected.len() >= self.replicate.keys
            || keys * copies + operations * PUSH_OVERHEAD >= PUSH_REQUEST_BYTES
    }

    fn begin(&mut self) {
        let keys = std::mem::take(&mut self.collected);
        let replicate = &self.replicate;
        let routes: Vec<&[Peer]> = match replicate.way {
            Way::Pipeline => vec![&replicate.peers],
            Way::SideBySide => replicate.peers.chunks(1).collect(),
        };
        let pushes = routes
            .iter()
            .filter_map(|peers| replicate.push(&keys, peers));
        let pushes = pushes.map(|push| Progress::UnderWay(push.into_future()));
        let pushes = pushes.collect();
        self.pushing.push_back(Chunk { keys, pushes });
    }

    /// Drives all that is under way, and takes out what is done, in order.
    fn advance(&mut self, cx: &mut Context<'_>) {
        for push in self.pushing.iter_mut().flat_map(|chunk| &mut chunk.pushes) {
            if let Progress::UnderWay(answer) = push
                && let Poll::Ready(outcome) = answer.as_mut().poll(cx)
            {
                *push = Progress::Ended(outcome);
            }
        }
        while self.pushing.front().is_some_and(Chunk::is_done)
            && let Some(chunk) = self.pushing.pop_front()
        {
            match chunk.outcomes(self.replicate.peers.len()) {
                Ok(copied) => self.ready.extend(copied),
                Err(error) => {
                    // What is under way behind it would leave a gap in what was told.
                    self.failed = Some(error);
                    self.keys = None;
                    self.collected.clear();
                    self.pushing.clear();
                }
            }
        }
    }
}

impl Chunk {
    fn is_done(&self) -> bool {
        let ended = |push: &Progress| matches!(push, Progress::Ended(_));
        self.pushes.iter().all(ended)
    }

    /// What came of each key, at each of so many peers.
    fn outcomes(self, peers: usize) -> Result<Vec<Copied>, Error> {
        let copied = |key| Copied {
            key,
            at: Vec::with_capacity(peers),
        };
        let mut all: Vec<Copied> = self.keys.into_iter().map(copied).collect();
        for push in self.pushes {
            let Progress::Ended(outcome) = push else {
                continue;
            };
            let pushed = outcome?;
            let why = pushed.cut_short.map(|why| why.to_string());
            for (copied, transferred) in all.iter_mut().zip(pushed.transferred) {
                copied.add(transferred, why.as_deref());
            }
        }
        Ok(all)
    }
}

/// What came of one key on its way through a pipeline.
impl From<Transferred> for Copied {
    fn from(transferred: Transferred) -> Self {
        let mut copied = Self {
            key: transferred.key.clone(),
            at: Vec::new(),
        };
        copied.add(transferred, None);
        copied
    }
}

impl Copied {
    /// Takes in what came of it at a peer, and at those that follow it.
    fn add(&mut self, transferred: Transferred, why: Option<&str>) {
        let mut next = Some(transferred);
        while let Some(Transferred {
            status,
            mut message,
            mut then,
            ..
        }) = next.take()
        {
            if let Some(why) = why
                && message.is_empty()
                && status == StatusCode::NOT_ATTEMPTED
            {
                why.clone_into(&mut message);
            }
            self.at.push((status, message));
            next = then.pop();
        }
    }
}

impl Stream for Replication {
    type Item = Result<Copied, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        while this.failed.is_none() && this.pushing.len() < this.replicate.under_way {
            if !this.collect(cx) || this.failed.is_some() {
                break;
            }
            this.begin();
        }
        this.advance(cx);
        if let Some(copied) = this.ready.pop_front() {
            return Poll::Ready(Some(Ok(copied)));
        }
        if !this.pushing.is_empty() {
            return Poll::Pending;
        }
        match this.failed.take() {
            Some(error) => Poll::Ready(Some(Err(error))),
            None if this.keys.is_some() => Poll::Pending,
            None => Poll::Ready(None),
        }
    }
}

impl fmt::Debug for Replication {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Replication")
            .field("replicate", &self.replicate)
            .finish_non_exhaustive()
    }
}
