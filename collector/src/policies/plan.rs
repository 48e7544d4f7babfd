//! What the policies of all sets ask for before they start: predicates over spans, bits of the trace's account, random variables.

use super::{Policy, PolicyConfig, luck::Variable, predicates::Predicate};

/// Bits of a trace's account.
const BITS: u32 = u64::BITS;

/// How deep policies may lie inside policies.
const DEPTH_MAX: u32 = 8;

/// A policy and its name.
#[derive(Debug)]
pub(crate) struct Named {
    /// As configured.
    pub(crate) name: String,
    /// Its type.
    pub(crate) kind: &'static str,
    /// At work.
    pub(crate) policy: Box<dyn Policy>,
}

/// Why policies cannot be used together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Each different predicate takes one of 64 bits.
    #[error(
        "the policies look at more than {BITS} different things in spans (all tail_sampling blocks together); \
         one string_attribute with several values takes one, and so does one ottl_condition"
    )]
    TooManyPredicates,
    /// Policies inside policies inside policies.
    #[error("policy `{0}` lies deeper than {DEPTH_MAX} policies")]
    TooDeep(String),
}

/// Gathers what policies ask for.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    predicates: Vec<(Predicate, u32)>,
    bits: u32,
    salts: Vec<String>,
    variables: u32,
    wants_error_type: bool,
    depth: u32,
}

impl Plan {
    /// The bit that is set when this holds of any span. The same predicate has the same bit.
    pub(crate) fn predicate(&mut self, predicate: Predicate) -> Result<u64, PlanError> {
        if let Some((_, bit)) = self.predicates.iter().find(|(known, _)| *known == predicate) {
            return Ok(1 << bit);
        }
        let mask = self.account_bit()?;
        self.predicates.push((predicate, mask.trailing_zeros()));
        Ok(mask)
    }

    /// A bit that the policy sets by itself when it observes spans.
    pub(crate) fn account_bit(&mut self) -> Result<u64, PlanError> {
        if self.bits == BITS {
            return Err(PlanError::TooManyPredicates);
        }
        self.bits += 1;
        Ok(1 << (self.bits - 1))
    }

    /// The random variable behind a hash salt.
    pub(crate) fn variable_of_salt(&mut self, salt: &str) -> Variable {
        let known = self.salts.iter().position(|known| known == salt);
        let number = known.unwrap_or_else(|| {
            self.salts.push(salt.to_owned());
            self.salts.len() - 1
        });
        Variable { number: 2 * number as u32, is_estimated: false }
    }

    /// A random variable of its own.
    pub(crate) fn variable(&mut self, is_estimated: bool) -> Variable {
        self.variables += 1;
        Variable { number: 2 * self.variables + 1, is_estimated }
    }

    /// Asks for spans' `error.type` in their marks.
    pub(crate) fn want_error_type(&mut self) {
        self.wants_error_type = true;
    }

    /// Makes policies, perhaps inside another.
    pub(crate) fn build_all(&mut self, configs: &[PolicyConfig]) -> Result<Vec<Named>, PlanError> {
        let mut policies = Vec::with_capacity(configs.len());
        for config in configs {
            if self.depth == DEPTH_MAX {
                return Err(PlanError::TooDeep(config.name.clone()));
            }
            self.depth += 1;
            let policy = config.settings.build(&config.name, self)?;
            self.depth -= 1;
            policies.push(Named { name: config.name.clone(), kind: config.kind(), policy });
        }
        Ok(policies)
    }

    /// The predicates with their bits, and whether `error.type` is wanted.
    pub(super) fn into_predicates(self) -> (Vec<(Predicate, u32)>, bool) {
        (self.predicates, self.wants_error_type)
    }
}
