//! What DataFusion says of a query that cannot be answered, in words for whoever asked: without its own names, types and advice.
//!
//! Names are resolved before ([`super::names`]); what is not known here is passed on as the engine says it.

use datafusion::error::DataFusionError;

/// What stands before a message, once for each layer that passed it on.
const KINDS: [&str; 10] = [
    "Error during planning: ",
    "Execution error: ",
    "Schema error: ",
    "Arrow error: ",
    "External error: ",
    "Internal error: ",
    "This feature is not implemented: ",
    "Parser error: ",
    "Cast error: ",
    "Compute error: ",
];

/// What follows an internal error.
const BUG_REPORT: &str = "\nThis issue was likely caused by a bug in DataFusion";

/// Forms of a function that are listed.
const FORMS_MAX: usize = 6;

/// The error at the root, in words.
pub(super) fn in_words(error: &DataFusionError) -> String {
    let message = error.find_root().strip_backtrace();
    let message = without_syntax_tree(without_kinds(&message));
    // A function's own refusal is wrapped into one for its types, which knows less.
    let known = [arguments, ungrouped, computed, compared, condition, cast, field, ambiguous, unnested, time];
    let words = known.iter().find_map(|known| known(message));
    words.unwrap_or_else(|| types(message.split(BUG_REPORT).next().unwrap_or_default()))
}

fn without_kinds(mut message: &str) -> &str {
    while let Some(rest) = KINDS.iter().find_map(|kind| message.strip_prefix(kind)) {
        message = rest;
    }
    message
}

/// Some messages end in a part of the query as the parser holds it.
fn without_syntax_tree(message: &str) -> &str {
    let Some(place) = message.find("Span(Location(") else { return message };
    let end = message.find(" {").map_or(place, |begin| begin.min(place));
    let words = message[..end].rsplit_once(' ').map_or("", |(words, _)| words);
    words.trim_end_matches(':')
}

/// What is between the first `begin` and the next `end`.
fn between<'a>(text: &'a str, begin: &str, end: &str) -> Option<&'a str> {
    text.split_once(begin)?.1.split_once(end).map(|(found, _)| found)
}

fn ungrouped(message: &str) -> Option<String> {
    let name = between(message, "column \"", "\" must appear in the GROUP BY clause")?;
    Some(format!("column {name} must be in GROUP BY or in an aggregate function"))
}

fn computed(message: &str) -> Option<String> {
    let expression = between(message, "Cannot coerce arithmetic expression ", " to valid types")?;
    let expression = types(expression);
    let is_of_time = expression.contains("timestamp") && expression.contains("text");
    let advice = if is_of_time { "; a time span is INTERVAL '1 hour'" } else { "" };
    Some(format!("{expression} cannot be computed: these types do not go together{advice}"))
}

fn compared(message: &str) -> Option<String> {
    let expression = message.strip_prefix("Cannot infer common argument type for comparison operation ")?;
    let expression = types(expression);
    let is_of_time = expression.contains("timestamp") && ["int", "float"].iter().any(|kind| expression.contains(kind));
    let advice =
        "; write '2026-01-31T12:00:00Z', or to_timestamp_seconds(…), to_timestamp_millis(…), to_timestamp_nanos(…)";
    let is_of_length = expression.contains("Interval") && expression.contains("int64");
    let advice = match (is_of_time, is_of_length) {
        (true, _) => advice,
        (_, true) => "; duration_ns counts nanoseconds, end_time - start_time is a length of time",
        _ => "",
    };
    Some(format!("{expression} cannot be compared: these types do not go together{advice}"))
}

fn condition(message: &str) -> Option<String> {
    let condition = message.strip_prefix("Cannot create filter with non-boolean predicate ")?;
    let (condition, found) = condition.rsplit_once(" returning ")?;
    Some(format!("the condition {condition} is {}, not boolean", types(found)))
}

