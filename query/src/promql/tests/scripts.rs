//! Scripts of the test language: ours beside this file, Prometheus' where they lie beside the repository.

use std::path::PathBuf;

use crate::promql::script;

const OURS: &[(&str, &str, usize)] = &[
    ("choose", include_str!("choose.test"), 13),
    ("durations", include_str!("durations.test"), 18),
    ("extended", include_str!("extended.test"), 27),
    ("fill", include_str!("fill.test"), 13),
    ("functions", include_str!("functions.test"), 63),
    ("info", include_str!("info.test"), 10),
    ("names", include_str!("names.test"), 10),
    ("places", include_str!("places.test"), 16),
    ("starts", include_str!("starts.test"), 7),
    ("trigonometry", include_str!("trigonometry.test"), 15),
];

#[test]
fn ours_give_what_they_expect() {
    for (name, text, count) in OURS {
        let report = script::run(text);
        assert!(report.failures.is_empty(), "{name}: {:#?}", report.failures);
        assert_eq!(report.passed, *count, "{name}");
    }
}

#[test]
fn what_is_not_so_fails() {
    const LOAD: &str = "load 1m\n  up{job=\"a\"} 1 2 3\n\n";
    let wrong = [
        "eval instant at 1m up\n  up{job=\"a\"} 3",
        "eval instant at 1m up\n  up{job=\"b\"} 2",
        "eval instant at 1m up\n  {job=\"a\"} 2",
        "eval instant at 1m up",
        "eval instant at 1m up\n  up{job=\"a\"} 2\n  up{job=\"c\"} 2",
        "eval instant at 1m up\n  expect fail",
        "eval instant at 1m up{\n  up{job=\"a\"} 2",
        "eval instant at 1m up{\n  expect fail msg: other words",
        "eval instant at 1m up\n  expect warn\n  up{job=\"a\"} 2",
        "eval instant at 1m rate(up[2m])\n  expect no_info\n  {job=\"a\"} 0.016666666666666666",
        "eval instant at 1m 1\n  2",
        "eval instant at 1m \"a\"\n  expect string \"b\"",
        "eval range from 0 to 2m step 1m up\n  up{job=\"a\"} 1 2 4",
        "eval range from 0 to 2m step 1m up\n  up{job=\"a\"} 1 2",
        "eval range from 0 to 3m step 1m up\n  up{job=\"a\"} 1 2 3 _",
        "evil instant at 1m up",
    ];
    for eval in wrong {
        let report = script::run(&(LOAD.to_owned() + eval));
        assert_eq!((report.passed, report.failures.len()), (0, 1), "{eval}");
        assert!(report.failures[0].line >= 4, "{eval}");
    }
    let right = script::run(&(LOAD.to_owned() + "eval instant at 1m up\n  up{job=\"a\"} 2"));
    assert_eq!((right.passed, right.failures.len()), (1, 0));
}

/// How many evaluations Prometheus' scripts hold, all of which give what they expect.
const THEIRS: usize = 1715;

#[test]
fn theirs_give_what_they_expect() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpora/promqltest");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("not run with Prometheus' scripts: there is no {}", folder.display());
        return;
    };
    let mut passed = 0;
    for entry in entries {
        let path = entry.expect("a readable folder").path();
        let report = script::run(&std::fs::read_to_string(&path).expect("a script"));
        assert!(report.failures.is_empty(), "{}: {:#?}", path.display(), report.failures);
        passed += report.passed;
    }
    assert!(passed >= THEIRS, "{passed} evaluations");
}
