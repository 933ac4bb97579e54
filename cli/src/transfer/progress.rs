//! How far a transfer is, on standard error if that is a terminal.
//!
//! Guarantees: silent elsewhere, but for what could not be transferred. Not here: totals.

use std::sync::Once;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::units::counted;

/// A progress bar, or nothing.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    appeared: Once,
}

impl Progress {
    /// For a known number of bytes.
    pub(crate) fn of_bytes(total: u64) -> Self {
        let bar = ProgressBar::new(total);
        let form = "{bar:30} {bytes}/{total_bytes} {bytes_per_sec}, {eta} left  {msg}";
        Self::styled(bar, form)
    }

    /// For an unknown one.
    pub(crate) fn open_ended() -> Self {
        Self::styled(
            ProgressBar::no_length(),
            "{spinner} {bytes} {bytes_per_sec}  {msg}",
        )
    }

    /// For what is over at once as a rule: it appears with the first thing that it shows.
    pub(crate) fn late() -> Self {
        let progress = Self::of_bytes(0);
        progress.bar.set_draw_target(ProgressDrawTarget::hidden());
        progress
    }

    fn styled(bar: ProgressBar, form: &str) -> Self {
        // A form that indicatif does not understand leaves its own in place.
        if let Ok(style) = ProgressStyle::with_template(form) {
            bar.set_style(style);
        }
        Self {
            bar,
            appeared: Once::new(),
        }
    }

    /// One more file of so many bytes, the `count`th.
    pub(crate) fn advance(&self, bytes: u64, count: u64) {
        self.bar.inc(bytes);
        if !self.bar.is_hidden() {
            self.bar.set_message(counted(count, "file"));
        }
    }

    /// So many bytes are done, of so many if that is known.
    pub(crate) fn show(&self, done: u64, total: u64, message: &str) {
        let stderr = || self.bar.set_draw_target(ProgressDrawTarget::stderr());
        self.appeared.call_once(stderr);
        if self.bar.is_hidden() {
            return;
        }
        if total > 0 {
            self.bar.set_length(total);
        }
        self.bar.set_position(done);
        self.bar.set_message(message.to_owned());
    }

    /// Does something that prints, without the bar in its way.
    pub(crate) fn suspend(&self, print: impl FnOnce()) {
        self.bar.suspend(print);
    }

    /// A line about something that was left out, above the bar.
    pub(crate) fn complain(&self, line: &str) {
        self.bar.suspend(|| eprintln!("{line}"));
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
