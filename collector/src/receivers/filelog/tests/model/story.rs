//! What happens to files in a story, and which lines are where in the end.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use super::{
    super::world::World,
    kind::{Form, Kind, Names, Step, Text},
};
use crate::receivers::filelog::content::faults;

/// What a writer writes to, and rotation moves.
#[derive(Default)]
struct Stream {
    name: String,
    rotations: u64,
    /// The file that a writer goes on with, so many times, though it was renamed.
    held: Option<(fs::File, u64)>,
    /// The rest of a line that is half written.
    half: String,
    /// What rotation has only begun with.
    begun: Option<Begun>,
    /// A writer who keeps his place writes here, though the file was cut.
    place: u64,
}

enum Begun {
    /// A copy, with so many bytes in it, before the file is cut.
    Copy { to: String, bytes: u64 },
    /// What gzip makes, without these bytes.
    Gzip { from: String, to: String, rest: Vec<u8> },
}

/// A world in which things happen.
pub(super) struct Story {
    kind: Kind,
    world: World,
    written: u64,
    streams: Vec<Stream>,
    /// Files that are elsewhere, and what they are called when they are back.
    away: Vec<(String, String)>,
    moves: u64,
    has_stepped_back: bool,
    /// Lines of files that are deleted, before anybody may have read them.
    may_be_lost: BTreeSet<String>,
}

impl Story {
    /// Tells it; what is wrong in the end.
    pub(super) fn tell(kind: Kind, steps: &[Step]) -> Result<(), String> {
        Self::tell_to(kind, steps, &mut |_| {})
    }

    /// Tells it with what the reader knows at every step.
    pub(super) fn tell_to(kind: Kind, steps: &[Step], listener: &mut dyn FnMut(String)) -> Result<(), String> {
        faults::none();
        let world = World::with_own_time(kind.keys, kind.apart_ms);
        // As the kubelet has it: patterns lead to links, rotation happens where those lead.
        for folder in ["links", "away"] {
            fs::create_dir(world.path(folder)).expect("made");
        }
        let names = ["a", "b", "c"].into_iter().take(kind.streams);
        let streams: Vec<Stream> = names.map(|name| Stream { name: name.to_owned(), ..Stream::default() }).collect();
        for Stream { name, .. } in &streams {
            std::os::unix::fs::symlink(format!("../{name}.log"), world.path(&format!("links/{name}.log")))
                .expect("linked");
        }
        let (away, may_be_lost) = (Vec::new(), BTreeSet::new());
        let mut story = Self { kind, world, written: 0, streams, away, moves: 0, has_stepped_back: false, may_be_lost };
        (0..kind.streams).for_each(|stream| story.write(stream, 1));
        story.world.poll();
        for step in steps {
            match *step {
                Step::Write { stream, lines } => story.write(stream, lines),
                Step::Half { stream } => story.write_half(stream),
                Step::WaitMs(ms) => story.world.wait(ms),
                // A clock that stepped back and ahead again while nobody looked, or was killed then, cannot be told.
                Step::ClockMs(ms) if ms < 0 || !story.has_stepped_back => {
                    story.has_stepped_back |= ms < 0;
                    story.world.step_clock(ms);
                }
                Step::ClockMs(_) => {}
                Step::Refuse(refuses) => story.world.refuse(refuses),
                Step::Rotate { stream, how } => story.rotate(stream, how),
                Step::Finish { stream } => story.finish(stream),
                Step::Away { stream, n } => story.move_away(stream, n),
                Step::Back => story.move_back(),
                Step::FailAfter(reads) => faults::fail_after(reads),
                Step::Look => story.world.poll(),
                Step::LookAndDie(packages) => story.world.poll_until_killed(packages),
            }
            listener(format!("{step:?}\n{}", story.world.known()));
        }
        story.ends(listener)
    }

    fn record(&mut self) -> String {
        let n = self.written;
        self.written += 1;
        match self.kind.form {
            Form::Lines => format!("line {n}\n"),
            Form::Records => format!("line {n}\n  and {n}\n"),
        }
    }

    fn write(&mut self, stream: usize, lines: u64) {
        let mut text = std::mem::take(&mut self.streams[stream].half);
        for _ in 0..lines {
            text += &self.record();
        }
        self.put(stream, text);
        if let Some((_, times)) = &mut self.streams[stream].held {
            *times -= 1;
            if *times == 0 {
                self.streams[stream].held = None;
            }
        }
    }

    fn write_half(&mut self, stream: usize) {
        let mut text = std::mem::take(&mut self.streams[stream].half);
        let mut record = self.record();
        // In the middle of a line, or before the second one of a record.
        let at = if self.kind.form == Form::Lines { 2 } else { record.find("  ").expect("a second one") };
        self.streams[stream].half = record.split_off(at);
        text += &record;
        self.put(stream, text);
    }

