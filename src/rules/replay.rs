//! `weir rules replay`: what rules would have done over what a running weir keeps.

use std::{collections::HashMap, path::Path, process::ExitCode};

use anyhow::{Context, bail};
use weir_proto::time::Clock;
use weir_query::alerting::{
    replay::{Answer, AnswerSoFar, Recorded, ReplayedAlert, Source, Stretch, of_matrix, of_rows, replay, shown},
    rules::{Rule, RuleGroup},
};

use super::{FAILURE, moment, read, server::Server, write};
use crate::cli::ReplayOptions;

/// Steps of one question.
const STEPS_MAX: i64 = 10_000;

/// Asks for all of what native histograms are.
const EXACT_HISTOGRAMS: (&str, &str) = ("histograms", "exact");

/// Fewer are not worth a question.
const STEPS_MIN: i64 = 32;

/// Replays all groups of a file.
pub(super) fn run(options: &ReplayOptions) -> anyhow::Result<ExitCode> {
    let file = match read(Path::new(&options.file)) {
        Ok(file) => file,
        Err(problems) => {
            problems.iter().for_each(|problem| eprintln!("{problem}"));
            return Ok(ExitCode::from(FAILURE));
        }
    };
    let now_ms = (Clock::system().now_ns() / 1_000_000) as i64;
    let from_ms = moment::read(&options.from, now_ms).map_err(anyhow::Error::msg).context("--from")?;
    let to_ms = moment::read(&options.to, now_ms).map_err(anyhow::Error::msg).context("--to")?;
    if from_ms >= to_ms {
        bail!("--from is not before --to");
    }
    let interval = weir_proto::duration::parse(&options.interval).context("--interval")?;
    let past = Past { server: Server::new(&options.url)?, from_ms, to_ms, interval_ms: interval.as_millis() as i64 };
    let mut recorded = Recorded::default();
    let (mut written, mut has_failed) = (Vec::new(), false);
    let mut totals = Totals::default();
    for group in &file.groups {
        let stretch = past.stretch(group);
        println!(
            "Group {} (every {} s, from {} to {})",
            group.name,
            stretch.step_ms / 1000,
            moment::shown(stretch.start_ms),
            moment::shown(stretch.end_ms)
        );
        let mut answers = HashMap::new();
        for (number, rule) in group.rules.iter().enumerate() {
            let answer = past.answer(rule, &recorded, stretch);
            let missing = answer.as_ref().map(|answer| answer.missing.as_slice()).unwrap_or_default();
            missing.iter().for_each(|what| eprintln!("  WARNING: {}: {what}", rule.name()));
            let is_whole = missing.is_empty();
            match answer {
                Ok(answer) if rule.is_alert() => drop(answers.insert(number, answer)),
                // Who writes it would not see later what it was computed without.
                Ok(_) if options.write && !is_whole => has_failed |= failed(rule, "not written: data are missing"),
                Ok(answer) => match recorded.record(group, rule, answer) {
                    Ok(series) => {
                        let samples: usize = series.iter().map(|series| series.points.len()).sum();
                        println!("  {}: {} series, {samples} samples", rule.name(), series.len());
                        totals.recorded += 1;
                        written.extend(series);
                    }
                    Err(error) => has_failed |= failed(rule, &error),
                },
                Err(error) => has_failed |= failed(rule, &format!("{error:#}")),
            }
        }
        let (alerts, errors) = replay(group, &answers, stretch, &[]);
        errors.iter().for_each(|error| eprintln!("  FAILED: {error}"));
        has_failed |= !errors.is_empty();
        alerts.iter().for_each(|alert| totals.take(alert));
    }
    totals.say();
    if options.write {
        let count = write::series(&past.server, &written)?;
        println!("{count} samples written");
    } else if !written.is_empty() {
        println!("Nothing is written; --write does");
    }
    Ok(if has_failed { ExitCode::from(FAILURE) } else { ExitCode::SUCCESS })
}

fn failed(rule: &Rule, error: &str) -> bool {
    eprintln!("  FAILED: {}: {error}", rule.name());
    true
}

/// Who is asked, and about when.
struct Past {
    server: Server,
    from_ms: i64,
    to_ms: i64,
    /// Of groups without one of their own.
    interval_ms: i64,
}

