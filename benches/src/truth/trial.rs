//! A trial of tail sampling: sends the traffic and its late spans, waits for the verdicts, and compares what is there with the truth.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::ensure;
use weir_proto::time::Clock;

use super::{
    Findings, LateBatch, SamplingReport, Sent, TrueTraffic,
    check::check,
    policies::{SALT, SHARES_PERCENT, SOME_PERCENT, chosen, processors},
    send::{send, send_late},
};
use crate::{
    query::{Query, Tally},
    server::{Server, ServerOptions},
};

/// Longest wait for verdicts and sealing.
const BACKGROUND_MAX: Duration = Duration::from_secs(600);

/// Part of the spans sent that the budget leaves room for.
const BUDGET_PART: f64 = 0.05;

/// Spans a trace, about.
const SPANS_PER_TRACE: f64 = 4.2;

/// How many traces, how fast, and how long they wait.
#[derive(Debug, Clone, Copy)]
pub struct Trial {
    /// Names the traffic.
    pub seed: u64,
    /// How many.
    pub traces: u64,
    /// Traces a second.
    pub rate: f64,
    /// `decision_wait`.
    pub decision_wait_ms: u64,
}

/// A share that is configured, and what came of it.
#[derive(Debug, Clone, Copy)]
pub struct Share {
    /// The policy.
    pub policy: &'static str,
    /// Configured.
    pub percent: f64,
    /// Decisions.
    pub decided: u64,
    /// Of them wanted by the policy.
    pub wanted: u64,
    /// Of them below the share by the hash of the trace id, reckoned from the truth.
    pub expected: u64,
}

/// What a trial came to.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// What was sent in order.
    pub sent: Sent,
    /// Late spans to remembered and to forgotten verdicts.
    pub late_rows: (u64, u64),
    /// Spans a second that were to be kept at most, and rows that were by the end of the traffic.
    pub budget: f64,
    /// Of the rows sent in order.
    pub kept_in_order: u64,
    /// By looking every trace up.
    pub findings: Findings,
    /// The ledger at the end.
    pub tally: Tally,
    /// Shares by chance.
    pub shares: Vec<Share>,
    /// Of the set that decides.
    pub sampling: SamplingReport,
    /// What does not hold, in words.
    pub broken: Vec<String>,
}

impl Trial {
    /// Runs it with a binary in an empty folder.
    pub async fn run(&self, weir: &Path, folder: &Path) -> anyhow::Result<Verdict> {
        let budget = (self.rate * SPANS_PER_TRACE * BUDGET_PART).round();
        let mut options = ServerOptions::new(weir, folder);
        "  free_min: 1MiB\n  journal: {file_age_max: 1s}\n  seal: {age_max: 2s}\n".clone_into(&mut options.storage);
        options.more = processors(&format!("{}ms", self.decision_wait_ms), self.traces, budget);
        let server = Server::start(&options).await?;
        let query = Arc::new(Query::new(server.query));
        let traffic = TrueTraffic { seed: self.seed, traces: self.traces, base_ns: Clock::system().now_ns() };
        let sent = send(&traffic, server.grpc, self.rate, || {}).await?;
        decided(&query).await?;
        let kept_in_order = query.ledger().await?.kept;
        // The newest verdicts are remembered, the oldest have been forgotten: more were dropped, and more kept, since then than the
        // cache holds.
        let known = LateBatch { from: self.traces - self.traces / 200, to: self.traces, failing: false };
        let again = LateBatch { from: 0, to: self.traces / 200, failing: true };
        let late_rows =
            (send_late(&traffic, server.grpc, known).await?, send_late(&traffic, server.grpc, again).await?);
        decided(&query).await?;
        query.until("sealed", BACKGROUND_MAX, |metrics| metrics.get("weir_head_spans") == Some(&0.0)).await?;
        let findings = check(&query, traffic, known, again).await?;
        let sampling = SamplingReport::read(&query, 0).await?;
        let dry_run = SamplingReport::read(&query, 1).await?;
        let mut shares = vec![share(&traffic, &sampling, "some", SALT, SOME_PERCENT, again)];
        for (policy, percent) in SHARES_PERCENT {
            shares.push(share(&traffic, &dry_run, policy, policy, percent, again));
        }
        let tally = query.ledger().await?;
        ensure!(server.stop(BACKGROUND_MAX).await?.success(), "it did not stop well:\n{}", options.log());
        let mut verdict =
            Verdict { sent, late_rows, budget, kept_in_order, findings, tally, shares, sampling, broken: Vec::new() };
        verdict.judge(self);
        Ok(verdict)
    }
}

