//! `export`: keys to a directory, a file for each.
//!
//! Guarantees: nothing is written but below the directory (`path`, `tree`); a key that is not
//! written is reported and makes the command fail at its end; memory is bounded by the number of
//! jobs. Not here: links on the disk (`tree`).

use std::sync::Arc;

use bytes::Bytes;
use kinetic_client::{Client, Error};
use tokio::task::{JoinError, JoinSet};

use super::path::SafePath;
use super::progress::Progress;
use super::tree::{Existing, Tree};
use crate::args::{ExportArgs, GlobalArgs};
use crate::connect::connect;
use crate::failure::Failure;
use crate::keys::Printed;
use crate::output::{Format, Output};
use crate::units::{counted, size_text};

/// What became of a key.
enum Outcome {
    Written {
        bytes: u64,
    },
    /// Removed between the listing and the reading.
    Gone,
    LeftOut {
        key: Bytes,
        why: String,
    },
}

#[derive(Default)]
struct Totals {
    files: u64,
    bytes: u64,
    left_out: u64,
}

/// What every task of an export has.
#[derive(Clone)]
struct Export {
    client: Client,
    tree: Arc<Tree>,
    existing: Existing,
}

pub(crate) async fn export(
    global: &GlobalArgs,
    args: ExportArgs,
    output: &mut Output,
) -> Result<(), Failure> {
    let client = connect(global).await?;
    let tree = Tree::open(&args.directory).map_err(|source| Failure::File {
        path: args.directory.clone(),
        source,
    })?;
    let export = Export {
        client,
        tree: Arc::new(tree),
        existing: if args.overwrite {
            Existing::Replace
        } else {
            Existing::Keep
        },
    };
    let progress = Progress::open_ended();
    let totals = run(&export, &args, &progress).await;
    progress.finish();
    report(&totals?, output)
}

async fn run(export: &Export, args: &ExportArgs, progress: &Progress) -> Result<Totals, Failure> {
    let mut totals = Totals::default();
    let mut keys = export.client.prefix(&args.prefix.0).keys();
    let mut tasks = JoinSet::new();
    while let Some(key) = keys.next().await {
        // A copy: the key is a slice of a whole page of keys.
        let key = Bytes::copy_from_slice(&key.map_err(Failure::of("list"))?);
        while tasks.len() >= args.jobs {
            if let Some(done) = tasks.join_next().await {
                totals.count(done, progress)?;
            }
        }
        let rest = key.get(args.prefix.0.len()..).unwrap_or_default();
        match SafePath::parse(rest) {
            Ok(path) => {
                tasks.spawn(export.clone().one(key, path));
            }
            Err(error) => {
                let why = error.to_string();
                totals.count(Ok(Ok(Outcome::LeftOut { key, why })), progress)?;
            }
        }
    }
    while let Some(done) = tasks.join_next().await {
        totals.count(done, progress)?;
    }
    Ok(totals)
}

impl Export {
    /// Reads a key and writes its file. An error is one after which going on is of no use.
    async fn one(self, key: Bytes, path: SafePath) -> Result<Outcome, Failure> {
        let value = match self.client.get(key.clone()).await {
            Ok(Some(entry)) => entry.value,
            Ok(None) => return Ok(Outcome::Gone),
            Err(error @ (Error::Disconnected(_) | Error::Timeout { .. })) => {
                return Err(Failure::of(format!("get {}", Printed(&key)))(error));
            }
            Err(error) => {
                let why = error.to_string();
                return Ok(Outcome::LeftOut { key, why });
            }
        };
        let bytes = value.len() as u64;
        let write = move || self.tree.write(&path, &value, self.existing);
        let why = match tokio::task::spawn_blocking(write).await {
            Ok(Ok(())) => return Ok(Outcome::Written { bytes }),
            Ok(Err(error)) => error.to_string(),
            Err(panicked) => panicked.to_string(),
        };
        Ok(Outcome::LeftOut { key, why })
    }
}

impl Totals {
    fn count(
        &mut self,
        done: Result<Result<Outcome, Failure>, JoinError>,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let outcome =
            done.unwrap_or_else(|panicked| Err(Failure::Incomplete(panicked.to_string())));
        match outcome? {
            Outcome::Written { bytes } => {
                self.files += 1;
                self.bytes += bytes;
                progress.advance(bytes, self.files);
            }
            Outcome::Gone => {}
            Outcome::LeftOut { key, why } => {
                self.left_out += 1;
                progress.complain(&format!("left out: {}: {why}", Printed(&key)));
            }
        }
        Ok(())
    }
}

/// Tells the totals. What was left out counts even if nobody reads them.
fn report(totals: &Totals, output: &mut Output) -> Result<(), Failure> {
    let verdict = match totals.left_out {
        0 => Ok(()),
        count => Err(Failure::Incomplete(format!(
            "{} left out, as listed",
            counted(count, "key")
        ))),
    };
    let told = match output.format() {
        Format::Json => output.record(vec![
            ("written", totals.files.into()),
            ("bytes", totals.bytes.into()),
            ("left_out", totals.left_out.into()),
        ]),
        Format::Table => {
            let size = size_text(totals.bytes);
            output.line(&format!(
                "{} written, {size}",
                counted(totals.files, "file")
            ))
        }
    };
    verdict.and(told)
}
