//! Reads a file of unit tests, everything that is wrong said at once.

use std::time::Duration;

use weir_proto::yaml::{self, Entry, Node, Position, Value};

use super::{AlertTest, ExpectedAlert, ExpectedSample, ExprTest, RuleResult, TestFile, TestGroup};
use crate::{
    alerting::{
        replay::moment_ms,
        rules::{Findings, RuleProblem},
    },
    promql::script::{Described, described},
};

const FILE_KEYS: &[&str] = &["rule_files", "evaluation_interval", "group_eval_order", "tests", "fuzzy_compare"];
const TEST_KEYS: &[&str] = &[
    "name",
    "interval",
    "input_series",
    "input_results",
    "alert_rule_test",
    "promql_expr_test",
    "external_labels",
    "external_url",
    "start_timestamp",
];
const SERIES_KEYS: &[&str] = &["series", "values"];
const RESULT_KEYS: &[&str] = &["rule", "series"];
const ALERT_TEST_KEYS: &[&str] = &["eval_time", "alertname", "exp_alerts"];
const ALERT_KEYS: &[&str] = &["exp_labels", "exp_annotations"];
const EXPR_TEST_KEYS: &[&str] = &["expr", "eval_time", "exp_samples"];
const SAMPLE_KEYS: &[&str] = &["labels", "value", "histogram"];

/// Rules are evaluated as often when a file does not say how often.
const INTERVAL: Duration = Duration::from_secs(60);

/// Samples that one test may describe.
const SAMPLES_MAX: usize = 10_000_000;

/// Reads the text of a file that is called `path`.
///
/// # Errors
///
/// Everything that is wrong, in the order of the file.
pub fn read(path: &str, text: &str) -> Result<TestFile, Vec<RuleProblem>> {
    let mut findings = Findings::new(path);
    let mut problems = Vec::new();
    let root = yaml::parse_plain(text, &mut problems);
    for problem in problems {
        findings.say(problem.at, problem.message);
    }
    let mut file = TestFile {
        path: path.to_owned(),
        rule_files: Vec::new(),
        evaluation_interval: INTERVAL,
        group_eval_order: Vec::new(),
        fuzzy_compare: false,
        tests: Vec::new(),
    };
    if let Some(root) = root {
        read_file(&root, &mut file, &mut findings);
    }
    if findings.problems.is_empty() { Ok(file) } else { Err(findings.problems) }
}

fn read_file(root: &Node, file: &mut TestFile, findings: &mut Findings<'_>) {
    let mut tests = None;
    for entry in findings.entries(root, "rule_files and tests", FILE_KEYS) {
        match entry.key.as_str() {
            "rule_files" => file.rule_files = texts(entry, findings),
            "group_eval_order" => file.group_eval_order = texts(entry, findings),
            "evaluation_interval" => {
                let interval = findings.duration(entry).filter(|interval| !interval.is_zero());
                file.evaluation_interval = interval.unwrap_or(INTERVAL);
            }
            "fuzzy_compare" => match findings.text(entry).as_str() {
                "true" | "True" | "TRUE" => file.fuzzy_compare = true,
                "false" | "False" | "FALSE" | "" => {}
                _ => findings.say(entry.node.at, "fuzzy_compare: expected true or false"),
            },
            "tests" => tests = Some(entry),
            _ => {}
        }
    }
    for (number, name) in file.group_eval_order.iter().enumerate() {
        if file.group_eval_order[..number].contains(name) {
            findings.say(root.at, format!("group name repeated in evaluation order: {name}"));
        }
    }
    let Some(tests) = tests else { return };
    for node in findings.items(&tests.node, "tests") {
        let test = read_test(node, file.evaluation_interval, findings);
        file.tests.push(test);
    }
}

fn texts(entry: &Entry, findings: &mut Findings<'_>) -> Vec<String> {
    let items = findings.items(&entry.node, &entry.key);
    let entry = |node: &Node| Entry { key: entry.key.clone(), at: node.at, node: node.clone() };
    items.iter().map(|node| findings.text(&entry(node))).collect()
}

