//! A server's lives in one data folder, and the oracle's count of them.
//!
//! What was sent is counted in chapters: at the end of each everything is compared, and a new record begins, so that the looks in
//! between stay quick however long the campaign is.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};
use weir_benches::{
    judged::{Oracle, Rules},
    load::{BatchFate, Record},
    query::{Query, Tally},
    rng::Rng,
    server::Server,
    shop::Traffic,
    verify::{Verification, verify},
};

use crate::{
    beside::Beside,
    disk_image::DiskImage,
    fixture::{SMALL, Weir},
    totals::Totals,
};

/// Spans of a request.
const BATCH: usize = 20;
/// Of a thousand steps of traces so many fail, where there is sampling.
const FAILED_PER_MILLE: u64 = 30;
/// Traces looked at after each life.
const SAMPLE: u64 = 100;
/// Longest wait until everything is decided and sealed.
const SETTLED_MAX: Duration = Duration::from_secs(600);
/// A disk's size, sparse.
const DISK_MIB: u64 = 8192;

/// One data folder and all that was ever sent to it.
pub(crate) struct Campaign {
    pub(crate) weir: Weir,
    pub(crate) rng: Rng,
    pub(crate) disk: Option<DiskImage>,
    pub(crate) totals: Totals,
    pub(crate) beside: Beside,
    name: String,
    oracle: Option<Oracle>,
    chapters: u64,
}

impl Campaign {
    /// In a temporary folder; with tail sampling when there is a `decision_wait`.
    pub(crate) fn new(name: String, seed: u64, decision_wait: Option<&str>, disk: Option<(Weir, DiskImage)>) -> Self {
        println!("== {name}");
        let (mut weir, disk) = match disk {
            Some((weir, disk)) => (weir, Some(disk)),
            None => (Weir::new(seed, SMALL), None),
        };
        let oracle = decision_wait.map(|wait| {
            let rules = Rules::default();
            weir.options.more = rules.processors(wait);
            Oracle::new(rules, Tally::default())
        });
        // A machine under other load, too.
        weir.options.ready_max = Duration::from_secs(300);
        let rng = Rng::new(seed);
        let mut campaign =
            Self { weir, rng, disk, totals: Totals::default(), beside: Beside::new(0), name, oracle, chapters: 0 };
        campaign.weir.traffic = campaign.traffic();
        campaign
    }

    /// On a file system of its own, whose power can be cut; `None` where that is not allowed.
    pub(crate) fn on_a_disk(name: String, seed: u64, decision_wait: Option<&str>) -> Option<Self> {
        let mut weir = Weir::new(seed, SMALL);
        let disk = DiskImage::new(weir.folder(), DISK_MIB)?;
        weir.options.data = disk.path().join("data");
        Some(Self::new(name, seed, decision_wait, Some((weir, disk))))
    }

    /// Starts the server and compares a part of what it has.
    pub(crate) async fn next_life(&mut self) -> Server {
        let server = self.weir.start().await;
        self.look(&server, Some(SAMPLE)).await;
        server
    }

    /// Everything decided and sealed, everything compared; a new record begins.
    pub(crate) async fn end_chapter(&mut self, server: &Server) {
        self.settle(server).await;
        let query = Query::new(server.query);
        self.look(server, None).await;
        self.beside.conclude(&query, &self.name, &mut self.totals).await;
        let batches = self.weir.record.batches();
        let acked = batches.iter().filter(|(_, fate)| *fate == BatchFate::Acked).count() as u64;
        self.totals.acked += acked * self.weir.traffic.spans_per_batch() as u64;
        let ledger = query.ledger().await.expect("the ledger answers");
        self.chapters += 1;
        self.weir.traffic = self.traffic();
        self.weir.record = Arc::new(Record::new(ledger.accepted));
        if let Some(oracle) = &mut self.oracle {
            *oracle = Oracle::new(oracle.rules().clone(), ledger);
        }
        println!(
            "{}: {} kills, {} cuts, {} other faults; {} acknowledged, {} found, {} lost, {} duplicated",
            self.name,
            self.totals.kills,
            self.totals.cuts,
            self.totals.faults,
            self.totals.acked,
            self.totals.found,
            self.totals.lost,
            self.totals.duplicated
        );
    }

    fn traffic(&mut self) -> Arc<Traffic> {
        let seed = self.rng.bits();
        Arc::new(match &self.oracle {
            Some(_) => Traffic::failing(seed, BATCH, 16, FAILED_PER_MILLE),
            None => Traffic::new(seed, BATCH, 16),
        })
    }

    /// Compares some traces (batches without an ack whole), or everything: only that is counted as found or lost.
    async fn look(&mut self, server: &Server, sample: Option<u64>) {
        let query = Arc::new(Query::new(server.query));
        let (traffic, record) = (&self.weir.traffic, &self.weir.record);
        let (found, due, wrong_verdicts) = match &mut self.oracle {
            None => {
                let found = verify(&query, traffic, record, sample, 0).await.expect("queries answer");
                let due = found.spans;
                (found, due, 0)
            }
            Some(oracle) => {
                let judgement = oracle.look(&query, traffic, record, sample).await.expect("queries answer");
                (judgement.spans.clone(), judgement.acked_kept_spans, judgement.wrong_verdicts)
            }
        };
        self.count(&found, due, wrong_verdicts, sample.is_none());
    }

    fn count(&mut self, found: &Verification, due: u64, wrong_verdicts: u64, all: bool) {
        let totals = &mut self.totals;
        totals.looks += 1;
        totals.lost += found.missing;
        totals.duplicated += found.duplicated;
        totals.wrong += found.foreign + found.different + found.torn_batches;
        totals.wrong_verdicts += wrong_verdicts;
        totals.ledger_faults += found.ledger_faults.len() as u64;
        if all {
            totals.due += due;
            totals.found += due - found.missing.min(due);
        }
        if !found.good() || wrong_verdicts > 0 {
            let words = format!("{}: {found}", self.name);
            println!("{words}");
            totals.example(words.chars().take(600).collect());
        }
    }

    /// Waits until every trace is decided and every kept span is in a segment.
    async fn settle(&mut self, server: &Server) {
        let query = Query::new(server.query);
        let started = Instant::now();
        loop {
            let ledger = query.ledger().await.expect("the ledger answers");
            let metrics = query.metrics().await.expect("metrics answer");
            if ledger.pending == 0 && metrics.get("weir_head_spans") == Some(&0.0) {
                return;
            }
            if started.elapsed() > SETTLED_MAX {
                let words = format!("{}: not settled after {SETTLED_MAX:?}: {ledger:?}", self.name);
                println!("{words}");
                self.totals.example(words);
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
    }
}
