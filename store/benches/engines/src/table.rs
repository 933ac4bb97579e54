//! The tables that are printed: medians of all rounds, and what we are of the best other engine.

use std::collections::BTreeMap;

use crate::engines::Kind;
use crate::figure::{Figure, Figures, Sample};

/// One kind of pass: bytes of a value, and threads.
pub(crate) type Load = (usize, usize);

/// What a table shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Operations a second, and bytes written.
    Rates,
    /// Microseconds of processors for each operation.
    Processors,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Better {
    Less,
    More,
}

/// What all rounds have measured.
#[derive(Debug, Default)]
pub(crate) struct Results {
    samples: BTreeMap<(Load, Figure), BTreeMap<Kind, Vec<Sample>>>,
}

impl Results {
    /// Adds what a pass has measured.
    pub(crate) fn add(&mut self, load: Load, kind: Kind, figures: Figures) {
        for (figure, sample) in figures {
            let row = self.samples.entry((load, figure)).or_default();
            row.entry(kind).or_default().push(sample);
        }
    }

    /// One table in Markdown.
    pub(crate) fn table(&self, what: Shown) -> String {
        let mut text = String::from("| value | threads | operation |");
        for kind in Kind::ALL {
            text.push_str(&format!(" {} |", kind.name()));
        }
        text.push_str(" plain of the best other | sealed of the best other |\n");
        text.push_str("| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |\n");
        for (((value, threads), figure), samples) in &self.samples {
            let medians = medians(samples, what);
            if medians.is_empty() {
                continue;
            }
            let name = figure.name();
            text.push_str(&format!("| {} | {threads} | {name} |", bytes(*value)));
            let better = match (what, figure) {
                (Shown::Processors, _) | (_, Figure::Written) => Better::Less,
                (Shown::Rates, _) => Better::More,
            };
            for kind in Kind::ALL {
                let median = medians.get(&kind);
                let cell = match what {
                    Shown::Rates if *figure == Figure::Written => median.map(|m| format!("{m:.3}")),
                    Shown::Rates => median.map(|m| format!("{m:.0}")),
                    Shown::Processors => median.map(|m| format!("{m:.1}")),
                };
                text.push_str(&format!(" {} |", cell.unwrap_or_default()));
            }
            let best = best(&medians, better);
            for ours in [Kind::Plain, Kind::Sealed] {
                let ratio = medians.get(&ours).zip(best).map(|(ours, best)| ours / best);
                let cell = ratio.map(|ratio| format!("{ratio:.2}"));
                text.push_str(&format!(" {} |", cell.unwrap_or_default()));
            }
            text.push('\n');
        }
        text
    }
}

fn medians(samples: &BTreeMap<Kind, Vec<Sample>>, what: Shown) -> BTreeMap<Kind, f64> {
    let values = samples.iter().map(|(kind, samples)| {
        let values = samples.iter().filter_map(|sample| match what {
            Shown::Rates => Some(sample.rate),
            Shown::Processors => sample.processor_us,
        });
        (*kind, values.collect::<Vec<f64>>())
    });
    let values = values.filter(|(_, values)| !values.is_empty());
    values
        .map(|(kind, values)| (kind, median(&values)))
        .collect()
}

/// The best figure of the others.
fn best(medians: &BTreeMap<Kind, f64>, better: Better) -> Option<f64> {
    let others = [Kind::Rocksdb, Kind::Fjall].map(|kind| medians.get(&kind).copied());
    let others = others.into_iter().flatten();
    match better {
        Better::Less => others.min_by(f64::total_cmp),
        Better::More => others.max_by(f64::total_cmp),
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

    fn figures(figure: Figure, rate: f64) -> Figures {
        let processor_us = (figure != Figure::Written).then_some(1e6 / rate);
        Figures::from([(figure, Sample { rate, processor_us })])
    }

    #[test]
    fn a_row_has_medians_and_what_we_are_of_the_better_of_the_others() {
        let mut results = Results::default();
        for (kind, samples) in [
            (Kind::Plain, [90.0, 500.0, 100.0]),
            (Kind::Sealed, [50.0, 50.0, 50.0]),
            (Kind::Rocksdb, [25.0, 25.0, 25.0]),
            (Kind::Fjall, [40.0, 39.0, 41.0]),
        ] {
            for rate in samples {
                results.add((65536, 4), kind, figures(Figure::Put, rate));
            }
        }
        let last = |what| results.table(what).lines().last().unwrap().to_owned();
        let rates = "| 64 KiB | 4 | PUT | 100 | 50 | 25 | 40 | 2.50 | 1.25 |";
        assert_eq!(last(Shown::Rates), rates);
        let processors =
            "| 64 KiB | 4 | PUT | 10000.0 | 20000.0 | 40000.0 | 25000.0 | 0.40 | 0.80 |";
        assert_eq!(last(Shown::Processors), processors);
    }

    #[test]
    fn of_bytes_written_the_fewest_are_the_best_and_they_take_no_time() {
        let mut results = Results::default();
        for (kind, rate) in [(Kind::Plain, 1.0), (Kind::Rocksdb, 2.0), (Kind::Fjall, 4.0)] {
            results.add((1024, 1), kind, figures(Figure::Written, rate));
        }
        let table = results.table(Shown::Rates);
        let row = "| 1.000 |  | 2.000 | 4.000 | 0.50 |  |\n";
        assert!(table.ends_with(row), "{table}");
        assert_eq!(results.table(Shown::Processors).lines().count(), 2);
    }
}
