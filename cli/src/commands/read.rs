//! `get`, `head`, `next`, `prev`.
//!
//! Guarantees: a value goes out byte for byte; a file appears under its name whole or not at
//! all. Not here: lists.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use kinetic_client::{Client, Entry, Error, Metadata};
use serde_json::Value;

use super::connect;
use crate::args::{GetArgs, GlobalArgs, KeyArg};
use crate::failure::Failure;
use crate::keys::Printed;
use crate::limits::TEMPORARY_NAMES;
use crate::output::{Format, Output};

pub(super) async fn get(
    global: &GlobalArgs,
    args: GetArgs,
    output: &mut Output,
) -> Result<(), Failure> {
    let client = connect(global).await?;
    let key = Printed(&args.key.0).to_string();
    let found = match (args.offset, args.length) {
        (None, None) => client.get(args.key.0.clone()).await,
        (offset, length) => part(&client, args.key.0.clone(), (offset, length)).await,
    };
    let found = found.map_err(Failure::of(format!("get {key}")))?;
    let entry = found.ok_or(Failure::NoSuchKey { key })?;
    let to_stdout = args.file == Path::new("-");
    if !to_stdout {
        write_file(&args.file, &entry.value).map_err(|source| Failure::File {
            path: args.file,
            source,
        })?;
    }
    match output.format() {
        Format::Table if to_stdout => output.bytes(&entry.value),
        Format::Table => Ok(()),
        Format::Json => {
            let mut record = record_of(&entry.metadata);
            record.push(("bytes", entry.value.len().into()));
            if to_stdout {
                record.push(("value_base64", BASE64_STANDARD.encode(&entry.value).into()));
            }
            output.record(record)
        }
    }
}

/// An entry with a part of its value.
async fn part(
    client: &Client,
    key: Vec<u8>,
    (offset, length): (Option<u64>, Option<u64>),
) -> Result<Option<Entry>, Error> {
    let found = client.get(key).part(offset.unwrap_or(0), length).await?;
    Ok(found.map(|part| Entry {
        metadata: part.metadata,
        value: part.value,
    }))
}

/// Writes beside the name first. What is no regular file, such as a pipe, is written to as is.
fn write_file(path: &Path, value: &[u8]) -> io::Result<()> {
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return fs::OpenOptions::new()
            .write(true)
            .open(path)?
            .write_all(value);
    }
    // Through a link to the file that it names, as every other program would.
    let path = fs::canonicalize(path).unwrap_or_else(|_absent| path.to_path_buf());
    let (mut file, beside) = create_beside(&path)?;
    let written = file
        .write_all(value)
        .and_then(|()| fs::rename(&beside, &path));
    if written.is_err() {
        // What is told is why it was not written.
        let _ = fs::remove_file(&beside);
    }
    written
}

/// A new file beside this one. A name that is taken, by another process of this number or by one
/// that was killed, is left alone.
fn create_beside(path: &Path) -> io::Result<(fs::File, PathBuf)> {
    let mut refused = io::Error::other("no free name for a temporary file");
    for attempt in 0..TEMPORARY_NAMES {
        let name = format!(".kinetic-get-{}-{attempt}.tmp", std::process::id());
        let beside = path.with_file_name(name);
        let created = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&beside);
        match created {
            Ok(file) => return Ok((file, beside)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => refused = error,
            Err(error) => return Err(error),
        }
    }
    Err(refused)
}

pub(super) async fn head(
    global: &GlobalArgs,
    args: KeyArg,
    output: &mut Output,
) -> Result<(), Failure> {
    let client = connect(global).await?;
    let key = Printed(&args.key.0).to_string();
    let found = client.metadata(args.key.0.clone()).await;
    let found = found.map_err(Failure::of(format!("head {key}")))?;
    let metadata = found.ok_or(Failure::NoSuchKey { key })?;
    output.record(record_of(&metadata))
}

pub(super) async fn next(
    global: &GlobalArgs,
    args: KeyArg,
    output: &mut Output,
) -> Result<(), Failure> {
    neighbour(global, (args, Side::Next), output).await
}

pub(super) async fn previous(
    global: &GlobalArgs,
    args: KeyArg,
    output: &mut Output,
) -> Result<(), Failure> {
    neighbour(global, (args, Side::Previous), output).await
}

/// On which side of a key.
enum Side {
    Next,
    Previous,
}

async fn neighbour(
    global: &GlobalArgs,
    (args, side): (KeyArg, Side),
    output: &mut Output,
) -> Result<(), Failure> {
    let client = connect(global).await?;
    let key = Printed(&args.key.0).to_string();
    let asked = args.key.0.clone();
    let (command, direction, request) = match side {
        Side::Next => ("next", "behind", client.next(asked)),
        Side::Previous => ("prev", "before", client.previous(asked)),
    };
    let found = request.without_value().await;
    let found = found.map_err(Failure::of(format!("{command} {key}")))?;
    let entry = found.ok_or(Failure::NoNeighbour { direction, key })?;
    match output.format() {
        Format::Table => output.line(&Printed(&entry.metadata.key).to_string()),
        Format::Json => output.record(record_of(&entry.metadata)),
    }
}

fn record_of(metadata: &Metadata) -> Vec<(&'static str, Value)> {
    let or_none = |bytes: &[u8]| match bytes {
        [] => Value::Null,
        bytes => Printed(bytes).to_string().into(),
    };
    let algorithm = metadata.algorithm.map(|algorithm| algorithm.to_string());
    vec![
        ("key", Printed(&metadata.key).to_string().into()),
        ("version", or_none(&metadata.version)),
        ("tag", or_none(&metadata.tag)),
        ("algorithm", algorithm.into()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("value");
        fs::write(&path, "old and longer").unwrap();
        write_file(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_temporary_name_that_is_taken_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("value");
        let (_file, taken) = create_beside(&path).unwrap();
        fs::write(&taken, "of another process").unwrap();
        write_file(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read(&taken).unwrap(), b"of another process");
    }

    #[test]
    fn a_device_is_written_to_and_not_replaced() {
        write_file(Path::new("/dev/null"), b"gone").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }
}
