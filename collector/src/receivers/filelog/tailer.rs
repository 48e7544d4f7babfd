//! Reads files on: what there is to read, line by line, as far as the journal takes it.

mod round;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use weir_proto::{otlp::logs::IdNames, time::Clock};

pub(super) use self::round::Next;
use self::round::{Halt, Round};
use super::{
    config::FilelogConfig,
    content::Content,
    cursor::{FileCursor, source_of},
    deliver::{Deliver, Package, Stopped},
    labels::add_configured,
    metrics::{EVENTS, FILES, FLAGGED, LAG_BYTES, OPERATOR_ERRORS, READ_BYTES},
    outlet::{CUT, Outlet},
    roster::{NO_FILE, Roster},
    splitter::Splitter,
    steady::Steady,
    tracked::Tracked,
};
use crate::operators::{AnyValue, Entry, Origin, Pipeline, Value};

/// Bytes that are read at once.
const READ_BYTES_USUAL: usize = 256 << 10;

/// Of one file no more in a turn: others wait.
const TURN_BYTES_MAX: u64 = if cfg!(test) { 4 << 10 } else { 16 << 20 };

/// Where files stand takes no more of a frame than this, but for those of its lines.
const CURSORS_BYTES_MAX: usize = if cfg!(test) { 8 << 10 } else { 8 << 20 };

/// The attribute of lines of which something had to be replaced.
const INVALID_UTF8: &str = "weir.log.invalid_utf8";

/// Reads the files of one receiver.
pub(super) struct Tailer<D> {
    receiver: String,
    config: Arc<FilelogConfig>,
    clock: Clock,
    steady: Steady,
    splitter: Splitter,
    pipeline: Pipeline,
    is_joining: bool,
    attributes: Vec<(String, AnyValue)>,
    resource: Vec<(String, AnyValue)>,
    pub(super) roster: Roster,
    outlet: Outlet,
    buffer: Vec<u8>,
    /// Files with lines that wait, as the journal knows.
    with_open: BTreeSet<u64>,
    /// Whether those were read again.
    has_open_again: bool,
    round: Round,
    pub(super) deliver: D,
}

/// What a turn at a file came to.
#[derive(Debug, Default)]
struct Turn {
    bytes: u64,
    replaced: u64,
    cut: u64,
}

impl<D: Deliver> Tailer<D> {
    /// Begins where the journal says that files were read to; `accept` is how far before and after now times are taken.
    pub(super) fn new(
        receiver: &str,
        config: Arc<FilelogConfig>,
        cursors: &[(Vec<u8>, Vec<u8>)],
        accept: (Option<Duration>, Option<Duration>),
        clock: Clock,
        deliver: D,
    ) -> Result<Self, String> {
        let pipeline =
            Pipeline::new(&config.operators).map_err(|(at, problem)| format!("operator {}: {problem}", at + 1))?;
        let pairs = |values: &BTreeMap<String, AnyValue>| values.clone().into_iter().collect();
        let steady = Steady::new(clock.now_ns());
        let roster = Roster::new(receiver, config.clone(), cursors, clock.now_ns());
        Ok(Self {
            steady,
            receiver: receiver.to_owned(),
            splitter: Splitter::new(&config),
            is_joining: pipeline.is_joining(),
            pipeline,
            attributes: pairs(&config.attributes),
            resource: pairs(&config.resource),
            outlet: Outlet::new(accept.0, accept.1),
            buffer: Vec::new(),
            with_open: roster.files.values().filter(|file| !file.open.is_empty()).map(|file| file.id).collect(),
            has_open_again: false,
            round: Round::default(),
            roster,
            config,
            clock,
            deliver,
        })
    }

    /// Ids of lines are looked for under these names.
    pub(super) fn look_for_ids(&mut self, names: &IdNames) {
        self.pipeline.look_for_ids(names);
    }

    /// Looks at all files once, and reads what is new, as far as the journal takes it.
    pub(super) fn poll(&mut self) -> Result<Next, Stopped> {
        let clock_ns = self.clock.now_ns();
        let now_ns = self.steady.at(clock_ns);
        self.roster.look(now_ns, clock_ns);
        if !std::mem::replace(&mut self.has_open_again, true) {
            self.read_open_again(clock_ns);
        }
        // What this look found has its turn behind the round that is under way.
        self.round.is_more_left |= !self.round.files.is_empty();
        let next = self.go_on();
        self.roster.forget(now_ns);
        self.count();
        next
    }

