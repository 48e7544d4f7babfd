//! `weir rules test`: runs unit tests of rules, in the form of `promtool test rules`.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use regex::Regex;
use weir_query::alerting::{
    rules::RuleFile,
    unit::{self, GroupReport, Style, TestFile},
};

use super::{FAILURE, files, in_words, read, text};
use crate::cli::TestOptions;

/// Runs all files.
pub(super) fn run(options: &TestOptions) -> anyhow::Result<ExitCode> {
    let patterns: Result<Vec<Regex>, _> = options.run.iter().map(|pattern| Regex::new(pattern)).collect();
    let patterns = patterns.context("--run")?;
    let passes = |name: &str| patterns.is_empty() || patterns.iter().any(|pattern| pattern.is_match(name));
    let style = if options.diff { Style::Differences } else { Style::Lists };
    let mut reports = Vec::new();
    let mut has_failed = false;
    let paths = files(&options.files)?;
    has_failed |= paths.is_empty();
    for path in &paths {
        println!("Unit Testing:  {}", path.display());
        let groups = match read_tests(path) {
            Ok((file, rules)) => unit::run(&file, &rules, &passes, style),
            Err(problems) => vec![GroupReport { name: String::new(), failures: problems }],
        };
        let failures: Vec<&String> = groups.iter().flat_map(|group| &group.failures).collect();
        if failures.is_empty() {
            println!("  SUCCESS");
        } else {
            has_failed = true;
            eprintln!("  FAILED:");
            for failure in failures {
                eprintln!("{failure}");
                println!();
            }
        }
        println!();
        reports.push((path.display().to_string(), groups));
    }
    if let Some(file) = &options.junit {
        std::fs::write(file, unit::junit(&reports)).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(if has_failed { ExitCode::from(FAILURE) } else { ExitCode::SUCCESS })
}

/// A file of tests, and the rules that it is about.
fn read_tests(path: &Path) -> Result<(TestFile, Vec<RuleFile>), Vec<String>> {
    let text = text(path).map_err(|error| vec![error])?;
    let file = unit::read(&path.display().to_string(), &text).map_err(|problems| in_words(&problems))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let of_folder = |pattern: &String| folder.join(pattern).to_string_lossy().into_owned();
    let patterns: Vec<String> = file.rule_files.iter().map(of_folder).collect();
    let paths: Vec<PathBuf> = files(&patterns).map_err(|error| vec![error.to_string()])?;
    let (mut rules, mut problems) = (Vec::new(), Vec::new());
    for path in &paths {
        // As promtool takes it: a name is a pattern, too.
        if !path.exists() {
            eprintln!("  WARNING: no file match pattern {}", path.display());
            continue;
        }
        match read(path) {
            Ok(file) => rules.push(file),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok((file, rules)) } else { Err(problems) }
}
