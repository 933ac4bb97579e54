//! `batch`: the puts and deletes of a file, together or not at all.
//!
//! Guarantees: a file with a mistake is refused before anything is sent; every failure names its
//! line. Memory holds the whole batch, which the drive's limits bound.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use kinetic_client::limits::MAX_VALUE_SIZE;
use kinetic_client::ops::BatchOperation;
use kinetic_client::{BatchError, Client};
use serde::Deserialize;

use super::connect;
use super::write::read_value;
use crate::args::{BatchArgs, GlobalArgs, algorithm};
use crate::failure::Failure;
use crate::keys::ByteText;
use crate::limits::MAX_BATCH_LINE_BYTES;
use crate::output::{Format, Output};

pub(super) async fn batch(
    global: &GlobalArgs,
    args: BatchArgs,
    output: &mut Output,
) -> Result<(), Failure> {
    let client = connect(global).await?;
    let lines = read_lines(&args.file)?;
    let mut batch = client.batch();
    let mut numbers = Vec::new();
    let mut bytes = 0;
    for (number, line) in lines {
        let read = operation(&client, &line);
        let (operation, size) = read.map_err(|problem| at_line(number, problem))?;
        batch.add(operation);
        numbers.push(number);
        bytes += size;
    }
    let operations = batch.len();
    let outcome = batch.commit().await;
    outcome.map_err(|source| {
        let index = match &source {
            BatchError::Operation { index, .. } | BatchError::OperationTooLarge { index, .. } => {
                numbers.get(*index).copied()
            }
            BatchError::TooMany { .. } | BatchError::Request(_) => None,
        };
        let action = match index {
            Some(line) => format!("batch, line {line}"),
            None => "batch".to_owned(),
        };
        let source = Box::new(source);
        Failure::Batch { action, source }
    })?;
    if output.format() == Format::Json {
        let record = [("operations", operations), ("value_bytes", bytes)];
        output.record(record.map(|(name, count)| (name, count.into())).into())?;
    }
    Ok(())
}

fn at_line(number: usize, problem: Problem) -> Failure {
    match problem {
        Problem::Line(problem) => Failure::Usage(format!("batch, line {number}: {problem}")),
        Problem::Value(failure) => failure,
    }
}

/// What is wrong with a line, or with the file that it names.
enum Problem {
    Line(String),
    Value(Failure),
}

/// One line of the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    put: Option<String>,
    delete: Option<String>,
    value: Option<String>,
    file: Option<PathBuf>,
    version: Option<String>,
    expected_version: Option<String>,
    tag: Option<String>,
    algorithm: Option<String>,
    #[serde(default)]
    force: bool,
}

fn read_lines(path: &Path) -> Result<Vec<(usize, String)>, Failure> {
    if path == Path::new("-") {
        return lines_of(io::stdin().lock()).map_err(|source| Failure::Stream {
            stream: "input",
            source,
        });
    }
    let opened = File::open(path).and_then(|file| lines_of(BufReader::new(file)));
    opened.map_err(|source| Failure::File {
        path: path.to_path_buf(),
        source,
    })
}

/// The lines that are not blank, with their numbers.
fn lines_of(mut source: impl BufRead) -> io::Result<Vec<(usize, String)>> {
    let mut lines = Vec::new();
    for number in 1.. {
        let mut line = String::new();
        let limited = &mut io::Read::take(&mut source, MAX_BATCH_LINE_BYTES);
        if limited.read_line(&mut line)? == 0 {
            break;
        }
        if line.len() as u64 == MAX_BATCH_LINE_BYTES {
            let text = format!("line {number} is longer than any operation can be");
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        if !line.trim().is_empty() {
            lines.push((number, line));
        }
    }
    Ok(lines)
}

fn operation(client: &Client, line: &str) -> Result<(BatchOperation, usize), Problem> {
    let line: Line = serde_json::from_str(line).map_err(|error| Problem::Line(reason(&error)))?;
    match (&line.put, &line.delete) {
        (Some(key), None) => {
            let key = bytes(key)?;
            put(client, key, line)
        }
        (None, Some(key)) => {
            let key = bytes(key)?;
            Ok((delete(client, key, line)?, 0))
        }
        _ => Err(Problem::Line("it has to be a put or a delete".to_owned())),
    }
}

/// serde_json's text without its own line number, which is always 1.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let cut = text.rfind(" at line 1 column ");
    match cut.and_then(|cut| text.get(..cut)) {
        Some(reason) => format!("{reason} (column {})", error.column()),
        None => text,
    }
}

fn bytes(text: &str) -> Result<Vec<u8>, Problem> {
    let read = ByteText::parse(text.into());
    read.map(|bytes| bytes.0)
        .map_err(|error| Problem::Line(error.to_string()))
}

fn put(client: &Client, key: Vec<u8>, line: Line) -> Result<(BatchOperation, usize), Problem> {
    let value = match (line.value, line.file) {
        (Some(text), None) => bytes(&text)?,
        (None, Some(path)) => {
            let limit = client.limits().max_value_size.unwrap_or(MAX_VALUE_SIZE);
            read_value(&path, limit.into()).map_err(Problem::Value)?
        }
        _ => {
            let text = "a put has either a value or a file";
            return Err(Problem::Line(text.to_owned()));
        }
    };
    let size = value.len();
    let mut put = client.put(key, value);
    if let Some(version) = &line.version {
        put = put.version(bytes(version)?);
    }
    if let Some(version) = &line.expected_version {
        put = put.expected_version(bytes(version)?);
    }
    if let Some(tag) = &line.tag {
        put = put.tag(bytes(tag)?);
    }
    if let Some(name) = &line.algorithm {
        put = put.algorithm(algorithm(name).map_err(Problem::Line)?);
    }
    if line.force {
        put = put.force();
    }
    Ok((put.into(), size))
}

fn delete(client: &Client, key: Vec<u8>, line: Line) -> Result<BatchOperation, Problem> {
    let foreign = [&line.value, &line.version, &line.tag, &line.algorithm];
    if foreign.iter().any(|part| part.is_some()) || line.file.is_some() {
        let text = "a delete has nothing but expected_version and force";
        return Err(Problem::Line(text.to_owned()));
    }
    let mut delete = client.delete(key);
    if let Some(version) = &line.expected_version {
        delete = delete.expected_version(bytes(version)?);
    }
    if line.force {
        delete = delete.force();
    }
    Ok(delete.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_lines_count_and_are_passed_over() {
        let lines = lines_of(&b"\n{}\n  \n{\"x\":1}"[..]).unwrap();
        let expected = [(2, "{}\n".to_owned()), (4, "{\"x\":1}".to_owned())];
        assert_eq!(lines, expected);
    }

    #[test]
    fn an_endless_line_is_not_read_to_its_end() {
        let endless = BufReader::new(io::repeat(b'x'));
        assert!(lines_of(endless).is_err());
    }
}
