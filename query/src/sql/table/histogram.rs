//! Counts numbers by their order of magnitude, finely enough that any percentile is off by at most 1 part in 256.
//!
//! A bucket is a double's sign, exponent and first seven bits of mantissa: 128 buckets between a power of two and the next.
//! Buckets are kept by exponent, so that a group of similar numbers takes few hundred bytes.

use std::mem::size_of;

/// Bits of the mantissa that tell buckets apart.
const FINE_BITS: u32 = 7;
const FINE: usize = 1 << FINE_BITS;
/// Below this, a bucket has at most one whole number: its start.
const WHOLE_MAX: f64 = 2.0 * FINE as f64;
/// Neighbouring octaves have places of their own.
const PLACES: usize = 32;

/// How many numbers there were in each bucket.
#[derive(Debug, Clone, Default)]
pub(super) struct Histogram {
    /// Ascending by octave.
    pages: Vec<Page>,
    /// Where the page of an octave probably is, by the octave's lowest bits.
    places: [u8; PLACES],
}

/// The buckets of one sign and exponent.
#[derive(Debug, Clone)]
struct Page {
    octave: i32,
    /// Whether any number is not whole; of larger ones than [`WHOLE_MAX`] it is not asked.
    has_fractions: bool,
    counts: Box<[u64; FINE]>,
}

/// The bucket of a number; buckets ascend as the numbers do. NaN has none.
#[inline]
fn bucket(number: f64) -> Option<i32> {
    if number.is_nan() {
        return None;
    }
    let bits = number.abs().to_bits();
    let bucket = (bits >> (52 - FINE_BITS)) as i32;
    Some(if number < 0.0 { -1 - bucket } else { bucket })
}

/// What stands for the numbers of a bucket: its middle, or the only number that can be in it.
fn shown(bucket: i32, has_fractions: bool) -> f64 {
    if bucket < 0 {
        return -shown(-1 - bucket, has_fractions);
    }
    let low = (bucket as u64) << (52 - FINE_BITS);
    let start = f64::from_bits(low);
    let is_only = bucket == 0 || start.is_infinite() || !has_fractions && start < WHOLE_MAX;
    if is_only {
        return start;
    }
    f64::from_bits(low + (1 << (51 - FINE_BITS)))
}

impl Histogram {
    /// Counts a number.
    #[inline]
    pub(super) fn add(&mut self, number: f64) {
        if let Some(bucket) = bucket(number) {
            let is_fraction = number.abs() < WHOLE_MAX && f64::from(number as i32) != number;
            self.add_one(bucket, is_fraction);
        }
    }

    #[inline]
    fn add_one(&mut self, bucket: i32, is_fraction: bool) {
        let octave = bucket >> FINE_BITS;
        let fine = (bucket & (FINE as i32 - 1)) as usize;
        let place = octave as usize % PLACES;
        match self.pages.get_mut(usize::from(self.places[place])) {
            Some(page) if page.octave == octave => {
                page.counts[fine] += 1;
                page.has_fractions |= is_fraction;
            }
            _ => {
                let at = self.page(octave);
                self.places[place] = at.min(usize::from(u8::MAX)) as u8;
                self.pages[at].counts[fine] += 1;
                self.pages[at].has_fractions |= is_fraction;
            }
        }
    }

    fn page(&mut self, octave: i32) -> usize {
        match self.pages.binary_search_by_key(&octave, |page| page.octave) {
            Ok(at) => at,
            Err(at) => {
                self.pages.insert(at, Page { octave, has_fractions: false, counts: Box::new([0; FINE]) });
                at
            }
        }
    }

    /// Adds another's counts.
    pub(super) fn merge(&mut self, other: &Self) {
        for page in &other.pages {
            let at = self.page(page.octave);
            self.pages[at].has_fractions |= page.has_fractions;
            for (count, more) in self.pages[at].counts.iter_mut().zip(page.counts.iter()) {
                *count += more;
            }
        }
    }

    /// The number that a share `quantile` (0 to 1) of all are not above; `None` without numbers.
    pub(super) fn quantile(&self, quantile: f64) -> Option<f64> {
        let total: u64 = self.pages.iter().flat_map(|page| page.counts.iter()).sum();
        if total == 0 {
            return None;
        }
        let rank = ((quantile.clamp(0.0, 1.0) * total as f64).ceil() as u64).clamp(1, total);
        let mut below = 0;
        for page in &self.pages {
            for (fine, count) in page.counts.iter().enumerate() {
                below += count;
                if below >= rank {
                    return Some(shown((page.octave << FINE_BITS) | fine as i32, page.has_fractions));
                }
            }
        }
        None
    }

