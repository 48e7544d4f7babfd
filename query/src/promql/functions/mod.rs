//! The functions of PromQL: one row each.

mod clamp;
pub(crate) mod date;
mod edges;
mod histogram;
mod math;
mod over_time;
mod predict;
mod quantile;
mod rate;
mod window;

pub(crate) use edges::{interpolated, interpolated_histogram};
pub(crate) use histogram::{BucketRow, bucket_fraction, bucket_quantile};
pub(crate) use quantile::quantile;
pub(crate) use rate::{Kind, Rises};
pub(crate) use window::{Track, Window};

use weir_proto::metrics::Histogram;

use super::{
    notes::Notes,
    syntax::ast::ValueType::{self, Matrix, Scalar, Text, Vector},
    value::Point,
};

/// A function: what it takes and gives, and what it does.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) name: &'static str,
    pub(crate) arguments: &'static [ValueType],
    /// 0: as many arguments as that. Above: the last may be left out, or be there as often. Below: any number.
    pub(crate) variadic: i8,
    pub(crate) returns: ValueType,
    pub(crate) body: Body,
}

/// What a function does.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Body {
    /// Another number for each float; histograms are left out.
    Each(fn(f64) -> f64),
    /// The same with scalars.
    EachWith(fn(f64, &[f64]) -> Option<f64>),
    /// A number for each histogram; floats are left out.
    EachHistogram(fn(&Histogram) -> f64),
    /// A number for each time, which a float is, or the step's without argument.
    Date(fn(date::Date) -> f64),
    /// A scalar of scalars.
    Scalars(fn(&[f64]) -> f64),
    /// A value for each stretch of a series; the other arguments are scalars.
    Range(RangeBody),
    /// What the engine does itself.
    Own(Own),
}

/// What is computed of a stretch.
pub(crate) type RangeBody = fn(&Window<'_>, &[f64], &mut Notes) -> Result<Option<Point>, String>;

/// Functions that look at more than one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Own {
    Absent,
    AbsentOverTime,
    End,
    HistogramFraction,
    HistogramQuantile,
    HistogramQuantiles,
    Info,
    LabelJoin,
    LabelReplace,
    QueryRange,
    Scalar,
    Sort,
    SortByLabel,
    SortByLabelDesc,
    SortDesc,
    Start,
    StartTimestamp,
    Step,
    Time,
    Timestamp,
    Vector,
}

/// The function of that name.
pub(crate) fn named(name: &str) -> Option<&'static Function> {
    let at = FUNCTIONS.binary_search_by(|function| function.name.cmp(name)).ok()?;
    Some(&FUNCTIONS[at])
}

const fn each(name: &'static str, body: fn(f64) -> f64) -> Function {
    Function { name, arguments: &[Vector], variadic: 0, returns: Vector, body: Body::Each(body) }
}

const fn date_part(name: &'static str, body: fn(date::Date) -> f64) -> Function {
    Function { name, arguments: &[Vector], variadic: 1, returns: Vector, body: Body::Date(body) }
}

const fn range(name: &'static str, body: RangeBody) -> Function {
    Function { name, arguments: &[Matrix], variadic: 0, returns: Vector, body: Body::Range(body) }
}

const fn of_histogram(name: &'static str, body: fn(&Histogram) -> f64) -> Function {
    Function { name, arguments: &[Vector], variadic: 0, returns: Vector, body: Body::EachHistogram(body) }
}

const fn own(name: &'static str, arguments: &'static [ValueType], returns: ValueType, own: Own) -> Function {
    Function { name, arguments, variadic: 0, returns, body: Body::Own(own) }
}

impl Function {
    const fn with(self, arguments: &'static [ValueType], variadic: i8) -> Self {
        Self { arguments, variadic, ..self }
    }

    /// Whether what it gives depends on when it is asked, whatever it is given.
    pub(crate) fn depends_on_time(&self) -> bool {
        matches!(self.body, Body::Date(_) | Body::Own(Own::Time | Own::Timestamp)) || self.name == "predict_linear"
    }

    /// Whether the metric's name still fits what it gives.
    pub(crate) fn keeps_name(&self) -> bool {
        matches!(self.name, "last_over_time" | "first_over_time")
    }

    /// Whether it wants the rises of a counter.
    pub(crate) fn is_of_counters(&self) -> bool {
        matches!(self.name, "rate" | "increase")
    }
}

