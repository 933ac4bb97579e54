//! `optimize`: waits until the drive is done, however long that takes.

use indicatif::ProgressBar;
use kinetic_client::StatusCode;

use super::{connect, quantum};
use crate::args::GlobalArgs;
use crate::failure::Failure;
use crate::output::{Format, Output};

pub(in crate::commands) async fn optimize(
    global: &GlobalArgs,
    output: &mut Output,
) -> Result<(), Failure> {
    let client = connect(global).await?;
    let progress = ProgressBar::new_spinner();
    progress.set_message("the drive puts its index in order");
    loop {
        progress.tick();
        match client.media_optimize().within(quantum(global)).await {
            Ok(()) => break,
            // It goes on, and the next request waits for the same.
            Err(error) if error.status() == Some(StatusCode::EXPIRED) => {}
            Err(error) => return Err(Failure::of("optimize")(error)),
        }
    }
    progress.finish_and_clear();
    match output.format() {
        Format::Table => Ok(()),
        Format::Json => output.record(vec![("optimized", true.into())]),
    }
}
