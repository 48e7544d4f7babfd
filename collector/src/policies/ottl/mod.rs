//! A part of OTTL, the OpenTelemetry Transformation Language: conditions over a span or an event of a span.
//!
//! Comparisons, `and`, `or`, `not`, parentheses, `+` and `-`, paths, literals, enum names, `IsMatch`, `IsRootSpan`, `Duration`.
//! docs/sampling.md lists what is known. Nothing can fail once a condition was read. Source:
//! <https://github.com/open-telemetry/opentelemetry-collector-contrib/blob/main/pkg/ottl/LANGUAGE.md>

mod condition;
mod evaluate;
mod expression;
mod parser;
mod path;
mod token;

pub(crate) use condition::Condition;
