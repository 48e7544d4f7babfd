//! Which files there are, and which of them are those that were read before: under another name, as a copy, out of gzip.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap, HashSet},
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    config::{Compression, FilelogConfig, StartAt},
    content::{Content, Stamp},
    cursor::{FileCursor, file_of, is_rotated_name},
    labels::Labels,
    mark::{Mark, TAIL_BYTES},
    metrics::EVENTS,
    scan::Scanner,
    tracked::Tracked,
};

/// How long a file that is gone, and read, is known: what comes of it may come later.
const GONE_KEPT_NS: u64 = 25 * 3_600_000_000_000;

/// A file that nothing leads to is closed when it has not grown for so long.
const GONE_OPEN_NS: u64 = 60_000_000_000;

/// A path that a file has left, and no other has taken, is looked after for so long.
const VACANT_NS: u64 = 3_600_000_000_000;

/// Bytes that are compared at once.
const COMPARED_BYTES: usize = 64 << 10;

/// The files of one receiver.
pub(super) struct Roster {
    receiver: String,
    config: Arc<FilelogConfig>,
    scanner: Scanner,
    /// By their numbers.
    pub(super) files: BTreeMap<u64, Tracked>,
    by_inode: HashMap<(u64, u64), u64>,
    next_id: u64,
    looks: u64,
    /// Whether `start_at` says where files begin: nothing was read before.
    is_first_ever: bool,
    is_urgent: bool,
    forgotten: Vec<u64>,
    /// Paths that could not be opened, or are left alone, so that it is said once.
    told: HashSet<PathBuf>,
}

/// A file that nobody knows by its inode.
struct Stranger {
    path: PathBuf,
    stamp: Stamp,
    /// Where it was written first; `None` when a pattern leads to it, and it is that path.
    stream: Option<PathBuf>,
}

/// A path that a file has left.
struct Left {
    path: PathBuf,
    /// When the file was written last while it was there.
    modified_ns: u64,
    stream: PathBuf,
}

/// What a file with known content is.
enum Kin {
    /// The file itself, elsewhere.
    Same(u64),
    /// A copy of one that is still there.
    Copy(u64),
}

impl Roster {
    pub(super) fn new(receiver: &str, config: Arc<FilelogConfig>, cursors: &[(Vec<u8>, Vec<u8>)], now_ns: u64) -> Self {
        let mut files = BTreeMap::new();
        for (source, cursor) in cursors {
            let Some(id) = file_of(receiver, source) else { continue };
            match FileCursor::decode(cursor) {
                Some(cursor) => drop(files.insert(id, Tracked::of_cursor(id, cursor, now_ns))),
                None => tracing::error!(receiver, file = id, "where a file was read to is not known any more"),
            }
        }
        let inodes = files.values().filter(|file: &&Tracked| !file.is_lost);
        let by_inode = inodes.map(|file| ((file.stamp.device, file.stamp.inode), file.id)).collect();
        let next_id = files.last_key_value().map_or(1, |(id, _)| id + 1);
        Self {
            receiver: receiver.to_owned(),
            scanner: Scanner::new(&config),
            config,
            is_first_ever: files.is_empty(),
            files,
            by_inode,
            next_id,
            looks: 0,
            is_urgent: false,
            forgotten: Vec::new(),
            told: HashSet::new(),
        }
    }

    /// Whether files were looked at once.
    pub(super) fn is_first_look(&self) -> bool {
        self.looks == 1
    }

    /// Looks at what is there.
    pub(super) fn look(&mut self, now_ns: u64) {
        self.looks += 1;
        let mut strangers = Vec::new();
        let mut left = Vec::new();
        for candidate in self.scanner.scan(now_ns) {
            let found = if candidate.is_link {
                if self.scanner.may_follow(&candidate.path) { fs::metadata(&candidate.path) } else { continue }
            } else {
                fs::symlink_metadata(&candidate.path)
            };
            let Ok(metadata) = found else { continue };
            if metadata.is_file() {
                let stranger = Stranger { path: candidate.path, stamp: Stamp::of(&metadata), stream: None };
                self.meet(stranger, now_ns, &mut strangers, &mut left);
            }
        }
        self.look_after_gone(now_ns, &mut strangers, &mut left);
        self.add_vacant(now_ns, &mut left);
        self.add_rotated(&left, now_ns, &mut strangers);
        // Of those written at the same time the one whose name has more behind it is older.
        strangers.sort_by(|one, other| {
            (one.stamp.modified_ns, Reverse(&one.path)).cmp(&(other.stamp.modified_ns, Reverse(&other.path)))
        });
        for stranger in strangers {
            self.introduce(stranger, now_ns);
        }
        self.look_at_copies(now_ns);
        self.is_first_ever = false;
    }

