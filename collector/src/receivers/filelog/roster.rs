//! Which files there are, and which of them are those that were read before: under another name, as a copy, out of gzip.

mod gone;
mod keep;
mod kin;
mod left;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use self::{gone::lose_taken_over, kin::KinIndex, left::Left};
use super::{
    config::{Compression, FilelogConfig, StartAt},
    content::{Content, Stamp},
    cursor::{FileCursor, file_of},
    labels::Labels,
    metrics::EVENTS,
    scan::Scanner,
    tracked::Tracked,
};

/// The number of what is no file: that the journal knows it says that files were looked at before.
pub(super) const NO_FILE: u64 = 0;

/// While nothing is found in folders that was not there before, they are looked at only so often.
const CALM_SCAN_NS: u64 = 1_000_000_000;

/// So long after something was found they are looked at with every poll.
const STIRRED_NS: u64 = 10_000_000_000;

/// A step of the clock is noticed at the latest so long after it.
const STEP_SEEN_NS: u64 = 600_000_000_000;

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
    /// As the clock stands at this look; all other times are steady ones.
    clock_ns: u64,
    /// As far as it has ever been, and files were written.
    clock_ns_max: u64,
    /// How far behind that it has stepped, and as long as it is: by so much files may seem to be older than they are.
    stepped_back_ns: u64,
    /// Whether `start_at` says where files begin: nothing was read before.
    is_first_ever: bool,
    is_urgent: bool,
    forgotten: Vec<u64>,
    /// When folders were looked at last, and when something was found there that was not before.
    scanned_at_ns: u64,
    stirred_at_ns: u64,
    /// Paths beside which something is that no pattern leads to, and that could not be read: looked for again.
    again: Vec<Left>,
    /// Files that are open, as far as this look has come.
    open_now: usize,
    /// Paths that could not be opened, or are left alone, so that it is said once.
    told: HashSet<PathBuf>,
}

/// A file that nobody knows by its inode.
struct Stranger {
    path: PathBuf,
    stamp: Stamp,
    /// Where it was written first, when that is another path.
    stream: Option<PathBuf>,
    /// A pattern leads to it.
    is_candidate: bool,
    blank: Option<Blank>,
}

impl Stranger {
    /// Where it is found again, if no pattern leads to it.
    fn sought_again(&self) -> Option<Left> {
        let stream = self.stream.clone().filter(|_| !self.is_candidate)?;
        Some(Left { path: stream.clone(), modified_ns: self.stamp.modified_ns, stream })
    }
}

