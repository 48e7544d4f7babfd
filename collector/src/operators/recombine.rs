//! `recombine`: entries that belong together become one. [`Joins`] is what holds them until then.

use std::{borrow::Cow, collections::BTreeMap, time::Duration};

use super::{Entry, Expression, Field, Next, Operator, OperatorConfig, Origin, Value, config::Overwrite};

pub(super) const KEYS: &[&str] = &[
    "is_first_entry",
    "is_last_entry",
    "combine_field",
    "combine_with",
    "max_batch_size",
    "max_unmatched_batch_size",
    "overwrite_with",
    "force_flush_period",
    "source_identifier",
    "max_sources",
    "max_log_size",
];

/// Bytes of one joined text that nothing else bounds.
const TEXT_BYTES_MAX: u64 = 16 << 20;

/// Entries that wait, by their source.
pub(super) struct Joins {
    pub(super) field: Field,
    pub(super) with: String,
    pub(super) entries_max: usize,
    /// Entries that are joined while none of them was a first or a last one.
    pub(super) unmatched_max: usize,
    pub(super) bytes_max: u64,
    pub(super) sources_max: usize,
    pub(super) wait_max: Duration,
    pub(super) keeps_newest: bool,
    waiting: BTreeMap<String, Waiting>,
}

struct Waiting {
    base: Entry<'static>,
    text: String,
    entries: usize,
    is_matched: bool,
    since_ns: u64,
    parts: Vec<Origin>,
}

impl Joins {
    /// With the Collector's bounds.
    pub(super) fn new(field: Field, with: &str) -> Self {
        Self {
            field,
            with: with.to_owned(),
            entries_max: 1000,
            unmatched_max: 100,
            bytes_max: TEXT_BYTES_MAX,
            sources_max: 1000,
            wait_max: Duration::from_secs(5),
            keeps_newest: false,
            waiting: BTreeMap::new(),
        }
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether something of this source waits.
    pub(super) fn has(&self, source: &str) -> bool {
        self.waiting.contains_key(source)
    }

    /// The time of what waits of a source.
    pub(super) fn time_ns(&self, source: &str) -> Option<u64> {
        self.waiting.get(source).map(|waiting| waiting.base.time_ns)
    }

    /// Adds an entry to what waits of its source. Whether it is a first or last one is told by `is_match`.
    pub(super) fn add(
        &mut self,
        source: &str,
        mut entry: Entry<'static>,
        is_match: bool,
        released: &mut Vec<Entry<'static>>,
    ) {
        if !self.waiting.contains_key(source) && self.waiting.len() >= self.sources_max {
            self.release_all(released);
        }
        let text = match self.field.take(&mut entry) {
            Some(Value::Text(text)) => text.into_owned(),
            Some(other) => other.to_text().map(Cow::into_owned).unwrap_or_default(),
            None => String::new(),
        };
        let mut parts = std::mem::take(&mut entry.parts);
        parts.insert(0, entry.origin);
        match self.waiting.get_mut(source) {
            None => {
                let since_ns = entry.observed_ns;
                let waiting = Waiting { base: entry, text, entries: 1, is_matched: is_match, since_ns, parts };
                self.waiting.insert(source.to_owned(), waiting);
            }
            Some(waiting) => {
                waiting.entries += 1;
                waiting.is_matched |= is_match;
                if !waiting.text.is_empty() {
                    waiting.text.push_str(&self.with);
                }
                waiting.text.push_str(&text);
                waiting.parts.extend(parts);
                if self.keeps_newest {
                    waiting.base = entry;
                }
            }
        }
        let waiting = &self.waiting[source];
        let is_full = waiting.entries >= self.entries_max
            || waiting.text.len() as u64 > self.bytes_max
            || (!waiting.is_matched && self.unmatched_max > 0 && waiting.entries >= self.unmatched_max);
        if is_full {
            self.release(source, released);
        }
    }

    /// Lets go of what waits of a source, joined.
    pub(super) fn release(&mut self, source: &str, released: &mut Vec<Entry<'static>>) {
        if let Some(waiting) = self.waiting.remove(source) {
            released.push(self.joined(waiting));
        }
    }

    fn release_all(&mut self, released: &mut Vec<Entry<'static>>) {
        for waiting in std::mem::take(&mut self.waiting).into_values() {
            released.push(self.joined(waiting));
        }
    }

    fn joined(&self, waiting: Waiting) -> Entry<'static> {
        let Waiting { mut base, text, mut parts, .. } = waiting;
        base.origin = parts.remove(0);
        base.parts = parts;
        // It was taken from there: what is above it is a map.
        let _ = self.field.set(&mut base, Value::text(text));
        base
    }

