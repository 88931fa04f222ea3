//! How a gateway ends: who may still finish, and for how long.

use std::time::Duration;

use tokio::sync::watch;

use crate::config::Limits;

/// How long a kept connection may still begin a request once the gateway stops. Its client may have sent one already.
const LINGER: Duration = Duration::from_millis(250);
/// The same for a new connection, whose client means to send a request.
const LINGER_FRESH: Duration = Duration::from_secs(2);
/// The same, either way, where another gateway has taken over, and nobody waits for this one.
const LINGER_BESIDE_SUCCESSOR: Duration = Duration::from_secs(5);

/// Whether it ends, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Ending {
    /// It serves.
    #[default]
    No,
    /// Another process accepts in its place: every exchange may take the time it has.
    Succeeded,
    /// It stops: exchanges have `limits.drain_timeout`.
    Stopped,
}

/// Until a connection without a request on it is closed; `fresh` before its first one.
pub(super) async fn linger(mut ending: watch::Receiver<Ending>, fresh: bool) {
    // Errors mean that the handle is gone, which is a stop as well.
    drop(ending.wait_for(|it| *it != Ending::No).await);
    if *ending.borrow() == Ending::Succeeded {
        let stopped = ending.wait_for(|it| *it == Ending::Stopped);
        if tokio::time::timeout(LINGER_BESIDE_SUCCESSOR, stopped).await.is_err() {
            return;
        }
    }
    tokio::time::sleep(if fresh { LINGER_FRESH } else { LINGER }).await;
}

/// Until exchanges that still run are cut off, counted from the moment it began to end.
pub(super) async fn patience(mut ending: watch::Receiver<Ending>, limits: Limits) {
    if *ending.borrow() == Ending::Succeeded {
        let stopped = ending.wait_for(|it| *it == Ending::Stopped);
        if tokio::time::timeout(limits.total_timeout, stopped).await.is_err() {
            return;
        }
    }
    tokio::time::sleep(limits.drain_timeout).await;
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_stop_waits_a_moment_and_a_succession_longer_until_it_is_stopped_too() {
        let (sender, ending) = watch::channel(Ending::No);
        let waiting = tokio::spawn(linger(ending.clone(), false));
        tokio::time::sleep(Duration::from_secs(100)).await;
        assert!(!waiting.is_finished());
        let began = Instant::now();
        sender.send_replace(Ending::Stopped);
        waiting.await.unwrap();
        assert_eq!(began.elapsed(), LINGER);

        sender.send_replace(Ending::Succeeded);
        let began = Instant::now();
        linger(ending.clone(), true).await;
        assert_eq!(began.elapsed(), LINGER_BESIDE_SUCCESSOR);

        let limits = Limits::default();
        let began = Instant::now();
        patience(ending.clone(), limits).await;
        assert_eq!(began.elapsed(), limits.total_timeout);
        let waiting = tokio::spawn(patience(ending, limits));
        tokio::time::sleep(Duration::from_secs(100)).await;
        let began = Instant::now();
        sender.send_replace(Ending::Stopped);
        waiting.await.unwrap();
        assert_eq!(began.elapsed(), limits.drain_timeout);
    }
}
