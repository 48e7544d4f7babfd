//! Runs queries off the async threads: so many at once, for so long, and a panic in one fails only that one.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time,
};

use super::{
    answer::{Answer, Failure},
    config::QueryConfig,
    metrics,
};

/// The share of the timeout that is kept back for writing the answer: reading stops when 7/8 are over.
const WRITING_SHARE: u32 = 8;

/// Where queries wait for their turn.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    turns: Arc<Semaphore>,
    queue_timeout: Duration,
    timeout: Duration,
}

/// One of `query.queries_max`; given back when dropped.
#[derive(Debug)]
pub(super) struct Turn {
    /// When the query's time is over.
    pub(super) until: time::Instant,
    _permit: OwnedSemaphorePermit,
    _running: metrics::Running,
}

impl Gate {
    pub(super) fn new(config: &QueryConfig) -> Self {
        Self {
            turns: Arc::new(Semaphore::new(config.queries_max.get().min(Semaphore::MAX_PERMITS))),
            queue_timeout: config.queue_timeout,
            timeout: config.timeout,
        }
    }

    /// Waits for a turn.
    pub(super) async fn turn(&self) -> Result<Turn, Failure> {
        let permit = time::timeout(self.queue_timeout, Arc::clone(&self.turns).acquire_owned()).await;
        let Ok(Ok(permit)) = permit else {
            return Err(Failure::Busy);
        };
        Ok(Turn { until: time::Instant::now() + self.timeout, _permit: permit, _running: metrics::Running::start() })
    }

    /// Waits for a turn, then runs `query` where blocking is allowed; it is given the moment to stop reading at.
    pub(super) async fn run(
        &self,
        query: impl FnOnce(Instant) -> Result<Answer, Failure> + Send + 'static,
    ) -> Result<Answer, Failure> {
        let turn = self.turn().await?;
        let deadline = Instant::now() + (self.timeout - self.timeout / WRITING_SHARE);
        let task = tokio::task::spawn_blocking(move || {
            // The turn goes with the work, not with the client: a query that overruns still counts.
            let _held = turn;
            query(deadline)
        });
        finish(task, self.timeout).await
    }
}

/// Runs something short that reads files, without a turn: health must answer while queries are queueing.
pub(super) async fn run_short(
    work: impl FnOnce() -> Result<Answer, Failure> + Send + 'static,
) -> Result<Answer, Failure> {
    finish(tokio::task::spawn_blocking(work), Duration::from_secs(10)).await
}

async fn finish(task: tokio::task::JoinHandle<Result<Answer, Failure>>, timeout: Duration) -> Result<Answer, Failure> {
    match time::timeout(timeout, task).await {
        Ok(Ok(result)) => result,
        Ok(Err(error)) => {
            tracing::error!(%error, "a query panicked");
            Err(Failure::Panicked)
        }
        Err(_) => Err(Failure::TimedOut),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn gate(queries_max: usize, queue_timeout: Duration, timeout: Duration) -> Gate {
        Gate { turns: Arc::new(Semaphore::new(queries_max)), queue_timeout, timeout }
    }

    fn done() -> Result<Answer, Failure> {
        Ok(Answer::text("", String::new()))
    }

    #[tokio::test]
    async fn a_query_too_many_is_refused_until_one_ends() {
        let gate = gate(1, Duration::from_millis(20), Duration::from_secs(60));
        let (release, held) = mpsc::channel::<()>();
        let (started, has_started) = tokio::sync::oneshot::channel();
        let first = tokio::spawn({
            let gate = gate.clone();
            async move {
                gate.run(move |_| {
                    started.send(()).expect("the test waits");
                    held.recv().expect("the test releases");
                    done()
                })
                .await
            }
        });
        has_started.await.expect("the first query runs");
        assert!(matches!(gate.run(|_| done()).await, Err(Failure::Busy)));
        release.send(()).expect("the first query waits");
        assert!(first.await.expect("joins").is_ok());
        assert!(gate.run(|_| done()).await.is_ok());
    }

    #[tokio::test]
    async fn an_overrun_answers_and_keeps_its_turn() {
        let gate = gate(1, Duration::from_millis(20), Duration::from_millis(40));
        let (release, held) = mpsc::channel::<()>();
        let result = gate.run(move |_| {
            held.recv().expect("the test releases");
            done()
        });
        assert!(matches!(result.await, Err(Failure::TimedOut)));
        assert!(matches!(gate.run(|_| done()).await, Err(Failure::Busy)));
        release.send(()).expect("the query still waits");
        assert!(Arc::clone(&gate.turns).acquire_owned().await.is_ok());
    }

    #[tokio::test]
    async fn a_panic_fails_one_query_and_frees_its_turn() {
        let gate = gate(1, Duration::from_secs(5), Duration::from_secs(5));
        assert!(matches!(gate.run(|_| panic!("on purpose")).await, Err(Failure::Panicked)));
        assert!(gate.run(|_| done()).await.is_ok());
    }

    #[tokio::test]
    async fn reading_stops_before_the_timeout() {
        let gate = gate(1, Duration::from_secs(5), Duration::from_secs(80));
        let begin = Instant::now();
        let result = gate.run(move |deadline| {
            let time_left = deadline - begin;
            assert!(time_left >= Duration::from_secs(70) && time_left < Duration::from_secs(75), "{time_left:?}");
            done()
        });
        assert!(result.await.is_ok());
    }
}
