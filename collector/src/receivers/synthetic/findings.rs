//! What a probe finds on its way: gauges, phases with their times, and why it failed.

use tokio::time::Instant;

use super::gauges::Gauges;

/// Phases that one probe remembers: redirects have some each.
const PHASES_MAX: usize = 128;

/// A stretch of a probe's time.
#[derive(Debug)]
pub(super) struct Phase {
    pub(super) name: &'static str,
    pub(super) begin: Instant,
    /// `None`: it did not end.
    pub(super) end: Option<Instant>,
    pub(super) notes: Vec<(&'static str, Note)>,
}

/// A value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Note {
    Text(String),
    Number(i64),
}

impl From<&str> for Note {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Note {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Note {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

/// All that is known of a probe so far; what is there when its time is up counts.
#[derive(Debug)]
pub(super) struct Findings {
    pub(super) gauges: Gauges,
    pub(super) phases: Vec<Phase>,
    /// Attributes of the whole probe.
    pub(super) notes: Vec<(&'static str, Note)>,
    /// Whom a header `traceparent` names as parent.
    pub(super) traceparent: Option<String>,
    /// The family that phases are added to as they end.
    durations: Option<&'static str>,
}

impl Findings {
    pub(super) fn new(traceparent: Option<String>) -> Self {
        Self { gauges: Gauges::default(), phases: Vec::new(), notes: Vec::new(), traceparent, durations: None }
    }

    /// Durations of these phases are gauges, 0 before they happen.
    pub(super) fn count_phases(&mut self, family: &'static str, phases: &[&'static str]) {
        for phase in phases {
            self.gauges.add(family, &[("phase", phase)], 0.0);
        }
        self.durations = Some(family);
    }

    /// Begins a phase.
    pub(super) fn begin(&mut self, name: &'static str) {
        if self.phases.len() < PHASES_MAX {
            self.phases.push(Phase { name, begin: Instant::now(), end: None, notes: Vec::new() });
        }
    }

    /// Ends the phase that began last.
    pub(super) fn end(&mut self) {
        let Some(phase) = self.phases.last_mut().filter(|phase| phase.end.is_none()) else { return };
        let now = Instant::now();
        phase.end = Some(now);
        if let Some(family) = self.durations {
            let seconds = (now - phase.begin).as_secs_f64();
            self.gauges.add(family, &[("phase", phase.name)], seconds);
        }
    }

    /// An attribute of the phase that is under way, or was last.
    pub(super) fn note_phase(&mut self, name: &'static str, note: impl Into<Note>) {
        if let Some(phase) = self.phases.last_mut() {
            phase.notes.push((name, note.into()));
        }
    }

    /// An attribute of the probe; a later one takes an earlier one's place.
    pub(super) fn note(&mut self, name: &'static str, note: impl Into<Note>) {
        self.notes.retain(|(known, _)| *known != name);
        self.notes.push((name, note.into()));
    }

    /// The phase that did not end.
    pub(super) fn open_phase(&self) -> Option<&'static str> {
        self.phases.last().filter(|phase| phase.end.is_none()).map(|phase| phase.name)
    }
}
