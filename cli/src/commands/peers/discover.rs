//! `discover`: the drives that announce themselves.
//!
//! Guarantees: each drive is told once for each place where it is reached; memory is bounded
//! whatever is sent. As JSON one drive a line as soon as it is heard, as a table at the end.

use std::collections::BTreeSet;
use std::net::IpAddr;

use kinetic_client::discover::{Discovery, Heartbeat};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::args::DiscoverArgs;
use crate::failure::Failure;
use crate::limits::MAX_DISCOVERED;
use crate::output::{Content, Format, Output, Section};

const COLUMNS: [&str; 7] = [
    "address",
    "tls_address",
    "serial_number",
    "world_wide_name",
    "model",
    "version",
    "protocol",
];

pub(crate) async fn discover(args: DiscoverArgs, output: &mut Output) -> Result<(), Failure> {
    let refused = |source| Failure::Heartbeats { source };
    let discovery = Discovery::listen(&args.interfaces).map_err(refused)?;
    let until = Instant::now() + args.time;
    let (mut known, mut rows) = (BTreeSet::new(), Vec::new());
    while known.len() < args.count.unwrap_or(MAX_DISCOVERED).min(MAX_DISCOVERED) {
        let Ok(heard) = timeout_at(until, discovery.next()).await else {
            break;
        };
        let heartbeat = heard.map_err(refused)?;
        if !known.insert(identity(&heartbeat)) {
            continue;
        }
        let row = row(&heartbeat);
        match output.format() {
            Format::Table => rows.push(row),
            Format::Json => {
                output.record(COLUMNS.into_iter().zip(row).collect())?;
                output.flush()?;
            }
        }
    }
    if known.is_empty() {
        eprintln!(
            "no drive announced itself within {} seconds: drives do when they are started with \
             --heartbeat, and are heard in their own network only",
            args.time.as_secs_f64()
        );
    } else if output.format() == Format::Table {
        rows.sort_by(|one, other| one.first().map(text).cmp(&other.first().map(text)));
        let columns = COLUMNS.to_vec();
        output.sections(vec![Section {
            name: "drives",
            content: Content::Rows { columns, rows },
        }])?;
    }
    Ok(())
}

/// What tells drives apart; a drive that is reached in two ways is two to whoever wants to connect.
fn identity(heartbeat: &Heartbeat) -> (Option<String>, Option<String>, IpAddr, Option<u16>) {
    (
        heartbeat.world_wide_name.clone(),
        heartbeat.serial_number.clone(),
        heartbeat.from,
        heartbeat.port,
    )
}

fn row(heartbeat: &Heartbeat) -> Vec<Value> {
    let address = |address: Option<std::net::SocketAddr>| address.map(|there| there.to_string());
    vec![
        address(heartbeat.address()).into(),
        address(heartbeat.tls_address()).into(),
        heartbeat.serial_number.clone().into(),
        heartbeat.world_wide_name.clone().into(),
        heartbeat.model.clone().into(),
        heartbeat.firmware_version.clone().into(),
        heartbeat.protocol_version.clone().into(),
    ]
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
