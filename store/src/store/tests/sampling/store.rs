//! A sampled store that stands still between steps, and what it says of each span.

use std::{path::Path, time::Instant};

use weir_proto::time::Clock;

use super::*;
use crate::{
    disk::Disk,
    head::SpanRows,
    journal::{Entry, FrameHeader},
    ledger::Tally,
    options::StoreOptions,
    sampling::{Sampling, SamplingStatus},
    upkeep::{deciding, open, run, sealer},
    verdict::outcome::{Outcome, SpanStanding},
};

/// Where each span stands, by number.
pub(super) type Standings = BTreeMap<u64, Standing>;

/// Where a span stands, with the name of the policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    Pending,
    Unsampled,
    Kept(String),
    Dropped(String),
}

pub(super) fn pending(numbers: impl IntoIterator<Item = u64>) -> Standings {
    numbers.into_iter().map(|n| (n, Standing::Pending)).collect()
}

pub(super) fn kept(numbers: impl IntoIterator<Item = u64>) -> Standings {
    numbers.into_iter().map(|n| (n, Standing::Kept("wanted".into()))).collect()
}

pub(super) fn dropped(numbers: impl IntoIterator<Item = u64>) -> Standings {
    numbers.into_iter().map(|n| (n, Standing::Dropped("rest".into()))).collect()
}

/// An open store.
pub(super) struct Sampled {
    pub(super) shared: Arc<Shared>,
    pub(super) clock: Clock,
    pub(super) sampling: Option<Arc<dyn Sampling>>,
}

impl Sampled {
    pub(super) async fn open(folder: &Path, script: Script) -> Self {
        Self::open_with(super::super::options(folder), Disk::default(), script.shared(), super::super::clock()).await
    }

    pub(super) async fn open_with(
        options: StoreOptions,
        disk: Disk,
        sampling: Option<Arc<dyn Sampling>>,
        clock: Clock,
    ) -> Self {
        Self::open_watched(options, disk, sampling, clock, balances).await
    }

    pub(super) async fn open_watched(
        options: StoreOptions,
        disk: Disk,
        sampling: Option<Arc<dyn Sampling>>,
        clock: Clock,
        witness: fn(&View),
    ) -> Self {
        let shared = open::open(disk, options, sampling.clone(), clock.clone()).await.expect("opens");
        balances(&shared.views.current());
        shared.views.witness.set(witness).expect("set once");
        Self { shared: Arc::new(shared), clock, sampling }
    }

    /// Appends one batch, marked as admission does.
    pub(super) async fn append(&self, numbers: impl IntoIterator<Item = u64>) -> Numbers {
        self.append_for("default", numbers).await
    }

    pub(super) async fn append_for(&self, tenant: &str, numbers: impl IntoIterator<Item = u64>) -> Numbers {
        let numbers: Numbers = numbers.into_iter().collect();
        self.append_rows(tenant, &Vec::from_iter(numbers.iter().copied())).await;
        numbers
    }

    /// Appends these in this order, some perhaps twice.
    pub(super) async fn append_rows(&self, tenant: &str, numbers: &[u64]) {
        let mut batch = spans::batch(&spans::tenant(tenant), numbers, self.clock.now_ns());
        if let Some(sampling) = &self.sampling {
            script::mark(&mut batch, &**sampling);
        }
        let header = FrameHeader {
            tenant: batch.tenant,
            received_at_ns: batch.received_at_ns,
            items: batch.items,
            rejected: batch.rejected,
            generation: batch.generation,
            cursor: bytes::Bytes::new(),
            head_dropped: batch.head_dropped,
        };
        let entry = Entry { header, payload: batch.payload, attachment: batch.summaries };
        self.shared.traces.journal.append(entry).await.expect("appended");
    }

    pub(super) async fn roll(&self) {
        self.shared.traces.journal.roll().await;
    }

    /// Seals what can be sealed; answers how many runs there were.
    pub(super) async fn seal(&self) -> usize {
        let shared = self.shared.clone();
        let sealing = tokio::task::spawn_blocking(move || {
            let mut runs = 0;
            while let Some(files) = run::next_run::<SpanRows>(&shared) {
                sealer::seal(&shared, &files).expect("sealed");
                runs += 1;
            }
            runs
        });
        sealing.await.expect("no panic")
    }

    /// Stops without a shutdown, and starts again on a copy of the folder as it is.
    pub(super) async fn kill(self, into: &Path) -> Self {
        super::super::copy(&self.shared.options.path, into);
        let options = StoreOptions { path: into.to_owned(), ..self.shared.options.clone() };
        let (clock, sampling) = (self.clock.clone(), self.sampling.clone());
        self.close().await;
        Self::open_with(options, Disk::default(), sampling, clock).await
    }

    /// The spans that queries find, of those sent; each once.
    pub(super) fn visible(&self, sent: &Numbers) -> Numbers {
        let snapshot = super::super::super::Snapshot::of(self.shared.views.current());
        let tenant = spans::tenant("default");
        let mut found = Numbers::new();
        for trace in spans::traces_of(sent.iter().copied()) {
            for record in snapshot.trace(&tenant, trace).expect("readable") {
                let id: [u8; 8] = record.span.span_id[..].try_into().expect("eight bytes");
                let n = u64::from_be_bytes(id) - 1;
                assert!(sent.contains(&n) && found.insert(n), "span {n} is there twice or was never sent");
            }
        }
        found
    }

