//! What was counted: the lines that a torture ends with.

use std::fmt;

/// Faults that are described in words.
const EXAMPLES_MAX: usize = 20;

/// Counts of a campaign, or of all of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Totals {
    /// Servers killed with SIGKILL.
    pub(crate) kills: u64,
    /// Times that the power was cut.
    pub(crate) cuts: u64,
    /// Failed syncs, full and read-only disks, orderly stops.
    pub(crate) faults: u64,
    /// Comparisons of a server with the oracle.
    pub(crate) looks: u64,
    /// Spans that were acknowledged.
    pub(crate) acked: u64,
    /// Lines and samples that were acknowledged; of them all must be there.
    pub(crate) items_acked: u64,
    /// Of the spans, those that must be kept (without sampling, all).
    pub(crate) due: u64,
    /// Of these, those that were there.
    pub(crate) found: u64,
    /// Of these, those that were not.
    pub(crate) lost: u64,
    /// There more than once.
    pub(crate) duplicated: u64,
    /// There though nobody sent them, or not as they were sent, or in parts of a batch.
    pub(crate) wrong: u64,
    /// Traces decided otherwise than the policies say, or twice.
    pub(crate) wrong_verdicts: u64,
    /// Times that the ledger was not exact.
    pub(crate) ledger_faults: u64,
    /// The first differences, in words.
    pub(crate) examples: Vec<String>,
}

impl Totals {
    /// Whether nothing differs.
    pub(crate) fn good(&self) -> bool {
        let wrong = self.lost + self.duplicated + self.wrong + self.wrong_verdicts + self.ledger_faults;
        wrong == 0 && self.found == self.due && self.examples.is_empty()
    }

    /// Adds another's.
    pub(crate) fn add(&mut self, other: Self) {
        self.kills += other.kills;
        self.cuts += other.cuts;
        self.faults += other.faults;
        self.looks += other.looks;
        self.acked += other.acked;
        self.items_acked += other.items_acked;
        self.due += other.due;
        self.found += other.found;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.wrong += other.wrong;
        self.wrong_verdicts += other.wrong_verdicts;
        self.ledger_faults += other.ledger_faults;
        other.examples.into_iter().for_each(|example| self.example(example));
    }

    /// Notes a difference in words.
    pub(crate) fn example(&mut self, words: String) {
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(words);
        }
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kills, cuts, faults, looks, acked, due, found, lost, duplicated, .. } = self;
        writeln!(f, "{} rounds: {kills} kills, {cuts} power cuts, {faults} other faults", kills + cuts + faults)?;
        writeln!(f, "{acked} acknowledged spans, {due} of them to be kept, in {looks} looks")?;
        writeln!(f, "{} acknowledged lines and samples", self.items_acked)?;
        writeln!(f, "found = {found}, lost = {lost}, duplicated = {duplicated}")?;
        let (wrong, verdicts, ledger) = (self.wrong, self.wrong_verdicts, self.ledger_faults);
        writeln!(f, "foreign, changed or torn = {wrong}, wrong verdicts = {verdicts}, ledger faults = {ledger}")?;
        for example in &self.examples {
            writeln!(f, "  {example}")?;
        }
        write!(f, "{}", if self.good() { "everything acknowledged is there exactly once" } else { "DIFFERENCES" })
    }
}
