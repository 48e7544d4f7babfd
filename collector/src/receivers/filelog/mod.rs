//! `filelog`: reads files as they grow, each line once, whatever rotation does to them and whenever Weir stops.
//!
//! [`scan`] says which paths there are, [`roster`] which files they are, [`tailer`] reads them on, operators make records of lines, and
//! [`door`] hands them to the journal together with where each file stands: both are durable, or neither.

mod batch;
mod config;
mod content;
mod cursor;
mod deliver;
mod door;
mod encoding;
mod glob;
mod labels;
mod mark;
mod metrics;
mod outlet;
mod roster;
mod scan;
mod splitter;
mod steady;
mod tailer;
mod tracked;

#[cfg(test)]
mod tests;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio_util::{sync::CancellationToken, task::TaskTracker};
use weir_proto::{TenantId, time::Clock};
use weir_store::journal::SourceCursors;

pub use self::{
    config::{Compression, FilelogConfig, LongLines, MultilineConfig, StartAt},
    encoding::Encoding,
    glob::Glob,
};
use self::{
    deliver::{Deliver, Stopped},
    door::Door,
    tailer::{Next, Tailer},
};
use crate::{Append, admission::AdmissionRules};

/// What the reader of a receiver's files needs of the process around it.
pub struct Surroundings {
    /// The receiver's id: its files are known to the journal by it.
    pub receiver: String,
    /// Whose lines they are.
    pub tenant: TenantId,
    /// Takes lines.
    pub append: Append,
    /// Bounds on lines, and the times that storage takes.
    pub rules: AdmissionRules,
    /// Tells the time.
    pub clock: Clock,
    /// Where files were read to, as the store knows.
    pub cursors: SourceCursors,
    /// Waits for the reader when Weir stops.
    pub tracker: TaskTracker,
    /// Ends it.
    pub stop: CancellationToken,
}

/// Begins to read, on a thread of its own. Fails when the config is not usable ([`FilelogConfig::check`]).
pub fn start(config: &FilelogConfig, around: Surroundings) -> Result<(), String> {
    config.check().map_err(|(key, problem)| format!("{key}: {problem}"))?;
    let Surroundings { receiver, tenant, append, rules, clock, cursors, tracker, stop } = around;
    let known: Vec<(Vec<u8>, Vec<u8>)> =
        cursors.iter().map(|(source, cursor)| (source.to_vec(), cursor.to_vec())).collect();
    let accept = (rules.accept_past, rules.accept_future);
    let line_ids = rules.line_ids.clone();
    let door = Door::new(tenant, append, rules, clock.clone(), stop.clone());
    let mut tailer = Tailer::new(&receiver, Arc::new(config.clone()), &known, accept, clock, door)?;
    tailer.look_for_ids(&line_ids);
    let runtime = tokio::runtime::Handle::current();
    let poll_interval = config.poll_interval;
    tracker.spawn_blocking(move || {
        while !stop.is_cancelled() {
            let Ok(next) = poll(&mut tailer, poll_interval) else { break };
            if next == Next::Pause {
                let pause = async { tokio::time::timeout(poll_interval, stop.cancelled()).await };
                drop(runtime.block_on(pause));
            }
        }
        match tailer.finish() {
            Ok(()) => tracing::debug!(receiver, "files are read as far as the journal knows"),
            Err(Stopped) => tracing::debug!(receiver, "what was read last is read again at the next start"),
        }
    });
    Ok(())
}

/// Looks at the files once, and reads on until the next look is due, or nothing is left.
fn poll(tailer: &mut Tailer<Door>, poll_interval: Duration) -> Result<Next, Stopped> {
    let mut next = tailer.poll()?;
    let looked_at = Instant::now();
    while next == Next::Wait {
        // What the journal does not take for now stays in the files; what becomes of those has to be seen all the same.
        let left = poll_interval.saturating_sub(looked_at.elapsed());
        if left.is_zero() {
            break;
        }
        tailer.deliver.wait(left)?;
        next = tailer.go_on()?;
    }
    Ok(next)
}
