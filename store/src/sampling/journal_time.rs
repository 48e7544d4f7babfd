//! Journal time: the time of arrival, less the time that Weir was not running. It never goes back.

/// Tells journal time from arrivals and from the clock.
#[derive(Debug, Default)]
pub(super) struct JournalTime {
    /// For each run, oldest first: its first journal file, and what is taken off the clock in it.
    runs: Vec<(u32, i64)>,
    last_ns: u64,
    /// What the clock showed last.
    clock_ns: u64,
    /// How far it was set back in this run, all times together.
    set_back_ns: u64,
}

impl JournalTime {
    /// The runs that the catalog knows.
    pub(super) fn new(mut runs: Vec<(u32, i64)>) -> Self {
        runs.sort_unstable();
        Self { runs, ..Self::default() }
    }

    /// The moment at which a frame arrived, in the order of the journal.
    pub(super) fn of_arrival(&mut self, file: u32, received_at_ns: u64) -> u64 {
        let run = self.runs.partition_point(|(first_file, _)| *first_file <= file);
        let shift = run.checked_sub(1).map_or(0, |run| self.runs[run].1);
        self.reach(received_at_ns.saturating_add_signed(shift.saturating_neg()))
    }

    /// Now, when everything that has arrived is taken in.
    pub(super) fn now(&mut self, clock_ns: u64) -> u64 {
        // Else time would stand still for as long.
        self.set_back_ns += self.clock_ns.saturating_sub(clock_ns);
        self.clock_ns = clock_ns;
        let now_ns = self.at(clock_ns);
        self.reach(now_ns)
    }

    /// The same without moving time on.
    pub(super) fn at(&self, clock_ns: u64) -> u64 {
        let shift = self.runs.last().map_or(0, |(_, shift)| *shift);
        let clock_ns = clock_ns.saturating_add(self.set_back_ns);
        clock_ns.saturating_add_signed(shift.saturating_neg()).max(self.last_ns)
    }

    /// The newest moment so far.
    pub(super) fn last(&self) -> u64 {
        self.last_ns
    }

    /// At least `time_ns`, and not before what was reached.
    pub(super) fn reach(&mut self, time_ns: u64) -> u64 {
        self.last_ns = self.last_ns.max(time_ns);
        self.last_ns
    }

    /// A run begins: time goes on from where the one before stood. Answers its first file and what is taken off its clock.
    pub(super) fn begin_run(&mut self, first_file: u32, clock_ns: u64) -> (u32, i64) {
        // Before anything arrived there is nothing to go on from.
        let shift = if self.last_ns == 0 { 0 } else { clock_ns.wrapping_sub(self.last_ns) as i64 };
        self.runs.retain(|(first, _)| *first != first_file);
        self.runs.push((first_file, shift));
        (self.clock_ns, self.set_back_ns) = (clock_ns, 0);
        (first_file, shift)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_stands_still_between_runs() {
        let mut time = JournalTime::new(Vec::new());
        assert_eq!(time.begin_run(1, 5000), (1, 0));
        assert_eq!(time.of_arrival(1, 5010), 5010);
        assert_eq!(time.of_arrival(2, 5005), 5010, "it never goes back");
        assert_eq!(time.now(5020), 5020);
        // An hour later, which is not remembered but by the frames.
        let mut again = JournalTime::new(vec![(1, 0)]);
        again.of_arrival(1, 5010);
        again.of_arrival(2, 5005);
        assert_eq!(again.begin_run(3, 9000), (3, 3990));
        assert_eq!(again.now(9000), 5010);
        assert_eq!(again.of_arrival(3, 9007), 5017);
        let mut third = JournalTime::new(vec![(3, 3990), (1, 0)]);
        assert_eq!(
            [third.of_arrival(2, 5010), third.of_arrival(3, 9007), third.of_arrival(4, 9008)],
            [5010, 5017, 5018]
        );
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_stop_time() {
        let mut time = JournalTime::new(vec![(1, 0)]);
        time.of_arrival(1, 5000);
        assert_eq!(time.begin_run(2, 100), (2, -4900));
        assert_eq!(time.of_arrival(2, 107), 5007);
    }

    #[test]
    fn a_clock_that_is_set_back_meanwhile_does_not_stop_time() {
        let mut time = JournalTime::new(Vec::new());
        time.begin_run(1, 5000);
        assert_eq!([5010, 10, 15, 4].map(|clock_ns| time.now(clock_ns)), [5010, 5010, 5015, 5015]);
        assert_eq!((time.of_arrival(1, 6), time.at(8), time.now(9)), (5015, 5019, 5020));
        // Another run takes it off the clock.
        assert_eq!(time.begin_run(2, 20), (2, -5000));
        assert_eq!([20, 25].map(|clock_ns| time.now(clock_ns)), [5020, 5025]);
        assert_eq!(time.of_arrival(2, 27), 5027);
    }
}
