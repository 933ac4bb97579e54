//! `drive repair`: what can be written again from a second copy, and nothing else.
//!
//! Guarantees: nothing is written that was not listed and agreed to; where nothing safe can be
//! done, that is said, with the way to save what can be read. Not here: saving it (`salvage`).

use std::path::Path;

use kinetic_store::disk::{FileDisk, refuse_if_mounted_or_open};
use kinetic_store::survey::{Depth, Finding, Hidden};
use kinetic_store::{Mend, mend, mendable};

use super::check::examine;
use super::look::{Without, look, of_slots};
use super::salvage::salvage;
use super::words::mend_words;
use crate::args::RepairArgs;
use crate::commands::consent::confirm;
use crate::failure::Failure;
use crate::output::{Format, Output};
use crate::units::counted;

pub(super) fn repair(args: &RepairArgs, output: &mut Output) -> Result<(), Failure> {
    if let Some(directory) = &args.salvage {
        return salvage(args, directory, output);
    }
    let file = args.file.as_path();
    let left = left_over(args, output)?;
    refuse_if_mounted_or_open(file)?;
    let disk = FileDisk::open(file)?;
    let mends = mendable(&disk).map_err(of_slots(file))?;
    for found in &mends {
        propose(output, found)?;
    }
    if !mends.is_empty() {
        output.flush()?;
        if !args.consent.yes {
            confirm("Write what is listed again?", "nothing was repaired")?;
        }
        mend(&disk).map_err(|source| Failure::Repair {
            path: file.to_path_buf(),
            source,
        })?;
    }
    conclude(file, &mends, left, output)
}

/// Tells what cannot be repaired; how much it is.
fn left_over(args: &RepairArgs, output: &mut Output) -> Result<u64, Failure> {
    let survey = look(&args.file, &args.pin, Without::Useful)?;
    let name = args.file.display();
    match survey.hidden() {
        Some(erasing @ Hidden::Erasing) => {
            let text = format!("{name}: {erasing}: start it with kineticd");
            return Err(Failure::DamagedDrive(text));
        }
        Some(locked @ Hidden::Locked) if output.format() == Format::Table => {
            output.line(&format!(
                "{name}: {locked}, and nothing but these was checked"
            ))?;
        }
        _ => {}
    }
    let mut left = 0;
    examine(&survey, Depth::Quick, &mut |words, finding| {
        if let Some(Finding::Mendable(_)) = finding {
            return Ok(());
        }
        left += 1;
        match output.format() {
            Format::Table => output.line(&format!("cannot be repaired: {words}")),
            Format::Json => output.record(vec![
                ("finding", words.what.into()),
                ("costs", words.costs.into()),
                ("advice", words.advice.into()),
                ("repairable", false.into()),
            ]),
        }
    })?;
    Ok(left)
}

fn propose(output: &mut Output, found: &Mend) -> Result<(), Failure> {
    let what = mend_words(found);
    match output.format() {
        Format::Table => output.line(&format!("to be written again: {what}")),
        Format::Json => output.record(vec![("finding", what.into()), ("repairable", true.into())]),
    }
}

fn conclude(file: &Path, mends: &[Mend], left: u64, output: &mut Output) -> Result<(), Failure> {
    let name = file.display();
    if left > 0 {
        let repaired = match mends.len() {
            0 => "nothing of it can be repaired safely".to_owned(),
            count => format!("{count} written again, and the rest cannot be repaired safely"),
        };
        return Err(Failure::DamagedDrive(format!(
            "{name} is damaged: {repaired}; `kinetic drive repair {name} --salvage DIR` saves \
             what can be read"
        )));
    }
    let done = u64::try_from(mends.len()).unwrap_or(u64::MAX);
    match output.format() {
        Format::Json => output.record(vec![
            ("file", name.to_string().into()),
            ("repaired", done.into()),
        ]),
        Format::Table if done == 0 => output.line(&format!(
            "{name}: nothing is to be repaired; values were not read, `kinetic drive check \
             {name}` reads them"
        )),
        Format::Table => output.line(&format!("{name}: {} written again", counted(done, "slot"))),
    }
}
