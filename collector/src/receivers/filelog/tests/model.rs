//! Anything in any order: numbered lines, rotation of every kind, looks, refusals and kills at random; then each line once.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write,
};

use super::world::World;

/// A generator of numbers (Marsaglia, Xorshift RNGs).
struct Random(u64);

impl Random {
    fn of(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }

    fn is_one_of(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// How many stories: `WEIR_STORIES` for more.
fn seeds() -> u64 {
    std::env::var("WEIR_STORIES").ok().and_then(|n| n.parse().ok()).unwrap_or(12)
}

/// What is particular to a kind of stories.
#[derive(Clone, Copy)]
struct Kind {
    /// The configuration.
    keys: &'static str,
    /// The reader looks once in so many steps.
    look_every: u64,
    /// What each file begins with; what tells them from each other comes later.
    banner: &'static str,
    /// Old files are deleted beyond so many.
    keep: u64,
    names: Names,
}

/// What rotation calls the first file before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Names {
    /// `a.log.1`; older ones move up.
    Behind,
    /// `a-1.log`, the same.
    Inside,
    /// `a.log-0007`, for good.
    Dated,
}

const USUAL: Kind = Kind { keys: "{}", look_every: 4, banner: "", keep: 1000, names: Names::Behind };

/// What happens.
#[derive(Debug, Clone, Copy)]
enum Step {
    Write {
        lines: u64,
    },
    WaitMs(u64),
    /// The clock steps back, or ahead.
    ClockMs(i64),
    /// The journal takes nothing, or takes again what it is given.
    Refuse(bool),
    Rotate(u64),
    Look,
    /// The reader is killed after so many packages.
    LookAndDie(u32),
}

impl Step {
    /// What happens at random, and whether somebody looks.
    fn add_some(steps: &mut Vec<Self>, random: &mut Random, kind: Kind) {
        steps.push(match random.below(20) {
            0..9 => Self::Write { lines: 1 + random.below(40) },
            9 => Self::WaitMs(random.below(3000)),
            10 if random.is_one_of(4) => Self::ClockMs(random.below(20_000_000) as i64 - 10_000_000),
            10 => Self::WaitMs(random.below(30_000)),
            11 => Self::Refuse(random.is_one_of(2)),
            _ => Self::Rotate(random.below(9)),
        });
        if random.is_one_of(kind.look_every) {
            steps.push(match random.below(8) {
                0..2 => Self::LookAndDie(random.below(4) as u32),
                _ => Self::Look,
            });
        }
    }
}

/// A world in which things happen.
struct Story {
    kind: Kind,
    world: World,
    written: u64,
    rotations: u64,
    /// The file that a writer goes on with, so many times, though it was renamed.
    held: Option<(fs::File, u64)>,
    /// Lines of files that are deleted, before anybody may have read them.
    may_be_lost: BTreeSet<u64>,
}

impl Story {
    /// Tells it; what is wrong in the end.
    fn tell(kind: Kind, steps: &[Step]) -> Result<(), String> {
        let world = World::new(kind.keys);
        // As the kubelet has it: patterns lead to links, rotation happens where those lead.
        fs::create_dir(world.path("links")).expect("made");
        std::os::unix::fs::symlink("../a.log", world.path("links/pod.log")).expect("linked");
        let mut story = Self { kind, world, written: 0, rotations: 0, held: None, may_be_lost: BTreeSet::new() };
        story.write(1);
        story.world.poll();
        for step in steps {
            match *step {
                Step::Write { lines } => story.write(lines),
                Step::WaitMs(ms) => story.world.wait(ms),
                Step::ClockMs(ms) => story.world.step_clock(ms),
                Step::Refuse(refuses) => story.world.refuse(refuses),
                Step::Rotate(how) => story.rotate(how),
                Step::Look => story.world.poll(),
                Step::LookAndDie(packages) => story.world.poll_until_killed(packages),
            }
        }
        story.ends()
    }

