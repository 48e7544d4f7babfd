//! Conditions on one span as people write them: `service=cart http.response.status_code>=500 !http.route`.
//!
//! They are separated by blanks, and one span must fulfil all of them. What is odd in a key or a value is written as a JSON string.

use regex::{Regex, RegexBuilder};

/// Conditions in one text.
const CONDITIONS_MAX: usize = 64;

/// Bytes of a compiled pattern.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// One condition.
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    /// A field or an attribute.
    pub(crate) key: String,
    pub(crate) test: Test,
    /// Where it begins in the text, in bytes.
    pub(crate) position: usize,
}

/// What the value of a key must be.
#[derive(Debug, Clone)]
pub(crate) enum Test {
    /// There.
    Exists,
    /// Not there.
    Missing,
    /// This text.
    Equal(String),
    /// Not this text, or not there.
    NotEqual(String),
    /// All of the text fits.
    Fits(Regex),
    /// Not all of it fits, or it is not there.
    FitsNot(Regex),
    /// A number on this side of another, which is as it was written.
    Compare(Side, String),
}

/// On which side of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Above,
    AtLeast,
    Below,
    AtMost,
}

/// Why a text is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}, at byte {position}")]
pub(crate) struct BadCondition {
    /// Where, in bytes.
    pub(crate) position: usize,
    /// What.
    pub(crate) message: String,
}

impl BadCondition {
    pub(crate) fn new(position: usize, message: impl Into<String>) -> Self {
        Self { position, message: message.into() }
    }
}

