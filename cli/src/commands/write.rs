//! `put`, `delete`, `flush`.
//!
//! Guarantees: a value is sent whole or not at all, and one over the drive's limit is refused
//! before it is sent. Quiet when all went well, as a program for scripts is.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use kinetic_client::limits::MAX_VALUE_SIZE;
use kinetic_client::{Client, Error};

use super::connect;
use crate::args::{DeleteArgs, GlobalArgs, PutArgs};
use crate::failure::Failure;
use crate::keys::Printed;
use crate::output::{Format, Output};

pub(super) async fn put(
    global: &GlobalArgs,
    args: PutArgs,
    output: &mut Output,
) -> Result<(), Failure> {
    let client = connect(global).await?;
    let limit = client.limits().max_value_size.unwrap_or(MAX_VALUE_SIZE);
    let value = read_value(&args.file, u64::from(limit))?;
    let size = value.len();
    let mut put = client
        .put(args.key.0.clone(), value)
        .durability(args.durability.into());
    if let Some(version) = args.version {
        put = put.version(version.0);
    }
    let expected = args
        .expected_version
        .map(|version| version.0)
        .unwrap_or_default();
    if !expected.is_empty() {
        put = put.expected_version(expected.clone());
    }
    if let Some(tag) = args.tag {
        put = put.tag(tag.0);
    }
    if let Some(algorithm) = args.algorithm {
        put = put.algorithm(algorithm);
    }
    if args.force {
        put = put.force();
    }
    match put.await {
        Err(error) if error.is_version_mismatch() => {
            return Err(mismatch(&client, &args.key.0, &expected).await);
        }
        outcome => outcome.map_err(Failure::of(format!("put {}", Printed(&args.key.0))))?,
    }
    if output.format() == Format::Json {
        let key = Printed(&args.key.0).to_string();
        output.record(vec![("key", key.into()), ("bytes", size.into())])?;
    }
    Ok(())
}

/// The failure of a put that met another version, with the one that is there.
async fn mismatch(client: &Client, key: &[u8], expected: &[u8]) -> Failure {
    let version_text = |version: &[u8]| match version {
        [] => "none".to_owned(),
        version => Printed(version).to_string(),
    };
    let found = match client.version(key.to_vec()).await {
        Ok(Some(version)) => version_text(&version),
        Ok(None) => "that of an absent key".to_owned(),
        Err(_) => "another".to_owned(),
    };
    Failure::Version {
        key: Printed(key).to_string(),
        found,
        expected: version_text(expected),
    }
}

/// A file's content, or that of standard input, as a value.
pub(super) fn read_value(path: &Path, limit: u64) -> Result<Vec<u8>, Failure> {
    let is_stdin = path == Path::new("-");
    let read = if is_stdin {
        read_bounded(io::stdin().lock(), limit)
    } else {
        File::open(path).and_then(|file| read_bounded(file, limit))
    };
    let read = read.map_err(|source| {
        if is_stdin {
            Failure::Stream {
                stream: "input",
                source,
            }
        } else {
            Failure::File {
                path: path.to_path_buf(),
                source,
            }
        }
    });
    let what = if is_stdin {
        "standard input".to_owned()
    } else {
        path.display().to_string()
    };
    read?.ok_or(Failure::ValueTooLong { what, limit })
}

/// All of it, or `None` if that is more than `limit` bytes.
fn read_bounded(source: impl Read, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let mut value = Vec::new();
    source.take(limit + 1).read_to_end(&mut value)?;
    Ok(Some(value).filter(|value| value.len() as u64 <= limit))
}

pub(super) async fn delete(
    global: &GlobalArgs,
    args: DeleteArgs,
    output: &mut Output,
) -> Result<(), Failure> {
    let client = connect(global).await?;
    let key = Printed(&args.key.0).to_string();
    let mut delete = client
        .delete(args.key.0.clone())
        .durability(args.durability.into());
    if let Some(version) = args.expected_version {
        delete = delete.expected_version(version.0);
    }
    if args.force {
        delete = delete.force();
    }
    match delete.await {
        Err(Error::Refused { status, .. }) if status == kinetic_client::StatusCode::NOT_FOUND => {
            return Err(Failure::NothingToDelete { key });
        }
        outcome => outcome.map_err(Failure::of(format!("delete {key}")))?,
    }
    if output.format() == Format::Json {
        output.record(vec![("key", key.into())])?;
    }
    Ok(())
}

pub(super) async fn flush(global: &GlobalArgs, output: &mut Output) -> Result<(), Failure> {
    let client = connect(global).await?;
    client.flush().await.map_err(Failure::of("flush"))?;
    if output.format() == Format::Json {
        output.record(vec![("flushed", true.into())])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_the_limit_is_read_and_one_byte_more_is_not() {
        let bytes = [7u8; 11];
        assert_eq!(read_bounded(&bytes[..10], 10).unwrap(), Some(vec![7; 10]));
        assert_eq!(read_bounded(&bytes[..11], 10).unwrap(), None);
    }
}