    /// Waits until the journal has everything that was handed to it.
    pub(super) fn finish(&mut self) -> Result<(), Stopped> {
        while !self.deliver.is_free()? {
            self.deliver.wait(Duration::from_secs(1))?;
        }
        Ok(())
    }

    /// Reads what a file has, for a turn.
    fn read(&mut self, file: &mut Tracked, now_ns: u64) -> Result<(), Halt> {
        let Some(mut content) = self.roster.opened(file) else {
            file.fail(now_ns);
            return Ok(());
        };
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut turn = Turn { bytes: self.round.bytes, ..Turn::default() };
        let outcome = self.read_from(file, &mut content, &mut buffer, &mut turn, now_ns);
        self.buffer = buffer;
        content.keep_from(file.offset);
        file.content = Some(content);
        READ_BYTES.with_label_values(&[&self.receiver]).inc_by(turn.bytes - self.round.bytes);
        self.round.bytes = turn.bytes;
        FLAGGED.with_label_values(&[self.receiver.as_str(), "invalid_utf8"]).inc_by(turn.replaced);
        self.outlet.cut += turn.cut;
        match outcome {
            Ok(result) => {
                file.failures = 0;
                result
            }
            Err(error) => {
                self.roster.failed(file, &error, now_ns);
                Ok(())
            }
        }
    }

    fn read_from(
        &mut self,
        file: &mut Tracked,
        content: &mut Content,
        buffer: &mut Vec<u8>,
        turn: &mut Turn,
        now_ns: u64,
    ) -> std::io::Result<Result<(), Halt>> {
        let mut want = READ_BYTES_USUAL.max(self.config.initial_buffer_size as usize);
        let flushes = file.is_overdue(now_ns, self.config.force_flush_period);
        let read_at_ns = self.clock.now_ns();
        while turn.bytes < TURN_BYTES_MAX {
            if buffer.len() < want {
                buffer.resize(want, 0);
            }
            let (read, rest) = content.read_some(file.offset, &mut buffer[..want]);
            let is_end = read < want && rest.is_ok();
            let bytes = &buffer[..read];
            // Cut since the look, and grown again perhaps: this does not follow what was read. The next look finds out.
            if read > 0 && !file.is_gzip && file.is_cut(content)? {
                file.is_doubtful = true;
                break;
            }
            if !self.config.encoding.has_zeros() && bytes.first() == Some(&0) {
                match file.past_zeros(content, bytes)? {
                    true => continue,
                    // What is not written yet may come.
                    false => break,
                }
            }
            let offset_before = file.offset;
            if let Err(halt) = self.lines(file, bytes, false, read_at_ns, turn) {
                return Ok(Err(halt));
            }
            let done = (file.offset - offset_before) as usize;
            if is_end
                && done < read
                && flushes
                && let Err(halt) = self.lines(file, &bytes[done..], true, read_at_ns, turn)
            {
                return Ok(Err(halt));
            }
            if is_end {
                // Were it to move on while nobody looks, nobody would know that there was something in it.
                if read > 0 && file.offset == 0 && !std::mem::replace(&mut file.is_told_of, true) {
                    file.is_dirty = true;
                    self.roster.tell_soon();
                }
                file.is_read = true;
                file.has_rest = file.offset < offset_before + read as u64;
                break;
            }
            if done == 0 {
                // Lines before what is damaged are taken; that it is, is told of then.
                rest?;
                // A line that is longer than the buffer; the splitter cuts it when it is longer than a line may be.
                want *= 2;
            }
        }
        Ok(Ok(()))
    }

    /// Takes the lines that `bytes`, which begin at the file's offset, have.
    fn lines(
        &mut self,
        file: &mut Tracked,
        bytes: &[u8],
        is_last: bool,
        now_ns: u64,
        turn: &mut Turn,
    ) -> Result<(), Halt> {
        let base = file.offset;
        let (mut at, mut noted) = (0, 0);
        while let Some(next) = self.some_lines(file, (base, bytes, at), is_last, now_ns, turn) {
            at = next;
            turn.bytes += (at - noted) as u64;
            file.advance(&bytes[noted..at], base + at as u64);
            noted = at;
            while self.outlet.batch.is_full() {
                if !self.submit(Some(file))? {
                    return Err(Halt::Full);
                }
            }
        }
        Ok(())
    }