/// All, in the order of their names.
static FUNCTIONS: &[Function] = &[
    each("abs", f64::abs),
    own("absent", &[Vector], Vector, Own::Absent),
    own("absent_over_time", &[Matrix], Vector, Own::AbsentOverTime),
    each("acos", f64::acos),
    each("acosh", f64::acosh),
    each("asin", f64::asin),
    each("asinh", math::asinh),
    each("atan", f64::atan),
    each("atanh", f64::atanh),
    range("avg_over_time", over_time::avg),
    each("ceil", f64::ceil),
    range("changes", over_time::changes),
    Function { body: Body::EachWith(clamp::clamp), ..own("clamp", &[Vector, Scalar, Scalar], Vector, Own::Vector) },
    Function { body: Body::EachWith(clamp::clamp_max), ..own("clamp_max", &[Vector, Scalar], Vector, Own::Vector) },
    Function { body: Body::EachWith(clamp::clamp_min), ..own("clamp_min", &[Vector, Scalar], Vector, Own::Vector) },
    each("cos", f64::cos),
    each("cosh", f64::cosh),
    range("count_over_time", over_time::count),
    date_part("day_of_month", date::Date::day_of_month),
    date_part("day_of_week", date::Date::day_of_week),
    date_part("day_of_year", date::Date::day_of_year),
    date_part("days_in_month", date::Date::days_in_month),
    each("deg", math::deg),
    range("delta", rate::delta),
    range("deriv", predict::deriv),
    range("double_exponential_smoothing", predict::double_exponential_smoothing).with(&[Matrix, Scalar, Scalar], 0),
    own("end", &[], Scalar, Own::End),
    each("exp", f64::exp),
    range("first_over_time", over_time::first),
    each("floor", f64::floor),
    of_histogram("histogram_avg", histogram::avg),
    of_histogram("histogram_count", histogram::count),
    own("histogram_fraction", &[Scalar, Scalar, Vector], Vector, Own::HistogramFraction),
    own("histogram_quantile", &[Scalar, Vector], Vector, Own::HistogramQuantile),
    own("histogram_quantiles", &[], Vector, Own::HistogramQuantiles).with(&[Vector, Text, Scalar, Scalar], 9),
    of_histogram("histogram_stddev", histogram::stddev),
    of_histogram("histogram_stdvar", histogram::stdvar),
    of_histogram("histogram_sum", histogram::sum),
    date_part("hour", date::Date::hour),
    range("idelta", rate::idelta),
    range("increase", rate::increase),
    own("info", &[], Vector, Own::Info).with(&[Vector, Vector], 1),
    range("irate", rate::irate),
    own("label_join", &[], Vector, Own::LabelJoin).with(&[Vector, Text, Text, Text], -1),
    own("label_replace", &[Vector, Text, Text, Text, Text], Vector, Own::LabelReplace),
    range("last_over_time", over_time::last),
    each("ln", f64::ln),
    each("log10", f64::log10),
    each("log2", f64::log2),
    range("mad_over_time", over_time::mad),
    Function { body: Body::Scalars(math::max_of), ..own("max_of", &[Scalar, Scalar], Scalar, Own::Scalar) },
    range("max_over_time", over_time::max),
    Function { body: Body::Scalars(math::min_of), ..own("min_of", &[Scalar, Scalar], Scalar, Own::Scalar) },
    range("min_over_time", over_time::min),
    date_part("minute", date::Date::minute),
    date_part("month", date::Date::month),
    Function { body: Body::Scalars(math::pi), ..own("pi", &[], Scalar, Own::Scalar) },
    range("predict_linear", predict::predict_linear).with(&[Matrix, Scalar], 0),
    range("present_over_time", over_time::present),
    range("quantile_over_time", over_time::quantile).with(&[Scalar, Matrix], 0),
    each("rad", math::rad),
    own("range", &[], Scalar, Own::QueryRange),
    range("rate", rate::rate),
    range("resets", over_time::resets),
    Function {
        body: Body::EachWith(clamp::round),
        variadic: 1,
        ..own("round", &[Vector, Scalar], Vector, Own::Vector)
    },
    own("scalar", &[Vector], Scalar, Own::Scalar),
    each("sgn", math::sgn),
    each("sin", f64::sin),
    each("sinh", f64::sinh),
    own("sort", &[Vector], Vector, Own::Sort),
    own("sort_by_label", &[], Vector, Own::SortByLabel).with(&[Vector, Text], -1),
    own("sort_by_label_desc", &[], Vector, Own::SortByLabelDesc).with(&[Vector, Text], -1),
    own("sort_desc", &[Vector], Vector, Own::SortDesc),
    each("sqrt", f64::sqrt),
    own("start", &[], Scalar, Own::Start),
    own("start_timestamp", &[Vector], Vector, Own::StartTimestamp),
    range("stddev_over_time", over_time::stddev),
    range("stdvar_over_time", over_time::stdvar),
    own("step", &[], Scalar, Own::Step),
    range("sum_over_time", over_time::sum),
    each("tan", f64::tan),
    each("tanh", f64::tanh),
    own("time", &[], Scalar, Own::Time),
    own("timestamp", &[Vector], Vector, Own::Timestamp),
    range("ts_of_first_over_time", over_time::ts_of_first),
    range("ts_of_last_over_time", over_time::ts_of_last),
    range("ts_of_max_over_time", over_time::ts_of_max),
    range("ts_of_min_over_time", over_time::ts_of_min),
    own("vector", &[Scalar], Vector, Own::Vector),
    date_part("year", date::Date::year),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_found_by_name() {
        assert!(FUNCTIONS.is_sorted_by(|one, other| one.name < other.name));
        assert!(FUNCTIONS.iter().all(|function| named(function.name).is_some()));
        assert!(named("nonsense").is_none());
    }
}
