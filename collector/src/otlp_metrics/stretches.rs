//! Which stretches of time a series' deltas have counted: what comes late is told from what comes again.

/// Stretches that others go on from are forgotten beyond so many of them, or one for each scope, oldest first.
const PASSED_MAX: usize = 6;
/// And those of a scope beyond so many,
const OF_SCOPE_MAX: usize = 16;
/// and all beyond so many: of so many scopes it is known what they counted last.
const STRETCHES_MAX: usize = 64;
/// And what nobody went on from, when it ended this long before what is forgotten: so long do senders try again.
const AWAITED_NS: u64 = 300_000_000_000;

/// The first byte of a note.
const VERSION: u8 = 1;
/// Bytes of a stretch, and of what goes before them, in a note.
const STRETCH_BYTES: usize = 20;
const BEGIN_BYTES: usize = 10;

/// What one delta counts: from the end of the one before it, as its scope says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    /// Unix ns; 0 when nobody said.
    pub(super) start_ns: u64,
    /// Unix ns.
    pub(super) end_ns: u64,
    /// A hash of whose it is.
    pub(super) scope: u32,
}

/// What a stretch is to those that were counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Not counted.
    New,
    /// It is among them.
    Repeated,
    /// Some of it may be counted.
    Overlapping,
}

/// The last stretches of a series.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Stretches {
    /// In the order in which they came.
    last: Vec<Stretch>,
    /// What ended up to here and is not among them may be counted, Unix ns.
    forgotten_ns: u64,
    /// Whether that is the time of a sample, of which nothing else is known.
    is_of_sample: bool,
}

fn ms(ns: u64) -> u64 {
    ns / 1_000_000
}

impl Stretches {
    /// Of a series of which only the time of the last sample is known, Unix ms.
    pub(super) fn up_to_ms(time_ms: i64) -> Self {
        // A sample's time is cut to its millisecond.
        let forgotten_ns = (time_ms.max(0) as u64).saturating_mul(1_000_000).saturating_add(999_999);
        Self { last: Vec::new(), forgotten_ns, is_of_sample: true }
    }

    /// What a stretch is to them.
    pub(super) fn standing(&self, stretch: Stretch) -> Standing {
        let own = || self.last.iter().filter(|known| known.scope == stretch.scope);
        let is_it = |known: &Stretch| {
            known.end_ns == stretch.end_ns && (known.start_ns == stretch.start_ns || stretch.start_ns == 0)
        };
        if own().any(is_it) {
            return Standing::Repeated;
        }
        let is_later = match own().map(|known| known.end_ns).max() {
            Some(newest_ns) => stretch.end_ns > newest_ns,
            None => stretch.end_ns > self.forgotten_ns,
        };
        if is_later || self.goes_on(stretch) {
            return Standing::New;
        }
        if self.is_of_sample && ms(stretch.end_ns) == ms(self.forgotten_ns) {
            return Standing::Repeated;
        }
        let start_ns = if stretch.start_ns == 0 { stretch.end_ns } else { stretch.start_ns };
        let overlaps = |known: &Stretch| known.start_ns < stretch.end_ns && start_ns < known.end_ns;
        let is_apart = stretch.start_ns < stretch.end_ns && ms(start_ns) >= ms(self.forgotten_ns);
        if is_apart && !own().any(overlaps) { Standing::New } else { Standing::Overlapping }
    }

    /// Whether it begins where one of its scope ended from which no other goes on: each sender counts without a gap.
    fn goes_on(&self, stretch: Stretch) -> bool {
        let mut own = self.last.iter().filter(|known| known.scope == stretch.scope);
        stretch.start_ns > 0
            && stretch.start_ns < stretch.end_ns
            && own.clone().any(|known| known.end_ns == stretch.start_ns)
            && !own.any(|known| known.start_ns == stretch.start_ns)
    }

    /// Adds one that is new.
    pub(super) fn add(&mut self, mut stretch: Stretch) {
        if stretch.start_ns == 0 {
            // Since the one before, then.
            let before = self.last.iter().filter(|known| known.scope == stretch.scope && known.end_ns < stretch.end_ns);
            let before_ns = before.map(|known| known.end_ns).max().unwrap_or(self.forgotten_ns);
            stretch.start_ns = if before_ns == 0 { stretch.end_ns } else { before_ns.min(stretch.end_ns) };
        }
        self.last.push(stretch);
        if self.last.iter().filter(|known| known.scope == stretch.scope).count() > OF_SCOPE_MAX {
            self.forget_oldest(Some(stretch.scope));
        }
        if self.passed().count() > PASSED_MAX.max(self.scopes()) || self.last.len() > STRETCHES_MAX {
            self.forget_oldest(None);
        }
        // A gap that nobody filled, a scope that sends no more.
        let awaited_ns = self.forgotten_ns.saturating_sub(AWAITED_NS);
        self.last.retain(|known| known.end_ns >= awaited_ns);
    }

