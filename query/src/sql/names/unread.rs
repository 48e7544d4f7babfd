//! What to write where a text could not be read, when it looks like something that others read.

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::nearest;

/// Words that a query is built of.
const BUILDING: [&str; 8] = ["from", "where", "group", "order", "limit", "having", "join", "by"];

/// What a query begins with.
const BEGINNINGS: [&str; 5] = ["select", "with", "values", "explain", "from"];

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

/// What to write where the text could not be read.
pub(in crate::sql) fn unread(tokens: &[TokenWithSpan]) -> Option<String> {
    length_of_time(tokens).or_else(|| beginning(tokens)).or_else(|| sign(tokens)).or_else(|| word(tokens))
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
            (Token::Pipe, _) | (Token::VerticalBarRightAngleBracket, _) => {
                return Some("stages behind | are not SQL: WHERE, GROUP BY, ORDER BY and LIMIT follow FROM".to_owned());
            }
            _ => {}
        }
    }
    None
}

fn word(tokens: &[TokenWithSpan]) -> Option<String> {
    let words: Vec<_> = tokens.iter().map(|token| written(token).unwrap_or_default()).collect();
    let limited = words.iter().position(|word| word == "limit");
    if limited.is_some_and(|at| words.get(at + 2).is_some_and(|word| word == "by")) {
        let by = "write QUALIFY row_number() OVER (PARTITION BY service ORDER BY start_time DESC) <= 1";
        return Some(by.to_owned());
    }
    let known = words.iter().find_map(|word| WORDS.iter().find(|(theirs, _)| theirs == word));
    if let Some((_, words)) = known {
        return Some((*words).to_owned());
    }
    let slip = words.iter().filter(|word| word.len() > 2 && !BUILDING.contains(&word.as_str()));
    slip.into_iter().find_map(|word| nearest(word, BUILDING.into_iter())).map(|near| {
        let near = near.to_uppercase();
        format!("did you mean {near}?")
    })
}
