//! What a LogQL query says, once it is read.

/// A query.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expr {
    /// Gives lines.
    Log(LogExpr),
    /// Gives numbers.
    Metric(Metric),
}

/// A selector of streams and what is done with their lines.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LogExpr {
    /// All must hold.
    pub(crate) matchers: Vec<Matcher>,
    /// In order.
    pub(crate) stages: Vec<Stage>,
}

/// How a label is compared with a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MatchOp {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`
    Regex,
    /// `!~`
    NotRegex,
}

/// A condition on a label's text; regular expressions are anchored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Matcher {
    /// The label.
    pub(crate) name: String,
    /// How.
    pub(crate) op: MatchOp,
    /// The text, or the expression.
    pub(crate) value: String,
}

/// How a line is tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineOp {
    /// `|=`
    Contains,
    /// `!=`
    NotContains,
    /// `|~`
    Regex,
    /// `!~`
    NotRegex,
    /// `|>`
    Pattern,
    /// `!>`
    NotPattern,
}

/// What a line is tested with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Needle {
    /// Whether it was written as `ip("…")`.
    pub(crate) is_ip: bool,
    /// The text.
    pub(crate) text: String,
}

/// A step of a pipeline.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Stage {
    /// `|= "a" or "b"`
    Line {
        /// How.
        op: LineOp,
        /// One is enough; of a negated test, none may be there.
        needles: Vec<Needle>,
    },
    /// `| ms > 10`
    Label(LabelFilter),
    /// `| json`
    Json(Vec<Extraction>),
    /// `| logfmt`
    Logfmt {
        /// A pair that is none is an error.
        strict: bool,
        /// Keys without a value are labels.
        keep_empty: bool,
        /// What is wanted; everything when there is nothing.
        fields: Vec<Extraction>,
    },
    /// `| regexp "…"`
    Regexp(String),
    /// `| pattern "…"`
    Pattern(String),
    /// `| unpack`
    Unpack,
    /// `| line_format "…"`
    LineFormat(String),
    /// `| label_format a=b, c="…"`
    LabelFormat(Vec<LabelFormat>),
    /// `| decolorize`
    Decolorize,
    /// `| drop a, b="c"`
    Drop(Vec<Chosen>),
    /// `| keep a, b="c"`
    Keep(Vec<Chosen>),
}

/// A label, and the path or key that its value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Extraction {
    /// The label.
    pub(crate) name: String,
    /// The path or key.
    pub(crate) path: String,
}

/// One assignment of `label_format`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LabelFormat {
    /// The label.
    pub(crate) name: String,
    /// What it is set to.
    pub(crate) source: FormatSource,
}

/// What a label is set to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FormatSource {
    /// Another label, which is gone then.
    Label(String),
    /// What a template writes.
    Template(String),
}

/// A label that is dropped or kept, always or when its value fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Chosen {
    /// Always.
    Name(String),
    /// When it fits.
    Matcher(Matcher),
}

/// How numbers are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compare {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
}

impl Compare {
    /// Whether it holds.
    pub(crate) fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Greater => left > right,
            Self::GreaterEqual => left >= right,
            Self::Less => left < right,
            Self::LessEqual => left <= right,
        }
    }

    /// As it is written.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::Less => "<",
            Self::LessEqual => "<=",
        }
    }
}

/// What kind of number a label's text is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// A plain number.
    Number,
    /// `1m30s`; compared in seconds.
    Duration,
    /// `5KiB`
    Bytes,
}

/// A condition on labels.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum LabelFilter {
    /// Both.
    And(Box<LabelFilter>, Box<LabelFilter>),
    /// One of both.
    Or(Box<LabelFilter>, Box<LabelFilter>),
    /// A text.
    Text(Matcher),
    /// A number of some kind.
    Number {
        /// The label.
        name: String,
        /// How it is compared.
        op: Compare,
        /// Its kind.
        unit: Unit,
        /// With what; durations in seconds.
        value: f64,
        /// As it was written.
        written: String,
    },
    /// `addr = ip("10.0.0.0/8")`
    Ip {
        /// The label.
        name: String,
        /// Whether it must not be one of these.
        negated: bool,
        /// Which addresses.
        addresses: String,
    },
}

/// Which labels make a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grouping {
    /// `without`: all others.
    pub(crate) without: bool,
    /// The labels.
    pub(crate) labels: Vec<String>,
}

/// How the value of an unwrapped label is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conversion {
    /// As a number.
    None,
    /// As a duration, in seconds.
    Duration,
    /// `duration_seconds`, which is the same.
    DurationSeconds,
    /// As a number of bytes.
    Bytes,
}

/// `| unwrap …`
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Unwrap {
    /// The label.
    pub(crate) label: String,
    /// How it is read.
    pub(crate) conversion: Conversion,
    /// Conditions behind it.
    pub(crate) filters: Vec<LabelFilter>,
}

/// Lines within a window before each moment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LogRange {
    /// Which lines.
    pub(crate) log: LogExpr,
    /// What of them is the sample.
    pub(crate) unwrap: Option<Unwrap>,
    /// The window, ns.
    pub(crate) range_ns: i64,
    /// How far back it ends, ns.
    pub(crate) offset_ns: i64,
}

/// Aggregations over a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub(crate) enum RangeOp {
    Count,
    Rate,
    RateCounter,
    Bytes,
    BytesRate,
    Avg,
    Sum,
    Min,
    Max,
    Stddev,
    Stdvar,
    Quantile,
    First,
    Last,
    Absent,
}

/// Aggregations over series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub(crate) enum VectorOp {
    Sum,
    Avg,
    Min,
    Max,
    Count,
    Stddev,
    Stdvar,
    Topk,
    Bottomk,
    ApproxTopk,
    Sort,
    SortDesc,
}

