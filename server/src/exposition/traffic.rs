//! Requests by type and code, connections, and what went wrong with them.

use kinetic_proto::{MessageType, StatusCode};

use super::text::{Kind, Text, Unit};
use crate::device::Device;
use crate::device::statistics::{Incident, RequestFigures};

/// The label of what the protocol does not know.
const OTHER: &str = "OTHER";

/// What the network has at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Present {
    /// Open connections.
    pub connections: usize,
    /// Bytes of requests and answers that they hold.
    pub buffered_bytes: u64,
    /// Reads that wait for a thread that may wait for the disk.
    pub disk_reads: usize,
}

/// Writes all of it.
pub(super) fn write(text: &mut Text, device: &Device, present: &Present) {
    requests(text, &device.statistics.figures());
    connections(text, device, present);
    trouble(text, device);
}

fn label(figures: &RequestFigures) -> &'static str {
    figures.request.and_then(MessageType::name).unwrap_or(OTHER)
}

fn requests(text: &mut Text, all: &[RequestFigures]) {
    let mut family = text.family(
        Kind::Counter,
        "kinetic_requests_total",
        "Requests that were answered, by type and status code.",
    );
    for figures in all {
        for (code, count) in &figures.codes {
            let code = code.and_then(StatusCode::name).unwrap_or(OTHER);
            family.sample(&[("type", label(figures)), ("code", code)], count);
        }
    }
    let mut family = text.family(
        Kind::Histogram,
        "kinetic_request_duration_seconds",
        "Time from the arrival of a request to its answer, by type.",
    );
    for figures in all {
        let labels = [("type", label(figures))];
        family.histogram(&labels, &figures.latencies, Unit::Microseconds);
    }
    let of = |figures: &RequestFigures| figures.bytes_in;
    let help = "Bytes of values that came with requests, by type.";
    by_type(text, ("kinetic_request_value_bytes_total", help), (all, of));
    let of = |figures: &RequestFigures| figures.bytes_out;
    let help = "Bytes of values that went with answers, by type.";
    by_type(text, ("kinetic_answer_value_bytes_total", help), (all, of));
    let of = |figures: &RequestFigures| figures.kept;
    let help = "Requests that became part of a batch and have no answer of their own, by type.";
    by_type(text, ("kinetic_batched_requests_total", help), (all, of));
}

fn by_type(
    text: &mut Text,
    (name, help): (&'static str, &str),
    (all, of): (&[RequestFigures], fn(&RequestFigures) -> u64),
) {
    let mut family = text.family(Kind::Counter, name, help);
    for figures in all {
        family.sample(&[("type", label(figures))], of(figures));
    }
}

fn connections(text: &mut Text, device: &Device, present: &Present) {
    let count = |incident| device.incidents.of(incident);
    let name = "kinetic_connections_open";
    text.gauge(name, "Connections that are open.", present.connections);
    text.gauge(
        "kinetic_connections_limit",
        "Connections that the drive keeps at most.",
        device.limits.max_connections.unwrap_or_default(),
    );
    let mut family = text.family(
        Kind::Counter,
        "kinetic_connections_accepted_total",
        "Connections that were let in, by port.",
    );
    family.sample(&[("port", "plain")], count(Incident::AcceptedPlain));
    family.sample(&[("port", "tls")], count(Incident::AcceptedTls));
    let mut family = text.family(
        Kind::Counter,
        "kinetic_connections_refused_total",
        "Connections that were refused since there were too many, by port.",
    );
    family.sample(&[("port", "plain")], count(Incident::RefusedPlain));
    family.sample(&[("port", "tls")], count(Incident::RefusedTls));
    text.gauge(
        "kinetic_buffered_bytes",
        "Bytes of requests and answers that connections hold in memory.",
        present.buffered_bytes,
    );
    text.gauge(
        "kinetic_disk_reads_queued",
        "Reads that wait for a thread that may wait for the disk.",
        present.disk_reads,
    );
}

fn trouble(text: &mut Text, device: &Device) {
    let count = |incident| device.incidents.of(incident);
    text.counter(
        "kinetic_tls_handshake_failures_total",
        "TLS handshakes that did not come to their end.",
        count(Incident::FailedHandshake),
    );
    text.counter(
        "kinetic_hmac_failures_total",
        "Messages that were not signed, or not as their identity signs.",
        count(Incident::HmacFailure),
    );
    let mut family = text.family(
        Kind::Counter,
        "kinetic_wrong_pins_total",
        "Wrong PINs, by what they are for.",
    );
    family.sample(&[("pin", "lock")], count(Incident::WrongLockPin));
    family.sample(&[("pin", "erase")], count(Incident::WrongErasePin));
}
