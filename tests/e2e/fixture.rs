//! A weir in a folder of its own, the traffic it was sent, and the questions every test ends with.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use weir_benches::{
    load::{Load, LoadReport, Plan, Record},
    query::Query,
    server::{Server, ServerOptions},
    shop::Traffic,
    verify::verify,
};

/// Small files and short ages, so that a test of seconds sees rolling, sealing and merging.
pub(crate) const SMALL: &str = "  free_min: 1MiB
  journal: {file_size_max: 1MiB, file_age_max: 300ms}
  seal: {size_max: 2MiB, age_max: 600ms}
";

/// Everything stays in the journal: nothing is sealed while a test runs.
pub(crate) const NEVER_SEAL: &str = "  free_min: 1MiB
  journal: {file_size_max: 1MiB, file_age_max: 1h}
  seal: {size_max: 10GiB, age_max: 1h}
";

/// Where it runs and what it was sent so far.
pub(crate) struct Weir {
    pub(crate) options: ServerOptions,
    pub(crate) traffic: Arc<Traffic>,
    pub(crate) record: Arc<Record>,
    folder: tempfile::TempDir,
}

impl Weir {
    /// Data in the same temporary folder.
    pub(crate) fn new(seed: u64, storage: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut options = ServerOptions::new(env!("CARGO_BIN_EXE_weir"), folder.path());
        options.storage = storage.into();
        Self { options, traffic: Arc::new(Traffic::new(seed, 20, 16)), record: Arc::new(Record::new(0)), folder }
    }

    /// The temporary folder.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts it; panics with its log when it does not get ready.
    pub(crate) async fn start(&self) -> Server {
        match Server::start(&self.options).await {
            Ok(server) => server,
            Err(error) => panic!("{error:#}"),
        }
    }

    /// Sends `spans` spans; all must be acknowledged.
    pub(crate) async fn send(&self, server: &Server, spans: u64) -> LoadReport {
        let plan = Plan { spans: Some(spans), ..Plan::new(server.grpc) };
        let report = self.load(plan).await;
        assert!(report.all_acked(), "{report}\n{}", self.options.log());
        report
    }

    /// Runs any plan, numbering batches on from the last one sent.
    pub(crate) async fn load(&self, plan: Plan) -> LoadReport {
        let first = self.record.batches().last().map_or(0, |(batch, _)| batch.number + 1);
        let load = Load::run(plan, Arc::clone(&self.traffic), Arc::clone(&self.record), first);
        load.await.expect("the load generator works")
    }

    /// Every acknowledged span exactly once, nothing unsent, ledger exact. `sample` traces, or all.
    pub(crate) async fn verify(&self, server: &Server, sample: Option<u64>) {
        let query = Arc::new(Query::new(server.query));
        let mut found = verify(&query, &self.traffic, &self.record, sample, 0).await.expect("queries answer");
        if !found.good() && sample.is_some() {
            // Everything, so that the failure says what is missing.
            found = verify(&query, &self.traffic, &self.record, None, 0).await.expect("queries answer");
        }
        assert!(found.good(), "{found}\n{}", self.options.log());
    }

    /// Waits until every span is in a segment.
    pub(crate) async fn sealed(&self, server: &Server) {
        let query = Query::new(server.query);
        let sealed = query.until("everything sealed", Duration::from_secs(30), |metrics| {
            metrics.get("weir_head_spans") == Some(&0.0) && metrics.get("weir_segments").is_some_and(|n| *n > 0.0)
        });
        if let Err(error) = sealed.await {
            panic!("{error:#}\n{}", self.options.log());
        }
    }
}

/// The journal's files, oldest first.
pub(crate) fn journal_files(data: &Path) -> Vec<PathBuf> {
    let mut files = files(&data.join("journal"));
    files.retain(|file| file.extension().is_some_and(|extension| extension == "journal"));
    files.sort();
    files
}

/// Every file below a folder.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found
}
