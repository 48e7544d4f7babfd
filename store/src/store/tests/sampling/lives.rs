//! Long stories with stops in them: whatever had a verdict keeps it, and the rest is decided as without the stops.

use super::*;
use crate::{disk::Disk, options::StoreOptions};

/// Numbers out of a seed.
struct Draw(u64);

impl Draw {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

#[derive(Debug, Clone)]
enum Step {
    Append(Vec<u64>),
    Pass(u64),
    Sample,
    /// Decide, and go on before the verdicts are durable.
    Turn,
    Roll,
    Seal,
    Tidy,
}

/// Spans of some hundred traces, most traces spread over several batches and over time.
fn story(seed: u64, steps: usize) -> Vec<Step> {
    let mut draw = Draw(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut left: std::collections::VecDeque<u64> = (0..2000).collect();
    let mut story = Vec::new();
    for _ in 0..steps {
        let step = match draw.below(20) {
            0..8 => {
                let mut batch: Vec<u64> = Vec::new();
                for _ in 0..=draw.below(8) {
                    // Now and then one from further ahead: the rest of its trace comes much later.
                    let window = if draw.below(5) == 0 { 200 } else { 12 };
                    let at = draw.below(window.min(left.len() as u64)) as usize;
                    batch.extend(left.remove(at));
                }
                batch.sort_unstable();
                Step::Append(batch)
            }
            8..11 => Step::Pass(draw.below(400)),
            11..14 => Step::Sample,
            14 => Step::Turn,
            15..17 => Step::Roll,
            17..19 => Step::Seal,
            _ => Step::Tidy,
        };
        story.push(step);
    }
    story
}

/// A store in a story, and what it has said of each span.
struct Life {
    store: Sampled,
    folders: Vec<tempfile::TempDir>,
    sent: Numbers,
    /// Verdicts that were in effect.
    decided: Standings,
}

impl Life {
    async fn begin(script: Script) -> Self {
        let folder = temp_folder();
        // Time of their own: a twin must not move it.
        let options = StoreOptions { journal_file_bytes_max: 4 << 10, ..super::super::options(folder.path()) };
        let store = Sampled::open_with(options, Disk::default(), script.shared(), super::super::clock()).await;
        Self { store, folders: vec![folder], sent: Numbers::new(), decided: Standings::new() }
    }

    async fn take(&mut self, step: &Step) {
        match step {
            Step::Append(batch) => self.sent.extend(self.store.append(batch.iter().copied()).await),
            Step::Pass(milliseconds) => self.store.pass(*milliseconds),
            Step::Sample => self.store.sample(),
            Step::Turn => self.store.turn(),
            Step::Roll => self.store.roll().await,
            Step::Seal => drop(self.store.seal().await),
            Step::Tidy => self.store.tidy(),
        }
        self.look();
    }

    /// Stops and starts.
    async fn kill(mut self) -> Self {
        let folder = temp_folder();
        self.store = self.store.kill(folder.path()).await;
        self.folders.push(folder);
        self.look();
        self
    }

    /// No verdict that was in effect has changed; nothing is missing.
    fn look(&mut self) {
        for (n, standing) in self.store.standings() {
            match self.decided.get(&n) {
                Some(before) => assert_eq!(*before, standing, "span {n}"),
                None if standing == store::Standing::Pending => {}
                None => drop(self.decided.insert(n, standing)),
            }
        }
        let tally = self.store.ledger();
        assert_eq!((tally.accepted, tally.damaged), (self.sent.len() as u64, 0));
    }

    /// Decides and seals everything; answers what became of each span.
    async fn end(mut self) -> (Standings, Numbers) {
        self.store.sample();
        self.store.pass(5000);
        self.store.sample();
        self.look();
        self.store.roll().await;
        self.store.seal().await;
        let kept = self.decided.iter().filter(|(_, standing)| matches!(standing, store::Standing::Kept(_)));
        let kept: Numbers = kept.map(|(n, _)| *n).collect();
        assert_eq!(self.decided.len(), self.sent.len(), "each has a verdict");
        assert_eq!(self.store.visible(&self.sent), kept, "all of the kept ones are there, none of the dropped");
        let tally = self.store.ledger();
        assert_eq!((tally.kept, tally.pending, tally.damaged), (kept.len() as u64, 0, 0));
        self.store.close().await;
        (self.decided, kept)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_story_with_stops_ends_as_the_one_without() {
    for seed in 1..=12 {
        let cached = [0, 1, 5, 1000][seed as usize % 4];
        let steps = story(seed, 150);
        let mut life = Life::begin(Script::caching(cached)).await;
        let mut twin = Life::begin(Script::caching(cached)).await;
        for (at, step) in steps.iter().enumerate() {
            // A stop with verdicts under way may take them or leave them: that is for the test below.
            let step = if matches!(step, Step::Turn) { &Step::Sample } else { step };
            life.take(step).await;
            twin.take(step).await;
            if matches!(step, Step::Sample | Step::Seal | Step::Tidy) && at % 3 == 0 {
                life.take(&Step::Sample).await;
                twin.take(&Step::Sample).await;
                let now_ns = life.store.now_ns();
                life = life.kill().await;
                // Time is only known by what is in the journals: the rest since then passes again.
                life.store.clock.set(life.store.clock.now_ns() + now_ns - life.store.now_ns());
                // Closed files may be sealed sooner after a stop: what is decided counts.
                assert_eq!(life.decided, twin.decided, "seed {seed}, step {at}");
            }
        }
        assert!(life.folders.len() > 5);
        assert_eq!(life.end().await, twin.end().await, "seed {seed}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_at_any_step_changes_no_verdict() {
    for seed in 101..=108 {
        let cached = [0, 2, 1000][seed as usize % 3];
        let mut draw = Draw(seed);
        let mut life = Life::begin(Script::caching(cached)).await;
        for step in story(seed, 120) {
            life.take(&step).await;
            if draw.below(8) == 0 {
                life = life.kill().await;
            }
        }
        life.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_cache_sizes_after_a_start_change_no_verdict() {
    for seed in 201..=206 {
        let mut life = Life::begin(Script::caching(3)).await;
        for (at, step) in story(seed, 150).into_iter().enumerate() {
            life.take(&step).await;
            if at % 12 == 11 {
                life.store.sampling = Script::caching([0, 1000, 3][at / 12 % 3]).shared();
                life = life.kill().await;
            }
        }
        life.end().await;
    }
}