    fn write(&mut self, lines: u64) {
        let mut text: String = (self.written..self.written + lines).map(|n| format!("line {n}\n")).collect();
        self.written += lines;
        if let Some((file, times)) = &mut self.held {
            file.write_all(text.as_bytes()).expect("written");
            *times -= 1;
            if *times == 0 {
                self.held = None;
            }
            return;
        }
        let bytes = fs::metadata(self.world.path("a.log")).map_or(0, |metadata| metadata.len());
        if bytes == 0 {
            text.insert_str(0, self.kind.banner);
        }
        self.world.append("a.log", text);
    }

    /// What the file is called now that was rotated so many rotations ago, from 1.
    fn name(&self, n: u64, end: &str) -> String {
        match self.kind.names {
            Names::Behind => format!("a.log.{n}{end}"),
            Names::Inside => format!("a-{n}.log{end}"),
            Names::Dated => format!("a.log-{:04}{end}", (self.rotations + 1).saturating_sub(n)),
        }
    }

    fn rotate(&mut self, how: u64) {
        if !self.world.path("a.log").exists() {
            return;
        }
        self.held = None;
        // Older ones move up first, as logrotate does it.
        for n in (1..=self.rotations).rev().filter(|_| self.kind.names != Names::Dated) {
            for end in ["", ".gz"] {
                let (from, to) = (self.name(n, end), self.name(n + 1, end));
                if self.world.path(&from).exists() {
                    self.world.rename(&from, &to);
                }
            }
        }
        self.rotations += 1;
        for end in ["", ".gz"] {
            self.delete(&self.name(self.kind.keep + 1, end));
        }
        let (first, second) = (self.name(1, ""), self.name(2, ""));
        match how {
            0 | 1 => self.world.rename("a.log", &first),
            2 => self.copy_and_cut(&first),
            3 => {
                self.world.rename("a.log", &first);
                self.world.gzip(&first, &self.name(1, ".gz"));
            }
            4 => {
                self.copy_and_cut(&first);
                self.world.gzip(&first, &self.name(1, ".gz"));
            }
            5 => {
                self.world.rename("a.log", &first);
                self.world.append("a.log", "");
            }
            7 | 8 => {
                self.held = Some((self.world.opened("a.log"), how - 6));
                self.world.rename("a.log", &first);
            }
            // The one before is compressed only now.
            _ => {
                if self.world.path(&second).exists() {
                    self.world.gzip(&second, &self.name(2, ".gz"));
                }
                self.world.rename("a.log", &first);
            }
        }
    }

    fn copy_and_cut(&mut self, copy: &str) {
        self.world.copy("a.log", copy);
        self.world.truncate("a.log");
    }

    fn delete(&mut self, name: &str) {
        if !self.world.path(name).exists() {
            return;
        }
        let text = self.world.text_of(name);
        self.may_be_lost.extend(text.lines().filter_map(|line| line.strip_prefix("line ")?.parse::<u64>().ok()));
        self.world.remove(name);
    }

    fn ends(mut self) -> Result<(), String> {
        self.world.refuse(false);
        self.world.poll();
        // Folders in which nothing happens are not looked at with every poll.
        self.world.wait(1500);
        self.world.poll();
        let late = self.missing();
        for _ in 0..3 {
            self.world.wait(70_000);
            self.world.poll();
        }
        let (missing, counts) = (self.missing(), self.counts());
        let is_doubled = |n: &u64| counts.get(&format!("line {n}")).is_some_and(|count| *count > 1);
        let doubled: Vec<u64> = (0..self.written).filter(is_doubled).collect();
        if late.is_empty() && doubled.is_empty() {
            return Ok(());
        }
        Err(format!("late {}, missing {}, doubled {}", ranges(&late), ranges(&missing), ranges(&doubled)))
    }

    fn counts(&self) -> BTreeMap<String, u32> {
        let mut counts = BTreeMap::new();
        for body in self.world.bodies() {
            *counts.entry(body).or_default() += 1;
        }
        counts
    }

