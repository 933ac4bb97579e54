//! A store that is stopped: what was submitted is done, however much of it waits.

use super::*;
use crate::SubmitError;

impl Drive {
    /// Submits until the queue takes no more.
    fn fill_the_queue(&mut self) {
        loop {
            self.next_token += 1;
            let key = Bytes::copy_from_slice(&self.next_token.to_be_bytes());
            let put = Mutation::Put {
                key,
                value: Bytes::from(vec![7; 1000]),
                attributes: Attributes::default(),
                expected: Expected::Any,
            };
            let completion = Arc::<Outcomes>::clone(&self.outcomes);
            let commit = Commit {
                mutations: vec![put],
                durability: Durability::WriteThrough,
                priority: Priority::NORMAL,
                token: self.next_token,
                completion,
            };
            match self.store.submit(commit) {
                Ok(_ticket) => {}
                Err(SubmitError::Busy(_)) => return,
                Err(SubmitError::Closed(_)) => panic!("it is open"),
            }
        }
    }
}

#[test]
fn a_stop_gets_everything_done_even_where_the_queue_is_full() {
    let mut drive = Drive::new();
    let options = Options {
        queue_bytes: 50_000,
        ..options()
    };
    drive.reopen_with(options);
    drive.fill_the_queue();
    let submitted = drive.next_token - 1;
    assert!(submitted > 10);
    // The threads cannot begin before the stop has found the queue full.
    let writer = drive.store.inner.writer.lock().unwrap();
    let threads = drive.store.start_threads().unwrap();
    std::thread::scope(|scope| {
        let stopping = scope.spawn(|| threads.stop());
        while !drive.store.inner.shared.queue.is_closed() {
            std::thread::yield_now();
        }
        drop(writer);
        assert!(stopping.join().unwrap(), "the last flush was not done");
    });
    for token in 1..=submitted {
        assert_eq!(drive.outcome(token), Some(Ok(())), "{token}");
    }
}
