//! Standard output: values as they are, tables for people, JSON for programs.
//!
//! Guarantees: values go out byte for byte; a reader that closed its end is told apart from other
//! errors; one command writes in one form. Not here: errors, which go to standard error.

use std::io::{self, BufWriter, StdoutLock, Write};

use clap::ValueEnum;
use comfy_table::{CellAlignment, Table};
use serde_json::{Map, Value};

use crate::failure::Failure;

/// The form of what is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// For programs: one JSON object, or one a line for lists.
    Json,
}

/// A named part of a report.
#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) name: &'static str,
    pub(crate) content: Content,
}

/// What a part holds.
#[derive(Debug)]
pub(crate) enum Content {
    Record(Vec<(&'static str, Value)>),
    Rows {
        columns: Vec<&'static str>,
        rows: Vec<Vec<Value>>,
    },
    Text(String),
}

/// Standard output.
pub(crate) struct Output {
    format: Format,
    out: BufWriter<StdoutLock<'static>>,
}

impl Output {
    pub(crate) fn new(format: Format) -> Self {
        Self {
            format,
            out: BufWriter::new(io::stdout().lock()),
        }
    }

    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// Bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.out.write_all(bytes).map_err(Failure::of_stdout)
    }

    /// A line of text.
    pub(crate) fn line(&mut self, line: &str) -> Result<(), Failure> {
        writeln!(self.out, "{line}").map_err(Failure::of_stdout)
    }

    /// One record: `name: value` lines, or one line of JSON.
    pub(crate) fn record(&mut self, record: Vec<(&'static str, Value)>) -> Result<(), Failure> {
        match self.format {
            Format::Json => self.line(&object(record).to_string()),
            Format::Table => self.line(&record_table(&record)),
        }
    }

    /// A report of several parts; as JSON one object with a member for each.
    pub(crate) fn sections(&mut self, sections: Vec<Section>) -> Result<(), Failure> {
        if self.format == Format::Json {
            let members = sections
                .into_iter()
                .map(|part| (part.name, part.content.json()));
            return self.line(&object(members.collect()).to_string());
        }
        let alone = sections.len() == 1;
        for (index, section) in sections.into_iter().enumerate() {
            if index > 0 {
                self.line("")?;
            }
            if !alone {
                self.line(section.name)?;
            }
            self.line(&section.content.table())?;
        }
        Ok(())
    }

    /// Hands what was printed so far to the reader, before somebody is asked something.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.out.flush().map_err(Failure::of_stdout)
    }

    /// Hands everything to the reader.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        self.out.flush().map_err(Failure::of_stdout)
    }
}

impl Content {
    fn json(self) -> Value {
        match self {
            Self::Record(record) => object(record),
            Self::Text(text) => Value::String(text),
            Self::Rows { columns, rows } => rows
                .into_iter()
                .map(|row| object(columns.iter().copied().zip(row).collect()))
                .collect(),
        }
    }

    fn table(&self) -> String {
        match self {
            Self::Record(record) => record_table(record),
            Self::Text(text) => text.trim_end().to_owned(),
            Self::Rows { columns, rows } => rows_table(columns, rows),
        }
    }
}

fn object(members: Vec<(&'static str, Value)>) -> Value {
    let members = members
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value));
    Value::Object(members.collect::<Map<_, _>>())
}

fn record_table(record: &[(&'static str, Value)]) -> String {
    let mut table = bare_table();
    for (name, value) in record {
        table.add_row([name.replace('_', " "), cell(value)]);
    }
    trimmed(&table)
}

fn rows_table(columns: &[&'static str], rows: &[Vec<Value>]) -> String {
    let mut table = bare_table();
    table.set_header(columns.iter().map(|name| name.replace('_', " ")));
    for row in rows {
        table.add_row(row.iter().map(cell));
    }
    for (index, _) in columns.iter().enumerate() {
        let numbers = rows
            .iter()
            .all(|row| row.get(index).is_some_and(Value::is_number));
        if let Some(column) = table.column_mut(index).filter(|_| numbers) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    trimmed(&table)
}

fn bare_table() -> Table {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table
}

/// Without the blanks that pad the last column.
fn trimmed(table: &Table) -> String {
    let lines = table
        .lines()
        .map(|line| line.trim_end().trim_start_matches(' ').to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
