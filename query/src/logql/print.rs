//! Writes a query as people like to read it: what `format_query` answers, and what parses to the same again.

use super::{
    ast::{
        BinaryOp, Cardinality, Chosen, Conversion, Expr, Extraction, FormatSource, Grouping, LabelFilter, LogExpr,
        LogRange, Matcher, Metric, Modifier, Stage, Unwrap,
    },
    units,
};

/// Characters of a line, before it is broken up.
const LINE_CHARS_MAX: usize = 100;

/// The query, on several lines where one is too long.
pub(crate) fn pretty(expr: &Expr) -> String {
    match expr {
        Expr::Log(log) => log_lines(log, 0),
        Expr::Metric(metric) => metric_lines(metric, 0),
    }
}

fn log_lines(log: &LogExpr, level: usize) -> String {
    let flat = format!("{}{}", indent(level), log_text(log));
    if flat.chars().count() <= LINE_CHARS_MAX {
        return flat;
    }
    let mut out = format!("{}{}", indent(level), matchers(&log.matchers));
    for stage in &log.stages {
        out.push_str(&format!("\n{}{}", indent(level + 1), stage_text(stage)));
    }
    out
}

fn metric_lines(metric: &Metric, level: usize) -> String {
    let flat = format!("{}{}", indent(level), metric_text(metric));
    if flat.chars().count() <= LINE_CHARS_MAX {
        return flat;
    }
    let margin = indent(level);
    match metric {
        Metric::Range { op, parameter, range, grouping } => {
            let mut out = format!("{margin}{}(\n", op.text());
            if let Some(parameter) = parameter {
                out.push_str(&format!("{}{parameter},\n", indent(level + 1)));
            }
            out.push_str(&log_lines(&range.log, level + 1));
            if let Some(unwrap) = &range.unwrap {
                out.push_str(&format!("\n{}{}", indent(level + 2), unwrap_text(unwrap)));
            }
            out.push_str(&format!(" {}\n{margin})", window(range)));
            if let Some(grouping) = grouping {
                out.push_str(&format!(" {}", grouping_text(grouping)));
            }
            out
        }
        Metric::Vector { op, parameter, inner, grouping } => {
            let grouping = grouping.as_ref().map(|grouping| format!(" {} ", grouping_text(grouping)));
            let mut out = format!("{margin}{}{}(\n", op.text(), grouping.unwrap_or_default());
            if let Some(parameter) = parameter {
                out.push_str(&format!("{}{parameter},\n", indent(level + 1)));
            }
            out.push_str(&metric_lines(inner, level + 1));
            out.push_str(&format!("\n{margin})"));
            out
        }
        Metric::Binary { op, modifier, left, right } => {
            let operand = |operand: &Metric, is_right: bool| {
                if needs_parentheses(operand, *op, is_right) {
                    format!("{}(\n{}\n{})", indent(level + 1), metric_lines(operand, level + 2), indent(level + 1))
                } else {
                    metric_lines(operand, level + 1)
                }
            };
            format!(
                "{}\n{margin}{}{}\n{}",
                operand(left, false),
                op.text(),
                modifier_text(modifier),
                operand(right, true)
            )
        }
        Metric::LabelReplace { inner, target, replacement, source, regex } => {
            let texts =
                [target, replacement, source, regex].map(|text| format!("{}{}", indent(level + 1), quoted(text)));
            format!("{margin}label_replace(\n{},\n{}\n{margin})", metric_lines(inner, level + 1), texts.join(",\n"))
        }
        Metric::Number(_) | Metric::VectorOf(_) => flat,
    }
}

fn indent(level: usize) -> String {
    "  ".repeat(level)
}

/// A metric query on one line.
pub(crate) fn metric_text(metric: &Metric) -> String {
    match metric {
        Metric::Range { op, parameter, range, grouping } => {
            let parameter = parameter.map(|parameter| format!("{parameter}, ")).unwrap_or_default();
            let grouping = grouping.as_ref().map(|grouping| format!(" {}", grouping_text(grouping)));
            format!("{}({parameter}{}){}", op.text(), range_text(range), grouping.unwrap_or_default())
        }
        Metric::Vector { op, parameter, inner, grouping } => {
            let parameter = parameter.map(|parameter| format!("{parameter}, ")).unwrap_or_default();
            let grouping = grouping.as_ref().map(|grouping| format!(" {} ", grouping_text(grouping)));
            format!("{}{}({parameter}{})", op.text(), grouping.unwrap_or_default(), metric_text(inner))
        }
        Metric::Binary { op, modifier, left, right } => {
            let operand = |operand: &Metric, is_right: bool| {
                let text = metric_text(operand);
                if needs_parentheses(operand, *op, is_right) { format!("({text})") } else { text }
            };
            format!("{} {}{} {}", operand(left, false), op.text(), modifier_text(modifier), operand(right, true))
        }
        Metric::LabelReplace { inner, target, replacement, source, regex } => {
            let texts = [target, replacement, source, regex].map(|text| quoted(text));
            format!("label_replace({}, {})", metric_text(inner), texts.join(", "))
        }
        Metric::Number(value) => units::written_number(*value),
        Metric::VectorOf(value) => format!("vector({})", units::written_number(*value)),
    }
}

fn needs_parentheses(operand: &Metric, around: BinaryOp, is_right: bool) -> bool {
    match operand {
        Metric::Binary { op, .. } => {
            let binds_right = around == BinaryOp::Pow;
            op.strength() < around.strength() || (op.strength() == around.strength() && is_right != binds_right)
        }
        Metric::Number(value) => *value < 0.0 && around == BinaryOp::Pow && !is_right,
        _ => false,
    }
}

