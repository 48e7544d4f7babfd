//! Kinds of stories, and what happens in them at random.

/// A generator of numbers (Marsaglia, Xorshift RNGs).
pub(super) struct Random(u64);

impl Random {
    pub(super) fn of(seed: u64) -> Self {
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

/// What is particular to a kind of stories.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    /// The configuration.
    pub(super) keys: &'static str,
    /// The reader looks once in so many steps.
    pub(super) look_every: u64,
    /// What each file begins with; what tells them from each other comes later.
    pub(super) banner: &'static str,
    /// Old files are deleted beyond so many.
    pub(super) keep: u64,
    pub(super) names: Names,
    pub(super) form: Form,
    pub(super) text: Text,
    /// Files that are written to, and rotated, side by side.
    pub(super) streams: usize,
    /// The file system's clock is so far from the reader's.
    pub(super) apart_ms: i64,
    pub(super) steps_clock: bool,
    /// Lines are written in halves.
    pub(super) has_halves: bool,
    /// Writers keep their place in files that are cut.
    pub(super) has_places: bool,
    /// Files are moved to where no pattern leads, and back.
    pub(super) has_moves: bool,
    /// Reads fail.
    pub(super) has_faults: bool,
    /// Only that nothing is there twice.
    pub(super) may_miss: bool,
    /// The first line was there before.
    pub(super) skips_first: bool,
    /// With 1.5 s before each, before what is not there is late.
    pub(super) looks_until_late: u32,
}

/// What rotation calls the first file before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    /// `a.log.1`; older ones move up.
    Behind,
    /// `a-1.log`, the same.
    Inside,
    /// `a.log-0007`, for good.
    Dated,
}

/// What is written at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Lines,
    /// Two lines each.
    Records,
}

/// How it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Text {
    Utf8,
    Utf16le,
    Utf16be,
}

/// A file that is rotated.
pub(super) const USUAL: Kind = Kind {
    keys: "{}",
    look_every: 4,
    banner: "",
    keep: 1000,
    names: Names::Behind,
    form: Form::Lines,
    text: Text::Utf8,
    streams: 1,
    apart_ms: 0,
    steps_clock: true,
    has_halves: false,
    has_places: false,
    has_moves: false,
    has_faults: false,
    may_miss: false,
    skips_first: false,
    looks_until_late: 1,
};

/// What happens.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    Write {
        stream: usize,
        lines: u64,
    },
    /// A line is begun with.
    Half {
        stream: usize,
    },
    WaitMs(u64),
    /// The clock steps back, or ahead.
    ClockMs(i64),
    /// The journal takes nothing, or takes again what it is given.
    Refuse(bool),
    Rotate {
        stream: usize,
        how: u64,
    },
    /// What rotation has begun with is done.
    Finish {
        stream: usize,
    },
    /// The file of so many rotations ago moves to where no pattern leads.
    Away {
        stream: usize,
        n: u64,
    },
    /// And the first of those back, under another name.
    Back,
    /// The read after so many fails.
    FailAfter(u32),
    Look,
    /// The reader is killed after so many packages.
    LookAndDie(u32),
}

impl Step {
    /// What happens at random, and whether somebody looks.
    pub(super) fn add_some(steps: &mut Vec<Self>, random: &mut Random, kind: Kind) {
        let stream = random.below(kind.streams as u64) as usize;
        steps.push(match random.below(24) {
            0..9 => Self::Write { stream, lines: 1 + random.below(40) },
            9 => Self::WaitMs(random.below(3000)),
            10 if kind.steps_clock && random.is_one_of(4) => {
                Self::ClockMs(random.below(20_000_000) as i64 - 10_000_000)
            }
            10 => Self::WaitMs(random.below(30_000)),
            11 => Self::Refuse(random.is_one_of(2)),
            12 if kind.has_halves => Self::Half { stream },
            13 if kind.has_moves => match random.below(3) {
                0 => Self::Away { stream, n: random.below(3) },
                _ => Self::Back,
            },
            14 if kind.has_faults => Self::FailAfter(random.below(30) as u32),
            12..16 => Self::Finish { stream },
            _ => match random.below(13) {
                9 if !kind.has_places => Self::Rotate { stream, how: 2 },
                how => Self::Rotate { stream, how },
            },
        });
        if random.is_one_of(kind.look_every) {
            steps.push(match random.below(8) {
                0..2 => Self::LookAndDie(random.below(4) as u32),
                _ => Self::Look,
            });
        }
    }
}
