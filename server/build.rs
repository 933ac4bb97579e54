//! Tells the drive which commit it was built from, for GETLOG CONFIGURATION.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=../.git/logs/HEAD");
    let of_commit = |format: &str| {
        let arguments = ["log", "-1", "--date=short", format];
        let output = Command::new("git").args(arguments).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        let text = text.trim();
        (output.status.success() && !text.is_empty()).then(|| text.to_owned())
    };
    let hash = of_commit("--format=%H").unwrap_or_else(|| "unknown".to_owned());
    let date = of_commit("--format=%cd").unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env=KINETIC_SOURCE_HASH={hash}");
    println!("cargo::rustc-env=KINETIC_SOURCE_DATE={date}");
}
