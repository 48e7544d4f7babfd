//! `patterns`: what repeats in the lines of a query, by level and step.

use std::ops::ControlFlow;

use serde_json::json;

use super::{
    params::{self, Span},
    query::within,
};
use crate::{
    http::{
        answer::{Answer, Failure},
        call::Call,
        view::View,
    },
    logql::{
        ast::{LogExpr, MatchOp, Matcher},
        engine::each_line,
    },
    patterns::{PatternLimits, Patterns},
};

const SECOND_NS: u64 = 1_000_000_000;

/// The shortest step, as Loki counts patterns.
const STEP_NS_MIN: u64 = 10 * SECOND_NS;

const LEVEL: &str = "detected_level";

/// The query, which may be empty: every line has a service.
pub(super) fn query_or_all(call: &Call) -> Result<LogExpr, Failure> {
    let all = || Matcher { name: "service_name".into(), op: MatchOp::Regex, value: ".+".into() };
    let found = params::selector(call, call.first("query"))?;
    Ok(found.unwrap_or_else(|| LogExpr { matchers: vec![all()], stages: Vec::new() }))
}

/// Patterns with the most lines first, each with `[second, lines]` for each step that has some.
pub(in crate::http) fn patterns(call: &Call, view: &dyn View) -> Result<Answer, Failure> {
    let span = Span::of_query(call)?;
    let step_ns = (params::step_ns(call, span)? as u64).max(STEP_NS_MIN);
    let points_max = call.logql.points_max.get() as u64;
    if (span.end_ns - span.start_ns) / step_ns > points_max {
        let words = format!("a step of this length makes more than {points_max} points (query.logql.points_max)");
        return Err(Failure::BadRequest(words));
    }
    let log = query_or_all(call)?;
    let first_step = span.start_ns / step_ns;
    let mut patterns =
        Patterns::new(PatternLimits { groups_max: call.logql.patterns_max.get(), ..PatternLimits::default() });
    let mut left = call.logql.pattern_lines_max.get();
    let lines = view.log_lines(call);
    let span_ns = (span.start_ns, span.end_ns);
    let is_whole =
        each_line(&log, span_ns, &[LEVEL], lines.as_ref(), &params::limits(call), &mut |record, working| {
            let level =
                working.labels.iter().find(|(name, ..)| *name == LEVEL).map_or("unknown", |(_, value, _)| value);
            let step = (record.time_ns / step_ns).saturating_sub(first_step);
            patterns.add(level, working.text(record), u32::try_from(step).unwrap_or(u32::MAX));
            left -= 1;
            if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
    let found: Vec<_> = patterns
        .into_patterns()
        .into_iter()
        .take(call.logql.patterns_max.get())
        .map(|pattern| {
            let second = |step: u32| (first_step + u64::from(step)) * step_ns / SECOND_NS;
            let samples: Vec<_> = pattern.counts.iter().map(|(step, count)| json!([second(*step), count])).collect();
            json!({"pattern": pattern.text, "level": pattern.level, "samples": samples})
        })
        .collect();
    within(call, &json!({"status": "success", "data": found}), !is_whole)
}
