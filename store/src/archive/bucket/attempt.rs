//! Tries a request until it succeeds, cannot succeed, or its bounds are reached.

use std::{
    future::Future,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use super::{Bucket, BucketError, error::Failure, metrics, options::RetryBounds};

/// How many waits were asked for in this process: each varies in its own way.
static WAITS: AtomicU64 = AtomicU64::new(0);

impl Bucket {
    /// Runs `request` until it succeeds, within the bounds. `operation` is its name in metrics.
    pub(super) async fn attempt<T, R>(
        &self,
        operation: &'static str,
        key: &str,
        mut request: impl FnMut() -> R,
    ) -> Result<T, BucketError>
    where
        R: Future<Output = Result<T, Failure>>,
    {
        let surroundings = &self.shared.surroundings;
        let mut reason = "nothing is asked of it for a while, because it did not answer".to_owned();
        for number in 1..=self.retry.attempts_max.max(1) {
            let Some(leave) = self.shared.breaker.enter(surroundings.clock.now_ns()) else {
                metrics::REQUESTS.with_label_values(&[operation, "not_asked"]).inc();
                return Err(BucketError::Away { reason });
            };
            let begun_ns = surroundings.clock.now_ns();
            let result = request().await;
            let now_ns = surroundings.clock.now_ns();
            let taken = Duration::from_nanos(now_ns.saturating_sub(begun_ns));
            metrics::REQUEST_SECONDS.with_label_values(&[operation]).observe(taken.as_secs_f64());
            metrics::REQUESTS.with_label_values(&[operation, outcome(&result)]).inc();
            match result {
                Ok(value) => {
                    leave.succeeded();
                    self.shared.denied.store(false, Ordering::Relaxed);
                    return Ok(value);
                }
                Err(Failure::Never(error)) => {
                    leave.succeeded();
                    self.say_denied(&error);
                    return Err(error);
                }
                Err(Failure::Busy(words)) => {
                    leave.succeeded();
                    reason = words;
                }
                Err(Failure::Again(words)) => {
                    leave.failed(now_ns);
                    reason = words;
                }
            }
            tracing::debug!(operation, key, number, reason, "an attempt at the archive's store failed");
            if number < self.retry.attempts_max {
                let chance = chance(surroundings.seed, WAITS.fetch_add(1, Ordering::Relaxed));
                (surroundings.wait)(wait(&self.retry, number, chance)).await;
            }
        }
        Err(BucketError::Away { reason })
    }

    /// Says once that the store refuses us, until something succeeds again.
    fn say_denied(&self, error: &BucketError) {
        let denied = matches!(error, BucketError::Denied { .. });
        if denied && !self.shared.denied.swap(true, Ordering::Relaxed) {
            tracing::error!(url = self.url(), "the archive's store refuses a request: {error}");
        }
    }
}

/// A word for metrics.
fn outcome<T>(result: &Result<T, Failure>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(Failure::Again(_)) => "away",
        Err(Failure::Busy(_)) => "busy",
        Err(Failure::Never(error)) => match error {
            BucketError::NotFound { .. } => "not_found",
            BucketError::Denied { .. } => "denied",
            BucketError::Conflict { .. } => "conflict",
            BucketError::Corrupt { .. } => "corrupt",
            _ => "failed",
        },
    }
}

/// The wait after attempt `number` (from 1): doubling from the least to the most, a fifth more or less by chance (0..1).
fn wait(bounds: &RetryBounds, number: u32, chance: f64) -> Duration {
    let doubled = bounds.wait_min.saturating_mul(1_u32.checked_shl(number - 1).unwrap_or(u32::MAX));
    doubled.min(bounds.wait_max).mul_f64(0.8 + 0.4 * chance)
}

/// A number in 0..1 that differs with each wait and each process (splitmix64).
fn chance(seed: u64, number: u64) -> f64 {
    let mut mixed = seed.wrapping_add(number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_most_and_vary_by_a_fifth() {
        let bounds = RetryBounds::default();
        let middle: Vec<u64> = (1..=7).map(|number| wait(&bounds, number, 0.5).as_secs()).collect();
        assert_eq!(middle, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(wait(&bounds, 1, 0.0), Duration::from_millis(800));
        assert_eq!(wait(&bounds, 40, 1.0), Duration::from_secs(36));
        let chances: Vec<f64> = (0..1000).map(|number| chance(7, number)).collect();
        assert!(chances.iter().all(|chance| (0.0..1.0).contains(chance)));
        assert!((chances.iter().sum::<f64>() / 1000.0 - 0.5).abs() < 0.05);
    }
}
