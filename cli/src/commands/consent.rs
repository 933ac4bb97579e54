//! Asking before something is done that cannot be undone.
//!
//! Guarantees: only the word yes, typed on a terminal, is consent. Not here: `--yes`.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _};

use crate::failure::Failure;

/// Asks; without consent the failure says that `untouched`.
pub(super) fn confirm(question: &str, untouched: &str) -> Result<(), Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::Usage(format!(
            "{untouched}: nobody is there to ask; --yes does it without asking"
        )));
    }
    eprint!("{question} Type yes: ");
    let mut answer = String::new();
    let read = io::stdin().lock().take(64).read_line(&mut answer);
    read.map_err(|source| Failure::Stream {
        stream: "input",
        source,
    })?;
    if answer.trim() == "yes" {
        Ok(())
    } else {
        Err(Failure::Usage(untouched.to_owned()))
    }
}
