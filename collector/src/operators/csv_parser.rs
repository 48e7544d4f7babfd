//! `csv_parser`: the columns of a line, named by a header.

use std::borrow::Cow;

use super::{Entry, Field, Fields, Next, Operator, OperatorConfig, Value, parser::Parsing};

pub(super) const KEYS: &[&str] =
    &["header", "header_attribute", "header_delimiter", "delimiter", "lazy_quotes", "ignore_quotes"];

struct CsvParser {
    parsing: Parsing,
    header: Header,
    header_delimiter: char,
    delimiter: char,
    quotes: Quotes,
}

enum Header {
    /// And whether a name is in it twice.
    Fixed(Vec<String>, bool),
    Attribute(Field),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quotes {
    Strict,
    /// A quote may stand anywhere.
    Lazy,
    /// They mean nothing.
    Ignored,
}

pub(super) fn build(config: &OperatorConfig) -> Result<Box<dyn Operator>, String> {
    let settings = &config.settings;
    let delimiter = one_char(settings.delimiter.as_deref().unwrap_or(","), "delimiter")?;
    let header_delimiter = match &settings.header_delimiter {
        Some(text) => one_char(text, "header_delimiter")?,
        None => delimiter,
    };
    let header = match (&settings.header, &settings.header_attribute) {
        (Some(_), Some(_)) => return Err("header and header_attribute are both there; one is enough".into()),
        (None, None) => return Err("the key `header` or `header_attribute` is missing".into()),
        (Some(header), None) if !header.contains(header_delimiter) => {
            return Err(format!("header has no `{header_delimiter}` in it"));
        }
        (Some(header), None) => {
            let names: Vec<String> = header.split(header_delimiter).map(str::to_owned).collect();
            let has_twins = names.iter().enumerate().any(|(at, name)| names[..at].contains(name));
            Header::Fixed(names, has_twins)
        }
        (None, Some(name)) => Header::Attribute(Field::attribute(name)),
    };
    let quotes = match (settings.lazy_quotes, settings.ignore_quotes) {
        (true, true) => return Err("lazy_quotes and ignore_quotes exclude each other".into()),
        (true, false) => Quotes::Lazy,
        (false, true) => Quotes::Ignored,
        (false, false) => Quotes::Strict,
    };
    Ok(Box::new(CsvParser { parsing: Parsing::new(config)?, header, header_delimiter, delimiter, quotes }))
}

fn one_char(text: &str, key: &str) -> Result<char, String> {
    let text = if text == "\\t" { "\t" } else { text };
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some('\r' | '\n'), _) => Err(format!("{key} cannot be the end of a line")),
        (Some(char), None) => Ok(char),
        _ => Err(format!("{key} is one character")),
    }
}

impl Operator for CsvParser {
    fn apply<'a>(&mut self, entry: &mut Entry<'a>, _: &mut Vec<Entry<'static>>) -> Result<Next, String> {
        let named;
        let (names, has_twins): (&[String], bool) = match &self.header {
            Header::Fixed(names, has_twins) => (names, *has_twins),
            Header::Attribute(field) => {
                let header = field.get(entry).and_then(Value::as_text).ok_or_else(|| format!("there is no {field}"))?;
                named = header.split(self.header_delimiter).map(str::to_owned).collect::<Vec<_>>();
                (&named, true)
            }
        };
        let (delimiter, quotes) = (self.delimiter, self.quotes);
        self.parsing.apply(entry, |text| {
            let columns = columns(text, delimiter, quotes)?;
            if columns.len() != names.len() {
                return Err(format!("{} columns, and {} names in the header", columns.len(), names.len()));
            }
            let pairs = names.iter().zip(columns).map(|(name, text)| (Cow::Owned(name.clone()), Value::Text(text)));
            let mut fields = pairs.collect::<Fields<'_>>();
            if has_twins {
                fields.dedupe();
            }
            Ok(fields)
        })?;
        Ok(Next::On)
    }
}

fn columns(text: &str, delimiter: char, quotes: Quotes) -> Result<Vec<Cow<'_, str>>, String> {
    let mut columns = Vec::new();
    let mut rest = text;
    loop {
        if quotes != Quotes::Ignored && rest.starts_with('"') {
            let (column, after) = quoted(&rest[1..], delimiter, quotes)?;
            columns.push(Cow::Owned(column));
            rest = after;
        } else {
            let end = rest.find(delimiter).unwrap_or(rest.len());
            let column = &rest[..end];
            if quotes == Quotes::Strict && column.contains('"') {
                return Err("a quote stands in a column without quotes".into());
            }
            columns.push(Cow::Borrowed(column));
            rest = &rest[end..];
        }
        match rest.strip_prefix(delimiter) {
            Some(after) => rest = after,
            None => return Ok(columns),
        }
    }
}

/// A column in quotes, of which the first is read already, and what follows its last.
fn quoted(text: &str, delimiter: char, quotes: Quotes) -> Result<(String, &str), String> {
    let mut column = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('"') {
        column.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('"') {
            column.push('"');
            rest = after;
        } else if rest.is_empty() || rest.starts_with(delimiter) {
            return Ok((column, rest));
        } else if quotes == Quotes::Lazy {
            column.push('"');
        } else {
            return Err("something stands between a quote and the delimiter".into());
        }
    }
    if quotes == Quotes::Lazy {
        column.push_str(rest);
        return Ok((column, ""));
    }
    Err("a quote is not closed".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_with_and_without_quotes() {
        let read = |text, quotes| columns(text, ',', quotes);
        assert_eq!(read("1,debug,Debug Message", Quotes::Strict).expect("read"), ["1", "debug", "Debug Message"]);
        assert_eq!(read(r#""a,""b""",,c"#, Quotes::Strict).expect("read"), [r#"a,"b""#, "", "c"]);
        assert_eq!(read(r#"a"b,"c"d""#, Quotes::Lazy).expect("read"), [r#"a"b"#, r#"c"d"#]);
        assert_eq!(read(r#""a","b"#, Quotes::Ignored).expect("read"), [r#""a""#, r#""b"#]);
        for text in [r#"a"b,c"#, r#""a"b,c"#, r#""a,c"#] {
            assert!(read(text, Quotes::Strict).is_err(), "{text}");
        }
    }
}