    /// Takes lines of `bytes`, which begin at `base` of the file, from `at` on until the batch is full; answers where the next one begins,
    /// `None` when there was none.
    fn some_lines(
        &mut self,
        file: &mut Tracked,
        (base, bytes, from): (u64, &[u8], usize),
        is_last: bool,
        now_ns: u64,
        turn: &mut Turn,
    ) -> Option<usize> {
        let mut at = from;
        let path = file.stream.to_string_lossy().into_owned();
        let labels = file.labels.clone();
        // Operators find more.
        let room = if self.pipeline.is_empty() { 4 } else { 20 };
        let counts = self.config.include_file_record_number;
        loop {
            if file.is_passing {
                let Some((next, is_found)) = self.splitter.pass_over(bytes, at, is_last) else { break };
                (at, file.is_passing) = (next, !is_found);
                continue;
            }
            let Some(found) = self.splitter.next(bytes, at, is_last) else { break };
            file.is_passing = found.goes_on;
            let origin = Origin { file: file.id, start: base + at as u64, end: base + found.next as u64 };
            at = found.next;
            let line = &bytes[found.line];
            file.records += 1;
            if !line.is_empty() {
                let (mut body, is_replaced) = self.config.encoding.body(line);
                if origin.start == 0 {
                    body = without_mark(body);
                }
                let mut entry = Entry { path: (&*path).into(), origin, ..Entry::of_body(body, now_ns) };
                labels.mark(&mut entry, room);
                if counts {
                    entry.attributes.push("log.file.record_number", Value::Int(file.records as i64));
                }
                if self.config.include_file_record_offset {
                    entry.attributes.push("log.file.record_offset", Value::Int(origin.start as i64));
                }
                if is_replaced {
                    turn.replaced += 1;
                    entry.attributes.push(INVALID_UTF8, Value::Bool(true));
                }
                if found.is_cut {
                    turn.cut += 1;
                    entry.attributes.push(CUT, Value::Bool(true));
                }
                self.take(entry);
            }
            if self.outlet.batch.is_full() {
                break;
            }
        }
        (at > from).then_some(at)
    }

    /// Leads a line through the operators.
    fn take(&mut self, entry: Entry<'_>) {
        // It may live as long as what is put on it, no longer.
        let mut entry: Entry<'_> = entry;
        let Self { attributes, resource, pipeline, outlet, .. } = self;
        add_configured(&mut entry, attributes, resource);
        if pipeline.is_empty() {
            return outlet.push(entry);
        }
        pipeline.run(entry, &mut |entry| outlet.push(entry));
    }

    /// After a start: reads the lines again that waited for what belongs to them.
    fn read_open_again(&mut self, now_ns: u64) {
        let mut waiting: Vec<(u64, u64, (u64, u64))> = Vec::new();
        for id in &self.with_open {
            let Some(file) = self.roster.files.get(id) else { continue };
            waiting.extend(file.open.iter().map(|range| (file.stamp.modified_ns, *id, *range)));
        }
        waiting.sort_unstable();
        for (_, id, (start, end)) in waiting {
            let Some(mut file) = self.roster.files.remove(&id) else { continue };
            let mut bytes = vec![0; (end - start) as usize];
            let read = match self.roster.opened(&mut file) {
                Some(mut content) => {
                    let read = content.read(start, &mut bytes);
                    file.content = Some(content);
                    read.unwrap_or(0)
                }
                None => 0,
            };
            if read < bytes.len() {
                tracing::warn!(path = %file.path.display(), start, end, "a part of a line is gone with its file");
                EVENTS.with_label_values(&[self.receiver.as_str(), "lost"]).inc();
            }
            let (mut at, records) = (0, file.records);
            while let Some(next) =
                self.some_lines(&mut file, (start, &bytes[..read], at), true, now_ns, &mut Turn::default())
            {
                at = next;
            }
            file.records = records;
            self.roster.files.insert(id, file);
        }
    }

