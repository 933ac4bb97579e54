//! `import`: a directory's files, a key for each.
//!
//! Guarantees: what cannot be stored is listed before anything is stored, and without `--skip`
//! nothing is; success means that everything is on the disk. A file that changes while it is
//! imported is stored as it was read, or reported. Not here: what is stored where (`plan`).

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use kinetic_client::limits::{MAX_KEY_SIZE, MAX_VALUE_SIZE};
use kinetic_client::{Client, Durability, Error, StatusCode};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use serde_json::Value;
use tokio::task::JoinSet;

use super::plan::{Bounds, Plan, PlannedFile};
use super::progress::Progress;
use crate::args::{GlobalArgs, ImportArgs};
use crate::connect::connect;
use crate::failure::Failure;
use crate::output::{Format, Output};
use crate::units::{counted, size_text};

/// What the tasks of an import share.
struct Import {
    client: Client,
    files: Vec<PlannedFile>,
    next: AtomicUsize,
    stored: AtomicU64,
    stored_bytes: AtomicU64,
    failed: AtomicU64,
    progress: Progress,
    value_limit: u64,
    force: bool,
}

pub(crate) async fn import(
    global: &GlobalArgs,
    args: ImportArgs,
    output: &mut Output,
) -> Result<(), Failure> {
    let client = connect(global).await?;
    let limits = client.limits();
    let bounds = Bounds {
        key_bytes: limits.max_key_size.unwrap_or(MAX_KEY_SIZE) as usize,
        value_bytes: u64::from(limits.max_value_size.unwrap_or(MAX_VALUE_SIZE)),
    };
    let plan = Plan::of(&args.directory, &args.prefix.0, bounds);
    let plan = plan.map_err(|source| Failure::File {
        path: args.directory.clone(),
        source,
    })?;
    for left in &plan.left_out {
        eprintln!("left out: {}: {}", printable(&left.path), left.reason);
    }
    let left_out = plan.left_out.len();
    if left_out > 0 && !args.skip {
        return Err(Failure::Incomplete(format!(
            "nothing was stored, because {left_out} of {} files and directories cannot be; \
             --skip stores the rest",
            left_out + plan.files.len()
        )));
    }
    let import = Arc::new(Import {
        client,
        files: plan.files,
        next: AtomicUsize::new(0),
        stored: AtomicU64::new(0),
        stored_bytes: AtomicU64::new(0),
        failed: AtomicU64::new(0),
        progress: Progress::of_bytes(plan.total_bytes),
        value_limit: bounds.value_bytes,
        force: args.force,
    });
    let outcome = run(&import, args.jobs).await;
    import.progress.finish();
    outcome?;
    // Written back so far; this is what makes it lasting.
    import
        .client
        .flush()
        .await
        .map_err(Failure::of("flush after import"))?;
    import.report(left_out, output)
}

async fn run(import: &Arc<Import>, jobs: usize) -> Result<(), Failure> {
    let mut tasks = JoinSet::new();
    for _ in 0..jobs {
        let import = Arc::clone(import);
        tasks.spawn(async move { import.work().await });
    }
    while let Some(done) = tasks.join_next().await {
        // The first that gives up ends the others when the set is dropped.
        done.unwrap_or_else(|panicked| Err(Failure::Incomplete(panicked.to_string())))?;
    }
    Ok(())
}

impl Import {
    /// Stores file after file, until there is none left or the drive is no longer to be had.
    async fn work(self: Arc<Self>) -> Result<(), Failure> {
        loop {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(file) = self.files.get(index) else {
                return Ok(());
            };
            let value = match self.read(file).await {
                Ok(value) => value,
                Err(error) => {
                    self.fail(file, &error.to_string());
                    continue;
                }
            };
            let size = value.len() as u64;
            match self.put(file, value).await {
                Ok(()) => {
                    let count = self.stored.fetch_add(1, Ordering::Relaxed) + 1;
                    self.stored_bytes.fetch_add(size, Ordering::Relaxed);
                    self.progress.advance(size, count);
                }
                Err(error) if is_fatal(&error) => {
                    return Err(Failure::of(format!("import {}", printable(&file.path)))(
                        error,
                    ));
                }
                Err(error) => self.fail(file, &error.to_string()),
            }
        }
    }

