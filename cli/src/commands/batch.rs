//! `batch`: the puts and deletes of a file, together or not at all.
//!
//! Guarantees: a file with a mistake is refused before anything is sent; every failure names its
//! line. Memory holds one line and the batch, and no more is read than the drive's limits allow.

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
use crate::secrets::without_value;

pub(super) async fn batch(
    global: &GlobalArgs,
    args: BatchArgs,
    output: &mut Output,
) -> Result<(), Failure> {
    let client = connect(global).await?;
    let mut batch = client.batch();
    let mut numbers = Vec::new();
    let mut bytes = 0;
    let mut lines = Lines::of(&args.file)?;
    while let Some((number, line)) = lines.next()? {
        let read = operation(&client, &line);
        let (operation, size) = read.map_err(|problem| at_line(number, problem))?;
        batch.add(operation);
        batch.check().map_err(|source| Failure::Batch {
            action: format!("batch, line {number}"),
            source: Box::new(source),
        })?;
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

/// The lines of a file, or of standard input, one at a time.
struct Lines {
    path: PathBuf,
    source: Box<dyn BufRead>,
    number: usize,
}

impl Lines {
    fn of(path: &Path) -> Result<Self, Failure> {
        let source: Box<dyn BufRead> = if path == Path::new(STDIN) {
            Box::new(io::stdin().lock())
        } else {
            let file = File::open(path).map_err(|source| failure(path, source))?;
            Box::new(BufReader::new(file))
        };
        Ok(Self {
            path: path.to_path_buf(),
            source,
            number: 0,
        })
    }

    /// The next line that is not blank, with its number.
    fn next(&mut self) -> Result<Option<(usize, String)>, Failure> {
        loop {
            self.number += 1;
            let line = line_of(&mut self.source, self.number);
            match line.map_err(|source| failure(&self.path, source))? {
                Some(line) if line.trim().is_empty() => {}
                line => return Ok(line.map(|line| (self.number, line))),
            }
        }
    }
}

/// The name of standard input.
const STDIN: &str = "-";

fn failure(path: &Path, source: io::Error) -> Failure {
    if path == Path::new(STDIN) {
        let stream = "input";
        return Failure::Stream { stream, source };
    }
    let path = path.to_path_buf();
    Failure::File { path, source }
}

/// One line; `None` behind the last one.
fn line_of(source: &mut impl BufRead, number: usize) -> io::Result<Option<String>> {
    let mut line = String::new();
    let limited = &mut io::Read::take(source, MAX_BATCH_LINE_BYTES);
    if limited.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    if line.len() as u64 == MAX_BATCH_LINE_BYTES {
        let text = format!("line {number} is longer than any operation can be");
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    Ok(Some(line))
}

fn operation(client: &Client, line: &str) -> Result<(BatchOperation, usize), Problem> {
    if !line.trim_start().starts_with('{') {
        return Err(Problem::Line(format!("it is no JSON object; {EACH_LINE}")));
    }
    let line: Line = serde_json::from_str(line).map_err(|error| Problem::Line(reason(&error)))?;
    if let Some(problem) = contradiction(&line) {
        return Err(Problem::Line(problem.to_owned()));
    }
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

/// What `put` and `delete` refuse of their options, too.
fn contradiction(line: &Line) -> Option<&'static str> {
    if line.force && line.expected_version.is_some() {
        return Some("force is for any version, so it cannot stand beside expected_version");
    }
    if line.algorithm.is_some() && line.tag.is_none() && line.delete.is_none() {
        return Some("algorithm says what a tag was made with, and there is no tag");
    }
    None
}

/// serde_json's text without what may be a value, and without its own line number, which is
/// always 1.
fn reason(error: &serde_json::Error) -> String {
    let text = without_value(&error.to_string());
    let cut = text.rfind(" at line 1 column ");
    let reason = match cut.and_then(|cut| text.get(..cut)) {
        Some(reason) => format!("{reason} (column {})", error.column()),
        None => text,
    };
    match error.is_eof() {
        true => format!("{reason}; {EACH_LINE}"),
        false => reason,
    }
}

const EACH_LINE: &str = r#"each line is one operation, whole, such as {"put": "a", "value": "1"}"#;

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

    fn lines(source: impl BufRead + 'static) -> Lines {
        Lines {
            path: STDIN.into(),
            source: Box::new(source),
            number: 0,
        }
    }

    #[test]
    fn blank_lines_count_and_are_passed_over() {
        let mut lines = lines(&b"\n{}\n  \n{\"x\":1}"[..]);
        let mut next = || lines.next().unwrap();
        assert_eq!(next(), Some((2, "{}\n".to_owned())));
        assert_eq!(next(), Some((4, "{\"x\":1}".to_owned())));
        assert_eq!(next(), None);
    }

    #[test]
    fn an_endless_line_is_not_read_to_its_end() {
        let endless = BufReader::new(io::repeat(b'x'));
        assert!(lines(endless).next().is_err());
    }
}
