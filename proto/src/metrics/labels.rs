//! A label set: what names a series.

use std::{cmp::Ordering, fmt};

use super::METRIC_NAME;

/// Name and value pairs in the order of their names, each name once, no value empty: an empty value is a label that is not there.
/// The metric's name is the label `__name__`. One allocation; equal sets are equal bytes.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Labels(Box<[u8]>);

/// Why pairs are no label set.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum LabelsError {
    /// One name, two values.
    #[error("label name {0:?} is there twice")]
    Duplicate(String),
    /// A name is empty.
    #[error("a label has no name")]
    Unnamed,
    /// Not what [`Labels::as_bytes`] gives.
    #[error("bytes that are no label set")]
    Malformed,
}

impl Labels {
    /// The set of `pairs`, in any order. Pairs with an empty value are left out.
    pub fn new<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, LabelsError> {
        let mut pairs: Vec<_> = pairs.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        pairs.sort_unstable_by_key(|(name, _)| *name);
        if let Some(pair) = pairs.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(LabelsError::Duplicate(pair[0].0.to_owned()));
        }
        if pairs.first().is_some_and(|(name, _)| name.is_empty()) {
            return Err(LabelsError::Unnamed);
        }
        Ok(Self::of_sorted(pairs))
    }

    /// The set of `pairs` that are in order, unique and not empty.
    pub fn of_sorted<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut bytes = Vec::with_capacity(128);
        for (name, value) in pairs {
            put(&mut bytes, name);
            put(&mut bytes, value);
        }
        Self(bytes.into())
    }

    /// The set that [`Self::as_bytes`] gave; the bytes are checked.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LabelsError> {
        let mut rest = bytes;
        let mut last: Option<&str> = None;
        while !rest.is_empty() {
            let name = checked(&mut rest)?;
            let value = checked(&mut rest)?;
            if value.is_empty() || name.is_empty() || last.is_some_and(|last| last >= name) {
                return Err(LabelsError::Malformed);
            }
            last = Some(name);
        }
        Ok(Self(bytes.into()))
    }

    /// Each name and value as a little-endian base-128 length and that many bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The pairs, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> + Clone {
        let mut rest = &self.0[..];
        std::iter::from_fn(move || (!rest.is_empty()).then(|| (take(&mut rest), take(&mut rest))))
    }

    /// The value of a label; `None` where there is none.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().take_while(|(known, _)| *known <= name).find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// The metric's name; empty where there is none.
    pub fn metric_name(&self) -> &str {
        self.get(METRIC_NAME).unwrap_or_default()
    }

    /// Whether it is the empty set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// By name, then value, pair by pair, as Prometheus sorts label sets.
impl Ord for Labels {
    fn cmp(&self, other: &Self) -> Ordering {
        let (mine, others) = (&self.0[..], &other.0[..]);
        let Some(differs) = first_difference(mine, others) else { return mine.len().cmp(&others.len()) };
        // Up to there both have the same texts: only the one that the difference lies in is compared.
        let mut start = 0;
        loop {
            let Some((length, content)) = length_at(mine, start) else { return mine.len().cmp(&others.len()) };
            if differs < content {
                return texts_at(mine, start).cmp(texts_at(others, start));
            }
            if differs < content + length {
                return mine[differs].cmp(&others[differs]);
            }
            start = content + length;
        }
    }
}

/// The index of the first byte that is another one; `None` when one is the beginning of the other.
fn first_difference(one: &[u8], other: &[u8]) -> Option<usize> {
    let common = one.len().min(other.len());
    let mut at = 0;
    while at + 8 <= common && one[at..at + 8] == other[at..at + 8] {
        at += 8;
    }
    (at..common).find(|&at| one[at] != other[at])
}

