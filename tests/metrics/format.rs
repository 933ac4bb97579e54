//! The text format of Prometheus, read strictly: what `promtool check metrics` refuses is refused
//! here, and some more. Where there is a `promtool`, it is asked as well.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::Watched;

/// A valid text, taken apart.
#[derive(Debug, Clone)]
pub(crate) struct Scrape {
    /// By name: its kind.
    pub(crate) families: BTreeMap<String, String>,
    /// By name and labels, as they stand there.
    pub(crate) samples: BTreeMap<String, f64>,
}

/// What goes its own way, whatever the drive is asked.
const OF_THE_HOST: &str = "kinetic_host_";

impl Scrape {
    /// Reads a text, and panics where it is not valid.
    pub(crate) fn of(text: &str) -> Self {
        assert!(text.ends_with('\n'), "the last line has no end");
        let mut scrape = Self {
            families: BTreeMap::new(),
            samples: BTreeMap::new(),
        };
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            let help = line.strip_prefix("# HELP ").expect("HELP before samples");
            let (name, help) = help.split_once(' ').expect("a text behind HELP");
            assert!(help.ends_with('.') && help.len() > 3, "no sentence: {line}");
            let kind = lines.next().and_then(|line| line.strip_prefix("# TYPE "));
            let (typed, kind) = kind.and_then(|line| line.split_once(' ')).expect("TYPE");
            assert_eq!(typed, name, "TYPE of another family");
            check_name(name, kind);
            let known = scrape.families.insert(name.to_owned(), kind.to_owned());
            assert_eq!(known, None, "{name} twice");
            let mut family = Vec::new();
            while let Some(sample) = lines.next_if(|line| !line.starts_with('#')) {
                family.push(sample_of(sample));
            }
            assert!(!family.is_empty(), "{name} is empty");
            check_family((name, kind), &family);
            for (series, value) in family {
                let known = scrape.samples.insert(series.clone(), value);
                assert_eq!(known, None, "{series} twice");
            }
        }
        scrape
    }

    /// A series by its name and labels.
    pub(crate) fn value(&self, series: &str) -> f64 {
        let value = self.samples.get(series).copied();
        value.unwrap_or_else(|| panic!("there is no {series}"))
    }

    /// What is another number now, by how much; buckets left out, counters checked to grow.
    pub(crate) fn since(&self, before: &Self) -> BTreeMap<String, f64> {
        let mut moved = BTreeMap::new();
        for (series, value) in &self.samples {
            let difference = value - before.samples.get(series).copied().unwrap_or(0.0);
            let counts = series.split('{').next().unwrap_or_default();
            assert!(
                difference >= 0.0 || !counts.ends_with("_total"),
                "{series} went back"
            );
            let is_bucket = series.contains("_bucket{");
            if difference != 0.0 && !is_bucket && !series.starts_with(OF_THE_HOST) {
                moved.insert(series.clone(), difference);
            }
        }
        moved
    }
}

fn check_name(name: &str, kind: &str) {
    let plain = |c: char| c.is_ascii_lowercase() || c == '_';
    assert!(
        name.starts_with("kinetic_") && name.chars().all(plain),
        "{name}"
    );
    assert!(["counter", "gauge", "histogram"].contains(&kind), "{kind}");
    assert_eq!(
        name.ends_with("_total"),
        kind == "counter",
        "{name} is a {kind}"
    );
    for end in ["_count", "_sum", "_bucket"] {
        assert!(!name.ends_with(end), "{name} is like a part of a histogram");
    }
    let words: Vec<&str> = name.split('_').collect();
    for wrong in [
        "ms",
        "us",
        "milliseconds",
        "microseconds",
        "kib",
        "mib",
        "percent",
        kind,
    ] {
        assert!(!words.contains(&wrong), "{name} has `{wrong}` in it");
    }
    let timed = ["duration", "time", "latency"];
    if timed.iter().any(|word| words.contains(word)) {
        assert!(words.contains(&"seconds"), "{name} has no unit");
    }
}

