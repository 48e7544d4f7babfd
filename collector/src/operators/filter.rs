//! `filter`: drops what an expression is true of.

use super::{Entry, Expression, Next, Operator, OperatorConfig};

pub(super) const KEYS: &[&str] = &["expr", "drop_ratio"];

struct Filter {
    expression: Expression,
    /// Of 2^32 entries so many are dropped; all, beyond.
    dropped: u64,
}

pub(super) fn build(config: &OperatorConfig) -> Result<Box<dyn Operator>, String> {
    let expression = config.settings.expr.clone().ok_or("the key `expr` is missing")?;
    let ratio = config.settings.drop_ratio.unwrap_or(1.0);
    if !(0.0..=1.0).contains(&ratio) {
        return Err("drop_ratio is between 0 and 1".into());
    }
    Ok(Box::new(Filter { expression, dropped: (ratio * (1_u64 << 32) as f64) as u64 }))
}

impl Operator for Filter {
    fn apply<'a>(&mut self, entry: &mut Entry<'a>, _: &mut Vec<Entry<'static>>) -> Result<Next, String> {
        let drops = self.expression.is_true(entry)? && luck(entry) < self.dropped;
        Ok(if drops { Next::Dropped } else { Next::On })
    }
}

/// A number below 2^32 that is the line's own: read again after a stop, it is dropped again.
fn luck(entry: &Entry<'_>) -> u64 {
    let mut mixed = entry.origin.start ^ entry.origin.file.rotate_left(32);
    // The finalizer of splitmix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators).
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) >> 32
}