    /// A path leads to a file: one that is known, or a stranger.
    fn meet(&mut self, found: Stranger, now_ns: u64, strangers: &mut Vec<Stranger>, left: &mut Vec<Left>) {
        let inode = (found.stamp.device, found.stamp.inode);
        let Some(id) = self.by_inode.get(&inode).copied() else { return strangers.push(found) };
        let Some(file) = self.files.get_mut(&id) else { return };
        // A second name of the same file.
        if file.seen_in == self.looks {
            return;
        }
        let was_gone = file.gone_since_ns.take().is_some();
        let is_changed =
            was_gone || (file.stamp.bytes, file.stamp.modified_ns) != (found.stamp.bytes, found.stamp.modified_ns);
        if is_changed && !self.is_same(id, &found, now_ns) {
            return self.replaced(id, found, strangers, left);
        }
        let Some(file) = self.files.get_mut(&id) else { return };
        file.seen_in = self.looks;
        file.is_wanted = true;
        if file.path != found.path {
            let path = std::mem::replace(&mut file.path, found.path);
            let modified_ns = file.stamp.modified_ns.min(found.stamp.modified_ns);
            left.push(Left { path, modified_ns, stream: file.stream.clone() });
            file.labels = Labels::of(&file.path, &self.config);
            file.is_dirty = file.offset > 0;
            EVENTS.with_label_values(&[self.receiver.as_str(), "moved"]).inc();
        } else if was_gone {
            file.labels = Labels::of(&file.path, &self.config);
        }
        if is_changed {
            note_growth(file, found.stamp, now_ns);
        }
    }

    /// Whether a known inode still has what was read of it. What cannot be looked at is taken for the same.
    fn is_same(&mut self, id: u64, found: &Stranger, _now_ns: u64) -> bool {
        let Some(mut file) = self.files.remove(&id) else { return true };
        if file.content.is_none() {
            file.content = self.open(&found.path).map(|(content, _)| content);
        }
        let mut is_same = true;
        if let Some(mut content) = file.content.take() {
            is_same = file.is_unchanged(&mut content, &found.stamp).unwrap_or(true);
            if is_same {
                let _ = file.learn_beginning(&mut content, self.config.fingerprint_size);
            }
            file.content = Some(content);
        }
        self.files.insert(id, file);
        is_same
    }

    /// Another content is where a file was: it was cut to nothing, or its inode is another's.
    fn replaced(&mut self, id: u64, found: Stranger, strangers: &mut Vec<Stranger>, left: &mut Vec<Left>) {
        let Some(file) = self.files.get_mut(&id) else { return };
        self.by_inode.remove(&(found.stamp.device, found.stamp.inode));
        tracing::info!(path = %file.path.display(), offset = file.offset, "a file was cut or replaced: what is in it now is new");
        file.is_lost = true;
        file.is_dirty = true;
        file.content = None;
        file.gone_since_ns = Some(file.grown_at_ns);
        left.push(Left::of(file));
        EVENTS.with_label_values(&[self.receiver.as_str(), "truncated"]).inc();
        strangers.push(found);
    }

    /// Files that no pattern leads to any more: those that are open are read on, others are looked for beside where they were.
    fn look_after_gone(&mut self, now_ns: u64, strangers: &mut Vec<Stranger>, left: &mut Vec<Left>) {
        let gone: Vec<u64> = {
            let is_gone = |file: &&Tracked| file.seen_in != self.looks && !file.is_lost;
            self.files.values().filter(is_gone).map(|file| file.id).collect()
        };
        for id in gone {
            let Some(file) = self.files.get_mut(&id) else { continue };
            let is_new = file.gone_since_ns.is_none();
            let since_ns = *file.gone_since_ns.get_or_insert(now_ns);
            if is_new || self.looks == 1 {
                left.push(Left::of(file));
            }
            let stamp = file.content.as_ref().map(Content::stamp);
            match stamp {
                Some(Ok(stamp)) => {
                    if (stamp.bytes, stamp.modified_ns) != (file.stamp.bytes, file.stamp.modified_ns) {
                        let found = Stranger { path: file.path.clone(), stamp, stream: Some(file.stream.clone()) };
                        if self.is_same(id, &found, now_ns) {
                            if let Some(file) = self.files.get_mut(&id) {
                                note_growth(file, stamp, now_ns);
                            }
                        } else {
                            self.replaced(id, found, &mut Vec::new(), left);
                        }
                        continue;
                    }
                    let is_idle = now_ns.saturating_sub(since_ns.max(file.grown_at_ns)) > GONE_OPEN_NS;
                    if is_idle && (file.is_read || !file.has_more()) {
                        file.content = None;
                    }
                    if stamp.links == 0 && file.content.is_none() {
                        self.lose(id);
                    }
                }
                Some(Err(_)) => file.content = None,
                None if is_new || self.looks == 1 => self.find_gone(id, now_ns, strangers),
                None => {}
            }
        }
    }

