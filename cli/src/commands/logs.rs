//! A drive's logs as parts of a report.
//!
//! Guarantees: texts of a drive are printed so that they cannot disturb a terminal; what a drive
//! leaves out shows as absent. Not here: asking for them.

use kinetic_client::schema::command::GetLog;
use kinetic_client::schema::command::get_log::{
    Capacity, Configuration, Limits, Statistics, Temperature, Utilization,
};
use kinetic_client::{LogType, MessageType};
use serde_json::Value;

use crate::keys::Printed;
use crate::output::{Content, Section};
use crate::units::size_text;

/// The part that a log is shown as; `None` for those that are no report.
pub(super) fn section(kind: LogType, log: &GetLog) -> Option<Section> {
    let (name, content) = match kind {
        LogType::Utilizations => ("utilizations", utilizations(&log.utilizations)),
        LogType::Temperatures => ("temperatures", temperatures(&log.temperatures)),
        LogType::Capacities => ("capacity", capacity(&log.capacity.unwrap_or_default())),
        LogType::Configuration => {
            let configuration = log.configuration.clone().unwrap_or_default();
            ("configuration", configuration_of(&configuration))
        }
        LogType::Statistics => ("statistics", statistics(&log.statistics)),
        LogType::Limits => ("limits", limits(&log.limits.unwrap_or_default())),
        LogType::Messages => {
            let messages = log.messages.as_deref().unwrap_or_default();
            (
                "messages",
                Content::Text(harmless(&String::from_utf8_lossy(messages))),
            )
        }
        LogType::Device | LogType::InvalidType => return None,
    };
    Some(Section { name, content })
}

/// A text without what moves a cursor, lines kept.
pub(super) fn harmless(text: &str) -> String {
    let escape = |c: char| match c {
        '\n' | '\t' => c.to_string(),
        c if c.is_control() => c.escape_default().to_string(),
        c => c.to_string(),
    };
    text.chars().map(escape).collect()
}

fn text(text: Option<&String>) -> Value {
    text.map(|text| harmless(text).replace('\n', " ")).into()
}

fn bytes(bytes: Option<&[u8]>) -> Value {
    bytes.map(|bytes| Printed(bytes).to_string()).into()
}

fn number(number: Option<f32>) -> Value {
    let rounded = number.map(|number| (f64::from(number) * 1e4).round() / 1e4);
    rounded.map_or(Value::Null, Value::from)
}

fn utilizations(parts: &[Utilization]) -> Content {
    let row = |part: &Utilization| vec![text(part.name.as_ref()), number(part.value)];
    Content::Rows {
        columns: vec!["name", "utilization"],
        rows: parts.iter().map(row).collect(),
    }
}

fn temperatures(parts: &[Temperature]) -> Content {
    let row = |part: &Temperature| {
        let degrees = [part.current, part.minimum, part.maximum, part.target].map(number);
        std::iter::once(text(part.name.as_ref()))
            .chain(degrees)
            .collect()
    };
    Content::Rows {
        columns: vec!["name", "current", "minimum", "maximum", "target"],
        rows: parts.iter().map(row).collect(),
    }
}

pub(super) fn capacity(capacity: &Capacity) -> Content {
    let size = capacity.nominal_capacity_in_bytes;
    Content::Record(vec![
        ("capacity_bytes", size.into()),
        ("capacity", size.map(size_text).into()),
        ("portion_full", number(capacity.portion_full)),
    ])
}

pub(super) fn configuration_of(configuration: &Configuration) -> Content {
    let mut record = vec![
        ("vendor", text(configuration.vendor.as_ref())),
        ("model", text(configuration.model.as_ref())),
        (
            "serial_number",
            bytes(configuration.serial_number.as_deref()),
        ),
        (
            "world_wide_name",
            bytes(configuration.world_wide_name.as_deref()),
        ),
        ("version", text(configuration.version.as_ref())),
        (
            "compilation_date",
            text(configuration.compilation_date.as_ref()),
        ),
        ("source_hash", text(configuration.source_hash.as_ref())),
        (
            "protocol_version",
            text(configuration.protocol_version.as_ref()),
        ),
        ("port", configuration.port.into()),
        ("tls_port", configuration.tls_port.into()),
    ];
    let addresses = configuration.interface.iter().flat_map(|interface| {
        let name = interface.name.as_deref().unwrap_or("?");
        let parts = [&interface.ipv4_address, &interface.ipv6_address];
        let known = parts
            .into_iter()
            .flatten()
            .filter(|address| !address.is_empty());
        known.map(move |address| harmless(&format!("{name} {}", String::from_utf8_lossy(address))))
    });
    let addresses: Vec<String> = addresses.collect();
    record.push(("addresses", addresses.join(", ").into()));
    Content::Record(record)
}

fn statistics(parts: &[Statistics]) -> Content {
    let row = |part: &Statistics| {
        vec![
            MessageType(part.message_type.unwrap_or(-1))
                .to_string()
                .into(),
            part.count.into(),
            part.bytes.into(),
            part.max_latency.into(),
        ]
    };
    Content::Rows {
        columns: vec!["message", "count", "bytes", "max_latency_ms"],
        rows: parts.iter().map(row).collect(),
    }
}

pub(super) fn limits(limits: &Limits) -> Content {
    let none = |limit: Option<u32>| Value::from(limit.filter(|limit| *limit != u32::MAX));
    Content::Record(vec![
        ("max_key_size", none(limits.max_key_size)),
        ("max_value_size", none(limits.max_value_size)),
        ("max_version_size", none(limits.max_version_size)),
        ("max_tag_size", none(limits.max_tag_size)),
        ("max_message_size", none(limits.max_message_size)),
        ("max_connections", none(limits.max_connections)),
        (
            "max_outstanding_read_requests",
            none(limits.max_outstanding_read_requests),
        ),
        (
            "max_outstanding_write_requests",
            none(limits.max_outstanding_write_requests),
        ),
        ("max_key_range_count", none(limits.max_key_range_count)),
        ("max_identity_count", none(limits.max_identity_count)),
        ("max_pin_size", none(limits.max_pin_size)),
        (
            "max_operation_count_per_batch",
            none(limits.max_operation_count_per_batch),
        ),
        (
            "max_batch_count_per_device",
            none(limits.max_batch_count_per_device),
        ),
        ("max_batch_size", none(limits.max_batch_size)),
        ("max_deletes_per_batch", none(limits.max_deletes_per_batch)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drives_text_cannot_move_the_cursor() {
        assert_eq!(harmless("a\x1b[2Jb\nc"), "a\\u{1b}[2Jb\nc");
    }

    #[test]
    fn every_log_but_the_named_one_is_a_report() {
        let log = GetLog::default();
        for kind in 0..7 {
            let kind = LogType::try_from(kind).unwrap();
            assert!(section(kind, &log).is_some(), "{kind:?}");
        }
        assert!(section(LogType::Device, &log).is_none());
    }
}
