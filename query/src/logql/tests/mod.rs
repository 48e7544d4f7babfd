//! Scripts of text: lines, queries over them, and what they answer. Each element of the language has one.
//!
//! `stream {app="cart"}` and `meta a="b"` say what the lines below belong to, `12 | text` is a line at second 12, `clear` begins anew.
//! `log QUERY` is followed by entries (oldest first), `instant T QUERY` and `range START END STEP QUERY` by series, `fail QUERY` by a
//! part of the message, `format QUERY` by the query as it is printed; each up to an empty line.

mod bounds;

use std::{
    fmt::Write,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    LogqlError,
    ast::Expr,
    engine::{
        Bounds, Direction, Evaluated, Limits, LineRoom, Lines, LogQuery, MetricQuery, Parts, Progress, Selection,
        Series, entries, evaluate,
    },
    labels::{StreamLabels, write_labels},
    parse, parse_log,
    pipeline::Record,
    pretty,
};

type Pairs = Vec<(String, String)>;

/// Lines in memory, in parts of a few.
#[derive(Default)]
pub(super) struct Held(pub(super) Vec<(u64, String, Arc<StreamLabels>, Pairs)>);

/// Time, text, labels, metadata.
type HeldLine = (u64, String, Arc<StreamLabels>, Pairs);

struct HeldParts<'a>(Vec<&'a [HeldLine]>);

impl Lines for Held {
    fn parts<'a>(&'a self, selection: &Selection<'_>) -> Result<Box<dyn Parts + 'a>, LogqlError> {
        for needle in &selection.needles.all {
            assert!(!needle.contains('\0'));
        }
        Ok(Box::new(HeldParts(self.0.chunks(3).collect())))
    }
}

impl Parts for HeldParts<'_> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn time_ns(&self, part: usize) -> (u64, u64) {
        let times = || self.0[part].iter().map(|(time_ns, ..)| *time_ns);
        (times().min().unwrap_or(0), times().max().unwrap_or(0))
    }

    fn read(
        &self,
        part: usize,
        bounds: &Bounds<'_>,
        each: &mut dyn FnMut(&Record<'_>) -> Result<(), LogqlError>,
    ) -> Result<(), LogqlError> {
        for (number, (time_ns, text, stream, metadata)) in (0..).zip(self.0[part]) {
            if *time_ns < bounds.time_min_ns {
                continue;
            }
            let time_ns = *time_ns;
            each(&Record { time_ns, number, text, stream, beside: metadata, fields: None, class: None })?;
        }
        Ok(())
    }

    fn is_partial(&self) -> bool {
        false
    }
}

pub(super) fn limits() -> Limits {
    Limits {
        series_max: 1000,
        steps_max: 11_000,
        samples_max: 100_000,
        threads: 2,
        now_ns: 1_000_000_000_000,
        deadline: Instant::now() + Duration::from_secs(60),
        room: LineRoom::default(),
    }
}

pub(super) fn pairs(selector: &str) -> Pairs {
    let log = parse_log(selector).unwrap_or_else(|error| panic!("{selector}: {error}"));
    log.matchers.into_iter().map(|matcher| (matcher.name, matcher.value)).collect()
}

fn run_log(held: &Held, query: &str) -> Result<String, LogqlError> {
    let Expr::Log(log) = parse(query)? else { panic!("{query} gives no lines") };
    let mut answers = Vec::new();
    for direction in [Direction::Forward, Direction::Backward] {
        let query = LogQuery { log: &log, start_ns: 0, end_ns: u64::MAX, direction, limit: 100 };
        let mut found = entries(&query, held, &limits(), &Progress::default())?.entries;
        if direction == Direction::Backward {
            found.reverse();
        }
        let mut out = String::new();
        for entry in found {
            let mut labels: Vec<(&str, &str)> = entry.stream.iter().collect();
            labels.extend(entry.metadata.iter().chain(&entry.parsed).map(|(name, value)| (&**name, &**value)));
            labels.sort_unstable();
            write!(out, "{} ", entry.time_ns / 1_000_000_000).expect("a String");
            write_labels(&mut out, labels.into_iter()).expect("a String");
            writeln!(out, " {}", entry.text.replace('\n', "⏎")).expect("a String");
        }
        answers.push(out);
    }
    assert_eq!(answers[0], answers[1], "both directions of {query}");
    Ok(answers.swap_remove(0))
}

