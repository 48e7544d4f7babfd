//! A condition on a label that a parser finds in a line's body: it leaves lines out before their bodies are read.

use std::{fmt, sync::Arc};

/// Leaves out lines of which a label does not fit. It never leaves out one that may fit: lines whose fields are not in columns stay, and those
/// that may have the label from elsewhere (attributes of theirs or of their resource).
#[derive(Clone)]
pub struct FieldTest {
    label: String,
    fits: Arc<FieldFits>,
    numbers: Option<Arc<NumbersFit>>,
    equals: Option<String>,
}

/// Whether a label's text fits; it is told when there is none.
pub type FieldFits = dyn Fn(Option<&str>) -> bool + Send + Sync;

/// Asks about many numbers at once: the bits of doubles, or whole numbers.
type NumbersFit = dyn Fn(&[u64], bool, &mut Vec<bool>) + Send + Sync;

impl FieldTest {
    /// Lines whose label `fits`.
    pub fn new(label: &str, fits: impl Fn(Option<&str>) -> bool + Send + Sync + 'static) -> Self {
        Self { label: label.to_owned(), fits: Arc::new(fits), numbers: None, equals: None }
    }

    /// Numbers are asked about as such: `fits` says the same of them.
    pub fn with_numbers(mut self, fits: impl Fn(f64) -> bool + Send + Sync + 'static) -> Self {
        self.numbers = Some(Arc::new(move |words: &[u64], are_whole, out: &mut Vec<bool>| {
            if are_whole {
                out.extend(words.iter().map(|&word| fits(word as i64 as f64)));
            } else {
                out.extend(words.iter().map(|&word| fits(f64::from_bits(word))));
            }
        }));
        self
    }

    /// Only this text fits: filters may be asked for it.
    pub fn with_text(mut self, text: &str) -> Self {
        self.equals = Some(text.to_owned());
        self
    }

    /// The label.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The only text that fits, where there is only one.
    pub(crate) fn only_text(&self) -> Option<&str> {
        self.equals.as_deref().filter(|text| !text.is_empty())
    }

    /// Whether a text fits.
    pub(crate) fn fits_text(&self, text: &[u8]) -> bool {
        // What is no UTF-8 is decided by whoever reads the body.
        std::str::from_utf8(text).map_or(true, |text| (self.fits)(Some(text)))
    }

    /// Whether having no such label fits.
    pub(crate) fn fits_none(&self) -> bool {
        (self.fits)(None)
    }

    /// Whether a number fits; `None` when its text has to be asked about.
    pub(crate) fn fits_number(&self, number: f64) -> Option<bool> {
        self.fit_numbers(&[number.to_bits()], false)?.first().copied()
    }

    /// Whether numbers fit, whole ones or the bits of doubles; `None` when their texts have to be asked about.
    pub(crate) fn fit_numbers(&self, words: &[u64], are_whole: bool) -> Option<Vec<bool>> {
        let fit = self.numbers.as_ref()?;
        let mut out = Vec::with_capacity(words.len());
        fit(words, are_whole, &mut out);
        Some(out)
    }
}

impl fmt::Debug for FieldTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FieldTest").field("label", &self.label).finish_non_exhaustive()
    }
}

impl PartialEq for FieldTest {
    fn eq(&self, other: &Self) -> bool {
        self.label == other.label && Arc::ptr_eq(&self.fits, &other.fits)
    }
}
