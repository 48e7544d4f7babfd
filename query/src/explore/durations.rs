//! Durations by step of time, counted by their order of magnitude: percentiles of any steps together are those of all their spans.
//!
//! A bucket holds durations that differ by at most one part in 64, and is shown by its middle: off by less than 1 %.

/// Bits of a duration that tell buckets apart.
const FINE_BITS: u32 = 6;
const FINE: u64 = 1 << FINE_BITS;

/// Bits of a key that are the bucket.
const BUCKET_BITS: u32 = 13;

/// Added and not yet counted.
const LOOSE_MIN: usize = 1024;

/// How much weight there was in each bucket of each step.
#[derive(Debug, Default)]
pub(crate) struct Durations {
    /// Keys with their weight; ascending and each once up to `counted`.
    entries: Vec<(u32, f32)>,
    counted: usize,
}

/// The bucket of a duration; they ascend as durations do.
#[inline]
pub(crate) fn bucket(ns: u64) -> u32 {
    if ns < 2 * FINE {
        return ns as u32;
    }
    let shift = 63 - FINE_BITS - ns.leading_zeros();
    (shift << FINE_BITS) + (ns >> shift) as u32
}

/// The smallest duration of a bucket.
pub(crate) fn bucket_start_ns(bucket: u32) -> u64 {
    if u64::from(bucket) < 2 * FINE {
        return u64::from(bucket);
    }
    let shift = (bucket >> FINE_BITS) - 1;
    (u64::from(bucket) - (u64::from(shift) << FINE_BITS)) << shift
}

/// What is shown for a bucket.
pub(crate) fn bucket_middle_ns(bucket: u32) -> u64 {
    let start_ns = bucket_start_ns(bucket);
    let width_ns = bucket_start_ns(bucket + 1).saturating_sub(start_ns);
    start_ns + width_ns / 2
}

impl Durations {
    /// Counts a span.
    #[inline]
    pub(crate) fn add(&mut self, step: u32, duration_ns: u64, weight: f64) {
        self.entries.push(((step << BUCKET_BITS) | bucket(duration_ns), weight as f32));
        if self.entries.len() >= 2 * self.counted + LOOSE_MIN {
            self.count();
        }
    }

    /// Adds another's.
    pub(crate) fn merge(&mut self, other: Self) {
        self.entries.extend(other.entries);
        self.count();
    }

    /// Buckets and their weight as `(step, bucket, weight)`, ascending.
    pub(crate) fn buckets(&mut self) -> impl Iterator<Item = (u32, u32, f64)> {
        self.count();
        let bucket = (1 << BUCKET_BITS) - 1;
        self.entries.iter().map(move |&(key, weight)| (key >> BUCKET_BITS, key & bucket, f64::from(weight)))
    }

    /// Bytes held.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<(u32, f32)>()
    }

    /// Brings equal keys together.
    fn count(&mut self) {
        if self.counted == self.entries.len() {
            return;
        }
        // The first part is in order: the sort finds that, and merges.
        self.entries[self.counted..].sort_unstable_by_key(|&(key, _)| key);
        self.entries.sort_by_key(|&(key, _)| key);
        self.entries.dedup_by(|next, kept| {
            let is_same = next.0 == kept.0;
            if is_same {
                kept.1 += next.1;
            }
            is_same
        });
        self.counted = self.entries.len();
    }
}

/// Percentiles of some buckets with their weight, ascending by bucket.
pub(crate) fn percentiles<const N: usize>(buckets: &[(u32, f64)], shares: [f64; N]) -> Option<[u64; N]> {
    let total: f64 = buckets.iter().map(|(_, weight)| weight).sum();
    if total <= 0.0 {
        return None;
    }
    Some(shares.map(|share| {
        let wanted = share * total;
        let mut below = 0.0;
        for &(bucket, weight) in buckets {
            below += weight;
            // Sums of fractions are not exact.
            if below >= wanted * (1.0 - 1e-12) {
                return bucket_middle_ns(bucket);
            }
        }
        buckets.last().map_or(0, |&(bucket, _)| bucket_middle_ns(bucket))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_ascend_and_are_narrow() {
        let mut before = 0;
        for ns in (0..4000).chain((12..64).flat_map(|bit| [(1u64 << bit) - 1, 1 << bit, (1 << bit) + 1])) {
            let at = bucket(ns);
            assert!(at >= before, "{ns}");
            before = at;
            let (start_ns, end_ns) = (bucket_start_ns(at), bucket_start_ns(at + 1));
            assert!(
                start_ns <= ns && (ns < end_ns || end_ns == 0 || at == bucket(u64::MAX)),
                "{ns}: {start_ns}..{end_ns}"
            );
            let middle = bucket_middle_ns(at);
            assert!(middle.abs_diff(ns) as f64 <= ns as f64 / 64.0, "{ns} is shown as {middle}");
        }
        assert!(bucket(u64::MAX) < 1 << BUCKET_BITS);
    }

    #[test]
    fn percentiles_are_those_of_the_spans() {
        let mut durations = Durations::default();
        let mut all: Vec<u64> = (0..50_000u64).map(|n| n * 7919 % 1_000_003 * 1000).collect();
        for (n, &ns) in all.iter().enumerate() {
            durations.add((n % 7) as u32, ns, 1.0);
        }
        let mut other = Durations::default();
        other.add(3, 5, 2.5);
        durations.merge(other);
        assert!(durations.memory_bytes() < 400_000, "{}", durations.memory_bytes());
        let of_step: Vec<(u32, f64)> =
            durations.buckets().filter(|(step, ..)| *step == 3).map(|(_, bucket, weight)| (bucket, weight)).collect();
        assert_eq!(of_step[0], (5, 2.5));
        let mut totals = std::collections::BTreeMap::new();
        durations.buckets().for_each(|(_, bucket, weight)| *totals.entry(bucket).or_insert(0.0) += weight);
        let totals: Vec<_> = totals.into_iter().collect();
        all.sort_unstable();
        let found = percentiles(&totals, [0.5, 0.95, 0.99]).expect("there are some");
        for (found, share) in found.into_iter().zip([0.5, 0.95, 0.99]) {
            let exact = all[(all.len() as f64 * share) as usize];
            assert!(found.abs_diff(exact) < exact / 90, "{share}: {found}, not {exact}");
        }
        assert_eq!(percentiles(&[], [0.5]), None);
    }
}
