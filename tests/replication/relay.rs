//! A way to a drive that stays the same when the drive comes back on another port, and that can be
//! slow.
//!
//! Guarantee: connections end when either end does; its threads end with them.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Bytes that are passed on at once.
const PIECE_BYTES: usize = 64 << 10;

/// How long a slow way holds each piece: some tens of MiB a second pass.
const HELD: Duration = Duration::from_millis(1);

/// How fast it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    Full,
    Slow,
}

/// A listening relay.
pub(crate) struct Relay {
    address: SocketAddr,
    target: Arc<Mutex<SocketAddr>>,
}

impl Relay {
    pub(crate) fn to(target: SocketAddr, pace: Pace) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let target = Arc::new(Mutex::new(target));
        let known = Arc::clone(&target);
        let listen = move || {
            for near in listener.incoming().map_while(Result::ok) {
                let target = *known.lock().unwrap_or_else(PoisonError::into_inner);
                // Where nobody listens the connection ends at once, as a peer sees it.
                if let Ok(far) = TcpStream::connect(target) {
                    join(near, far, pace).expect("two more threads");
                }
            }
        };
        spawn("relay", listen).expect("a thread");
        Self { address, target }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// New connections go there.
    pub(crate) fn lead_to(&self, target: SocketAddr) {
        *self.target.lock().unwrap_or_else(PoisonError::into_inner) = target;
    }
}

fn join(near: TcpStream, far: TcpStream, pace: Pace) -> io::Result<()> {
    let (back, forth) = (far.try_clone()?, near.try_clone()?);
    spawn("forth", move || pass(forth, far, pace))?;
    spawn("back", move || pass(back, near, Pace::Full))
}

#[expect(
    clippy::disallowed_methods,
    reason = "a slow way is one that takes its time; nothing waits for it"
)]
fn pass(mut from: TcpStream, mut to: TcpStream, pace: Pace) {
    let mut piece = vec![0; PIECE_BYTES];
    while let Ok(count @ 1..) = from.read(&mut piece) {
        if pace == Pace::Slow {
            thread::sleep(HELD);
        }
        if to
            .write_all(piece.get(..count).unwrap_or_default())
            .is_err()
        {
            break;
        }
    }
    // The other direction may have ended before.
    to.shutdown(Shutdown::Both).ok();
    from.shutdown(Shutdown::Both).ok();
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let named = thread::Builder::new().name(name.to_owned());
    named.spawn(work).map(drop)
}
