//! `ping`, `info`, `limits`, `log`.
//!
//! Not here: how a log is laid out (`logs`).

use kinetic_client::config::{FACTORY_IDENTITY, FACTORY_KEY};
use kinetic_client::{Client, Config, Error, LogType, SigningKey, StatusCode};
use serde_json::Value;
use tokio::time::Instant;

use super::connect;
use super::extended::follow;
use super::logs::{capacity, configuration_of, limits, section};
use crate::args::{GlobalArgs, LogArgs, LogKind};
use crate::connect::{config, connect_with, one_drive};
use crate::failure::Failure;
use crate::output::{Content, Format, Output, Section};

pub(super) async fn ping(global: &GlobalArgs, output: &mut Output) -> Result<(), Failure> {
    let client = connect(global).await?;
    let started = Instant::now();
    client.noop().await.map_err(Failure::of("ping"))?;
    let drive = one_drive(global)?;
    let microseconds = (started.elapsed().as_secs_f64() * 1e6).round();
    let milliseconds = microseconds / 1000.0;
    match output.format() {
        Format::Table => output.line(&format!("{drive} answered in {milliseconds:.3} ms")),
        Format::Json => output.record(vec![
            ("drive", drive.into()),
            ("milliseconds", milliseconds.into()),
        ]),
    }
}

pub(super) async fn info(global: &GlobalArgs, output: &mut Output) -> Result<(), Failure> {
    let client = connect(global).await?;
    let log = client.log(&[LogType::Capacities]).await;
    let status = log.as_ref().err().and_then(Error::status);
    let is_locked = status == Some(StatusCode::DEVICE_LOCKED);
    let log = match log {
        Ok(log) => Ok(log.parts),
        Err(error) => Err(withheld(global, error)?),
    };
    let fingerprint = client.certificate_fingerprint();
    let is_open = opens_with_the_factory_key(global).await?;
    let connection = Content::Record(vec![
        ("drive", one_drive(global)?.into()),
        ("identity", global.identity.into()),
        ("cluster_version", client.cluster_version().into()),
        ("locked", if is_locked { "yes" } else { "no" }.into()),
        (
            "certificate_sha256",
            fingerprint.map(|print| print.to_string()).into(),
        ),
        (
            "factory_key",
            if is_open { "in force" } else { "no" }.into(),
        ),
    ]);
    let mut parts = vec![
        ("connection", connection),
        ("configuration", configuration_of(client.configuration())),
    ];
    parts.push(match log {
        Ok(log) => ("capacity", capacity(&log.capacity.unwrap_or_default())),
        Err(reason) => ("not_shown", Content::Text(reason)),
    });
    parts.push(("limits", limits(&client.limits().to_message())));
    parts.extend(scrub(&client).await.map(|content| ("scrub", content)));
    if is_open {
        parts.push(("warning", Content::Text(FACTORY_WARNING.to_owned())));
    }
    let sections = parts.into_iter();
    output.sections(
        sections
            .map(|(name, content)| Section { name, content })
            .collect(),
    )
}

/// What the drive has found by itself, if it tells.
async fn scrub(client: &Client) -> Option<Content> {
    let log = client.log(&[]).device(SCRUB_LOG).await.ok()?;
    let report: Value = serde_json::from_slice(&log.value).ok()?;
    let last = report.get("last")?;
    let of_last = |name: &str| last.get(name).cloned().unwrap_or_default();
    let findings = report.get("findings").and_then(Value::as_array);
    Some(Content::Record(vec![
        ("rounds", report.get("rounds").cloned().unwrap_or_default()),
        ("finished_seconds_ago", of_last("finishedSecondsAgo")),
        ("bytes", of_last("bytes")),
        ("damaged_blocks", of_last("damagedBlocks")),
        ("damaged_values", of_last("damagedValues")),
        ("findings", findings.map(Vec::len).into()),
    ]))
}

/// Why the drive does not tell its capacity, where it tells the rest: that is in its greeting.
fn withheld(global: &GlobalArgs, error: Error) -> Result<String, Failure> {
    let identity = global.identity;
    match error.status() {
        Some(StatusCode::NOT_AUTHORIZED) => Ok(format!(
            "capacity: identity {identity} lacks the permission getlog"
        )),
        Some(StatusCode::DEVICE_LOCKED) => Ok(
            "capacity: the drive is locked; `kinetic unlock` unlocks it with its PIN".to_owned(),
        ),
        Some(StatusCode::HIBERNATE) => {
            Ok("capacity: the drive hibernates; `kinetic power on` wakes it".to_owned())
        }
        _ => Err(Failure::of("info")(error)),
    }
}

/// The log in which a drive tells that.
const SCRUB_LOG: &str = "org.kinetic.scrub";

const FACTORY_WARNING: &str = "\
The key that every drive has from the factory opens this one: whoever reaches it may do everything.
`kinetic acl set FILE` gives it other keys.";

/// Tries it: nothing that a drive says of itself tells.
async fn opens_with_the_factory_key(global: &GlobalArgs) -> Result<bool, Failure> {
    let config = Config {
        identity: FACTORY_IDENTITY,
        key: SigningKey::new(FACTORY_KEY),
        ..config(global)?
    };
    let client = connect_with(global, config).await?;
    let answer = client.noop().await;
    let refused = [StatusCode::HMAC_FAILURE, StatusCode::NOT_AUTHORIZED];
    Ok(match answer {
        Ok(()) => true,
        Err(Error::Disconnected(_)) => false,
        // A key that was taken is in force even if the answer is another refusal.
        Err(error) => error
            .status()
            .is_some_and(|status| !refused.contains(&status)),
    })
}

pub(super) async fn show_limits(global: &GlobalArgs, output: &mut Output) -> Result<(), Failure> {
    let client = connect(global).await?;
    output.sections(vec![Section {
        name: "limits",
        content: limits(&client.limits().to_message()),
    }])
}

pub(super) async fn log(
    global: &GlobalArgs,
    args: LogArgs,
    output: &mut Output,
) -> Result<(), Failure> {
    let client = connect(global).await?;
    if args.follow {
        return match args.kind {
            LogKind::Messages => follow(&client, output).await,
            _ => Err(Failure::Usage("only messages can be followed".to_owned())),
        };
    }
    let kind = LogType::from(args.kind);
    let mut log = client.log(&[kind]);
    if let Some(name) = args.name {
        log = log.device(name.0);
    }
    let log = log.await.map_err(Failure::of("log"))?;
    match section(kind, &log.parts) {
        Some(section) => output.sections(vec![section]),
        None => output.bytes(&log.value),
    }
}
