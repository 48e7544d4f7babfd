//! What people bring from other systems: the form that works here for names and functions that others have.

use datafusion::sql::sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Value,
};

use super::functions;

/// A column that has to be there, and what is written then.
type Ours = [(&'static str, &'static str)];

/// What others call a column, in lower case and without `_`, and what it is called here: the first that is there.
const COLUMNS: [(&[&str], &Ours); 20] = [
    (
        &["duration", "durationnano", "durationns", "durationms", "durationus", "elapsed", "latency"],
        &[("duration_ns", "duration_ns")],
    ),
    (
        &["timestamp", "start", "ts", "time", "starttime", "starttimeunixnano", "spanstart", "@timestamp", "eventtime"],
        &[("start_time", "start_time"), ("time", "time")],
    ),
    (&["timeunixnano", "datetime", "logtime"], &[("time", "time"), ("start_time", "start_time")]),
    (&["observedtimestamp", "observedtimeunixnano", "receivedat"], &[("observed_time", "observed_time")]),
    (&["end", "endtimeunixnano", "endtimestamp"], &[("end_time", "end_time")]),
    (&["operation", "operationname", "spanname", "rootname"], &[("name", "name")]),
    (&["servicename", "app", "process"], &[("service", "service")]),
    (&["spankind"], &[("kind", "kind")]),
    (&["status", "statuscodestring", "spanstatus"], &[("status_code", "status_code")]),
    (&["error", "iserror", "haserror", "failed"], &[("status_code", "status_code = 'error'")]),
    (&["statusmsg", "statusdescription"], &[("status_message", "status_message")]),
    (
        &["message", "msg", "content", "line", "log", "text", "logmessage", "logline"],
        &[("body", "body"), ("status_message", "status_message")],
    ),
    (
        &["severity", "level", "loglevel", "lvl", "logseverity"],
        &[("severity_text", "severity_text, as it was written, or severity_number, as in severity_number >= 17")],
    ),
    (&["trace", "traceid", "traceidhex"], &[("trace_id", "trace_id")]),
    (&["span", "spanid", "spanidhex"], &[("span_id", "span_id")]),
    (&["parentid", "parent", "parentspanid"], &[("parent_span_id", "parent_span_id")]),
    (&["scope", "libraryname", "otelscopename", "instrumentationscope", "scopename"], &[("scope_name", "scope_name")]),
    (&["event"], &[("event_name", "event_name"), ("events", "events")]),
    (&["rownum", "rowid", "rownumber"], &[("", "LIMIT at the end of the query")]),
    (&["sysdate", "systimestamp", "getdate", "utcnow"], &[("", "now()")]),
];

/// Columns that hold the attributes of a span or of its resource elsewhere.
const CONTAINERS: [(&[&str], &str); 2] = [
    (
        &[
            "attribute",
            "attrs",
            "attr",
            "tags",
            "tag",
            "labels",
            "spanattributes",
            "spantags",
            "properties",
            "stringtagmap",
        ],
        "attributes",
    ),
    (&["resourceattributes", "resources", "resourcetags", "processtags", "resourceattribute"], "resource"),
];

/// Functions that look one key of a JSON text or a map up, in lower case and without `_`.
const LOOKUPS: [&str; 7] = ["elementat", "get", "getjsonobject", "getpath", "mapextract", "tryget", "jsonfield"];

/// Beginnings of their names.
const LOOKUPS_BEGIN: [&str; 7] =
    ["jsonextract", "jsonbextract", "jsonget", "jsonquery", "jsonvalue", "simplejsonextract", "visitparamextract"];

/// Functions that ask whether a key is there.
const PRESENCE: [&str; 8] =
    ["has", "haskey", "jsoncontains", "jsonexists", "jsonhas", "mapcontains", "mapcontainskey", "jsoncontainspath"];

/// As names are looked up here.
pub(super) fn plain(name: &str) -> String {
    name.to_lowercase().replace('_', "")
}

/// What the column that others call so is called here, of those that are there.
pub(super) fn column(name: &str, is_there: impl Fn(&str) -> bool) -> Option<&'static str> {
    let name = plain(name);
    let (_, ours) = COLUMNS.iter().find(|(names, _)| names.contains(&name.as_str()))?;
    ours.iter().find(|(column, _)| column.is_empty() || is_there(column)).map(|(_, shown)| *shown)
}

/// Where the attributes are that others have in a column of this name.
pub(super) fn container(name: &str) -> Option<&'static str> {
    let name = plain(name);
    CONTAINERS.iter().find(|(names, _)| names.contains(&name.as_str())).map(|(_, ours)| *ours)
}

/// What is said of what lies in a text of JSON.
pub(super) const IN_JSON: &str = "events and links are texts of JSON: write events LIKE '%\"name\":\"exception\"%', or \
    regexp_match(events, '\"exception\\.type\":\"([^\"]*)\"')[1]";

/// An attribute as it is written here.
pub(super) fn access(container: &str, key: &str) -> String {
    format!("{container}['{}']", key.replace('\'', "''"))
}

