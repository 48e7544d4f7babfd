//! What templates of alerts see and can call.

use weir_proto::metrics::Labels;

use super::{Ask, TemplateData, functions, labels};
use crate::{
    alerting::rules::{Language, Query},
    gotemplate::{Host, Parameter, Signature, Value, builtins},
    promql::{histogram, value::Point},
};

/// Queries that one text may ask.
const QUERIES_MAX: usize = 100;

/// Results that one query may give.
const RESULTS_MAX: usize = 10_000;

/// The type of a query's results, and of all of them.
pub(super) const SAMPLE: &str = "*template.sample";
pub(super) const RESULT: &str = "template.queryResult";

/// The types of `.` and its fields.
const DATA: &str =
    "struct { Labels map[string]string; ExternalLabels map[string]string; ExternalURL string; Value interface {} }";

/// Answers a template.
pub(super) struct Asker<'a, 'd> {
    data: &'a TemplateData<'d>,
    ask: &'a mut Ask<'d>,
    queries: usize,
}

/// Whether templates of alerts know a function.
pub(super) fn is_function(name: &str) -> bool {
    signature(name).is_some()
}

fn signature(name: &str) -> Option<Signature> {
    const NONE: Signature = Signature { parameters: &[], rest: None, optional: 0 };
    match name {
        "query" => Some(Signature { parameters: &[Parameter::Text], ..NONE }),
        "now" | "externalURL" | "pathPrefix" => Some(NONE),
        _ => functions::signature(name).or_else(|| builtins::signature(name)),
    }
}

impl<'a, 'd> Asker<'a, 'd> {
    pub(super) fn new(data: &'a TemplateData<'d>, ask: &'a mut Ask<'d>) -> Self {
        Self { data, ask, queries: 0 }
    }

    fn query(&mut self, query: &str) -> Result<Value, String> {
        self.queries += 1;
        if self.queries > QUERIES_MAX {
            return Err(format!("the template asks more than {QUERIES_MAX} queries"));
        }
        let samples = (self.ask)(&Query::read(Language::PromQl, query)?)?;
        if samples.len() > RESULTS_MAX {
            return Err(format!("the query gives more than {RESULTS_MAX} results"));
        }
        let record = |(set, point): (Labels, Point)| {
            let value = match point {
                Point::Float(value) => value,
                Point::Histogram(_) => 0.0,
            };
            Value::Record(SAMPLE, vec![("Labels", labels(set.iter())), ("Value", Value::Float(value))])
        };
        Ok(Value::List(samples.into_iter().map(record).collect()))
    }
}

impl Host for Asker<'_, '_> {
    fn whole(&mut self) -> Value {
        let names = ["Labels", "ExternalLabels", "ExternalURL", "Value"];
        let fields = names.into_iter().map(|name| (name, self.field(name).unwrap_or(Value::Nil)));
        Value::Record(DATA, fields.collect())
    }

    fn field(&mut self, name: &str) -> Result<Value, String> {
        match name {
            "Labels" => Ok(labels(self.data.labels.iter())),
            "ExternalLabels" => {
                let external_labels = self.data.external_labels.iter();
                Ok(labels(external_labels.map(|(name, text)| (name.as_str(), text.as_str()))))
            }
            "ExternalURL" => Ok(Value::Text(self.data.external_url.to_owned())),
            "Value" => Ok(match self.data.value {
                Point::Float(value) => Value::Float(*value),
                Point::Histogram(value) => Value::Opaque("*histogram.FloatHistogram", histogram::text(value)),
            }),
            _ => Err(format!("can't evaluate field {name} in type {DATA}")),
        }
    }

    fn signature(&self, name: &str) -> Option<Signature> {
        signature(name)
    }

    fn call(&mut self, name: &str, arguments: &[Value]) -> Result<Value, String> {
        match name {
            "query" => self.query(&arguments[0].text()),
            "now" => Ok(Value::Float(self.data.at_ms as f64 / 1e3)),
            "externalURL" => Ok(Value::Text(self.data.external_url.to_owned())),
            "pathPrefix" => Ok(Value::Text(path_of(self.data.external_url).to_owned())),
            _ => functions::call(name, arguments)
                .or_else(|| builtins::call(name, arguments))
                .unwrap_or_else(|| Err("it is not defined".into())),
        }
    }
}

/// The path of a URL.
fn path_of(url: &str) -> &str {
    let after = url.split_once("://").map_or(url, |(_, after)| after);
    let path = after.find('/').map_or("", |at| &after[at..]);
    path.split(['?', '#']).next().unwrap_or_default()
}
