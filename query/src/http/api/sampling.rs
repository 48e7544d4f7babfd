//! `/api/v1/sampling`: how tail sampling fares.

use std::collections::BTreeMap;

use serde::Serialize;
use weir_store::sampling::SamplingStatus;

use crate::http::{
    answer::{Answer, Failure},
    view::OpensViews,
};

/// The store's figures, and what follows from them.
#[derive(Debug, Serialize)]
struct Shown {
    #[serde(flatten)]
    status: SamplingStatus,
    /// By policy: which share of all decided traces it kept.
    kept_share: BTreeMap<String, f64>,
    /// Milliseconds from due to settled that half of the verdicts did not exceed.
    lateness_p50_ms: Option<u64>,
    /// The same for 99 of 100.
    lateness_p99_ms: Option<u64>,
}

/// All tenants' together: policies are the process's.
pub(in crate::http) fn sampling(source: &dyn OpensViews) -> Result<Answer, Failure> {
    let status = source.sampling_status();
    let decided: u64 = status.kept.values().chain(status.dropped.values()).map(|count| count.traces).sum();
    let share = |traces: u64| traces as f64 / decided.max(1) as f64;
    let shown = Shown {
        kept_share: status.kept.iter().map(|(policy, count)| (policy.clone(), share(count.traces))).collect(),
        lateness_p50_ms: status.lateness_ms(0.5),
        lateness_p99_ms: status.lateness_ms(0.99),
        status,
    };
    Answer::json(&shown, false)
}

#[cfg(test)]
mod tests {
    use weir_store::sampling::DecidedCount;

    use super::*;
    use crate::http::fixtures::Held;

    #[test]
    fn shows_what_each_policy_keeps() {
        let count = |traces| DecidedCount { traces, spans: traces * 8 };
        let mut status = SamplingStatus {
            generation: 3,
            pending_traces: 7,
            kept: BTreeMap::from([("errors".to_owned(), count(20)), ("some".to_owned(), count(5))]),
            dropped: BTreeMap::from([("some".to_owned(), count(75))]),
            ..SamplingStatus::default()
        };
        status.lateness[2] = 98;
        status.lateness[7] = 2;
        let held = Held { sampling: status, ..Held::default() };
        let body: serde_json::Value = serde_json::from_slice(&sampling(&held).expect("answers").body).expect("JSON");
        assert_eq!(body["generation"], 3);
        assert_eq!(body["pending_traces"], 7);
        assert_eq!(body["kept"]["errors"], serde_json::json!({"traces": 20, "spans": 160}));
        assert_eq!(body["kept_share"], serde_json::json!({"errors": 0.2, "some": 0.05}));
        assert_eq!((&body["lateness_p50_ms"], &body["lateness_p99_ms"]), (&20.into(), &150.into()));
        let nothing: serde_json::Value =
            serde_json::from_slice(&sampling(&Held::default()).expect("answers").body).expect("JSON");
        assert_eq!((&nothing["generation"], &nothing["lateness_p99_ms"]), (&0.into(), &serde_json::Value::Null));
    }
}
