//! `regex_parser`: the named groups of a pattern.

use std::{borrow::Cow, collections::BTreeSet};

use super::{Entry, Fields, Next, Operator, OperatorConfig, Value, parser::Parsing, pattern::Pattern};

pub(super) const KEYS: &[&str] = &["regex", "cache"];

struct RegexParser {
    parsing: Parsing,
    pattern: Pattern,
    /// Whether two groups have one name.
    has_twins: bool,
}

pub(super) fn build(config: &OperatorConfig) -> Result<Box<dyn Operator>, String> {
    let pattern = config.settings.regex.clone().ok_or("the key `regex` is missing")?;
    if pattern.groups.is_empty() {
        return Err("the pattern has no named group: write one like (?P<name>…)".into());
    }
    let names: BTreeSet<&str> = pattern.groups.iter().map(|(_, name)| &**name).collect();
    let has_twins = names.len() < pattern.groups.len();
    Ok(Box::new(RegexParser { has_twins, parsing: Parsing::new(config)?, pattern }))
}

impl Operator for RegexParser {
    fn apply<'a>(&mut self, entry: &mut Entry<'a>, _: &mut Vec<Entry<'static>>) -> Result<Next, String> {
        self.parsing.apply(entry, |text| {
            let captures = self.pattern.regex.captures(text).ok_or("the pattern does not match")?;
            let mut fields = Fields::with_capacity(self.pattern.groups.len());
            for (at, name) in &self.pattern.groups {
                let text = captures.get(*at).map_or("", |found| found.as_str());
                fields.push(Cow::Owned(name.clone()), Value::text(text));
            }
            if self.has_twins {
                // The last one counts.
                fields.dedupe();
            }
            Ok(fields)
        })?;
        Ok(Next::On)
    }
}