    /// Looks beside where a file was for where it is now.
    fn find_gone(&mut self, id: u64, now_ns: u64, _strangers: &mut Vec<Stranger>) {
        let Some(file) = self.files.get(&id) else { return };
        let inode = (file.stamp.device, file.stamp.inode);
        let folder = file.path.parent().unwrap_or(Path::new("/")).to_owned();
        for entry in self.scanner.list(&folder, now_ns).iter().filter(|entry| !entry.is_folder && !entry.is_link) {
            let path = folder.join(&entry.name);
            let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
            let stamp = Stamp::of(&metadata);
            if (stamp.device, stamp.inode) != inode || !metadata.is_file() {
                continue;
            }
            let found = Stranger { path, stamp, stream: None };
            if !self.is_same(id, &found, now_ns) {
                break;
            }
            if let Some(file) = self.files.get_mut(&id) {
                file.path = found.path;
                file.labels = Labels::of(&file.path, &self.config);
                file.is_wanted = true;
                file.is_dirty = true;
                note_growth(file, stamp, now_ns);
                EVENTS.with_label_values(&[self.receiver.as_str(), "moved"]).inc();
            }
            return;
        }
        self.lose(id);
    }

    /// Nothing is left of a file but what may have been made of it.
    fn lose(&mut self, id: u64) {
        if let Some(file) = self.files.get_mut(&id) {
            self.by_inode.remove(&(file.stamp.device, file.stamp.inode));
            file.is_lost = true;
            file.is_dirty = true;
            file.content = None;
        }
    }

    /// Paths that files have left and no other has taken: what comes there may be gone from there at the next look.
    fn add_vacant(&self, now_ns: u64, left: &mut Vec<Left>) {
        let mut vacant: HashMap<&Path, u64> = HashMap::new();
        for file in self.files.values() {
            let is_recent = |since| now_ns.saturating_sub(since) < VACANT_NS;
            if file.path != file.stream || file.gone_since_ns.is_some_and(is_recent) {
                let modified_ns = vacant.entry(&file.stream).or_default();
                *modified_ns = file.stamp.modified_ns.max(*modified_ns);
            }
        }
        if vacant.is_empty() {
            return;
        }
        for file in self.files.values().filter(|file| file.seen_in == self.looks) {
            vacant.remove(&*file.path);
        }
        for (path, modified_ns) in vacant {
            left.push(Left { path: path.to_owned(), modified_ns, stream: path.to_owned() });
        }
    }

    /// Of paths that files have left: what rotation made of them since, and no pattern leads to.
    fn add_rotated(&mut self, left: &[Left], now_ns: u64, strangers: &mut Vec<Stranger>) {
        for Left { path: original, modified_ns, stream } in left {
            let folder = original.parent().unwrap_or(Path::new("/"));
            for entry in self.scanner.list(folder, now_ns).iter().filter(|entry| !entry.is_folder && !entry.is_link) {
                let path = folder.join(&entry.name);
                if !is_rotated_name(&path, original) || self.scanner.is_excluded(&path) {
                    continue;
                }
                if strangers.iter().any(|known| known.path == path) {
                    continue;
                }
                let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
                let stamp = Stamp::of(&metadata);
                let is_known = self.by_inode.contains_key(&(stamp.device, stamp.inode));
                // What is older was there before.
                if metadata.is_file() && !is_known && stamp.modified_ns >= *modified_ns {
                    strangers.push(Stranger { path, stamp, stream: Some(stream.clone()) });
                }
            }
        }
    }