    /// Lets go of what has waited too long.
    pub(super) fn overdue(&mut self, now_ns: u64, released: &mut Vec<Entry<'static>>) {
        if self.waiting.is_empty() || self.wait_max.is_zero() {
            return;
        }
        let wait_ns = self.wait_max.as_nanos() as u64;
        let late = |waiting: &Waiting| now_ns.saturating_sub(waiting.since_ns) >= wait_ns;
        let sources: Vec<String> =
            self.waiting.iter().filter(|(_, waiting)| late(waiting)).map(|(source, _)| source.clone()).collect();
        for source in sources {
            self.release(&source, released);
        }
    }

    /// What waits is made of these.
    pub(super) fn held(&self, visit: &mut dyn FnMut(Origin)) {
        self.waiting.values().flat_map(|waiting| &waiting.parts).for_each(|origin| visit(*origin));
    }
}

struct Recombine {
    joins: Joins,
    condition: Expression,
    /// The condition is true of first entries; otherwise of last ones.
    is_first: bool,
    source: Option<Field>,
}

pub(super) fn build(config: &OperatorConfig) -> Result<Box<dyn Operator>, String> {
    let settings = &config.settings;
    let (condition, is_first) = match (&settings.is_first_entry, &settings.is_last_entry) {
        (Some(first), None) => (first.clone(), true),
        (None, Some(last)) => (last.clone(), false),
        _ => return Err("exactly one of is_first_entry and is_last_entry is needed".into()),
    };
    let field = settings.combine_field.clone().ok_or("the key `combine_field` is missing")?;
    let mut joins = Joins::new(field, settings.combine_with.as_deref().unwrap_or("\n"));
    // Of 0 the length is the bound.
    joins.entries_max = match settings.max_batch_size {
        Some(0) => usize::MAX,
        most => most.unwrap_or(joins.entries_max),
    };
    joins.unmatched_max = settings.max_unmatched_batch_size.unwrap_or(joins.unmatched_max);
    joins.sources_max = settings.max_sources.filter(|most| *most > 0).unwrap_or(joins.sources_max);
    joins.bytes_max = settings.max_log_size.filter(|most| *most > 0).unwrap_or(joins.bytes_max);
    joins.wait_max = settings.force_flush_period.unwrap_or(joins.wait_max);
    joins.keeps_newest = settings.overwrite_with == Some(Overwrite::Newest);
    Ok(Box::new(Recombine { joins, condition, is_first, source: settings.source_identifier.clone() }))
}

impl Operator for Recombine {
    fn apply<'a>(&mut self, entry: &mut Entry<'a>, released: &mut Vec<Entry<'static>>) -> Result<Next, String> {
        let is_match = self.condition.is_true(entry)?;
        let named = self.source.as_ref().and_then(|field| field.get(entry)?.to_text().map(Cow::into_owned));
        let source = named.unwrap_or_else(|| entry.path.clone().into_owned());
        let owned = std::mem::take(entry).into_owned();
        if is_match && self.is_first {
            self.joins.release(&source, released);
        }
        self.joins.add(&source, owned, is_match, released);
        if is_match && !self.is_first {
            self.joins.release(&source, released);
        }
        Ok(Next::Held)
    }

    fn overdue(&mut self, now_ns: u64, released: &mut Vec<Entry<'static>>) {
        self.joins.overdue(now_ns, released);
    }

    fn held(&self, visit: &mut dyn FnMut(Origin)) {
        self.joins.held(visit);
    }

    fn is_joining(&self) -> bool {
        true
    }
}
