//! `regex_replace`: another text for what a pattern finds in a field.

use std::borrow::Cow;

use weir_proto::go_regex::replacement;

use super::{Entry, Field, Next, Operator, OperatorConfig, Value, pattern::Pattern};

pub(super) const KEYS: &[&str] = &["field", "regex", "regex_name", "replace_with"];

/// What terminals take for colours and moves (ECMA-48, section 5.4: control sequences).
const ANSI_CONTROL_SEQUENCES: &str = r"\x1b\[[\x30-\x3f]*[\x20-\x2f]*[\x40-\x7e]";

/// How much longer than before a text may become: a group may be named many times.
const LONGER_BYTES_MAX: usize = 1 << 20;

struct RegexReplace {
    field: Field,
    pattern: Pattern,
    with: String,
}

pub(super) fn build(config: &OperatorConfig) -> Result<Box<dyn Operator>, String> {
    let settings = &config.settings;
    let field = settings.field.clone().ok_or("the key `field` is missing")?;
    let pattern = match (&settings.regex, settings.regex_name.as_deref()) {
        (Some(pattern), None) => pattern.clone(),
        (None, Some("ansi_control_sequences")) => Pattern::new(ANSI_CONTROL_SEQUENCES)?,
        (None, Some(name)) => return Err(format!("regex_name `{name}` is not known: ansi_control_sequences")),
        _ => return Err("exactly one of regex and regex_name is needed".into()),
    };
    let with = replacement(settings.replace_with.as_deref().unwrap_or_default());
    Ok(Box::new(RegexReplace { field, pattern, with }))
}

impl Operator for RegexReplace {
    fn apply<'a>(&mut self, entry: &mut Entry<'a>, _: &mut Vec<Entry<'static>>) -> Result<Next, String> {
        let value = self.field.get(entry).ok_or_else(|| format!("there is no {}", self.field))?;
        let text = value.as_text().ok_or_else(|| format!("{} is {}, not a text", self.field, value.kind()))?;
        let mut replaced = String::new();
        let mut from = 0;
        for captures in self.pattern.regex.captures_iter(text) {
            let whole = captures.get(0).expect("the whole is always one");
            replaced.push_str(&text[from..whole.start()]);
            captures.expand(&self.with, &mut replaced);
            from = whole.end();
            if replaced.len() > text.len() + LONGER_BYTES_MAX {
                return Err("the replacement is too long".into());
            }
        }
        if from == 0 && replaced.is_empty() {
            return Ok(Next::On);
        }
        replaced.push_str(&text[from..]);
        self.field.set(entry, Value::Text(Cow::Owned(replaced)))?;
        Ok(Next::On)
    }
}
