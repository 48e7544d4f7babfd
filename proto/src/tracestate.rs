//! The `ot` entry of a W3C tracestate: how likely a span was to get here (`th`), and by which random number (`rv`).
//!
//! <https://opentelemetry.io/docs/specs/otel/trace/tracestate-handling/>,
//! <https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/>, <https://www.w3.org/TR/trace-context/>.
//! Reading allocates nothing. What does not follow the grammar says nothing and is left as it is.

use crate::TraceId;

/// One more than the largest threshold and the largest random number.
const RANGE: u64 = 1 << 56;
/// Hex digits of a whole threshold or random number.
const DIGITS: u32 = 14;
/// Hex digits that a threshold made of a probability has after its leading zeros or `f`s.
const PRECISION_DIGITS: u32 = 4;
/// Most bytes of the `ot` entry's value.
const VALUE_BYTES_MAX: usize = 256;
/// Most entries of a tracestate.
const ENTRIES_MAX: usize = 32;

/// A rejection threshold of 56 bits: spans whose random number is at least this are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Threshold(u64);

/// A random number of 56 bits, the same for all spans of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Randomness(u64);

impl Threshold {
    /// Keeps everything.
    pub const ALWAYS: Self = Self(0);

    /// From its 56 bits; `None` above them.
    pub fn new(bits: u64) -> Option<Self> {
        (bits < RANGE).then_some(Self(bits))
    }

    /// The threshold that keeps this share, rounded to four significant digits, as the specification recommends. `None`
    /// unless 2⁻⁵⁶ ≤ `probability` ≤ 1.
    pub fn of_probability(probability: f64) -> Option<Self> {
        Self::of_probability_with(probability, PRECISION_DIGITS)
    }

    /// The same, rounded to as many significant hex digits, 1 to 14.
    pub fn of_probability_with(probability: f64, precision_digits: u32) -> Option<Self> {
        if !(1.0 / RANGE as f64..=1.0).contains(&probability) {
            return None;
        }
        let exact = RANGE - (probability * RANGE as f64).round() as u64;
        if exact == 0 {
            return Some(Self::ALWAYS);
        }
        // Each leading 0 or f says nothing of the share itself, so it does not count as a digit.
        let zeros = (exact.leading_zeros() - 8) / 4;
        let fs = ((RANGE - exact).leading_zeros() - 8) / 4;
        let digits = (precision_digits.max(1) + zeros.max(fs)).min(DIGITS);
        let step = 1 << (4 * (DIGITS - digits));
        let rounded = (exact + step / 2) / step * step;
        Some(Self(if rounded < RANGE { rounded } else { exact }))
    }

    /// Its 56 bits.
    pub fn bits(self) -> u64 {
        self.0
    }

    /// How many spans each kept one stands for: 1 or more.
    pub fn adjusted_count(self) -> f64 {
        RANGE as f64 / (RANGE - self.0) as f64
    }

    /// Whether a span with this random number is kept.
    pub fn keeps(self, random: Randomness) -> bool {
        random.0 >= self.0
    }

    /// One to fourteen lower-case hex digits; trailing zeros are left out.
    fn parse(text: &[u8]) -> Option<Self> {
        if text.is_empty() || text.len() > DIGITS as usize {
            return None;
        }
        Some(Self(hex(text)? << (4 * (DIGITS as usize - text.len()))))
    }

    fn write(self, out: &mut Vec<u8>) {
        let digits = hex_digits(self.0);
        let zeros = digits.iter().rev().take_while(|&&digit| digit == b'0').count();
        out.extend_from_slice(&digits[..(digits.len() - zeros).max(1)]);
    }
}

impl Randomness {
    /// From its 56 bits; `None` above them.
    pub fn new(bits: u64) -> Option<Self> {
        (bits < RANGE).then_some(Self(bits))
    }

