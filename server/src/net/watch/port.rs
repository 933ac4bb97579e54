//! Who is let in, and what they may ask for: `/metrics` and `/health`.
//!
//! Guarantee: so many at a time, in memory that does not grow with them; nobody who watches keeps
//! the drive from its work: what they are told takes no lock for longer than a request does.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::http::{Answer, Asked, Code, exchange, refuse};
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
    let (mut serving, mut refusing) = (JoinSet::new(), JoinSet::new());
    let full = Answer::of(
        Code::Unavailable,
        "As many as the drive keeps are asking for metrics already.",
    );
    loop {
        let accepted = tokio::select! {
            Some(ended) = serving.join_next() => {
                log_panic(ended);
                continue;
            }
            Some(ended) = refusing.join_next() => {
                log_panic(ended);
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        while let Some(ended) = serving.try_join_next() {
            log_panic(ended);
        }
        match accepted {
            Ok((stream, _peer)) if serving.len() < METRICS_CONNECTIONS => {
                let watched = Arc::clone(&watched);
                serving.spawn(async move {
                    exchange(stream, |asked| watched.answer(asked)).await;
                });
            }
            Ok((stream, _peer)) if refusing.len() < METRICS_CONNECTIONS => {
                let full = full.clone();
                refusing.spawn(async move { refuse(stream, &full).await });
            }
            // Whoever is one of that many more is closed without a word.
            Ok((stream, _peer)) => drop(stream),
            Err(error) => {
                tracing::warn!(%error, "a connection for metrics could not be accepted");
                sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
            }
        }
    }
}

fn log_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a request for metrics ended by a fault of the drive");
    }
}
