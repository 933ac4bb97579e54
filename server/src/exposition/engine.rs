//! What the store counts. There is none while the drive is locked, and then none of this.

use kinetic_store::{CacheFigures, Figures, ScrubStatus};

use super::text::{Kind, Text, Unit};
use crate::device::Open;

/// Writes all of it.
pub(super) fn write(text: &mut Text, store: &Open) {
    let (scrub, findings) = store.scrub_report();
    write_figures(text, &store.figures(), (scrub, findings.len()));
}

fn write_figures(text: &mut Text, figures: &Figures, scrub: (ScrubStatus, usize)) {
    writing(text, figures);
    space(text, figures);
    memory(text, figures);
    upkeep(text, figures);
    damage(text, figures, scrub);
}

fn writing(text: &mut Text, figures: &Figures) {
    text.gauge(
        "kinetic_commit_queue_commits",
        "Commits that wait for the writer.",
        figures.queued_commits,
    );
    text.gauge(
        "kinetic_commit_queue_bytes",
        "Bytes of the commits that wait for the writer.",
        figures.queued_bytes,
    );
    text.counter(
        "kinetic_commits_total",
        "Commits that the writer has dealt with, refused ones included.",
        figures.commits,
    );
    let mut family = text.family(
        Kind::Histogram,
        "kinetic_group_commits",
        "Commits that were written in one group.",
    );
    family.histogram(&[], &figures.group_commits, Unit::Plain);
    let mut family = text.family(
        Kind::Histogram,
        "kinetic_group_bytes",
        "Bytes that were written as one group, those of moved values' groups included.",
    );
    family.histogram(&[], &figures.group_sizes, Unit::Plain);
    let mut family = text.family(
        Kind::Histogram,
        "kinetic_sync_duration_seconds",
        "How long syncs of the disk took, failed ones included.",
    );
    family.histogram(&[], &figures.sync_times, Unit::Microseconds);
    text.counter(
        "kinetic_put_bytes_total",
        "Bytes of keys and values of puts that were done.",
        figures.put_bytes,
    );
    text.counter(
        "kinetic_disk_written_bytes_total",
        "Bytes that the disk has taken, whatever for.",
        figures.written_bytes,
    );
    text.gauge(
        "kinetic_write_amplification_ratio",
        "Bytes that the disk has taken for each byte put; 0 where none was put.",
        ratio(figures.written_bytes, figures.put_bytes),
    );
}

fn ratio(part: u64, whole: u64) -> f64 {
    match whole {
        0 => 0.0,
        whole => part as f64 / whole as f64,
    }
}

fn space(text: &mut Text, figures: &Figures) {
    let status = &figures.status;
    text.gauge(
        "kinetic_capacity_bytes",
        "Bytes for keys and values, the engine's own zones included.",
        status.capacity_bytes,
    );
    text.gauge(
        "kinetic_used_bytes",
        "Bytes of zones in use.",
        status.used_bytes,
    );
    text.gauge(
        "kinetic_free_bytes",
        "Bytes of zones that nothing uses.",
        status.capacity_bytes.saturating_sub(status.used_bytes),
    );
    text.gauge(
        "kinetic_free_zones",
        "Zones that nothing uses.",
        figures.free_zones,
    );
    text.gauge(
        "kinetic_live_bytes",
        "Bytes of values that sorted runs refer to.",
        status.live_bytes,
    );
    text.gauge("kinetic_runs", "Sorted runs of the index.", status.runs);
}

fn memory(text: &mut Text, figures: &Figures) {
    let caches = [
        ("block", figures.block_cache),
        ("value", figures.value_cache),
    ];
    let mut family = |kind, (name, help): (&'static str, &str), of: fn(&CacheFigures) -> u64| {
        let mut family = text.family(kind, name, help);
        for (cache, figures) in &caches {
            family.sample(&[("cache", cache)], of(figures));
        }
    };
    let help = "Looks into a cache that found what they looked for.";
    family(Kind::Counter, ("kinetic_cache_hits_total", help), |one| {
        one.hits
    });
    let help = "Looks into a cache that did not find what they looked for.";
    family(Kind::Counter, ("kinetic_cache_misses_total", help), |one| {
        one.misses
    });
    let help = "Bytes of memory that a cache uses.";
    family(Kind::Gauge, ("kinetic_cache_bytes", help), |one| one.bytes);
    text.gauge(
        "kinetic_memtable_bytes",
        "Bytes of memory that entries take which are in no sorted run yet.",
        figures.memtable_bytes,
    );
}

fn upkeep(text: &mut Text, figures: &Figures) {
    let status = &figures.status;
    text.counter(
        "kinetic_flushes_total",
        "Flushes of memtables to sorted runs.",
        status.flushes,
    );
    text.counter(
        "kinetic_merges_total",
        "Merges of sorted runs.",
        status.merges,
    );
    text.counter(
        "kinetic_reclaim_moved_values_total",
        "Values that reclaim moved out of zones to empty them.",
        status.moves,
    );
    text.counter(
        "kinetic_reclaim_moved_bytes_total",
        "Bytes that reclaim copied for that.",
        status.moved_bytes,
    );
    text.counter(
        "kinetic_writer_disk_reads_total",
        "Version checks for which the writer had to read the disk.",
        status.writer_reads,
    );
}

