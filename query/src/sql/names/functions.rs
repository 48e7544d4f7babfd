//! Functions that others have: what to write for a call of one, made of its own arguments.

use datafusion::sql::sqlparser::ast::{Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Value};

use super::elsewhere::text;

/// In lower case and without `_`. `{x}`, `{y}` and `{z}` are the arguments; `{t}` is the one that is not a length of time or a text,
/// `{i}` the one that is.
const FUNCTIONS: [(&[&str], &str); 56] = [
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
    (&["datesub", "subdate", "timestampsub", "datetimesub"], "{x} - {i}"),
    (&["adddate", "timestampadd", "datetimeadd"], "{x} + {i}"),
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
        "dateadd" => return Some(moved(arguments)),
        "jsonarraylength" | "arraylen" | "listlen" => {
            return Some("LIKE '%\"a\"%' to look into it: a list in an attribute is a text of JSON".to_owned());
        }
        _ => {}
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
    let third = shown(1, "y");
    // A unit is a bare word elsewhere.
    let second = if words.contains("'{y}'") { third.to_lowercase() } else { third };
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
        Some(digits) => format!("0.{digits}").parse().ok(),
        None => parameter.or_else(|| arguments.iter().find_map(|expr| number(expr))),
    };
    // `approx_quantiles(x, 100)` asks for all of them.
    let share = share.filter(|share| *share < 100.0);
    let share: f64 = share.map_or(0.99, |share| if share > 1.0 { share / 100.0 } else { share });
    let of = arguments.iter().find(|expr| number(expr).is_none()).map_or_else(|| "x".to_owned(), ToString::to_string);
    let own = [(0.5, "p50"), (0.9, "p90"), (0.95, "p95"), (0.99, "p99")];
    let own = own.iter().find(|(known, _)| *known == share).map(|(_, name)| format!(", or {name}({of})"));
    Some(format!("approx_percentile({of}, {share}){}", own.unwrap_or_default()))
}

/// `DATEADD(hour, -1, GETDATE())`
fn moved(arguments: &[&Expr]) -> String {
    let unit = arguments.first().map_or_else(|| "hour".to_owned(), |unit| unit.to_string().to_lowercase());
    let count = arguments.get(1).map_or_else(|| "-1".to_owned(), ToString::to_string);
    match count.strip_prefix('-') {
        Some(count) => format!("now() - INTERVAL '{count} {unit}'"),
        None => format!("now() + INTERVAL '{count} {unit}'"),
    }
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
            let units = ["microsecond", "millisecond", "second", "minute", "hour", "day", "week", "month", "year"];
            (text(time).is_none() && units.contains(&unit.as_str()))
                .then(|| format!("the unit comes first, as a text: write date_trunc('{unit}', {time})"))
        }
        _ => None,
    }
}
