//! `key_value_parser`: pairs like `name=value other="two words"`.

use std::borrow::Cow;

use super::{Entry, Fields, Next, Operator, OperatorConfig, Value, parser::Parsing};

pub(super) const KEYS: &[&str] = &["delimiter", "pair_delimiter"];

struct KeyValueParser {
    parsing: Parsing,
    delimiter: String,
    pair_delimiter: String,
}

pub(super) fn build(config: &OperatorConfig) -> Result<Box<dyn Operator>, String> {
    let settings = &config.settings;
    let delimiter = settings.delimiter.clone().unwrap_or_else(|| "=".into());
    let pair_delimiter =
        settings.pair_delimiter.clone().filter(|delimiter| !delimiter.is_empty()).unwrap_or_else(|| " ".into());
    if delimiter.is_empty() {
        return Err("delimiter is empty".into());
    }
    if pair_delimiter == delimiter {
        return Err("delimiter and pair_delimiter are the same".into());
    }
    Ok(Box::new(KeyValueParser { parsing: Parsing::new(config)?, delimiter, pair_delimiter }))
}

impl Operator for KeyValueParser {
    fn apply<'a>(&mut self, entry: &mut Entry<'a>, _: &mut Vec<Entry<'static>>) -> Result<Next, String> {
        let (delimiter, pair_delimiter) = (&*self.delimiter, &*self.pair_delimiter);
        self.parsing.apply(entry, |text| pairs(text, delimiter, pair_delimiter))?;
        Ok(Next::On)
    }
}

fn pairs<'t>(text: &'t str, delimiter: &str, pair_delimiter: &str) -> Result<Fields<'t>, String> {
    let mut fields = Fields::default();
    let mut rest = text;
    while !rest.is_empty() {
        let pair = next_pair(&mut rest, pair_delimiter)?;
        if pair.is_empty() {
            continue;
        }
        let no_pair = || format!("`{}` is no pair", pair.chars().take(60).collect::<String>());
        match &pair {
            Cow::Borrowed(pair) => {
                let (key, value) = pair.split_once(delimiter).ok_or_else(no_pair)?;
                fields.push(key.trim(), Value::text(value.trim()));
            }
            Cow::Owned(pair) => {
                let (key, value) = pair.split_once(delimiter).ok_or_else(no_pair)?;
                fields.push(key.trim().to_owned(), Value::text(value.trim().to_owned()));
            }
        }
    }
    if fields.is_empty() {
        return Err("there are no pairs".into());
    }
    fields.dedupe();
    Ok(fields)
}

/// The next pair, perhaps empty, without its quotes: a delimiter within them is none, nor is what is behind a backslash a quote or one.
fn next_pair<'t>(rest: &mut &'t str, delimiter: &str) -> Result<Cow<'t, str>, String> {
    let text = *rest;
    let mut quote = None;
    let mut quotes = Vec::new();
    let mut end = text.len();
    let mut is_escaped = false;
    for (at, char) in text.char_indices() {
        if std::mem::take(&mut is_escaped) {
            continue;
        }
        match quote {
            _ if char == '\\' => is_escaped = true,
            Some(open) if char == open => {
                quote = None;
                quotes.push(at);
            }
            Some(_) => {}
            None if text[at..].starts_with(delimiter) => {
                end = at;
                break;
            }
            None if matches!(char, '"' | '\'') => {
                quote = Some(char);
                quotes.push(at);
            }
            None => {}
        }
    }
    if quote.is_some() {
        return Err("a quote is not closed".into());
    }
    *rest = text.get(end + delimiter.len()..).unwrap_or_default();
    if quotes.is_empty() {
        return Ok(Cow::Borrowed(&text[..end]));
    }
    let mut pair = String::with_capacity(end);
    let mut from = 0;
    for at in quotes {
        pair.push_str(&text[from..at]);
        from = at + 1;
    }
    pair.push_str(&text[from..end]);
    Ok(Cow::Owned(pair))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_as_people_write_them() {
        let shown = |text, delimiter, pair_delimiter| -> String {
            match pairs(text, delimiter, pair_delimiter) {
                Ok(fields) => {
                    let mut shown = String::new();
                    crate::operators::json::print(&Value::Map(fields), &mut shown);
                    shown
                }
                Err(problem) => format!("error: {problem}"),
            }
        };
        for (text, delimiter, pair_delimiter, expected) in [
            (r#"a=1  b="x y" c='z'"#, "=", " ", r#"{"a":"1","b":"x y","c":"z"}"#),
            ("n=s ! o=t ! g=d=e", "=", "!", r#"{"n":"s","o":"t","g":"d=e"}"#),
            ("a:", ":", " ", r#"{"a":""}"#),
            (r#"a="x\"y" b=1"#, "=", " ", r#"{"a":"x\\\"y","b":"1"}"#),
            (r#"a=x"y z"w b='"' c="#, "=", " ", r#"{"a":"xy zw","b":"\"","c":""}"#),
            (r"a=b\ c d=e", "=", " ", r#"{"a":"b\\ c","d":"e"}"#),
            ("a=\tb c=d", "=", " ", r#"{"a":"b","c":"d"}"#),
            ("a=1||b=2||", "=", "||", r#"{"a":"1","b":"2"}"#),
            ("\"a b\"=é", "=", " ", r#"{"a b":"é"}"#),
            ("a=1 a=2", "=", " ", r#"{"a":"2"}"#),
            ("msg=don't b=2", "=", " ", "error: a quote is not closed"),
            ("a b=1", "=", " ", "error: `a` is no pair"),
            ("  ", "=", " ", "error: there are no pairs"),
        ] {
            assert_eq!(shown(text, delimiter, pair_delimiter), expected, "{text}");
        }
    }
}
