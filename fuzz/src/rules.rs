//! Files of rules, their tests and their templates: any text is read within bounds, and what is read can be run.

use weir_query::alerting::{
    rules::{self, doubts, duplicates},
    unit::{self, Style},
};

/// The text as a file of rules, and as one of tests over them.
pub fn rules(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (first, second) = text.split_once("\n---\n").unwrap_or((text, ""));
    let read = rules::read("rules.yml", first);
    if let Ok(file) = &read {
        duplicates(file);
        doubts(file);
    }
    let Ok(tests) = unit::read("tests.yml", second) else { return };
    let few = tests.tests.len() <= 4 && second.len() < 4096;
    if few && tests.evaluation_interval.as_secs() >= 60 && !second.contains(['d', 'w', 'y']) {
        let files: Vec<_> = read.into_iter().collect();
        unit::run(&tests, &files, &|_| true, Style::Differences);
    }
}
