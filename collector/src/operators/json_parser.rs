//! `json_parser`: the fields of a JSON object.

use super::{Entry, Next, Operator, OperatorConfig, json, parser::Parsing};

pub(super) const KEYS: &[&str] = &["parse_ints"];

struct JsonParser {
    parsing: Parsing,
    keeps_ints: bool,
}

pub(super) fn build(config: &OperatorConfig) -> Result<Box<dyn Operator>, String> {
    Ok(Box::new(JsonParser { parsing: Parsing::new(config)?, keeps_ints: config.settings.parse_ints }))
}

impl Operator for JsonParser {
    fn apply<'a>(&mut self, entry: &mut Entry<'a>, _: &mut Vec<Entry<'static>>) -> Result<Next, String> {
        let keeps_ints = self.keeps_ints;
        self.parsing.apply(entry, |text| json::parse_object(text, keeps_ints))?;
        Ok(Next::On)
    }
}
