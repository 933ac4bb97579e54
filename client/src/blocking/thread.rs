//! The thread that a connection lives on, with a runtime of its own.
//!
//! Guarantees: it ends when the last handle to it is gone; who waits for something that it does not
//! do any more is told that the connection is closed.

use std::io;
use std::sync::Arc;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// A handle to it.
#[derive(Debug, Clone)]
pub(super) struct Thread(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    runtime: Handle,
    /// Its end is what the thread waits for.
    _stop: oneshot::Sender<()>,
}

/// The thread was gone before there was an answer.
#[derive(Debug)]
pub(super) struct Gone;

/// An answer that is to come.
#[derive(Debug)]
pub(super) struct Coming<T> {
    answer: oneshot::Receiver<T>,
    _thread: Thread,
}

impl Thread {
    /// Starts one.
    pub(super) fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new().name("kinetic-client".to_owned());
        thread.spawn(move || {
            // Nothing is ever sent: the last handle was dropped.
            let _ = runtime.block_on(stopped);
        })?;
        let inner = Inner {
            runtime: handle,
            _stop: stop,
        };
        Ok(Self(Arc::new(inner)))
    }

    /// Has this done there, from now on.
    pub(super) fn begin<F>(&self, work: F) -> Coming<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let (answer, coming) = oneshot::channel();
        self.0.runtime.spawn(async move {
            // Who does not wait any more has dropped what would have told them.
            let _ = answer.send(work.await);
        });
        Coming {
            answer: coming,
            _thread: self.clone(),
        }
    }

    /// Has this done there and waits for it.
    pub(super) fn run<F>(&self, work: F) -> Result<F::Output, Gone>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.begin(work).wait()
    }
}

impl<T> Coming<T> {
    /// Waits for it.
    ///
    /// # Panics
    /// Within asynchronous code.
    pub(super) fn wait(self) -> Result<T, Gone> {
        // What tokio says there: that the current thread cannot be blocked within a runtime.
        self.answer.blocking_recv().map_err(|_gone| Gone)
    }
}