fn read_test(node: &Node, interval: Duration, findings: &mut Findings<'_>) -> TestGroup {
    let mut test = TestGroup {
        name: String::new(),
        interval,
        input: Ok(Vec::new()),
        results: Vec::new(),
        alerts: Vec::new(),
        expressions: Vec::new(),
        external_labels: Vec::new(),
        external_url: String::new(),
        start_ms: 0,
    };
    for entry in findings.entries(node, "a test", TEST_KEYS) {
        match entry.key.as_str() {
            "name" => test.name = findings.text(entry),
            "interval" => {
                let given = findings.duration(entry).filter(|given| !given.is_zero());
                test.interval = given.unwrap_or(interval);
            }
            "input_series" => test.input = all_series(entry, findings),
            "input_results" => test.results = results(entry, findings),
            "alert_rule_test" => {
                let items = findings.items(&entry.node, "tests of alerts");
                test.alerts = items.iter().map(|node| alert_test(node, findings)).collect();
            }
            "promql_expr_test" => {
                let items = findings.items(&entry.node, "tests of expressions");
                test.expressions = items.iter().map(|node| expr_test(node, findings)).collect();
            }
            "external_labels" => test.external_labels = pairs(entry, findings),
            "external_url" => test.external_url = findings.text(entry),
            "start_timestamp" => test.start_ms = time_ms(entry, findings),
            _ => {}
        }
    }
    test
}

fn pairs(entry: &Entry, findings: &mut Findings<'_>) -> Vec<(String, String)> {
    findings.pairs(entry).into_iter().map(|(name, text, _)| (name, text)).collect()
}

/// Series that cannot be read fail their test, not the file.
fn all_series(entry: &Entry, findings: &mut Findings<'_>) -> Result<Vec<Described>, String> {
    let mut all = Vec::new();
    let mut samples = 0_usize;
    for node in findings.items(&entry.node, "series") {
        let (mut series, mut values) = (String::new(), String::new());
        for entry in findings.entries(node, "series and values", SERIES_KEYS) {
            match entry.key.as_str() {
                "series" => series = findings.text(entry),
                "values" => values = findings.text(entry),
                _ => {}
            }
        }
        let one = described(&format!("{} {values}", series.trim()))?;
        samples = samples.saturating_add(one.values.len());
        if samples > SAMPLES_MAX {
            return Err(format!("more than {SAMPLES_MAX} samples"));
        }
        all.push(one);
    }
    Ok(all)
}

fn results(entry: &Entry, findings: &mut Findings<'_>) -> Vec<RuleResult> {
    let mut results = Vec::new();
    for node in findings.items(&entry.node, "results of rules") {
        let mut result = RuleResult { rule: String::new(), series: Vec::new(), at: node.at };
        for entry in findings.entries(node, "a rule and its series", RESULT_KEYS) {
            match entry.key.as_str() {
                "rule" => result.rule = findings.text(entry),
                "series" => match all_series(entry, findings) {
                    Ok(series) => result.series = series,
                    Err(words) => findings.say(entry.node.at, words),
                },
                _ => {}
            }
        }
        results.push(result);
    }
    results
}

fn ms(entry: &Entry, findings: &mut Findings<'_>) -> i64 {
    findings.duration(entry).map_or(0, |time| i64::try_from(time.as_millis()).unwrap_or(i64::MAX))
}

fn alert_test(node: &Node, findings: &mut Findings<'_>) -> AlertTest {
    let mut test = AlertTest { eval_time_ms: 0, name: String::new(), expected: Vec::new() };
    for entry in findings.entries(node, "a test of an alert", ALERT_TEST_KEYS) {
        match entry.key.as_str() {
            "eval_time" => test.eval_time_ms = ms(entry, findings),
            "alertname" => test.name = findings.text(entry),
            "exp_alerts" => {
                for node in findings.items(&entry.node, "alerts") {
                    let mut alert = ExpectedAlert { labels: Vec::new(), annotations: Vec::new() };
                    for entry in findings.entries(node, "an alert", ALERT_KEYS) {
                        match entry.key.as_str() {
                            "exp_labels" => alert.labels = pairs(entry, findings),
                            "exp_annotations" => alert.annotations = pairs(entry, findings),
                            _ => {}
                        }
                    }
                    test.expected.push(alert);
                }
            }
            _ => {}
        }
    }
    test
}