    fn put(&mut self, stream: usize, mut text: String) {
        let of = &mut self.streams[stream];
        if let Some((file, _)) = &mut of.held {
            return self.world.write_to(file, &self.kind.text.encoded(&text));
        }
        let name = format!("{}.log", of.name);
        let bytes = fs::metadata(self.world.path(&name)).map_or(0, |metadata| metadata.len());
        if of.place > bytes {
            self.world.stretch(&name, of.place);
        } else if bytes == 0 {
            text.insert_str(0, self.kind.banner);
        }
        of.place = 0;
        self.world.append(&name, self.kind.text.encoded(&text));
    }

    /// What the file is called now that was rotated so many rotations ago, from 1.
    fn name(&self, stream: usize, n: u64, end: &str) -> String {
        let Stream { name, rotations, .. } = &self.streams[stream];
        match self.kind.names {
            Names::Behind => format!("{name}.log.{n}{end}"),
            Names::Inside => format!("{name}-{n}.log{end}"),
            Names::Dated => format!("{name}.log-{:04}{end}", (rotations + 1).saturating_sub(n)),
        }
    }

    fn rotate(&mut self, stream: usize, how: u64) {
        let live = format!("{}.log", self.streams[stream].name);
        if !self.world.path(&live).exists() {
            return;
        }
        self.finish(stream);
        self.end_line(stream);
        self.streams[stream].held = None;
        self.streams[stream].place = 0;
        // Older ones move up first, as logrotate does it.
        for n in (1..=self.streams[stream].rotations).rev().filter(|_| self.kind.names != Names::Dated) {
            for end in ["", ".gz"] {
                let (from, to) = (self.name(stream, n, end), self.name(stream, n + 1, end));
                if self.world.path(&from).exists() {
                    self.world.rename(&from, &to);
                }
            }
        }
        self.streams[stream].rotations += 1;
        for end in ["", ".gz"] {
            self.delete(&self.name(stream, self.kind.keep + 1, end));
        }
        let (first, second) = (self.name(stream, 1, ""), self.name(stream, 2, ""));
        let (first_gz, second_gz) = (self.name(stream, 1, ".gz"), self.name(stream, 2, ".gz"));
        match how {
            0 | 1 => self.world.rename(&live, &first),
            2 => self.copy_and_cut(&live, &first),
            3 => {
                self.world.rename(&live, &first);
                self.world.gzip(&first, &first_gz);
            }
            4 => {
                self.copy_and_cut(&live, &first);
                self.world.gzip(&first, &first_gz);
            }
            5 => {
                self.world.rename(&live, &first);
                self.world.append(&live, "");
            }
            7 | 8 => {
                self.streams[stream].held = Some((self.world.opened(&live), how - 6));
                self.world.rename(&live, &first);
            }
            9 => {
                let bytes = fs::metadata(self.world.path(&live)).map_or(0, |metadata| metadata.len());
                self.copy_and_cut(&live, &first);
                self.streams[stream].place = bytes;
            }
            10 => {
                let mut bytes = fs::read(self.world.path(&live)).expect("read");
                bytes.truncate(bytes.len() / 2);
                self.world.append(&first, &bytes);
                self.streams[stream].begun = Some(Begun::Copy { to: first, bytes: bytes.len() as u64 });
            }
            11 | 12 => {
                self.world.rename(&live, &first);
                let rest = self.world.gzip_some(&first, &first_gz, how as usize - 11, 2);
                self.streams[stream].begun = Some(Begun::Gzip { from: first, to: first_gz, rest });
            }
            // The one before is compressed only now.
            _ => {
                if self.world.path(&second).exists() {
                    self.world.gzip(&second, &second_gz);
                }
                self.world.rename(&live, &first);
            }
        }
    }

    /// A line that is half written is written before its file is another.
    fn end_line(&mut self, stream: usize) {
        if self.kind.form == Form::Lines && !self.streams[stream].half.is_empty() {
            let rest = std::mem::take(&mut self.streams[stream].half);
            self.put(stream, rest);
        }
    }

    /// What rotation has begun with comes to its end.
    fn finish(&mut self, stream: usize) {
        if matches!(self.streams[stream].begun, Some(Begun::Copy { .. })) {
            self.end_line(stream);
        }
        let live = format!("{}.log", self.streams[stream].name);
        match self.streams[stream].begun.take() {
            None => {}
            Some(Begun::Copy { to, bytes }) => {
                let content = fs::read(self.world.path(&live)).expect("read");
                self.world.append(&to, &content[bytes as usize..]);
                self.world.truncate(&live);
            }
            Some(Begun::Gzip { from, to, rest }) => self.world.gzip_rest(&from, &to, &rest),
        }
    }

    fn copy_and_cut(&mut self, name: &str, copy: &str) {
        self.world.copy(name, copy);
        self.world.truncate(name);
    }

