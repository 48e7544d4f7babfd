//! A folder, a journal that keeps what it is told, and a reader that can be killed at any moment.

use std::{
    cell::Cell,
    collections::BTreeMap,
    fs,
    io::{Read, Write},
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
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
    /// Of the largest packages, the bytes of lines and of cursors.
    pub(super) bytes_max: (usize, usize),
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
        let of_cursors = package.cursors.iter().map(|(source, cursor)| source.len() + cursor.len()).sum();
        kept.bytes_max.0 = kept.bytes_max.0.max(package.payload.len());
        kept.bytes_max.1 = kept.bytes_max.1.max(of_cursors);
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
    now_ns: Cell<u64>,
    clock: Clock,
    tailer: Option<Tailer<Journal>>,
    /// The file system's time goes with this world's, so many ms apart.
    apart_ms: Option<i64>,
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
        let now_ns = Cell::new(now_ns);
        Self { folder, config, journal: Journal::default(), now_ns, clock, tailer: None, apart_ms: None }
    }

    /// The same, where files are modified when this world's clock says so, so many ms apart, and folders in ticks of a second.
    pub(super) fn with_own_time(keys: &str, apart_ms: i64) -> Self {
        Self { apart_ms: Some(apart_ms), ..Self::new(keys) }
    }

    /// Something happens: a millisecond passes, and these files were written to then.
    fn happened(&self, names: &[&str], folders: &[&str]) {
        let Some(apart_ms) = self.apart_ms else { return };
        self.now_ns.set(self.now_ns.get() + 1_000_000);
        self.clock.set(self.now_ns.get());
        let at_ns = self.now_ns.get().saturating_add_signed(apart_ms * 1_000_000);
        for name in names {
            let file = fs::File::options().append(true).open(self.path(name)).expect("opened");
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_nanos(at_ns)).expect("set");
        }
        for folder in folders {
            let file = fs::File::open(self.path(folder)).expect("opened");
            let tick = Duration::from_secs(at_ns / 1_000_000_000);
            file.set_modified(SystemTime::UNIX_EPOCH + tick).expect("set");
        }
    }

    /// What a name lies in.
    fn folder_of(name: &str) -> &str {
        name.rsplit_once('/').map_or(".", |(folder, _)| folder)
    }

    /// Writes to a file that somebody holds, whatever it is called.
    pub(super) fn write_to(&self, file: &mut fs::File, text: &[u8]) {
        file.write_all(text).expect("written");
        if let Some(apart_ms) = self.apart_ms {
            self.happened(&[], &[]);
            let at_ns = self.now_ns.get().saturating_add_signed(apart_ms * 1_000_000);
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_nanos(at_ns)).expect("set");
        }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Appends to a file, which is made when it is not there.
    pub(super) fn append(&self, name: &str, text: impl AsRef<[u8]>) {
        let is_new = !self.path(name).exists();
        self.opened(name).write_all(text.as_ref()).expect("written");
        self.happened(&[name], if is_new { &["."] } else { &[] });
    }

    /// A file that is open, as its writer has it.
    pub(super) fn opened(&self, name: &str) -> fs::File {
        fs::OpenOptions::new().create(true).append(true).open(self.path(name)).expect("opened")
    }

    pub(super) fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).expect("renamed");
        self.happened(&[], &[Self::folder_of(from), Self::folder_of(to)]);
    }

    /// As `gzip` does it: the original goes when the other is whole.
    pub(super) fn gzip(&self, from: &str, to: &str) {
        let rest = self.gzip_some(from, to, 1, 1);
        self.gzip_rest(from, to, &rest);
    }

    /// Writes so much of what gzip makes of a file; answers the rest.
    pub(super) fn gzip_some(&self, from: &str, to: &str, parts: usize, of: usize) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&fs::read(self.path(from)).expect("read")).expect("written");
        let mut some = encoder.finish().expect("written");
        let rest = some.split_off(some.len() * parts / of);
        fs::write(self.path(to), some).expect("written");
        self.happened(&[to], &["."]);
        rest
    }

    /// And the rest.
    pub(super) fn gzip_rest(&self, from: &str, to: &str, rest: &[u8]) {
        let mut file = self.opened(to);
        file.write_all(rest).expect("written");
        self.happened(&[to], &[]);
        let modified = fs::metadata(self.path(from)).and_then(|metadata| metadata.modified());
        file.set_modified(modified.expect("known")).expect("set");
        self.remove(from);
    }

    /// What is in a file, out of gzip where that made it.
    pub(super) fn content_of(&self, name: &str) -> Vec<u8> {
        let bytes = fs::read(self.path(name)).expect("read");
        let mut content = Vec::new();
        match bytes.starts_with(&[0x1f, 0x8b]) {
            true => drop(flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_end(&mut content).expect("whole")),
            false => content = bytes,
        }
        content
    }

    pub(super) fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).expect("removed");
        self.happened(&[], &["."]);
    }

    pub(super) fn copy(&self, from: &str, to: &str) {
        fs::copy(self.path(from), self.path(to)).expect("copied");
        self.happened(&[to], &["."]);
    }

    pub(super) fn truncate(&self, name: &str) {
        fs::OpenOptions::new().write(true).open(self.path(name)).expect("opened").set_len(0).expect("cut");
        self.happened(&[name], &[]);
    }

    /// A file is so long now; what it had not is zeros.
    pub(super) fn stretch(&self, name: &str, bytes: u64) {
        self.opened(name).set_len(bytes).expect("stretched");
        self.happened(&[name], &[]);
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
        self.now_ns.set(self.now_ns.get().saturating_add_signed(ms * 1_000_000));
        self.clock.set(self.now_ns.get());
    }

    /// Time passes.
    pub(super) fn wait(&mut self, ms: u64) {
        self.now_ns.set(self.now_ns.get() + ms * 1_000_000);
        self.clock.set(self.now_ns.get());
    }

    /// What the reader knows.
    pub(super) fn known(&self) -> String {
        let Some(tailer) = &self.tailer else { return "nobody reads".into() };
        let shown = tailer.roster.files.values().map(|file| {
            let name = |path: &std::path::Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let flags = [
                (file.is_lost, "lost"),
                (file.is_gzip, "gzip"),
                (file.content.is_some(), "open"),
                (file.gone_since_ns.is_some(), "gone"),
                (file.is_wanted, "wanted"),
                (file.is_read, "read"),
                (file.is_dirty, "dirty"),
                (file.is_failing, "failing"),
            ];
            let flags: Vec<&str> = flags.into_iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| flag).collect();
            let (path, stream) = (name(&file.path), name(&file.stream));
            let (inode, begins) = (file.stamp.inode % 10_000, file.beginning.bytes);
            let (offset, bytes, copy_of) = (file.offset, file.stamp.bytes, file.copy_of);
            format!("    {} {path} of {stream}: inode {inode}, begins {begins}, {offset} of {bytes}, {copy_of:?} {flags:?}\n", file.id)
        });
        shown.collect()
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
