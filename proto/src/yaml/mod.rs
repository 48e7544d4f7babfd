//! YAML as the configuration needs it: a tree that knows where everything stands, references to the environment put into its values,
//! and a reading of it into types that is as lenient as the OpenTelemetry Collector's and finds every mistake, not only the first.

mod deserialize;
mod emit;
mod expand;
mod parse;
mod read;
mod scalar;
mod tree;

pub use self::{
    deserialize::split,
    emit::emit,
    expand::{Found, expand},
    parse::{parse, parse_plain},
    read::{Flaw, Reading, path},
    tree::{Entry, Node, Position, Problem, Step, Value},
};