fn cast(message: &str) -> Option<String> {
    let is_cast = message.starts_with("Cannot cast string '") || message.starts_with("Cannot cast value '");
    let text = between(message, " '", "'").unwrap_or_default();
    let is_length = weir_proto::duration::parse(text).is_ok_and(|_| text.ends_with(char::is_alphabetic));
    let advice = if is_length {
        "duration_ns counts nanoseconds: 5ms is 5000000"
    } else {
        "TRY_CAST(… AS …), or attr_num(…), gives null for what is none"
    };
    is_cast.then(|| format!("{}; {advice}", types(message)))
}

/// A text that stands for a time, and is none.
fn time(message: &str) -> Option<String> {
    let text = between(message, "Error parsing timestamp from '", "'")?;
    Some(format!("'{text}' is no time: write '2026-01-31T12:00:00Z', '2026-01-31', or now() - INTERVAL '1 hour'"))
}

/// A name that only the planner could tell to be none.
fn field(message: &str) -> Option<String> {
    let rest = message.strip_prefix("No field named ")?;
    let (name, near) = match rest.split_once(". Did you mean '") {
        Some((name, near)) => (name, near.split_once('\'').map(|(near, _)| near)),
        None => (rest.split_once(".\n").map_or_else(|| rest.trim_end_matches('.'), |(name, _)| name), None),
    };
    Some(match near {
        Some(near) => format!("there is no column {name}; did you mean {near}?"),
        None => format!(
            "there is no column {name} here: what AS names is known in GROUP BY, HAVING and ORDER BY, not in WHERE"
        ),
    })
}

fn ambiguous(message: &str) -> Option<String> {
    let name = message.strip_prefix("Ambiguous reference to unqualified field ")?;
    Some(format!("column {name} is in more than one of the tables: write of which, as in spans.{name}"))
}

fn unnested(message: &str) -> Option<String> {
    let is_unnest = message.starts_with("unnest() can only be applied to");
    is_unnest.then(|| "unnest takes a list: events, links and attributes are texts of JSON".to_owned())
}

/// A function that was given what it does not take.
fn arguments(message: &str) -> Option<String> {
    let (before, after) = message.split_once("No function matches the given name and argument types '")?;
    if let Some((_, cause)) = before.split_once("user-defined coercion failed with: ") {
        return Some(types(without_kinds(cause.trim_end_matches([' ', '.']))));
    }
    let (call, rest) = after.split_once("'. You might need")?;
    let (name, given) = call.split_once('(')?;
    let mut forms: Vec<String> = Vec::new();
    for form in rest.lines().filter_map(|line| line.trim().strip_prefix(name)?.strip_prefix('(')) {
        let form = format!("({}", kinds(form));
        if !forms.contains(&form) && forms.len() < FORMS_MAX {
            forms.push(form);
        }
    }
    let given = types(given);
    let last = forms.pop()?;
    let takes = if forms.is_empty() { last } else { format!("{} or {last}", forms.join(", ")) };
    let is_of_numbers = takes.contains("number") && !takes.contains("text") && given.contains("text");
    let is_of_lists = takes.contains("array") && given.contains("text");
    let advice = match (is_of_numbers, is_of_lists) {
        (true, _) => "; attr_num(…) is the number of a text",
        (_, true) => "; a list in an attribute is a text of JSON, which LIKE '%\"a\"%' finds",
        _ => "",
    };
    Some(format!("{name} takes {takes}, not ({given}{advice}"))
}

/// Arrow's types as docs/sql.md names them, and values without theirs.
fn types(text: &str) -> String {
    words_replaced(text, true, |word| match word {
        "Utf8View" | "LargeUtf8" | "Utf8" => Some("text".into()),
        "Boolean" | "Timestamp" => Some(word.to_lowercase()),
        _ => is_number(word).then(|| word.to_lowercase()),
    })
}

