//! Functions that others have: what to write for a call of one, made of its own arguments.

use datafusion::sql::sqlparser::ast::{Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Value};

use super::elsewhere::text;

/// In lower case and without `_`. `{x}` and `{y}` are the arguments; `{t}` is the one that is not a length of time or a text, `{i}` the
/// one that is; `{f}` is the function's own name, without a `to` that it begins with.
const FUNCTIONS: [(&[&str], &str); 54] = [
    (&["countif"], "count(*) FILTER (WHERE {x})"),
    (&["sumif"], "sum({x}) FILTER (WHERE {y})"),
    (&["avgif"], "avg({x}) FILTER (WHERE {y})"),
    (&["minif"], "min({x}) FILTER (WHERE {y})"),
    (&["maxif"], "max({x}) FILTER (WHERE {y})"),
    (&["uniq", "uniqexact", "uniqcombined", "uniqhll12", "approxcountdistinct"], "count(DISTINCT {x})"),
    (&["countdistinct", "dcount", "hll", "cardinality", "ndv"], "count(DISTINCT {x})"),
    (&["dcountif", "uniqif", "uniqexactif"], "count(DISTINCT {x}) FILTER (WHERE {y})"),
    (
        &["timebucket", "timebucketgapfill", "tumble", "timeslice", "bin", "datehistogram", "tostartofinterval"],
        "date_bin({i}, {t})",
    ),
    (&["tostartofsecond"], "date_trunc('second', {x})"),
    (&["tostartofminute"], "date_trunc('minute', {x})"),
    (&["tostartoffiveminute", "tostartoffiveminutes"], "date_bin(INTERVAL '5 minutes', {x})"),
    (&["tostartoftenminutes"], "date_bin(INTERVAL '10 minutes', {x})"),
    (&["tostartoffifteenminutes"], "date_bin(INTERVAL '15 minutes', {x})"),
    (&["tostartofhour"], "date_trunc('hour', {x})"),
    (&["tostartofday"], "date_trunc('day', {x})"),
    (&["tostartofweek", "tomonday"], "date_trunc('week', {x})"),
    (&["tostartofmonth"], "date_trunc('month', {x})"),
    (&["timestamptrunc", "datetimetrunc"], "date_trunc('{y}', {x})"),
    (&["hour", "minute", "second", "day", "month", "year", "week", "quarter"], "date_part('{f}', {x})"),
    (&["tohour", "tominute", "tosecond", "tomonth", "toyear"], "date_part('{f}', {x})"),
    (&["dayofweek", "weekday", "todayofweek"], "date_part('dow', {x})"),
    (&["date", "todate32"], "CAST({x} AS DATE)"),
    (&["strftime", "formattimestamp", "formatdatetime", "formatdate", "timeformat"], "to_char({t}, {i})"),
    (&["subtracthours"], "{x} - INTERVAL '{y} hour'"),
    (&["subtractminutes"], "{x} - INTERVAL '{y} minute'"),
    (&["subtractdays"], "{x} - INTERVAL '{y} day'"),
    (&["addhours"], "{x} + INTERVAL '{y} hour'"),
    (&["addminutes"], "{x} + INTERVAL '{y} minute'"),
    (&["adddays"], "{x} + INTERVAL '{y} day'"),
    (&["ago"], "now() - INTERVAL '1 hour'"),
    (&["getdate", "sysdate", "systimestamp", "utcnow", "now64", "getutcdate", "currentdatetime"], "now()"),
    (&["unixtimestamp", "tounixtimestamp", "unixseconds"], "to_unixtime({x})"),
    (&["datediff", "timestampdiff", "timediff", "age"], "end_time - start_time, or duration_ns"),
    (&["len", "strlen", "lengthutf8"], "length({x})"),
    (&["tolower", "lcase", "lowerutf8"], "lower({x})"),
    (&["toupper", "ucase", "upperutf8"], "upper({x})"),
    (&["groupconcat", "listagg"], "string_agg({x}, ',')"),
    (&["grouparray", "collectlist", "collectset", "makelist", "makeset"], "array_agg({x})"),
    (&["iif", "if", "iff", "multiif", "decode"], "CASE WHEN {x} THEN … ELSE … END"),
    (&["tostring", "str", "totext"], "CAST({x} AS VARCHAR)"),
    (&["any", "arbitrary", "first", "takeany"], "first_value({x})"),
    (&["anylast", "last", "latest"], "last_value({x})"),
    (&["argmax", "maxby"], "first_value({x} ORDER BY {y} DESC)"),
    (&["argmin", "minby"], "first_value({x} ORDER BY {y})"),
    (&["topk", "approxtopk", "mode"], "{x}, count(*) … GROUP BY {x} ORDER BY count(*) DESC LIMIT 10"),
    (&["histogram", "heatmap", "widthbucket"], "floor(log10({x})), count(*) … GROUP BY 1"),
    (&["variance"], "var_samp({x})"),
    (
        &[
            "todatetime",
            "timestamp",
            "datetime",
            "fromiso8601timestamp",
            "parsedatetimebesteffort",
            "parsetimestamp",
            "strtodate",
        ],
        "to_timestamp({x})",
    ),
    (&["match", "rlike", "regexpcontains", "regexmatch", "regexpmatches"], "{x} ~ {y}"),
    (&["charindex", "locate"], "strpos({y}, {x})"),
    (&["split"], "split_part({x}, {y}, 1), or string_to_array({x}, {y})"),
    (&["splitbychar", "splitbystring"], "split_part({y}, {x}, 1), or string_to_array({y}, {x})"),
    (&["regexpextract", "regexpsubstr", "extractgroups"], "regexp_match({x}, {y})[1]"),
];

