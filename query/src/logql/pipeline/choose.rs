//! `drop` and `keep`: which labels go on.

use super::{Record, Step, TextTest, Working};
use crate::logql::{
    ast::Chosen,
    error::LogqlError,
    labels::{ERROR, ERROR_DETAILS},
};

struct Choose {
    names: Vec<String>,
    tests: Vec<TextTest>,
    keeps: bool,
}

impl Step for Choose {
    fn apply(&mut self, _: &Record<'_>, working: &mut Working) -> bool {
        let Self { names, tests, keeps } = self;
        working.labels.retain(|name, value| {
            // Errors are no labels of the line: they stay until somebody drops them.
            if *keeps && matches!(name, ERROR | ERROR_DETAILS) {
                return true;
            }
            let chosen = names.iter().any(|chosen| chosen == name)
                || tests.iter().any(|test| test.name() == name && test.fits(value));
            chosen == *keeps
        });
        true
    }
}

pub(super) fn choose(chosen: &[Chosen], keeps: bool) -> Result<Box<dyn Step>, LogqlError> {
    let mut step = Choose { names: Vec::new(), tests: Vec::new(), keeps };
    for label in chosen {
        match label {
            Chosen::Name(name) => step.names.push(name.clone()),
            Chosen::Matcher(matcher) => step.tests.push(TextTest::new(matcher)?),
        }
    }
    Ok(Box::new(step))
}
