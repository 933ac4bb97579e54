//! Entries of this drive, read for a push.
//!
//! Guarantees: what is in memory is read at once, the rest by the threads for that; nothing is read
//! in another opening of the store than the one that the push was granted in.

use std::future::poll_fn;
use std::sync::Arc;

use kinetic_store::Effort;

use super::Desk;
use crate::auth::{Grant, grant};
use crate::net::buffers::inbox::{Done, Inbox, Known};
use crate::net::workers::jobs::Length;
use crate::net::workers::readers::{Job, Task};
use crate::ops::get::Extent;
use crate::ops::{Answer, Read};
use crate::session::manner::Manner;

/// Reads an entry, as a GET of its key would.
pub(super) async fn read(
    desk: &Desk,
    (epoch, manner): (Option<u64>, Manner),
    grant: Grant<grant::Read>,
) -> Answer {
    let mut read = Read::Entry(grant, Extent::Whole);
    {
        // Held, so that the drive cannot be erased and opened between this look and the read.
        let opening = desk.drive.device.store_of(epoch);
        if opening.is_none() {
            return read.refused();
        }
        if let Ok(answer) = read.run(&desk.drive.device, Effort::Cached) {
            return answer;
        }
    }
    let inbox = Arc::<Inbox>::default();
    let mut job = Box::new(Job {
        task: Task::Answer(read),
        manner,
        length: Length::Short,
        claim: None,
        epoch,
        token: 0,
        inbox: Arc::clone(&inbox),
    });
    while let Err(refused) = desk.readers.submit(job) {
        job = refused;
        // There is room where there was none.
        let _room = news(&inbox).await;
    }
    loop {
        for one in news(&inbox).await {
            if let Done::Read(_, answer) = one {
                return *answer;
            }
        }
    }
}

/// Waits until something is done.
async fn news(inbox: &Inbox) -> Vec<Done> {
    poll_fn(|context| inbox.poll(context, &Known::Running)).await;
    let mut done = Vec::new();
    inbox.take(&mut done);
    done
}
