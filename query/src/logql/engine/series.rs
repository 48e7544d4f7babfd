//! Series: labels, and a value at some of the moments.

use std::sync::Arc;

/// Labels of a series, sorted by name.
pub(crate) type Labels = Arc<[(String, String)]>;

/// A series.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Series {
    /// Its labels.
    pub(crate) labels: Labels,
    /// Values by the number of the moment, ascending.
    pub(crate) points: Vec<(u32, f64)>,
}

/// The value of a name.
pub(super) fn label<'a>(labels: &'a Labels, name: &str) -> Option<&'a str> {
    let at = labels.binary_search_by(|(known, _)| known.as_str().cmp(name)).ok()?;
    Some(&labels[at].1)
}

/// The labels that are listed, or, without, those that are not.
pub(super) fn picked(labels: &Labels, listed: &[String], without: bool) -> Labels {
    labels.iter().filter(|(name, _)| listed.contains(name) != without).cloned().collect()
}

/// The same with one label set; an empty value removes it.
pub(super) fn with_label(labels: &Labels, name: &str, value: &str) -> Labels {
    let mut changed: Vec<(String, String)> = labels.iter().filter(|(known, _)| known != name).cloned().collect();
    if !value.is_empty() {
        let at = changed.partition_point(|(known, _)| known.as_str() < name);
        changed.insert(at, (name.to_owned(), value.to_owned()));
    }
    changed.into()
}
