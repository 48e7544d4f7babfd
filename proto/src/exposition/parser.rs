//! The reader: one entry at a time, from a body's beginning to its end.

use std::borrow::Cow;

use super::{
    ExpositionError, TextFormat,
    comment::Comment,
    escape, number,
    series::{Pairs, Parts},
};
use crate::metrics::{Labels, MetricType};

/// How much of a line an error repeats.
const SHOWN_BYTES: usize = 120;

/// What a body consists of.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry<'a> {
    /// A sentence about a family.
    Help {
        /// Which.
        family: Cow<'a, str>,
        /// The sentence.
        text: Cow<'a, str>,
    },
    /// A family's kind.
    Type {
        /// Which.
        family: Cow<'a, str>,
        /// Its kind.
        metric_type: MetricType,
    },
    /// A family's unit.
    Unit {
        /// Which.
        family: Cow<'a, str>,
        /// Its unit.
        unit: &'a str,
    },
    /// A value. [`Exposition::pairs`] has its labels, unless it was recognised.
    Sample(SampleLine<'a>),
}

/// A line with a value.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleLine<'a> {
    /// Name and labels as they stand in the body.
    pub series: &'a [u8],
    /// Whether `recall` knew it: its labels were not read.
    pub is_recalled: bool,
    /// The value.
    pub value: f64,
    /// When, Unix ms; `None` when the line does not say.
    pub time_ms: Option<i64>,
    /// An example of what is counted.
    pub exemplar: Option<ExemplarLine>,
}

/// What stands behind a line's value.
#[derive(Debug, Clone, PartialEq)]
pub struct ExemplarLine {
    /// Its labels.
    pub labels: Labels,
    /// Its value.
    pub value: f64,
    /// When, Unix ms.
    pub time_ms: Option<i64>,
}

/// What is wrong with a line.
#[derive(Debug)]
pub(super) struct Problem(pub(super) Cow<'static, str>);

impl Problem {
    #[cold]
    pub(super) fn new(words: impl Into<Cow<'static, str>>) -> Self {
        Self(words.into())
    }
}

/// A body that is being read.
#[derive(Debug)]
pub struct Exposition<'a> {
    body: &'a [u8],
    at: usize,
    pub(super) format: TextFormat,
    /// What the last `# TYPE` said.
    pub(super) metric_type: MetricType,
    parts: Parts<'a>,
    is_done: bool,
}

impl<'a> Exposition<'a> {
    /// Begins with a body.
    pub fn new(body: &'a [u8], format: TextFormat) -> Self {
        Self { body, at: 0, format, metric_type: MetricType::Unknown, parts: Parts::default(), is_done: false }
    }

    /// The next entry; `None` at the end. After an error everything before it is void.
    ///
    /// `recall` is given the body from a sample's first byte on, and says how many bytes of it are a series that it knows.
    #[inline]
    pub fn next(
        &mut self,
        mut recall: impl FnMut(&'a [u8]) -> Option<usize>,
    ) -> Result<Option<Entry<'a>>, ExpositionError> {
        self.next_of_known(|rest, _| recall(rest), |_| None)
    }

