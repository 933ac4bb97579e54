//! `replicate --differing`: only what a peer lacks or has otherwise, found by digests.
//!
//! Guarantees: what is alike on both drives is neither listed nor sent; memory is bounded; a run
//! that ends early has only the rest left to do. What a peer has beside is left alone.
//! Not here: replication of everything (`replicate`), which never asks the peers.

use std::time::Duration;

use bytes::Bytes;
use kinetic_client::limits::PUSH_TIMEOUT_MS;
use kinetic_client::{Client, CompareError, Compared, Copied, Difference, Peer, Transfer};
use serde_json::json;

use super::tell;
use crate::args::{GlobalArgs, ReplicateArgs};
use crate::commands::connect;
use crate::connect::connect_to;
use crate::failure::Failure;
use crate::limits::PUSHED_KEY_BYTES;
use crate::output::{Format, Output};
use crate::units::counted;

pub(super) async fn replicate(
    global: &GlobalArgs,
    args: &ReplicateArgs,
    output: &mut Output,
) -> Result<(), Failure> {
    let mut sender = Sender {
        client: connect(global).await?,
        timeout: global
            .timeout
            .unwrap_or(Duration::from_millis(PUSH_TIMEOUT_MS)),
        sent: 0,
        missed: 0,
    };
    for peer in &args.peers {
        let there = connect_to(global, &address(global, peer)?).await?;
        let range = args.keys.of(&sender.client).bounds();
        let mut differences = sender.client.compare(&there, range);
        if args.values {
            differences = differences.with_values();
        }
        let mut keys: Vec<Bytes> = Vec::new();
        let failed = |CompareError { drive, source }| match drive {
            Compared::First => Failure::of(format!("replicate: compare with {peer}"))(source),
            Compared::Second => Failure::of(format!("replicate: compare: {peer}"))(source),
        };
        while let Some(difference) = differences.next().await.map_err(failed)? {
            let (Difference::OnlyFirst(key) | Difference::Differs(key)) = difference else {
                continue;
            };
            keys.push(key);
            let bytes: usize = keys.iter().map(Bytes::len).sum();
            if keys.len() >= args.keys_per_push || bytes >= PUSHED_KEY_BYTES {
                sender.send(std::mem::take(&mut keys), peer, output).await?;
            }
        }
        sender.send(keys, peer, output).await?;
    }
    sender.sum_up(args.peers.len(), output)
}

/// Where the peer is met from here; how, is said for all drives of a command alike.
fn address(global: &GlobalArgs, peer: &Peer) -> Result<String, Failure> {
    let text = peer.to_string();
    match (text.strip_prefix("tls://"), global.trust.wants_tls()) {
        (Some(address), true) => Ok(address.to_owned()),
        (None, false) => Ok(text),
        (Some(_), false) => Err(Failure::Usage(format!(
            "{peer} is also asked from here, under TLS: --fingerprint, --ca or --insecure-tls says \
             whom to trust, and holds for the drive as well"
        ))),
        (None, true) => Err(Failure::Usage(format!(
            "{peer} is also asked from here, under TLS as the drive is: write tls://HOST:PORT"
        ))),
    }
}

/// Has the drive push, and counts.
struct Sender {
    client: Client,
    timeout: Duration,
    sent: u64,
    missed: u64,
}

impl Sender {
    async fn send(
        &mut self,
        keys: Vec<Bytes>,
        peer: &Peer,
        output: &mut Output,
    ) -> Result<(), Failure> {
        if keys.is_empty() {
            return Ok(());
        }
        let transfers = keys.into_iter().map(|key| Transfer::of(key).force());
        let push = self.client.push(peer.clone(), transfers);
        let pushed = push.timeout(self.timeout).await;
        for transferred in pushed.map_err(Failure::of("replicate"))?.transferred {
            let copied = Copied::from(transferred);
            match copied.is_complete() {
                true => self.sent += 1,
                false => self.missed += 1,
            }
            tell(&copied, std::slice::from_ref(peer), output)?;
        }
        Ok(())
    }

    fn sum_up(&self, peers: usize, output: &mut Output) -> Result<(), Failure> {
        match output.format() {
            Format::Table => {
                let (keys, drives) = (counted(self.sent, "key"), counted(peers as u64, "drive"));
                output.line(&format!("{keys} sent to {drives}"))?;
            }
            Format::Json => {
                let (keys, failed) = (self.sent + self.missed, self.missed);
                let summary = json!({ "keys": keys, "failed": failed, "drives": peers });
                output.line(&summary.to_string())?;
            }
        }
        match self.missed {
            0 => Ok(()),
            missed => Err(Failure::Incomplete(format!(
                "{} did not arrive; run it again to try them again",
                counted(missed, "key"),
            ))),
        }
    }
}
