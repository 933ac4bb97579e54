//! `push`: some entries, from the drive to a peer, and from there to the next.

use bytes::Bytes;
use kinetic_client::{Copied, Peer, Transfer};

use super::tell;
use crate::args::{GlobalArgs, PushArgs};
use crate::commands::connect;
use crate::failure::Failure;
use crate::output::Output;
use crate::units::counted;

pub(in crate::commands) async fn push(
    global: &GlobalArgs,
    args: PushArgs,
    output: &mut Output,
) -> Result<(), Failure> {
    if args.to_key.is_some() && args.keys.len() > 1 {
        let text = "--to-key is for one key, and several are named";
        return Err(Failure::Usage(text.to_owned()));
    }
    let Some((first, rest)) = args.peers.split_first() else {
        return Ok(());
    };
    let client = connect(global).await?;
    let way = match args.force {
        true => Overwrite::Always,
        false => Overwrite::OnlyUnversioned,
    };
    let transfers = args.keys.iter().map(|key| {
        let key = Bytes::from(key.0.clone());
        let there = args.to_key.as_ref();
        let there = there.map_or_else(|| key.clone(), |new| Bytes::from(new.0.clone()));
        let transfer = pipeline(&there, rest, way, Transfer::of(key.clone()));
        let transfer = if there == key {
            transfer
        } else {
            transfer.to_key(there)
        };
        match &args.expected_version {
            Some(version) => transfer.expected_version(version.0.clone()),
            None => transfer,
        }
    });
    let transfers: Vec<Transfer> = transfers.collect();
    let pushed = client
        .push(first.clone(), transfers)
        .await
        .map_err(Failure::of("push"))?;
    let mut missed = 0;
    for transferred in pushed.transferred {
        let copied = Copied::from(transferred);
        missed += u64::from(!copied.is_complete());
        tell(&copied, &args.peers, output)?;
    }
    match missed {
        0 => Ok(()),
        missed => {
            let keys = counted(missed, "key");
            Err(Failure::Incomplete(format!(
                "{keys} did not arrive everywhere"
            )))
        }
    }
}

/// The same transfer, and behind it the key that it gets from each peer to the next.
fn pipeline(there: &Bytes, rest: &[Peer], way: Overwrite, transfer: Transfer) -> Transfer {
    let transfer = match way {
        Overwrite::Always => transfer.force(),
        Overwrite::OnlyUnversioned => transfer,
    };
    match rest.split_first() {
        None => transfer,
        Some((next, rest)) => {
            let onward = pipeline(there, rest, way, Transfer::of(there.clone()));
            transfer.then(next.clone(), [onward])
        }
    }
}

#[derive(Clone, Copy)]
enum Overwrite {
    Always,
    OnlyUnversioned,
}