    /// The same. `recall` is told the kind of family, too; `recall_comment` is given a line that begins with `#`, and says the kind of
    /// family that counts behind it, if it knows the line: then no entry is made of it. Not for OpenMetrics.
    #[inline]
    pub fn next_of_known(
        &mut self,
        mut recall: impl FnMut(&'a [u8], MetricType) -> Option<usize>,
        mut recall_comment: impl FnMut(&'a [u8]) -> Option<MetricType>,
    ) -> Result<Option<Entry<'a>>, ExpositionError> {
        if self.is_done {
            return Ok(None);
        }
        loop {
            let start = self.at;
            let Some(&first) = self.body.get(self.at) else {
                self.is_done = true;
                return match self.format {
                    TextFormat::Prometheus => Ok(None),
                    TextFormat::OpenMetrics => Err(self.failed(start, Problem::new("data does not end with # EOF"))),
                };
            };
            let is_loose = self.format == TextFormat::Prometheus;
            match first {
                b'\n' | b' ' | b'\t' if is_loose => self.at += 1,
                0 if is_loose => {
                    self.is_done = true;
                    return Ok(None);
                }
                b'#' => {
                    if is_loose {
                        let line = line_of(&self.body[start..]);
                        if let Some(metric_type) = recall_comment(line) {
                            self.metric_type = metric_type;
                            self.at = (start + line.len() + 1).min(self.body.len());
                            continue;
                        }
                    }
                    self.at += 1;
                    match self.comment() {
                        Ok(Comment::Entry(entry)) => return Ok(Some(entry)),
                        Ok(Comment::Remark) => {}
                        Ok(Comment::End) => {
                            self.is_done = true;
                            return Ok(None);
                        }
                        Err(problem) => return Err(self.failed(start, problem)),
                    }
                }
                _ => {
                    let recalled = recall(&self.body[start..], self.metric_type);
                    return match self.sample(recalled) {
                        Ok(sample) => Ok(Some(Entry::Sample(sample))),
                        Err(problem) => Err(self.failed(start, problem)),
                    };
                }
            }
        }
    }

    /// The labels of the sample that was read last, unless it was recalled.
    pub fn pairs(&self) -> Pairs<'_, 'a> {
        Pairs { parts: &self.parts, metric_type: self.metric_type }
    }

    /// What the last `# TYPE` said.
    pub fn metric_type(&self) -> MetricType {
        self.metric_type
    }

    #[cold]
    fn failed(&mut self, start: usize, problem: Problem) -> ExpositionError {
        self.is_done = true;
        let line = 1 + self.body[..start].iter().filter(|byte| **byte == b'\n').count();
        let shown = &self.body[start..];
        let end = shown.iter().position(|byte| *byte == b'\n').unwrap_or(shown.len()).min(SHOWN_BYTES);
        ExpositionError { line, problem: format!("{} in {:?}", problem.0, String::from_utf8_lossy(&shown[..end])) }
    }

    #[inline]
    fn sample(&mut self, recalled: Option<usize>) -> Result<SampleLine<'a>, Problem> {
        let start = self.at;
        match recalled {
            Some(length) => self.at += length,
            None => self.read_series()?,
        }
        let series = &self.body[start..self.at];
        let value = match self.usual_value() {
            Some(value) => value,
            None => number(self.token("value after metric")?).ok_or_else(|| Problem::new("invalid value"))?,
        };
        let (time_ms, exemplar) = if self.ends_line() { (None, None) } else { self.behind_value()? };
        Ok(SampleLine { series, is_recalled: recalled.is_some(), value, time_ms, exemplar })
    }

    /// A blank and a number that ends with the line, or at another blank; `None`, and nothing is passed, where it has to be looked at closely.
    #[inline]
    fn usual_value(&mut self) -> Option<f64> {
        let text = self.body.get(self.at..)?.strip_prefix(b" ")?;
        let (value, length) = number::leading(text)?;
        if !matches!(text.get(length), Some(b'\n' | b' ')) {
            return None;
        }
        self.at += 1 + length;
        Some(value)
    }

    /// Whether the line ends here; passes the break.
    #[inline]
    fn ends_line(&mut self) -> bool {
        match self.body.get(self.at) {
            Some(b'\n') => {
                self.at += 1;
                true
            }
            None => self.format == TextFormat::Prometheus,
            Some(_) => false,
        }
    }

