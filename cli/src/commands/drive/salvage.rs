//! `drive repair --salvage`: every value that can be read, as a file, and a list of the rest.
//!
//! Guarantees: the drive is not written; a key that was deleted is not brought back, and a value
//! that may not be the last one of its key lies apart from those that are; nothing that cannot be
//! read goes without a line in the list. Files are written by the rules of `export`.
//! Not here: what is certain (`kinetic-store`); versions and tags, which files do not have.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use kinetic_store::survey::{Certainty, Hidden, Loss, Salvaged};

use super::look::{Without, look};
use super::words::{Words, span_words};
use crate::args::RepairArgs;
use crate::failure::Failure;
use crate::keys::Printed;
use crate::limits::HEX_NAME_BYTES;
use crate::output::{Format, Output};
use crate::transfer::{Existing, Progress, SafePath, Tree};
use crate::units::{counted, size_text};

/// What cannot be read is listed in this file.
const LIST: &str = "unreadable.txt";

#[derive(Default)]
struct Totals {
    certain: u64,
    uncertain: u64,
    bytes: u64,
    lost: u64,
}

/// Where everything goes.
struct Haven<'a> {
    directory: &'a Path,
    tree: Tree,
    list: BufWriter<File>,
    totals: Totals,
}

pub(super) fn salvage(
    args: &RepairArgs,
    directory: &Path,
    output: &mut Output,
) -> Result<(), Failure> {
    let survey = look(&args.file, &args.pin, Without::Useless)?;
    if let Some(locked @ Hidden::Locked) = survey.hidden() {
        return Err(Failure::Locked {
            path: args.file.clone(),
            why: locked.to_string(),
        });
    }
    let Some(salvage) = survey.salvage() else {
        let words = Words::of_hidden(&survey).map(|words| words.to_string());
        return Err(Failure::DamagedDrive(format!(
            "{}: nothing can be saved: {}",
            args.file.display(),
            words.unwrap_or_default()
        )));
    };
    let mut haven = Haven::open(directory)?;
    if let Some(words) = Words::of_hidden(&survey) {
        haven.lose(&words.what)?;
    }
    if let Some((found, expected)) = survey.missing_end() {
        haven.lose(&format!("the disk has {found} bytes of {expected}"))?;
    }
    let progress = Progress::open_ended();
    for salvaged in salvage {
        haven.take(salvaged)?;
        let totals = &haven.totals;
        progress.show(
            totals.bytes,
            0,
            &counted(totals.certain + totals.uncertain, "key"),
        );
    }
    progress.finish();
    haven.report(output)
}