    /// Makes a stranger known: as a file that was read before, as a copy of one, or as a new one.
    fn introduce(&mut self, stranger: Stranger, now_ns: u64) {
        let Stranger { path, stamp, stream } = stranger;
        if self.by_inode.contains_key(&(stamp.device, stamp.inode)) {
            return;
        }
        let oldest = self.config.exclude_older_than.as_nanos() as u64;
        let is_old = oldest > 0 && now_ns.saturating_sub(stamp.modified_ns) > oldest;
        let Some((mut content, stamp)) = self.open(&path) else { return };
        if self.by_inode.contains_key(&(stamp.device, stamp.inode)) {
            return;
        }
        match self.kin(&path, &mut content, &stamp) {
            Ok(Some(Kin::Same(id))) => return self.goes_on(id, path, content, stamp, now_ns),
            Ok(Some(Kin::Copy(of))) => return self.add(Stranger { path, stamp, stream }, content, now_ns, Some(of)),
            Ok(None) => {}
            Err(error) => return self.tell(&path, &error),
        }
        if is_old {
            return;
        }
        if content.is_gzip() && self.config.compression == Compression::None && stream.is_none() {
            if self.told.len() < 10_000 && self.told.insert(path.clone()) {
                tracing::warn!(path = %path.display(), "gzip made this file: left alone, as compression does not say gzip");
            }
            return;
        }
        self.add(Stranger { path, stamp, stream }, content, now_ns, None);
    }

    /// Adds a file.
    fn add(&mut self, stranger: Stranger, mut content: Content, now_ns: u64, copy_of: Option<u64>) {
        let Stranger { path, stamp, stream } = stranger;
        let is_candidate = stream.is_none();
        if self.files.len() >= self.config.files_max {
            let words = io::Error::other(format!("more than {} files (files_max)", self.config.files_max));
            return self.tell(&path, &words);
        }
        let id = self.next_id;
        self.next_id += 1;
        let labels = Labels::of(&path, &self.config);
        let mut file = Tracked::new(id, path, stamp, content.is_gzip(), labels, now_ns);
        file.stream = stream.unwrap_or(file.stream);
        file.copy_of = copy_of.map(|of| (of, 0));
        file.seen_in = if is_candidate { self.looks } else { 0 };
        file.gone_since_ns = (!is_candidate).then_some(now_ns);
        let begun = file.learn_beginning(&mut content, self.config.fingerprint_size).and_then(|()| {
            if self.is_first_ever && self.config.start_at == StartAt::End {
                file.skip_to_end(&mut content)
            } else {
                Ok(())
            }
        });
        if let Err(error) = begun {
            return self.tell(&file.path.clone(), &error);
        }
        // A start would begin elsewhere if the journal did not know.
        self.is_urgent |= file.offset > 0;
        file.is_dirty = file.offset > 0;
        file.content = Some(content);
        self.by_inode.insert((stamp.device, stamp.inode), id);
        self.files.insert(id, file);
        let event = if copy_of.is_some() { "copied" } else { "begun" };
        EVENTS.with_label_values(&[self.receiver.as_str(), event]).inc();
    }

    /// A file that was lost is there again, as another one.
    fn goes_on(&mut self, id: u64, path: PathBuf, content: Content, stamp: Stamp, now_ns: u64) {
        let Some(file) = self.files.get_mut(&id) else { return };
        tracing::info!(from = %file.path.display(), to = %path.display(), offset = file.offset, "a file goes on as another");
        file.labels = Labels::of(&path, &self.config);
        file.path = path;
        file.is_gzip = content.is_gzip();
        file.content = Some(content);
        file.is_lost = false;
        file.is_wanted = true;
        file.is_dirty = true;
        file.is_read = false;
        file.gone_since_ns = None;
        file.seen_in = self.looks;
        file.stamp = stamp;
        file.grown_at_ns = now_ns;
        self.by_inode.insert((stamp.device, stamp.inode), id);
        EVENTS.with_label_values(&[self.receiver.as_str(), "continued"]).inc();
    }

