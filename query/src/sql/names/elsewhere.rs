//! What people bring from other systems: the form that works here for names and functions that others have.

use datafusion::sql::sqlparser::{
    ast::{DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Value},
    tokenizer::{Token, TokenWithSpan},
};

/// What others call a column, in lower case and without `_`, and what it is called here.
const COLUMNS: [(&[&str], &str); 12] = [
    (&["duration", "durationnano", "durationns", "durationms", "durationus", "elapsed", "latency"], "duration_ns"),
    (&["timestamp", "start", "ts", "time", "starttime", "starttimeunixnano", "spanstart", "@timestamp"], "start_time"),
    (&["end", "endtimeunixnano", "endtimestamp"], "end_time"),
    (&["operation", "operationname", "spanname", "rootname"], "name"),
    (&["servicename", "service_name", "app", "process"], "service"),
    (&["spankind"], "kind"),
    (&["status", "statuscodestring", "spanstatus"], "status_code"),
    (&["statusmsg", "message"], "status_message"),
    (&["trace", "traceid", "traceidhex"], "trace_id"),
    (&["span", "spanid", "spanidhex"], "span_id"),
    (&["parentid", "parent", "parentspanid"], "parent_span_id"),
    (&["scope", "libraryname", "otelscopename", "instrumentationscope"], "scope_name"),
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

/// Functions of others, in lower case and without `_`. `{x}` is the first argument, `{y}` the second.
const FUNCTIONS: [(&[&str], &str); 25] = [
    (&["countif"], "count(*) FILTER (WHERE {x})"),
    (&["sumif"], "sum({x}) FILTER (WHERE {y})"),
    (&["avgif"], "avg({x}) FILTER (WHERE {y})"),
    (
        &["quantile", "percentile", "percentileapprox", "approxquantile", "approxpercentiles", "quantileexact"],
        "approx_percentile({x}, 0.99), or p99({x})",
    ),
    (&["p75", "p10", "p25", "p999"], "approx_percentile({x}, 0.75), say"),
    (&["uniq", "uniqexact", "approxcountdistinct", "countdistinct", "dcount", "dcountif"], "count(DISTINCT {x})"),
    (
        &["timebucket", "tumble", "timeslice", "bin", "datehistogram", "tostartofinterval", "histogram"],
        "date_bin(INTERVAL '1 minute', start_time)",
    ),
    (
        &["tostartofminute", "tostartoffiveminutes", "tostartofhour", "tostartofday", "tostartofsecond"],
        "date_trunc('minute', {x})",
    ),
    (
        &["datesub", "subtracthours", "subtractminutes", "subtractdays", "subdate", "timestampsub"],
        "{x} - INTERVAL '1 hour'",
    ),
    (&["dateadd", "addhours", "addminutes", "adddays", "adddate", "timestampadd"], "now() - INTERVAL '1 hour'"),
    (&["ago", "getdate", "sysdate", "systimestamp", "utcnow", "now64", "unixtimestamp"], "now() - INTERVAL '1 hour'"),
    (&["datediff", "timestampdiff", "timediff"], "end_time - start_time, or duration_ns"),
    (&["len", "strlen", "lengthutf8"], "length({x})"),
    (&["groupconcat", "listagg"], "string_agg({x}, ',')"),
    (&["grouparray", "collectlist", "collectset", "makelist"], "array_agg({x})"),
    (&["iif", "if", "iff", "multiif", "decode"], "CASE WHEN {x} THEN … ELSE … END"),
    (&["tostring", "str", "tochar", "totext"], "CAST({x} AS VARCHAR)"),
    (
        &[
            "toint64",
            "tofloat64",
            "tonumber",
            "toint",
            "tofloat",
            "toint32",
            "touint64",
            "todouble",
            "tolong",
            "safecast",
            "tofloat64ornull",
        ],
        "attr_num({x})",
    ),
    (&["isnull", "isempty"], "{x} IS NULL"),
    (&["isnotnull", "notempty", "exists"], "{x} IS NOT NULL"),
    (&["any", "anylast", "anyvalue", "argmax", "argmin", "maxby", "minby", "arbitrary"], "first_value({x})"),
    (
        &["todatetime", "fromiso8601timestamp", "parsedatetimebesteffort", "parsetimestamp", "strtodate"],
        "to_timestamp({x})",
    ),
    (&["match", "rlike", "regexpcontains", "regexmatch"], "{x} ~ {y}"),
    (&["contains_any", "instr", "charindex", "locate", "position"], "strpos({x}, {y})"),
    (&["rate", "irate", "increase"], "count(*) GROUP BY date_bin(INTERVAL '1 minute', start_time)"),
];

/// Functions that look one key of a JSON text or a map up, in lower case and without `_`.
const LOOKUPS: [&str; 22] = [
    "elementat",
    "get",
    "getjsonobject",
    "getpath",
    "jsonextract",
    "jsonextractbool",
    "jsonextractfloat",
    "jsonextractint",
    "jsonextractpath",
    "jsonextractpathtext",
    "jsonextractraw",
    "jsonextractscalar",
    "jsonextractstring",
    "jsonget",
    "jsongetfloat",
    "jsongetint",
    "jsongetstr",
    "jsonquery",
    "jsonvalue",
    "mapextract",
    "simplejsonextractstring",
    "visitparamextractstring",
];

/// Functions that ask whether a key is there.
const PRESENCE: [&str; 8] =
    ["has", "haskey", "jsoncontains", "jsonexists", "jsonhas", "mapcontains", "mapcontainskey", "jsoncontainspath"];

fn plain(name: &str) -> String {
    name.to_lowercase().replace('_', "")
}

fn found<'t>(table: &'t [(&[&str], &'t str)], name: &str) -> Option<&'t str> {
    let name = plain(name);
    table.iter().find(|(names, _)| names.contains(&name.as_str())).map(|(_, ours)| *ours)
}

/// What the column that others call so is called here.
pub(super) fn column(name: &str) -> Option<&'static str> {
    found(&COLUMNS, name)
}

/// Where the attributes are that others have in a column of this name.
pub(super) fn container(name: &str) -> Option<&'static str> {
    found(&CONTAINERS, name)
}

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
    match lower.as_slice() {
        ["service", "name"] | ["resource", "service", "name"] => "write service".into(),
        ["span" | "trace" | "parent", rest] if column(&format!("{}{rest}", lower[0])).is_some() => {
            format!("write {}", column(&format!("{}{rest}", lower[0])).unwrap_or_default())
        }
        [
            "span" | "trace",
            name @ ("name" | "kind" | "service" | "duration" | "status" | "start_time" | "end_time"),
        ] => {
            format!("write {}", column(name).unwrap_or(name))
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

fn arguments(function: &Function) -> Vec<&Expr> {
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
    let shown =
        |at: usize, otherwise: &str| arguments.get(at).map_or_else(|| otherwise.to_owned(), ToString::to_string);
    let (looks_up, asks) = (LOOKUPS.contains(&plain.as_str()), PRESENCE.contains(&plain.as_str()));
    if looks_up || asks {
        let of = match arguments.first() {
            Some(Expr::Identifier(name)) => name.value.to_lowercase(),
            Some(Expr::CompoundIdentifier(names)) => {
                names.last().map(|name| name.value.to_lowercase()).unwrap_or_default()
            }
            _ => String::new(),
        };
        let of = if of == "resource" { "resource" } else { container(&of).unwrap_or("attributes") };
        let key = arguments.get(1).and_then(|key| text(key)).map_or_else(|| "key".to_owned(), |key| key_of_path(&key));
        let access = access(of, &key);
        return Some(if asks { format!("{access} IS NOT NULL") } else { access });
    }
    let words = found(&FUNCTIONS, name)?;
    Some(words.replace("{x}", &shown(0, "x")).replace("{y}", &shown(1, "y")))
}

fn text(expr: &Expr) -> Option<String> {
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

/// What to write where the text could not be read, when it looks like something that others read.
pub(in crate::sql) fn unread(tokens: &[TokenWithSpan]) -> Option<String> {
    for pair in tokens.windows(2) {
        let (Token::Number(number, _), Token::Word(word)) = (&pair[0].token, &pair[1].token) else { continue };
        let unit = match word.value.as_str() {
            "s" | "sec" => "seconds",
            "m" | "min" => "minutes",
            "h" | "hr" => "hours",
            "d" => "days",
            "w" => "weeks",
            "ms" => "milliseconds",
            "us" | "µs" => "microseconds",
            "ns" => "nanoseconds",
            _ => continue,
        };
        return Some(format!("write INTERVAL '{number} {unit}' for a time, and nanoseconds for duration_ns"));
    }
    None
}