    /// Bytes that [`Self::read`] understands: for each octave its number, whether it has fractions, then 128 counts in as few bytes as they need.
    pub(super) fn write(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for page in &self.pages {
            bytes.extend_from_slice(&page.octave.to_le_bytes());
            bytes.push(u8::from(page.has_fractions));
            for &count in page.counts.iter() {
                let mut left = count;
                while left >= 0x80 {
                    bytes.push(left as u8 | 0x80);
                    left >>= 7;
                }
                bytes.push(left as u8);
            }
        }
        bytes
    }

    /// Reads what [`Self::write`] wrote; `None` when it is something else.
    pub(super) fn read(mut bytes: &[u8]) -> Option<Self> {
        let mut histogram = Self::default();
        while let Some(([octave @ .., fractions], rest)) = bytes.split_first_chunk::<5>() {
            bytes = rest;
            let mut counts = Box::new([0u64; FINE]);
            for count in counts.iter_mut() {
                for shift in (0..64).step_by(7) {
                    let (&byte, rest) = bytes.split_first()?;
                    bytes = rest;
                    *count |= u64::from(byte & 0x7f) << shift;
                    if byte < 0x80 {
                        break;
                    }
                }
            }
            histogram.pages.push(Page { octave: i32::from_le_bytes(*octave), has_fractions: *fractions != 0, counts });
        }
        let ascends = histogram.pages.windows(2).all(|pair| pair[0].octave < pair[1].octave);
        (bytes.is_empty() && ascends).then_some(histogram)
    }

    /// Bytes held.
    pub(super) fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.pages.capacity() * size_of::<Page>() + self.pages.len() * FINE * size_of::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(numbers: impl IntoIterator<Item = f64>) -> Histogram {
        let mut histogram = Histogram::default();
        numbers.into_iter().for_each(|number| histogram.add(number));
        histogram
    }

    #[test]
    fn percentiles_are_off_by_less_than_the_stated_error() {
        let mut numbers: Vec<f64> =
            (1..100_000u64).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (20 + n % 40)) as f64).collect();
        let histogram = of(numbers.iter().copied());
        numbers.sort_by(f64::total_cmp);
        for quantile in [0.0, 0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0] {
            let rank = ((quantile * numbers.len() as f64).ceil() as usize).max(1);
            let (exact, found) = (numbers[rank - 1], histogram.quantile(quantile).expect("not empty"));
            assert!((found - exact).abs() <= exact / 256.0, "{quantile}: {found}, not {exact}");
        }
    }

    #[test]
    fn fractions_too() {
        for (at, scale) in [0.001, 0.37, 1.0 / 3.0, 1.0, 1.99].into_iter().enumerate() {
            let numbers: Vec<f64> = (1..40_000).map(|n| f64::from(n) * scale / 128.0 + 1e-9).collect();
            // Half of them by way of a state.
            let mut histogram = of(numbers[..20_000].iter().copied());
            histogram.merge(&Histogram::read(&of(numbers[20_000..].iter().copied()).write()).expect("own bytes"));
            for n in 1..1_000 {
                let quantile = f64::from(n) / 1_000.0;
                let exact = numbers[((quantile * numbers.len() as f64).ceil() as usize).max(1) - 1];
                let found = histogram.quantile(quantile).expect("not empty");
                assert!((found - exact).abs() <= exact / 256.0, "{at}, {quantile}: {found}, not {exact}");
            }
        }
        for number in [1.0 + 1.0 / 129.0, -255.999, 0.5 + f64::EPSILON, f64::MAX, f64::MIN_POSITIVE] {
            let found = of([number]).quantile(0.5).expect("one number");
            assert!((found - number).abs() <= number.abs() / 256.0, "{found}, not {number}");
        }
    }

    #[test]
    fn small_whole_numbers_and_odd_ones() {
        for number in [0.0, 1.0, 7.0, 100.0, 255.0, -3.0, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(of([number]).quantile(0.5), Some(number));
        }
        assert_eq!(of([f64::NAN]).quantile(0.5), None);
        assert_eq!(of([]).quantile(0.5), None);
        assert_eq!(of([f64::NEG_INFINITY, -5.0, 0.0, 5.0, f64::INFINITY]).quantile(0.5), Some(0.0));
        assert!(of([-1e9, 1.0]).quantile(0.5).is_some_and(|found| (found + 1e9).abs() < 1e7));
    }

    #[test]
    fn written_and_merged_it_is_the_same() {
        let numbers: Vec<f64> = (0..5000).map(|n| f64::from(n) * f64::from(n % 7 - 3)).collect();
        let whole = of(numbers.iter().copied());
        let mut merged = of(numbers[..1000].iter().copied());
        let rest = Histogram::read(&of(numbers[1000..].iter().copied()).write()).expect("own bytes");
        merged.merge(&rest);
        assert_eq!(merged.write(), whole.write());
        assert!(Histogram::read(&whole.write()[1..]).is_none());
    }
}
