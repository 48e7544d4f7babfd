//! Reads an answer of `/api/v1/sql` as it arrives: columns in its first line, a row in each further one.

use anyhow::{Context, bail};
use serde::{Deserialize, de::IgnoredAny};

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Column {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
}

/// What a line says.
#[derive(Debug, PartialEq)]
pub(super) enum Line {
    Columns(Vec<Column>),
    Row(Row),
}

/// A row as it was sent: a number may have more digits than any type here holds.
#[derive(Debug, PartialEq)]
pub(super) struct Row {
    /// The whole object.
    pub(super) json: String,
    /// Its values as JSON, in the order of the columns.
    pub(super) values: Vec<String>,
}

impl Row {
    /// Takes an object apart, without looking into its values.
    pub(super) fn read(json: &str) -> anyhow::Result<Self> {
        let mut rest = json.trim().strip_prefix('{').context("a row is no object")?;
        let mut values = Vec::new();
        while !rest.starts_with('}') {
            rest = rest.strip_prefix(',').unwrap_or(rest);
            rest = value(rest)?.1.strip_prefix(':').context("a row has a name without a value")?;
            let (one, after) = value(rest)?;
            values.push(one.trim().to_owned());
            rest = after;
        }
        Ok(Self { json: json.trim().to_owned(), values })
    }
}

/// The first value of a text, and what follows it.
fn value(text: &str) -> anyhow::Result<(&str, &str)> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    values.next().context("a row breaks off")??;
    Ok(text.split_at(values.byte_offset()))
}

/// An answer, so far.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// What came after the last line's end.
    rest: Vec<u8>,
    begun: bool,
    ended: bool,
    error: Option<String>,
}

/// The first line, once closed; and the last one, once opened.
#[derive(Deserialize)]
struct Part {
    #[serde(default)]
    columns: Vec<Column>,
    rows: Vec<IgnoredAny>,
    error: Option<Trouble>,
}

#[derive(Deserialize)]
struct Trouble {
    message: String,
}

impl Answer {
    /// Takes what arrived; the lines that are whole now.
    pub(super) fn take(&mut self, bytes: &[u8]) -> anyhow::Result<Vec<Line>> {
        self.rest.extend_from_slice(bytes);
        let Some(end) = self.rest.iter().rposition(|&byte| byte == b'\n') else { return Ok(Vec::new()) };
        let after = self.rest.split_off(end + 1);
        let lines = std::mem::replace(&mut self.rest, after);
        let mut found = Vec::new();
        for line in lines.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            self.line(line, &mut found).context("the answer is not what weir writes")?;
        }
        Ok(found)
    }

    /// Nothing more comes.
    pub(super) fn rest(&mut self) -> anyhow::Result<Vec<Line>> {
        let found = self.take(b"\n")?;
        if !self.ended {
            bail!("the answer broke off; these are the first rows");
        }
        Ok(found)
    }

    /// Why it is not whole.
    pub(super) fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    fn line(&mut self, line: &[u8], found: &mut Vec<Line>) -> anyhow::Result<()> {
        let mut whole = Vec::with_capacity(line.len() + 16);
        if self.begun
            && let Some(row) = line.strip_suffix(b",")
        {
            found.push(Line::Row(Row::read(std::str::from_utf8(row)?)?));
            return Ok(());
        }
        if self.begun {
            whole.extend_from_slice(b"{\"rows\":[");
        }
        whole.extend_from_slice(line);
        let open = !self.begun && line.ends_with(b"[");
        if open {
            whole.extend_from_slice(b"]}");
        }
        let part: Part = serde_json::from_slice(&whole)?;
        if !self.begun {
            found.push(Line::Columns(part.columns));
        }
        if self.begun && !part.rows.is_empty() {
            // The last row; the answer's end is behind it.
            let (row, _) = value(std::str::from_utf8(line)?)?;
            found.push(Line::Row(Row::read(row)?));
        }
        self.begun = true;
        self.ended = !open;
        self.error = part.error.map(|error| error.message);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = r#"{"columns":[{"name":"n","type":"int64"}],"rows":["#;

    /// Rows and error, however the text is cut into pieces.
    fn read(text: &str) -> (Vec<i64>, Option<String>) {
        let mut seen = None;
        for size in [1, 7, text.len()] {
            let mut answer = Answer::default();
            let mut lines = Vec::new();
            for piece in text.as_bytes().chunks(size) {
                lines.extend(answer.take(piece).expect("readable"));
            }
            lines.extend(answer.rest().expect("whole"));
            assert_eq!(lines[0], Line::Columns(vec![Column { name: "n".into(), kind: "int64".into() }]));
            let mut rows = Vec::new();
            for line in &lines[1..] {
                let Line::Row(row) = line else { panic!("{line:?}") };
                rows.push(row.values[0].parse().expect("a number"));
            }
            let read = (rows, answer.error().map(str::to_owned));
            assert_eq!(*seen.get_or_insert_with(|| read.clone()), read);
        }
        seen.expect("read three times")
    }

    #[test]
    fn answers_of_every_form() {
        assert_eq!(read(&format!("{HEAD}]}}\n")), (vec![], None));
        assert_eq!(read(&format!("{HEAD}\n{{\"n\":1}}]}}\n")), (vec![1], None));
        assert_eq!(read(&format!("{HEAD}\n{{\"n\":1}},\n{{\"n\":2}}]}}\n")), (vec![1, 2], None));
        let error = r#""error":{"code":504,"message":"late"}"#;
        assert_eq!(read(&format!("{HEAD}\n{{\"n\":1}}],{error}}}\n")), (vec![1], Some("late".into())));
        assert_eq!(read(&format!("{HEAD}],{error}}}\n")), (vec![], Some("late".into())));
    }

    #[test]
    fn a_row_keeps_its_order_and_its_digits() {
        let json = r#"{"b": 13835058055282163712,"a":{"x":[1,"}"]},"b":"q\",","c":null}"#;
        let row = Row::read(json).expect("an object");
        assert_eq!(row.json, json);
        assert_eq!(row.values, ["13835058055282163712", r#"{"x":[1,"}"]}"#, r#""q\",""#, "null"]);
        assert_eq!(Row::read("{}").expect("an object").values, Vec::<String>::new());
        for broken in ["", "[]", "{", r#"{"a"}"#, r#"{"a":}"#, r#"{"a":1"#] {
            assert!(Row::read(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn an_answer_that_breaks_off_is_none() {
        for text in ["", HEAD, "{\"columns\":[],\"rows\":[\n{\"n\":1},\n"] {
            let mut answer = Answer::default();
            answer.take(text.as_bytes()).expect("readable so far");
            assert!(answer.rest().is_err(), "{text}");
        }
        assert!(Answer::default().take(b"<html>\n").is_err());
    }
}
