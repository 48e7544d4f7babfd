//! Of an object only those fields that somebody looks at: what is not named is passed over.

use super::{Malformed, Value, Walk, fields_below, plain, unescape};
use crate::logql::labels::push_name;

/// Names of fields, as labels have them, that somebody looks at.
#[derive(Debug, Clone)]
pub(crate) struct Wanted(Vec<String>);

impl Wanted {
    /// These labels; what a label was set apart from counts, too.
    pub(crate) fn new(labels: &[String]) -> Self {
        let mut names: Vec<String> = Vec::new();
        for label in labels {
            let apart = label.strip_suffix("_extracted").map(str::to_owned);
            names.extend([Some(label.clone()), apart].into_iter().flatten());
        }
        names.sort();
        names.dedup();
        Self(names)
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether a field of this name is one.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|wanted| wanted == name)
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a field below this name may be one.
    fn has_below(&self, name: &str) -> bool {
        let is_below = |wanted: &String| {
            wanted.strip_prefix(name).is_some_and(|rest| name.is_empty() || rest.starts_with('_') || rest.is_empty())
        };
        self.0.iter().any(is_below)
    }

    /// What a key of the outermost object is, without making its name: wanted itself, or perhaps something below it.
    fn of_key(&self, raw: &[u8]) -> KeyKind {
        let plain = |byte: &u8| byte.is_ascii() && !matches!(byte, b'\\' | 0..=b' ');
        let begins = raw.first().is_some_and(|first| !first.is_ascii_digit());
        let mut kind = KeyKind::Other;
        for wanted in &self.0 {
            let wanted = wanted.as_bytes();
            if wanted.len() < raw.len() {
                continue;
            }
            let same = |(raw, wanted): (&u8, &u8)| raw == wanted || (*wanted == b'_' && !raw.is_ascii_alphanumeric());
            if !raw.iter().zip(wanted).all(same) {
                continue;
            }
            kind = if wanted.len() == raw.len() { KeyKind::Wanted } else { KeyKind::Above };
            if kind == KeyKind::Wanted {
                break;
            }
        }
        if begins && raw.iter().all(plain) { kind } else { KeyKind::Odd }
    }
}

/// What a key of the outermost object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeyKind {
    Wanted,
    /// Fields below it may be wanted.
    Above,
    Other,
    /// Its name has to be made to know.
    Odd,
}

/// As [`fields`], of the fields that are wanted: what else there is is passed over, and nothing is read behind the last one of them.
pub(crate) fn wanted_fields(text: &str, wanted: &Wanted, found: &mut dyn FnMut(&str, &str)) -> Result<(), Malformed> {
    let mut walk = Walk { text, bytes: text.as_bytes(), at: 0 };
    walk.blanks();
    walk.expect(b'{')?;
    // Labels, not fields: two fields may have one label. What is beyond those that a word has bits for is never done.
    let (mut missing, mut seen) = (wanted.0.len(), 0_u64);
    let mut newly = |name: &str| {
        let at = wanted.0.iter().position(|known| known == name).filter(|at| *at < 64);
        let bit = at.map_or(0, |at| 1_u64 << at);
        let is_new = bit & !seen != 0;
        seen |= bit;
        usize::from(is_new)
    };
    let (mut name, mut unescaped) = (String::new(), String::new());
    let mut is_first = true;
    while missing > 0 {
        walk.blanks();
        if walk.takes(b'}') {
            return Ok(());
        }
        if !is_first {
            walk.expect(b',')?;
            walk.blanks();
        }
        is_first = false;
        let raw = walk.string()?;
        walk.blanks();
        walk.expect(b':')?;
        walk.blanks();
        let mut kind = wanted.of_key(raw.as_bytes());
        if kind == KeyKind::Other {
            walk.pass()?;
            continue;
        }
        name.clear();
        unescaped.clear();
        push_name(plain(raw, &mut unescaped), &mut name);
        if kind == KeyKind::Odd {
            kind = match (wanted.has(&name), wanted.has_below(&name)) {
                (true, _) => KeyKind::Wanted,
                (false, true) => KeyKind::Above,
                _ => KeyKind::Other,
            };
        }
        if walk.peek() == Some(b'{') && wanted.has_below(&name) {
            let begin = walk.at;
            walk.pass()?;
            // Few objects have a wanted field within: those are walked once more.
            let within = &text[begin..walk.at];
            let prefix = std::mem::take(&mut name);
            fields_below(within, &prefix, &mut |name, value| {
                if wanted.has(name) {
                    missing -= newly(name);
                    found(name, value);
                }
            })?;
            continue;
        }
        match walk.value()? {
            _ if kind != KeyKind::Wanted => {}
            Value::Text(raw) => {
                unescaped.clear();
                found(&name, unescape(raw, &mut unescaped));
                missing -= newly(&name);
            }
            Value::Number(text) | Value::Bool(text) => {
                found(&name, text);
                missing -= newly(&name);
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{super::fields, *};

    #[test]
    fn two_fields_of_one_label_hide_no_other() {
        for text in [
            r#"{"user.id":"1","user_id":"2","status":500}"#,
            r#"{"user_id":"1","user_id":"2","status":500}"#,
            r#"{"user":{"id":"1"},"user_id":"2","status":500}"#,
        ] {
            let wanted = Wanted::new(&["user_id".to_owned(), "status".to_owned()]);
            let mut names = Vec::new();
            wanted_fields(text, &wanted, &mut |name, _| names.push(name.to_owned())).expect("an object");
            assert_eq!(names, ["user_id", "user_id", "status"], "{text}");
        }
    }

    #[test]
    fn wanted_fields_are_those_of_all_fields() {
        let text = r#"{"a":1,"b":{"c":"d","e-f":true,"g":{"h":"x"}},"k.l":"m","9":"n","\u0061b":"o","é":1," p ":2,"a":3,"z":[1]}"#;
        let names = ["a", "b_c", "b_e_f", "b_g_h", "k_l", "_9", "ab", "_", "p", "z", "b", "none", "b_g"];
        for count in 0..names.len() {
            for first in &names {
                let labels: Vec<String> = names[..count].iter().chain([first]).map(|name| (*name).to_owned()).collect();
                let wanted = Wanted::new(&labels);
                let mut some: Vec<(String, String)> = Vec::new();
                let keep = |found: &mut Vec<(String, String)>, name: &str, value: &str| {
                    // Of a name the first counts.
                    if !found.iter().any(|(known, _)| known == name) {
                        found.push((name.to_owned(), value.to_owned()));
                    }
                };
                wanted_fields(text, &wanted, &mut |name, value| keep(&mut some, name, value)).expect("well-formed");
                let mut all: Vec<(String, String)> = Vec::new();
                fields(text, &mut |name, value| {
                    if wanted.has(name) {
                        keep(&mut all, name, value);
                    }
                })
                .expect("well-formed");
                assert_eq!(some, all, "{labels:?}");
            }
        }
        let none = Wanted::new(&["x".to_owned()]);
        assert!(wanted_fields("plain", &none, &mut |_, _| {}).is_err());
        assert!(wanted_fields(r#"{"a":1"#, &none, &mut |_, _| {}).is_err());
    }
}