    /// A blank and a word.
    #[inline]
    fn token(&mut self, what: &'static str) -> Result<&'a [u8], Problem> {
        let is_loose = self.format == TextFormat::Prometheus;
        let before = self.at;
        while let Some(b' ' | b'\t') = self.body.get(self.at)
            && (is_loose || (self.at == before && self.body[self.at] == b' '))
        {
            self.at += 1;
        }
        let start = self.at;
        while let Some(&byte) = self.body.get(self.at)
            && byte != b' '
            && byte != b'\n'
            && !(is_loose && (byte == b'\t' || byte == b'{'))
        {
            self.at += 1;
        }
        if start == self.at || (!is_loose && start == before) {
            return Err(Problem::new(format!("expected {what}")));
        }
        Ok(&self.body[start..self.at])
    }

    fn skip_blanks(&mut self) {
        if self.format == TextFormat::Prometheus {
            while let Some(b' ' | b'\t') = self.body.get(self.at) {
                self.at += 1;
            }
        }
    }

    /// Time and exemplar.
    fn behind_value(&mut self) -> Result<(Option<i64>, Option<ExemplarLine>), Problem> {
        if self.format == TextFormat::Prometheus {
            self.skip_blanks();
            if self.ends_line() {
                return Ok((None, None));
            }
            let token = self.token("timestamp or new record")?;
            let digits = token.iter().all(u8::is_ascii_digit);
            let time_ms = std::str::from_utf8(token).ok().filter(|_| digits).and_then(|text| text.parse().ok());
            let time_ms = time_ms.ok_or_else(|| Problem::new("expected timestamp or new record"))?;
            self.skip_blanks();
            if !self.ends_line() {
                return Err(Problem::new("expected next entry after timestamp"));
            }
            return Ok((Some(time_ms), None));
        }
        let mut time_ms = None;
        if !self.body[self.at..].starts_with(b" # {") {
            time_ms = Some(seconds(self.token("timestamp or exemplar")?)?);
            if self.ends_line() {
                return Ok((time_ms, None));
            }
        }
        if !self.body[self.at..].starts_with(b" # {") {
            return Err(Problem::new("expected next entry after timestamp"));
        }
        self.at += 4;
        self.exemplar().map(|exemplar| (time_ms, Some(exemplar)))
    }

    fn exemplar(&mut self) -> Result<ExemplarLine, Problem> {
        let mut parts = Parts::default();
        self.labels(&mut parts, false)?;
        let mut pairs: Vec<_> =
            parts.labels.iter().rev().map(|(name, value)| (escape::label(name), escape::label(value))).collect();
        // The last of a name counts, as in Prometheus.
        pairs.sort_by(|one, other| one.0.cmp(&other.0));
        pairs.dedup_by(|one, other| one.0 == other.0);
        let labels = Labels::new(pairs.iter().map(|(name, value)| (&**name, &**value)))
            .map_err(|error| Problem::new(format!("exemplar: {error}")))?;
        let value = number(self.token("value after exemplar labels")?);
        let value = value.ok_or_else(|| Problem::new("invalid exemplar value"))?;
        let mut time_ms = None;
        if !self.ends_line() {
            time_ms = Some(seconds(self.token("timestamp or comment")?)?);
            if !self.ends_line() {
                return Err(Problem::new("expected next entry after exemplar timestamp"));
            }
        }
        Ok(ExemplarLine { labels, value, time_ms })
    }

    /// Name and labels, in front of the value.
    fn read_series(&mut self) -> Result<(), Problem> {
        let mut parts = std::mem::take(&mut self.parts);
        parts.clear();
        let result = self.series(&mut parts);
        self.parts = parts;
        result
    }

    fn series(&mut self, parts: &mut Parts<'a>) -> Result<(), Problem> {
        let start = self.at;
        while self.body.get(self.at).copied().is_some_and(is_name_byte) {
            self.at += 1;
        }
        if start < self.at {
            if self.body[start].is_ascii_digit() {
                return Err(Problem::new("expected a valid start token"));
            }
            parts.name = std::str::from_utf8(&self.body[start..self.at]).ok();
        }
        let name_end = self.at;
        self.skip_blanks();
        if self.body.get(self.at) == Some(&b'{') {
            self.at += 1;
            self.labels(parts, true)?;
        } else if parts.name.is_none() {
            return Err(Problem::new("expected a valid start token"));
        } else {
            self.at = name_end;
        }
        if parts.name.is_none() {
            return Err(Problem::new("metric name not set"));
        }
        Ok(())
    }

    /// What stands in braces, behind the first one. In a series' a text alone is the metric's name.
    fn labels(&mut self, parts: &mut Parts<'a>, with_name: bool) -> Result<(), Problem> {
        loop {
            self.skip_blanks();
            let name = match self.body.get(self.at) {
                Some(b'}') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'"') => {
                    let name = self.quoted()?;
                    self.skip_blanks();
                    if with_name && let Some(next @ (b',' | b'}')) = self.body.get(self.at) {
                        if parts.name.replace(name).is_some() {
                            return Err(Problem::new("metric name already set"));
                        }
                        self.at += 1;
                        if *next == b'}' {
                            return Ok(());
                        }
                        continue;
                    }
                    name
                }
                _ => self.label_name()?,
            };
            self.skip_blanks();
            if self.body.get(self.at) != Some(&b'=') {
                return Err(Problem::new("expected equal"));
            }
            self.at += 1;
            self.skip_blanks();
            if self.body.get(self.at) != Some(&b'"') {
                return Err(Problem::new("expected label value"));
            }
            let value = self.quoted()?;
            parts.labels.push((name, value));
            self.skip_blanks();
            match self.body.get(self.at) {
                Some(b',') => self.at += 1,
                Some(b'}') => {}
                // Prometheus' own format does without commas, as Prometheus reads it.
                Some(_) if self.format == TextFormat::Prometheus => {}
                _ => return Err(Problem::new("expected comma or brace close")),
            }
        }
    }

