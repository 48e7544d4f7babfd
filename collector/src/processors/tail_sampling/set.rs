//! One set of policies: asks them in order, and combines their votes as the Collector does.

use serde_json::{Value, json};

use super::TailSamplingConfig;
use crate::policies::{
    DueTrace, Luck, Named, Plan, PlanError, PolicyConfig, Settlement, Vote, chance_of, report, settle,
};

/// Named in the verdicts of traces that no policy wanted.
pub(super) const NO_POLICY: &str = "no_policy";

/// The id, and the policy, of the set that decides when all others only would.
const KEEP_ALL: &str = "dry_run";

/// The type of policies that drop.
const DROP: &str = "drop";

/// No chance is taken for smaller than this.
const CHANCE_MIN: f64 = 1e-12;

/// A chance above this is certainty.
const CERTAIN: f64 = 1.0 - 1e-9;

/// A set as configured.
#[derive(Debug, Clone)]
pub(super) struct SetConfig {
    id: String,
    first_match: bool,
    /// `None`: keeps everything.
    policies: Option<Vec<PolicyConfig>>,
}

impl SetConfig {
    /// Of a block.
    pub(super) fn new(id: &str, config: &TailSamplingConfig) -> Self {
        // What drops is asked first: it ends the asking.
        let (mut policies, others): (Vec<_>, Vec<_>) =
            config.policies.iter().cloned().partition(|policy| policy.kind() == DROP);
        policies.extend(others);
        Self { id: id.to_owned(), first_match: config.sample_on_first_match, policies: Some(policies) }
    }

    /// Decides when all blocks are dry runs.
    pub(super) fn keep_all() -> Self {
        Self { id: KEEP_ALL.to_owned(), first_match: false, policies: None }
    }
}

/// Makes sets of policies, always in the same order: bits mean the same to marks and to judges.
pub(super) fn build(configs: &[SetConfig], plan: &mut Plan) -> Result<Vec<PolicySet>, PlanError> {
    let mut sets = Vec::with_capacity(configs.len());
    for config in configs {
        let policies = plan.build_all(config.policies.as_deref().unwrap_or_default())?;
        let tallies = vec![Tally::default(); policies.len() + 1];
        sets.push(PolicySet {
            id: config.id.clone(),
            first_match: config.first_match,
            keeps_all: config.policies.is_none(),
            policies,
            tallies,
            total: Tally::default(),
            heard: Vec::new(),
        });
    }
    Ok(sets)
}

/// Policies at work.
#[derive(Debug)]
pub(super) struct PolicySet {
    pub(super) id: String,
    first_match: bool,
    keeps_all: bool,
    pub(super) policies: Vec<Named>,
    /// For each policy, and for none of them.
    tallies: Vec<Tally>,
    total: Tally,
    /// What the policies said of the trace that is being decided; those after a first match are not in it.
    heard: Vec<Heard>,
}

/// A vote, and whether chance was asked for it.
#[derive(Debug, Clone, Copy)]
struct Heard {
    vote: Vote,
    by_luck: bool,
}

/// Counts since the start.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    /// Traces and spans that it wanted, or dropped.
    voted: (u64, u64),
    /// Of those: where it was the one that decided.
    decided: (u64, u64),
    /// Of those: kept.
    kept: (u64, u64),
    /// What the kept spans stand for.
    adjusted: f64,
}

/// What a set says of a trace.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct SetDecision {
    pub(super) keep: bool,
    /// The policy's number; the number of policies for none.
    pub(super) policy: usize,
    /// How likely it was to be kept.
    pub(super) chance: f64,
    /// The chance is known, not estimated.
    pub(super) is_known: bool,
}

/// What the votes come to.
struct Outcome {
    keep: bool,
    policy: Option<usize>,
    /// Nobody who keeps by luck was needed for it.
    is_certain: bool,
    /// Luck would have changed it.
    is_luck: bool,
}

impl PolicySet {
    /// Names, in the order of their numbers.
    pub(super) fn names(&self) -> Vec<String> {
        let own = if self.keeps_all { KEEP_ALL } else { NO_POLICY };
        self.policies.iter().map(|named| named.name.clone()).chain([own.to_owned()]).collect()
    }

    /// Decides on a trace, and tells the policies.
    pub(super) fn decide(&mut self, trace: &DueTrace<'_>) -> SetDecision {
        let none = self.policies.len();
        if self.keeps_all {
            self.total.note(trace, true, 1.0);
            self.tallies[none].note(trace, true, 1.0);
            return SetDecision { keep: true, policy: none, chance: 1.0, is_known: true };
        }
        let mut luck = Luck::real();
        let (policies, tallies, heard) = (&mut self.policies, &mut self.tallies, &mut self.heard);
        heard.clear();
        let outcome = ask(policies, self.first_match, trace, &mut luck, |index, vote, by_luck| {
            heard.push(Heard { vote, by_luck });
            if vote != Vote::NotSampled {
                tallies[index].vote(trace);
            }
        });
        let (mut chance, mut is_known) = (1.0, true);
        if outcome.keep && outcome.is_luck {
            let (policies, heard, first_match) = (&mut self.policies, &self.heard, self.first_match);
            (chance, is_known) = chance_of(|luck| would_keep(policies, heard, first_match, trace, luck));
            // Paths are weighed in floating point: what comes to all of them was certain.
            chance = if chance > CERTAIN { 1.0 } else { chance.max(CHANCE_MIN) };
        }
        for named in &mut self.policies {
            settle(&mut *named.policy, trace, Settlement { kept: outcome.keep, is_certain: outcome.is_certain });
        }
        let policy = outcome.policy.unwrap_or(none);
        self.tallies[policy].note(trace, outcome.keep, 1.0 / chance);
        self.total.note(trace, outcome.keep, 1.0 / chance);
        SetDecision { keep: outcome.keep, policy, chance, is_known }
    }

