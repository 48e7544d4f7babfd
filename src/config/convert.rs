//! Makes of a Collector's file one that runs here: what cannot be used is left out, and said in comments.

use std::path::Path;

use super::{
    ConfigError, Findings, Found, check, lines, read,
    yaml::{self, Node, Problem, Step},
};

/// What is left out may leave something without use: the file is looked at again, so often at most.
const ROUNDS_MAX: usize = 100;

/// The converted text of a file.
pub(crate) fn convert(path: &Path) -> Result<String, ConfigError> {
    let name = path.display().to_string();
    converted(&read(path)?, &name, &|name| std::env::var(name).ok())
}

/// The same of a text.
pub(super) fn converted(
    source: &str,
    file: &str,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<String, ConfigError> {
    let mut remarks = Vec::new();
    let Some(mut tree) = yaml::parse(source, &mut remarks) else {
        return Err(ConfigError::Wrong { lines: lines(file, remarks), warnings: Vec::new() });
    };
    for _ in 0..ROUNDS_MAX {
        let findings = look_at(&tree, variable);
        let (silent, said) = (findings.silent, findings.problems.into_iter().chain(findings.warnings));
        let mut is_changed = false;
        for steps in silent {
            is_changed |= tree.leave_out(&steps, false);
        }
        let (with_way, without): (Vec<Problem>, Vec<Problem>) = said.partition(|problem| !problem.steps.is_empty());
        for problem in with_way {
            if tree.leave_out(&problem.steps, false) {
                is_changed = true;
                remarks.push(problem);
            }
        }
        is_changed |= without_receivers(&mut tree, &mut remarks);
        for problem in without {
            if !remarks.contains(&problem) {
                remarks.push(problem);
            }
        }
        if !is_changed {
            return Ok(written(&mut tree, file, remarks));
        }
    }
    Err(ConfigError::Wrong { lines: lines(file, remarks), warnings: Vec::new() })
}

/// What is wrong with a tree, its variables put in. Those that are not set say nothing against it.
fn look_at(tree: &Node, variable: &dyn Fn(&str) -> Option<String>) -> Findings {
    let (mut root, mut findings) = (tree.clone(), Findings::default());
    let mut unset = Vec::new();
    let found = Found { problems: &mut findings.problems, warnings: &mut unset };
    yaml::expand(&mut root, &[], variable, found);
    check(&root, &mut findings);
    for mut problem in unset {
        problem.steps.clear();
        findings.warnings.push(problem);
    }
    findings
}

/// A pipeline whose receivers are all left out receives nothing.
fn without_receivers(tree: &mut Node, remarks: &mut Vec<Problem>) -> bool {
    let way = |key: &str| vec![Step::Key("service".into()), Step::Key("pipelines".into()), Step::Key(key.to_owned())];
    let Some(pipelines) = tree.get("service").and_then(|service| service.node.get("pipelines")) else { return false };
    let mut empty = Vec::new();
    for entry in pipelines.node.entries() {
        let mut node = entry.node.clone();
        node.prune();
        if node.get("receivers").is_none() {
            let message = format!("pipeline `{}` has no receivers", entry.key);
            empty.push(Problem { at: entry.at, steps: way(&entry.key), message });
        }
    }
    for problem in &empty {
        tree.leave_out(&problem.steps, false);
    }
    let is_changed = !empty.is_empty();
    remarks.extend(empty);
    is_changed
}

fn written(tree: &mut Node, file: &str, remarks: Vec<Problem>) -> String {
    tree.prune();
    let mut text = format!(
        "# Made from {file} by `weir convert`; `weir validate` checks it. docs/configuration.md knows every key.\n"
    );
    if !remarks.is_empty() {
        text.push_str("#\n# What was left out, or needs a look, with its place there:\n");
    }
    for line in lines(file, remarks) {
        let line = line.strip_prefix(&format!("{file}:")).unwrap_or(&line).to_owned();
        text.push_str(&format!("#   {}\n", line.replace(['\n', '\r'], " ")));
    }
    text.push('\n');
    text.push_str(&yaml::emit(tree));
    text
}
