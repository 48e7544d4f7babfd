//! Values that a column of the table has in another spelling: `kind = 'SERVER'` would find nothing, and is told what to write.

use datafusion::{
    common::{DFSchema, ExprSchema, ScalarValue, plan_err},
    error::Result,
    logical_expr::Expr,
};

use crate::sql::table::column_of_table;

const KINDS: [&str; 6] = ["unspecified", "internal", "server", "client", "producer", "consumer"];

const STATUS_CODES: [&str; 3] = ["unset", "ok", "error"];

const STATES: [&str; 2] = ["pending", "kept"];

/// The first number of each, as OTLP has them.
const SEVERITIES: [(&str, &str); 7] = [
    ("trace", "1"),
    ("debug", "5"),
    ("info", "9"),
    ("warn", "13"),
    ("warning", "13"),
    ("error", "17"),
    ("fatal", "21"),
];

/// Refuses to look in a column for a text that is one of its values, spelled in another way.
pub(super) fn check(one: &Expr, other: &Expr, schema: &DFSchema) -> Result<()> {
    check_column(one, other, schema, |_| true)
}

/// The same of a bound: texts may be bounds of texts, as `trace_id < '8'` of half of the traces; the word for a number is none.
pub(super) fn check_bound(one: &Expr, other: &Expr, schema: &DFSchema) -> Result<()> {
    check_column(one, other, schema, |name| name == "severity_number")
}

fn check_column(one: &Expr, other: &Expr, schema: &DFSchema, is_looked_at: impl Fn(&str) -> bool) -> Result<()> {
    for (column, value) in [(one, other), (other, one)] {
        let (Expr::Column(column), Some(text)) = (column, text(value)) else { continue };
        if !is_looked_at(&column.name) {
            continue;
        }
        let Some(meant) = meant(&column.name, text) else { continue };
        let meant =
            if meant.is_empty() { format!("{} IS NULL, or IS NOT NULL", column.name) } else { format!("'{meant}'") };
        if schema.field_from_column(column).is_ok_and(|field| column_of_table(field) == Some(&*column.name)) {
            return plan_err!("no {} is written '{text}' here: write {meant}", column.name);
        }
    }
    Ok(())
}

fn text(value: &Expr) -> Option<&str> {
    match value {
        Expr::Literal(
            ScalarValue::Utf8(Some(text)) | ScalarValue::LargeUtf8(Some(text)) | ScalarValue::Utf8View(Some(text)),
            _,
        ) => Some(text),
        _ => None,
    }
}

/// How the column has this value, when it is not so; empty for none.
fn meant(column: &str, text: &str) -> Option<String> {
    let lower = text.trim().to_lowercase();
    let of = |prefix: &str, values: &[&str]| {
        let bare = lower.strip_prefix(prefix).unwrap_or(&lower);
        values.contains(&bare).then(|| bare.to_owned())
    };
    let meant = match column {
        "kind" => of("span_kind_", &KINDS),
        "status_code" => of("status_code_", &STATUS_CODES),
        "state" => of("", &STATES),
        "trace_id" => id(&lower, 32),
        // What others have as an empty text is null here.
        "parent_span_id" | "status_message" | "scope_name" | "event_name" | "severity_text" if text.is_empty() => {
            return Some(String::new());
        }
        "span_id" | "parent_span_id" => id(&lower, 16),
        "severity_number" => SEVERITIES.iter().find(|(name, _)| *name == lower).map(|(_, number)| (*number).to_owned()),
        _ => None,
    };
    meant.filter(|meant| meant != text)
}

/// In capitals, with `0x`, as a UUID, or of 64 bits.
fn id(lower: &str, digits: usize) -> Option<String> {
    let bare = lower.strip_prefix("0x").unwrap_or(lower).replace('-', "");
    let is_hex = bare.bytes().all(|digit| digit.is_ascii_hexdigit());
    (is_hex && (bare.len() == digits || bare.len() == 16)).then(|| format!("{bare:0>digits$}"))
}

#[cfg(test)]
mod tests {
    use super::meant;

    #[test]
    fn spellings_of_others_are_known() {
        const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
        for (column, text, is_meant) in [
            ("kind", "SERVER", "server"),
            ("kind", "SPAN_KIND_CLIENT", "client"),
            ("status_code", "STATUS_CODE_ERROR", "error"),
            ("status_code", "Ok", "ok"),
            ("state", "Pending", "pending"),
            ("trace_id", "4BF92F3577B34DA6A3CE929D0E0E4736", ID),
            ("trace_id", "0x4bf92f3577b34da6a3ce929d0e0e4736", ID),
            ("trace_id", "4bf92f35-77b3-4da6-a3ce-929d0e0e4736", ID),
            ("trace_id", "a3ce929d0e0e4736", "0000000000000000a3ce929d0e0e4736"),
            ("span_id", "00F067AA0BA902B7", "00f067aa0ba902b7"),
            ("severity_number", "ERROR", "17"),
        ] {
            assert_eq!(meant(column, text).as_deref(), Some(is_meant), "{column} {text}");
            assert_eq!(meant(column, is_meant), None);
        }
        assert_eq!(meant("parent_span_id", "").as_deref(), Some(""));
        for (column, text) in
            [("kind", ""), ("kind", "x"), ("service", "SERVER"), ("trace_id", "4bf9"), ("span_id", ID), ("state", "é")]
        {
            assert_eq!(meant(column, text), None, "{column} {text}");
        }
    }
}
