//! The commands of a script.

use regex::Regex;

use super::{
    Failure,
    series::{self, Described},
};
use crate::promql::syntax::{duration, number::parse_number, quote::unquoted};

/// One command.
pub(super) enum Command {
    Clear,
    Load(Load),
    Eval(Box<Eval>),
}

/// Series of samples at even distances.
pub(super) struct Load {
    pub(super) step_ms: i64,
    /// Whether classic histograms are loaded as native ones too.
    pub(super) with_nhcb: bool,
    pub(super) series: Vec<Loadable>,
}

/// A series, and when what it counts began at each sample, relative to it.
pub(super) struct Loadable {
    pub(super) described: Described,
    pub(super) starts: Vec<Option<i64>>,
}

/// An expression and what it is expected to give.
#[derive(Debug, Default)]
pub(super) struct Eval {
    pub(super) line: usize,
    pub(super) query: String,
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
    pub(super) step_ms: i64,
    pub(super) is_range: bool,
    /// Whether it is not asked again as a range.
    pub(super) once: bool,
    pub(super) is_ordered: bool,
    pub(super) fails: bool,
    pub(super) failure: Option<Words>,
    pub(super) warns: bool,
    pub(super) informs: bool,
    pub(super) warnings: Vec<Words>,
    pub(super) infos: Vec<Words>,
    pub(super) no_warnings: bool,
    pub(super) no_infos: bool,
    pub(super) scalar: Option<f64>,
    pub(super) text: Option<Vec<u8>>,
    pub(super) series: Vec<Described>,
}

/// What a message has to be.
#[derive(Debug, Clone)]
pub(super) enum Words {
    Any,
    Exactly(String),
    Like(Regex),
}

impl Words {
    pub(super) fn fit(&self, message: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exactly(text) => text == message,
            Self::Like(regex) => regex.is_match(message),
        }
    }
}

/// The commands in order; what cannot be read is a failure, and the next one goes on.
pub(super) fn commands(script: &str) -> Vec<Result<Command, Failure>> {
    let mut commands = Vec::new();
    let lines: Vec<_> =
        script.lines().map(|line| line.trim()).map(|line| if line.starts_with('#') { "" } else { line }).collect();
    let mut at = 0;
    while at < lines.len() {
        if lines[at].is_empty() {
            at += 1;
            continue;
        }
        let end = lines[at + 1..].iter().position(|line| line.is_empty()).map_or(lines.len(), |blank| at + 1 + blank);
        let word = lines[at].split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
        let fail = |reason| Failure { line: at + 1, reason };
        if word == "clear" {
            commands.push(Ok(Command::Clear));
            at += 1;
        } else if word.starts_with("load") {
            commands.push(load(&lines[at..end]).map(Command::Load).map_err(fail));
            at = end;
        } else if word.starts_with("eval") {
            let (eval, used) = eval(&lines[at..end], at + 1);
            commands.push(eval.map(|eval| Command::Eval(Box::new(eval))).map_err(fail));
            at += used;
        } else {
            commands.push(Err(fail(format!("unknown command {:?}", lines[at]))));
            at += 1;
        }
    }
    commands
}

fn load(lines: &[&str]) -> Result<Load, String> {
    let (word, step) = lines[0].split_once(char::is_whitespace).ok_or("load needs a step")?;
    let step_ms = duration::parse(step.trim())?;
    let mut load = Load { step_ms, with_nhcb: word.ends_with("_with_nhcb"), series: Vec::new() };
    let mut default_starts: Vec<Option<i64>> = Vec::new();
    let mut starts: Option<Vec<Option<i64>>> = None;
    for line in &lines[1..] {
        let head = line.split_whitespace().next().unwrap_or_default();
        if let Some(metric) = head.strip_suffix("@st") {
            let values = series::starts(line[head.len()..].trim())?;
            if metric.is_empty() {
                default_starts = values;
            } else {
                starts = Some(values);
            }
            continue;
        }
        let described = series::described(line)?;
        let starts = starts.take().unwrap_or_else(|| {
            let count = if default_starts.is_empty() { 0 } else { described.values.len() };
            (0..count).map(|index| default_starts[index % default_starts.len()]).collect()
        });
        load.series.push(Loadable { described, starts });
    }
    Ok(load)
}

