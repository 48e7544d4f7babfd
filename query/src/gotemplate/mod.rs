//! Go's `text/template`: what `{{ .level | upper }}` writes. Rules and LogQL have it in common, each with functions of its own.
//!
//! Syntax, meaning and errors follow the documentation of Go (<https://pkg.go.dev/text/template>).

pub(crate) mod builtins;
pub(crate) mod layout;
mod lex;
mod literal;
mod methods;
mod parse;
pub(crate) mod printf;
mod run;
#[cfg(test)]
mod tests;
mod tree;
pub(crate) mod value;

pub(crate) use self::value::Value;

/// What a template sees, and what it can call.
pub(crate) trait Host {
    /// A field of what `.` and `$` are at the beginning.
    fn field(&mut self, name: &str) -> Result<Value, String>;

    /// All of that.
    fn whole(&mut self) -> Value;

    /// What a function takes; `None` when there is no such function.
    fn signature(&self, name: &str) -> Option<Signature>;

    /// Calls a function; the arguments are what its signature asks for.
    fn call(&mut self, name: &str, arguments: &[Value]) -> Result<Value, String>;
}

/// What a function takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signature {
    /// What it needs.
    pub(crate) parameters: &'static [Parameter],
    /// What may follow any number of times.
    pub(crate) rest: Option<Parameter>,
    /// How many of the needed ones may be left out.
    pub(crate) optional: usize,
}

/// What an argument has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parameter {
    Any,
    Text,
    /// With fields.
    Record(&'static str),
    /// Of records.
    List(&'static str),
}

impl Parameter {
    /// As Go calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Any => "interface {}",
            Self::Text => "string",
            Self::Record(name) | Self::List(name) => name,
        }
    }
}

/// What one writing may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Nodes and commands.
    pub(crate) steps_max: usize,
    /// Bytes written.
    pub(crate) bytes_max: usize,
}

/// A template, read.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    name: String,
    /// For the places in errors.
    text: String,
    nodes: Vec<tree::Node>,
    definitions: parse::Definitions,
}

impl Template {
    /// Reads a template; says what is wrong with it, as Go does: `template: NAME:LINE: what`.
    pub(crate) fn read(name: &str, text: &str, is_function: &dyn Fn(&str) -> bool) -> Result<Self, String> {
        let (nodes, definitions) = parse::parse(name, text, is_function)?;
        Ok(Self { name: name.to_owned(), text: text.to_owned(), nodes, definitions })
    }

    /// Writes it. What was written before an error means nothing.
    pub(crate) fn write(&self, host: &mut dyn Host, bounds: Bounds, out: &mut String) -> Result<(), Failure> {
        run::Run::new(self, host, bounds, out).run()
    }
}

/// Why a template could not be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// What went wrong.
    pub(crate) message: String,
    /// Where, as Go says it: `template: NAME:LINE:COLUMN: executing "NAME" at <.x>: `.
    pub(crate) place: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", self.place, self.message)
    }
}
