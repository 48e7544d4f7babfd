//! `probabilistic`: a share of the traces, chosen by the Collector's own hash, so that both choose the same traces.

use serde::Deserialize;

use super::{
    DueTrace, Luck, Plan, PlanError, Policy, PolicySettings, Vote, config::amount, fnv::Fnv64, luck::Variable,
};

/// The salt of those who give none.
const HASH_SALT: &str = "default-hash-seed";

/// The share, and the salt of the hash.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Probabilistic {
    /// Empty: the Collector's default.
    hash_salt: String,
    /// 100 and more: all.
    #[serde(deserialize_with = "amount")]
    sampling_percentage: f64,
}

impl PolicySettings for Probabilistic {
    fn build(&self, _: &str, plan: &mut Plan) -> Result<Box<dyn Policy>, PlanError> {
        let salt = if self.hash_salt.is_empty() { HASH_SALT } else { &self.hash_salt };
        let threshold = threshold(self.sampling_percentage / 100.0);
        Ok(Box::new(Share {
            salted: Fnv64::EMPTY.and(salt.as_bytes()),
            threshold,
            share: (threshold as f64 + 1.0) / 2_f64.powi(64),
            variable: plan.variable_of_salt(salt),
        }))
    }
}

#[derive(Debug)]
struct Share {
    /// The hash of the salt, which comes before the trace id.
    salted: Fnv64,
    threshold: u64,
    share: f64,
    variable: Variable,
}

impl Policy for Share {
    fn vote(&mut self, trace: &DueTrace<'_>, luck: &mut Luck) -> Vote {
        let below = luck
            .below(self.variable, self.share)
            .unwrap_or_else(|| self.salted.and(&trace.account.trace_id.0).0 <= self.threshold);
        Vote::sampled_if(below)
    }
}

/// `ratio` of 2^64 - 1, reckoned in binary floating point of 64 digits and cut to a whole number, as the Collector does.
fn threshold(ratio: f64) -> u64 {
    if ratio >= 1.0 {
        return u64::MAX;
    }
    let bits = ratio.to_bits();
    // A subnormal ratio comes to 0 in the end.
    let mantissa = (bits & ((1 << 52) - 1)) | 1 << 52;
    let exponent = (bits >> 52) as i32 - 1075;
    let product = u128::from(u64::MAX) * u128::from(mantissa);
    let extra = 64 - product.leading_zeros() as i32;
    let (half, mask) = (1_u128 << (extra - 1), (1_u128 << extra) - 1);
    let mut rounded = product >> extra;
    let rest = product & mask;
    if rest > half || (rest == half && rounded & 1 == 1) {
        rounded += 1;
    }
    let shift = -(exponent + extra);
    if shift >= 128 { 0 } else { (rounded >> shift) as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_the_collectors() {
        assert_eq!(threshold(0.0), 0);
        assert_eq!(threshold(f64::from_bits(1)), 0);
        assert_eq!(threshold(0.5), (1 << 63) - 1);
        assert_eq!(threshold(0.25), (1 << 62) - 1);
        assert_eq!(threshold(1.0), u64::MAX);
        assert_eq!(threshold(7.0), u64::MAX);
        // By exact fractions: 0.1 as a double is 0x1.999999999999ap-4; the product is rounded to 64 binary digits.
        assert_eq!(threshold(0.1), 0x1999_9999_9999_99ff);
        assert_eq!(threshold(0.01), 184_467_440_737_095_519);
        assert_eq!(threshold(0.001), 18_446_744_073_709_551);
        assert_eq!(threshold(1.0 / 3.0), 6_148_914_691_236_516_863);
    }
}
