//! The same on every drive that is named, all at a time.
//!
//! Guarantees: a drive that fails stops no other; the report is in the order of the drives; the
//! command fails if any drive did. Not here: what is done.

use std::future::Future;

use kinetic_client::{Client, Config};
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::args::{ConsentArgs, GlobalArgs};
use crate::commands::consent::confirm;
use crate::connect::{config, drives};
use crate::failure::Failure;
use crate::output::{Format, Output};

/// What there is to tell of a drive, beside its address; often nothing.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// For programs, and for people where there is no document.
    pub(super) fields: Vec<(&'static str, Value)>,
    /// For people: a text of its own, below the drive's address as a comment.
    pub(super) document: Option<String>,
}

/// A drive's name, and how it went.
type Told = (String, Result<Record, Failure>);

/// Asks before `what` is done to the drives, unless told not to.
pub(super) fn agree(global: &GlobalArgs, consent: &ConsentArgs, what: &str) -> Result<(), Failure> {
    if consent.yes {
        return Ok(());
    }
    let named = drives(global).join(", ");
    confirm(&format!("{what} {named}?"), "nothing was done")
}

/// Does `work` on each drive; `done` says of each that it went well.
pub(super) async fn each<F, W>(
    global: &GlobalArgs,
    output: &mut Output,
    done: &str,
    work: F,
) -> Result<(), Failure>
where
    F: Fn(Client) -> W,
    W: Future<Output = Result<Record, Failure>> + Send + 'static,
    F: Clone + Send + Sync + 'static,
{
    let config = config(global)?;
    let begin = |drive: String| {
        let (work, config, name) = (work.clone(), config.clone(), drive.clone());
        (drive, tokio::spawn(visit(name, config, work)))
    };
    let visits: Vec<(String, JoinHandle<_>)> = drives(global).into_iter().map(begin).collect();
    let mut told = Vec::new();
    for (drive, visit) in visits {
        let outcome = visit.await.unwrap_or_else(|_panicked| {
            let text = format!("{drive}: the command broke off");
            Err(Failure::Incomplete(text))
        });
        told.push((drive, outcome));
    }
    report(told, output, done)
}

async fn visit<F, W>(drive: String, config: Config, work: F) -> Result<Record, Failure>
where
    F: Fn(Client) -> W + Send,
    W: Future<Output = Result<Record, Failure>> + Send,
{
    let client = Client::connect(drive, config).await?;
    work(client).await
}

fn report(told: Vec<Told>, output: &mut Output, done: &str) -> Result<(), Failure> {
    let total = told.len();
    let mut failed = Vec::new();
    for (drive, outcome) in told {
        match outcome {
            Ok(record) => tell(&drive, record, output, done)?,
            // One drive alone fails as every other command does.
            Err(failure) if total == 1 => return Err(failure),
            Err(failure) => {
                complain(&drive, &failure, output)?;
                failed.push(failure.kind());
            }
        }
    }
    match failed.first() {
        None => Ok(()),
        Some(&kind) => Err(Failure::Drives {
            failed: failed.len(),
            total,
            kind: failed.iter().all(|other| *other == kind).then_some(kind),
        }),
    }
}

fn tell(drive: &str, record: Record, output: &mut Output, done: &str) -> Result<(), Failure> {
    let Record { fields, document } = record;
    match (output.format(), document) {
        (Format::Table, Some(document)) => {
            output.line(&format!("# {drive}"))?;
            output.line(document.trim_end())
        }
        (Format::Table, None) if fields.is_empty() => output.line(&format!("{drive}: {done}")),
        (Format::Table, None) => {
            let values = fields.iter().map(|(_, value)| match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            });
            let values: Vec<String> = values.collect();
            output.line(&format!("{drive}: {}", values.join(" ")))
        }
        (Format::Json, _) => {
            let head = [("drive", drive.into()), ("ok", true.into())];
            output.record(head.into_iter().chain(fields).collect())
        }
    }
}

fn complain(drive: &str, failure: &Failure, output: &mut Output) -> Result<(), Failure> {
    match output.format() {
        Format::Table => {
            eprintln!("kinetic: {drive}: {failure}");
            if let Some(advice) = failure.advice() {
                eprintln!("  {advice}");
            }
            Ok(())
        }
        Format::Json => output.record(vec![
            ("drive", drive.into()),
            ("ok", false.into()),
            ("error", failure.to_string().into()),
            ("exit_code", (failure.kind() as u8).into()),
        ]),
    }
}
