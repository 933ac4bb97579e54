//! How far a transfer is, on standard error if that is a terminal.
//!
//! Guarantees: silent elsewhere, but for what could not be transferred. Not here: totals.

use indicatif::{ProgressBar, ProgressStyle};

use crate::units::counted;

/// A progress bar, or nothing.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// For a known number of bytes.
    pub(super) fn of_bytes(total: u64) -> Self {
        let bar = ProgressBar::new(total);
        let form = "{bar:30} {bytes}/{total_bytes} {bytes_per_sec}, {eta} left  {msg}";
        Self::styled(bar, form)
    }

    /// For an unknown one.
    pub(super) fn open_ended() -> Self {
        Self::styled(
            ProgressBar::no_length(),
            "{spinner} {bytes} {bytes_per_sec}  {msg}",
        )
    }

    fn styled(bar: ProgressBar, form: &str) -> Self {
        // A form that indicatif does not understand leaves its own in place.
        if let Ok(style) = ProgressStyle::with_template(form) {
            bar.set_style(style);
        }
        Self { bar }
    }

    /// One more file of so many bytes, the `count`th.
    pub(super) fn advance(&self, bytes: u64, count: u64) {
        self.bar.inc(bytes);
        if !self.bar.is_hidden() {
            self.bar.set_message(counted(count, "file"));
        }
    }

    /// A line about something that was left out, above the bar.
    pub(super) fn complain(&self, line: &str) {
        self.bar.suspend(|| eprintln!("{line}"));
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