    /// The whole ledger's tally.
    pub(super) fn ledger(&self) -> Tally {
        let snapshot = super::super::super::Snapshot::of(self.shared.views.current());
        super::super::check::tally(&snapshot, &spans::tenant("default"))
    }

    /// Moves the clock.
    pub(super) fn pass(&self, milliseconds: u64) {
        self.clock.set(self.clock.now_ns() + milliseconds * 1_000_000);
    }

    /// One turn of the sampler: what it decides is not durable yet.
    pub(super) fn turn(&self) {
        deciding::turn(&self.shared, true);
    }

    /// One turn between two rounds of decisions.
    pub(super) fn turn_between(&self) {
        assert!(!deciding::turn(&self.shared, false));
    }

    /// Turns until every verdict that is due has taken effect.
    pub(super) fn sample(&self) {
        let started = Instant::now();
        loop {
            self.turn();
            if !self.shared.sampler.lock().is_waiting() {
                return;
            }
            assert!(started.elapsed() < super::super::PATIENCE, "verdicts that do not become durable");
            self.shared.sampled.pause(std::time::Duration::from_millis(10));
        }
    }

    /// Journal time.
    pub(super) fn now_ns(&self) -> u64 {
        self.shared.sampler.lock().now_ns()
    }

    pub(super) fn tidy(&self) {
        deciding::tidy(&self.shared);
    }

    pub(super) fn checkpoint(&self) {
        deciding::checkpoint(&self.shared);
    }

    pub(super) fn status(&self) -> SamplingStatus {
        self.shared.sampler.lock().status()
    }

    /// Where each span in the head stands.
    pub(super) fn standings(&self) -> Standings {
        standings(&self.shared, &self.shared.views.current(), "default")
    }

    /// The tally of sampled spans in the head.
    pub(super) fn tally(&self) -> Tally {
        let view = self.shared.views.current();
        view.sampled.by_tenant.get(&spans::tenant("default")).cloned().unwrap_or_default()
    }

    /// Stops as on shutdown.
    pub(super) async fn close(self) {
        let shared = self.shared.clone();
        let stopped = tokio::task::spawn_blocking(move || {
            shared.traces.journal.shutdown();
            shared.verdicts().shutdown();
        });
        stopped.await.expect("no panic");
        self.shared.catalog.close().await;
    }
}

/// Where each span of a tenant in a view's head stands.
pub(super) fn standings(shared: &Shared, view: &View, tenant: &str) -> Standings {
    let mut standings = Standings::new();
    let tenant = spans::tenant(tenant);
    for frame in view.traces.files.iter().flat_map(|file| file.frames(view.traces.projected)) {
        for (row, span) in frame.spans.iter().enumerate().filter(|_| frame.tenant == tenant) {
            let n = (span.start_ns - spans::FIRST_START_NS) / spans::STEP_NS;
            let standing = match frame.standing(row, view.verdicts) {
                SpanStanding::Pending => Standing::Pending,
                SpanStanding::Unsampled => Standing::Unsampled,
                SpanStanding::Decided(Outcome { keep, policy, adjusted_count, is_probabilistic }) => {
                    let policy = shared.sampled.names.name(policy).to_owned();
                    let scripted = policy == "wanted";
                    assert_eq!((adjusted_count, is_probabilistic), (if scripted { 2.5 } else { 1.0 }, scripted));
                    if keep { Standing::Kept(policy) } else { Standing::Dropped(policy) }
                }
            };
            assert!(standings.insert(n, standing).is_none(), "span {n} is there twice");
        }
    }
    standings
}

/// Checked of every view that there ever is: what is counted of sampled spans is what they are, and the ledger balances.
pub(super) fn balances(view: &View) {
    let snapshot = super::super::super::Snapshot::of(Arc::new(view.clone()));
    for tally in snapshot.ledger().traces.values() {
        assert!(tally.balances(), "{tally:?}");
    }
    let mut wanted: BTreeMap<_, Tally> = BTreeMap::new();
    for frame in view.traces.files.iter().flat_map(|file| file.frames(view.traces.projected)) {
        if frame.generation == 0 || frame.offset > view.sampled.taken_in || frame.spans.is_empty() {
            continue;
        }
        let tally = wanted.entry(frame.tenant.clone()).or_default();
        for row in 0..frame.spans.len() {
            tally.accepted += 1;
            match frame.standing(row, view.verdicts) {
                SpanStanding::Pending | SpanStanding::Unsampled => tally.pending += 1,
                SpanStanding::Decided(Outcome { keep: true, .. }) => tally.kept += 1,
                SpanStanding::Decided(_) => *tally.dropped.entry(String::new()).or_default() += 1,
            }
        }
    }
    let mut counted = view.sampled.by_tenant.clone();
    for tally in counted.values_mut() {
        assert!(tally.balances(), "{tally:?}");
        // A view does not know the policies' names.
        let dropped: u64 = std::mem::take(&mut tally.dropped).values().sum();
        if dropped > 0 {
            tally.dropped.insert(String::new(), dropped);
        }
    }
    counted.retain(|_, tally| *tally != Tally::default());
    assert_eq!(counted, wanted);
}