    async fn read(&self, file: &PlannedFile) -> io::Result<Vec<u8>> {
        let (path, limit) = (file.path.clone(), self.value_limit);
        let read = move || {
            let mut value = Vec::new();
            open_regular(&path)?
                .take(limit + 1)
                .read_to_end(&mut value)?;
            if value.len() as u64 > limit {
                return Err(io::Error::other(
                    "it has grown over the drive's limit for a value",
                ));
            }
            Ok(value)
        };
        let read = tokio::task::spawn_blocking(read).await;
        read.unwrap_or_else(|panicked| Err(io::Error::other(panicked)))
    }

    async fn put(&self, file: &PlannedFile, value: Vec<u8>) -> Result<(), Error> {
        let put = self
            .client
            .put(file.key.clone(), value)
            .durability(Durability::WriteBack);
        let put = if self.force { put.force() } else { put };
        put.await
    }

    fn fail(&self, file: &PlannedFile, why: &str) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        self.progress
            .complain(&format!("not stored: {}: {why}", printable(&file.path)));
    }

    fn report(&self, left_out: usize, output: &mut Output) -> Result<(), Failure> {
        let stored = self.stored.load(Ordering::Relaxed);
        let bytes = self.stored_bytes.load(Ordering::Relaxed);
        let failed = self.failed.load(Ordering::Relaxed);
        let verdict = match failed {
            0 => Ok(()),
            count => Err(Failure::Incomplete(format!(
                "{} not stored",
                counted(count, "file")
            ))),
        };
        let told = match output.format() {
            Format::Json => output.record(vec![
                ("stored", stored.into()),
                ("bytes", bytes.into()),
                ("left_out", left_out.into()),
                ("failed", Value::from(failed)),
            ]),
            Format::Table => {
                let size = size_text(bytes);
                let rest = match left_out {
                    0 => String::new(),
                    count => format!("; {count} left out, as listed"),
                };
                let stored = counted(stored, "file");
                output.line(&format!("{stored} stored, {size}{rest}"))
            }
        };
        verdict.and(told)
    }
}

/// Whether going on is of no use.
fn is_fatal(error: &Error) -> bool {
    matches!(error, Error::Disconnected(_) | Error::Timeout { .. })
        || matches!(
            error.status(),
            Some(
                StatusCode::NO_SPACE
                    | StatusCode::NOT_AUTHORIZED
                    | StatusCode::VERSION_FAILURE
                    | StatusCode::DEVICE_LOCKED
            )
        )
}

/// Opens what was a regular file when the plan was made, and must still be one: no link is
/// followed, and a pipe is not waited for.
fn open_regular(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(Errno::LOOP) => return Err(io::Error::other("it has become a symbolic link")),
        Err(error) => return Err(error.into()),
    };
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no longer a regular file"));
    }
    Ok(file)
}

/// A path for a terminal: like `{:?}` where it has more than plain characters.
fn printable(path: &Path) -> String {
    match path.to_str() {
        Some(text) if !text.chars().any(char::is_control) => text.to_owned(),
        _ => format!("{path:?}"),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_what_still_is_a_regular_file_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "content").unwrap();
        symlink(&file, &link).unwrap();
        assert!(open_regular(&file).is_ok());
        let refused = open_regular(&link).unwrap_err().to_string();
        assert!(refused.contains("symbolic link"), "{refused}");
        let refused = open_regular(folder.path()).unwrap_err().to_string();
        assert!(refused.contains("regular file"), "{refused}");
    }
}