    fn missing(&self) -> Vec<u64> {
        let counts = self.counts();
        let is_missing = |n: &u64| !counts.contains_key(&format!("line {n}")) && !self.may_be_lost.contains(n);
        (0..self.written).filter(is_missing).collect()
    }
}

/// Numbers as `3-7, 9-9`.
fn ranges(numbers: &[u64]) -> String {
    let runs = numbers.chunk_by(|one, next| one + 1 == *next);
    runs.map(|run| format!("{}-{}", run[0], run[run.len() - 1])).collect::<Vec<_>>().join(", ")
}

/// A story that goes wrong, without steps that are not needed for that.
fn shortened(kind: Kind, mut steps: Vec<Step>) -> Vec<Step> {
    let mut run = steps.len() / 2;
    while run > 0 {
        let mut at = 0;
        while at < steps.len() {
            let mut fewer = steps.clone();
            fewer.drain(at..(at + run).min(steps.len()));
            match Story::tell(kind, &fewer) {
                Err(_) => steps = fewer,
                Ok(()) => at += run,
            }
        }
        run /= 2;
    }
    steps
}

fn tell_many(kind: Kind, first_seed: u64, length: usize) {
    let mut wrong = Vec::new();
    for seed in first_seed..first_seed + seeds() {
        let mut random = Random::of(seed);
        let mut steps = Vec::new();
        while steps.len() < length {
            Step::add_some(&mut steps, &mut random, kind);
        }
        if Story::tell(kind, &steps).is_err() {
            wrong.push((seed, steps));
        }
    }
    let count = wrong.len();
    if let Some((seed, steps)) = wrong.into_iter().next() {
        let short = shortened(kind, steps.clone());
        let told = Story::tell(kind, &short).err();
        panic!("{count} of {} stories, {}, seed {seed}: {told:?}\n{short:#?}", seeds(), kind.keys);
    }
}

const ALL_NAMES: &str = r#"{"include": ["DIR/a.log*"], "compression": "gzip"}"#;

#[test]
fn each_line_once_whatever_happens() {
    tell_many(Kind { keys: ALL_NAMES, ..USUAL }, 0, 120);
}

#[test]
fn each_line_once_though_rotated_files_have_other_names() {
    tell_many(USUAL, 10_000, 120);
    tell_many(Kind { names: Names::Dated, ..USUAL }, 15_000, 120);
    tell_many(Kind { names: Names::Inside, keys: r#"{"include": ["DIR/a.log"]}"#, ..USUAL }, 20_000, 120);
}

#[test]
fn each_line_once_through_links() {
    let keys = r#"{"include": ["DIR/links/*.log"], "symlink_roots": ["DIR"]}"#;
    tell_many(Kind { keys, names: Names::Dated, ..USUAL }, 90_000, 120);
    tell_many(Kind { keys, look_every: 12, ..USUAL }, 95_000, 60);
}

#[test]
fn each_line_once_though_nobody_looks_for_long() {
    for (at, keys) in [ALL_NAMES, "{}", r#"{"include": ["DIR/a.log*"]}"#].into_iter().enumerate() {
        let at = at as u64 * 1000;
        tell_many(Kind { keys, look_every: 12, ..USUAL }, 30_000 + at, 60);
        tell_many(Kind { keys, look_every: 40, ..USUAL }, 40_000 + at, 60);
    }
}

#[test]
fn each_line_once_though_files_begin_alike() {
    let banner = "-- a banner that every file begins with, longer than what files are known by --\n";
    let all_names = r#"{"include": ["DIR/a.log*"], "compression": "gzip", "fingerprint_size": "16b"}"#;
    for (at, keys) in [r#"{"fingerprint_size": "16b"}"#, all_names].into_iter().enumerate() {
        tell_many(Kind { keys, banner, ..USUAL }, 50_000 + at as u64 * 1000, 60);
        tell_many(Kind { keys, banner, look_every: 12, ..USUAL }, 60_000 + at as u64 * 1000, 60);
    }
}

#[test]
fn none_twice_though_old_files_are_deleted() {
    for (at, keys) in [ALL_NAMES, "{}"].into_iter().enumerate() {
        tell_many(Kind { keys, keep: 3, ..USUAL }, 70_000 + at as u64 * 1000, 120);
        tell_many(Kind { keys, keep: 2, look_every: 12, ..USUAL }, 80_000 + at as u64 * 1000, 120);
    }
}
