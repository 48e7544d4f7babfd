//! The functions of templates: a table each of texts, numbers, times and logic.

mod logic;
mod math;
mod text;
mod time;

use super::{Scope, value::Value};

/// A function: its name, how many arguments it takes (at least, at most), and itself.
pub(super) type Function = (&'static str, (usize, usize), fn(&[Value], &dyn Scope) -> Result<Value, String>);

/// As many arguments as there are.
pub(super) const ANY: usize = usize::MAX;

fn find(name: &str) -> Option<&'static Function> {
    let tables = [text::FUNCTIONS, math::FUNCTIONS, time::FUNCTIONS, logic::FUNCTIONS];
    tables.into_iter().flatten().find(|(known, ..)| *known == name)
}

/// Whether there is a function of this name.
pub(super) fn is_known(name: &str) -> bool {
    // These two stop early, which a plain function cannot.
    matches!(name, "and" | "or") || find(name).is_some()
}

/// Calls a function.
pub(super) fn call(name: &str, arguments: Vec<Value>, scope: &dyn Scope) -> Result<Value, String> {
    let Some((_, (least, most), function)) = find(name) else {
        return Err(format!("function {name:?} not defined"));
    };
    if arguments.len() < *least || arguments.len() > *most {
        let want = match (least, most) {
            (least, most) if least == most => format!("{least}"),
            (least, &ANY) => format!("at least {least}"),
            (least, most) => format!("{least} to {most}"),
        };
        return Err(format!("wrong number of args for {name}: want {want} got {}", arguments.len()));
    }
    function(&arguments, scope)
}
