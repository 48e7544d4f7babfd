//! `json_parser`: the fields of a JSON object.

use weir_proto::otlp::logs::IdNames;

use super::{
    Entry, Next, Operator, OperatorConfig, json, known_shapes::KnownShapes, parser::Parsing, pipeline::names_of,
};

/// `parse_ints` is the Collector's: without it, whole numbers are doubles there. Here they are whole in any case, as they are written.
pub(super) const KEYS: &[&str] = &["parse_ints"];

struct JsonParser {
    parsing: Parsing,
    /// Where all but a few of the fields may stay in the body: no tree of values is needed.
    shapes: Option<KnownShapes>,
}

pub(super) fn build(config: &OperatorConfig) -> Result<Box<dyn Operator>, String> {
    Ok(Box::new(JsonParser { parsing: Parsing::new(config)?, shapes: None }))
}

impl Operator for JsonParser {
    fn apply<'a>(&mut self, entry: &mut Entry<'a>, _: &mut Vec<Entry<'static>>) -> Result<Next, String> {
        let Self { parsing, shapes } = self;
        if let Some(looked) = shapes.as_mut().and_then(|shapes| shapes.leave(entry, |entry| parsing.look(entry))) {
            return looked.map(|()| Next::On);
        }
        self.parsing.apply(entry, json::parse_object)?;
        Ok(Next::On)
    }

    fn imply(&mut self, mut looked_at: Vec<String>, ids: &IdNames) {
        let own = names_of(self.parsing.looks_at());
        self.shapes = own.filter(|_| self.parsing.is_plain()).map(|own| {
            looked_at.extend(own);
            KnownShapes::new(looked_at, ids.clone())
        });
    }
}
