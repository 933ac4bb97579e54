//! `drive inspect`: what is on a drive, without a server.
//!
//! Guarantees: nothing is written; what a locked or damaged drive does not show is said to be
//! missing. Not here: whether what shows is sound (`check`).

use kinetic_store::Survey;
use kinetic_store::layout::superblock::{DriveState, Seal, Superblock};
use kinetic_store::layout::wrapped_key;
use kinetic_store::layout::zone_header::ZoneKind;
use kinetic_store::open::settings::{SettingsCopy, SettingsFault};
use kinetic_store::open::slots::{self, SlotFault};
use kinetic_store::survey::Report;
use kinetic_store::survey::report::KindReport;
use serde_json::Value;

use super::look::{Without, look};
use super::words::Words;
use crate::args::InspectArgs;
use crate::failure::Failure;
use crate::output::{Content, Format, Output, Section};
use crate::units::size_text;

pub(super) fn inspect(args: &InspectArgs, output: &mut Output) -> Result<(), Failure> {
    let survey = look(&args.file, &args.pin, Without::Useful)?;
    let form = output.format();
    let mut sections = vec![
        section("drive", drive(&survey, form)),
        superblocks(&survey),
        settings(&survey),
    ];
    if let Some(report) = survey.report() {
        sections.push(zones(&report, form));
        sections.push(runs(&report, form));
        sections.push(section("log", log(&report, form)));
        sections.push(section("space", space(&survey, &report, form)));
    }
    let hidden = Words::of_hidden(&survey).map(|words| words.to_string());
    let hidden = hidden.or_else(|| survey.hidden().map(ToString::to_string));
    if let Some(text) = hidden {
        sections.push(Section {
            name: "not_shown",
            content: Content::Text(text),
        });
    }
    output.sections(sections)
}

type Record = Vec<(&'static str, Value)>;

fn section(name: &'static str, record: Record) -> Section {
    Section {
        name,
        content: Content::Record(record),
    }
}

/// Bytes for people or programs.
fn bytes(count: u64, form: Format) -> Value {
    match form {
        Format::Json => count.into(),
        Format::Table => size_text(count).into(),
    }
}

fn drive(survey: &Survey, form: Format) -> Record {
    let superblock = survey.superblock();
    let geometry = superblock.geometry;
    let seal = match superblock.seal {
        Seal::Sealed => "sealed",
        Seal::Plain => "not sealed",
    };
    let pin = match superblock.wrapped.kind {
        wrapped_key::PIN => "set",
        wrapped_key::OPEN => "none",
        _ => "no data key",
    };
    let mut record: Record = vec![
        ("uuid", uuid(superblock).into()),
        ("capacity", bytes(superblock.capacity, form)),
        ("zones", geometry.zones.into()),
        ("zone_size", bytes(u64::from(geometry.zone_size), form)),
        ("seal", seal.into()),
        ("lock_pin", pin.into()),
        ("state", state(superblock).into()),
        ("boot", superblock.boot.into()),
    ];
    if let Some((found, _)) = survey.missing_end() {
        record.push(("disk_has_only", bytes(found, form)));
    }
    record
}

fn uuid(superblock: &Superblock) -> String {
    let digits = hex::encode(superblock.uuid);
    let parts = [(0, 8), (8, 12), (12, 16), (16, 20), (20, 32)];
    let parts = parts.map(|(from, to)| digits.get(from..to).unwrap_or_default());
    parts.join("-")
}

fn state(superblock: &Superblock) -> &'static str {
    match superblock.state {
        DriveState::Serving => "serving",
        DriveState::Erasing => "being erased",
    }
}

fn superblocks(survey: &Survey) -> Section {
    let in_force = survey.superblock();
    let row = |(name, slot): (&str, Result<Superblock, SlotFault>)| match slot {
        Ok(found) => {
            let counts = if found.sequence == in_force.sequence {
                "in force"
            } else if slots::agree(&found, in_force) {
                "the same"
            } else {
                "older"
            };
            vec![
                name.into(),
                counts.into(),
                found.sequence.into(),
                found.boot.into(),
                found.manifest.zone.0.into(),
            ]
        }
        Err(fault) => vec![
            name.into(),
            format!("lost: {fault}").into(),
            Value::Null,
            Value::Null,
            Value::Null,
        ],
    };
    Section {
        name: "superblocks",
        content: Content::Rows {
            columns: vec!["slot", "counts", "sequence", "boot", "manifest_zone"],
            rows: ["first", "second"]
                .into_iter()
                .zip(survey.slots())
                .map(row)
                .collect(),
        },
    }
}

