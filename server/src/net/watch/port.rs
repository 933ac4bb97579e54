//! Who is let in, and what they may ask for: `/metrics` and `/health`.
//!
//! Guarantee: so many at a time, in memory that does not grow with them; one too many takes the
//! place of the oldest, so that who is slow or silent keeps nobody from asking; nobody who watches
//! keeps the drive from its work: what they are told takes no lock for longer than a request does.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;

use super::http::{Answer, Asked, Code, exchange};
use crate::exposition::text::CONTENT_TYPE;
use crate::exposition::{Health, Present, scrape};
use crate::limits::{ACCEPT_PAUSE_MS, METRICS_CONNECTIONS};
use crate::net::registry::Registry;
use crate::net::workers::Workers;
use crate::session::Drive;

/// What is watched.
#[derive(Debug)]
pub(crate) struct Watched {
    /// The drive.
    pub(crate) drive: Arc<Drive>,
    /// Its connections.
    pub(crate) registry: Arc<Registry>,
    /// Its threads.
    pub(crate) workers: Workers,
}

impl Watched {
    fn answer(&self, asked: &Asked) -> Answer {
        match asked.path.as_str() {
            "/metrics" => Answer {
                code: Code::Ok,
                content_type: CONTENT_TYPE,
                body: scrape(&self.drive.device, &self.present()),
            },
            "/health" => {
                let health = Health::of(&self.drive.device);
                Answer {
                    code: if health.is_well() {
                        Code::Ok
                    } else {
                        Code::Unavailable
                    },
                    content_type: "application/json",
                    body: health.json(),
                }
            }
            _ => Answer::of(Code::NotFound, "There are /metrics and /health."),
        }
    }

    fn present(&self) -> Present {
        Present {
            connections: self.registry.len(),
            buffered_bytes: self.registry.buffered(),
            disk_reads: self.workers.readers.queued(),
        }
    }
}

/// Serves until it is dropped.
pub(crate) async fn watch(listener: TcpListener, watched: Arc<Watched>) {
    // Of the latter the oldest is first, and some have ended.
    let (mut serving, mut places) = (JoinSet::new(), VecDeque::<AbortHandle>::new());
    loop {
        let accepted = tokio::select! {
            Some(ended) = serving.join_next() => {
                log_panic(ended);
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        while let Some(ended) = serving.try_join_next() {
            log_panic(ended);
        }
        match accepted {
            Ok((stream, _peer)) => {
                places.retain(|one| !one.is_finished());
                while places.len() >= METRICS_CONNECTIONS {
                    if let Some(oldest) = places.pop_front() {
                        oldest.abort();
                    }
                }
                let watched = Arc::clone(&watched);
                places.push_back(serving.spawn(async move {
                    exchange(stream, |asked| watched.answer(asked)).await;
                }));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection for metrics could not be accepted");
                sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
            }
        }
    }
}

fn log_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a request for metrics ended by a fault of the drive");
    }
}
