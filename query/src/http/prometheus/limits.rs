//! What a PromQL query may take, and when it has to end.

use std::{
    sync::Weak,
    time::{Duration, Instant},
};

use super::params;
use crate::{
    http::{answer::Failure, call::Call},
    promql::engine::{Options, QueryError, Stop},
};

/// As configured, and as the request says.
pub(super) fn options(call: &Call) -> Result<Options, Failure> {
    let config = call.promql;
    let ms = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4);
    let refused = |error: String| Failure::BadRequest(format!("error parsing lookback delta duration: {error}"));
    let lookback = call.first("lookback_delta").map(|text| params::length(text).map_err(refused)).transpose()?;
    let lookback = lookback.filter(|&lookback| lookback > 0);
    Ok(Options {
        lookback_ms: lookback.unwrap_or(ms(config.lookback_delta)),
        subquery_step_ms: ms(config.subquery_step),
        samples_max: config.samples_max.get() as u64,
        bytes_max: config.memory_bytes_max.get() as u64,
        threads: config.threads_max.get(),
    })
}

/// Ends a query at a moment, or when nobody waits for it any more.
#[derive(Debug, Clone)]
pub(super) struct Deadline {
    at: Instant,
    client: Option<Weak<()>>,
}

impl Deadline {
    /// `query.timeout`, or `timeout` where that is shorter.
    pub(super) fn of(call: &Call) -> Result<Self, Failure> {
        let client = call.client.clone();
        let Some(timeout) = params::optional_length(call, "timeout")? else {
            return Ok(Self { at: call.deadline, client });
        };
        let timeout = Duration::from_millis(u64::try_from(timeout).unwrap_or(0));
        Ok(Self { at: call.deadline.min(Instant::now() + timeout), client })
    }
}

impl Stop for Deadline {
    fn reason(&self) -> Option<QueryError> {
        let is_alone = self.client.as_ref().is_some_and(|client| client.strong_count() == 0);
        (is_alone || Instant::now() >= self.at).then_some(QueryError::Timeout)
    }
}