/// Length and beginning of the text at `start`; `None` at the end.
fn length_at(bytes: &[u8], start: usize) -> Option<(usize, usize)> {
    let mut length = 0;
    for (index, &byte) in bytes.get(start..)?.iter().enumerate().take(5) {
        length |= usize::from(byte & 0x7f) << (index * 7);
        if byte < 0x80 {
            return Some((length, start + index + 1));
        }
    }
    None
}

/// The text at `start`, as bytes: their order is that of the text. Nothing at the end.
fn texts_at(bytes: &[u8], start: usize) -> &[u8] {
    length_at(bytes, start).and_then(|(length, content)| bytes.get(content..content + length)).unwrap_or_default()
}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// As PromQL writes a series, the name before the braces.
impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.metric_name())?;
        let mut others = self.iter().filter(|(name, _)| *name != METRIC_NAME).peekable();
        if others.peek().is_none() && !self.metric_name().is_empty() {
            return Ok(());
        }
        f.write_str("{")?;
        for (index, (name, value)) in others.enumerate() {
            write!(f, "{}{name}={value:?}", if index == 0 { "" } else { ", " })?;
        }
        f.write_str("}")
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn put(bytes: &mut Vec<u8>, text: &str) {
    let mut length = text.len();
    while length >= 0x80 {
        bytes.push(length as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend_from_slice(text.as_bytes());
}

/// The next text of bytes that were made or checked here.
fn take<'a>(rest: &mut &'a [u8]) -> &'a str {
    checked(rest).expect("checked when the set was made")
}

fn checked<'a>(rest: &mut &'a [u8]) -> Result<&'a str, LabelsError> {
    let mut length = 0_usize;
    for shift in (0..35).step_by(7) {
        let (&byte, after) = rest.split_first().ok_or(LabelsError::Malformed)?;
        *rest = after;
        length |= usize::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            let (text, after) = rest.split_at_checked(length).ok_or(LabelsError::Malformed)?;
            *rest = after;
            return std::str::from_utf8(text).map_err(|_| LabelsError::Malformed);
        }
    }
    Err(LabelsError::Malformed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pairs_are_sorted_and_empty_values_are_not_there() {
        let labels = Labels::new([("job", "node"), ("__name__", "up"), ("a", "")]).expect("a set");
        assert_eq!(labels.iter().collect::<Vec<_>>(), [("__name__", "up"), ("job", "node")]);
        assert_eq!((labels.get("job"), labels.get("a"), labels.metric_name()), (Some("node"), None, "up"));
        assert_eq!(labels.to_string(), r#"up{job="node"}"#);
        assert_eq!(Labels::default().to_string(), "{}");
        assert_eq!(Labels::new([("a", "1"), ("a", "2")]), Err(LabelsError::Duplicate("a".into())));
        assert_eq!(Labels::new([("", "1")]), Err(LabelsError::Unnamed));
    }

    #[test]
    fn bytes_that_are_no_set_are_refused() {
        let good = Labels::new([("a", "1"), ("b", "2")]).expect("a set");
        assert_eq!(Labels::from_bytes(good.as_bytes()), Ok(good.clone()));
        for bad in [&b"\x01a"[..], b"\x01a\x00", b"\x01b\x011\x01a\x011", b"\x01a\x01\xff", b"\xff\xff\xff\xff\xff\xff"]
        {
            assert_eq!(Labels::from_bytes(bad), Err(LabelsError::Malformed), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn order_is_that_of_the_pairs(
            one in prop::collection::btree_map("[a-c]{1,2}", "[x-z]{1,200}", 0..4),
            two in prop::collection::btree_map("[a-c]{1,2}", "[x-z]{1,200}", 0..4),
        ) {
            let set = |map: &std::collections::BTreeMap<String, String>| {
                Labels::new(map.iter().map(|(name, value)| (name.as_str(), value.as_str()))).expect("a set")
            };
            prop_assert_eq!(set(&one).cmp(&set(&two)), one.cmp(&two));
            prop_assert_eq!(Labels::from_bytes(set(&one).as_bytes()), Ok(set(&one)));
        }
    }
}