    fn label_name(&mut self) -> Result<&'a str, Problem> {
        let start = self.at;
        while self.body.get(self.at).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_') {
            self.at += 1;
        }
        if start == self.at || self.body[start].is_ascii_digit() {
            return Err(Problem::new("expected label name"));
        }
        Ok(std::str::from_utf8(&self.body[start..self.at]).expect("ASCII"))
    }

    /// What stands in quotes, still escaped.
    fn quoted(&mut self) -> Result<&'a str, Problem> {
        let text = &self.body[self.at + 1..];
        let Some(length) = quoted_len(text) else { return Err(Problem::new("a quote does not end")) };
        let text = &text[..length];
        if self.format == TextFormat::OpenMetrics && text.contains(&b'\n') {
            return Err(Problem::new("a quote does not end on its line"));
        }
        self.at += length + 2;
        std::str::from_utf8(text).map_err(|_| Problem::new("invalid UTF-8 label value"))
    }

    /// The rest of the line without its break, which is passed.
    pub(super) fn rest_of_line(&mut self) -> &'a [u8] {
        let line = line_of(&self.body[self.at..]);
        self.at = (self.at + line.len() + 1).min(self.body.len());
        line
    }

    /// Whether this line has a break.
    pub(super) fn ends_in_line_break(&self) -> bool {
        self.body[self.at..].contains(&b'\n')
    }

    /// Whether nothing follows.
    pub(super) fn is_at_end(&self) -> bool {
        self.at >= self.body.len()
    }
}

/// Up to the first break.
fn line_of(text: &[u8]) -> &[u8] {
    &text[..memchr::memchr(b'\n', text).unwrap_or(text.len())]
}

/// Bytes up to the quote that ends a text whose first quote is passed.
pub(super) fn quoted_len(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match text.get(at)? {
            b'"' => return Some(at),
            // Whatever follows, quotes too.
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// Of a metric's name, the first one apart, which is no digit.
#[inline]
pub(super) fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':'
}

/// Seconds as ms.
fn seconds(text: &[u8]) -> Result<i64, Problem> {
    match number(text) {
        Some(seconds) if seconds.is_finite() => Ok((seconds * 1000.0) as i64),
        _ => Err(Problem::new("invalid timestamp")),
    }
}