/// Functions that move a time on, and those that move it back.
const MOVING: [(&[&str], char); 2] = [
    (&["dateadd", "adddate", "timestampadd", "datetimeadd"], '+'),
    (&["datesub", "subdate", "timestampsub", "datetimesub"], '-'),
];

/// Lengths of time by their names; others have them as bare words, too.
const UNITS: [&str; 9] = ["microsecond", "millisecond", "second", "minute", "hour", "day", "week", "month", "year"];

/// Beginnings of names of functions that make numbers of texts.
const NUMBERS: [&str; 11] = [
    "toint",
    "touint",
    "tofloat",
    "todouble",
    "tolong",
    "tonumber",
    "todecimal",
    "safecast",
    "parseint",
    "parsefloat",
    "parsedouble",
];

/// What to write instead, when others have a function of this name.
pub(super) fn ours(plain: &str, call: &Function, arguments: &[&Expr]) -> Option<String> {
    if let Some(words) = percentile(plain, call, arguments) {
        return Some(words);
    }
    let shown =
        |at: usize, otherwise: &str| arguments.get(at).map_or_else(|| otherwise.to_owned(), ToString::to_string);
    match plain {
        "isnull" | "isempty" if arguments.len() < 2 => return Some(format!("{} IS NULL", shown(0, "x"))),
        "isnull" | "zeroifnull" => return Some(format!("coalesce({}, {})", shown(0, "x"), shown(1, "0"))),
        "isnotnull" | "notempty" | "exists" => return Some(format!("{} IS NOT NULL", shown(0, "x"))),
        "rate" | "irate" | "increase" => {
            return Some("count(*) GROUP BY date_bin(INTERVAL '1 minute', start_time)".to_owned());
        }
        "unixtimestamp" | "tounixtimestamp" | "unixseconds" if arguments.is_empty() => {
            return Some("to_unixtime(now())".to_owned());
        }
        "jsonarraylength" | "arraylen" | "listlen" => {
            return Some("LIKE '%\"a\"%' to look into it: a list in an attribute is a text of JSON".to_owned());
        }
        _ => {}
    }
    if let Some((_, sign)) = MOVING.iter().find(|(names, _)| names.contains(&plain)) {
        return Some(moved(arguments, *sign));
    }
    if NUMBERS.iter().any(|begin| plain.starts_with(begin)) {
        return Some(format!("attr_num({})", shown(0, "x")));
    }
    let (_, words) = FUNCTIONS.iter().find(|(names, _)| names.contains(&plain))?;
    let is_length = |expr: &&&Expr| matches!(expr, Expr::Interval(_)) || text(expr).is_some();
    let length = arguments.iter().find(is_length).map(|expr| match (text(expr), plain) {
        (Some(text), "strftime" | "formattimestamp" | "formatdatetime" | "formatdate" | "timeformat") => {
            format!("'{text}'")
        }
        (Some(text), _) => format!("INTERVAL '{text}'"),
        (None, _) => expr.to_string(),
    });
    let other = arguments.iter().find(|expr| !is_length(expr)).map(ToString::to_string);
    let words = words.replace("{f}", plain.strip_prefix("to").unwrap_or(plain));
    let words = words.replace("{i}", length.as_deref().unwrap_or("INTERVAL '1 minute'"));
    let words = words.replace("{t}", other.as_deref().unwrap_or("start_time"));
    let second = shown(1, "y");
    // A unit is a bare word elsewhere.
    let second = if words.contains("'{y}'") { second.to_lowercase() } else { second };
    Some(words.replace("{x}", &shown(0, "x")).replace("{y}", &second))
}