    /// The known file whose content this one has, if there is one.
    fn kin(&mut self, path: &Path, content: &mut Content, stamp: &Stamp) -> io::Result<Option<Kin>> {
        let mut first = vec![0; self.config.fingerprint_size as usize];
        let read = content.read(0, &mut first)?;
        let first = &first[..read];
        if first.is_empty() {
            return Ok(None);
        }
        let prefixes = prefix_marks(first);
        let mut lost: Option<(u64, u64)> = None;
        let mut copied: Option<(u64, u64)> = None;
        for file in self.files.values_mut() {
            let begins_so = |mark: &Mark| mark.bytes > 0 && prefixes.get(mark.bytes as usize) == Some(&mark.hash);
            if file.is_lost {
                let fits = begins_so(&file.beginning) && (content.is_gzip() || stamp.bytes >= file.offset);
                let tail = file.tail_mark();
                if fits && tail.is_at(content, file.offset.saturating_sub(u64::from(tail.bytes)))? {
                    lost = lost.max(Some((file.offset, file.id)));
                }
                continue;
            }
            let may_be_copy = file.copy_of.is_none() && (content.is_gzip() || is_rotated_name(path, &file.path));
            // A copy that is being made is shorter than what is known of the beginning.
            let is_like = begins_so(&file.beginning) || (read as u32) < file.beginning.bytes;
            if may_be_copy
                && is_like
                && let Some(original) = file.content.as_mut()
            {
                let (same, differs) = compare(content, original, 0)?;
                if !differs {
                    copied = copied.max(Some((same, file.id)));
                }
            }
        }
        Ok(lost.map(|(_, id)| Kin::Same(id)).or(copied.map(|(_, id)| Kin::Copy(id))))
    }

    /// Copies become what they are copies of when that is lost, and files of their own when they differ.
    fn look_at_copies(&mut self, now_ns: u64) {
        let copies: Vec<(u64, u64)> = self.files.values().filter_map(|file| Some((file.id, file.copy_of?.0))).collect();
        for (id, of) in copies {
            let Some(mut copy) = self.files.remove(&id) else { continue };
            let is_done = match (copy.content.take(), self.files.get_mut(&of)) {
                (Some(mut content), Some(original)) if original.is_lost => {
                    let stamp = copy.stamp;
                    if original.is_unchanged(&mut content, &stamp).unwrap_or(false) {
                        self.forgotten.push(id);
                        self.goes_on(of, copy.path.clone(), content, stamp, now_ns);
                        continue;
                    }
                    copy.content = Some(content);
                    true
                }
                (Some(mut content), Some(original)) => {
                    let differs = differs(&mut content, original, &mut copy);
                    copy.content = Some(content);
                    differs
                }
                (content, _) => {
                    copy.content = content;
                    true
                }
            };
            if is_done {
                copy.copy_of = None;
                copy.is_read = false;
            }
            self.files.insert(id, copy);
        }
    }

    /// A file's content, opened if it is not open.
    pub(super) fn opened(&mut self, file: &mut Tracked) -> Option<Content> {
        if let Some(content) = file.content.take() {
            return Some(content);
        }
        let (content, stamp) = self.open(&file.path)?;
        // Another one by now: the next look tells.
        ((stamp.device, stamp.inode) == (file.stamp.device, file.stamp.inode)).then_some(content)
    }

    fn open(&mut self, path: &Path) -> Option<(Content, Stamp)> {
        match Content::open(path) {
            Ok(opened) => {
                if opened.is_some() && !self.told.is_empty() {
                    self.told.remove(path);
                }
                opened
            }
            Err(error) => {
                self.tell(path, &error);
                None
            }
        }
    }

    fn tell(&mut self, path: &Path, error: &io::Error) {
        // One that is gone again is nothing to tell of.
        if error.kind() == io::ErrorKind::NotFound || self.told.len() >= 10_000 || !self.told.insert(path.to_owned()) {
            return;
        }
        EVENTS.with_label_values(&[self.receiver.as_str(), "failed"]).inc();
        tracing::warn!(path = %path.display(), %error, "a file cannot be read for now");
    }

    /// Reading a file failed; it is tried again when it is looked at next.
    pub(super) fn failed(&mut self, file: &mut Tracked, error: &io::Error) {
        file.content = None;
        file.is_failing = true;
        self.tell(&file.path.clone(), error);
    }

    /// The files that have something to read, oldest first.
    pub(super) fn turns(&mut self, now_ns: u64, period: std::time::Duration) -> Vec<u64> {
        let mut turns: Vec<&mut Tracked> =
            self.files.values_mut().filter(|file| file.has_turn(now_ns, period)).collect();
        // Of those written at the same time the one that was known first.
        turns.sort_by_key(|file| (file.stamp.modified_ns, file.id));
        turns.iter_mut().for_each(|file| file.is_failing = false);
        turns.into_iter().map(|file| file.id).collect()
    }

    /// Closes files beyond those that may be open, those first that did not grow for longest.
    pub(super) fn close_surplus(&mut self) {
        let open = self.open_files();
        if open <= self.config.max_concurrent_files {
            return;
        }
        let mut idle: Vec<(u64, u64)> = self
            .files
            .values()
            .filter(|file| file.content.is_some() && file.gone_since_ns.is_none() && file.copy_of.is_none())
            .map(|file| (file.grown_at_ns, file.id))
            .collect();
        idle.sort_unstable();
        for (_, id) in idle.into_iter().take(open - self.config.max_concurrent_files) {
            if let Some(file) = self.files.get_mut(&id) {
                file.content = None;
            }
        }
    }

