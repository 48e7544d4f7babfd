//! Reads a value into a type, and goes on after a mistake: what is wrong is said, left out, and the rest read again.

use serde::de::DeserializeOwned;

use super::{
    Node, Position, Problem, Step, Value,
    deserialize::{ErrorKind, ReadError, Reader},
};

/// Most mistakes of one value, and most keys without a value in it; each costs another reading.
const MISTAKES_MAX: usize = 100;
const EMPTY_MAX: usize = 1000;

/// What a type itself finds wrong: the dotted path of the key within the value, empty for the whole, and the problem.
pub type Flaw = (String, String);

/// Where mistakes go.
pub struct Reading<'p> {
    /// All of them.
    pub problems: &'p mut Vec<Problem>,
}

impl Reading<'_> {
    /// The value at `steps`, as far as it can be read without what is wrong with it; `None` when too much is.
    pub fn read<T: DeserializeOwned>(
        &mut self,
        node: &Node,
        steps: &[Step],
        check: impl Fn(&T) -> Result<(), Flaw>,
    ) -> Option<T> {
        let mut node = node.clone();
        if matches!(node.value, Value::Null) {
            node.value = Value::Map(Vec::new());
        }
        let mut empty = 0;
        let mistakes_before = self.problems.len();
        while self.problems.len() - mistakes_before < MISTAKES_MAX {
            match T::deserialize(Reader(&node)) {
                Ok(value) => match check(&value) {
                    Ok(()) => return Some(value),
                    Err(flaw) => {
                        if !self.flaw(&mut node, steps, flaw) {
                            return None;
                        }
                    }
                },
                Err(error) => {
                    empty += usize::from(error.kind == ErrorKind::Null);
                    if empty > EMPTY_MAX || !self.mistake(&mut node, steps, error) {
                        return None;
                    }
                }
            }
        }
        None
    }

    /// Says a mistake and leaves it out; false when that leaves nothing.
    fn mistake(&mut self, node: &mut Node, above: &[Step], error: ReadError) -> bool {
        let ReadError { kind, message, at, mut steps } = error;
        steps.reverse();
        let at = at.unwrap_or(node.at);
        let found = node.at(&steps);
        let is_known = found.is_some_and(|found| found.is_unset)
            || (matches!(kind, ErrorKind::Missing | ErrorKind::Value) && found.is_some_and(|found| found.is_tainted));
        if kind != ErrorKind::Null && !is_known {
            self.say(at, above, &steps, kind == ErrorKind::Value, message);
        }
        let goes_on = !steps.is_empty() && node.leave_out(&steps, kind != ErrorKind::Null);
        if kind == ErrorKind::Null && !goes_on {
            self.say(at, above, &steps, true, "expected a value here".into());
        }
        goes_on
    }

    fn say(&mut self, at: Position, above: &[Step], steps: &[Step], names_path: bool, message: String) {
        let steps = [above, steps].concat();
        let message = if names_path { format!("{}: {message}", path(&steps)) } else { message };
        let problem = Problem { at, steps, message };
        // What several aliases repeat is said once.
        if !self.problems.iter().any(|known| known.at == at && known.message == problem.message) {
            self.problems.push(problem);
        }
    }

    /// The same for what the type itself finds.
    fn flaw(&mut self, node: &mut Node, above: &[Step], (key, message): Flaw) -> bool {
        let keys: Vec<&str> = key.split('.').filter(|key| !key.is_empty()).collect();
        let written = node.innermost(&keys).filter(|(_, is_whole)| *is_whole);
        let at = written.map_or(node.at, |(entry, _)| entry.node.at);
        let steps: Vec<Step> = keys.iter().map(|key| Step::Key((*key).to_owned())).collect();
        let goes_on = written.is_some();
        if !node.at(&steps).is_some_and(|found| found.is_tainted) {
            self.say(at, above, &steps, true, message);
        }
        goes_on && node.leave_out(&steps, true)
    }
}

/// `query.endpoint`: the keys on the way. Lists are passed through.
pub fn path(steps: &[Step]) -> String {
    let keys = steps.iter().filter_map(|step| match step {
        Step::Key(key) => Some(key.as_str()),
        Step::Item(_) => None,
    });
    keys.collect::<Vec<_>>().join(".")
}