/// What works in the place of a key with dots that was taken for a column.
pub(super) fn dotted(parts: &[String]) -> String {
    let key = parts.join(".");
    let rest = |from: usize| parts[from..].join(".");
    let lower: Vec<String> = parts.iter().map(|part| part.to_lowercase()).collect();
    let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
    let of_span = |name: &str| column(name, |column| !matches!(column, "body" | "severity_text" | ""));
    match lower.as_slice() {
        ["service", "name"] | ["resource", "service", "name"] => "write service".into(),
        // Fields of a JSON body are found like attributes.
        ["body", _, ..] => format!("write {}", access("attributes", &rest(1))),
        ["events" | "links", ..] => IN_JSON.to_owned(),
        ["span" | "trace" | "parent", rest] if of_span(&format!("{}{rest}", lower[0])).is_some() => {
            format!("write {}", of_span(&format!("{}{rest}", lower[0])).unwrap_or_default())
        }
        [
            "span" | "trace",
            name @ ("name" | "kind" | "service" | "duration" | "status" | "start_time" | "end_time"),
        ] => {
            format!("write {}", of_span(name).unwrap_or(name))
        }
        ["resource" | "span", "attributes", _, ..] => {
            let container = if lower[0] == "resource" { "resource" } else { "attributes" };
            format!("write {}", access(container, &rest(2)))
        }
        ["resource" | "process" | "tags" | "tag" | "labels" | "attr" | "span", _, ..] if parts.len() > 1 => {
            let is_resource = matches!(lower[0], "resource" | "process");
            format!("write {}", access(if is_resource { "resource" } else { "attributes" }, &rest(1)))
        }
        [first, _, ..] if container(first).is_some() => {
            format!("write {}", access(container(first).unwrap_or_default(), &rest(1)))
        }
        _ => format!(
            "an attribute of the span is {}, one of its resource {}",
            access("attributes", &key),
            access("resource", &key)
        ),
    }
}

/// What a function is called with.
pub(super) fn arguments(function: &Function) -> Vec<&Expr> {
    let FunctionArguments::List(list) = &function.args else { return Vec::new() };
    let mut found = Vec::new();
    for argument in &list.args {
        if let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = argument {
            found.push(expr);
        }
    }
    found
}

/// The values of `count(DISTINCT a, b)`.
pub(super) fn several_distinct(call: &Function) -> Option<String> {
    let FunctionArguments::List(list) = &call.args else { return None };
    let values: Vec<String> = arguments(call).iter().map(ToString::to_string).collect();
    (list.duplicate_treatment == Some(DuplicateTreatment::Distinct) && values.len() > 1).then(|| values.join(", "))
}

/// Whether the first argument is a column of attributes.
pub(super) fn asks_attributes(call: &Function) -> bool {
    let name = match arguments(call).first() {
        Some(Expr::Identifier(name)) => name.value.to_lowercase(),
        Some(Expr::CompoundIdentifier(names)) => names.last().map(|name| name.value.to_lowercase()).unwrap_or_default(),
        _ => return false,
    };
    matches!(name.as_str(), "attributes" | "resource")
}

/// What works in the place of a function that others have.
pub(super) fn function(name: &str, call: &Function) -> Option<String> {
    let plain = plain(name);
    let arguments = arguments(call);
    let looks_up = LOOKUPS.contains(&plain.as_str()) || LOOKUPS_BEGIN.iter().any(|begin| plain.starts_with(begin));
    let asks = PRESENCE.contains(&plain.as_str());
    if !looks_up && !asks {
        return functions::ours(&plain, call, &arguments);
    }
    let of = match arguments.first() {
        Some(Expr::Identifier(name)) => name.value.to_lowercase(),
        Some(Expr::CompoundIdentifier(names)) => names.last().map(|name| name.value.to_lowercase()).unwrap_or_default(),
        _ => String::new(),
    };
    if matches!(of.as_str(), "events" | "links") {
        return Some(IN_JSON.trim_start_matches("events and links are texts of JSON: write ").to_owned());
    }
    let of = if of == "resource" { "resource" } else { container(&of).unwrap_or("attributes") };
    let keys: Vec<String> = arguments.iter().skip(1).filter_map(|key| text(key)).map(|key| key_of_path(&key)).collect();
    let key = if keys.is_empty() { "key".to_owned() } else { keys.join(".") };
    let access = access(of, &key);
    Some(if asks { format!("{access} IS NOT NULL") } else { access })
}

/// A text in the query.
pub(super) fn text(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) => Some(text.clone()),
            _ => None,
        },
        Expr::Identifier(name) if name.quote_style.is_some() => Some(name.value.clone()),
        _ => None,
    }
}

/// `$.http.route`, `$["http.route"]`, `$."http.route"` and `http.route` are one key.
fn key_of_path(path: &str) -> String {
    let path = path.strip_prefix('$').unwrap_or(path);
    let path = path.strip_prefix('.').unwrap_or(path);
    path.trim_matches(['[', ']', '"', '\'']).to_owned()
}