    /// Whether the journal must know at once where files stand.
    pub(super) fn take_urgent(&mut self) -> bool {
        std::mem::take(&mut self.is_urgent) || !self.forgotten.is_empty()
    }

    /// Files that are not known any more.
    pub(super) fn take_forgotten(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.forgotten)
    }

    /// Forgets files that are gone for long.
    pub(super) fn forget(&mut self, now_ns: u64) {
        let is_over = |file: &Tracked| {
            file.content.is_none()
                && file.seen_in != self.looks
                && file.open.is_empty()
                && file.gone_since_ns.is_some_and(|since| now_ns.saturating_sub(since) > GONE_KEPT_NS)
        };
        let over: Vec<u64> = self.files.values().filter(|file| is_over(file)).map(|file| file.id).collect();
        for id in over {
            if let Some(file) = self.files.remove(&id) {
                self.by_inode.remove(&(file.stamp.device, file.stamp.inode));
            }
            self.forgotten.push(id);
        }
    }

    /// Files that are open.
    pub(super) fn open_files(&self) -> usize {
        self.files.values().filter(|file| file.content.is_some()).count()
    }

    /// Bytes that are not read yet; of compressed files nobody knows.
    pub(super) fn lag_bytes(&self) -> u64 {
        let of_file = |file: &Tracked| match file.is_lost || file.is_gzip || file.copy_of.is_some() {
            true => 0,
            false => file.stamp.bytes.saturating_sub(file.offset),
        };
        self.files.values().map(of_file).sum()
    }
}

fn note_growth(file: &mut Tracked, stamp: Stamp, now_ns: u64) {
    if file.stamp.bytes >= stamp.bytes {
        // What was empty may be written to now.
        file.zeros_until = 0;
    }
    file.stamp = stamp;
    file.is_read = false;
    file.grown_at_ns = now_ns;
}

/// By their length, the hashes of all beginnings of a text.
fn prefix_marks(text: &[u8]) -> Vec<u64> {
    let mut marks = Vec::with_capacity(text.len() + 1);
    marks.push(Mark::of(b"").hash);
    for byte in text {
        let hash = *marks.last().expect("one is there");
        marks.push(Mark { bytes: 0, hash }.and(*byte));
    }
    marks
}

/// Whether a copy is none: compares both as far as they go, from where it was compared to before.
fn differs(content: &mut Content, original: &mut Tracked, copy: &mut Tracked) -> bool {
    let (Some(of_original), Some((of, at))) = (original.content.as_mut(), copy.copy_of) else { return false };
    match compare(content, of_original, at) {
        Ok((same, differs)) => {
            copy.copy_of = Some((of, same));
            differs
        }
        Err(_) => false,
    }
}

/// Up to where two contents are the same, from `at` on, and whether they differ there: one that ends does not.
fn compare(one: &mut Content, other: &mut Content, at: u64) -> io::Result<(u64, bool)> {
    let (mut ones, mut others) = (vec![0; COMPARED_BYTES], vec![0; COMPARED_BYTES]);
    let mut at = at;
    loop {
        let both = one.read(at, &mut ones)?.min(other.read(at, &mut others)?);
        if ones[..both] != others[..both] {
            return Ok((at, true));
        }
        at += both as u64;
        if both < COMPARED_BYTES {
            return Ok((at, false));
        }
    }
}

impl Left {
    fn of(file: &Tracked) -> Self {
        Self { path: file.path.clone(), modified_ns: file.stamp.modified_ns, stream: file.stream.clone() }
    }
}

impl Tracked {
    /// Begins behind everything that is there.
    fn skip_to_end(&mut self, content: &mut Content) -> io::Result<()> {
        let mut end = self.stamp.bytes;
        if self.is_gzip {
            let mut buffer = vec![0; COMPARED_BYTES];
            end = 0;
            loop {
                match content.read(end, &mut buffer)? {
                    0 => break,
                    read => end += read as u64,
                }
            }
        }
        let begin = end.saturating_sub(TAIL_BYTES);
        let mut tail = vec![0; (end - begin) as usize];
        let read = content.read(begin, &mut tail)?;
        tail.truncate(read);
        self.tail = Some(tail);
        self.offset = begin + read as u64;
        Ok(())
    }
}
