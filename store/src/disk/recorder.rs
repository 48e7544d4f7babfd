//! Writes down every operation on the disk, and builds the state that a power cut after any of them would leave.
//!
//! The model: a file's content is durable up to its last sync, a folder's names up to the folder's last sync. What
//! came later may be lost ([`Unsynced::Lost`]), there ([`Unsynced::Kept`]), or there in parts ([`Unsynced::Torn`]).

use std::{
    collections::{BTreeMap, HashMap},
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::{Mutex, MutexGuard};

/// Unsynced writes are kept or lost in pieces of this size, as a disk does.
const SECTOR_BYTES: usize = 512;

/// What becomes of operations that no sync covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsynced {
    /// Gone.
    Lost,
    /// All there, as after `kill -9`.
    Kept,
    /// Each sector of each write is there or not; of each folder's changes the first few are. Drawn from this seed.
    Torn(u64),
}

/// A recording of what happened below one folder. Clones share it.
#[derive(Clone, Debug)]
pub struct Recorder(Arc<Mutex<Recording>>);

#[derive(Debug)]
struct Recording {
    root: PathBuf,
    /// What is where now, by path relative to the root.
    names: HashMap<PathBuf, usize>,
    base: Vec<Node>,
    operations: Vec<Operation>,
    nodes: usize,
    /// Files in the root that others write: their names, nodes and contents when last looked at.
    foreign: Vec<Foreign>,
}

#[derive(Debug)]
struct Foreign {
    name: OsString,
    node: usize,
    content: Option<Vec<u8>>,
}

#[derive(Debug, Clone)]
enum Operation {
    File { node: usize },
    Folder { node: usize },
    Name { folder: usize, changes: Vec<(OsString, Option<usize>)> },
    Write { node: usize, position: u64, bytes: Vec<u8> },
    Length { node: usize, bytes: u64 },
    SyncFile { node: usize },
    SyncFolder { node: usize },
    Foreign { name: OsString, node: usize, content: Option<Vec<u8>> },
}

#[derive(Debug, Clone)]
enum Node {
    File { durable: Vec<u8>, unsynced: Vec<Change> },
    Folder { durable: BTreeMap<OsString, usize>, unsynced: Vec<Vec<(OsString, Option<usize>)>> },
}

#[derive(Debug, Clone)]
enum Change {
    Write(u64, Vec<u8>),
    Length(u64),
}

const ROOT: usize = 0;

impl Recorder {
    /// Records what happens below `root`; what is there already counts as durable.
    pub fn new(root: &Path) -> io::Result<Self> {
        let mut recording = Recording {
            root: root.to_owned(),
            names: HashMap::new(),
            base: Vec::new(),
            operations: Vec::new(),
            nodes: 0,
            foreign: Vec::new(),
        };
        recording.take_in(root, Path::new(""))?;
        recording.nodes = recording.base.len();
        Ok(Self(Arc::new(Mutex::new(recording))))
    }

    /// Follows files in the root that are written and synced by others (a database's): whenever an operation is written down, or
    /// a moment taken, what is in them counts as durable. Given in the order in which they are to be looked at.
    pub fn follow(&self, names: &[&str]) {
        let mut recording = self.lock();
        for name in names {
            let node = recording.names.get(Path::new(name)).copied().unwrap_or(recording.nodes);
            if node == recording.nodes {
                recording.nodes += 1;
                recording.names.insert(name.into(), node);
                recording.operations.push(Operation::File { node });
            }
            recording.foreign.push(Foreign { name: name.into(), node, content: None });
        }
    }

    /// The last moment before each at which something became durable, and now: between two of them every state that a
    /// cut leaves ([`Unsynced::Lost`]) is the same.
    pub fn cuts(&self) -> Vec<usize> {
        let recording = self.lock();
        let makes_durable = |operation: &Operation| {
            matches!(operation, Operation::SyncFile { .. } | Operation::SyncFolder { .. } | Operation::Foreign { .. })
        };
        let operations = recording.operations.iter().enumerate();
        let before = operations.filter(|(_, operation)| makes_durable(operation)).map(|(moment, _)| moment);
        before.chain([recording.operations.len()]).collect()
    }

    /// How many operations there are so far: a moment to cut at.
    pub fn moment(&self) -> usize {
        self.lock().operations.len()
    }

    /// Builds, in the empty folder `into`, what is there after a power cut just after operation `moment`.
    pub fn materialise(&self, moment: usize, unsynced: Unsynced, into: &Path) -> io::Result<()> {
        let recording = self.lock();
        let mut nodes = recording.base.clone();
        for operation in &recording.operations[..moment] {
            apply(&mut nodes, operation);
        }
        let mut draw = Draw(match unsynced {
            Unsynced::Torn(seed) => seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            _ => 1,
        });
        build(&nodes, ROOT, unsynced, &mut draw, into)
    }

