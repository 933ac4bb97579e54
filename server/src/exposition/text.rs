//! The text format of Prometheus, version 0.0.4.
//!
//! Guarantees: HELP and TYPE stand before the samples of a family; buckets of a histogram add up
//! and end with `+Inf`; label values are escaped. Whoever writes sees to it that a name is used
//! once, and that counters are called `..._total`.

use std::fmt::{Display, Write as _};

use kinetic_store::HistogramFigures;

/// The type of this text for HTTP.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A text that is being written.
#[derive(Debug, Default)]
pub struct Text {
    out: String,
}

/// What samples of a family are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only grows, until the drive starts again.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Counts by size.
    Histogram,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// What the numbers of a histogram are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// They are shown as they are.
    Plain,
    /// They are microseconds, and shown as seconds.
    Microseconds,
}

impl Unit {
    fn show(self, number: u64) -> f64 {
        match self {
            Self::Plain => number as f64,
            Self::Microseconds => number as f64 / 1e6,
        }
    }
}

/// Names and values of labels.
pub type Labels<'a> = [(&'a str, &'a str)];

impl Text {
    /// Begins a family.
    pub fn family(&mut self, kind: Kind, name: &'static str, help: &str) -> Family<'_> {
        // Writing to a string does not fail.
        let _ = writeln!(self.out, "# HELP {name} {help}");
        let _ = writeln!(self.out, "# TYPE {name} {}", kind.name());
        Family {
            out: &mut self.out,
            name,
        }
    }

    /// A counter without labels.
    pub fn counter(&mut self, name: &'static str, help: &str, value: u64) {
        self.family(Kind::Counter, name, help).sample(&[], value);
    }

    /// A gauge without labels.
    pub fn gauge(&mut self, name: &'static str, help: &str, value: impl Display) {
        self.family(Kind::Gauge, name, help).sample(&[], value);
    }

    /// The whole.
    #[must_use]
    pub fn finish(self) -> String {
        self.out
    }
}

/// A family whose samples are being written.
#[derive(Debug)]
pub struct Family<'a> {
    out: &'a mut String,
    name: &'static str,
}

impl Family<'_> {
    /// One sample.
    pub fn sample(&mut self, labels: &Labels<'_>, value: impl Display) {
        self.line("", labels, value);
    }

    /// One histogram.
    pub fn histogram(&mut self, labels: &Labels<'_>, figures: &HistogramFigures, unit: Unit) {
        let mut below = 0;
        let bounds = figures.bounds.iter().map(|bound| unit.show(*bound));
        let bounds = bounds.map(|bound| bound.to_string());
        let bounds = bounds.chain(["+Inf".to_owned()]);
        for (bound, count) in bounds.zip(&figures.counts) {
            below += count;
            let labels: Vec<_> = labels.iter().copied().chain([("le", &*bound)]).collect();
            self.line("_bucket", &labels, below);
        }
        self.line("_sum", labels, unit.show(figures.sum));
        self.line("_count", labels, below);
    }

    fn line(&mut self, suffix: &str, labels: &Labels<'_>, value: impl Display) {
        let _ = write!(self.out, "{}{suffix}", self.name);
        for (place, (name, value)) in labels.iter().enumerate() {
            let before = if place == 0 { '{' } else { ',' };
            let _ = write!(self.out, "{before}{name}=\"{}\"", escaped(value));
        }
        let after = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.out, "{after} {value}");
    }
}

fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_written_as_the_format_wants_them() {
        let mut text = Text::default();
        text.counter("a_total", "What happened.", 3);
        let mut family = text.family(Kind::Gauge, "b_ratio", "How much.");
        family.sample(&[("of", "a\"b\\c\nd"), ("at", "x")], 0.5);
        let figures = HistogramFigures {
            bounds: &[50, 1_000_000],
            counts: vec![1, 0, 2],
            sum: 20_000_050,
        };
        let mut family = text.family(Kind::Histogram, "c_seconds", "How long.");
        family.histogram(&[("type", "PUT")], &figures, Unit::Microseconds);
        let expected = "\
# HELP a_total What happened.
# TYPE a_total counter
a_total 3
# HELP b_ratio How much.
# TYPE b_ratio gauge
b_ratio{of=\"a\\\"b\\\\c\\nd\",at=\"x\"} 0.5
# HELP c_seconds How long.
# TYPE c_seconds histogram
c_seconds_bucket{type=\"PUT\",le=\"0.00005\"} 1
c_seconds_bucket{type=\"PUT\",le=\"1\"} 1
c_seconds_bucket{type=\"PUT\",le=\"+Inf\"} 3
c_seconds_sum{type=\"PUT\"} 20.00005
c_seconds_count{type=\"PUT\"} 3
";
        assert_eq!(text.finish(), expected);
    }
}
