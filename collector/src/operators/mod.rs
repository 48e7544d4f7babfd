//! The Collector's operators: what turns a line into a record, one file each, in a table.
//!
//! A line becomes an [`Entry`]; a [`Pipeline`] leads it through its operators. Some of them hold entries back until what belongs
//! together is there: [`Pipeline::held`] says which lines those came from, so that whoever reads them can begin with them again.

mod config;
mod container;
mod csv_parser;
mod edits;
mod entry;
mod expression;
mod field;
mod filter;
mod flatten;
mod json;
mod json_parser;
mod key_value_parser;
mod known_shapes;
mod lists;
mod parser;
mod pattern;
mod pipeline;
mod recombine;
mod regex_parser;
mod regex_replace;
mod router;
mod severity;
mod syslog_parser;
mod text;
mod time;
mod trace;
mod uri_parser;
mod value;

use weir_proto::otlp::logs::IdNames;

pub use self::{
    config::{AnyValue, OperatorConfig},
    entry::{Entry, Origin, Unwritten},
    expression::Expression,
    field::Field,
    pipeline::Pipeline,
    value::{Fields, Value},
};

/// What becomes of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// It goes on.
    On,
    /// It goes to where a router's route leads.
    To(usize),
    /// It ends here.
    Dropped,
    /// It waits for what belongs to it.
    Held,
}

/// Does one thing to entries.
trait Operator: Send {
    /// Changes an entry. What was held back and goes on now goes before it. After an error the entry is as it was, or says more.
    fn apply<'a>(&mut self, entry: &mut Entry<'a>, released: &mut Vec<Entry<'static>>) -> Result<Next, String>;

    /// The fields that it reads, if it changes none and reads no more.
    fn reads(&self) -> Option<Vec<&Field>> {
        None
    }

    /// Nothing but these attributes is looked at of what comes out of it: it may leave the rest to whoever writes that down. Ids are looked
    /// for under these names.
    fn imply(&mut self, _looked_at: Vec<String>, _ids: &IdNames) {}

    /// Lets go of what has waited too long.
    fn overdue(&mut self, _now_ns: u64, _released: &mut Vec<Entry<'static>>) {}

    /// What waits here is made of these.
    fn held(&self, _visit: &mut dyn FnMut(Origin)) {}

    /// Whether it ever holds anything.
    fn is_joining(&self) -> bool {
        false
    }
}

/// A type of operator.
struct Row {
    name: &'static str,
    /// Its own keys, beside those that all have.
    keys: &'static [&'static str],
    /// Whether it has a parser's keys, too.
    is_parser: bool,
    build: fn(&OperatorConfig) -> Result<Box<dyn Operator>, String>,
}

/// All of them, by name.
const OPERATORS: &[Row] = &[
    Row { name: "add", keys: edits::ADD_KEYS, is_parser: false, build: edits::add },
    Row { name: "assign_keys", keys: lists::ASSIGN_KEYS, is_parser: false, build: lists::assign_keys },
    Row { name: "container", keys: container::KEYS, is_parser: true, build: container::build },
    Row { name: "copy", keys: edits::MOVE_KEYS, is_parser: false, build: edits::copy },
    Row { name: "csv_parser", keys: csv_parser::KEYS, is_parser: true, build: csv_parser::build },
    Row { name: "filter", keys: filter::KEYS, is_parser: false, build: filter::build },
    Row { name: "flatten", keys: flatten::KEYS, is_parser: false, build: flatten::build },
    Row { name: "json_array_parser", keys: lists::ARRAY_KEYS, is_parser: true, build: lists::json_array },
    Row { name: "json_parser", keys: json_parser::KEYS, is_parser: true, build: json_parser::build },
    Row { name: "key_value_parser", keys: key_value_parser::KEYS, is_parser: true, build: key_value_parser::build },
    Row { name: "move", keys: edits::MOVE_KEYS, is_parser: false, build: edits::moved },
    Row { name: "noop", keys: &[], is_parser: false, build: edits::noop },
    Row { name: "recombine", keys: recombine::KEYS, is_parser: false, build: recombine::build },
    Row { name: "regex_parser", keys: regex_parser::KEYS, is_parser: true, build: regex_parser::build },
    Row { name: "regex_replace", keys: regex_replace::KEYS, is_parser: false, build: regex_replace::build },
    Row { name: "remove", keys: edits::REMOVE_KEYS, is_parser: false, build: edits::remove },
    Row { name: "retain", keys: edits::RETAIN_KEYS, is_parser: false, build: edits::retain },
    Row { name: "router", keys: router::KEYS, is_parser: false, build: router::build },
    Row { name: "sanitize_utf8", keys: &["field"], is_parser: false, build: text::sanitize_utf8 },
    Row { name: "scope_name_parser", keys: &["parse_from"], is_parser: false, build: parser::scope_name },
    Row { name: "severity_parser", keys: severity::KEYS, is_parser: false, build: severity::build },
    Row { name: "syslog_parser", keys: syslog_parser::KEYS, is_parser: true, build: syslog_parser::build },
    Row { name: "time_parser", keys: time::KEYS, is_parser: false, build: time::build },
    Row { name: "trace_parser", keys: trace::KEYS, is_parser: false, build: trace::build },
    Row { name: "unquote", keys: &["field"], is_parser: false, build: text::unquote },
    Row { name: "uri_parser", keys: &[], is_parser: true, build: uri_parser::build },
];

#[cfg(test)]
mod tests;
