//! The JSON shapes of Jaeger's query API (Jaeger's `internal/uimodel/model.go`).

use std::{borrow::Cow, collections::BTreeMap};

use serde::Serialize;

use crate::http::call::Call;

/// What every answer is wrapped in.
#[derive(Debug, Serialize)]
pub(super) struct Envelope<T> {
    pub(super) data: T,
    /// Names in a list; always 0 for traces, as in Jaeger.
    pub(super) total: usize,
    limit: usize,
    offset: usize,
    errors: Option<Vec<Problem>>,
}

impl<T> Envelope<T> {
    pub(super) fn new(data: T, total: usize, problems: Vec<Problem>) -> Self {
        let errors = (!problems.is_empty()).then_some(problems);
        Self { data, total, limit: 0, offset: 0, errors }
    }

    /// What it was made with.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.errors.unwrap_or_default()
    }
}

/// What went wrong in an answer that is good otherwise.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Problem {
    pub(super) msg: String,
    #[serde(rename = "traceID", skip_serializing_if = "Option::is_none")]
    pub(super) trace_id: Option<String>,
}

impl Problem {
    /// What could not be read so far.
    pub(super) fn missing(call: &Call) -> impl Iterator<Item = Self> {
        call.missing().into_iter().map(|missing| Self { msg: format!("partial: {missing}"), trace_id: None })
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Trace<'a> {
    #[serde(rename = "traceID")]
    pub(super) trace_id: String,
    pub(super) spans: Vec<Span<'a>>,
    pub(super) processes: BTreeMap<String, Process<'a>>,
    pub(super) warnings: Option<Vec<String>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Span<'a> {
    #[serde(rename = "traceID")]
    pub(super) trace_id: String,
    #[serde(rename = "spanID")]
    pub(super) span_id: String,
    /// 1 when the SDK says that it was sampled; left out when 0.
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) flags: u32,
    pub(super) operation_name: &'a str,
    pub(super) references: Vec<Reference>,
    /// Unix µs.
    pub(super) start_time: u64,
    /// µs.
    pub(super) duration: u64,
    pub(super) tags: Vec<Tag<'a>>,
    pub(super) logs: Vec<Log<'a>>,
    #[serde(rename = "processID")]
    pub(super) process_id: String,
    pub(super) warnings: Option<Vec<String>>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Reference {
    #[serde(rename = "refType")]
    pub(super) kind: RefType,
    #[serde(rename = "traceID")]
    pub(super) trace_id: String,
    #[serde(rename = "spanID")]
    pub(super) span_id: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum RefType {
    ChildOf,
    FollowsFrom,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Process<'a> {
    pub(super) service_name: &'a str,
    pub(super) tags: Vec<Tag<'a>>,
}

#[derive(Debug, Serialize)]
pub(super) struct Log<'a> {
    /// Unix µs.
    pub(super) timestamp: u64,
    pub(super) fields: Vec<Tag<'a>>,
}

/// A key with a typed value.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Tag<'a> {
    pub(super) key: &'a str,
    /// `string`, `bool`, `int64`, `float64` or `binary`.
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) value: TagValue<'a>,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(super) enum TagValue<'a> {
    Text(Cow<'a, str>),
    Bool(bool),
    Int(i64),
    Float(f64),
}

/// An operation with its kind.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OperationOfKind<'a> {
    pub(super) name: &'a str,
    pub(super) span_kind: &'static str,
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}
