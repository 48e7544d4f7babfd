//! `regex_parser`: the named groups of a pattern.

use std::borrow::Cow;

use regex::Regex;

use super::{Entry, Fields, Next, Operator, OperatorConfig, Value, parser::Parsing};

pub(super) const KEYS: &[&str] = &["regex", "cache"];

struct RegexParser {
    parsing: Parsing,
    pattern: Regex,
    /// The named groups with their numbers.
    groups: Vec<(usize, String)>,
}

pub(super) fn build(config: &OperatorConfig) -> Result<Box<dyn Operator>, String> {
    let pattern = config.settings.regex.clone().ok_or("the key `regex` is missing")?.0;
    let groups: Vec<_> =
        pattern.capture_names().enumerate().filter_map(|(at, name)| Some((at, name?.to_owned()))).collect();
    if groups.is_empty() {
        return Err("the pattern has no named group: write one like (?P<name>…)".into());
    }
    Ok(Box::new(RegexParser { parsing: Parsing::new(config)?, pattern, groups }))
}

impl Operator for RegexParser {
    fn apply<'a>(&mut self, entry: &mut Entry<'a>, _: &mut Vec<Entry<'static>>) -> Result<Next, String> {
        self.parsing.apply(entry, |text| {
            let captures = self.pattern.captures(text).ok_or("the pattern does not match")?;
            let mut fields = Fields::with_capacity(self.groups.len());
            for (at, name) in &self.groups {
                let text = captures.get(*at).map_or("", |found| found.as_str());
                fields.push(Cow::Owned(name.clone()), Value::text(text));
            }
            Ok(fields)
        })?;
        Ok(Next::On)
    }
}
