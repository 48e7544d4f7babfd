//! `json_parser`: the fields of a JSON object.

use super::{Entry, Next, Operator, OperatorConfig, Value, config::OnError, json, parser::Parsing};

/// `parse_ints` is the Collector's: without it, whole numbers are doubles there. Here they are whole in any case, as they are written.
pub(super) const KEYS: &[&str] = &["parse_ints"];

struct JsonParser {
    parsing: Parsing,
    /// What it finds is written down without a look at it: no tree of values is needed.
    is_direct: bool,
    keeps_what_is_none: bool,
}

pub(super) fn build(config: &OperatorConfig) -> Result<Box<dyn Operator>, String> {
    let keeps_what_is_none = matches!(config.on_error, OnError::Send | OnError::SendQuiet);
    Ok(Box::new(JsonParser { parsing: Parsing::new(config)?, is_direct: false, keeps_what_is_none }))
}

impl Operator for JsonParser {
    fn apply<'a>(&mut self, entry: &mut Entry<'a>, _: &mut Vec<Entry<'static>>) -> Result<Next, String> {
        if self.is_direct
            && let Value::Text(text) = &entry.body
            && json::seems_object(text)
        {
            entry.json = Some(text.clone());
            return Ok(Next::On);
        }
        self.parsing.apply(entry, json::parse_object)?;
        Ok(Next::On)
    }

    fn is_last(&mut self) {
        self.is_direct = self.parsing.is_plain() && self.keeps_what_is_none;
    }
}
