//! The tables that are printed: medians of all rounds, and what we are of the best other engine.

use std::collections::BTreeMap;

use crate::engines::Kind;
use crate::pass::{Figure, Figures};

/// One kind of pass: bytes of a value, and threads.
pub(crate) type Load = (usize, usize);

/// What all rounds have measured.
#[derive(Debug, Default)]
pub(crate) struct Results {
    samples: BTreeMap<(Load, Figure), BTreeMap<Kind, Vec<f64>>>,
}

impl Results {
    /// Adds what a pass has measured.
    pub(crate) fn add(&mut self, load: Load, kind: Kind, figures: Figures) {
        for (figure, sample) in figures {
            let row = self.samples.entry((load, figure)).or_default();
            row.entry(kind).or_default().push(sample);
        }
    }

    /// All of it as a table in Markdown.
    pub(crate) fn table(&self) -> String {
        let mut text = String::from("| value | threads | operation |");
        for kind in Kind::ALL {
            text.push_str(&format!(" {} |", kind.name()));
        }
        text.push_str(" plain of the best other | sealed of the best other |\n");
        text.push_str("| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |\n");
        for (((value, threads), figure), samples) in &self.samples {
            let medians: BTreeMap<Kind, f64> = samples
                .iter()
                .map(|(kind, samples)| (*kind, median(samples)))
                .collect();
            let name = figure.name();
            text.push_str(&format!("| {} | {threads} | {name} |", bytes(*value)));
            for kind in Kind::ALL {
                let shown = medians.get(&kind).map(|median| shown(*figure, *median));
                text.push_str(&format!(" {} |", shown.unwrap_or_default()));
            }
            for ours in [Kind::Plain, Kind::Sealed] {
                let ratio = ratio(*figure, ours, &medians).map(|ratio| format!("{ratio:.2}"));
                text.push_str(&format!(" {} |", ratio.unwrap_or_default()));
            }
            text.push('\n');
        }
        text
    }
}

/// Ours divided by the best of the others; of bytes written, fewer are better.
fn ratio(figure: Figure, ours: Kind, medians: &BTreeMap<Kind, f64>) -> Option<f64> {
    let others = [Kind::Rocksdb, Kind::Fjall].map(|kind| medians.get(&kind).copied());
    let others = others.into_iter().flatten();
    let best = match figure {
        Figure::Written => others.min_by(f64::total_cmp),
        _ => others.max_by(f64::total_cmp),
    };
    Some(medians.get(&ours)? / best?)
}

fn shown(figure: Figure, median: f64) -> String {
    match figure {
        Figure::Written => format!("{median:.3}"),
        _ => format!("{median:.0}"),
    }
}

/// The middle of some samples; the mean of the two in the middle where there is none.
fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let middle = |at: usize| sorted.get(at).copied().unwrap_or_default();
    let half = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        middle(half)
    } else {
        f64::midpoint(middle(half.saturating_sub(1)), middle(half))
    }
}

/// A size in the largest unit that it has a whole number of.
fn bytes(bytes: usize) -> String {
    match bytes {
        _ if bytes > 0 && bytes.is_multiple_of(1 << 20) => format!("{} MiB", bytes >> 20),
        _ if bytes > 0 && bytes.is_multiple_of(1 << 10) => format!("{} KiB", bytes >> 10),
        _ => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_medians_and_what_we_are_of_the_better_of_the_others() {
        let mut results = Results::default();
        for (kind, samples) in [
            (Kind::Plain, [90.0, 500.0, 100.0]),
            (Kind::Sealed, [50.0, 50.0, 50.0]),
            (Kind::Rocksdb, [25.0, 25.0, 25.0]),
            (Kind::Fjall, [40.0, 39.0, 41.0]),
        ] {
            for sample in samples {
                let figures = Figures::from([(Figure::Put, sample)]);
                results.add((65536, 4), kind, figures);
            }
        }
        let table = results.table();
        let row = table.lines().last().unwrap();
        assert_eq!(
            row,
            "| 64 KiB | 4 | PUT | 100 | 50 | 25 | 40 | 2.50 | 1.25 |"
        );
    }

    #[test]
    fn of_bytes_written_the_fewest_are_the_best() {
        let mut results = Results::default();
        for (kind, sample) in [(Kind::Plain, 1.0), (Kind::Rocksdb, 2.0), (Kind::Fjall, 4.0)] {
            let figures = Figures::from([(Figure::Written, sample)]);
            results.add((1024, 1), kind, figures);
        }
        let table = results.table();
        assert!(
            table.ends_with("| 1.000 |  | 2.000 | 4.000 | 0.50 |  |\n"),
            "{table}"
        );
    }
}
