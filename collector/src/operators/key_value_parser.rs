//! `key_value_parser`: pairs like `name=value other="two words"`.

use super::{Entry, Fields, Next, Operator, OperatorConfig, Value, parser::Parsing};

pub(super) const KEYS: &[&str] = &["delimiter", "pair_delimiter"];

struct KeyValueParser {
    parsing: Parsing,
    delimiter: String,
    /// `None`: any blanks.
    pair_delimiter: Option<String>,
}

pub(super) fn build(config: &OperatorConfig) -> Result<Box<dyn Operator>, String> {
    let settings = &config.settings;
    let delimiter = settings.delimiter.clone().unwrap_or_else(|| "=".into());
    let pair_delimiter = settings.pair_delimiter.clone().filter(|delimiter| !delimiter.is_empty());
    if delimiter.is_empty() {
        return Err("delimiter is empty".into());
    }
    if pair_delimiter.as_ref() == Some(&delimiter) {
        return Err("delimiter and pair_delimiter are the same".into());
    }
    Ok(Box::new(KeyValueParser { parsing: Parsing::new(config)?, delimiter, pair_delimiter }))
}

impl Operator for KeyValueParser {
    fn apply<'a>(&mut self, entry: &mut Entry<'a>, _: &mut Vec<Entry<'static>>) -> Result<Next, String> {
        let (delimiter, pair_delimiter) = (&*self.delimiter, self.pair_delimiter.as_deref());
        self.parsing.apply(entry, |text| pairs(text, delimiter, pair_delimiter))?;
        Ok(Next::On)
    }
}

fn pairs<'t>(text: &'t str, delimiter: &str, pair_delimiter: Option<&str>) -> Result<Fields<'t>, String> {
    let mut fields = Fields::default();
    let mut rest = text;
    while let Some(pair) = next_pair(&mut rest, pair_delimiter) {
        let (key, value) = pair
            .split_once(delimiter)
            .ok_or_else(|| format!("`{}` is no pair", pair.chars().take(60).collect::<String>()))?;
        let unquoted = |part: &'t str| {
            let part = part.trim();
            let inner = |quote| part.strip_prefix(quote)?.strip_suffix(quote);
            inner('"').or_else(|| inner('\'')).unwrap_or(part)
        };
        fields.push(unquoted(key), Value::text(unquoted(value)));
    }
    if fields.is_empty() {
        return Err("there are no pairs".into());
    }
    fields.dedupe();
    Ok(fields)
}

/// The next pair that is not blank; a delimiter in quotes is none.
fn next_pair<'t>(rest: &mut &'t str, delimiter: Option<&str>) -> Option<&'t str> {
    loop {
        *rest = rest.trim_start();
        if rest.is_empty() {
            return None;
        }
        let mut quote = None;
        let mut cut = None;
        for (at, char) in rest.char_indices() {
            match quote {
                Some(open) if char == open => quote = None,
                Some(_) => {}
                None if matches!(char, '"' | '\'') => quote = Some(char),
                None => {
                    let len = match delimiter {
                        Some(delimiter) => rest[at..].starts_with(delimiter).then_some(delimiter.len()),
                        None => char.is_whitespace().then(|| char.len_utf8()),
                    };
                    if let Some(len) = len {
                        cut = Some((at, at + len));
                        break;
                    }
                }
            }
        }
        let (end, next) = cut.unwrap_or((rest.len(), rest.len()));
        let pair = rest[..end].trim();
        *rest = &rest[next..];
        if !pair.is_empty() {
            return Some(pair);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_as_people_write_them() {
        let shown = |text, delimiter, pair_delimiter| -> Result<String, String> {
            let mut shown = String::new();
            crate::operators::json::print(&Value::Map(pairs(text, delimiter, pair_delimiter)?), &mut shown);
            Ok(shown)
        };
        assert_eq!(shown("a=1  b=\"x y\" c='z'", "=", None).expect("pairs"), r#"{"a":"1","b":"x y","c":"z"}"#);
        assert_eq!(shown("n=s ! o=t ! g=d=e", "=", Some("!")).expect("pairs"), r#"{"n":"s","o":"t","g":"d=e"}"#);
        assert_eq!(shown("a:", ":", None).expect("pairs"), r#"{"a":""}"#);
        assert!(shown("a b=1", "=", None).is_err() && shown("  ", "=", None).is_err());
    }
}
