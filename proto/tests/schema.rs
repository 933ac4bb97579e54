//! The committed generated code is exactly what `kinetic.proto` gives.
//!
//! Run with `KINETIC_PROTO_REGENERATE=1` to rewrite it after a change of the schema. No `protoc`
//! is involved: protox compiles the schema, prost-build writes the code.

use std::path::Path;

use prost_build::{Config, Module};

const PREFACE: &str =
    "//! Generated from `kinetic.proto` by the test `schema`; not to be edited.\n";

/// Bodies that are rare or large live behind a pointer, so that a command for the common
/// operations stays small enough to be moved around cheaply.
const BOXED: [&str; 4] = [
    ".kinetic.Command.body",
    ".kinetic.Command.Body.getLog",
    ".kinetic.Command.Body.security",
    ".kinetic.Command.Body.p2pOperation",
];

#[test]
fn generated_code_follows_from_the_schema() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let committed = root.join("src/generated/kinetic.rs");
    let fresh = generate(root);
    if std::env::var_os("KINETIC_PROTO_REGENERATE").is_some_and(|value| value == "1") {
        std::fs::write(&committed, &fresh).expect("the generated file is writable");
    }
    let found = std::fs::read_to_string(&committed).expect("the generated file is committed");
    assert!(
        found == fresh,
        "src/generated/kinetic.rs is stale: run this test with KINETIC_PROTO_REGENERATE=1"
    );
}

fn generate(root: &Path) -> String {
    let descriptors = protox::compile(["kinetic.proto"], [root]).expect("the schema is valid");
    let mut config = Config::new();
    config.bytes(["."]);
    for path in BOXED {
        config.boxed(path);
    }
    let requests = descriptors
        .file
        .into_iter()
        .map(|file| (Module::from_protobuf_package_name(file.package()), file))
        .collect();
    let mut modules = config
        .generate(requests)
        .expect("prost-build accepts the schema");
    let code = modules
        .remove(&Module::from_protobuf_package_name("kinetic"))
        .expect("the package is named kinetic");
    format!("{PREFACE}{code}")
}
