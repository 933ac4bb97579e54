//! Which crate may depend on which: the layers of the design, read from each `Cargo.toml`.

use crate::finding::{Finding, Rule};

/// A crate of ours: what it may stand on, and which foreign crates it must never see.
pub(crate) struct Layer {
    pub(crate) folder: &'static str,
    allowed: &'static [&'static str],
    banned: &'static [&'static str],
}

const RUNTIME: &[&str] = &["tokio"];
const RUNTIME_AND_MESSAGES: &[&str] = &["tokio", "prost", "quick-protobuf"];

/// Lowest first. Dependencies for tests and build scripts count like all others.
pub(crate) const LAYERS: &[Layer] = &[
    Layer {
        folder: "proto",
        allowed: &[],
        banned: RUNTIME,
    },
    Layer {
        folder: "store",
        allowed: &[],
        banned: RUNTIME_AND_MESSAGES,
    },
    Layer {
        folder: "client",
        allowed: &["kinetic-proto"],
        banned: &[],
    },
    Layer {
        folder: "server",
        allowed: &["kinetic-client", "kinetic-store", "kinetic-proto"],
        banned: &[],
    },
    Layer {
        folder: "simulator",
        allowed: &[
            "kinetic-server",
            "kinetic-client",
            "kinetic-store",
            "kinetic-proto",
        ],
        banned: &[],
    },
    Layer {
        folder: "cli",
        allowed: &["kinetic-client", "kinetic-store"],
        banned: &[],
    },
    Layer {
        folder: "tests",
        allowed: &[
            "kinetic-client",
            "kinetic-proto",
            "kinetic-server",
            "kinetic-simulator",
            "kinetic-store",
        ],
        banned: &[],
    },
];

/// Dependencies in one manifest that the layer does not allow.
pub(crate) fn check(layer: &Layer, manifest: &str) -> Vec<Finding> {
    let file = format!("{}/Cargo.toml", layer.folder);
    let finding = |line: usize, subject: &str, message: String| Finding {
        file: file.clone(),
        line,
        rule: Rule::Layers,
        subject: subject.to_owned(),
        message,
    };
    let table: toml::Table = match manifest.parse() {
        Ok(table) => table,
        Err(error) => return vec![finding(1, "", format!("cannot be parsed: {error}"))],
    };
    let mut findings = Vec::new();
    for name in dependencies(&table) {
        let ours = name.starts_with("kinetic-");
        if (ours && !layer.allowed.contains(&name.as_str()))
            || layer.banned.contains(&name.as_str())
        {
            let starts = |line: &str| line.trim_start().starts_with(&name);
            let line = manifest.lines().position(starts).map_or(1, |at| at + 1);
            let allowed = layer.allowed.join(", ");
            let message = format!(
                "`{}` may not depend on `{name}`; of ours it may see: [{allowed}]",
                layer.folder
            );
            findings.push(finding(line, &name, message));
        }
    }
    findings
}

/// Names of all dependencies, whatever their kind or target.
fn dependencies(table: &toml::Table) -> Vec<String> {
    let mut names = Vec::new();
    for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
        if let Some(toml::Value::Table(found)) = table.get(kind) {
            names.extend(found.keys().cloned());
        }
    }
    if let Some(toml::Value::Table(targets)) = table.get("target") {
        for target in targets.values().filter_map(toml::Value::as_table) {
            names.extend(dependencies(target));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(folder: &str) -> &'static Layer {
        LAYERS
            .iter()
            .find(|layer| layer.folder == folder)
            .expect("a layer of ours")
    }

    #[test]
    fn the_server_may_see_store_and_client() {
        let manifest = "[dependencies]\nkinetic-store.workspace = true\nkinetic-client = \"1\"\n";
        assert!(check(layer("server"), manifest).is_empty());
    }

    #[test]
    fn a_dependency_upward_is_found_with_its_line() {
        let manifest = "[dependencies]\nbytes = \"1\"\nkinetic-server.workspace = true\n";
        let found = check(layer("store"), manifest);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].line, found[0].subject.as_str()),
            (3, "kinetic-server")
        );
    }

    #[test]
    fn dependencies_of_tests_builds_and_targets_count_too() {
        for manifest in [
            "[dev-dependencies]\nkinetic-store.workspace = true\n",
            "[build-dependencies]\nkinetic-store.workspace = true\n",
            "[target.'cfg(unix)'.dependencies]\nkinetic-store.workspace = true\n",
        ] {
            assert_eq!(check(layer("client"), manifest).len(), 1, "{manifest}");
        }
    }

    #[test]
    fn the_engine_sees_no_runtime_and_no_protobuf() {
        let manifest = "[dependencies]\ntokio.workspace = true\nprost.workspace = true\n";
        assert_eq!(check(layer("store"), manifest).len(), 2);
    }

    #[test]
    fn a_manifest_that_cannot_be_parsed_is_a_finding() {
        assert_eq!(check(layer("store"), "[dependencies\n").len(), 1);
    }
}
