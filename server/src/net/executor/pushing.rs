//! A connection's pushes to other drives.
//!
//! Guarantees: a push sees what its connection wrote before; it ends with its connection.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::task::AbortHandle;

use super::{Executor, Flow, Held, Waiting};
use crate::net::workers::PushJob;
use crate::ops::Answer;
use crate::ops::push::Granted;
use crate::session::reply::{Route, Signer};

/// The connection's pushes, by token; they end with it.
#[derive(Default)]
pub(super) struct Pushing(BTreeMap<u64, AbortHandle>);

impl Drop for Pushing {
    fn drop(&mut self) {
        self.0.values().for_each(AbortHandle::abort);
    }
}

impl Pushing {
    /// It has come to its end.
    pub(super) fn end(&mut self, token: u64) {
        self.0.remove(&token);
    }
}

impl Executor {
    /// Has entries pushed to a peer, once all earlier writes of this connection are visible.
    pub(super) fn push(&mut self, route: Route, push: Granted, until_us: Option<u64>) -> Flow {
        if !self.writes_are_visible() {
            self.held = Some(Held::Push(route, push, until_us));
            return Flow::Wait;
        }
        let (now_us, epoch, manner) = (route.arrived_us, route.epoch, route.manner);
        let Signer::Identity(identity) = &route.signer else {
            // A PIN asks for nothing but PIN operations.
            return Flow::Go;
        };
        let identity = (identity.number, identity.key.clone());
        let token = self.pending.insert(Waiting::of(route, 0));
        let job = PushJob {
            push,
            identity,
            epoch,
            manner,
            until_us,
            token,
            inbox: Arc::clone(&self.inbox),
        };
        match self.workers.pushes.begin(job) {
            Ok(task) => {
                self.pushing.0.insert(token, task);
            }
            Err(busy) => {
                if let Some(waiting) = self.pending.remove(token) {
                    self.answer(&waiting, Answer::of(busy), now_us);
                }
            }
        }
        Flow::Go
    }
}
