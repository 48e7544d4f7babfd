//! `weir rules check`: reads files of rules as `weir run` does, in the form of `promtool check rules`.

use std::{io::Read, path::PathBuf, process::ExitCode};

use anyhow::{Context, bail};
use weir_query::alerting::rules::{self, Duplicate, RuleFile, doubts, duplicates};

use super::{FAILURE, LINT_FAILURE, files, in_words, read};
use crate::cli::CheckOptions;

/// Checks all files, and says of each what it holds or what is wrong.
pub(super) fn run(options: &CheckOptions) -> anyhow::Result<ExitCode> {
    let lints = match options.lint.as_str() {
        "none" => false,
        "all" | "duplicate-rules" => true,
        other => bail!("--lint {other}: write all, duplicate-rules or none"),
    };
    let (mut has_errors, mut has_doubts) = (false, false);
    let mut say = |name: &str, outcome: Result<RuleFile, Vec<String>>| {
        println!("Checking {name}");
        match outcome {
            Ok(file) => has_doubts |= !said(&file, lints),
            Err(problems) => {
                has_errors = true;
                eprintln!("  FAILED:");
                problems.iter().for_each(|problem| eprintln!("{problem}"));
            }
        }
        println!();
    };
    if options.files.is_empty() || options.files == ["-"] {
        let mut text = String::new();
        let mut stdin = std::io::stdin().take(rules::FILE_BYTES_MAX as u64 + 1);
        stdin.read_to_string(&mut text).context("cannot read stdin")?;
        say("standard input", rules::read("-", &text).map_err(|problems| in_words(&problems)));
    } else {
        let found: Vec<PathBuf> = files(&options.files)?;
        found.iter().for_each(|path| say(&path.display().to_string(), read(path)));
        // A pattern that names nothing is a mistake here: whoever checks means to check something.
        has_errors |= found.is_empty();
    }
    Ok(match (has_errors, has_doubts && options.lint_fatal) {
        (true, _) => ExitCode::from(FAILURE),
        (false, true) => ExitCode::from(LINT_FAILURE),
        (false, false) => ExitCode::SUCCESS,
    })
}

/// Says how many rules a file has, and what is doubtful; whether nothing is.
fn said(file: &RuleFile, lints: bool) -> bool {
    for doubt in doubts(file) {
        eprintln!("  WARNING: {doubt}");
    }
    let found = if lints { duplicates(file) } else { Vec::new() };
    if found.is_empty() {
        let count: usize = file.groups.iter().map(|group| group.rules.len()).sum();
        println!("  SUCCESS: {count} rules found");
        return true;
    }
    eprintln!("  FAILED:");
    eprintln!("lint error {} duplicate rule(s) found.", found.len());
    for Duplicate { name, labels } in &found {
        eprintln!("Metric: {name}\nLabel(s):");
        labels.iter().for_each(|(name, value)| eprintln!("\t{name}: {value}"));
    }
    eprintln!("Might cause inconsistency while recording expressions");
    false
}
