//! Compares docs/configuration.md with the configuration: every key has its row, every default in a row is the default.

use super::Config;

/// The page.
const PAGE: &str = include_str!("../../docs/configuration.md");

/// The page about sampling, of which the policies' tables are compared.
const SAMPLING_PAGE: &str = include_str!("../../docs/sampling.md");

/// What no configuration has: provokes the list of known keys.
const UNKNOWN_KEY: &str = "no_such_key";

/// A row of the page's tables.
struct Row {
    key: String,
    default: Option<String>,
}

/// `storage.journal` and the rows below that heading.
fn sections() -> Vec<(String, Vec<Row>)> {
    tables(PAGE, "## ")
}

/// Headings that begin so, and the rows below them.
fn tables(page: &str, level: &str) -> Vec<(String, Vec<Row>)> {
    let mut sections: Vec<(String, Vec<Row>)> = Vec::new();
    for line in page.lines() {
        if let Some(heading) = line.strip_prefix(level) {
            let path = if heading == "Top level" { "" } else { heading.trim_matches('`') };
            sections.push((path.to_owned(), Vec::new()));
        }
        let Some(row) = line.strip_prefix("| `") else { continue };
        let mut cells = row.split(" | ");
        let key = cells.next().expect("a first cell").trim_matches('`').to_owned();
        let default = cells.next().expect("a second cell");
        let default = (default != "–").then(|| default.trim_matches('`').to_owned());
        sections.last_mut().expect("a heading before the table").1.push(Row { key, default });
    }
    sections
}

/// `a.b` and `c: d` become `{a: {b: {c: d}}}`.
fn nested(path: &str, inner: &str) -> String {
    let mut text = format!("{{{inner}}}");
    for part in path.rsplit('.').filter(|part| !part.is_empty()) {
        text = format!("{{{part}: {text}}}");
    }
    text
}

/// What a section cannot be without.
fn required(path: &str) -> &'static str {
    match path {
        "processors.tail_sampling" => "policies: [{name: all, type: always_sample}]",
        "receivers.syslog" => "udp: {listen_address: '127.0.0.1:514'}",
        "receivers.filelog" => "include: [/x]",
        "receivers.synthetic.modules.NAME" => "prober: http",
        "processors.probabilistic_sampler" => "sampling_percentage: 1",
        _ => "",
    }
}

/// As [`nested`], with what each section on the way cannot be without.
fn complete(path: &str, inner: &str) -> String {
    let text = nested(path, inner);
    match path {
        "processors.tail_sampling.decision_cache" => {
            text.replacen("{decision_cache", &format!("{{{}, decision_cache", required("processors.tail_sampling")), 1)
        }
        "receivers.syslog.line_limits" => {
            text.replacen("{line_limits", &format!("{{{}, line_limits", required("receivers.syslog")), 1)
        }
        _ if path.starts_with("receivers.synthetic.modules.NAME.") => {
            text.replacen("{NAME: {", "{NAME: {prober: http, ", 1)
        }
        _ if required(path).is_empty() => text,
        _ => nested(path, &format!("{}, {inner}", required(path))),
    }
}

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(text, "f", |_| None).map_err(|error| error.to_string())
}

#[test]
fn every_key_has_its_row() {
    let sections = sections();
    for (path, rows) in &sections {
        let error = parse(&nested(path, &format!("{UNKNOWN_KEY}: 1"))).expect_err("an unknown key");
        let (_, known) = error.split_once("Known here: ").unwrap_or_else(|| panic!("{path}: {error}"));
        let known = known.lines().next().unwrap_or_default();
        let rows: Vec<&str> = rows.iter().map(|row| row.key.as_str()).collect();
        assert_eq!(rows, known.split(", ").collect::<Vec<_>>(), "docs/configuration.md, {path}");
    }
    // A key with keys of its own must have a section: an unknown key inside it is refused with a list.
    for (path, rows) in &sections {
        for row in rows.iter().filter(|row| row.default.as_deref() == Some("{}")) {
            let section = if path.is_empty() { row.key.clone() } else { format!("{path}.{}", row.key) };
            let text = nested(&section, &format!("{UNKNOWN_KEY}: 1"));
            let has_keys = parse(&text).is_err_and(|error| error.contains("Known here: "));
            assert!(!has_keys || sections.iter().any(|(other, _)| *other == section), "{section} has no section");
        }
    }
}

#[test]
fn every_default_is_the_default() {
    let mut checked = 0;
    for (path, rows) in sections() {
        for Row { key, default } in rows {
            let Some(default) = default else { continue };
            // Without the key: naming one protocol, or a pipeline, means something by itself.
            let without = parse(&complete(&path, "")).unwrap_or_else(|error| panic!("{path}: {error}"));
            let text = complete(&path, &format!("{key}: '{default}'"));
            let text = if default.starts_with(['{', '[']) { text.replace('\'', "") } else { text };
            let with = parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
            let same = without.differences(&with).is_empty();
            assert!(same, "docs/configuration.md: the default of {path}.{key} is not {default}");
            checked += 1;
        }
    }
    assert!(checked > 20, "only {checked} defaults found in docs/configuration.md");
}

#[test]
fn every_policy_has_its_section() {
    let policy = |kind: &str, inner: &str| {
        parse(&format!("processors: {{tail_sampling: {{policies: [{{name: p, type: {kind}{inner}}}]}}}}"))
    };
    let error = policy(UNKNOWN_KEY, "").expect_err("an unknown type");
    let (_, types) = error.split_once("Known here: ").unwrap_or_else(|| panic!("{error}"));
    let sections = tables(SAMPLING_PAGE, "### ");
    let headings: Vec<&str> = sections.iter().map(|(heading, _)| heading.as_str()).collect();
    let mut types: Vec<&str> = types.split(", ").collect();
    types.sort_unstable();
    let mut sorted = headings.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, types, "docs/sampling.md");
    for (kind, rows) in &sections {
        let error = policy(kind, &format!(", {kind}: {{{UNKNOWN_KEY}: 1}}")).expect_err("an unknown key");
        let known = error.split_once("Known here: ").map_or(Vec::new(), |(_, known)| known.split(", ").collect());
        let rows: Vec<&str> = rows.iter().map(|row| row.key.as_str()).collect();
        assert_eq!(rows, known, "docs/sampling.md, {kind}: {error}");
    }
}
