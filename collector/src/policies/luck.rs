//! Chance in decisions: what was drawn, and how likely it was.
//!
//! A policy that leaves something to chance keeps a trace when a random number of its own, uniform in [0, 1), lies below some
//! share. [`Luck`] is asked first: for a real decision it leaves the answer to the policy; to find out how likely a decision
//! was ([`chance_of`]), it supposes answers, path by path, until every combination that matters has been weighed.

/// A random number that policies have in common when they look at the same hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Variable {
    /// Which.
    pub(super) number: u32,
    /// The share is an estimate (a rate limit's, say), not a choice.
    pub(super) is_estimated: bool,
}

/// Paths that are weighed at most, for the one thread that decides; what remains then counts as kept, so that nothing stands for more than it
/// does. Policies beside each other take a path each; only many of them inside each other take more.
const PATHS_MAX: usize = 256;

/// Who answers when a policy asks chance.
#[derive(Debug, Default)]
pub(crate) struct Luck {
    is_supposing: bool,
    /// Answers so far, in order.
    steps: Vec<Step>,
    /// How many of them were asked for again on this path.
    position: usize,
    asked: bool,
    estimated: bool,
}

#[derive(Debug, Clone, Copy)]
struct Step {
    variable: u32,
    share: f64,
    below: bool,
}

impl Luck {
    /// For a real decision.
    pub(crate) fn real() -> Self {
        Self::default()
    }

    /// Whether the random number `variable` lies below `share`. `None`: the policy decides, and this is for real.
    pub(crate) fn below(&mut self, variable: Variable, share: f64) -> Option<bool> {
        self.asked = true;
        if !self.is_supposing {
            return None;
        }
        let share = share.clamp(0.0, 1.0);
        let (low, high) = self.bounds(variable.number, self.position);
        if share >= high {
            return Some(true);
        }
        if share <= low {
            return Some(false);
        }
        self.estimated |= variable.is_estimated;
        if self.position == self.steps.len() {
            self.steps.push(Step { variable: variable.number, share, below: true });
        }
        self.position += 1;
        Some(self.steps[self.position - 1].below)
    }

    /// Whether chance was asked since the last call.
    pub(crate) fn was_asked(&mut self) -> bool {
        std::mem::take(&mut self.asked)
    }

    /// What the first `count` steps say of a variable.
    fn bounds(&self, variable: u32, count: usize) -> (f64, f64) {
        let (mut low, mut high) = (0.0_f64, 1.0_f64);
        for step in self.steps[..count].iter().filter(|step| step.variable == variable) {
            if step.below { high = high.min(step.share) } else { low = low.max(step.share) }
        }
        (low, high)
    }

    /// How likely the path is.
    fn weight(&self) -> f64 {
        let mut weight = 1.0;
        for (index, step) in self.steps.iter().enumerate() {
            if self.steps[..index].iter().any(|before| before.variable == step.variable) {
                continue;
            }
            let (low, high) = self.bounds(step.variable, self.steps.len());
            weight *= high - low;
        }
        weight
    }

    /// Turns to the next path; false after the last.
    fn turn(&mut self) -> bool {
        self.position = 0;
        while let Some(step) = self.steps.pop() {
            if step.below {
                self.steps.push(Step { below: false, ..step });
                return true;
            }
        }
        false
    }
}

/// How likely it was that a trace is kept, and whether the shares that this rests on are known, not estimated.
pub(crate) fn chance_of(mut keeps: impl FnMut(&mut Luck) -> bool) -> (f64, bool) {
    let mut luck = Luck { is_supposing: true, ..Luck::default() };
    let (mut kept, mut weighed) = (0.0, 0.0);
    for _ in 0..PATHS_MAX {
        let keep = keeps(&mut luck);
        luck.steps.truncate(luck.position);
        let weight = luck.weight();
        weighed += weight;
        if keep {
            kept += weight;
        }
        if !luck.turn() {
            return (f64::min(kept, 1.0), !luck.estimated);
        }
    }
    (f64::clamp(kept + (1.0 - weighed), 0.0, 1.0), !luck.estimated)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(number: u32) -> Variable {
        Variable { number, is_estimated: number >= 100 }
    }

    fn chance(keeps: impl Fn(&mut dyn FnMut(u32, f64) -> bool) -> bool) -> f64 {
        chance_of(|luck| keeps(&mut |number, share| luck.below(variable(number), share).expect("supposing"))).0
    }

    #[test]
    fn independent_draws_multiply() {
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
        close(chance(|_| true), 1.0);
        close(chance(|_| false), 0.0);
        close(chance(|draw| draw(1, 0.1)), 0.1);
        close(chance(|draw| !draw(1, 0.1)), 0.9);
        close(chance(|draw| draw(1, 0.1) && draw(2, 0.5)), 0.05);
        close(chance(|draw| draw(1, 0.1) || draw(2, 0.5)), 0.55);
        close(chance(|draw| draw(1, 0.0) || draw(2, 1.0)), 1.0);
    }

    #[test]
    fn draws_of_one_variable_agree() {
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
        close(chance(|draw| draw(1, 0.1) || draw(1, 0.3)), 0.3);
        close(chance(|draw| draw(1, 0.1) && draw(1, 0.3)), 0.1);
        close(chance(|draw| !draw(1, 0.1) && draw(1, 0.3)), 0.2);
        close(chance(|draw| (draw(1, 0.1) && draw(2, 0.5)) || draw(1, 0.05)), 0.075);
    }

    #[test]
    fn very_many_draws_end() {
        let value = chance(|draw| (0..64).map(|number| draw(number, 0.5)).fold(false, |any, one| any | one));
        assert!(value > 0.99 && value <= 1.0, "{value}");
    }

    #[test]
    fn estimates_are_told_from_choices() {
        assert_eq!(chance_of(|luck| luck.below(variable(1), 0.5) == Some(true)), (0.5, true));
        assert_eq!(chance_of(|luck| luck.below(variable(100), 0.5) == Some(true)), (0.5, false));
        assert_eq!(chance_of(|luck| luck.below(variable(100), 1.0) == Some(true)), (1.0, true));
        let mut real = Luck::real();
        assert_eq!(real.below(variable(1), 0.5), None);
        assert!(real.was_asked());
        assert!(!real.was_asked());
    }
}