    pub(super) fn create(&self, path: &Path) {
        self.lock().add(path, |node| Operation::File { node });
    }

    pub(super) fn make_folder(&self, path: &Path) {
        self.lock().add(path, |node| Operation::Folder { node });
    }

    pub(super) fn rename(&self, from: &Path, to: &Path) {
        let mut recording = self.lock();
        let (from, to) = (recording.relative(from), recording.relative(to));
        let node = recording.names[&from];
        // All names below a renamed folder move with it.
        let moved: Vec<_> = recording.names.keys().filter(|path| path.starts_with(&from)).cloned().collect();
        for path in moved {
            let below = path.strip_prefix(&from).expect("filtered by this prefix").to_owned();
            let node = recording.names.remove(&path).expect("listed just now");
            let target = if below.as_os_str().is_empty() { to.clone() } else { to.join(below) };
            recording.names.insert(target, node);
        }
        let (from_folder, from_name) = recording.split(&from);
        let (to_folder, to_name) = recording.split(&to);
        if from_folder == to_folder {
            let changes = vec![(from_name, None), (to_name, Some(node))];
            recording.operations.push(Operation::Name { folder: from_folder, changes });
        } else {
            recording.operations.push(Operation::Name { folder: to_folder, changes: vec![(to_name, Some(node))] });
            recording.operations.push(Operation::Name { folder: from_folder, changes: vec![(from_name, None)] });
        }
    }

    pub(super) fn unlink(&self, path: &Path) {
        let mut recording = self.lock();
        let path = recording.relative(path);
        recording.names.retain(|name, _| !name.starts_with(&path));
        let (folder, name) = recording.split(&path);
        recording.operations.push(Operation::Name { folder, changes: vec![(name, None)] });
    }

    pub(super) fn write(&self, node: usize, position: u64, bytes: &[u8]) {
        self.lock().operations.push(Operation::Write { node, position, bytes: bytes.to_vec() });
    }

    pub(super) fn set_length(&self, node: usize, bytes: u64) {
        self.lock().operations.push(Operation::Length { node, bytes });
    }

    pub(super) fn sync_file(&self, node: usize) {
        self.lock().operations.push(Operation::SyncFile { node });
    }

    pub(super) fn sync_folder(&self, path: &Path) {
        let mut recording = self.lock();
        // A folder above the root is not ours to model.
        if !path.starts_with(&recording.root) {
            return;
        }
        let path = recording.relative(path);
        let node = recording.names[&path];
        recording.operations.push(Operation::SyncFolder { node });
    }

    /// The node that a path names now.
    pub(super) fn node(&self, path: &Path) -> usize {
        let recording = self.lock();
        recording.names[&recording.relative(path)]
    }

    fn lock(&self) -> MutexGuard<'_, Recording> {
        let mut recording = self.0.lock();
        recording.look_at_foreign();
        recording
    }
}

impl Recording {
    fn look_at_foreign(&mut self) {
        for foreign in &mut self.foreign {
            let content = std::fs::read(self.root.join(&foreign.name)).ok();
            if content != foreign.content {
                foreign.content.clone_from(&content);
                let name = foreign.name.clone();
                self.operations.push(Operation::Foreign { name, node: foreign.node, content });
            }
        }
    }

    fn relative(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.root).expect("only paths below the recorder's root are recorded").to_owned()
    }

    fn split(&self, path: &Path) -> (usize, OsString) {
        let folder = path.parent().expect("the root is never renamed or removed");
        (self.names[folder], path.file_name().expect("recorded paths end in a name").to_owned())
    }

    fn add(&mut self, path: &Path, operation: impl FnOnce(usize) -> Operation) {
        let path = self.relative(path);
        let node = self.nodes;
        self.nodes += 1;
        self.operations.push(operation(node));
        let (folder, name) = self.split(&path);
        self.operations.push(Operation::Name { folder, changes: vec![(name, Some(node))] });
        self.names.insert(path, node);
    }

    fn take_in(&mut self, path: &Path, relative: &Path) -> io::Result<usize> {
        let node = self.base.len();
        self.names.insert(relative.to_owned(), node);
        if path.is_file() {
            self.base.push(Node::File { durable: std::fs::read(path)?, unsynced: Vec::new() });
            return Ok(node);
        }
        self.base.push(Node::Folder { durable: BTreeMap::new(), unsynced: Vec::new() });
        let mut children = BTreeMap::new();
        for entry in std::fs::read_dir(path)? {
            let name = entry?.file_name();
            let child = self.take_in(&path.join(&name), &relative.join(&name))?;
            children.insert(name, child);
        }
        self.base[node] = Node::Folder { durable: children, unsynced: Vec::new() };
        Ok(node)
    }
}

