//! The functions of templates: a table each of texts, numbers, times and logic.

mod logic;
mod math;
mod text;
mod time;

use super::Scope;
use crate::gotemplate::{Parameter, Signature, Value};

/// A function: its name, how many arguments it takes (at least, at most), and itself.
pub(super) type Function = (&'static str, (usize, usize), fn(&[Value], &dyn Scope) -> Result<Value, String>);

/// As many arguments as there are.
pub(super) const ANY: usize = usize::MAX;

/// The most that a function with a bound takes.
const ALL: [Parameter; 4] = [Parameter::Any; 4];

fn find(name: &str) -> Option<&'static Function> {
    let tables = [text::FUNCTIONS, math::FUNCTIONS, time::FUNCTIONS, logic::FUNCTIONS];
    tables.into_iter().flatten().find(|(known, ..)| *known == name)
}

/// Whether there is a function of this name.
pub(super) fn is_known(name: &str) -> bool {
    // These two stop early, which a plain function cannot.
    matches!(name, "and" | "or") || find(name).is_some()
}

/// How many arguments a function takes: of any type, each makes of them what it needs.
pub(super) fn signature(name: &str) -> Option<Signature> {
    let (_, (least, most), _) = find(name)?;
    let static_all: &'static [Parameter] = &ALL;
    Some(match *most {
        ANY => Signature { parameters: &static_all[..*least], rest: Some(Parameter::Any), optional: 0 },
        most => Signature { parameters: &static_all[..most], rest: None, optional: most - least },
    })
}

/// Calls a function.
pub(super) fn call(name: &str, arguments: &[Value], scope: &dyn Scope) -> Result<Value, String> {
    let Some((.., function)) = find(name) else { return Err("it is not defined".into()) };
    function(arguments, scope)
}

/// What texts read as, where a number is needed.
pub(super) trait Lenient {
    /// As a whole number: of texts what they read as, else 0.
    fn int(&self) -> i64;

    /// As a number: of texts what they read as, else 0.
    fn float(&self) -> f64;
}

impl Lenient for Value {
    fn int(&self) -> i64 {
        match self {
            Self::Int(value) => *value,
            Self::Float(value) => *value as i64,
            Self::Bool(value) => i64::from(*value),
            Self::Text(text) => {
                let text = text.trim();
                text.parse().unwrap_or_else(|_| text.parse::<f64>().map_or(0, |value| value as i64))
            }
            _ => 0,
        }
    }

    fn float(&self) -> f64 {
        match self {
            Self::Int(value) => *value as f64,
            Self::Float(value) => *value,
            Self::Bool(value) => f64::from(u8::from(*value)),
            Self::Text(text) => text.trim().parse().unwrap_or(0.0),
            _ => 0.0,
        }
    }
}
