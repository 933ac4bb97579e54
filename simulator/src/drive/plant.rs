//! What all drives of a process share: a runtime for their connections, a crew for their stores.
//!
//! Guarantee: started with the first drive and never ended, so that no runtime of a test, blocked
//! or gone, stops a drive. Its threads are as many for a thousand drives as for one; those that may
//! wait for a disk end when nobody needs them.

use std::future::Future;
use std::num::NonZeroUsize;
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, OnceLock, PoisonError};

use kinetic_store::Crew;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

use super::error::SimError;
use crate::limits::{CREW_THREADS, DISK_THREADS, OPENINGS, RUNTIME_THREADS};

/// The runtime and the crew.
pub(super) struct Plant {
    runtime: Runtime,
    /// Does the work of the stores.
    pub(super) crew: Crew,
    /// Few drives are opened at a time, so that many at once take no thread each.
    pub(super) openings: Semaphore,
}

static PLANT: OnceLock<Plant> = OnceLock::new();
static STARTING: Mutex<()> = Mutex::new(());

impl Plant {
    /// The one of this process, started now if it is not.
    pub(super) fn get() -> Result<&'static Self, SimError> {
        let _one_at_a_time = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plant) = PLANT.get() {
            return Ok(plant);
        }
        let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .thread_name("kinetic-sim-net")
            .worker_threads(processors.clamp(RUNTIME_THREADS.0, RUNTIME_THREADS.1))
            .max_blocking_threads(DISK_THREADS)
            .enable_all()
            .build()
            .map_err(SimError::Threads)?;
        let crew = Crew::start(CREW_THREADS, "kinetic-sim").map_err(SimError::Threads)?;
        Ok(PLANT.get_or_init(|| Self {
            runtime,
            crew,
            openings: Semaphore::new(OPENINGS),
        }))
    }

    /// Does it here, and waits for it on whatever runtime the caller has.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, SimError>> + Send + 'static,
    ) -> Result<T, SimError> {
        self.runtime
            .spawn(work)
            .await
            .unwrap_or(Err(SimError::Ended))
    }

    /// The same for a caller that has none, or blocks its own.
    pub(super) fn run_blocking<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, SimError>> + Send + 'static,
    ) -> Result<T, SimError> {
        let (done, told) = sync_channel(1);
        self.runtime.spawn(async move {
            // Nobody who waits is nobody to tell.
            let _ = done.send(work.await);
        });
        told.recv().unwrap_or(Err(SimError::Ended))
    }

    /// Has it done, and does not wait.
    pub(super) fn leave(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(work);
    }
}