    /// Forgets the oldest, of a scope or of all; rather one that others go on from.
    fn forget_oldest(&mut self, scope: Option<u32>) {
        let asked = |known: &Stretch| scope.is_none_or(|scope| known.scope == scope);
        let passed = self.passed().filter(|&at| asked(&self.last[at])).min_by_key(|&at| self.last[at].end_ns);
        let any = || (0..self.last.len()).filter(|&at| asked(&self.last[at])).min_by_key(|&at| self.last[at].end_ns);
        let Some(at) = passed.or_else(any) else { return };
        let end_ns = self.last.remove(at).end_ns;
        if end_ns > self.forgotten_ns {
            (self.forgotten_ns, self.is_of_sample) = (end_ns, false);
        }
    }

    /// Where those are that others go on from.
    fn passed(&self) -> impl Iterator<Item = usize> {
        (0..self.last.len()).filter(|&at| self.is_passed(&self.last[at]))
    }

    fn scopes(&self) -> usize {
        let is_first = |at: &usize| self.last[..*at].iter().all(|known| known.scope != self.last[*at].scope);
        (0..self.last.len()).filter(is_first).count()
    }

    /// Whether another one goes on from it.
    fn is_passed(&self, stretch: &Stretch) -> bool {
        self.last
            .iter()
            .any(|known| known.scope == stretch.scope && known.start_ns == stretch.end_ns && known != stretch)
    }

    /// Whether they are one, without a gap, and so known by the time of the series' last sample.
    pub(super) fn is_plain(&self) -> bool {
        let Some(first) = self.last.first() else { return true };
        let begins = self.forgotten_ns == 0 || ms(first.start_ns) <= ms(self.forgotten_ns);
        begins && self.last.windows(2).all(|pair| pair[0].end_ns == pair[1].start_ns && pair[0].scope == pair[1].scope)
    }