/// Operators between two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub(crate) enum BinaryOp {
    Or,
    And,
    Unless,
    Compare(Compare),
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
}

/// Which sides may have several series of a match.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Cardinality {
    /// None.
    #[default]
    OneToOne,
    /// `group_left(…)`: the left; these labels come from the right.
    ManyToOne(Vec<String>),
    /// `group_right(…)`: the right; these labels come from the left.
    OneToMany(Vec<String>),
}

/// What stands between operator and right operand.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Modifier {
    /// `bool`
    pub(crate) returns_bool: bool,
    /// `on(…)` or `ignoring(…)`; `true` for `on`.
    pub(crate) matching: Option<(bool, Vec<String>)>,
    /// `group_left`, `group_right`.
    pub(crate) cardinality: Cardinality,
}

/// A query for numbers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Metric {
    /// `rate({…}[1m])`
    Range {
        /// What is computed.
        op: RangeOp,
        /// φ of a quantile.
        parameter: Option<f64>,
        /// Of what.
        range: LogRange,
        /// `by`, `without`.
        grouping: Option<Grouping>,
    },
    /// `sum by (app) (…)`
    Vector {
        /// What is computed.
        op: VectorOp,
        /// k of `topk`.
        parameter: Option<i64>,
        /// Of what.
        inner: Box<Metric>,
        /// `by`, `without`.
        grouping: Option<Grouping>,
    },
    /// `a / b`
    Binary {
        /// Which.
        op: BinaryOp,
        /// How series meet.
        modifier: Modifier,
        /// The left operand.
        left: Box<Metric>,
        /// The right operand.
        right: Box<Metric>,
    },
    /// `label_replace(…)`
    LabelReplace {
        /// Whose labels.
        inner: Box<Metric>,
        /// The label that is written.
        target: String,
        /// What is written, with `$1`.
        replacement: String,
        /// The label that is read.
        source: String,
        /// What it has to be; anchored.
        regex: String,
    },
    /// `1.5`
    Number(f64),
    /// `vector(1.5)`
    VectorOf(f64),
}

impl Metric {
    /// How deeply operands lie in each other.
    pub(crate) fn depth(&self) -> usize {
        match self {
            Self::Range { .. } | Self::Number(_) | Self::VectorOf(_) => 1,
            Self::Vector { inner, .. } | Self::LabelReplace { inner, .. } => 1 + inner.depth(),
            Self::Binary { left, right, .. } => 1 + left.depth().max(right.depth()),
        }
    }
}

/// Operators of a window by their names.
pub(crate) const RANGE_OPS: &[(&str, RangeOp)] = &[
    ("count_over_time", RangeOp::Count),
    ("rate", RangeOp::Rate),
    ("rate_counter", RangeOp::RateCounter),
    ("bytes_over_time", RangeOp::Bytes),
    ("bytes_rate", RangeOp::BytesRate),
    ("avg_over_time", RangeOp::Avg),
    ("sum_over_time", RangeOp::Sum),
    ("min_over_time", RangeOp::Min),
    ("max_over_time", RangeOp::Max),
    ("stddev_over_time", RangeOp::Stddev),
    ("stdvar_over_time", RangeOp::Stdvar),
    ("quantile_over_time", RangeOp::Quantile),
    ("first_over_time", RangeOp::First),
    ("last_over_time", RangeOp::Last),
    ("absent_over_time", RangeOp::Absent),
];

/// Operators on series by their names.
pub(crate) const VECTOR_OPS: &[(&str, VectorOp)] = &[
    ("sum", VectorOp::Sum),
    ("avg", VectorOp::Avg),
    ("min", VectorOp::Min),
    ("max", VectorOp::Max),
    ("count", VectorOp::Count),
    ("stddev", VectorOp::Stddev),
    ("stdvar", VectorOp::Stdvar),
    ("topk", VectorOp::Topk),
    ("bottomk", VectorOp::Bottomk),
    ("approx_topk", VectorOp::ApproxTopk),
    ("sort", VectorOp::Sort),
    ("sort_desc", VectorOp::SortDesc),
];

impl RangeOp {
    /// Its name.
    pub(crate) fn text(self) -> &'static str {
        RANGE_OPS.iter().find(|(_, op)| *op == self).map_or("", |(name, _)| name)
    }
}

impl VectorOp {
    /// Its name.
    pub(crate) fn text(self) -> &'static str {
        VECTOR_OPS.iter().find(|(_, op)| *op == self).map_or("", |(name, _)| name)
    }
}

impl BinaryOp {
    /// As it is written.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Or => "or",
            Self::And => "and",
            Self::Unless => "unless",
            Self::Compare(compare) => compare.text(),
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Mod => "%",
            Self::Pow => "^",
        }
    }

    /// How strongly it binds.
    pub(crate) fn strength(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And | Self::Unless => 2,
            Self::Compare(_) => 3,
            Self::Add | Self::Sub => 4,
            Self::Mul | Self::Div | Self::Mod => 5,
            Self::Pow => 6,
        }
    }

    /// Whether it picks series instead of computing.
    pub(crate) fn is_set(self) -> bool {
        matches!(self, Self::Or | Self::And | Self::Unless)
    }
}

impl MatchOp {
    /// As it is written.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Regex => "=~",
            Self::NotRegex => "!~",
        }
    }
}

impl LineOp {
    /// As it is written.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Contains => "|=",
            Self::NotContains => "!=",
            Self::Regex => "|~",
            Self::NotRegex => "!~",
            Self::Pattern => "|>",
            Self::NotPattern => "!>",
        }
    }

    /// Whether lines that fit are left out.
    pub(crate) fn is_negated(self) -> bool {
        matches!(self, Self::NotContains | Self::NotRegex | Self::NotPattern)
    }
}