fn modifier_text(modifier: &Modifier) -> String {
    let mut out = String::new();
    if modifier.returns_bool {
        out.push_str(" bool");
    }
    if let Some((is_on, labels)) = &modifier.matching {
        out.push_str(&format!(" {} ({})", if *is_on { "on" } else { "ignoring" }, labels.join(", ")));
    }
    match &modifier.cardinality {
        Cardinality::OneToOne => {}
        Cardinality::ManyToOne(labels) => out.push_str(&format!(" group_left ({})", labels.join(", "))),
        Cardinality::OneToMany(labels) => out.push_str(&format!(" group_right ({})", labels.join(", "))),
    }
    out
}

fn grouping_text(grouping: &Grouping) -> String {
    format!("{} ({})", if grouping.without { "without" } else { "by" }, grouping.labels.join(", "))
}

fn range_text(range: &LogRange) -> String {
    let mut out = log_text(&range.log);
    if let Some(unwrap) = &range.unwrap {
        out.push_str(&format!(" {}", unwrap_text(unwrap)));
    }
    if !range.log.stages.is_empty() || range.unwrap.is_some() {
        out.push(' ');
    }
    out.push_str(&window(range));
    out
}

fn window(range: &LogRange) -> String {
    let offset = match range.offset_ns {
        0 => String::new(),
        ns => format!(" offset {}", units::written_duration(ns)),
    };
    format!("[{}]{offset}", units::written_duration(range.range_ns))
}

fn unwrap_text(unwrap: &Unwrap) -> String {
    let label = &unwrap.label;
    let mut out = match unwrap.conversion {
        Conversion::None => format!("| unwrap {label}"),
        Conversion::Duration => format!("| unwrap duration({label})"),
        Conversion::DurationSeconds => format!("| unwrap duration_seconds({label})"),
        Conversion::Bytes => format!("| unwrap bytes({label})"),
    };
    for filter in &unwrap.filters {
        out.push_str(&format!(" | {}", filter_text(filter)));
    }
    out
}

/// A query for lines on one line.
pub(crate) fn log_text(log: &LogExpr) -> String {
    let mut out = matchers(&log.matchers);
    for stage in &log.stages {
        out.push(' ');
        out.push_str(&stage_text(stage));
    }
    out
}

fn matchers(matchers: &[Matcher]) -> String {
    format!("{{{}}}", matchers.iter().map(matcher).collect::<Vec<_>>().join(", "))
}

fn matcher(matcher: &Matcher) -> String {
    format!("{}{}{}", matcher.name, matcher.op.text(), quoted(&matcher.value))
}

fn stage_text(stage: &Stage) -> String {
    match stage {
        Stage::Line { op, needles } => {
            let needles = needles.iter().map(|needle| {
                if needle.is_ip { format!("ip({})", quoted(&needle.text)) } else { quoted(&needle.text) }
            });
            format!("{} {}", op.text(), needles.collect::<Vec<_>>().join(" or "))
        }
        Stage::Label(filter) => format!("| {}", filter_text(filter)),
        Stage::Json(fields) => format!("| json{}", extractions(fields)),
        Stage::Logfmt { strict, keep_empty, fields } => format!(
            "| logfmt{}{}{}",
            if *strict { " --strict" } else { "" },
            if *keep_empty { " --keep-empty" } else { "" },
            extractions(fields)
        ),
        Stage::Regexp(text) => format!("| regexp {}", quoted(text)),
        Stage::Pattern(text) => format!("| pattern {}", quoted(text)),
        Stage::Unpack => "| unpack".into(),
        Stage::LineFormat(text) => format!("| line_format {}", quoted(text)),
        Stage::LabelFormat(formats) => {
            let formats = formats.iter().map(|format| match &format.source {
                FormatSource::Label(label) => format!("{}={label}", format.name),
                FormatSource::Template(text) => format!("{}={}", format.name, quoted(text)),
            });
            format!("| label_format {}", formats.collect::<Vec<_>>().join(", "))
        }
        Stage::Decolorize => "| decolorize".into(),
        Stage::Drop(labels) => format!("| drop {}", chosen(labels)),
        Stage::Keep(labels) => format!("| keep {}", chosen(labels)),
    }
}

fn chosen(labels: &[Chosen]) -> String {
    let labels = labels.iter().map(|label| match label {
        Chosen::Name(name) => name.clone(),
        Chosen::Matcher(found) => matcher(found),
    });
    labels.collect::<Vec<_>>().join(", ")
}

fn extractions(fields: &[Extraction]) -> String {
    let fields = fields.iter().map(|field| format!("{}={}", field.name, quoted(&field.path))).collect::<Vec<_>>();
    if fields.is_empty() { String::new() } else { format!(" {}", fields.join(", ")) }
}

fn filter_text(filter: &LabelFilter) -> String {
    // From left to right: only what stands to the right needs parentheses.
    let right_text = |right: &LabelFilter| match right {
        LabelFilter::And(..) | LabelFilter::Or(..) => format!("({})", filter_text(right)),
        _ => filter_text(right),
    };
    match filter {
        LabelFilter::And(left, right) => format!("{} and {}", filter_text(left), right_text(right)),
        LabelFilter::Or(left, right) => format!("{} or {}", filter_text(left), right_text(right)),
        LabelFilter::Text(found) => matcher(found),
        LabelFilter::Number { name, op, written, .. } => format!("{name} {} {written}", op.text()),
        LabelFilter::Ip { name, negated, addresses } => {
            format!("{name}{}ip({})", if *negated { "!=" } else { "=" }, quoted(addresses))
        }
    }
}

/// A text in quotes; in backticks where that needs no escapes.
fn quoted(text: &str) -> String {
    let needs_escapes = text.contains(['"', '\\']);
    if needs_escapes && !text.contains(['`', '\r', '\n']) {
        return format!("`{text}`");
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
