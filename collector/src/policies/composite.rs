//! `composite`: the first of its policies that wants a trace keeps it, while its part of a total rate lasts.

use serde::Deserialize;

use super::{
    DueTrace, Luck, Named, Plan, PlanError, Policy, PolicyConfig, PolicySettings, Settlement, Vote, config::policies,
    limiter::ShareKept, luck::Variable, rate_limiting::RATE_MAX, saved,
};

const NS_PER_SECOND: u64 = 1_000_000_000;

/// Layout of what is saved.
const VERSION: u8 = 1;

/// The total rate and its parts.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Composite {
    max_total_spans_per_second: u64,
    /// Names; those left out come after them.
    #[serde(default)]
    policy_order: Vec<String>,
    #[serde(deserialize_with = "policies")]
    composite_sub_policy: Vec<PolicyConfig>,
    #[serde(default)]
    rate_allocation: Vec<Allocation>,
}

/// What one of the policies may use.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Allocation {
    policy: String,
    /// 0: as much as one that is not listed.
    #[serde(default)]
    percent: u64,
}

impl Composite {
    fn position(&self, name: &str) -> Result<usize, String> {
        self.composite_sub_policy.iter().position(|policy| policy.name == name).ok_or_else(|| {
            let known: Vec<&str> = self.composite_sub_policy.iter().map(|policy| policy.name.as_str()).collect();
            format!("`{name}` is none of composite_sub_policy: {}", known.join(", "))
        })
    }

    /// Positions of the policies, in the order of asking.
    fn order(&self) -> Result<Vec<usize>, String> {
        let mut order = Vec::new();
        for name in &self.policy_order {
            let position = self.position(name)?;
            if order.contains(&position) {
                return Err(format!("`{name}` is twice in policy_order"));
            }
            order.push(position);
        }
        let rest = (0..self.composite_sub_policy.len()).filter(|position| !order.contains(position));
        Ok(order.iter().copied().chain(rest).collect())
    }

    /// Spans per second of each policy.
    fn rates(&self) -> Result<Vec<f64>, String> {
        let total = self.max_total_spans_per_second as f64;
        let mut rates = vec![total / self.composite_sub_policy.len() as f64; self.composite_sub_policy.len()];
        for (index, allocation) in self.rate_allocation.iter().enumerate() {
            let position = self.position(&allocation.policy)?;
            if self.rate_allocation[..index].iter().any(|before| before.policy == allocation.policy) {
                return Err(format!("`{}` is twice in rate_allocation", allocation.policy));
            }
            match allocation.percent {
                0 => {}
                percent @ 1..=100 => rates[position] = (total * percent as f64 / 100.0).floor(),
                percent => return Err(format!("percent {percent} of `{}` is above 100", allocation.policy)),
            }
        }
        Ok(rates)
    }
}

impl PolicySettings for Composite {
    fn check(&self) -> Result<(), String> {
        if self.max_total_spans_per_second > RATE_MAX {
            return Err(format!("max_total_spans_per_second is at most {RATE_MAX}"));
        }
        self.order()?;
        self.rates().map(drop)
    }

    fn build(&self, _: &str, plan: &mut Plan) -> Result<Box<dyn Policy>, PlanError> {
        let order = self.order().expect("checked when it was read");
        let rates = self.rates().expect("checked when it was read");
        let configs: Vec<PolicyConfig> = order.iter().map(|at| self.composite_sub_policy[*at].clone()).collect();
        let parts = plan.build_all(&configs)?;
        let limits = order
            .iter()
            .map(|at| Limit {
                per_second: rates[*at],
                used: 0.0,
                share: ShareKept::default(),
                variable: plan.variable(true),
            })
            .collect();
        let total = self.max_total_spans_per_second as f64;
        Ok(Box::new(InOrder { parts, limits, total, used: 0.0, second: 0, weighed: None }))
    }
}

#[derive(Debug)]
struct InOrder {
    parts: Vec<Named>,
    /// One for each part.
    limits: Vec<Limit>,
    /// Spans per second of all together.
    total: f64,
    used: f64,
    second: u64,
    /// Which part weighed a trace just now, and its answer.
    weighed: Option<(usize, bool)>,
}

#[derive(Debug)]
struct Limit {
    per_second: f64,
    /// In this second.
    used: f64,
    share: ShareKept,
    variable: Variable,
}

impl InOrder {
    fn turn_to(&mut self, now_ns: u64) {
        let second = now_ns / NS_PER_SECOND;
        if second != self.second {
            self.second = second;
            self.used = 0.0;
            self.limits.iter_mut().for_each(|limit| limit.used = 0.0);
        }
    }
}

impl Policy for InOrder {
    fn vote(&mut self, trace: &DueTrace<'_>, luck: &mut Luck) -> Vote {
        let wanted = self.parts.iter_mut().position(|part| part.policy.vote(trace, luck).is_yes());
        let Some(index) = wanted else { return Vote::NotSampled };
        let limit = &self.limits[index];
        if let Some(below) = luck.below(limit.variable, limit.share.share()) {
            return Vote::sampled_if(below);
        }
        self.turn_to(trace.now_ns);
        let limit = &mut self.limits[index];
        let keep = limit.used + trace.spans() <= limit.per_second && self.used + trace.spans() <= self.total;
        if keep {
            limit.used += trace.spans();
            self.used += trace.spans();
        }
        self.weighed = Some((index, keep));
        Vote::sampled_if(keep)
    }

    fn parts(&self) -> &[Named] {
        &self.parts
    }

    fn parts_mut(&mut self) -> &mut [Named] {
        &mut self.parts
    }

    fn settle(&mut self, trace: &DueTrace<'_>, _: Settlement) {
        if let Some((index, kept)) = self.weighed.take() {
            self.limits[index].share.note(trace.spans(), kept, trace.now_ns);
        }
    }

    fn recall(&mut self, spans: u32, decided: bool, now_ns: u64) {
        self.turn_to(now_ns);
        if decided {
            // Whose part it was, no verdict says.
            self.used += f64::from(spans);
        }
    }

    fn save(&self) -> Option<Vec<u8>> {
        let parts = self.limits.iter().map(|limit| limit.used.to_bits());
        Some(saved::write(VERSION, [self.second, self.used.to_bits()].into_iter().chain(parts)))
    }

    fn restore(&mut self, saved: &[u8]) {
        let numbers = saved::read(VERSION, saved);
        let [second, used, parts @ ..] = &numbers[..] else { return };
        let Some(used) = saved::amount(*used) else { return };
        (self.second, self.used) = (*second, used);
        // Other parts are other people's.
        if parts.len() == self.limits.len() {
            for (limit, used) in self.limits.iter_mut().zip(parts) {
                limit.used = saved::amount(*used).unwrap_or_default();
            }
        }
    }
}