fn apply(nodes: &mut Vec<Node>, operation: &Operation) {
    match operation {
        Operation::File { node } => {
            debug_assert_eq!(*node, nodes.len());
            nodes.push(Node::File { durable: Vec::new(), unsynced: Vec::new() });
        }
        Operation::Folder { node } => {
            debug_assert_eq!(*node, nodes.len());
            nodes.push(Node::Folder { durable: BTreeMap::new(), unsynced: Vec::new() });
        }
        Operation::Name { folder, changes } => {
            if let Node::Folder { unsynced, .. } = &mut nodes[*folder] {
                unsynced.push(changes.clone());
            }
        }
        Operation::Write { node, position, bytes } => {
            if let Node::File { unsynced, .. } = &mut nodes[*node] {
                unsynced.push(Change::Write(*position, bytes.clone()));
            }
        }
        Operation::Length { node, bytes } => {
            if let Node::File { unsynced, .. } = &mut nodes[*node] {
                unsynced.push(Change::Length(*bytes));
            }
        }
        Operation::SyncFile { node } => {
            if let Node::File { durable, unsynced } = &mut nodes[*node] {
                for change in unsynced.drain(..) {
                    change.apply(durable);
                }
            }
        }
        Operation::Foreign { name, node, content } => {
            if let Some(content) = content {
                nodes[*node] = Node::File { durable: content.clone(), unsynced: Vec::new() };
            }
            if let Node::Folder { durable, .. } = &mut nodes[ROOT] {
                rename_entries(durable, &[(name.clone(), content.as_ref().map(|_| *node))]);
            }
        }
        Operation::SyncFolder { node } => {
            if let Node::Folder { durable, unsynced } = &mut nodes[*node] {
                for changes in unsynced.drain(..) {
                    rename_entries(durable, &changes);
                }
            }
        }
    }
}

impl Change {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Length(bytes) => content.resize(*bytes as usize, 0),
            Self::Write(position, bytes) => overwrite(content, *position as usize, bytes),
        }
    }
}

fn overwrite(content: &mut Vec<u8>, position: usize, bytes: &[u8]) {
    let end = position + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[position..end].copy_from_slice(bytes);
}

fn rename_entries(entries: &mut BTreeMap<OsString, usize>, changes: &[(OsString, Option<usize>)]) {
    for (name, node) in changes {
        match node {
            Some(node) => entries.insert(name.clone(), *node),
            None => entries.remove(name),
        };
    }
}

fn build(nodes: &[Node], node: usize, rule: Unsynced, draw: &mut Draw, path: &Path) -> io::Result<()> {
    match &nodes[node] {
        Node::File { durable, unsynced } => {
            let mut content = durable.clone();
            for change in unsynced {
                match (rule, change) {
                    (Unsynced::Lost, _) => {}
                    (Unsynced::Kept, _) => change.apply(&mut content),
                    (Unsynced::Torn(_), Change::Write(position, bytes)) => {
                        tear(&mut content, *position as usize, bytes, draw);
                    }
                    (Unsynced::Torn(_), Change::Length(_)) if draw.coin() => change.apply(&mut content),
                    (Unsynced::Torn(_), Change::Length(_)) => {}
                }
            }
            std::fs::write(path, content)
        }
        Node::Folder { durable, unsynced } => {
            let mut entries = durable.clone();
            let kept = match rule {
                Unsynced::Lost => 0,
                Unsynced::Kept => unsynced.len(),
                Unsynced::Torn(_) => draw.below(unsynced.len() + 1),
            };
            for changes in &unsynced[..kept] {
                rename_entries(&mut entries, changes);
            }
            std::fs::create_dir_all(path)?;
            for (name, child) in entries {
                build(nodes, child, rule, draw, &path.join(name))?;
            }
            Ok(())
        }
    }
}

/// Keeps some of the sectors that a write touches.
fn tear(content: &mut Vec<u8>, position: usize, bytes: &[u8], draw: &mut Draw) {
    let mut from = 0;
    while from < bytes.len() {
        let to_sector_end = SECTOR_BYTES - (position + from) % SECTOR_BYTES;
        let to = (from + to_sector_end).min(bytes.len());
        if draw.coin() {
            overwrite(content, position + from, &bytes[from..to]);
        }
        from = to;
    }
}

/// A small xorshift generator: the same seed tears in the same places.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn coin(&mut self) -> bool {
        self.next() & 0x100 != 0
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 16) as usize % bound
    }
}