fn damage(text: &mut Text, figures: &Figures, (scrub, findings): (ScrubStatus, usize)) {
    text.counter(
        "kinetic_disk_read_failures_total",
        "Tries of reads that the disk failed.",
        figures.status.read_failures,
    );
    let mut family = text.family(
        Kind::Counter,
        "kinetic_damaged_reads_total",
        "Reads that met other bytes than were written, or none, by what was read.",
    );
    family.sample(&[("of", "value")], figures.damaged_values);
    family.sample(&[("of", "block")], figures.damaged_blocks);
    family.sample(&[("of", "group")], figures.damaged_groups);
    text.counter(
        "kinetic_scrub_rounds_total",
        "Scrubs of the whole drive that were finished.",
        scrub.rounds,
    );
    text.gauge(
        "kinetic_scrub_findings",
        "What the last scrub and the one under way have found damaged, repaired or not.",
        findings,
    );
    text.gauge(
        "kinetic_scrub_bytes",
        "Bytes that the scrub under way has read, or else the last one.",
        scrub.current.or(scrub.last).unwrap_or_default().bytes,
    );
}

#[cfg(test)]
mod tests {
    use kinetic_store::scrub::report::ScrubCounts;
    use kinetic_store::{Health, HistogramFigures, Status};

    use super::*;

    fn figures() -> Figures {
        let status = Status {
            uuid: [0; 16],
            capacity_bytes: 9000,
            used_bytes: 1002,
            live_bytes: 1003,
            boot: 1,
            runs: 1005,
            groups: 1,
            group_bytes: 1,
            index_bytes: 1,
            syncs: 1,
            damage_seen: 1,
            writer_reads: 1011,
            read_failures: 1012,
            flushes: 1013,
            merges: 1014,
            moves: 1015,
            moved_bytes: 1016,
            health: Health::Healthy,
        };
        let histogram = |sum| HistogramFigures {
            bounds: &[10],
            counts: vec![1, 2],
            sum,
        };
        let cache = |hits| CacheFigures {
            hits,
            misses: hits + 1,
            bytes: hits + 2,
        };
        Figures {
            status,
            free_zones: 1101,
            queued_commits: 1102,
            queued_bytes: 1103,
            commits: 1104,
            put_bytes: 1000,
            written_bytes: 1500,
            group_commits: histogram(1107),
            group_sizes: histogram(1108),
            sync_times: histogram(1_500_000),
            block_cache: cache(1200),
            value_cache: cache(1300),
            memtable_bytes: 1110,
            damaged_values: 1111,
            damaged_blocks: 1112,
            damaged_groups: 1113,
        }
    }

    #[test]
    fn every_figure_is_shown_under_its_name() {
        let scrub = ScrubStatus {
            rounds: 1401,
            last: Some(ScrubCounts {
                bytes: 1402,
                ..ScrubCounts::default()
            }),
            ..ScrubStatus::default()
        };
        let mut text = Text::default();
        write_figures(&mut text, &figures(), (scrub, 1403));
        let text = text.finish();
        for line in [
            "kinetic_commit_queue_commits 1102",
            "kinetic_commit_queue_bytes 1103",
            "kinetic_commits_total 1104",
            "kinetic_group_commits_sum 1107",
            "kinetic_group_bytes_sum 1108",
            "kinetic_sync_duration_seconds_sum 1.5",
            "kinetic_sync_duration_seconds_count 3",
            "kinetic_put_bytes_total 1000",
            "kinetic_disk_written_bytes_total 1500",
            "kinetic_write_amplification_ratio 1.5",
            "kinetic_capacity_bytes 9000",
            "kinetic_used_bytes 1002",
            "kinetic_free_bytes 7998",
            "kinetic_free_zones 1101",
            "kinetic_live_bytes 1003",
            "kinetic_runs 1005",
            "kinetic_cache_hits_total{cache=\"block\"} 1200",
            "kinetic_cache_misses_total{cache=\"value\"} 1301",
            "kinetic_cache_bytes{cache=\"value\"} 1302",
            "kinetic_memtable_bytes 1110",
            "kinetic_flushes_total 1013",
            "kinetic_merges_total 1014",
            "kinetic_reclaim_moved_values_total 1015",
            "kinetic_reclaim_moved_bytes_total 1016",
            "kinetic_writer_disk_reads_total 1011",
            "kinetic_disk_read_failures_total 1012",
            "kinetic_damaged_reads_total{of=\"value\"} 1111",
            "kinetic_damaged_reads_total{of=\"block\"} 1112",
            "kinetic_damaged_reads_total{of=\"group\"} 1113",
            "kinetic_scrub_rounds_total 1401",
            "kinetic_scrub_findings 1403",
            "kinetic_scrub_bytes 1402",
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "no {line} in\n{text}"
            );
        }
    }

    #[test]
    fn nothing_put_is_no_amplification() {
        assert_eq!((ratio(0, 0), ratio(7, 0), ratio(3, 2)), (0.0, 0.0, 1.5));
    }
}
