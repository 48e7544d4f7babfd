//! A folder, a journal that keeps what it is told, and a reader that can be killed at any moment.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read, Write},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use weir_proto::{
    otlp::{
        Checks,
        logs::{Expander, scan},
        messages::{
            common::v1::{AnyValue, KeyValue, any_value::Value},
            logs::v1::LogRecord,
        },
    },
    time::Clock,
};

use crate::receivers::filelog::{
    config::FilelogConfig,
    deliver::{Deliver, Package, Stopped},
    tailer::{Next, Tailer},
};

/// What is durable.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) records: Vec<(LogRecord, Vec<KeyValue>)>,
    pub(super) cursors: BTreeMap<Vec<u8>, Vec<u8>>,
    /// So many packages are taken before the process is killed.
    pub(super) left: Option<u32>,
    /// Packages wait before it: the disk is full, or a queue.
    pub(super) refuses: bool,
}

/// A journal in memory, and the package that waits before it.
#[derive(Debug, Default)]
pub(super) struct Journal(pub(super) Arc<Mutex<Kept>>, Option<Package>);

impl Deliver for Journal {
    fn is_free(&mut self) -> Result<bool, Stopped> {
        if !self.0.lock().refuses
            && let Some(package) = self.1.take()
        {
            self.keep(package)?;
        }
        Ok(self.1.is_none())
    }

    fn hand_over(&mut self, package: Package) -> Result<(), Stopped> {
        assert!(self.1.is_none(), "it is asked before");
        self.1 = Some(package);
        self.is_free().map(drop)
    }

    fn wait(&mut self, _: Duration) -> Result<(), Stopped> {
        self.is_free().map(drop)
    }
}

impl Journal {
    fn keep(&self, package: Package) -> Result<(), Stopped> {
        let mut kept = self.0.lock();
        if let Some(left) = &mut kept.left {
            *left = left.checked_sub(1).ok_or(Stopped)?;
        }
        let mut lines = 0;
        let mut expander = Expander::default();
        scan(&package.payload, Checks::Journalled, |scanned| {
            let record = expander.whole(&scanned.line).to_message();
            kept.records.push((record, scanned.resource.to_message().attributes));
            lines += 1;
        })
        .expect("a request");
        assert_eq!(lines, package.lines);
        for (source, cursor) in package.cursors {
            match cursor.is_empty() {
                true => drop(kept.cursors.remove(source.as_bytes())),
                false => drop(kept.cursors.insert(source.into_bytes(), cursor)),
            }
        }
        Ok(())
    }
}

/// All of it.
pub(super) struct World {
    folder: tempfile::TempDir,
    pub(super) config: FilelogConfig,
    pub(super) journal: Journal,
    now_ns: u64,
    clock: Clock,
    tailer: Option<Tailer<Journal>>,
}

