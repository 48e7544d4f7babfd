//! Tail sampling against traffic whose truth is known: what must be kept is, shares are as configured, counts are estimated well.

use anyhow::ensure;
use weir_proto::time::Clock;

use super::{Row, Settings};
use crate::truth::{Estimate, Recall, Trial, Verdict};

pub(super) async fn run(settings: &Settings) -> anyhow::Result<Vec<Row>> {
    let folder = tempfile::Builder::new().prefix("weir-figures-").tempdir_in(&settings.folder)?;
    let trial = Trial {
        seed: Clock::system().now_ns(),
        traces: settings.traces,
        rate: settings.trace_rate,
        decision_wait_ms: 5_000,
    };
    let verdict = trial.run(&settings.weir, folder.path()).await?;
    let rows = rows(&trial, &verdict);
    for row in &rows {
        eprintln!("  {row}");
    }
    ensure!(verdict.broken.is_empty(), "seed {}: {}", trial.seed, verdict.broken.join("; "));
    Ok(rows)
}

fn rows(trial: &Trial, verdict: &Verdict) -> Vec<Row> {
    let found = &verdict.findings;
    let sent = &verdict.sent;
    let of_all = |kept: u64, all: u64| 100.0 * kept as f64 / all.max(1) as f64;
    let mut rows = vec![Row::reported(
        format!(
            "known truth: {} traces, {} rows ({} of them sent again), {:.0} traces/s",
            trial.traces,
            sent.rows,
            sent.resent_rows,
            trial.traces as f64 / sent.elapsed.as_secs_f64()
        ),
        format!("{} traces kept ({:.2} %)", found.kept_traces, of_all(found.kept_traces, trial.traces)),
    )];
    let recall = |what: &str, recall: Recall| {
        let measured = format!("{:.2} % ({} of {})", of_all(recall.kept, recall.there), recall.kept, recall.there);
        Row::new(format!("kept of the {what}"), measured, "100 %", "100 %")
    };
    rows.push(recall("traces with an error", found.failed));
    rows.push(recall("traces with a span 6 to 12 times as long as its operation's", found.slow));
    rows.push(recall("traces of some customers", found.gold));
    rows.push(recall("traces of rare operations", found.rare));
    rows.push(recall("late spans of kept traces, within the decision cache", found.late_known));
    rows.push(recall("late failed spans, beyond the decision cache", found.late_failed));
    rows.push(Row::new(
        "kept traces that are there whole, once, with one policy and count; rows as in the ledger",
        format!("{} wrong, {} rows", found.wrong, verdict.tally.kept),
        "0 wrong",
        "0 wrong",
    ));
    for share in &verdict.shares {
        rows.push(Row::new(
            format!("share of `{}`, {} % configured", share.policy, share.percent),
            format!(
                "{:.4} % ({:+.2} % of it; one standard error of {} traces is {:.2} %), {} as the hash chooses",
                of_all(share.wanted, share.decided),
                share.off() * 100.0,
                share.decided,
                share.error() * 100.0,
                share.wanted
            ),
            "1 % of it, or 4 standard errors",
            "1 % of it",
        ));
    }
    let budget = format!("{:.0} % of {:.0} rows a second", verdict.budget_used() * 100.0, verdict.budget);
    rows.push(Row::new("kept, of the budget (and of two intervals more)", budget, "120 %", "100 %"));
    rows.extend(estimates(verdict));
    rows
}

/// One row for each name, and one for all.
fn estimates(verdict: &Verdict) -> Vec<Row> {
    let estimates = &verdict.findings.estimates;
    let off: Vec<f64> = estimates.values().filter_map(Estimate::errors_off).collect();
    let rms = (off.iter().map(|off| off * off).sum::<f64>() / off.len().max(1) as f64).sqrt();
    let worst = off.iter().fold(0.0_f64, |worst, off| worst.max(off.abs()));
    let mut rows = vec![Row::new(
        format!("counts by adjusted count, {} names: standard errors off, root mean square and worst", estimates.len()),
        format!("{rms:.2}, {worst:.2}"),
        "worst 5",
        "about 1, 3",
    )];
    for (name, estimate) in estimates {
        let relative = 100.0 * (estimate.estimated / estimate.truth.max(1) as f64 - 1.0);
        let measured = format!(
            "{:.0} ± {:.0} for {} ({relative:+.2} %; {} by chance)",
            estimate.estimated,
            estimate.error(),
            estimate.truth,
            estimate.by_chance
        );
        rows.push(Row::reported(format!("estimated: {name}"), measured));
    }
    rows
}
