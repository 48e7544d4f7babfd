//! What most questions of the page have in common: conditions, a range of time, and why an answer is not whole.

use std::{borrow::Cow, ops::RangeInclusive};

use serde::Serialize;

use super::range::range;
use crate::{
    explore::{
        condition::{self, Condition},
        plan::Plan,
        red::Counted,
    },
    http::{answer::Failure, call::Call},
};

/// An hour: how far back when `from` is not given.
pub(super) const HOUR_NS: u64 = 3600 * 1_000_000_000;

/// Which spans are asked about.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) conditions: Vec<Condition>,
    /// The conditions, of spans that start within the range.
    pub(super) plan: Plan,
    pub(super) start_ns: RangeInclusive<u64>,
}

impl Asked {
    /// Reads `q`, `service`, `operation`, `from` and `to`.
    pub(super) fn of(call: &Call, back_ns: u64) -> Result<Self, Failure> {
        let start_ns = range(call, back_ns)?;
        let conditions = condition::parse(call.first("q").unwrap_or_default())?;
        let mut plan = Plan::of(&conditions)?;
        if let Some(service) = call.first("service") {
            plan.of_service(service);
        }
        if let Some(operation) = call.first("operation") {
            plan.of_operation(operation);
        }
        plan.filter.start_ns = start_ns.clone();
        Ok(Self { conditions, plan, start_ns })
    }

    /// The same until now where the end is open: what is drawn in steps needs one.
    pub(super) fn until_now(mut self, call: &Call) -> Self {
        if *self.start_ns.end() == u64::MAX {
            let end_ns = call.now_ns.max(*self.start_ns.start());
            self.start_ns = *self.start_ns.start()..=end_ns;
            self.plan.filter.start_ns = self.start_ns.clone();
        }
        self
    }
}

/// Reads `spans`: `entry` or `all`.
pub(super) fn counted(call: &Call, default: Counted) -> Result<Counted, Failure> {
    match call.first("spans") {
        None => Ok(default),
        Some("entry") => Ok(Counted::Entries),
        Some("all") => Ok(Counted::All),
        Some(_) => Err(Failure::BadRequest("parameter 'spans' is 'entry' or 'all'".into())),
    }
}

/// A number between 1 and a largest one.
pub(super) fn number(call: &Call, name: &str, default: usize, max: usize) -> Result<usize, Failure> {
    let Some(text) = call.first(name) else { return Ok(default) };
    match text.parse::<usize>() {
        Ok(number) if number > 0 => Ok(number.min(max)),
        _ => Err(Failure::BadRequest(format!("parameter '{name}' is not a number above 0"))),
    }
}

/// Why an answer is not whole; empty when it is.
#[derive(Debug, Default, Clone, Serialize)]
#[serde(transparent)]
pub(super) struct Because(Vec<Cow<'static, str>>);

impl Because {
    /// Adds a reason if it holds.
    pub(super) fn add(&mut self, holds: bool, reason: &'static str) {
        if holds && !self.0.iter().any(|said| said == reason) {
            self.0.push(reason.into());
        }
    }

    /// The deadline came.
    pub(super) fn late(&mut self, is_late: bool) {
        self.add(is_late, "query.timeout");
    }

    /// Something could not be read: that, and what.
    pub(super) fn damaged(&mut self, is_damaged: bool, call: &Call) {
        self.add(is_damaged, "data is damaged");
        for missing in call.missing() {
            if !self.0.iter().any(|said| *said == missing) {
                self.0.push(missing.into());
            }
        }
    }

    /// Whether there is any.
    pub(super) fn is_partial(&self) -> bool {
        !self.0.is_empty()
    }
}

/// Weighted counts with three digits behind the point.
pub(super) fn rounded(count: f64) -> f64 {
    (count * 1000.0).round() / 1000.0
}