fn expr_test(node: &Node, findings: &mut Findings<'_>) -> ExprTest {
    let mut test = ExprTest { expr: String::new(), eval_time_ms: 0, expected: Vec::new() };
    for entry in findings.entries(node, "a test of an expression", EXPR_TEST_KEYS) {
        match entry.key.as_str() {
            "expr" => test.expr = findings.text(entry),
            "eval_time" => test.eval_time_ms = ms(entry, findings),
            "exp_samples" => {
                for node in findings.items(&entry.node, "samples") {
                    let mut sample = ExpectedSample { labels: String::new(), value: 0.0, histogram: String::new() };
                    for entry in findings.entries(node, "a sample", SAMPLE_KEYS) {
                        match entry.key.as_str() {
                            "labels" => sample.labels = findings.text(entry),
                            "histogram" => sample.histogram = findings.text(entry),
                            "value" => sample.value = number(entry, findings),
                            _ => {}
                        }
                    }
                    test.expected.push(sample);
                }
            }
            _ => {}
        }
    }
    test
}

/// As YAML writes it.
fn number(entry: &Entry, findings: &mut Findings<'_>) -> f64 {
    let number = match &entry.node.value {
        Value::Null => Some(0.0),
        Value::Scalar { text, is_plain: true } => yaml_number(text),
        _ => None,
    };
    number.unwrap_or_else(|| {
        let text = findings.text(entry);
        findings.say(entry.node.at, format!("value: expected a number, not `{text}`"));
        0.0
    })
}

/// A number as go-yaml knows them: `1_000`, `1e3`, `.5`, `0x1f`, `.inf`, `.NaN`.
fn yaml_number(text: &str) -> Option<f64> {
    let (sign, size) = match text.strip_prefix('-') {
        Some(size) => (-1.0, size),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    match size {
        ".inf" | ".Inf" | ".INF" => return Some(sign * f64::INFINITY),
        ".nan" | ".NaN" | ".NAN" if size == text => return Some(f64::NAN),
        _ => {}
    }
    let digits = size.replace('_', "");
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = digits.strip_prefix(prefix) {
            return u64::from_str_radix(digits, radix).ok().map(|number| sign * number as f64);
        }
    }
    let is_decimal = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-'));
    is_decimal.then(|| digits.parse::<f64>().ok().map(|number| sign * number))?
}

/// Unix seconds, or a time of RFC 3339.
fn time_ms(entry: &Entry, findings: &mut Findings<'_>) -> i64 {
    let text = findings.text(entry);
    let of_seconds = text.parse::<f64>().ok().filter(|seconds| seconds.is_finite());
    let found = of_seconds.map(|seconds| (seconds * 1e3).round() as i64).or_else(|| moment_ms(&text));
    found.unwrap_or_else(|| {
        findings.say(entry.node.at, format!("cannot parse {text:?} to a valid timestamp"));
        0
    })
}

impl RuleResult {
    /// Where it stands.
    pub(super) fn at(&self) -> Position {
        self.at
    }
}

#[cfg(test)]
mod tests {
    use super::yaml_number;

    #[test]
    fn numbers_are_those_of_yaml() {
        for (text, expected) in [
            ("1", Some(1.0)),
            ("-1_000.5", Some(-1000.5)),
            (".5e1", Some(5.0)),
            ("0x1F", Some(31.0)),
            ("-.inf", Some(f64::NEG_INFINITY)),
            ("NaN", None),
            ("Inf", None),
            ("1m", None),
            ("", None),
        ] {
            assert_eq!(yaml_number(text), expected, "{text}");
        }
        assert!(yaml_number(".NaN").is_some_and(f64::is_nan));
    }
}
