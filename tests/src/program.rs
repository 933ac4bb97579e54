//! The workspace's own binaries, built by cargo when a test first needs them.
//!
//! Cargo hands a test only the binaries of its own package. Taking what lies in the target folder
//! could run yesterday's server, so cargo is asked every time; it answers in a moment where
//! nothing changed. `KINETICD` and `KINETIC` name binaries to be used instead.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// A binary of this workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// `kineticd`, the drive.
    Drive,
    /// `kinetic`, the command.
    Command,
}

/// Why a binary is not to be had.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ProgramError {
    /// The environment names a file that isn't there.
    #[error("{variable} names {path}, which is no file")]
    NoSuchFile {
        /// The environment variable.
        variable: &'static str,
        /// Its value.
        path: String,
    },
    /// The test's own place tells nothing about the target folder.
    #[error("the target folder cannot be told from {0}")]
    StrangePlace(String),
    /// Cargo did not build it.
    #[error("cargo build --bin {name} failed:\n{said}")]
    Build {
        /// The binary.
        name: &'static str,
        /// Cargo's standard error.
        said: String,
    },
}

impl Program {
    /// Where the binary lies, built afresh if any source changed.
    pub fn path(self) -> Result<PathBuf, ProgramError> {
        static DRIVE: OnceLock<Result<PathBuf, ProgramError>> = OnceLock::new();
        static COMMAND: OnceLock<Result<PathBuf, ProgramError>> = OnceLock::new();
        let once = match self {
            Self::Drive => &DRIVE,
            Self::Command => &COMMAND,
        };
        once.get_or_init(|| self.find()).clone()
    }

    fn name(self) -> &'static str {
        match self {
            Self::Drive => "kineticd",
            Self::Command => "kinetic",
        }
    }

    fn variable(self) -> &'static str {
        match self {
            Self::Drive => "KINETICD",
            Self::Command => "KINETIC",
        }
    }

    fn find(self) -> Result<PathBuf, ProgramError> {
        let variable = self.variable();
        if let Some(named) = env::var_os(variable) {
            let path = PathBuf::from(&named);
            return if path.is_file() {
                Ok(path)
            } else {
                let path = named.to_string_lossy().into_owned();
                Err(ProgramError::NoSuchFile { variable, path })
            };
        }
        self.build()
    }

    fn build(self) -> Result<PathBuf, ProgramError> {
        let me = env::current_exe().unwrap_or_default();
        let strange = || ProgramError::StrangePlace(me.display().to_string());
        // <target>/<profile>/deps/<test> or <target>/<profile>/examples/<example>
        let profile = me.ancestors().nth(2).ok_or_else(strange)?;
        let target = profile.parent().ok_or_else(strange)?;
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .ok_or_else(strange)?;

        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command
            .current_dir(root)
            .args(["build", "--quiet", "--locked", "--bin", self.name()]);
        command.arg("--target-dir").arg(target);
        if profile.ends_with("release") {
            command.arg("--release");
        }
        let built = command.stdin(Stdio::null()).output();
        let failed = |said: String| ProgramError::Build {
            name: self.name(),
            said,
        };
        match built {
            Ok(output) if output.status.success() => Ok(profile.join(self.name())),
            Ok(output) => Err(failed(String::from_utf8_lossy(&output.stderr).into_owned())),
            Err(error) => Err(failed(error.to_string())),
        }
    }
}