/// Reads all conditions of a text.
pub(crate) fn parse(text: &str) -> Result<Vec<Condition>, BadCondition> {
    let mut parser = Parser { text, at: 0 };
    let mut conditions = Vec::new();
    loop {
        parser.skip_blanks();
        if parser.rest().is_empty() {
            return Ok(conditions);
        }
        if parser.takes_and() {
            continue;
        }
        if conditions.len() == CONDITIONS_MAX {
            return Err(BadCondition::new(parser.at, format!("more than {CONDITIONS_MAX} conditions")));
        }
        conditions.push(parser.condition()?);
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

/// Longest first.
const OPERATORS: [&str; 8] = ["=~", "!~", "!=", ">=", "<=", "=", ">", "<"];

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip_blanks(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    /// An `and` may stand between conditions.
    fn takes_and(&mut self) -> bool {
        let word = self.rest().split(char::is_whitespace).next().unwrap_or_default();
        let is_and = matches!(word, "and" | "AND" | "&&");
        if is_and {
            self.at += word.len();
        }
        is_and
    }

    fn condition(&mut self) -> Result<Condition, BadCondition> {
        let position = self.at;
        if let Some(rest) = self.rest().strip_prefix('!') {
            self.at = self.text.len() - rest.len();
            let key = self.key()?;
            return Ok(Condition { key, test: Test::Missing, position });
        }
        let key = self.key()?;
        let after_key = self.at;
        self.skip_blanks();
        let operator = OPERATORS.into_iter().find(|operator| self.rest().starts_with(operator));
        let Some(operator) = operator else {
            self.at = after_key;
            if !self.text[position..].starts_with('"')
                && let Some(message) = elsewhere(&key)
            {
                return Err(BadCondition::new(position, message));
            }
            return Ok(Condition { key, test: Test::Exists, position });
        };
        if self.text[position..].starts_with(BRACKETS) {
            return Err(BadCondition::new(position, NO_BRACKETS));
        }
        self.at += operator.len();
        // `==` is as good.
        self.at += usize::from(operator == "=" && self.rest().starts_with('='));
        self.skip_blanks();
        let value_at = self.at;
        let value = self.value()?;
        let pattern = |value: &str| {
            let built = RegexBuilder::new(&format!("^(?s:{value})$")).size_limit(PATTERN_BYTES_MAX).build();
            built.map_err(|_| BadCondition::new(value_at, "this is no regular expression, or too large a one"))
        };
        let test = match operator {
            "=" => Test::Equal(value),
            "!=" => Test::NotEqual(value),
            "=~" => Test::Fits(pattern(&value)?),
            "!~" => Test::FitsNot(pattern(&value)?),
            ">" => Test::Compare(Side::Above, value),
            ">=" => Test::Compare(Side::AtLeast, value),
            "<" => Test::Compare(Side::Below, value),
            _ => Test::Compare(Side::AtMost, value),
        };
        Ok(Condition { key, test, position })
    }

    fn key(&mut self) -> Result<String, BadCondition> {
        if self.rest().starts_with('"') {
            return self.quoted();
        }
        let end = self.rest().find(|c: char| c.is_whitespace() || matches!(c, '=' | '!' | '<' | '>' | '~' | '"'));
        let key = &self.rest()[..end.unwrap_or(self.rest().len())];
        if key.is_empty() {
            return Err(BadCondition::new(self.at, "a key is missing here"));
        }
        self.at += key.len();
        Ok(key.to_owned())
    }

    fn value(&mut self) -> Result<String, BadCondition> {
        if self.rest().starts_with('"') {
            return self.quoted();
        }
        if let Some(value) = self.in_single_quotes() {
            return Ok(value);
        }
        let value = self.rest().split(char::is_whitespace).next().unwrap_or_default();
        if value.is_empty() {
            return Err(BadCondition::new(self.at, "a value is missing here; an empty one is written \"\""));
        }
        self.at += value.len();
        Ok(value.to_owned())
    }

    /// `'GET /cart'`, as SQL writes texts, when it is all of the value.
    fn in_single_quotes(&mut self) -> Option<String> {
        let inner = self.rest().strip_prefix('\'')?;
        let (value, after) = inner.split_once('\'')?;
        if after.chars().next().is_some_and(|next| !next.is_whitespace()) {
            return None;
        }
        self.at += value.len() + 2;
        Some(value.to_owned())
    }

    /// A JSON string.
    fn quoted(&mut self) -> Result<String, BadCondition> {
        let mut texts = serde_json::Deserializer::from_str(self.rest()).into_iter::<String>();
        match texts.next() {
            Some(Ok(text)) => {
                self.at += texts.byte_offset();
                Ok(text)
            }
            _ => Err(BadCondition::new(self.at, "this quoted text does not end, or is no JSON string")),
        }
    }
}

/// What a key begins with only in quotes.
pub(crate) const BRACKETS: [char; 3] = ['(', '{', '['];

const NO_BRACKETS: &str = "brackets are not offered: a span must fulfil all conditions";

/// Fields that other languages of search write with a colon.
const FIELDS: [&str; 9] = ["service", "operation", "name", "kind", "status", "error", "duration", "state", "trace"];

/// What to say of a bare word that is no key, but means something in other languages.
fn elsewhere(key: &str) -> Option<String> {
    match key {
        "or" | "OR" | "||" => return Some("'or' is not offered: a span must fulfil all conditions".into()),
        "not" | "NOT" => return Some("'not' is written !key, or !=".into()),
        _ => {}
    }
    if key.starts_with(BRACKETS) {
        return Some(NO_BRACKETS.into());
    }
    let (field, value) = key.split_once(':')?;
    FIELDS.contains(&field).then(|| format!("this is written {field}={value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each condition as `key|test`, or the error.
    fn read(text: &str) -> String {
        let shown = |condition: Condition| match condition.test {
            Test::Exists => format!("{}|exists", condition.key),
            Test::Missing => format!("{}|missing", condition.key),
            Test::Equal(value) => format!("{}|={value}", condition.key),
            Test::NotEqual(value) => format!("{}|!={value}", condition.key),
            Test::Fits(pattern) => format!("{}|=~{pattern}", condition.key),
            Test::FitsNot(pattern) => format!("{}|!~{pattern}", condition.key),
            Test::Compare(side, value) => format!("{}|{side:?} {value}", condition.key),
        };
        match parse(text) {
            Ok(conditions) => conditions.into_iter().map(shown).collect::<Vec<_>>().join(", "),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn before_and_after() {
        for (text, expected) in [
            ("", ""),
            ("service=cart", "service|=cart"),
            ("  a = b and c!=d AND e  !f && g ", "a|=b, c|!=d, e|exists, f|missing, g|exists"),
            ("a>1 b>=2 c<3 d<=-4e5", "a|Above 1, b|AtLeast 2, c|Below 3, d|AtMost -4e5"),
            ("a=~x.* b!~y", "a|=~^(?s:x.*)$, b|!~^(?s:y)$"),
            (r#""odd key"="a \"b\" = c" x="""#, r#"odd key|=a "b" = c, x|="#),
            (r#"name="GET /cart" !"a b""#, "name|=GET /cart, a b|missing"),
            ("url=http://a/b?c=d", "url|=http://a/b?c=d"),
            ("a==b c='GET /cart' d='e f='g'h", "a|=b, c|=GET /cart, d|='e, f|='g'h"),
            ("service:cart", "this is written service=cart, at byte 0"),
            ("a=b not c=d", "'not' is written !key, or !=, at byte 4"),
            ("{service=cart}", "brackets are not offered: a span must fulfil all conditions, at byte 0"),
            ("\"{a\"=b", "{a|=b"),
            ("service in (cart)", "brackets are not offered: a span must fulfil all conditions, at byte 11"),
            ("\"not\" aws:key \"(\"", "not|exists, aws:key|exists, (|exists"),
            ("a=", "a value is missing here; an empty one is written \"\", at byte 2"),
            ("=b", "a key is missing here, at byte 0"),
            ("a=b or c=d", "'or' is not offered: a span must fulfil all conditions, at byte 4"),
            ("a=\"b", "this quoted text does not end, or is no JSON string, at byte 2"),
            ("a=~(", "this is no regular expression, or too large a one, at byte 3"),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
        assert!(read(&"a ".repeat(65)).starts_with("more than 64 conditions"));
    }
}
