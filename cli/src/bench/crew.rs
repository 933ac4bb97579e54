//! The crew: threads with a runtime each, to which the connections are dealt.
//!
//! Guarantee: what belongs to a connection stays on one thread, so that no answer has to wake
//! another one. Dropping the crew ends what still runs, and its threads.

use std::io;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// Threads that wait for work.
#[derive(Debug)]
pub(super) struct Crew(Vec<Hand>);

#[derive(Debug)]
struct Hand {
    runtime: Handle,
    /// The thread ends when this is dropped.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Crew {
    /// Starts as many threads as asked for, or as there are processors, but no more than there
    /// are connections.
    pub(super) fn new(threads: Option<usize>, connections: usize) -> io::Result<Self> {
        let threads = match threads {
            Some(threads) => threads,
            None => thread::available_parallelism()?.get(),
        };
        let hands = (0..threads.min(connections).max(1)).map(|_| Hand::new());
        hands.collect::<io::Result<_>>().map(Self)
    }

    /// Where each of the connections lives, one after the other, without end.
    pub(super) fn deal(&self) -> impl Iterator<Item = &Handle> {
        self.0.iter().map(|hand| &hand.runtime).cycle()
    }
}

impl Hand {
    fn new() -> io::Result<Self> {
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = mpsc::sync_channel(1);
        let thread = thread::Builder::new().name("kinetic-load".to_owned());
        let thread = thread.spawn(move || {
            // The runtime ends where it was made: it must not be dropped by a task.
            match Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => {
                    let _ = tell.send(Ok(runtime.handle().clone()));
                    // Whether it was sent or dropped, it is over.
                    let _ = runtime.block_on(stopped);
                }
                Err(error) => drop(tell.send(Err(error))),
            }
        })?;
        let runtime = told.recv().map_err(io::Error::other)??;
        Ok(Self {
            runtime,
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // It only runs tasks, whose panics their own handles tell.
            let _ = thread.join();
        }
    }
}
