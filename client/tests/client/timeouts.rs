//! Deadlines, and time in which nothing happens, on a clock that stands still until every task
//! waits.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use kinetic_client::schema::command::Body;
use kinetic_client::{Client, Config, ConnectError, Error, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

use crate::fake_drive::{FakeDrive, connected};

#[tokio::test(start_paused = true)]
async fn a_timeout_leaves_the_connection_usable_and_the_late_answer_is_dropped() {
    let (client, mut drive) = connected(Config::default()).await;
    let hasty = client.get("slow").timeout(Duration::from_millis(50)).await;
    assert!(matches!(hasty, Err(Error::Timeout { after }) if after.as_millis() == 50));
    let slow = drive.next().await;
    let (next, ()) = tokio::join!(client.noop().into_future(), async {
        let asked = drive.next().await;
        let status = StatusCode::SUCCESS.to_message();
        drive.answer(&slow, status, Body::default()).await;
        drive.succeed(&asked).await;
    });
    next.unwrap();
    assert!(client.disconnected().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_request_without_its_own_timeout_has_that_of_the_configuration() {
    let config = Config {
        request_timeout: Duration::from_secs(3),
        ..Config::default()
    };
    let (client, _drive) = connected(config).await;
    let started = tokio::time::Instant::now();
    let outcome = client.noop().await;
    assert!(matches!(outcome, Err(Error::Timeout { .. })));
    assert!((3..4).contains(&started.elapsed().as_secs()));
}

#[tokio::test(start_paused = true)]
async fn requests_with_different_timeouts_each_end_at_their_own() {
    let (client, _drive) = connected(Config::default()).await;
    let started = tokio::time::Instant::now();
    let ends = |seconds: u64| {
        let noop = client.noop().timeout(Duration::from_secs(seconds));
        async move {
            assert!(noop.await.is_err());
            assert_eq!(started.elapsed().as_secs(), seconds);
        }
    };
    tokio::join!(ends(9), ends(2), ends(5), ends(1));
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_room_in_the_budget_has_a_deadline_too() {
    let config = Config {
        in_flight_bytes: 1000,
        ..Config::default()
    };
    let (client, mut drive) = connected(config).await;
    let first = tokio::spawn(client.put("first", vec![0; 900]).into_future());
    let asked = drive.next().await;
    let second = client
        .put("second", vec![0; 900])
        .timeout(Duration::from_secs(1))
        .await;
    assert!(matches!(second, Err(Error::Timeout { .. })));
    drive.succeed(&asked).await;
    first.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_drive_that_reads_nothing_does_not_keep_requests_from_expiring() {
    let (client, drive) = connected(Config::default()).await;
    let puts = (0..20).map(|_| client.put("key", vec![0; 1 << 20]));
    let mut tasks = tokio::task::JoinSet::new();
    for put in puts {
        tasks.spawn(put.timeout(Duration::from_secs(1)).into_future());
    }
    while let Some(outcome) = tasks.join_next().await {
        assert!(matches!(outcome.unwrap(), Err(Error::Timeout { .. })));
    }
    drop(drive);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_says_nothing_is_given_up() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let outcome = Client::connect(address, Config::default()).await;
    assert!(matches!(outcome, Err(ConnectError::Silent { .. })));
}

/// Turns that a connection may take in an hour: for a timer that was left over, or a late waker.
const FEW: usize = 4;

/// A stream that counts how often it is looked at.
struct Counted {
    stream: DuplexStream,
    looks: Arc<AtomicUsize>,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.looks.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[tokio::test(start_paused = true)]
async fn an_hour_without_news_is_slept_through() {
    let (near, far) = tokio::io::duplex(64 << 10);
    let looks = Arc::new(AtomicUsize::new(0));
    let counted = Counted {
        stream: near,
        looks: Arc::clone(&looks),
    };
    let mut drive = FakeDrive::new(far);
    drive.greet().await;
    let client = Client::over(counted, Config::default()).await.unwrap();
    let an_hour = Duration::from_secs(3600);
    let (answered, ()) = tokio::join!(client.noop().into_future(), async {
        let asked = drive.next().await;
        drive.succeed(&asked).await;
    });
    answered.unwrap();
    let before = looks.load(Ordering::Relaxed);
    tokio::time::sleep(an_hour).await;
    let idle = looks.load(Ordering::Relaxed) - before;
    assert!(idle <= FEW, "{idle} looks at nothing");

    // Nor does it look while it waits for an answer.
    let waiting = tokio::spawn(client.get("a").timeout(2 * an_hour).into_future());
    let asked = drive.next().await;
    let before = looks.load(Ordering::Relaxed);
    tokio::time::sleep(an_hour).await;
    let idle = looks.load(Ordering::Relaxed) - before;
    assert!(idle <= FEW, "{idle} looks for one answer");
    let missing = StatusCode::NOT_FOUND.to_message();
    drive.answer(&asked, missing, Default::default()).await;
    assert_eq!(waiting.await.unwrap().unwrap(), None);
}