impl<'a> Haven<'a> {
    /// A directory that is made, or empty.
    fn open(directory: &'a Path) -> Result<Self, Failure> {
        let failed = |source| Failure::File {
            path: directory.to_path_buf(),
            source,
        };
        if fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(Failure::Usage(format!(
                "{} is not empty; name a directory that is, or one to be made",
                directory.display()
            )));
        }
        let tree = Tree::open(directory).map_err(failed)?;
        let list = File::create_new(directory.join(LIST)).map_err(failed)?;
        Ok(Self {
            directory,
            tree,
            list: BufWriter::new(list),
            totals: Totals::default(),
        })
    }

    fn take(&mut self, salvaged: Salvaged) -> Result<(), Failure> {
        match salvaged {
            Salvaged::Value {
                key,
                value,
                certainty,
                ..
            } => {
                let (folder, count) = match certainty {
                    Certainty::Certain => ("keys", &mut self.totals.certain),
                    Certainty::Uncertain => ("uncertain", &mut self.totals.uncertain),
                };
                *count += 1;
                self.totals.bytes += value.len() as u64;
                self.write(folder, &key, &value)
            }
            Salvaged::Lost(Loss::Value { key, damage }) => {
                self.lose(&format!("key {}: {damage}", Printed(&key)))
            }
            Salvaged::Lost(Loss::Keys(gap)) => {
                let (span, run, bad) = (span_words(&gap.keys), gap.run.0, &gap.bad);
                self.lose(&format!("{span}, as far as run {run} held them: {bad}"))
            }
            Salvaged::Lost(Loss::Changes(error)) => self.lose(&format!(
                "some changes: {error}; what is older than they is in `uncertain`"
            )),
        }
    }

    /// Writes a value by the path that is its key, or by the digits of its key where that is none
    /// or another key's path leads through it.
    fn write(&mut self, folder: &str, key: &[u8], value: &[u8]) -> Result<(), Failure> {
        if SafePath::parse(key).is_ok() {
            let path = SafePath::parse(&[folder.as_bytes(), b"/", key].concat());
            if path.is_ok_and(|path| self.tree.write(&path, value, Existing::Keep).is_ok()) {
                return Ok(());
            }
        }
        let path = format!("{folder}-hex/{}", by_digits(key));
        let path_in = self.directory.join(&path);
        let failed = |why: String| Failure::File {
            path: path_in,
            source: io::Error::other(why),
        };
        match SafePath::parse(path.as_bytes()) {
            Ok(path) => {
                let written = self.tree.write(&path, value, Existing::Keep);
                written.map_err(|error| failed(error.to_string()))
            }
            Err(error) => Err(failed(error.to_string())),
        }
    }

    fn lose(&mut self, line: &str) -> Result<(), Failure> {
        self.totals.lost += 1;
        writeln!(self.list, "{line}").map_err(|source| Failure::File {
            path: self.directory.join(LIST),
            source,
        })
    }

    fn report(mut self, output: &mut Output) -> Result<(), Failure> {
        self.list.flush().map_err(|source| Failure::File {
            path: self.directory.join(LIST),
            source,
        })?;
        let Totals {
            certain,
            uncertain,
            bytes,
            lost,
        } = self.totals;
        let name = self.directory.display();
        match output.format() {
            Format::Json => output.record(vec![
                ("saved", certain.into()),
                ("uncertain", uncertain.into()),
                ("bytes", bytes.into()),
                ("unreadable", lost.into()),
            ])?,
            Format::Table => {
                let size = size_text(bytes);
                let saved = counted(certain, "key");
                let apart = match uncertain {
                    0 => String::new(),
                    _ => format!(", {uncertain} in {name}/uncertain"),
                };
                output.line(&format!("{saved} saved in {name}/keys{apart}, {size}"))?;
            }
        }
        match (lost, uncertain) {
            (0, 0) => fs::remove_file(self.directory.join(LIST)).map_err(|source| Failure::File {
                path: self.directory.join(LIST),
                source,
            }),
            (lost, uncertain) => Err(Failure::Incomplete(format!(
                "not all could be saved: {name}/{LIST} has {}{}",
                counted(lost, "line"),
                match uncertain {
                    0 => String::new(),
                    _ => format!(
                        "; what lies in {name}/uncertain may have been replaced or deleted by \
                         what cannot be read: look before you import it"
                    ),
                }
            ))),
        }
    }
}

/// The digits of a key as a path: names of a length that every file system takes, and a plus behind
/// those of directories, so that no file has the name of one.
fn by_digits(key: &[u8]) -> String {
    let digits = hex::encode(key);
    if digits.is_empty() {
        return "empty".to_owned();
    }
    let pieces = (0..digits.len()).step_by(HEX_NAME_BYTES);
    let pieces = pieces.filter_map(|at| digits.get(at..digits.len().min(at + HEX_NAME_BYTES)));
    pieces.collect::<Vec<_>>().join("+/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_keys_lie_in_one_place() {
        assert_eq!(by_digits(b""), "empty");
        assert_eq!(by_digits(b"a/\0"), "612f00");
        let (short, long) = ([7; HEX_NAME_BYTES / 2], [7; HEX_NAME_BYTES / 2 + 1]);
        assert_eq!(by_digits(&short).len(), HEX_NAME_BYTES);
        let long = by_digits(&long);
        assert_eq!(long, format!("{}+/07", by_digits(&short)));
        assert!(SafePath::parse(long.as_bytes()).is_ok());
    }
}
