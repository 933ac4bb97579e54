//! The device log `org.kinetic.scrub`: what the drive has found by reading all that it holds, as
//! JSON; and the lines about it in the drive's messages.
//!
//! Guarantees: answered from memory; bounded by what the store keeps. Names of keys are in it, so
//! it takes the permission RANGE beside GETLOG; keys are in base64.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use kinetic_store::scrub::report::{Damaged, ScrubCounts, ScrubFinding};
use serde::Serialize;

use crate::auth::{Grant, grant};
use crate::device::{Device, Open};

/// Its name.
pub const SCRUB_LOG: &str = "org.kinetic.scrub";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    /// Rounds that were finished since the drive was opened.
    rounds: u64,
    current: Option<Counts>,
    last: Option<Counts>,
    findings: Vec<Finding>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Counts {
    started_seconds_ago: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_seconds_ago: Option<u64>,
    blocks: u64,
    values: u64,
    bytes: u64,
    damaged_blocks: u64,
    damaged_values: u64,
    read_errors: u64,
    repaired: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Finding {
    kind: &'static str,
    /// Of a value its key, of a block the smallest key that it may hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// Of a block the smallest key behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<String>,
    zone: u32,
    offset: u32,
    text: String,
}

impl Counts {
    fn of(counts: ScrubCounts, now_us: u64) -> Self {
        let ago = |then: u64| now_us.saturating_sub(then) / 1_000_000;
        Self {
            started_seconds_ago: ago(counts.started_us),
            finished_seconds_ago: (counts.finished_us > 0).then(|| ago(counts.finished_us)),
            blocks: counts.blocks,
            values: counts.values,
            bytes: counts.bytes,
            damaged_blocks: counts.damaged_blocks,
            damaged_values: counts.damaged_values,
            read_errors: counts.read_errors,
            repaired: counts.repaired,
        }
    }
}

impl From<&ScrubFinding> for Finding {
    fn from(finding: &ScrubFinding) -> Self {
        let text = |key: &[u8]| Some(BASE64_STANDARD.encode(key));
        let (kind, key, before) = match &finding.what {
            Damaged::Value(key) => ("value", text(key), None),
            Damaged::Block(start, end) => ("index", text(start), end.as_deref().and_then(text)),
            Damaged::Superblock => ("superblock", None, None),
            Damaged::Settings | Damaged::AllSettings => ("settings", None, None),
            Damaged::Manifest => ("manifest", None, None),
        };
        Self {
            kind,
            key,
            before,
            zone: finding.zone,
            offset: finding.offset,
            text: finding.to_string(),
        }
    }
}

/// What is known now.
#[must_use]
pub fn content(_grant: &Grant<grant::Range>, store: &Open) -> Bytes {
    let (status, findings) = store.scrub_report();
    let counts = |counts| Counts::of(counts, status.now_us);
    let report = Report {
        rounds: status.rounds,
        current: status.current.map(counts),
        last: status.last.map(counts),
        findings: findings.iter().map(Finding::from).collect(),
    };
    #[expect(clippy::expect_used, reason = "numbers and texts are always JSON")]
    let json = serde_json::to_vec(&report).expect("JSON");
    json.into()
}

/// What was told so far of the rounds of one opening.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Told {
    epoch: Option<u64>,
    rounds: u64,
}

/// Puts what scrub has found since the last call into the drive's messages and its log, each
/// finding once, and a line for each round.
pub fn tell(device: &Device, told: &mut Told) {
    let Some(store) = device.store() else {
        return;
    };
    if told.epoch != Some(store.epoch()) {
        *told = Told {
            epoch: Some(store.epoch()),
            rounds: 0,
        };
    }
    for finding in store.take_scrub_findings() {
        tracing::warn!("{finding}");
        device.messages.note(&format!("scrub: {finding}"));
    }
    let (status, _) = store.scrub_report();
    if status.rounds > told.rounds
        && let Some(last) = status.last
    {
        told.rounds = status.rounds;
        let line = Summary(last).to_string();
        tracing::info!("{line}");
        device.messages.note(&line);
    }
}

/// One line about a round.
struct Summary(ScrubCounts);

impl fmt::Display for Summary {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(counts) = self;
        let seconds = counts.finished_us.saturating_sub(counts.started_us) / 1_000_000;
        write!(
            out,
            "scrub: read {} blocks and {} values, {} bytes in {seconds} s; damaged: {} blocks and \
             {} values",
            counts.blocks,
            counts.values,
            counts.bytes,
            counts.damaged_blocks,
            counts.damaged_values
        )
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::Value;

    use super::*;
    use crate::auth::{Access, Channel, Identity};
    use crate::ram_drive::device;

    #[test]
    fn a_round_is_told_of_once_and_stands_in_the_log() {
        let device = device();
        let store = device.store().unwrap();
        let mut told = Told::default();
        tell(&device, &mut told);
        store.ask_scrub();
        while store.scrub_report().0.rounds == 0 {
            std::thread::yield_now();
        }
        tell(&device, &mut told);
        tell(&device, &mut told);
        let messages = String::from_utf8(device.messages.text().to_vec()).unwrap();
        assert_eq!(messages.matches("scrub: read").count(), 1, "{messages}");
        let access = Access::new(Arc::new(Identity::factory(b"key")), Channel::Plain);
        let grant = access.to_drive::<grant::Range>().unwrap();
        let log: Value = serde_json::from_slice(&content(&grant, &store)).unwrap();
        assert_eq!(log["rounds"], 1);
        assert_eq!(log["last"]["damagedValues"], 0);
        assert!(log["last"]["finishedSecondsAgo"].is_u64(), "{log}");
        assert_eq!(log["findings"], Value::Array(Vec::new()));
    }

    #[test]
    fn a_finding_names_key_and_place() {
        let finding = ScrubFinding {
            what: Damaged::Block(b"a".to_vec(), Some(b"b".to_vec())),
            zone: 7,
            offset: 4096,
            how: "rot".to_owned(),
        };
        let json = serde_json::to_value(Finding::from(&finding)).unwrap();
        assert_eq!(
            (&json["kind"], &json["key"]),
            (&"index".into(), &"YQ==".into())
        );
        assert_eq!(
            (&json["before"], &json["zone"]),
            (&"Yg==".into(), &7.into())
        );
    }
}
