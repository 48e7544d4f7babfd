//! Test scripts of PromQL, in the language of Prometheus' promqltest: samples are loaded, expressions asked, answers compared.

mod check;
mod command;
mod evaluate;
mod histogram;
mod nhcb;
mod samples;
mod series;

use command::Command;
pub(crate) use samples::Loaded;
pub(crate) use series::{Described, Sequence, described};

/// What a script came to.
#[derive(Debug, Default)]
pub struct Report {
    /// Evaluations that gave what was expected, each with its hidden repetitions.
    pub passed: usize,
    /// Those that did not.
    pub failures: Vec<Failure>,
}

/// An evaluation that did not give what was expected.
#[derive(Debug)]
pub struct Failure {
    /// Counted from 1.
    pub line: usize,
    /// What was wrong.
    pub reason: String,
}

/// What the `load` commands of a script load.
#[cfg(test)]
pub(crate) fn loaded(script: &str) -> Loaded {
    let mut loaded = Loaded::default();
    for command in command::commands(script) {
        if let Ok(Command::Load(load)) = command {
            loaded.load(load);
        }
    }
    loaded
}

/// Runs a script.
pub fn run(script: &str) -> Report {
    let mut report = Report::default();
    let mut loaded = Loaded::default();
    for command in command::commands(script) {
        match command {
            Ok(Command::Clear) => loaded = Loaded::default(),
            Ok(Command::Load(load)) => loaded.load(load),
            Ok(Command::Eval(eval)) => match evaluate::evaluate(&eval, &loaded) {
                Ok(()) => report.passed += 1,
                Err(reason) => report.failures.push(Failure { line: eval.line, reason }),
            },
            Err(failure) => report.failures.push(failure),
        }
    }
    report
}