impl World {
    /// Reads `*.log` of a folder from its beginning, and what else the keys say (JSON); `DIR` is the folder.
    pub(super) fn new(keys: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = folder.path().to_str().expect("UTF-8").to_owned();
        let mut value: serde_json::Value = serde_json::from_str(&keys.replace("DIR", &dir)).expect("JSON");
        let keys = value.as_object_mut().expect("keys");
        keys.entry("include").or_insert_with(|| vec![format!("{dir}/*.log")].into());
        keys.entry("start_at").or_insert_with(|| "beginning".into());
        let config: FilelogConfig = serde_json::from_value(value).expect("a configuration");
        config.check().expect("usable");
        let now_ns = Clock::system().now_ns();
        let clock = Clock::fixed(now_ns);
        Self { folder, config, journal: Journal::default(), now_ns, clock, tailer: None }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Appends to a file, which is made when it is not there.
    pub(super) fn append(&self, name: &str, text: impl AsRef<[u8]>) {
        self.opened(name).write_all(text.as_ref()).expect("written");
    }

    /// A file that is open, as its writer has it.
    pub(super) fn opened(&self, name: &str) -> fs::File {
        fs::OpenOptions::new().create(true).append(true).open(self.path(name)).expect("opened")
    }

    pub(super) fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).expect("renamed");
    }

    /// As `gzip` does it: the original goes when the other is whole.
    pub(super) fn gzip(&self, from: &str, to: &str) {
        let file = fs::File::create(self.path(to)).expect("created");
        let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        encoder.write_all(&fs::read(self.path(from)).expect("read")).expect("written");
        let file = encoder.finish().expect("written");
        let modified = fs::metadata(self.path(from)).and_then(|metadata| metadata.modified());
        file.set_modified(modified.expect("known")).expect("set");
        self.remove(from);
    }

    /// What is in a file, out of gzip where that made it.
    pub(super) fn text_of(&self, name: &str) -> String {
        let bytes = fs::read(self.path(name)).expect("read");
        let mut text = String::new();
        match bytes.starts_with(&[0x1f, 0x8b]) {
            true => drop(flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_string(&mut text).expect("whole")),
            false => text = String::from_utf8(bytes).expect("UTF-8"),
        }
        text
    }

    pub(super) fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).expect("removed");
    }

    pub(super) fn copy(&self, from: &str, to: &str) {
        fs::copy(self.path(from), self.path(to)).expect("copied");
    }

    pub(super) fn truncate(&self, name: &str) {
        fs::OpenOptions::new().write(true).open(self.path(name)).expect("opened").set_len(0).expect("cut");
    }

    /// Starts a reader, if there is none, and lets it look until nothing is left.
    pub(super) fn poll(&mut self) {
        let mut tailer = self.tailer.take().unwrap_or_else(|| self.started());
        while tailer.poll() == Ok(Next::GoOn) {}
        // What waits before it goes there by itself.
        let _ = tailer.deliver.is_free();
        self.tailer = Some(tailer);
    }

    fn started(&self) -> Tailer<Journal> {
        let cursors: Vec<_> = self.journal.0.lock().cursors.clone().into_iter().collect();
        let config = Arc::new(self.config.clone());
        let (clock, journal) = (self.clock.clone(), Journal(self.journal.0.clone(), None));
        let hour = Some(Duration::from_secs(3600));
        Tailer::new("filelog", config, &cursors, (hour, hour), clock, journal).expect("usable")
    }

    /// `kill -9`.
    pub(super) fn kill(&mut self) {
        self.tailer = None;
        self.journal.0.lock().left = None;
    }

    /// The reader gets so many packages through, and is killed then.
    pub(super) fn poll_until_killed(&mut self, packages: u32) {
        self.journal.0.lock().left = Some(packages);
        self.poll();
        self.kill();
    }

    /// The journal takes nothing from now on, or takes again what it is given.
    pub(super) fn refuse(&self, refuses: bool) {
        self.journal.0.lock().refuses = refuses;
    }

    /// The clock steps.
    pub(super) fn step_clock(&mut self, ms: i64) {
        self.now_ns = self.now_ns.saturating_add_signed(ms * 1_000_000);
        self.clock.set(self.now_ns);
    }

    /// Time passes.
    pub(super) fn wait(&mut self, ms: u64) {
        self.now_ns += ms * 1_000_000;
        self.clock.set(self.now_ns);
    }

    pub(super) fn records(&self) -> Vec<(LogRecord, Vec<KeyValue>)> {
        self.journal.0.lock().records.clone()
    }

    /// The bodies so far.
    pub(super) fn bodies(&self) -> Vec<String> {
        self.records().iter().map(|(record, _)| text(record.body.as_ref())).collect()
    }

    /// Polls, and expects these lines to have come, each once, in this order.
    #[track_caller]
    pub(super) fn shows<L: AsRef<str>>(&mut self, lines: &[L]) {
        self.poll();
        let expected: Vec<&str> = lines.iter().map(AsRef::as_ref).collect();
        assert_eq!(self.bodies(), expected);
    }

    /// The attributes of a record as `name=value`.
    pub(super) fn attributes(&self, at: usize) -> Vec<String> {
        shown(&self.records()[at].0.attributes)
    }
}

/// Attributes as `name=value`.
pub(super) fn shown(attributes: &[KeyValue]) -> Vec<String> {
    attributes.iter().map(|pair| format!("{}={}", pair.key, text(pair.value.as_ref()))).collect()
}

/// A value as text.
pub(super) fn text(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        None => String::new(),
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::BoolValue(value)) => value.to_string(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::DoubleValue(number)) => format!("{number:?}"),
        Some(Value::BytesValue(bytes)) => format!("{bytes:?}"),
        Some(other) => format!("{other:?}"),
    }
}
