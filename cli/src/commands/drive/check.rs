//! `drive check`: everything on a drive, read and compared.
//!
//! Guarantees: nothing is written; each finding is one line with what it costs and what to do; the
//! exit code tells a sound drive from a damaged one. Not here: mending.

use kinetic_store::Survey;
use kinetic_store::survey::{Depth, Finding, Hidden, Tally, Told};
use serde_json::Value;

use super::look::{Without, look};
use super::words::{Words, span_words};
use crate::args::CheckArgs;
use crate::failure::Failure;
use crate::keys::Printed;
use crate::output::{Format, Output};
use crate::transfer::Progress;
use crate::units::{counted, size_text};

pub(super) fn check(args: &CheckArgs, output: &mut Output) -> Result<(), Failure> {
    let survey = look(&args.file, &args.pin, Without::Useless)?;
    let depth = if args.quick {
        Depth::Quick
    } else {
        Depth::Full
    };
    let name = args.file.display().to_string();
    let mut findings = 0;
    let tally = examine(&survey, depth, &mut |words, finding| {
        findings += 1;
        tell(output, &words, finding)
    })?;
    if let Some(locked @ Hidden::Locked) = survey.hidden() {
        return Err(Failure::Locked {
            path: args.file.clone(),
            why: locked.to_string(),
        });
    }
    if findings > 0 {
        return Err(Failure::DamagedDrive(format!(
            "{name} is damaged: {}, as listed",
            counted(findings, "finding")
        )));
    }
    match output.format() {
        Format::Json => output.record(vec![
            ("file", name.into()),
            ("findings", 0.into()),
            ("keys", tally.keys.into()),
            ("values_read", tally.values.into()),
            ("bytes_read", tally.bytes.into()),
        ]),
        Format::Table => {
            let keys = counted(tally.keys, "key");
            let read = size_text(tally.bytes);
            let rest = match depth {
                Depth::Full => String::new(),
                Depth::Quick => "; values were left out".to_owned(),
            };
            output.line(&format!("{name} is sound: {keys}, {read} read{rest}"))
        }
    }
}

/// To whom findings are told.
type Tell<'a> = dyn FnMut(Words, Option<&Finding>) -> Result<(), Failure> + 'a;

/// Checks all that shows, telling each finding.
pub(super) fn examine(
    survey: &Survey,
    depth: Depth,
    tell: &mut Tell<'_>,
) -> Result<Tally, Failure> {
    let progress = Progress::late();
    let mut outcome = Ok(());
    let mut hear = |told: Told<'_>| match told {
        // A reader that has gone ends the telling, not the check.
        Told::Finding(finding) if outcome.is_ok() => {
            progress.suspend(|| outcome = tell(Words::of(&finding), Some(&finding)));
        }
        Told::Finding(_) => {}
        Told::Progress(tally) => {
            progress.show(tally.bytes, tally.total, &counted(tally.keys, "key"));
        }
    };
    survey.check_outside(&mut hear);
    let tally = survey.check_contents(depth, &mut hear);
    progress.finish();
    outcome?;
    if let Some(words) = Words::of_hidden(survey) {
        tell(words, None)?;
    }
    Ok(tally)
}

fn tell(output: &mut Output, words: &Words, finding: Option<&Finding>) -> Result<(), Failure> {
    if output.format() == Format::Table {
        return output.line(&words.to_string());
    }
    let mut record: Vec<(&'static str, Value)> = vec![
        ("finding", words.what.as_str().into()),
        ("costs", words.costs.as_str().into()),
        ("advice", words.advice.into()),
    ];
    match finding {
        Some(Finding::Value { key, .. }) => record.push(("key", Printed(key).to_string().into())),
        Some(Finding::Block(gap)) => {
            let until = gap.keys.end.as_ref();
            record.push(("keys", span_words(&gap.keys).into()));
            record.push(("from", Printed(&gap.keys.start).to_string().into()));
            record.push(("until", until.map(|key| Printed(key).to_string()).into()));
        }
        _ => {}
    }
    output.record(record)
}
