//! docs/METRICS.md names what there is and nothing else, and so do the dashboard and the alerts.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use crate::Watched;

fn document(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../docs")
        .join(name);
    fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

/// The words of a text that are names of metrics, as families: parts of histograms are theirs.
fn names(text: &str, families: &BTreeSet<String>) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c: char| !is_part(c));
    let words = words.filter(|word| word.starts_with("kinetic_") && *word != "kinetic_");
    let family = |word: &str| {
        let parts = ["_bucket", "_sum", "_count"].iter();
        let mut whole = parts.filter_map(|part| word.strip_suffix(part));
        let whole = whole.find(|name| families.contains(*name));
        whole.unwrap_or(word).to_owned()
    };
    words.map(family).collect()
}

/// All families; one is there only where the host has a sensor.
fn families() -> BTreeSet<String> {
    let there = Watched::start().scrape().families.into_keys();
    there
        .chain(["kinetic_host_temperature_celsius".to_owned()])
        .collect()
}

#[test]
fn the_page_of_metrics_has_each_of_them_and_no_other() {
    let families = families();
    let named = names(&document("METRICS.md"), &families);
    let missing: Vec<_> = families.difference(&named).collect();
    assert!(missing.is_empty(), "docs/METRICS.md lacks {missing:?}");
    let strange: Vec<_> = named.difference(&families).collect();
    assert!(
        strange.is_empty(),
        "docs/METRICS.md has {strange:?}, which there is not"
    );
}

#[test]
fn the_dashboard_shows_only_what_there_is() {
    let families = families();
    let text = document("grafana-dashboard.json");
    let dashboard: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let mut shown = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64().expect("an id")), "{panel}");
        assert!(
            panel["title"]
                .as_str()
                .is_some_and(|title| !title.is_empty())
        );
        if panel["type"] == "row" {
            continue;
        }
        let targets = panel["targets"].as_array().expect("targets");
        assert!(!targets.is_empty(), "{panel}");
        for target in targets {
            let expression = target["expr"].as_str().expect("an expression");
            let found = names(expression, &families);
            assert!(!found.is_empty(), "{expression}");
            let strange: Vec<_> = found.difference(&families).collect();
            assert!(strange.is_empty(), "{strange:?} in {expression}");
            shown.extend(found);
        }
    }
    assert!(shown.len() > 20, "{shown:?}");
}