    fn move_away(&mut self, stream: usize, n: u64) {
        if self.streams[stream].begun.is_some() {
            return;
        }
        let live = format!("{}.log", self.streams[stream].name);
        let from = if n == 0 { live } else { self.name(stream, n, "") };
        if !self.world.path(&from).exists() || (n == 0 && self.streams[stream].held.is_some()) {
            return;
        }
        if n == 0 {
            self.end_line(stream);
        }
        self.moves += 1;
        let (to, back) =
            (format!("away/{}", self.moves), format!("{}.log.back{}", self.streams[stream].name, self.moves));
        self.world.rename(&from, &to);
        self.away.push((to, back));
    }

    fn move_back(&mut self) {
        if !self.away.is_empty() {
            let (from, to) = self.away.remove(0);
            self.world.rename(&from, &to);
        }
    }

    fn delete(&mut self, name: &str) {
        if !self.world.path(name).exists() {
            return;
        }
        let text = self.kind.text.decoded(&self.world.content_of(name));
        self.may_be_lost.extend(text.lines().map(|line| line.trim_matches(['\0', ' ']).to_owned()));
        self.world.remove(name);
    }

    fn ends(mut self, listener: &mut dyn FnMut(String)) -> Result<(), String> {
        self.world.refuse(false);
        for stream in 0..self.streams.len() {
            self.finish(stream);
            let rest = std::mem::take(&mut self.streams[stream].half);
            if !rest.is_empty() {
                self.put(stream, rest);
            }
        }
        while !self.away.is_empty() {
            self.move_back();
        }
        self.world.poll();
        listener(format!("the end\n{}", self.world.known()));
        // Folders in which nothing happens are not looked at with every poll.
        for _ in 0..self.kind.looks_until_late {
            self.world.wait(1500);
            self.world.poll();
        }
        let late = self.missing();
        for _ in 0..3 {
            self.world.wait(70_000);
            self.world.poll();
            listener(format!("70 s\n{}", self.world.known()));
        }
        let (missing, counts) = (self.missing(), self.counts());
        let doubled = self.lines().filter(|line| counts.get(line).is_some_and(|count| *count > 1)).collect();
        let odd: Vec<&String> = counts.keys().filter(|line| !self.is_known(line)).collect();
        if (late.is_empty() || self.kind.may_miss) && Vec::is_empty(&doubled) && odd.is_empty() {
            return Ok(());
        }
        Err(format!("late {}, missing {}, doubled {}, odd {odd:?}", ranges(&late), ranges(&missing), ranges(&doubled)))
    }

    /// All lines that were written.
    fn lines(&self) -> impl Iterator<Item = String> {
        let seconds = self.kind.form == Form::Records;
        let begin = u64::from(self.kind.skips_first);
        (begin..self.written)
            .flat_map(move |n| [Some(format!("line {n}")), seconds.then(|| format!("and {n}"))].into_iter().flatten())
    }

    fn is_known(&self, line: &str) -> bool {
        let number = line.strip_prefix("line ").or_else(|| line.strip_prefix("and "));
        number.is_some_and(|n| n.parse::<u64>().is_ok()) || (!line.is_empty() && self.kind.banner.contains(line))
    }

    fn counts(&self) -> BTreeMap<String, u32> {
        let mut counts = BTreeMap::new();
        for body in self.world.bodies() {
            for line in body.lines() {
                *counts.entry(line.trim().to_owned()).or_default() += 1;
            }
        }
        counts
    }

    fn missing(&self) -> Vec<String> {
        let counts = self.counts();
        self.lines().filter(|line| !counts.contains_key(line) && !self.may_be_lost.contains(line)).collect()
    }
}

impl Text {
    fn encoded(self, text: &str) -> Vec<u8> {
        match self {
            Self::Utf8 => text.as_bytes().to_vec(),
            Self::Utf16le => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            Self::Utf16be => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        }
    }

    fn decoded(self, bytes: &[u8]) -> String {
        let units = |unit: fn([u8; 2]) -> u16| {
            let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
            String::from_utf16_lossy(&units)
        };
        match self {
            Self::Utf8 => String::from_utf8_lossy(bytes).into_owned(),
            Self::Utf16le => units(u16::from_le_bytes),
            Self::Utf16be => units(u16::from_be_bytes),
        }
    }
}

/// Lines as `line 3-7, and 9-9`.
fn ranges(lines: &[String]) -> String {
    let mut numbers: Vec<(&str, u64)> =
        lines.iter().filter_map(|line| line.split_once(' ')).map(|(word, n)| (word, n.parse().unwrap_or(0))).collect();
    numbers.sort_unstable();
    let runs = numbers.chunk_by(|one, next| one.0 == next.0 && one.1 + 1 == next.1);
    runs.map(|run| format!("{} {}-{}", run[0].0, run[0].1, run[run.len() - 1].1)).collect::<Vec<_>>().join(", ")
}