/// `quantile(0.99)(x)`, `percentile(x, 99)`, `p75(x)`.
fn percentile(plain: &str, call: &Function, arguments: &[&Expr]) -> Option<String> {
    let digits = plain.strip_prefix('p').filter(|digits| !digits.is_empty() && digits.len() <= 4);
    if plain == "percentiledisc" {
        return Some("percentile_cont, with the rest as it is".to_owned());
    }
    let in_name = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()));
    let begins = ["quantile", "percentile", "approxquantile", "approxpercentile", "tdigest"];
    if in_name.is_none() && !begins.iter().any(|begin| plain.starts_with(begin)) {
        return None;
    }
    let parameters = match &call.parameters {
        FunctionArguments::List(list) => list.args.as_slice(),
        _ => &[],
    };
    let parameter = parameters.iter().find_map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => number(expr),
        _ => None,
    });
    let share = match in_name {
        Some(digits) => Some(of_name(digits)),
        None => parameter.or_else(|| arguments.iter().find_map(|expr| number(expr))),
    };
    // `approx_quantiles(x, 100)` asks for all of them.
    let share_max = if plain == "approxquantiles" { 99.0 } else { 100.0 };
    let share: f64 = share.filter(|share| *share <= share_max).map_or(0.99, of_hundred);
    let of = arguments.iter().find(|expr| number(expr).is_none()).map_or_else(|| "x".to_owned(), ToString::to_string);
    if share == 1.0 {
        return Some(format!("max({of})"));
    }
    let own = [(0.5, "p50"), (0.9, "p90"), (0.95, "p95"), (0.99, "p99")];
    let own = own.iter().find(|(known, _)| *known == share).map(|(_, name)| format!(", or {name}({of})"));
    Some(format!("approx_percentile({of}, {share}){}", own.unwrap_or_default()))
}

/// The share in `p5`, `p95` and `p999`: of a hundred, a third digit and more behind the point.
fn of_name(digits: &str) -> f64 {
    let (whole, rest) = digits.split_at(digits.len().min(2));
    let is_all = whole == "10" && !rest.is_empty() && rest.bytes().all(|digit| digit == b'0');
    let share = if is_all { "100".to_owned() } else { format!("{whole}.{rest}") };
    share.parse().map_or(0.99, |share: f64| rounded(share / 100.0))
}

