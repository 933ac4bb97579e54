//! Who does what takes its time: reads of the disk, changes of the drive, looks at the host.

use std::thread::JoinHandle;

/// Who does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Labour {
    /// Threads of the server's own, as a drive in production has them. The host is looked at.
    #[default]
    OwnThreads,
    /// Tasks of the runtime, which do what may wait for the disk on its threads for such work: many
    /// servers share them. The host is not looked at.
    Pool,
    /// Tasks of the runtime that wait for the disk where they are: for disks that never make
    /// anybody wait, and whoever wants all of it on one thread. The host is not looked at.
    Here,
}

impl Labour {
    /// Does what may wait for the disk. `None` where the runtime ends meanwhile.
    pub(crate) async fn carry<T: Send + 'static>(
        self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        match self {
            Self::Here => Some(work()),
            Self::OwnThreads | Self::Pool => match tokio::task::spawn_blocking(work).await {
                Ok(done) => Some(done),
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(_ended) => None,
            },
        }
    }
}

/// Somebody at work, who ends by themselves once nobody can send them anything.
#[derive(Debug)]
pub(crate) enum AtWork {
    /// A thread.
    Thread(JoinHandle<()>),
    /// A task.
    Task(tokio::task::JoinHandle<()>),
}

impl AtWork {
    /// Waits for the end of all of them.
    pub(crate) async fn join(all: Vec<Self>) {
        let (mut threads, mut tasks) = (Vec::new(), Vec::new());
        for one in all {
            match one {
                Self::Thread(thread) => threads.push(thread),
                Self::Task(task) => tasks.push(task),
            }
        }
        if !threads.is_empty() {
            let join = move || {
                for thread in threads {
                    // A thread that panicked has said so on stderr already.
                    let _ = thread.join();
                }
            };
            let _ = tokio::task::spawn_blocking(join).await;
        }
        for task in tasks {
            // So has a task.
            let _ = task.await;
        }
    }

    /// Ends a task where it waits; a thread ends by itself.
    pub(crate) fn abort(&self) {
        if let Self::Task(task) = self {
            task.abort();
        }
    }
}
