//! `weir rules`: checks files of rules, runs their unit tests, and says what they would have done.

mod check;
pub(crate) mod moment;
mod replay;
pub(crate) mod server;
mod test;
mod write;

use std::{
    io::Read,
    path::{Path, PathBuf},
    process::ExitCode,
};

use weir_query::alerting::{
    rules::{self, RuleFile, RuleProblem},
    serve::matching,
};

use crate::cli::RulesCommand;

/// Exit code when a file cannot be used, or a test fails.
const FAILURE: u8 = 1;

/// Exit code when rules are doubtful and `--lint-fatal` is set.
const LINT_FAILURE: u8 = 3;

/// Runs one of the commands.
pub(crate) fn run(command: &RulesCommand) -> anyhow::Result<ExitCode> {
    match command {
        RulesCommand::Check(options) => check::run(options),
        RulesCommand::Test(options) => test::run(options),
        RulesCommand::Replay(options) => replay::run(options),
    }
}

/// The files that the patterns name, in their order; a pattern without any is said.
fn files(patterns: &[String]) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for pattern in patterns {
        let paths = matching(std::slice::from_ref(pattern)).map_err(anyhow::Error::msg)?;
        if paths.is_empty() {
            eprintln!("  WARNING: no file match pattern {pattern}");
        }
        found.extend(paths);
    }
    Ok(found)
}

/// A file's text, within its bound.
fn text(path: &Path) -> Result<String, String> {
    let within = || -> std::io::Result<String> {
        let mut text = String::new();
        let file = std::fs::File::open(path)?;
        file.take(rules::FILE_BYTES_MAX as u64 + 1).read_to_string(&mut text)?;
        Ok(text)
    };
    within().map_err(|error| format!("{}: {error}", path.display()))
}

/// A file of rules, or what is wrong with it.
fn read(path: &Path) -> Result<RuleFile, Vec<String>> {
    let text = text(path).map_err(|error| vec![error])?;
    rules::read(&path.display().to_string(), &text).map_err(|problems| in_words(&problems))
}

fn in_words(problems: &[RuleProblem]) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}