/// Waits until nothing is pending any more.
async fn decided(query: &Query) -> anyhow::Result<()> {
    let started = tokio::time::Instant::now();
    while query.ledger().await?.pending > 0 {
        ensure!(started.elapsed() < BACKGROUND_MAX, "spans still wait for their verdicts");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

fn share(
    traffic: &TrueTraffic,
    report: &SamplingReport,
    policy: &'static str,
    salt: &str,
    percent: f64,
    again: LateBatch,
) -> Share {
    let expected = chosen(traffic, salt, percent, again);
    Share { policy, percent, decided: report.decided.traces, wanted: report.wanted(policy), expected }
}

impl Share {
    /// How far the share is off the configured one, as a part of it.
    pub fn off(&self) -> f64 {
        self.wanted as f64 / self.decided.max(1) as f64 / (self.percent / 100.0) - 1.0
    }

    /// One standard error of so many draws, as a part of the configured share.
    pub fn error(&self) -> f64 {
        let share = self.percent / 100.0;
        ((1.0 - share) / share / self.decided.max(1) as f64).sqrt()
    }
}

impl Verdict {
    /// Kept rows a second of the traffic, as a part of the budget; the first two intervals come on top.
    pub fn budget_used(&self) -> f64 {
        self.kept_in_order as f64 / (self.budget * (self.sent.elapsed.as_secs_f64() + 2.0))
    }

    fn judge(&mut self, trial: &Trial) {
        let mut broken = Vec::new();
        let mut must = |holds: bool, what: String| {
            if !holds {
                broken.push(what);
            }
        };
        let found = &self.findings;
        must(found.wrong == 0, format!("{} traces are not what they must be: {:#?}", found.wrong, found.wrong_ones));
        let recalls = [
            ("failed traces", found.failed),
            ("slow traces", found.slow),
            ("gold traces", found.gold),
            ("rare operations", found.rare),
            ("late spans of kept traces", found.late_known),
            ("late failed spans", found.late_failed),
        ];
        for (what, recall) in recalls {
            must(recall.is_whole(), format!("{what}: {} of {} are there", recall.kept, recall.there));
        }
        let rows = self.sent.rows + self.late_rows.0 + self.late_rows.1;
        let tally = &self.tally;
        must(tally.balances() && tally.accepted == rows, format!("{rows} rows sent, ledger {tally:?}"));
        must(tally.kept == found.kept_rows, format!("{} kept rows found, ledger {tally:?}", found.kept_rows));
        must(tally.pending == 0 && tally.damaged == 0, format!("pending or damaged: {tally:?}"));
        let sampling = &self.sampling;
        must(sampling.early == 0, format!("{} traces were decided before their time", sampling.early));
        let decisions = trial.traces + self.late_rows.1;
        must(sampling.decided.traces == decisions, format!("{decisions} decisions, not {}", sampling.decided.traces));
        let late = sampling.late.0 + sampling.late.1;
        must(late == self.late_rows.0, format!("{} late spans, not {late}", self.late_rows.0));
        for share in &self.shares {
            must(share.wanted == share.expected, format!("the hash does not choose so: {share:?}"));
            let allowed = f64::max(0.01, 4.0 * share.error());
            must(share.off().abs() <= allowed, format!("off by more than {:.1} %: {share:?}", allowed * 100.0));
        }
        must(self.budget_used() <= 1.2, format!("{:.0} % of the budget was kept", self.budget_used() * 100.0));
        for (name, estimate) in &found.estimates {
            must(estimate.is_good(), format!("{name}: beyond its stated error: {estimate:?}"));
        }
        self.broken = broken;
    }
}