/// The types that a function takes: every number is one.
fn kinds(text: &str) -> String {
    words_replaced(text, false, |word| match word {
        "String" | "Utf8View" | "LargeUtf8" | "Utf8" => Some("text".into()),
        "Decimal" | "Float" | "Numeric" | "Integer" => Some("number".into()),
        "NullAry" => Some("nothing".into()),
        "Date32" | "Date64" => Some("date".into()),
        "Time32" | "Time64" => Some("time".into()),
        "Boolean" | "Timestamp" | "Duration" | "Interval" | "Date" | "Time" | "Binary" | "Any" => {
            Some(word.to_lowercase())
        }
        _ => is_number(word).then(|| "number".into()),
    })
}

fn is_number(word: &str) -> bool {
    let bits = ["Int", "UInt", "Float"].iter().find_map(|kind| word.strip_prefix(kind));
    bits.is_some_and(|bits| matches!(bits, "8" | "16" | "32" | "64"))
}

/// Replaces words. What is in brackets behind a replaced one belongs to a type and goes; with `values` it may be a value, which stays
/// in its place.
fn words_replaced(text: &str, values: bool, replaced: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let len = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        if len == 0 {
            out.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        }
        let (word, after) = rest.split_at(len);
        rest = after;
        let Some(new) = replaced(word) else {
            out.push_str(word);
            continue;
        };
        let Some((inner, behind)) = after.strip_prefix('(').and_then(|inner| inner.split_once(')')) else {
            out.push_str(&new);
            continue;
        };
        out.push_str(if values && word != "Timestamp" { inner } else { &new });
        rest = behind;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_and_values() {
        for (text, words) in [
            ("Utf8View + Int64", "text + int64"),
            ("count(Int64(1)), Timestamp(ns, \"UTC\")", "count(1), timestamp"),
            ("Integral Int65 my_Int64 ünï", "Integral Int65 my_Int64 ünï"),
            ("Utf8(", "text("),
        ] {
            assert_eq!(types(text), words);
        }
        assert_eq!(kinds("y: Float64, x: Numeric(1), String(1), Time64(ns))"), "y: number, x: number, text, time)");
    }

    #[test]
    fn texts_that_are_no_values() {
        for (message, words) in [
            (
                "Error parsing timestamp from 'yesterday': timestamp must contain at least 10 characters",
                "'yesterday' is no time: write '2026-01-31T12:00:00Z', '2026-01-31', or now() - INTERVAL '1 hour'",
            ),
            (
                "Cannot cast string '5ms' to value of Int64 type",
                "Cannot cast string '5ms' to value of int64 type; duration_ns counts nanoseconds: 5ms is 5000000",
            ),
            (
                "Cannot cast string 'OK' to value of Int64 type",
                "Cannot cast string 'OK' to value of int64 type; TRY_CAST(… AS …), or attr_num(…), gives null for what is none",
            ),
        ] {
            assert_eq!(in_words(&DataFusionError::Execution(message.into())), words);
        }
    }

    #[test]
    fn names_that_only_the_planner_knows() {
        for (message, words) in [
            (
                "No field named svc.\nValid fields are spans.name.",
                "there is no column svc here: what AS names is known in GROUP BY, HAVING and ORDER BY, not in WHERE",
            ),
            (
                "No field named traceid. Did you mean 'spans.trace_id'?\nValid fields are spans.name.",
                "there is no column traceid; did you mean spans.trace_id?",
            ),
            (
                "Ambiguous reference to unqualified field name",
                "column name is in more than one of the tables: write of which, as in spans.name",
            ),
        ] {
            let error = DataFusionError::Plan(format!("Schema error: {message}"));
            assert_eq!(in_words(&error), words);
        }
    }

    #[test]
    fn what_is_not_known_stays() {
        let error = DataFusionError::Plan("UNION queries have different number of columns".into()).context("a rule");
        assert_eq!(in_words(&error), "UNION queries have different number of columns");
        let error = DataFusionError::Internal("no plan".into());
        assert!(!in_words(&error).contains("DataFusion"), "{}", in_words(&error));
    }
}
