//! `ping`, `info`, `log`.
//!
//! Not here: how a log is laid out (`logs`).

use kinetic_client::LogType;
use tokio::time::Instant;

use super::connect;
use super::logs::{capacity, configuration_of, limits, section};
use crate::args::{GlobalArgs, LogArgs};
use crate::failure::Failure;
use crate::output::{Content, Format, Output, Section};

pub(super) async fn ping(global: &GlobalArgs, output: &mut Output) -> Result<(), Failure> {
    let client = connect(global).await?;
    let started = Instant::now();
    client.noop().await.map_err(Failure::of("ping"))?;
    let microseconds = (started.elapsed().as_secs_f64() * 1e6).round();
    let milliseconds = microseconds / 1000.0;
    match output.format() {
        Format::Table => output.line(&format!(
            "{} answered in {milliseconds:.3} ms",
            global.drive
        )),
        Format::Json => output.record(vec![
            ("drive", global.drive.clone().into()),
            ("milliseconds", milliseconds.into()),
        ]),
    }
}

pub(super) async fn info(global: &GlobalArgs, output: &mut Output) -> Result<(), Failure> {
    let client = connect(global).await?;
    let log = client.log(&[LogType::Capacities]).await;
    let log = log.map_err(Failure::of("info"))?.parts;
    let connection = Content::Record(vec![
        ("drive", global.drive.clone().into()),
        ("cluster_version", client.cluster_version().into()),
    ]);
    let parts = [
        ("connection", connection),
        ("configuration", configuration_of(client.configuration())),
        ("capacity", capacity(&log.capacity.unwrap_or_default())),
        ("limits", limits(&client.limits().to_message())),
    ];
    let sections = parts.map(|(name, content)| Section { name, content });
    output.sections(sections.into())
}

pub(super) async fn log(
    global: &GlobalArgs,
    args: LogArgs,
    output: &mut Output,
) -> Result<(), Failure> {
    let client = connect(global).await?;
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