    /// A trace id's last 56 bits, which W3C Trace Context level 2 asks to be random.
    pub fn of_trace(id: TraceId) -> Self {
        let last: [u8; 8] = id.0[8..].try_into().expect("a trace id has 16 bytes");
        Self(u64::from_be_bytes(last) % RANGE)
    }

    /// Its 56 bits.
    pub fn bits(self) -> u64 {
        self.0
    }

    fn parse(text: &[u8]) -> Option<Self> {
        if text.len() != DIGITS as usize {
            return None;
        }
        Some(Self(hex(text)?))
    }
}

/// What the `ot` entry says of sampling.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OtelState {
    /// `th`; `None` when absent or malformed: the probability is not known.
    pub threshold: Option<Threshold>,
    /// `rv`; `None` when absent or malformed: the trace id is the random number.
    pub randomness: Option<Randomness>,
}

impl OtelState {
    /// Reads it from a tracestate. An absent or malformed entry says nothing.
    pub fn read(trace_state: &[u8]) -> Self {
        let mut state = Self::default();
        // Most spans have none.
        let Some(value) = ot_value(trace_state) else { return state };
        for (key, value) in fields(value) {
            match key {
                b"th" => state.threshold = Threshold::parse(value),
                b"rv" => state.randomness = Randomness::parse(value),
                _ => {}
            }
        }
        state
    }
}

/// How many spans one with this tracestate stands for, as far as it says so: 1 or more.
#[inline]
pub fn adjusted_count(trace_state: &[u8]) -> f64 {
    if trace_state.is_empty() {
        return 1.0;
    }
    OtelState::read(trace_state).threshold.map_or(1.0, Threshold::adjusted_count)
}

/// Appends `trace_state` to `out` with these values in its `ot` entry, which comes first; what is `None` stays as it is.
/// Other entries, and other fields of the entry, are preserved (of 32 other entries the last one makes way, as W3C says).
///
/// Where it is malformed, or the entry would have more than 256 characters, it is appended as it is, and the answer is false.
pub fn write(
    trace_state: &[u8],
    threshold: Option<Threshold>,
    randomness: Option<Randomness>,
    out: &mut Vec<u8>,
) -> bool {
    let start = out.len();
    if is_well_formed(trace_state) {
        out.extend_from_slice(b"ot=");
        write_value(trace_state, threshold, randomness, out);
        let value_bytes = out.len() - start - 3;
        if (1..=VALUE_BYTES_MAX).contains(&value_bytes) {
            for other in entries(trace_state).filter(|entry| key_of(entry) != b"ot").take(ENTRIES_MAX - 1) {
                out.push(b',');
                out.extend_from_slice(other);
            }
            return true;
        }
        out.truncate(start);
    }
    out.extend_from_slice(trace_state);
    false
}

fn write_value(trace_state: &[u8], threshold: Option<Threshold>, randomness: Option<Randomness>, out: &mut Vec<u8>) {
    let before = ot_value(trace_state).unwrap_or_default();
    let start = out.len();
    let field = |out: &mut Vec<u8>, key: &[u8]| {
        if out.len() > start {
            out.push(b';');
        }
        out.extend_from_slice(key);
        out.push(b':');
    };
    if let Some(threshold) = threshold {
        field(out, b"th");
        threshold.write(out);
    }
    if let Some(randomness) = randomness {
        field(out, b"rv");
        out.extend_from_slice(&hex_digits(randomness.0));
    }
    for (key, value) in fields(before) {
        if (key == b"th" && threshold.is_some()) || (key == b"rv" && randomness.is_some()) {
            continue;
        }
        field(out, key);
        out.extend_from_slice(value);
    }
}

/// The entries, without the white space and the empty ones that W3C allows between them.
fn entries(trace_state: &[u8]) -> impl Iterator<Item = &[u8]> {
    trace_state.split(|&byte| byte == b',').map(|entry| entry.trim_ascii()).filter(|entry| !entry.is_empty())
}

fn key_of(entry: &[u8]) -> &[u8] {
    entry.split(|&byte| byte == b'=').next().unwrap_or_default()
}

