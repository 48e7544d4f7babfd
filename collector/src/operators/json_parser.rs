//! `json_parser`: the fields of a JSON object.

use super::{Entry, Next, Operator, OperatorConfig, json, parser::Parsing};

/// `parse_ints` is the Collector's: without it, whole numbers are doubles there. Here they are whole in any case, as they are written.
pub(super) const KEYS: &[&str] = &["parse_ints"];

struct JsonParser(Parsing);

pub(super) fn build(config: &OperatorConfig) -> Result<Box<dyn Operator>, String> {
    Ok(Box::new(JsonParser(Parsing::new(config)?)))
}

impl Operator for JsonParser {
    fn apply<'a>(&mut self, entry: &mut Entry<'a>, _: &mut Vec<Entry<'static>>) -> Result<Next, String> {
        self.0.apply(entry, json::parse_object)?;
        Ok(Next::On)
    }
}