    /// For a note.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(BEGIN_BYTES + self.last.len() * STRETCH_BYTES);
        bytes.extend_from_slice(&[VERSION, u8::from(self.is_of_sample)]);
        bytes.extend_from_slice(&self.forgotten_ns.to_le_bytes());
        for Stretch { start_ns, end_ns, scope } in &self.last {
            bytes.extend_from_slice(&start_ns.to_le_bytes());
            bytes.extend_from_slice(&end_ns.to_le_bytes());
            bytes.extend_from_slice(&scope.to_le_bytes());
        }
        bytes
    }

    /// What [`Self::to_bytes`] wrote.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let ([VERSION, is_of_sample @ (0 | 1)], rest) = bytes.split_first_chunk()? else { return None };
        let (forgotten, rest) = rest.split_first_chunk()?;
        let (stretches, left) = rest.as_chunks::<STRETCH_BYTES>();
        let stretch = |bytes: &[u8; STRETCH_BYTES]| {
            let (start, rest) = bytes.split_first_chunk()?;
            let (end, scope) = rest.split_first_chunk()?;
            Some(Stretch {
                start_ns: u64::from_le_bytes(*start),
                end_ns: u64::from_le_bytes(*end),
                scope: u32::from_le_bytes(scope.try_into().ok()?),
            })
        };
        let last: Option<Vec<Stretch>> = stretches.iter().map(stretch).collect();
        let forgotten_ns = u64::from_le_bytes(*forgotten);
        left.is_empty().then_some(Self { last: last?, forgotten_ns, is_of_sample: *is_of_sample == 1 })
    }

    /// The end of the newest, Unix ns.
    pub(super) fn newest_ns(&self) -> u64 {
        self.last.iter().map(|known| known.end_ns).max().unwrap_or(0).max(self.forgotten_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn stretch(start: u64, end: u64, scope: u32) -> Stretch {
        Stretch { start_ns: start * MS, end_ns: end * MS, scope }
    }

    /// What becomes of stretches one after the other: N new, R repeated, O overlapping.
    fn told(stretches: &mut Stretches, all: &[(u64, u64, u32)]) -> String {
        let mut told = String::new();
        for &(start, end, scope) in all {
            let stretch = stretch(start, end, scope);
            let standing = stretches.standing(stretch);
            if standing == Standing::New {
                stretches.add(stretch);
            }
            told.push(match standing {
                Standing::New => 'N',
                Standing::Repeated => 'R',
                Standing::Overlapping => 'O',
            });
            assert_eq!(Stretches::from_bytes(&stretches.to_bytes()).as_ref(), Some(&*stretches));
        }
        told
    }

    #[test]
    fn late_ones_fill_gaps_once() {
        let mut one = Stretches::default();
        assert_eq!(told(&mut one, &[(10, 20, 1), (20, 30, 1), (20, 30, 1), (10, 20, 1)]), "NNRR");
        assert!(one.is_plain());
        assert_eq!(told(&mut one, &[(40, 50, 1), (25, 35, 1), (30, 40, 1), (30, 40, 1), (5, 15, 1)]), "NONRO");
        assert!(!one.is_plain(), "one came late");
        let more: Vec<_> = (5..20).map(|n| (n * 10, n * 10 + 10, 1)).collect();
        assert_eq!(told(&mut one, &more), "N".repeat(more.len()));
        assert!(one.is_plain());
        assert_eq!(told(&mut one, &[(10, 20, 1), (190, 200, 1)]), "OR", "nobody knows any more");
    }

    #[test]
    fn scopes_and_senders_are_told_apart() {
        let mut scopes = Stretches::default();
        assert_eq!(told(&mut scopes, &[(10, 20, 1), (10, 20, 2), (10, 20, 2), (20, 30, 1), (20, 30, 2)]), "NNRNN");
        assert!(!scopes.is_plain());
        // Three senders of one scope: each goes on where it ended.
        let mut senders = Stretches::default();
        let begun = [(10, 20, 1), (11, 22, 1), (13, 24, 1)];
        assert_eq!(told(&mut senders, &begun), "NNN");
        let late = [(24, 34, 1), (22, 32, 1), (20, 30, 1), (20, 30, 1), (30, 40, 1), (34, 44, 1), (32, 42, 1)];
        assert_eq!(told(&mut senders, &late), "NNNRNNN");
        assert_eq!(told(&mut senders, &[(21, 31, 1)]), "O", "another one's, or one that was cut otherwise");
        // More senders than are remembered.
        let mut many = Stretches::default();
        for round in 0..50 {
            let all: Vec<_> = (0..12).map(|n| (round * 100 + n, round * 100 + 100 + n, 1)).collect();
            assert_eq!(told(&mut many, &all), "N".repeat(12));
        }
        assert!(many.last.len() <= OF_SCOPE_MAX);
    }

    #[test]
    fn a_start_that_nobody_said_is_the_end_before() {
        let mut unsaid = Stretches::default();
        assert_eq!(told(&mut unsaid, &[(0, 20, 1), (0, 30, 1), (0, 30, 1), (0, 25, 1), (0, 40, 1)]), "NNRON");
        assert!(unsaid.is_plain());
    }

    #[test]
    fn what_only_the_series_tells() {
        let mut known = Stretches::up_to_ms(20);
        assert_eq!(told(&mut known, &[(10, 20, 1), (5, 15, 1), (30, 40, 2)]), "RON");
        assert!(!known.is_plain());
        assert_eq!(told(&mut known, &[(20, 30, 2), (40, 50, 2), (10, 20, 2), (9, 19, 2)]), "NNRO");
        assert_eq!(Stretches::from_bytes(&[1; 11]), None);
        assert_eq!(Stretches::from_bytes(&[2; 10]), None, "of another version");
        assert_eq!(Stretches::from_bytes(&[]), None);
    }

    #[test]
    fn gaps_and_scopes_that_end_are_forgotten() {
        for first in [&[(10, 20, 1), (30, 40, 1)][..], &[(10, 40, 1), (10, 40, 2)]] {
            let mut stretches = Stretches::default();
            assert_eq!(told(&mut stretches, first), "NN");
            // Ten seconds each.
            let on: Vec<_> = (0..40).map(|n| (n * 10_000 + 40, n * 10_000 + 10_040, 1)).collect();
            assert_eq!(told(&mut stretches, &on[..20]), "N".repeat(20));
            assert!(!stretches.is_plain());
            assert_eq!(told(&mut stretches, &on[20..]), "N".repeat(20));
            assert!(stretches.is_plain(), "{stretches:?}");
            assert_eq!(told(&mut stretches, &[(20, 30, 1), (10, 40, 2), (0, 400_040, 2)]), "OON");
        }
    }

    #[test]
    fn many_scopes_add_up() {
        for scopes in [18, 40, STRETCHES_MAX as u32] {
            let mut stretches = Stretches::default();
            for round in 1..9 {
                let all: Vec<_> = (0..scopes).map(|scope| (round * 10, round * 10 + 10, scope)).collect();
                assert_eq!(told(&mut stretches, &all), "N".repeat(all.len()), "{scopes}, {round}");
                assert_eq!(told(&mut stretches, &all), "R".repeat(all.len()), "{scopes}, {round}");
            }
        }
        // Of more the sender is told.
        let mut more = Stretches::default();
        let all: Vec<_> = (0..70).map(|scope| (10, 20, scope)).collect();
        assert_eq!(told(&mut more, &all), "N".repeat(65) + "OOOOO");
    }
}
