//! One request to an endpoint that reads: who asks, for what, until when.

use std::{
    cell::{OnceCell, RefCell},
    sync::{Arc, Weak},
    time::Instant,
};

use weir_proto::{TenantId, TraceId};
use weir_store::Unread;

use super::{
    PromqlConfig,
    about::About,
    allowance::{Allowance, Holding},
    answer::Failure,
    laid_traces::LaidTraces,
    loki::LogqlConfig,
    view::View,
};

/// What an endpoint is given beside the view.
#[derive(Debug)]
pub(super) struct Call {
    /// Whose data.
    pub(super) tenant: TenantId,
    /// What the braces in the route's path stood for, decoded.
    pub(super) path: Vec<(String, String)>,
    /// The query string's pairs, decoded, in order.
    pub(super) query: Vec<(String, String)>,
    /// When to stop and answer with what there is.
    pub(super) deadline: Instant,
    /// Now, Unix ns.
    pub(super) now_ns: u64,
    /// `query.traces_max`.
    pub(super) traces_max: usize,
    /// `query.spans_max`.
    pub(super) spans_max: usize,
    /// `query.logql`.
    pub(super) logql: LogqlConfig,
    /// Whether the client of Loki's API wants to know where labels come from.
    pub(super) categorizes_labels: bool,
    /// `query.promql`.
    pub(super) promql: PromqlConfig,
    /// `query.trace_rows_max`.
    pub(super) trace_rows_max: usize,
    /// Held by whoever waits for the answer.
    pub(super) client: Option<Weak<()>>,
    /// What answers may hold.
    pub(super) allowance: Allowance,
    /// What this one's rows take of that.
    pub(super) rows: RefCell<Holding>,
    /// Large traces that were laid out a moment ago.
    pub(super) laid_traces: LaidTraces,
    /// The process.
    pub(super) about: Arc<About>,
    /// What the view that it reads could not read.
    pub(super) missing: OnceCell<Unread>,
}

impl Call {
    /// The path's part called `name`.
    pub(super) fn segment(&self, name: &str) -> &str {
        self.path.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// The first query parameter called `name`; an empty one counts as absent, as forms leave fields empty.
    pub(super) fn first(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(key, _)| key == name)?;
        Some(found.1.as_str()).filter(|value| !value.is_empty())
    }

    /// Every query parameter called `name`.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.query.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A yes or no; absent means no. As Go's `strconv.ParseBool` reads it.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Failure> {
        match self.first(name) {
            None | Some("0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(false),
            Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(true),
            Some(_) => Err(Failure::BadRequest(format!("parameter '{name}' is neither true nor false"))),
        }
    }

    /// `limit` of Jaeger: 0 is as good as none there.
    pub(super) fn limit_of_jaeger(&self, default: usize) -> Result<usize, Failure> {
        if self.first("limit") == Some("0") { Ok(default.min(self.traces_max)) } else { self.limit(default) }
    }

    /// `limit`: traces to answer with, at most `query.traces_max`.
    pub(super) fn limit(&self, default: usize) -> Result<usize, Failure> {
        let Some(text) = self.first("limit") else {
            return Ok(default.min(self.traces_max));
        };
        match text.parse::<u64>() {
            Ok(limit) if limit > 0 => Ok(usize::try_from(limit).unwrap_or(usize::MAX).min(self.traces_max)),
            _ => Err(Failure::BadRequest("parameter 'limit' is not a number above 0".into())),
        }
    }

    /// The trace id in the path.
    pub(super) fn trace_id(&self) -> Result<TraceId, Failure> {
        self.segment("id").trim().parse().map_err(|error| Failure::BadRequest(format!("trace id: {error}")))
    }

    /// Rows of a trace to read at most: what a client sent twice is folded to one span afterwards.
    pub(super) fn rows_max(&self) -> usize {
        self.spans_max.saturating_mul(2)
    }

    /// Spans that an answer of at most `spans_max` leaves out, at least: of a trace whose rows were not all read nobody knows.
    pub(super) fn left_out(&self, rows_read: usize, spans: usize, spans_max: usize) -> usize {
        let unread = usize::from(rows_read >= self.rows_max());
        spans.saturating_sub(spans_max).max(unread)
    }

    /// Whether there is room for a row of so many bytes; then it is taken.
    pub(super) fn has_room(&self, row_bytes: u64) -> bool {
        self.rows.borrow_mut().take(row_bytes)
    }

    /// Of what was read only so many bytes are left.
    pub(super) fn keeps_rows(&self, bytes: u64) {
        self.rows.borrow_mut().shrink_to(bytes);
    }

    /// The rows that were read are gone.
    pub(super) fn let_rows_go(&self) {
        self.rows.borrow_mut().shrink_to(0);
    }

    /// It reads this view.
    pub(super) fn reads(&self, view: &dyn View) {
        // Whoever opens a second one reads the same.
        let _ = self.missing.set(view.missing());
    }

    /// What could not be read so far: a sentence for each segment.
    pub(super) fn missing(&self) -> Vec<String> {
        self.missing.get().map(Unread::told).unwrap_or_default()
    }

    /// Whether there is no time left.
    pub(super) fn is_late(&self) -> bool {
        Instant::now() >= self.deadline
    }
}