fn run_metric(held: &Held, query: &str, at: (f64, f64, f64)) -> Result<String, LogqlError> {
    let Expr::Metric(metric) = parse(query)? else { panic!("{query} gives no numbers") };
    let ns = |seconds: f64| (seconds * 1e9) as i64;
    let asked = MetricQuery { metric: &metric, start_ns: ns(at.0), end_ns: ns(at.1), step_ns: ns(at.2) };
    let mut out = String::new();
    match evaluate(&asked, held, &limits(), &Progress::default())? {
        Evaluated::Number(value) => writeln!(out, "{value}").expect("a String"),
        Evaluated::Series(series) => {
            for Series { labels, points } in series {
                write_labels(&mut out, labels.iter().map(|(name, value)| (&**name, &**value))).expect("a String");
                for (number, value) in points {
                    let value = (value * 1e6).round() / 1e6;
                    match at.2 {
                        0.0 => write!(out, " {value}").expect("a String"),
                        step => write!(out, " {}:{value}", at.0 + step * f64::from(number)).expect("a String"),
                    }
                }
                out.push('\n');
            }
        }
    }
    Ok(out)
}

fn run_script(name: &str, script: &str, failures: &mut Vec<String>) -> usize {
    let mut held = Held::default();
    let mut stream = Arc::new(StreamLabels::default());
    let mut metadata = Pairs::new();
    let mut lines = script.lines().enumerate().peekable();
    let mut count = 0;
    while let Some((number, line)) = lines.next() {
        let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
        let mut expected = || {
            let mut out = String::new();
            while let Some((_, line)) = lines.next_if(|(_, line)| !line.is_empty()) {
                out.push_str(line);
                out.push('\n');
            }
            out
        };
        let place = format!("{name}:{}: {line}", number + 1);
        let found = match command {
            "" | "#" => continue,
            "clear" => {
                held.0.clear();
                continue;
            }
            "stream" => {
                stream = Arc::new(StreamLabels::new(pairs(rest)));
                metadata.clear();
                continue;
            }
            "meta" => {
                metadata = if rest.is_empty() { Pairs::new() } else { pairs(&format!("{{{rest}}}")) };
                continue;
            }
            "log" => run_log(&held, rest),
            "instant" => {
                let (at, query) = rest.split_once(' ').expect("a time and a query");
                let at: f64 = at.parse().expect("a time");
                run_metric(&held, query, (at, at, 0.0))
            }
            "range" => {
                let mut words = rest.splitn(4, ' ');
                let mut time = || words.next().and_then(|word| word.parse::<f64>().ok()).expect("a time");
                let at = (time(), time(), time());
                run_metric(&held, words.next().expect("a query"), at)
            }
            "format" => parse(rest).map(|expr| {
                let text = pretty(&expr);
                assert_eq!(parse(&text).as_ref(), Ok(&expr), "{place}: what is printed is read again");
                format!("{text}\n")
            }),
            "fail" => {
                let failed = match parse(rest) {
                    Err(error) => Err(error),
                    Ok(Expr::Log(_)) => run_log(&held, rest),
                    Ok(Expr::Metric(_)) => run_metric(&held, rest, (100.0, 100.0, 0.0)),
                };
                let said = failed.map_or_else(|error| error.to_string(), |answer| format!("answered: {answer}"));
                let expected = expected();
                if !said.contains(expected.trim_end()) {
                    failures.push(format!("{place}\n{said}"));
                }
                count += 1;
                continue;
            }
            time => {
                let time: f64 = time.parse().unwrap_or_else(|_| panic!("{place}: no command"));
                let text = rest.strip_prefix("| ").unwrap_or_else(|| panic!("{place}: no line"));
                held.0.push(((time * 1e9) as u64, text.to_owned(), Arc::clone(&stream), metadata.clone()));
                continue;
            }
        };
        let found = found.unwrap_or_else(|error| format!("{error}\n"));
        let expected = expected();
        if found != expected {
            failures.push(format!("{place}\n{found}instead of\n{expected}"));
        }
        count += 1;
    }
    count
}

#[test]
fn scripts() {
    let mut count = 0;
    let mut failures = Vec::new();
    for (name, script) in [
        ("filters.txt", include_str!("filters.txt")),
        ("parsers.txt", include_str!("parsers.txt")),
        ("formats.txt", include_str!("formats.txt")),
        ("ranges.txt", include_str!("ranges.txt")),
        ("vectors.txt", include_str!("vectors.txt")),
        ("grammar.txt", include_str!("grammar.txt")),
    ] {
        count += run_script(name, script, &mut failures);
    }
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
    assert!(count > 150, "{count} cases");
}
