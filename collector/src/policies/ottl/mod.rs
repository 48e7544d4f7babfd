//! A part of OTTL, the OpenTelemetry Transformation Language: conditions over a span or an event of a span.
//!
//! Comparisons, `and`, `or`, `not`, parentheses, arithmetic, paths, indexes, literals, enum names, and the functions of `functions/`.
//! docs/sampling.md lists what is known. Where the Collector would report an error, a condition does not hold. Source:
//! <https://github.com/open-telemetry/opentelemetry-collector-contrib/blob/main/pkg/ottl/LANGUAGE.md>

mod condition;
mod evaluate;
mod expression;
mod functions;
mod parser;
mod path;
mod token;
mod value;

pub(crate) use condition::Condition;
