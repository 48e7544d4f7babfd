//! Templates before and after.

use super::*;

struct Line {
    labels: Vec<(&'static str, &'static str)>,
    text: &'static str,
}

impl Scope for Line {
    fn label(&mut self, name: &str) -> Option<String> {
        self.labels.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    fn labels(&mut self) -> Vec<(String, String)> {
        self.labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn line(&self) -> &str {
        self.text
    }

    fn time_ns(&self) -> i64 {
        1_700_000_000_123_456_789
    }

    fn now_ns(&self) -> i64 {
        1_700_000_100_000_000_000
    }
}

fn written(template: &str) -> String {
    let mut line = Line {
        labels: vec![
            ("app", "cart"),
            ("ms", "12"),
            ("path", "/a/b c"),
            ("took", "1m30s"),
            ("list", r#"[{"q":"one"},{"q":"two"}]"#),
            ("from", "1679577215"),
        ],
        text: "the LINE",
    };
    let mut out = String::new();
    match Template::read(template).and_then(|template| template.write(&mut line, &mut out)) {
        Ok(()) => out,
        Err(error) => format!("! {error}"),
    }
}

/// Two lines for each: the template, and what it writes.
#[test]
fn templates_write_what_is_documented() {
    let script = include_str!("../tests/templates.txt");
    let mut lines = script.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let mut count = 0;
    while let (Some(template), Some(expected)) = (lines.next(), lines.next()) {
        let expected = expected.strip_prefix("=> ").unwrap_or_else(|| panic!("no => below {template}"));
        assert_eq!(written(template).replace('\n', "⏎"), expected, "{template}");
        count += 1;
    }
    assert!(count > 50, "{count}");
}

#[test]
fn what_would_grow_is_refused() {
    assert!(written(r#"{{ repeat 100000000 "x" }}"#).starts_with("! "));
    let many = format!("{}x{}", "{{if .app}}".repeat(1000), "{{end}}".repeat(1000));
    assert!(written(&many).starts_with("! invalid template"));
    assert!(written(r#"{{define "a"}}{{template "a" .}}{{end}}{{template "a" .}}"#).starts_with("! exceeded maximum"));
    assert!(written("{{ range 90000 }}{{ range 90000 }}x{{end}}{{end}}").starts_with("! "));
}
