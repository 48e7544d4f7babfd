//! A weir with tail sampling, and the oracle that knows what its policies must keep.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};
use weir_benches::{
    judged::{Judgement, Oracle, Rules},
    query::{Query, Tally},
    server::Server,
    shop::Traffic,
};

use crate::fixture::Weir;

/// Of a thousand steps of traces so many fail: about one trace in ten is kept for it.
pub(crate) const FAILED_PER_MILLE: u64 = 30;

/// The server's ways, its traffic, and what is known of its verdicts.
pub(crate) struct Judged {
    pub(crate) weir: Weir,
    pub(crate) oracle: Oracle,
}

impl Judged {
    /// With deterministic policies, and batches of `batch` spans.
    pub(crate) fn new(seed: u64, storage: &str, decision_wait: &str, batch: usize) -> Self {
        let mut weir = Weir::new(seed, storage);
        let rules = Rules::default();
        weir.options.more = rules.processors(decision_wait);
        weir.traffic = Arc::new(Traffic::failing(seed, batch, 16, FAILED_PER_MILLE));
        Self { weir, oracle: Oracle::new(rules, Tally::default()) }
    }

    /// Every trace as the policies say, what was decided as it was; `sample` traces, or all.
    pub(crate) async fn verify(&mut self, server: &Server, sample: Option<u64>) -> Judgement {
        let query = Arc::new(Query::new(server.query));
        let (traffic, record) = (&self.weir.traffic, &self.weir.record);
        let found = self.oracle.look(&query, traffic, record, sample).await.expect("queries answer");
        assert!(found.good(), "{found}\n{}", self.weir.options.log());
        found
    }

    /// Waits until every trace is decided and every kept span is in a segment.
    pub(crate) async fn settled(&self, server: &Server, limit: Duration) {
        let query = Query::new(server.query);
        let started = Instant::now();
        loop {
            let ledger = query.ledger().await.expect("answers");
            let metrics = query.metrics().await.expect("answers");
            if ledger.pending == 0 && metrics.get("weir_head_spans") == Some(&0.0) {
                return;
            }
            assert!(started.elapsed() < limit, "not settled: {ledger:?}\n{}", self.weir.options.log());
            sleep(Duration::from_millis(50)).await;
        }
    }
}