/// Above 1 it is of a hundred.
fn of_hundred(share: f64) -> f64 {
    if share > 1.0 { rounded(share / 100.0) } else { share }
}

/// Without what division leaves behind: 99.9 of a hundred are 0.999.
fn rounded(share: f64) -> f64 {
    (share * 1e9).round() / 1e9
}

/// `DATEADD(hour, -1, now())`, `date_add(start_time, INTERVAL '1 hour')`, `adddate(start_time, 7)`.
fn moved(arguments: &[&Expr], sign: char) -> String {
    let (unit, count, time) = match arguments {
        [] => return format!("now() {sign} INTERVAL '1 hour'"),
        [time] => return format!("{time} {sign} INTERVAL '1 hour'"),
        [time, length @ Expr::Interval(_)] => return format!("{time} {sign} {length}"),
        [length @ Expr::Interval(_), time] => return format!("{time} {sign} {length}"),
        [time, count] => ("day".to_owned(), count, time),
        [time, count, last, ..] if unit(last).is_some() => (unit(last).unwrap_or_default(), count, time),
        [first, count, time, ..] => {
            let written = text(first).unwrap_or_else(|| first.to_string()).to_lowercase();
            (unit(first).unwrap_or(written), count, time)
        }
    };
    let written = text(count).unwrap_or_else(|| count.to_string());
    let (digits, sign) = match (written.strip_prefix('-'), sign) {
        (None, sign) => (written.as_str(), sign),
        (Some(digits), '+') => (digits, '-'),
        (Some(digits), _) => (digits, '+'),
    };
    if digits.parse::<f64>().is_ok() {
        return format!("{time} {sign} INTERVAL '{digits} {unit}'");
    }
    if text(count).is_some() {
        return format!("{time} {sign} INTERVAL '{digits}'");
    }
    format!("{time} {sign} CAST(concat({digits}, ' {unit}') AS INTERVAL)")
}

/// The length of time that a word names, as it is written here.
fn unit(expr: &Expr) -> Option<String> {
    let word = match expr {
        Expr::Identifier(name) => name.value.to_lowercase(),
        other => text(other)?.to_lowercase(),
    };
    let word = word.trim_start_matches("sql_tsi_");
    let word = word.strip_suffix('s').unwrap_or(word);
    UNITS.contains(&word).then(|| word.to_owned())
}

fn number(expr: &Expr) -> Option<f64> {
    let Expr::Value(value) = expr else { return None };
    match &value.value {
        Value::Number(number, _) => number.parse().ok(),
        _ => None,
    }
}

/// What to say of a call that is answered with nonsense: times are written as `%Y` and its like have it, and units are texts.
pub(super) fn mistaken(name: &str, arguments: &[&Expr]) -> Option<String> {
    let second = arguments.get(1)?;
    match name {
        "to_char" | "date_format" => {
            let format = text(second).filter(|format| !format.contains('%'))?;
            // Those of lengths of time.
            if matches!(format.to_lowercase().as_str(), "pretty" | "iso8601") {
                return None;
            }
            let mut meant = format.clone();
            for (theirs, ours) in
                [("YYYY", "%Y"), ("MM", "%m"), ("DD", "%d"), ("HH24", "%H"), ("HH", "%H"), ("MI", "%M"), ("SS", "%S")]
            {
                meant = meant.replace(theirs, ours).replace(&theirs.to_lowercase(), ours);
            }
            let meant = if meant.contains('%') { meant } else { "%Y-%m-%d %H:%M:%S".to_owned() };
            Some(format!("{name} writes '{format}' as it is: write '{meant}'"))
        }
        "date_trunc" => {
            let (time, Expr::Identifier(unit)) = (arguments.first()?, second) else { return None };
            let unit = unit.value.to_lowercase();
            (text(time).is_none() && UNITS.contains(&unit.as_str()))
                .then(|| format!("the unit comes first, as a text: write date_trunc('{unit}', {time})"))
        }
        _ => None,
    }
}
