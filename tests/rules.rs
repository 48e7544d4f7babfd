//! `weir rules` through the built binary, and what is shipped in configs/alerts.

use std::{
    collections::BTreeSet,
    path::Path,
    process::{Command, Output},
};

fn weir(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(args)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_remove("RUST_LOG")
        .output()
        .expect("the binary starts")
}

fn both(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn page(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn shipped_rules_are_good() {
    let output = weir(&["rules", "check", "--lint", "all", "--lint-fatal", "configs/alerts/*.yml"]);
    assert_eq!(output.status.code(), Some(0), "{}", both(&output));
    assert!(!both(&output).contains("WARNING"), "{}", both(&output));
    let output = weir(&["rules", "test", "configs/alerts/tests/*.yml"]);
    assert_eq!(output.status.code(), Some(0), "{}", both(&output));
    assert_eq!(both(&output).matches("SUCCESS").count(), 4, "{}", both(&output));
}

#[test]
fn each_shipped_alert_has_its_test_and_its_runbook() {
    let runbooks = page("docs/runbooks.md");
    let mut alerts = BTreeSet::new();
    for file in ["probes", "services", "targets", "weir"] {
        let (rules, tests) =
            (page(&format!("configs/alerts/{file}.yml")), page(&format!("configs/alerts/tests/{file}.yml")));
        for line in rules.lines() {
            let Some(alert) = line.trim().strip_prefix("- alert: ") else { continue };
            assert!(runbooks.contains(&format!("\n### {alert}\n")), "{alert} is not in docs/runbooks.md");
            assert!(
                rules.contains(&format!("runbooks.md#{}\n", alert.to_lowercase())),
                "{alert} does not name its runbook"
            );
            assert!(tests.contains(alert), "{alert} has no test");
            alerts.insert(alert.to_owned());
        }
    }
    assert!(alerts.len() > 15, "{alerts:?}");
}

/// A folder with files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).expect("written");
    }
    folder
}

fn within(folder: &tempfile::TempDir, name: &str) -> String {
    folder.path().join(name).to_str().expect("UTF-8").to_owned()
}

#[test]
fn mistakes_are_said_and_counted() {
    let files = folder(&[
        ("bad.yml", "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: sum(\n    fro: 5m\n"),
        ("twice.yml", "groups: [{name: g, rules: [{record: a, expr: b}, {record: a, expr: b}]}]"),
    ]);
    let (bad, twice) = (within(&files, "bad.yml"), within(&files, "twice.yml"));
    let output = weir(&["rules", "check", &bad]);
    assert_eq!(output.status.code(), Some(1));
    let said = both(&output);
    assert!(
        said.contains("bad.yml:5:11: group \"g\", rule 1, \"A\": could not parse expression: 1:5: parse error"),
        "{said}"
    );
    assert!(said.contains("bad.yml:6:5: unknown key `fro`; did you mean `for`?"), "{said}");
    let output = weir(&["rules", "check", &twice]);
    assert_eq!(output.status.code(), Some(0));
    assert!(both(&output).contains("1 duplicate rule(s) found"), "{}", both(&output));
    assert_eq!(weir(&["rules", "check", "--lint-fatal", &twice]).status.code(), Some(3));
    assert_eq!(weir(&["rules", "check", "--lint", "none", "--lint-fatal", &twice]).status.code(), Some(0));
    assert_eq!(weir(&["rules", "check", &within(&files, "none-*.yml")]).status.code(), Some(1));
    assert_eq!(weir(&["rules", "check", &within(&files, "none.yml")]).status.code(), Some(1));
    assert_eq!(weir(&["rules", "test"]).status.code(), Some(2));
}

#[test]
fn tests_fail_in_promtools_words() {
    let files = folder(&[
        ("rules.yml", "groups: [{name: g, rules: [{alert: A, expr: 'up == 0', for: 1m}]}]"),
        (
            "tests.yml",
            "rule_files: ['r*.yml']\ntests:\n- name: one\n  interval: 1m\n  input_series: [{series: up, values: 0x5}]\n  \
             alert_rule_test: [{eval_time: 2m, alertname: A}]\n- name: two\n",
        ),
    ]);
    let tests = within(&files, "tests.yml");
    let output = weir(&["rules", "test", &tests]);
    assert_eq!(output.status.code(), Some(1));
    let expected = "  FAILED:\n    name: one,\n    alertname: A, time: 2m, \n        exp:[], \n        got:[\n            0:\n              \
                    Labels:{alertname=\"A\"}\n              Annotations:{}\n            ]\n";
    assert_eq!(String::from_utf8_lossy(&output.stderr), expected);
    assert_eq!(weir(&["rules", "test", "--run", "two", &tests]).status.code(), Some(0));
    let report = within(&files, "report.xml");
    assert_eq!(weir(&["rules", "test", "--diff", "--junit", &report, &tests]).status.code(), Some(1));
    let report = std::fs::read_to_string(report).expect("written");
    assert!(report.contains("tests=\"2\" failures=\"1\"") && report.contains("+ Labels"), "{report}");
}

/// Prometheus' own files, where they lie beside the project.
#[test]
fn verdicts_are_promtools() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora/promtool");
    if !corpora.is_dir() {
        println!("{} is not there: promtool's own files are not tried", corpora.display());
        return;
    }
    for (command, file, code) in [
        ("check", "rules.yml", 0),
        ("check", "rules_duplicates.yml", 0),
        ("check", "bad-rules-error.yml", 0),
        ("check", "unittest.yml", 1),
        ("test", "unittest.yml", 0),
        ("test", "long-period.yml", 0),
        ("test", "failing.yml", 1),
        ("test", "bad-input-series.yml", 1),
        ("test", "rules.yml", 1),
    ] {
        let output = weir(&["rules", command, corpora.join(file).to_str().expect("UTF-8")]);
        assert_eq!(output.status.code(), Some(code), "{command} {file}: {}", both(&output));
    }
}