    /// Its figures.
    pub(super) fn report(&self, is_dry_run: bool) -> Value {
        let share = |tally: &Tally| match self.total.decided.1 {
            0 => 0.0,
            spans => tally.kept.1 as f64 / spans as f64,
        };
        let names = self.names();
        let kinds = self.policies.iter().map(|named| named.kind).chain([""]);
        let policies: Vec<Value> = names
            .iter()
            .zip(kinds)
            .zip(&self.tallies)
            .enumerate()
            .map(|(index, ((name, kind), tally))| {
                json!({
                    "name": name,
                    "type": kind,
                    "wanted": { "traces": tally.voted.0, "spans": tally.voted.1 },
                    "decided": { "traces": tally.decided.0, "spans": tally.decided.1 },
                    "kept": { "traces": tally.kept.0, "spans": tally.kept.1, "share_of_spans": share(tally) },
                    "state": self.policies.get(index).and_then(|named| report(&*named.policy)),
                })
            })
            .collect();
        json!({
            "id": self.id,
            "dry_run": is_dry_run,
            "decided": { "traces": self.total.decided.0, "spans": self.total.decided.1 },
            "kept": {
                "traces": self.total.kept.0,
                "spans": self.total.kept.1,
                "share_of_spans": share(&self.total),
                "spans_adjusted": self.total.adjusted,
            },
            "policies": policies,
        })
    }
}

/// Asks policies in order and combines what they say: `drop` first; then a "no" by `invert_match`; then any "yes"; then a "yes"
/// by `invert_match`, when nobody said a plain "no".
fn ask(
    policies: &mut [Named],
    first_match: bool,
    trace: &DueTrace<'_>,
    luck: &mut Luck,
    mut on_vote: impl FnMut(usize, Vote, bool),
) -> Outcome {
    let (mut yes, mut certain_yes, mut inverted_yes, mut inverted_no) = (None, None, None, None);
    let (mut any_no, mut any_asked, mut any_drop_asked) = (false, false, false);
    for (index, named) in policies.iter_mut().enumerate() {
        let vote = named.policy.vote(trace, luck);
        let asked = luck.was_asked();
        any_asked |= asked;
        any_drop_asked |= asked && named.kind == DROP;
        on_vote(index, vote, asked);
        match vote {
            // Nobody after it is asked.
            Vote::Dropped => return Outcome { keep: false, policy: Some(index), is_certain: true, is_luck: asked },
            Vote::InvertNotSampled => _ = inverted_no.get_or_insert((index, !asked)),
            Vote::Sampled => {
                yes.get_or_insert(index);
                if !asked {
                    certain_yes.get_or_insert(index);
                }
                if first_match {
                    break;
                }
            }
            Vote::InvertSampled => _ = inverted_yes.get_or_insert(index),
            Vote::NotSampled => any_no = true,
        }
    }
    if let Some((index, is_certain)) = inverted_no {
        return Outcome { keep: false, policy: Some(index), is_certain, is_luck: !is_certain };
    }
    if yes.is_some() {
        // Who keeps it for certain says more of why it is there.
        let is_certain = certain_yes.is_some();
        return Outcome { keep: true, policy: certain_yes.or(yes), is_certain, is_luck: !is_certain || any_drop_asked };
    }
    if inverted_yes.is_some() && !any_no {
        return Outcome { keep: true, policy: inverted_yes, is_certain: !any_asked, is_luck: any_asked };
    }
    Outcome { keep: false, policy: None, is_certain: !any_asked, is_luck: any_asked }
}

/// Whether the trace would be kept with other luck: as [`ask`], but asking only whom luck moves, and only until it is sure. Of policies that
/// each leave something to chance, n paths tell, not 2^n.
fn would_keep(
    policies: &mut [Named],
    heard: &[Heard],
    first_match: bool,
    trace: &DueTrace<'_>,
    luck: &mut Luck,
) -> bool {
    // Whoever votes by luck says yes or no, or is `drop`: only that takes a yes back.
    let is_fixed = |index: usize| heard.get(index).is_some_and(|heard| !heard.by_luck);
    let last_veto = (0..policies.len()).rfind(|&index| policies[index].kind == DROP && !is_fixed(index));
    let (mut yes, mut inverted_yes, mut any_no) = (false, false, false);
    for (index, named) in policies.iter_mut().enumerate() {
        let vote = match heard.get(index) {
            Some(heard) if !heard.by_luck => heard.vote,
            _ => named.policy.vote(trace, luck),
        };
        match vote {
            Vote::Dropped | Vote::InvertNotSampled => return false,
            Vote::Sampled => yes = true,
            Vote::InvertSampled => inverted_yes = true,
            Vote::NotSampled => any_no = true,
        }
        if yes && (first_match || last_veto.is_none_or(|last| index >= last)) {
            break;
        }
    }
    yes || (inverted_yes && !any_no)
}

impl Tally {
    fn vote(&mut self, trace: &DueTrace<'_>) {
        self.voted.0 += 1;
        self.voted.1 += u64::from(trace.account.spans);
    }

    fn note(&mut self, trace: &DueTrace<'_>, kept: bool, count: f64) {
        let spans = u64::from(trace.account.spans);
        self.decided.0 += 1;
        self.decided.1 += spans;
        if kept {
            self.kept.0 += 1;
            self.kept.1 += spans;
            self.adjusted += spans as f64 * count;
        }
    }
}
