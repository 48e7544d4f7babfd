//! What a client that follows lines asks for.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::extract::{Query, Request};
use weir_port::Caller;

use crate::{
    http::{answer::Failure, call::Call, loki, routes::App},
    logql::ast::LogExpr,
};

/// What a path takes when nobody says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Defaults {
    /// Lines of the past.
    limit: usize,
}

/// As Loki.
pub(super) const LOKI: Defaults = Defaults { limit: 100 };

/// As `tail -f`.
pub(super) const OWN: Defaults = Defaults { limit: 10 };

/// Longest `delay_for`, in seconds, as Loki has it.
const DELAY_MAX_S: u64 = 5;

const HOUR_NS: u64 = 3_600_000_000_000;

/// A request that was understood.
pub(super) struct Asked {
    pub(super) call: Call,
    pub(super) log: LogExpr,
    /// Lines of the past that come first, the newest ones.
    pub(super) limit: usize,
    /// From when on these are, Unix ns.
    pub(super) start_ns: u64,
    /// How long lines wait for those that come late, to be sorted among them.
    pub(super) delay: Duration,
}

impl Asked {
    /// Reads a request.
    pub(super) fn of(app: &App, request: &Request, defaults: Defaults) -> Result<Self, Failure> {
        let caller = Caller::of_request(request);
        let tenant = (app.authenticate)(&caller).map_err(|_| Failure::Unauthorized)?;
        let query = Query::<Vec<(String, String)>>::try_from_uri(request.uri());
        let query = query.map_err(|rejection| Failure::BadRequest(rejection.to_string()))?.0;
        let call = Call {
            tenant,
            path: Vec::new(),
            query,
            deadline: Instant::now() + app.config.timeout,
            now_ns: app.clock.now_ns(),
            traces_max: app.config.traces_max.get(),
            spans_max: app.config.spans_max.get(),
            logql: app.config.logql.clone(),
            categorizes_labels: loki::categorizes_labels(request.headers()),
            promql: app.config.promql,
            trace_rows_max: app.config.trace_rows_max.get(),
            client: None,
            allowance: app.allowance.clone(),
            rows: app.allowance.rows().into(),
            laid_traces: app.laid_traces.clone(),
            about: Arc::clone(&app.about),
            missing: Default::default(),
        };
        let log = loki::log_query(&call)?;
        let limit = match call.first("limit") {
            Some("0") => 0,
            Some(_) => loki::limit(&call)?,
            None => defaults.limit.min(call.logql.lines_max.get()),
        };
        let start_ns = loki::start_ns(&call)?.unwrap_or(call.now_ns.saturating_sub(HOUR_NS));
        let delay_s = match call.first("delay_for") {
            None => 0,
            Some(text) => text
                .parse::<u64>()
                .map_err(|_| Failure::BadRequest(format!("parameter 'delay_for' is no number of seconds: {text:?}")))?,
        };
        if delay_s > DELAY_MAX_S {
            return Err(Failure::BadRequest(format!("delay_for is {DELAY_MAX_S} seconds at most")));
        }
        Ok(Self { call, log, limit, start_ns, delay: Duration::from_secs(delay_s) })
    }
}
