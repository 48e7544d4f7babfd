//! Runs the sampler: its turns, and what it does now and then beside them.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    lane::shared::{Shared, verdicts_path},
    sampling::Sampler,
};

/// Pause between two rounds of decisions: each is a group commit of the verdict journal. A fraction of the lateness that is allowed.
const ROUND_EVERY: Duration = Duration::from_millis(20);

/// How often files of the verdict journal are looked through, and metrics shown.
const TIDY_EVERY: Duration = Duration::from_secs(1);

/// How often the policies' learned state is written down.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(30);

/// Samples until the store stops.
pub(crate) fn run(shared: &Arc<Shared>) {
    let (mut tidied, mut checkpointed) = (Instant::now(), Instant::now());
    let mut decided = Instant::now();
    while !shared.is_stopping() {
        // Without a decision that was due, one is under way: its end wakes.
        let until_due = ROUND_EVERY.saturating_sub(decided.elapsed());
        shared.sampled.pause(if until_due.is_zero() { ROUND_EVERY } else { until_due });
        let now = Instant::now();
        if turn(shared, now.duration_since(decided) >= ROUND_EVERY) {
            decided = now;
        }
        if tidied.elapsed() >= TIDY_EVERY {
            tidy(shared);
            tidied = Instant::now();
        }
        if checkpointed.elapsed() >= CHECKPOINT_EVERY {
            checkpoint(shared);
            checkpointed = Instant::now();
        }
    }
    if shared.failure.borrow().is_none() {
        checkpoint(shared);
    }
}

/// Takes in, applies, and if it `decides`, decides: whether it did. Not before the verdicts of the last time are durable.
pub(crate) fn turn(shared: &Shared, decides: bool) -> bool {
    let first_unsealed = shared.traces.first_unsealed();
    let turned = with_sampler(shared, |sampler| sampler.turn(decides.then_some(first_unsealed)));
    turned.unwrap_or_else(|error| {
        if !shared.is_stopping() {
            shared.fail(format!("verdicts cannot be journalled: {error}"));
        }
        false
    })
}

/// Lets go of verdicts that nobody needs.
pub(crate) fn tidy(shared: &Shared) {
    let first_unsealed = shared.traces.first_unsealed();
    with_sampler(shared, |sampler| {
        sampler.show_metrics();
        if let Err(error) = sampler.retire_verdicts(first_unsealed) {
            // They are tried again with the next ones.
            tracing::warn!(%error, "cannot delete files of the verdict journal");
        }
    });
}

/// Writes down what the policies have learned.
pub(crate) fn checkpoint(shared: &Shared) {
    let folder = verdicts_path(&shared.options.path);
    // Written without the lock: the sampler's status does not wait for the disk.
    let Some(checkpoint) = with_sampler(shared, |sampler| sampler.checkpoint()) else { return };
    if let Err(error) = checkpoint.write(&shared.disk, &folder) {
        tracing::warn!(%error, "what sampling policies have learned is not written down; trying again later");
    }
}

fn with_sampler<T>(shared: &Shared, call: impl FnOnce(&mut Sampler) -> T) -> T {
    call(&mut shared.sampler.lock())
}
