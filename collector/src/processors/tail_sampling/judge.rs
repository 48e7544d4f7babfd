//! Decides on traces: one set of policies for real, the others beside it without effect.

use serde_json::{Value, json};
use weir_store::sampling::{ArrivedSpan, Cause, Decision, Judge, TraceAccount};

use super::{
    set::{self, PolicySet, SetConfig},
    state,
};
use crate::policies::{DueTrace, Plan, observe, observes, recall};

/// Sets of policies at work, the deciding one first.
#[derive(Debug)]
pub(super) struct TailJudge {
    sets: Vec<PolicySet>,
    /// Set and policy of those that want to see spans.
    observers: Vec<(usize, usize)>,
}

impl TailJudge {
    /// The same sets always make the same policies, with the same bits.
    pub(super) fn new(configs: &[SetConfig]) -> Self {
        let sets = set::build(configs, &mut Plan::default()).expect("built once before, when it was read");
        let mut observers = Vec::new();
        for (number, set) in sets.iter().enumerate() {
            let wanting = set.policies.iter().enumerate().filter(|(_, named)| observes(&*named.policy));
            observers.extend(wanting.map(|(index, _)| (number, index)));
        }
        Self { sets, observers }
    }
}

impl Judge for TailJudge {
    fn policies(&self) -> Vec<String> {
        self.sets[0].names()
    }

    fn observes(&self) -> bool {
        !self.observers.is_empty()
    }

    fn observe(&mut self, span: &ArrivedSpan<'_>, account: &mut TraceAccount) {
        for (set, index) in &self.observers {
            observe(&mut *self.sets[*set].policies[*index].policy, span, account);
        }
    }

    fn decide(&mut self, account: &TraceAccount, _cause: Cause, now_ns: u64) -> Decision {
        let trace = DueTrace { account, now_ns };
        let (deciding, dry) = self.sets.split_first_mut().expect("a judge has a set that decides");
        for set in dry {
            set.decide(&trace);
        }
        let decision = deciding.decide(&trace);
        Decision {
            keep: decision.keep,
            policy: decision.policy,
            adjusted_count: if decision.keep { 1.0 / decision.chance } else { 1.0 },
            is_probabilistic: decision.keep && decision.chance < 1.0 && decision.is_known,
        }
    }

    fn recall(&mut self, account_spans: u32, kept: bool, policy: usize, journal_time_ns: u64) {
        if !kept {
            return;
        }
        for (index, named) in self.sets[0].policies.iter_mut().enumerate() {
            recall(&mut *named.policy, account_spans, index == policy, journal_time_ns);
        }
    }

    fn checkpoint(&self) -> Vec<u8> {
        state::write(&self.sets)
    }

    fn restore(&mut self, checkpoint: &[u8]) {
        state::read(checkpoint, &mut self.sets);
    }

    fn report(&self) -> Value {
        let sets: Vec<Value> = self.sets.iter().enumerate().map(|(number, set)| set.report(number > 0)).collect();
        json!({ "sets": sets })
    }
}