    /// Hands over the lines so far, with where their files stand; answers whether that is done: not while the journal has not taken what
    /// it got before. `current` is a file that is not in the roster just now.
    fn submit(&mut self, mut current: Option<&mut Tracked>) -> Result<bool, Stopped> {
        if !self.deliver.is_free()? {
            return Ok(false);
        }
        self.note_open(&mut current);
        while let Some(cursors) = self.cursors_before() {
            self.deliver.hand_over(Package { cursors, ..Package::default() })?;
            if !self.deliver.is_free()? {
                return Ok(false);
            }
        }
        let (payload, lines) = self.outlet.batch.take();
        let mut cursors: Vec<(String, Vec<u8>)> = Vec::new();
        for file in self.roster.files.values_mut().chain(current) {
            file.has_lines = false;
            if std::mem::take(&mut file.is_dirty) {
                cursors.push((source_of(&self.receiver, file.id), file.cursor().encode()));
            }
        }
        if self.roster.is_first_look() {
            cursors.push((source_of(&self.receiver, NO_FILE), FileCursor::default().encode()));
        }
        for id in self.roster.take_urgent() {
            cursors.push((source_of(&self.receiver, id), Vec::new()));
        }
        if lines > 0 || !cursors.is_empty() {
            self.deliver.hand_over(Package { payload, lines, cursors })?;
        }
        self.outlet.refill();
        Ok(true)
    }

    /// Where files stand of which no lines are handed over, when that is too much for one frame: some of it goes before.
    fn cursors_before(&mut self) -> Option<Vec<(String, Vec<u8>)>> {
        let dirty = || self.roster.files.values().filter(|file| file.is_dirty);
        if dirty().map(Tracked::cursor_bytes_max).sum::<usize>() <= CURSORS_BYTES_MAX {
            return None;
        }
        let (mut cursors, mut bytes) = (Vec::new(), 0);
        for file in self.roster.files.values_mut().filter(|file| file.is_dirty && !file.has_lines) {
            bytes += file.cursor_bytes_max();
            if bytes > CURSORS_BYTES_MAX && !cursors.is_empty() {
                break;
            }
            file.is_dirty = false;
            cursors.push((source_of(&self.receiver, file.id), file.cursor().encode()));
        }
        (!cursors.is_empty()).then_some(cursors)
    }

    /// Notes which lines wait in the operators.
    fn note_open(&mut self, current: &mut Option<&mut Tracked>) {
        if !self.is_joining && self.with_open.is_empty() && !self.outlet.has_waiting() {
            return;
        }
        let mut open: BTreeMap<u64, Vec<(u64, u64)>> = BTreeMap::new();
        let mut note = |origin: Origin| open.entry(origin.file).or_default().push((origin.start, origin.end));
        self.pipeline.held(&mut note);
        self.outlet.held(&mut note);
        let known = std::mem::take(&mut self.with_open);
        for id in known.iter().chain(open.keys()) {
            let mut ranges = open.get(id).cloned().unwrap_or_default();
            ranges.sort_unstable();
            ranges.dedup();
            let mut joined: Vec<(u64, u64)> = Vec::with_capacity(ranges.len());
            for (start, end) in ranges {
                match joined.last_mut() {
                    Some(last) if last.1 == start => last.1 = end,
                    _ => joined.push((start, end)),
                }
            }
            let file = match current {
                Some(file) if file.id == *id => Some(&mut **file),
                _ => self.roster.files.get_mut(id),
            };
            if let Some(file) = file
                && file.open != joined
            {
                file.open = joined;
                file.is_dirty = true;
            }
        }
        self.with_open = open.into_keys().collect();
    }

    fn count(&mut self) {
        let receiver = self.receiver.as_str();
        self.pipeline.take_errors(|operator, errors| {
            OPERATOR_ERRORS.with_label_values(&[receiver, operator]).inc_by(errors);
        });
        FLAGGED.with_label_values(&[receiver, "time"]).inc_by(std::mem::take(&mut self.outlet.outside));
        FLAGGED.with_label_values(&[receiver, "cut"]).inc_by(std::mem::take(&mut self.outlet.cut));
        FILES.with_label_values(&[receiver, "known"]).set(self.roster.files.len() as i64);
        FILES.with_label_values(&[receiver, "open"]).set(self.roster.open_files() as i64);
        LAG_BYTES.with_label_values(&[receiver]).set(self.roster.lag_bytes() as i64);
    }
}

/// A byte order mark is no text.
fn without_mark(body: Value<'_>) -> Value<'_> {
    const MARK: char = '\u{feff}';
    match body {
        Value::Text(Cow::Borrowed(text)) => Value::text(text.strip_prefix(MARK).unwrap_or(text)),
        Value::Text(Cow::Owned(text)) => Value::text(text.strip_prefix(MARK).map(str::to_owned).unwrap_or(text)),
        body => body,
    }
}