/// Name with labels, and the value.
fn sample_of(line: &str) -> (String, f64) {
    let (series, value) = line.rsplit_once(' ').expect("a value");
    let value = match value {
        "+Inf" => f64::INFINITY,
        value => value
            .parse()
            .unwrap_or_else(|_why| panic!("no number: {line}")),
    };
    if let Some((_, labels)) = series.split_once('{') {
        let labels = labels.strip_suffix('}').expect("an end of labels");
        for label in split_labels(labels) {
            let (name, value) = label.split_once('=').expect("a value of a label");
            assert!(!name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_'));
            let value = value
                .strip_prefix('"')
                .and_then(|value| value.strip_suffix('"'));
            assert!(value.is_some_and(|value| !value.is_empty()), "{line}");
        }
    }
    (series.to_owned(), value)
}

/// Labels at their commas; ours have none in their values.
fn split_labels(labels: &str) -> Vec<&str> {
    labels.split(',').collect()
}

fn check_family((name, kind): (&str, &str), samples: &[(String, f64)]) {
    if kind != "histogram" {
        for (series, value) in samples {
            let own = series.split('{').next();
            assert_eq!(own, Some(name), "a sample of another family");
            assert!(
                value.is_finite() && (kind != "counter" || *value >= 0.0),
                "{series}"
            );
        }
        return;
    }
    let (mut last, mut bound) = (0.0, f64::NEG_INFINITY);
    let mut infinite = None;
    for (series, value) in samples {
        let rest = series
            .strip_prefix(name)
            .expect("a sample of another family");
        if rest.starts_with("_bucket{") {
            let le = rest
                .split("le=\"")
                .nth(1)
                .expect("a bound")
                .trim_end_matches("\"}");
            let le: f64 = le.parse().expect("a bound that is a number");
            if infinite.is_some() {
                panic!("{series} behind the last bucket");
            }
            assert!(le > bound && *value >= last, "{series} does not grow");
            (last, bound) = (*value, le);
            if le.is_infinite() {
                infinite = Some(*value);
            }
        } else if rest.starts_with("_count") {
            assert_eq!(Some(*value), infinite, "{series} is not what +Inf says");
            (last, bound, infinite) = (0.0, f64::NEG_INFINITY, None);
        } else {
            assert!(rest.starts_with("_sum") && infinite.is_some(), "{series}");
        }
    }
    assert_eq!(infinite, None, "{name} has no count at its end");
}

#[test]
fn the_text_is_valid_for_drives_that_are_open_and_locked() {
    let watched = Watched::start();
    watched.talk().put(b"key", b"value").success();
    check_by_promtool(&crate::http::get(watched.metrics, "/metrics").body);
    let open = watched.scrape();
    let mut talk = watched.talk_tls();
    talk.pin_operation(kinetic_tests::admin::LOCK, Some(b"1234"))
        .success();
    check_by_promtool(&crate::http::get(watched.metrics, "/metrics").body);
    let locked = watched.scrape();
    assert!(locked.families.len() > 10 && locked.families.len() < open.families.len());
}

/// Asks Prometheus' own tool, where there is one.
fn check_by_promtool(text: &str) {
    let child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        eprintln!("promtool is not asked, for there is none; the text was read strictly here");
        return;
    };
    let mut input = child.stdin.take().expect("an input");
    input.write_all(text.as_bytes()).expect("it reads");
    drop(input);
    let output = child.wait_with_output().expect("an end");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}

#[test]
fn what_is_not_valid_is_found() {
    let valid =
        "# HELP kinetic_a_total It is.\n# TYPE kinetic_a_total counter\nkinetic_a_total 1\n";
    let scrape = Scrape::of(valid);
    assert_eq!(scrape.value("kinetic_a_total"), 1.0);
    let twice = valid.repeat(2);
    for wrong in [
        valid.trim_end(),
        &valid.replace("# HELP kinetic_a_total It is.\n", ""),
        &valid.replace("counter", "gauge"),
        &valid.replace("a_total 1", "a_total one"),
        &valid.replace("a_total 1", "b_total 1"),
        &valid.replace("_total", "_ms_total"),
        &valid.replace("_total", ""),
        &twice,
        "# HELP kinetic_h It is.\n# TYPE kinetic_h histogram\nkinetic_h_bucket{le=\"1\"} 2\n\
         kinetic_h_bucket{le=\"+Inf\"} 1\nkinetic_h_sum 1\nkinetic_h_count 1\n",
        "# HELP kinetic_h It is.\n# TYPE kinetic_h histogram\nkinetic_h_bucket{le=\"1\"} 2\n\
         kinetic_h_sum 1\nkinetic_h_count 2\n",
    ] {
        let found = std::panic::catch_unwind(|| Scrape::of(wrong));
        assert!(found.is_err(), "{wrong}");
    }
}