fn settings(survey: &Survey) -> Section {
    let copies = survey.settings();
    let newest = copies.iter().flatten().map(|copy| copy.sequence).max();
    let same = match &copies {
        [Ok(first), Ok(second)] => first.settings == second.settings,
        _ => false,
    };
    let row = |(name, copy): (&str, Result<SettingsCopy, SettingsFault>)| match copy {
        Ok(SettingsCopy { sequence, settings }) => {
            let counts = if Some(sequence) == newest {
                "in force"
            } else if same {
                "the same"
            } else {
                "older"
            };
            let length = u64::try_from(settings.len()).unwrap_or(u64::MAX);
            vec![name.into(), counts.into(), sequence.into(), length.into()]
        }
        Err(fault) => {
            let lost = format!("lost: {fault}");
            vec![name.into(), lost.into(), Value::Null, Value::Null]
        }
    };
    Section {
        name: "settings",
        content: Content::Rows {
            columns: vec!["slot", "counts", "sequence", "bytes"],
            rows: ["first", "second"]
                .into_iter()
                .zip(copies)
                .map(row)
                .collect(),
        },
    }
}

fn zones(report: &Report, form: Format) -> Section {
    let row = |kind: &KindReport| {
        let name = match kind.kind {
            ZoneKind::Log => "log",
            ZoneKind::Cold => "cold",
            ZoneKind::Run => "run",
            ZoneKind::Manifest => "manifest",
        };
        let holds_values = matches!(kind.kind, ZoneKind::Log | ZoneKind::Cold);
        let ratio = (holds_values && kind.written > 0).then(|| percent(kind.live, kind.written));
        vec![
            name.into(),
            kind.zones.into(),
            bytes(kind.written, form),
            if holds_values {
                bytes(kind.live, form)
            } else {
                Value::Null
            },
            ratio.into(),
        ]
    };
    Section {
        name: "zones",
        content: Content::Rows {
            columns: vec!["kind", "zones", "written", "live", "live_percent"],
            rows: report.kinds.iter().map(row).collect(),
        },
    }
}

/// A share in percent.
fn percent(part: u64, whole: u64) -> u64 {
    let share = u128::from(part) * 100 / u128::from(whole.max(1));
    u64::try_from(share).unwrap_or(u64::MAX)
}

fn runs(report: &Report, form: Format) -> Section {
    let rows = report.runs.iter().map(|run| {
        let keys = run.entries.saturating_sub(run.tombstones);
        vec![
            run.id.0.into(),
            run.level.into(),
            run.entries.into(),
            keys.into(),
            run.tombstones.into(),
            bytes(run.bytes, form),
        ]
    });
    Section {
        name: "runs",
        content: Content::Rows {
            columns: vec!["run", "level", "entries", "keys", "deletes", "size"],
            rows: rows.collect(),
        },
    }
}

fn log(report: &Report, form: Format) -> Record {
    let replay = &report.replay;
    let mut record: Record = vec![
        ("replay_from_group", replay.group.into()),
        ("replay_from_log_zone", replay.ordinal.into()),
        ("replay_from_offset", replay.offset.into()),
        ("groups", report.log.groups.into()),
        ("changes", report.log.changes.into()),
        ("size", bytes(report.log.bytes, form)),
    ];
    if let Some(damage) = &report.log.damage {
        record.push(("damage", damage.to_string().into()));
    }
    record
}

fn space(survey: &Survey, report: &Report, form: Format) -> Record {
    let zone = u64::from(survey.superblock().geometry.zone_size);
    let reserve = u64::try_from(report.reserve.put).unwrap_or(u64::MAX);
    let puts = report.free.saturating_sub(reserve);
    let live = report.kinds.iter().map(|kind| kind.live).sum();
    let used: u64 = report.kinds.iter().map(|kind| kind.zones).sum();
    vec![
        ("used_zones", used.into()),
        ("free_zones", report.free.into()),
        ("kept_back_zones", reserve.into()),
        ("free_for_puts", bytes(puts.saturating_mul(zone), form)),
        ("live_values_of_runs", bytes(live, form)),
        ("manifest_frames", report.frames.into()),
    ]
}
