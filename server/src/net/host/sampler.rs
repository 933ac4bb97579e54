//! A thread that looks now and then at the host, so that GETLOG need not, and at what scrub found.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::kernel::{self, Host};
use crate::device::vitals::Vitals;
use crate::limits::SAMPLE_SECONDS;
use crate::net::clock::Clock;
use crate::ops::scrub_log::{Told, tell};
use crate::session::Drive;

/// The thread.
#[derive(Debug)]
pub(crate) struct Sampler {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Sampler {
    /// Looks once, then starts the thread.
    pub(crate) fn start(drive: &Arc<Drive>, host: Host) -> io::Result<Self> {
        let (stop, stopped) = bounded(1);
        drive.device.set_vitals(Vitals {
            interfaces: kernel::interfaces(),
            ..Vitals::default()
        });
        let drive = Arc::clone(drive);
        let thread = std::thread::Builder::new().name("kinetic-sample".to_owned());
        let thread = thread.spawn(move || watch(&drive, &host, &stopped))?;
        Ok(Self { stop, thread })
    }

    /// Ends the thread.
    pub(crate) fn stop(self) {
        drop(self.stop);
        // A thread that panicked has said so on stderr already.
        let _ = self.thread.join();
    }
}

fn watch(drive: &Drive, host: &Host, stopped: &Receiver<()>) {
    let clock = Clock::start();
    let mut before = (host.totals(), clock.now_us());
    let pause = Duration::from_secs(SAMPLE_SECONDS);
    let mut told = Told::default();
    while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
        let now = (host.totals(), clock.now_us());
        let passed_us = now.1.saturating_sub(before.1);
        let vitals = host.vitals(&now.0, &before.0, passed_us);
        drive.device.set_vitals(vitals);
        tell(&drive.device, &mut told);
        before = now;
    }
}
