//! What to write where a text could not be read, when it looks like something that others read.

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::nearest;

/// Words that a query is built of.
const BUILDING: [&str; 8] = ["from", "where", "group", "order", "limit", "having", "join", "by"];

/// What a query begins with.
const BEGINNINGS: [&str; 5] = ["select", "with", "values", "explain", "from"];

/// What a stage of another language begins with, behind `|`.
const STAGES: [&str; 15] = [
    "where",
    "group",
    "order",
    "limit",
    "sort",
    "head",
    "take",
    "stats",
    "summarize",
    "project",
    "extend",
    "count",
    "fields",
    "filter",
    "parse",
];

/// Words that others have where nothing of the kind stands here, and what to write.
const WORDS: [(&str, &str); 9] = [
    ("first", "write LIMIT at the end of the query"),
    ("percent", "write LIMIT and a number of rows"),
    ("prewhere", "write WHERE"),
    ("format", "the header Accept asks for a form, or `weir sql --format csv`"),
    ("contains", "write contains(name, 'text'), or name LIKE '%text%'"),
    ("match", "write name ~ 'pattern'"),
    ("glob", "write name LIKE 'text%'"),
    ("array", "events and links are texts of JSON: write events LIKE '%text%'"),
    ("settings", "limits are in the configuration, under query"),
];

/// What to write where the text could not be read, with what the parser said.
pub(in crate::sql) fn unread(tokens: &[TokenWithSpan], message: &str) -> Option<String> {
    let stopped = stopped(tokens, message);
    length_of_time(tokens)
        .or_else(|| beginning(tokens))
        .or_else(|| stage(tokens, stopped))
        .or_else(|| sign(tokens))
        .or_else(|| word(tokens, stopped))
}

/// The token where the parser stopped, as its message ends with; behind the last where it says none.
fn stopped(tokens: &[TokenWithSpan], message: &str) -> usize {
    let place = message.rsplit_once(" at Line: ").and_then(|(_, place)| place.split_once(", Column: "));
    let place = place.and_then(|(line, column)| Some((line.parse::<u64>().ok()?, column.parse::<u64>().ok()?)));
    let is_there = |token: &TokenWithSpan| Some((token.span.start.line, token.span.start.column)) == place;
    tokens.iter().position(is_there).unwrap_or(tokens.len())
}

fn written(token: &TokenWithSpan) -> Option<String> {
    match &token.token {
        Token::Word(word) if word.quote_style.is_none() => Some(word.value.to_lowercase()),
        _ => None,
    }
}

/// `5m`
fn length_of_time(tokens: &[TokenWithSpan]) -> Option<String> {
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

/// Another language altogether, or a slip in the first word.
fn beginning(tokens: &[TokenWithSpan]) -> Option<String> {
    let first = tokens.first().filter(|first| first.token != Token::LParen)?;
    let written = written(first).unwrap_or_default();
    if BEGINNINGS.contains(&written.as_str()) {
        return None;
    }
    match nearest(&written, BEGINNINGS.into_iter()) {
        Some(near) => Some(format!("did you mean {}?", near.to_uppercase())),
        None => Some("a query is SQL: SELECT name, duration_ns FROM spans WHERE service = 'cart' LIMIT 10".to_owned()),
    }
}

/// What is no word.
fn sign(tokens: &[TokenWithSpan]) -> Option<String> {
    for (at, token) in tokens.iter().enumerate() {
        let next = tokens.get(at + 1).map(|next| &next.token);
        match (&token.token, next) {
            (Token::Placeholder(name), Some(Token::LParen)) if name.starts_with("$__") => {
                let ours = if name.to_lowercase().contains("group") {
                    "date_bin(INTERVAL '5 minutes', start_time)"
                } else {
                    "start_time > now() - INTERVAL '1 hour'"
                };
                return Some(format!("{name} is a macro that Grafana fills in for other databases: write {ours}"));
            }
            (Token::LBrace, Some(Token::LBrace)) => return Some("a template was not filled in".to_owned()),
            (Token::Placeholder(sign), Some(Token::SingleQuotedString(key))) if sign == "?" => {
                return Some(format!("write attributes['{key}'] IS NOT NULL"));
            }
            _ => {}
        }
    }
    None
}

/// `| limit 20`. The parser takes the sign for one of numbers, and the word behind it for a column: it may stop two later.
fn stage(tokens: &[TokenWithSpan], stopped: usize) -> Option<String> {
    let is_sign = |at: usize| {
        let sign = tokens.get(at).map(|token| &token.token);
        matches!(sign, Some(Token::Pipe | Token::VerticalBarRightAngleBracket))
    };
    let begins = |at: usize| tokens.get(at).and_then(written).is_some_and(|word| STAGES.contains(&word.as_str()));
    let is_stage = |at: usize| is_sign(at) && (at == stopped || begins(at + 1));
    (stopped.saturating_sub(2)..=stopped)
        .any(is_stage)
        .then(|| "stages behind | are not SQL: WHERE, GROUP BY, ORDER BY and LIMIT follow FROM".to_owned())
}

fn word(tokens: &[TokenWithSpan], stopped: usize) -> Option<String> {
    let words: Vec<_> = tokens.iter().map(|token| written(token).unwrap_or_default()).collect();
    let limited = words.iter().position(|word| word == "limit");
    if limited.is_some_and(|at| words.get(at + 2).is_some_and(|word| word == "by")) {
        let by = "write QUALIFY row_number() OVER (PARTITION BY service ORDER BY start_time DESC) <= 1";
        return Some(by.to_owned());
    }
    let near: Vec<&String> = suspects(tokens, &words, stopped).filter_map(|at| words.get(at)).collect();
    let known = near.iter().find_map(|word| WORDS.iter().find(|(theirs, _)| theirs == *word));
    if let Some((_, words)) = known {
        return Some((*words).to_owned());
    }
    let slip = near.into_iter().filter(|word| word.len() > 2 && !BUILDING.contains(&word.as_str()));
    let mut slip = slip.filter_map(|word| nearest(word, BUILDING.into_iter()));
    slip.next().map(|near| format!("did you mean {}?", near.to_uppercase()))
}

/// Where the word may stand that the parser stopped at: there, or before it, where it was taken for a name.
fn suspects(tokens: &[TokenWithSpan], words: &[String], stopped: usize) -> impl Iterator<Item = usize> {
    let follows = tokens
        .get(stopped)
        .is_some_and(|token| matches!(token.token, Token::Word(_) | Token::Number(..) | Token::SingleQuotedString(_)));
    // NULLS FIRST is right.
    let is_right = stopped >= 2 && words[stopped - 2] == "nulls";
    let before = stopped.checked_sub(1).filter(|_| follows && !is_right);
    std::iter::once(stopped).chain(before)
}
