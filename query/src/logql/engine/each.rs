//! Gives each line that comes out of a pipeline, the newest parts first, to whoever counts them.

use std::{cmp::Reverse, ops::ControlFlow};

use super::{
    Limits,
    lines::{Bounds, Lines, Selection},
};
use crate::logql::{
    LogqlError,
    ast::LogExpr,
    pipeline::{Pipeline, Record, Working, beside, conditions, needles},
};

/// Lines between looks at the clock.
const LINES_PER_LOOK: u64 = 1024;

/// Calls `each` for the lines of a time (`start_ns` to `end_ns`, which is behind the last) until it breaks off. `labels` are those that it
/// looks at beside what the query's stages need. Whether that was all: false as well when something could not be read, or the time is over.
pub(crate) fn each_line(
    log: &LogExpr,
    (start_ns, end_ns): (u64, u64),
    labels: &[&str],
    lines: &dyn Lines,
    limits: &Limits,
    each: &mut dyn FnMut(&Record<'_>, &Working) -> ControlFlow<()>,
) -> Result<bool, LogqlError> {
    if start_ns >= end_ns {
        return Ok(true);
    }
    // What stages look at is theirs to say; without stages there is nothing else.
    let wanted = log.stages.is_empty().then(|| labels.iter().map(|label| (*label).to_owned()).collect());
    let matchers = &log.matchers;
    let selection = Selection {
        matchers,
        needles: needles(log),
        conditions: conditions(log),
        beside: beside(log),
        start_ns,
        end_ns,
        needs_text: true,
        labels: wanted,
        fields: None,
    };
    let parts = lines.parts(&selection)?;
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by_key(|&part| Reverse((parts.time_ns(part).1, parts.arrival(part))));
    let mut pipeline = Pipeline::new(log, None, false)?;
    let mut working = Working::new(limits.now_ns);
    let (mut looked_at, mut is_over) = (0_u64, false);
    for part in order {
        let bounds = Bounds { newest_first: true, ..Bounds::from(start_ns) };
        let read = parts.read(part, &bounds, &mut |record| {
            looked_at += 1;
            if looked_at.is_multiple_of(LINES_PER_LOOK) {
                limits.check_time()?;
            }
            let is_within = (start_ns..end_ns).contains(&record.time_ns);
            if !is_over && is_within && pipeline.run(record, &mut working) {
                is_over = each(record, &working).is_break();
            }
            Ok(())
        });
        match read {
            Ok(()) => {}
            // What was found so far is better than nothing.
            Err(LogqlError::TimedOut) => return Ok(false),
            Err(error) => return Err(error),
        }
        if is_over {
            return Ok(false);
        }
    }
    Ok(!parts.is_partial())
}
