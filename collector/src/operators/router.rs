//! `router`: sends an entry where the first expression that is true of it leads.

use super::{
    Entry, Field, Next, Operator, OperatorConfig,
    config::{AnyValue, RouteConfig},
};

pub(super) const KEYS: &[&str] = &["routes", "default"];

struct Router(Vec<RouteConfig>);

pub(super) fn build(config: &OperatorConfig) -> Result<Box<dyn Operator>, String> {
    if config.settings.routes.is_empty() {
        return Err("the key `routes` is missing".into());
    }
    Ok(Box::new(Router(config.settings.routes.clone())))
}

impl Operator for Router {
    fn apply<'a>(&mut self, entry: &mut Entry<'a>, _: &mut Vec<Entry<'static>>) -> Result<Next, String> {
        let mut problem = None;
        for (at, route) in self.0.iter().enumerate() {
            match route.expr.is_true(entry) {
                Ok(false) => {}
                Ok(true) => {
                    for (name, value) in &route.attributes {
                        let value = match value {
                            AnyValue::Fixed(value) => value.clone(),
                            AnyValue::Reckoned(expression) => expression.value(entry)?,
                        };
                        Field::attribute(name).set(entry, value)?;
                    }
                    return Ok(Next::To(at));
                }
                // It may fit a route after this one.
                Err(wrong) => problem = problem.or(Some(wrong)),
            }
        }
        problem.map_or(Ok(Next::On), Err)
    }
}