impl Past {
    /// The times of a group, whole multiples of its interval.
    fn stretch(&self, group: &RuleGroup) -> Stretch {
        let step_ms = group.interval.map_or(self.interval_ms, |interval| interval.as_millis() as i64).max(1000);
        let start_ms = self.from_ms.div_euclid(step_ms) * step_ms;
        Stretch { start_ms, end_ms: self.to_ms.div_euclid(step_ms) * step_ms, step_ms }
    }

    /// What a rule's query gave at all times.
    fn answer(&self, rule: &Rule, recorded: &Recorded, stretch: Stretch) -> anyhow::Result<Answer> {
        match recorded.source(rule) {
            Source::Recorded => recorded.answer(rule, stretch).map_err(anyhow::Error::msg),
            Source::PromQl => self.served(rule, stretch, "/prometheus/api/v1/query_range"),
            Source::LogQl => self.served(rule, stretch, "/loki/api/v1/query_range"),
            Source::Sql => self.stepped(rule, stretch),
            Source::Mixed(names) => {
                let names = names.join(", ");
                eprintln!("  WARNING: {}: of {names} it sees what is stored, not what is replayed", rule.name());
                self.served(rule, stretch, "/prometheus/api/v1/query_range")
            }
        }
    }

    fn served(&self, rule: &Rule, stretch: Stretch, path: &str) -> anyhow::Result<Answer> {
        let mut all = AnswerSoFar::default();
        let (mut start_ms, mut steps_max) = (stretch.start_ms, STEPS_MAX);
        while start_ms <= stretch.end_ms {
            let end_ms = stretch.end_ms.min(start_ms + stretch.step_ms * (steps_max - 1));
            let (start, end, step) = (seconds(start_ms), seconds(end_ms), seconds(stretch.step_ms));
            let fields =
                [("query", rule.expr.as_str()), ("start", &start), ("end", &end), ("step", &step), EXACT_HISTOGRAMS];
            let answered = self.server.form(path, &fields)?;
            match of_matrix(&answered.body) {
                Ok(answer) => all.add(answer),
                // What is too much at once may not be in pieces.
                Err(error) if steps_max > STEPS_MIN && is_too_much(&error) => {
                    steps_max /= 4;
                    continue;
                }
                Err(error) => bail!("{error}"),
            }
            start_ms = end_ms + stretch.step_ms;
        }
        Ok(all.answer())
    }

    /// SQL says itself how far back it looks: a question for each time, whose `now()` that is.
    fn stepped(&self, rule: &Rule, stretch: Stretch) -> anyhow::Result<Answer> {
        let mut all = AnswerSoFar::default();
        let mut at_ms = stretch.start_ms;
        while at_ms <= stretch.end_ms {
            let path = format!("/api/v1/sql?time={}", seconds(at_ms));
            let answered = self.server.post(&path, &[], rule.expr.clone().into_bytes())?;
            let at = || format!("at {}", moment::shown(at_ms));
            all.add(of_rows(&answered.body, at_ms).map_err(anyhow::Error::msg).with_context(at)?);
            at_ms += stretch.step_ms;
        }
        Ok(all.answer())
    }
}

/// Unix seconds.
fn seconds(ms: i64) -> String {
    format!("{}.{:03}", ms.div_euclid(1000), ms.rem_euclid(1000))
}

/// Whether a query was refused for what it would take.
fn is_too_much(error: &str) -> bool {
    ["too many samples", "bytes in memory", "timed out", "larger than", "more than"]
        .iter()
        .any(|words| error.contains(words))
}

/// What it came to.
#[derive(Default)]
struct Totals {
    fired: usize,
    pending: usize,
    recorded: usize,
}

impl Totals {
    fn take(&mut self, alert: &ReplayedAlert) {
        let Some(fired_ms) = alert.fired_ms else {
            self.pending += 1;
            return;
        };
        self.fired += 1;
        let until = match alert.ended_ms {
            Some(ended_ms) => format!("for {}", moment::length(ended_ms - fired_ms)),
            None => "still at the end".to_owned(),
        };
        println!("  {} {} fired {} {until}", alert.name, shown(&alert.labels), moment::shown(fired_ms));
        for (name, text) in &alert.annotations {
            println!("    {name}: {}", text.replace('\n', " "));
        }
    }

    fn say(&self) {
        println!("Alerts that fired: {}; that were pending and did not fire: {}", self.fired, self.pending);
        if self.recorded > 0 {
            println!("Recording rules: {}", self.recorded);
        }
    }
}
