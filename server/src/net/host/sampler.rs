//! A thread that looks now and then at the host, so that GETLOG need not, and at what scrub found;
//! or a task that looks at the latter only.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::kernel::{self, Host};
use crate::device::vitals::Vitals;
use crate::limits::{SAMPLE_SECONDS, TELL_SECONDS};
use crate::net::clock::Clock;
use crate::net::surroundings::Labour;
use crate::net::surroundings::labour::AtWork;
use crate::ops::scrub_log::{Told, tell};
use crate::session::Drive;

/// The thread or task.
#[derive(Debug)]
pub(crate) struct Sampler {
    stop: Sender<()>,
    work: AtWork,
}

impl Sampler {
    /// Looks once, then starts it.
    pub(crate) fn start(drive: &Arc<Drive>, labour: Labour, host: Host) -> io::Result<Self> {
        let (stop, stopped) = bounded(1);
        let drive = Arc::clone(drive);
        if labour != Labour::Here {
            drive.device.set_vitals(Vitals {
                interfaces: kernel::interfaces(),
                ..Vitals::default()
            });
        }
        let work = match labour {
            Labour::OwnThreads => {
                let thread = std::thread::Builder::new().name("kinetic-sample".to_owned());
                AtWork::Thread(thread.spawn(move || watch(&drive, &host, &stopped))?)
            }
            Labour::Pool | Labour::Here => AtWork::Task(tokio::spawn(watch_scrub(drive))),
        };
        Ok(Self { stop, work })
    }

    /// Ends it.
    pub(crate) async fn stop(self) {
        drop(self.stop);
        self.work.abort();
        AtWork::join(vec![self.work]).await;
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

async fn watch_scrub(drive: Arc<Drive>) {
    let mut told = Told::default();
    loop {
        tokio::time::sleep(Duration::from_secs(TELL_SECONDS)).await;
        tell(&drive.device, &mut told);
    }
}