/// What a file was known as while nothing was in it.
struct Blank {
    id: u64,
    content: Option<Content>,
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
        let mut is_first_ever = true;
        for (source, cursor) in cursors {
            let Some(id) = file_of(receiver, source) else { continue };
            if id == NO_FILE {
                is_first_ever = false;
                continue;
            }
            match FileCursor::decode(cursor) {
                Some(cursor) => drop(files.insert(id, Tracked::of_cursor(id, cursor, now_ns))),
                None => tracing::error!(receiver, file = id, "where a file was read to is not known any more"),
            }
        }
        lose_taken_over(&mut files);
        let inodes = files.values().filter(|file: &&Tracked| !file.is_lost);
        let by_inode = inodes.map(|file| ((file.stamp.device, file.stamp.inode), file.id)).collect();
        let clock_ns_max = files.values().map(|file| file.stamp.modified_ns).max().unwrap_or(0).max(now_ns);
        let next_id = files.last_key_value().map_or(1, |(id, _)| id + 1);
        Self {
            receiver: receiver.to_owned(),
            scanner: Scanner::new(&config),
            config,
            is_first_ever: is_first_ever && files.is_empty(),
            is_urgent: is_first_ever,
            files,
            by_inode,
            next_id,
            looks: 0,
            clock_ns: now_ns,
            clock_ns_max,
            stepped_back_ns: 0,
            forgotten: Vec::new(),
            scanned_at_ns: 0,
            stirred_at_ns: 0,
            again: Vec::new(),
            open_now: 0,
            told: HashSet::new(),
        }
    }

    /// Whether files were looked at once.
    pub(super) fn is_first_look(&self) -> bool {
        self.looks == 1
    }

    /// Looks at what is there.
    pub(super) fn look(&mut self, now_ns: u64, clock_ns: u64) {
        self.note_clock(clock_ns);
        let is_calm = now_ns.saturating_sub(self.stirred_at_ns) > STIRRED_NS;
        let is_due = now_ns.saturating_sub(self.scanned_at_ns) >= CALM_SCAN_NS;
        if is_calm && !is_due && self.look_at_open(now_ns) {
            return;
        }
        self.scanned_at_ns = now_ns;
        let (files, by_inode) = (self.files.len(), self.by_inode.len());
        self.looks += 1;
        self.open_now = self.open_files();
        let mut strangers = Vec::new();
        let mut left = std::mem::take(&mut self.again);
        // Of several names of a file that itself goes before links to it: what follows it is beside it.
        let mut candidates = self.scanner.scan(now_ns);
        candidates.sort_by_key(|candidate| candidate.is_link);
        let mut met = HashSet::with_capacity(candidates.len());
        for candidate in candidates {
            let found =
                if candidate.is_link { fs::metadata(&candidate.path) } else { fs::symlink_metadata(&candidate.path) };
            let Ok(metadata) = found else { continue };
            let file = (metadata.dev(), metadata.ino());
            if candidate.is_link && metadata.is_file() && !self.scanner.may_follow(&candidate.path, file) {
                continue;
            }
            if metadata.is_file() && met.insert(file) {
                let (path, stamp) = (candidate.path, Stamp::of(&metadata));
                let stranger = Stranger { path, stamp, stream: None, is_candidate: true, blank: None };
                self.meet(stranger, now_ns, &mut strangers, &mut left);
            }
        }
        self.look_after_gone(now_ns, &mut strangers, &mut left);
        let has_left = !left.is_empty();
        self.add_vacant(now_ns, &mut left);
        self.add_rotated(&left, now_ns, &mut strangers);
        // Of those written at the same time what rotation made is older, and the name that has more behind it.
        strangers.sort_by(|one, other| {
            let key = |stranger: &Stranger| (stranger.stamp.modified_ns, stranger.stream.is_none());
            key(one).cmp(&key(other)).then_with(|| other.path.cmp(&one.path))
        });
        // What gzip makes of a file is known by that: both may be there, or a descriptor of the one be all that is left of it.
        strangers.sort_by_key(|stranger| stranger.path.extension().is_some_and(|end| end == "gz"));
        if !strangers.is_empty() {
            let mut index = KinIndex::of(self.files.values());
            let first_new = self.next_id;
            for stranger in strangers {
                self.introduce(stranger, &mut index, now_ns);
            }
            self.find_unfinished_copies(first_new, &index);
        }
        self.look_at_copies(now_ns);
        self.is_first_ever = false;
        if self.clock_ns == self.clock_ns_max {
            // What was written meanwhile is known now.
            self.stepped_back_ns = 0;
        }
        if has_left || (files, by_inode) != (self.files.len(), self.by_inode.len()) {
            self.stirred_at_ns = now_ns;
        }
    }

    /// The clock may step back: what is written then seems to be older than what was written before.
    fn note_clock(&mut self, clock_ns: u64) {
        self.clock_ns = clock_ns;
        if clock_ns >= self.clock_ns_max {
            self.clock_ns_max = clock_ns;
        } else {
            let behind_ns = self.clock_ns_max - clock_ns + STEP_SEEN_NS;
            self.stepped_back_ns = self.stepped_back_ns.max(behind_ns);
        }
    }

    /// Looks at files that are open, and at no folder; false when one of them is not what it was.
    fn look_at_open(&mut self, now_ns: u64) -> bool {
        for file in self.files.values_mut() {
            let Some(content) = file.content.as_mut() else { continue };
            let Ok(stamp) = content.stamp() else { return false };
            if file.is_doubtful {
                return false;
            }
            if (stamp.bytes, stamp.modified_ns) == (file.stamp.bytes, file.stamp.modified_ns) {
                continue;
            }
            if file.is_blank() {
                return false;
            }
            let Some(mut content) = file.content.take() else { continue };
            let is_same = file.is_unchanged(&mut content, &stamp).unwrap_or(false);
            if is_same {
                let _ = file.learn_beginning(&mut content, self.config.fingerprint_size);
                let _ = file.learn_unread(&mut content, &stamp);
                note_growth(file, stamp, now_ns);
            }
            file.content = Some(content);
            if !is_same {
                return false;
            }
        }
        true
    }

    /// A path leads to a file: one that is known, or a stranger.
    fn meet(&mut self, mut found: Stranger, now_ns: u64, strangers: &mut Vec<Stranger>, left: &mut Vec<Left>) {
        let inode = (found.stamp.device, found.stamp.inode);
        let Some(id) = self.by_inode.get(&inode).copied() else { return strangers.push(found) };
        let Some(file) = self.files.get_mut(&id) else { return };
        // A second name of the same file.
        if file.seen_in == self.looks {
            return;
        }
        let was_gone = file.gone_since_ns.take().is_some();
        let is_changed = was_gone
            || file.is_doubtful
            || (file.stamp.bytes, file.stamp.modified_ns) != (found.stamp.bytes, found.stamp.modified_ns);
        if is_changed && file.is_blank() {
            if file.path != found.path {
                left.push(Left::of(file));
            }
            found.blank = self.take_out(id);
            return strangers.push(found);
        }
        if is_changed && !self.is_same(id, &found) {
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
            // Where it was it could not be opened, perhaps.
            file.retry_at_ns = 0;
            file.has_left();
            EVENTS.with_label_values(&[self.receiver.as_str(), "moved"]).inc();
        } else if was_gone {
            file.labels = Labels::of(&file.path, &self.config);
        }
        if is_changed {
            note_growth(file, found.stamp, now_ns);
        }
    }

    /// Whether a known inode still has what was read of it. What cannot be looked at is taken for the same, until it can.
    fn is_same(&mut self, id: u64, found: &Stranger) -> bool {
        let Some(mut file) = self.files.remove(&id) else { return true };
        let was_open = file.content.is_some();
        if !was_open {
            file.content = self.open(&found.path).map(|(content, _)| content);
        }
        let mut is_same = true;
        file.is_doubtful = true;
        if let Some(mut content) = file.content.take() {
            let is_unchanged = file.is_unchanged(&mut content, &found.stamp);
            file.is_doubtful = is_unchanged.is_err();
            is_same = *is_unchanged.as_ref().unwrap_or(&true);
            if is_same && !file.is_doubtful {
                let _ = file.learn_beginning(&mut content, self.config.fingerprint_size);
                let _ = file.learn_unread(&mut content, &found.stamp);
                file.is_gzip = content.is_gzip();
            }
            if was_open || self.may_keep_open(self.config.max_concurrent_files) {
                file.content = Some(content);
            }
        }
        self.files.insert(id, file);
        is_same
    }

    /// Whether one more file may stay open, of so many; it is counted then.
    fn may_keep_open(&mut self, most: usize) -> bool {
        let may = self.open_now < most;
        self.open_now += usize::from(may);
        may
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

    /// Something was written to a file that was empty: what it is has to be found out as if it were new.
    fn take_out(&mut self, id: u64) -> Option<Blank> {
        let Tracked { stamp, content, .. } = self.files.remove(&id)?;
        self.by_inode.remove(&(stamp.device, stamp.inode));
        self.open_now = self.open_now.saturating_sub(usize::from(content.is_some()));
        Some(Blank { id, content })
    }

    /// Makes a stranger known: as a file that was read before, as a copy of one, or as a new one.
    fn introduce(&mut self, mut stranger: Stranger, index: &mut KinIndex, now_ns: u64) {
        let blank = stranger.blank.take();
        let known_as = blank.as_ref().map(|blank| blank.id);
        self.find_out(stranger, blank, index, now_ns);
        if let Some(id) = known_as.filter(|id| !self.files.contains_key(id)) {
            self.forgotten.push(id);
        }
    }

    /// What a stranger is; `blank` is what it was known as while nothing was in it.
    fn find_out(&mut self, stranger: Stranger, blank: Option<Blank>, index: &mut KinIndex, now_ns: u64) {
        let (known_as, open) = blank.map_or((None, None), |blank| (Some(blank.id), blank.content));
        let Stranger { path, stamp, stream, .. } = &stranger;
        if self.by_inode.contains_key(&(stamp.device, stamp.inode)) {
            return;
        }
        let oldest = self.config.exclude_older_than.as_nanos() as u64;
        let is_old = oldest > 0 && self.clock_ns.saturating_sub(stamp.modified_ns) > oldest;
        let opened = open.and_then(|content| content.again().ok()).or_else(|| self.open(path));
        let Some((mut content, stamp)) = opened else {
            self.again.extend(stranger.sought_again());
            return;
        };
        if self.by_inode.contains_key(&(stamp.device, stamp.inode)) {
            return;
        }
        let copy_of = match self.kin(index, (path, stream.as_deref(), now_ns), &mut content, &stamp, known_as.is_some())
        {
            Ok(Some(Kin::Same(id))) => {
                self.goes_on(id, stranger.path, content, stamp, now_ns);
                if let Some(file) = self.files.get(&id) {
                    index.add_name(file);
                }
                return;
            }
            Ok(Some(Kin::Copy(of))) => Some(of),
            Ok(None) if is_old => return,
            Ok(None) => None,
            Err(error) => {
                self.again.extend(stranger.sought_again());
                return self.tell(path, &error);
            }
        };
        let is_left_alone = self.config.compression == Compression::None && stream.is_none() && copy_of.is_none();
        if content.is_gzip() && is_left_alone {
            if self.told.len() < 10_000 && self.told.insert(path.clone()) {
                tracing::warn!(path = %path.display(), "gzip made this file: left alone, as compression does not say gzip");
            }
            return;
        }
        let id = known_as.unwrap_or_else(|| {
            self.next_id += 1;
            self.next_id - 1
        });
        self.add(id, Stranger { stamp, ..stranger }, content, now_ns, (copy_of, index));
        if self.files.contains_key(&id) && (known_as.is_none() || copy_of.is_some()) {
            let event = if copy_of.is_some() { "copied" } else { "begun" };
            EVENTS.with_label_values(&[self.receiver.as_str(), event]).inc();
        }
    }

    /// Adds a file.
    fn add(
        &mut self,
        id: u64,
        stranger: Stranger,
        mut content: Content,
        now_ns: u64,
        (copy_of, index): (Option<u64>, &mut KinIndex),
    ) {
        let sought_again = stranger.sought_again();
        let Stranger { path, stamp, stream, is_candidate, .. } = stranger;
        if self.files.len() >= self.config.files_max {
            let words = io::Error::other(format!("more than {} files (files_max)", self.config.files_max));
            return self.tell(&path, &words);
        }
        let labels = Labels::of(&path, &self.config);
        let mut file = Tracked::new(id, path, stamp, content.is_gzip(), labels, now_ns);
        file.stream = stream.unwrap_or(file.stream);
        file.copy_of = copy_of.map(|of| (of, 0));
        file.seen_in = if is_candidate { self.looks } else { 0 };
        file.gone_since_ns = (!is_candidate).then_some(now_ns);
        let begun = file.learn_beginning(&mut content, self.config.fingerprint_size).and_then(|()| {
            file.learn_unread(&mut content, &stamp)?;
            if self.is_first_ever && self.config.start_at == StartAt::End {
                file.skip_to_end(&mut content)
            } else {
                Ok(())
            }
        });
        if let Err(error) = begun {
            self.again.extend(sought_again);
            return self.tell(&file.path.clone(), &error);
        }
        // A start would begin elsewhere if the journal did not know.
        self.is_urgent |= file.offset > 0;
        file.is_dirty = file.offset > 0;
        if !is_candidate {
            file.has_left();
        }
        // What rotation made is renamed again, compressed and deleted: of those as many are open beside the others.
        let is_of_rotation = copy_of.is_some() || !is_candidate;
        let most = self.config.max_concurrent_files.saturating_mul(if is_of_rotation { 2 } else { 1 });
        if self.may_keep_open(most) {
            file.content = Some(content);
        }
        index.add_name(&file);
        self.by_inode.insert((stamp.device, stamp.inode), id);
        self.files.insert(id, file);
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
        file.unread = None;
        file.is_doubtful = false;
        file.gone_since_ns = None;
        file.seen_in = self.looks;
        file.stamp = stamp;
        file.grown_at_ns = now_ns;
        self.by_inode.insert((stamp.device, stamp.inode), id);
        EVENTS.with_label_values(&[self.receiver.as_str(), "continued"]).inc();
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

    /// Reading a file failed; it is tried again in a while.
    pub(super) fn failed(&mut self, file: &mut Tracked, error: &io::Error, now_ns: u64) {
        file.fail(now_ns);
        self.tell(&file.path.clone(), error);
    }
}

fn note_growth(file: &mut Tracked, stamp: Stamp, now_ns: u64) {
    if file.stamp.bytes >= stamp.bytes {
        // What was empty may be written to now.
        file.zeros_until = 0;
    }
    file.stamp = stamp;
    file.is_read = false;
    file.failures = 0;
    file.grown_at_ns = now_ns;
}