/// The evaluation, and how many lines it took.
fn eval(lines: &[&str], line: usize) -> (Result<Eval, String>, usize) {
    let mut eval = match header(lines[0]) {
        Ok(eval) => Eval { line, ..eval },
        Err(reason) => return (Err(reason), lines.len()),
    };
    for (index, line) in lines.iter().enumerate().skip(1) {
        match expectation(&mut eval, line) {
            Ok(true) => {}
            Ok(false) => return (Ok(eval), index + 1),
            Err(reason) => return (Err(format!("{line}: {reason}")), lines.len()),
        }
    }
    (Ok(eval), lines.len())
}

fn word(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (!word.is_empty()).then(|| (word, rest.trim_start()))
}

fn header(line: &str) -> Result<Eval, String> {
    let mut eval = Eval::default();
    let bad = || format!("unknown evaluation {line:?}");
    let (command, rest) = word(line).ok_or_else(bad)?;
    match command.strip_prefix("eval") {
        Some("") => {}
        Some("_ordered") => eval.is_ordered = true,
        Some("_fail") => eval.fails = true,
        Some("_warn") => eval.warns = true,
        Some("_info") => eval.informs = true,
        _ => return Err(bad()),
    }
    let (kind, mut rest) = word(rest).ok_or_else(bad)?;
    let mut time = |name: &str| -> Result<i64, String> {
        let (found, after) = word(rest).filter(|(found, _)| *found == name).ok_or_else(bad)?;
        let _ = found;
        let (time, after) = word(after).ok_or_else(bad)?;
        rest = after;
        duration::parse(time)
    };
    if kind == "instant" {
        eval.start_ms = time("at")?;
        eval.end_ms = eval.start_ms;
    } else {
        eval.is_range = true;
        (eval.start_ms, eval.end_ms, eval.step_ms) = (time("from")?, time("to")?, time("step")?);
    }
    eval.query = rest.to_owned();
    Ok(eval)
}

/// Takes a line in; false when it was the last.
fn expectation(eval: &mut Eval, line: &str) -> Result<bool, String> {
    if let Some(message) = line.strip_prefix("expected_fail_message") {
        eval.failure = Some(Words::Exactly(message.trim().to_owned()));
        return Ok(false);
    }
    if let Some(pattern) = line.strip_prefix("expected_fail_regexp") {
        eval.failure = Some(Words::Like(Regex::new(pattern.trim()).map_err(|error| error.to_string())?));
        return Ok(false);
    }
    if let Some(rest) = line.strip_prefix("expect range vector") {
        let words: Vec<_> = rest.split_whitespace().collect();
        let ["from", from, "to", to, "step", step] = words[..] else { return Err("bad range vector".to_owned()) };
        (eval.start_ms, eval.end_ms) = (duration::parse(from)?, duration::parse(to)?);
        eval.step_ms = duration::parse(step)?;
        eval.once = true;
        return Ok(true);
    }
    if let Some(literal) = line.strip_prefix("expect string") {
        eval.text = Some(unquoted(literal.trim()).map_err(|_| "bad string")?);
        eval.once = true;
        return Ok(true);
    }
    if let Some(rest) = line.strip_prefix("expect ") {
        return annotation(eval, rest.trim()).map(|()| true);
    }
    if let Ok(value) = parse_number(line) {
        eval.scalar = Some(value);
        return Ok(false);
    }
    eval.series.push(series::described(line)?);
    Ok(true)
}

fn annotation(eval: &mut Eval, rest: &str) -> Result<(), String> {
    let (kind, detail) = word(rest).ok_or("expect what?")?;
    let words = if let Some(message) = detail.strip_prefix("msg:") {
        Words::Exactly(message.trim().to_owned())
    } else if let Some(pattern) = detail.strip_prefix("regex:") {
        Words::Like(Regex::new(pattern.trim()).map_err(|error| error.to_string())?)
    } else {
        Words::Any
    };
    match kind {
        "ordered" => eval.is_ordered = true,
        "fail" => {
            eval.fails = true;
            eval.failure = Some(words);
        }
        "warn" => eval.warnings.push(words),
        "info" => eval.infos.push(words),
        "no_warn" => eval.no_warnings = true,
        "no_info" => eval.no_infos = true,
        _ => return Err(format!("unknown expectation {kind}")),
    }
    Ok(())
}
