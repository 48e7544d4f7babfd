//! Tail sampling of traffic whose truth is known: all that must be kept is there, whole and once, and counts are as near as they say.

use std::path::Path;

use weir_benches::truth::Trial;

#[tokio::test]
async fn what_must_be_kept_is_and_counts_are_as_near_as_they_say() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let trial = Trial { seed: 41, traces: 20_000, rate: 10_000.0, decision_wait_ms: 1_500 };
    let verdict = trial.run(Path::new(env!("CARGO_BIN_EXE_weir")), folder.path()).await.expect("runs");
    assert!(verdict.broken.is_empty(), "{:#?}", verdict.broken);
    // The budget is for a second: a machine that takes twice as long to send may keep twice as many.
    let late = (verdict.sent.elapsed.as_secs_f64() * trial.rate / trial.traces as f64).max(1.0);
    assert!((verdict.findings.kept_traces as f64) < 4_000.0 * late, "{} kept", verdict.findings.kept_traces);
}