/// The value of the first `ot` entry, when it follows the grammar.
fn ot_value(trace_state: &[u8]) -> Option<&[u8]> {
    let value = entries(trace_state).find_map(|entry| entry.strip_prefix(b"ot="))?;
    is_ot_value(value).then_some(value)
}

/// The fields of a value that follows the grammar.
fn fields(value: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    value.split(|&byte| byte == b';').filter_map(|field| {
        let colon = field.iter().position(|&byte| byte == b':')?;
        Some((&field[..colon], &field[colon + 1..]))
    })
}

/// `key:value;key:value`: keys of lower-case letters and digits, values of letters, digits, `.`, `_` and `-`.
fn is_ot_value(value: &[u8]) -> bool {
    let is_key = |key: &[u8]| {
        key.first().is_some_and(u8::is_ascii_lowercase)
            && key.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    let is_value =
        |value: &[u8]| value.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
    value.len() <= VALUE_BYTES_MAX
        && value.split(|&byte| byte == b';').all(|field| {
            let colon = field.iter().position(|&byte| byte == b':');
            colon.is_some_and(|colon| is_key(&field[..colon]) && is_value(&field[colon + 1..]))
        })
}

/// Whether entries can be told apart, few enough, and the `ot` entry can be read.
fn is_well_formed(trace_state: &[u8]) -> bool {
    let mut count = 0;
    for entry in entries(trace_state) {
        count += 1;
        let key = key_of(entry);
        let is_key_byte = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-*/@".contains(byte);
        if key.is_empty() || key.len() == entry.len() || !key.iter().all(is_key_byte) {
            return false;
        }
        let value = &entry[key.len() + 1..];
        if !value.iter().all(|byte| matches!(byte, 0x20..=0x7e) && *byte != b'=')
            || (key == b"ot" && !is_ot_value(value))
        {
            return false;
        }
    }
    count <= ENTRIES_MAX
}

fn hex_digits(bits: u64) -> [u8; DIGITS as usize] {
    let mut digits = [0; DIGITS as usize];
    for (place, digit) in digits.iter_mut().rev().enumerate() {
        *digit = b"0123456789abcdef"[(bits >> (4 * place)) as usize & 15];
    }
    digits
}

fn hex(text: &[u8]) -> Option<u64> {
    let mut value = 0;
    for byte in text {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return None,
        };
        value = value << 4 | u64::from(digit);
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn threshold(bits: u64) -> Option<Threshold> {
        Threshold::new(bits)
    }

    fn written(before: &str, threshold: Option<Threshold>) -> (String, bool) {
        let mut out = b"kept ".to_vec();
        let changed = write(before.as_bytes(), threshold, None, &mut out);
        (String::from_utf8(out).expect("ASCII").split_off(5), changed)
    }

    /// The table of the specification, section "Rejection threshold (th)", and what follows from its rules.
    #[test]
    fn thresholds_are_read_and_counted() {
        let cases: [(&str, Option<u64>, f64); 12] = [
            ("ot=th:0", Some(0), 1.0),
            ("ot=th:8", Some(0x80_0000_0000_0000), 2.0),
            ("ot=th:c", Some(0xc0_0000_0000_0000), 4.0),
            ("ot=th:fd70a4", Some(0xfd_70a4_0000_0000), 100.0),
            ("ot=th:ffffffffffffff", Some(RANGE - 1), RANGE as f64),
            ("rojo=1 , ot=rv:6e6d1a75832a2f;th:c,congo=2", Some(0xc0_0000_0000_0000), 4.0),
            ("", None, 1.0),
            ("ot=th:C", None, 1.0),
            ("ot=th:", None, 1.0),
            ("ot=th:000000000000000", None, 1.0),
            ("ot=th:8;", None, 1.0),
            ("xot=th:8,ot@v=th:8", None, 1.0),
        ];
        for (text, bits, count) in cases {
            assert_eq!(OtelState::read(text.as_bytes()).threshold.map(Threshold::bits), bits, "{text}");
            let read = adjusted_count(text.as_bytes());
            assert!((read / count - 1.0).abs() < 1e-4, "{text}: {read}");
        }
        let state = OtelState::read(b"ot=th:8;rv:00000000000abc");
        assert_eq!(state.randomness.map(Randomness::bits), Some(0xabc));
        assert_eq!(OtelState::read(b"ot=th:8;rv:abc").randomness, None, "too short");
    }

    #[test]
    fn a_share_becomes_a_threshold_of_few_digits() {
        let text = |probability: f64| {
            let mut out = Vec::new();
            Threshold::of_probability(probability).expect("a share").write(&mut out);
            String::from_utf8(out).expect("ASCII")
        };
        assert_eq!(text(1.0), "0");
        assert_eq!(text(0.5), "8");
        assert_eq!(text(0.25), "c");
        assert_eq!(text(0.1), "e666");
        assert_eq!(text(0.01), "fd70a");
        assert_eq!(text(1.0 / 3.0), "aaab");
        assert_eq!(text(0.999), "004189");
        assert_eq!(text(1.0 / RANGE as f64), "ffffffffffffff");
        for share in [0.0, -0.1, 1.1, f64::NAN, f64::INFINITY, 1e-18] {
            assert_eq!(Threshold::of_probability(share), None, "{share}");
        }
        for n in 1..2000 {
            let share = f64::from(n) / 2000.0;
            let count = Threshold::of_probability(share).expect("a share").adjusted_count();
            assert!((count * share - 1.0).abs() < 1e-3, "{share}: {count}");
        }
    }

    #[test]
    fn the_entry_comes_first_and_the_others_stay() {
        let half = threshold(0x80_0000_0000_0000);
        let cases = [
            ("", "ot=th:8"),
            ("rojo=1,congo=t61rcWkgMzE", "ot=th:8,rojo=1,congo=t61rcWkgMzE"),
            ("a=1 ,\tot=rv:6e6d1a75832a2f;th:c;xy:Z_.-,,b=2", "ot=th:8;rv:6e6d1a75832a2f;xy:Z_.-,a=1,b=2"),
            ("ot=th:zz", "ot=th:8"),
            ("ot=th:4,a=1,ot=th:2", "ot=th:8,a=1"),
        ];
        for (before, after) in cases {
            assert_eq!(written(before, half), (after.to_owned(), true), "{before}");
        }
        let mut out = Vec::new();
        assert!(write(b"ot=th:4", None, Randomness::new(0xabc), &mut out));
        assert_eq!(out, b"ot=rv:00000000000abc;th:4");
    }

    #[test]
    fn what_is_malformed_stays_as_it_is() {
        let half = threshold(0x80_0000_0000_0000);
        let long = format!("ot=x:{}", "y".repeat(250));
        for before in ["ot", "ot=8", "ot=th:8;", "ot=Th:8", "ot=:8", "a", "=b", "A=1", "a=b=c", "a=é", &long] {
            assert_eq!(written(before, half), (before.to_owned(), false), "{before}");
        }
        let entries = |count: usize| (0..count).map(|n| format!("k{n}=v")).collect::<Vec<_>>().join(",");
        let (after, changed) = written(&entries(32), half);
        assert!(changed && after == format!("ot=th:8,{}", entries(31)), "the last one makes way: {after}");
        assert_eq!(written(&entries(33), half), (entries(33), false));
    }

    #[test]
    fn what_is_kept_by_a_threshold_is_its_share() {
        let tenth = Threshold::of_probability(0.1).expect("a share");
        assert!(!tenth.keeps(Randomness(tenth.0 - 1)) && tenth.keeps(Randomness(tenth.0)));
        let mut id = [0xff; 16];
        id[8] = 1;
        assert_eq!(
            Randomness::of_trace(TraceId(id)).bits(),
            RANGE - 1,
            "the first byte of the last eight does not count"
        );
    }
}
