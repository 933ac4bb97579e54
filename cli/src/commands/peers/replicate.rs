//! `replicate`: all entries of a range, from the drive to its peers.
//!
//! Guarantees: memory is bounded however many keys there are; whoever is interrupted by an error is
//! told from where to go on; the exit code tells whether every key arrived everywhere.

use bytes::Bytes;
use indicatif::ProgressBar;
use kinetic_client::Way;
use serde_json::json;

use super::tell;
use crate::args::{GlobalArgs, ReplicateArgs};
use crate::commands::connect;
use crate::failure::Failure;
use crate::keys::Printed;
use crate::output::{Format, Output};
use crate::units::counted;

pub(in crate::commands) async fn replicate(
    global: &GlobalArgs,
    args: ReplicateArgs,
    output: &mut Output,
) -> Result<(), Failure> {
    if args.differing {
        return super::differing::replicate(global, &args, output).await;
    }
    let client = connect(global).await?;
    let way = match args.side_by_side {
        true => Way::SideBySide,
        false => Way::Pipeline,
    };
    let run = args.keys.of(&client).replicate(args.peers.clone());
    let run = run
        .way(way)
        .keys_per_push(args.keys_per_push)
        .pushes_under_way(args.pushes);
    let run = if args.keep_versioned {
        run.keep_versioned()
    } else {
        run
    };
    let mut run = match global.timeout {
        Some(timeout) => run.timeout(timeout),
        None => run,
    }
    .start();
    let progress = ProgressBar::new_spinner();
    let (mut keys, mut missed) = (0_u64, 0_u64);
    let mut last: Option<Bytes> = None;
    while let Some(outcome) = run.next().await {
        let copied = match outcome {
            Ok(copied) => copied,
            Err(source) => {
                progress.finish_and_clear();
                let action = interrupted(keys, last.as_ref());
                return Err(Failure::Drive { action, source });
            }
        };
        keys += 1;
        missed += u64::from(!copied.is_complete());
        progress.suspend(|| tell(&copied, &args.peers, output))?;
        if !progress.is_hidden() && keys.is_multiple_of(64) {
            progress.set_message(format!("{}, {missed} failed", counted(keys, "key")));
            progress.tick();
        }
        last = Some(copied.key);
    }
    progress.finish_and_clear();
    let drives = counted(args.peers.len() as u64, "drive");
    match output.format() {
        Format::Table => {
            let all = counted(keys - missed, "key");
            output.line(&format!("{all} replicated to {drives}"))?;
        }
        Format::Json => {
            let summary = json!({ "keys": keys, "failed": missed, "drives": args.peers.len() });
            output.line(&summary.to_string())?;
        }
    }
    match missed {
        0 => Ok(()),
        missed => Err(Failure::Incomplete(format!(
            "{} of {} did not arrive everywhere; run it again to try them again",
            missed,
            counted(keys, "key"),
        ))),
    }
}

/// What was going on, and where to go on.
fn interrupted(keys: u64, last: Option<&Bytes>) -> String {
    match last {
        Some(key) => {
            let (keys, key) = (counted(keys, "key"), Printed(key));
            format!("replicate, after {keys} (go on with --start {key})")
        }
        None => "replicate".to_owned(),
    }
}
