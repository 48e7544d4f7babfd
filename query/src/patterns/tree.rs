//! Drain's tree: by the number of tokens, then by the first word, then the most similar group.

use std::collections::{BTreeMap, HashMap};

use super::tokens::{is_likely_to_vary, is_mark_token, tokens};

/// What stands for what varies.
const VARIES: &str = "<_>";

/// Bounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PatternLimits {
    /// Groups of a level: of more, those with the fewest lines are forgotten.
    pub(crate) groups_max: usize,
    /// Bytes of a line that are looked at.
    pub(crate) line_bytes_max: usize,
    /// Tokens of a line that are looked at.
    pub(crate) tokens_max: usize,
}

impl Default for PatternLimits {
    fn default() -> Self {
        Self { groups_max: 300, line_bytes_max: 3000, tokens_max: 300 }
    }
}

/// Of the words of a line so many must be those of its group.
const SIMILARITY_MIN: f64 = 0.5;

/// The way to groups: how many tokens, and the first word, unless it is likely to vary.
type Way = (usize, Option<Box<str>>);

/// A group of similar lines.
#[derive(Debug)]
struct Group {
    /// `None` for what varies.
    tokens: Vec<Option<Box<str>>>,
    lines: u64,
    counts: BTreeMap<u32, u64>,
    way: Way,
}

/// Groups of lines.
#[derive(Debug)]
pub(super) struct Tree {
    limits: PatternLimits,
    groups: HashMap<u32, Group>,
    ways: HashMap<Way, Vec<u32>>,
    next: u32,
}

impl Tree {
    pub(super) fn new(limits: PatternLimits) -> Self {
        Self { limits, groups: HashMap::new(), ways: HashMap::new(), next: 0 }
    }

    pub(super) fn add(&mut self, line: &str, step: u32) {
        let line = &line[..line.floor_char_boundary(self.limits.line_bytes_max)];
        let tokens: Vec<&str> = tokens(line.trim()).take(self.limits.tokens_max).collect();
        if tokens.is_empty() {
            return;
        }
        let way = way(&tokens);
        let near = self.ways.get(&way).into_iter().flatten();
        let best = near
            .map(|number| (*number, self.groups[number].similarity(&tokens)))
            .filter(|(_, similarity)| *similarity >= SIMILARITY_MIN)
            .max_by(|(_, one), (_, other)| one.total_cmp(other));
        let group = match best {
            Some((number, _)) => self.groups.get_mut(&number).expect("ways lead to groups"),
            None => self.begin(&tokens, way),
        };
        group.join(&tokens);
        group.lines += 1;
        *group.counts.entry(step).or_default() += 1;
    }

    fn begin(&mut self, tokens: &[&str], way: Way) -> &mut Group {
        if self.groups.len() >= self.limits.groups_max {
            self.forget();
        }
        let number = self.next;
        self.next += 1;
        self.ways.entry(way.clone()).or_default().push(number);
        let tokens = tokens.iter().map(|token| Some((*token).into())).collect();
        self.groups.entry(number).or_insert(Group { tokens, lines: 0, counts: BTreeMap::new(), way })
    }

    /// Makes room: a tenth of the groups go, those with the fewest lines, the oldest of them first.
    fn forget(&mut self) {
        let mut order: Vec<(u64, u32)> = self.groups.iter().map(|(number, group)| (group.lines, *number)).collect();
        order.sort_unstable();
        for (_, number) in order.into_iter().take(self.limits.groups_max.div_ceil(10)) {
            let Some(gone) = self.groups.remove(&number) else { continue };
            if let Some(numbers) = self.ways.get_mut(&gone.way) {
                numbers.retain(|other| *other != number);
                if numbers.is_empty() {
                    self.ways.remove(&gone.way);
                }
            }
        }
    }

    /// Each group as a text, groups of the same text together.
    pub(super) fn into_groups(self) -> BTreeMap<String, BTreeMap<u32, u64>> {
        let mut found: BTreeMap<String, BTreeMap<u32, u64>> = BTreeMap::new();
        for group in self.groups.into_values() {
            let counts = found.entry(group.text()).or_default();
            for (step, count) in group.counts {
                *counts.entry(step).or_default() += count;
            }
        }
        found
    }
}

fn way(tokens: &[&str]) -> Way {
    let first = tokens.iter().find(|token| !is_mark_token(token));
    (tokens.len(), first.filter(|word| !is_likely_to_vary(word)).map(|word| (*word).into()))
}

impl Group {
    /// The share of words that are the same; 0 where marks differ.
    fn similarity(&self, tokens: &[&str]) -> f64 {
        let (mut words, mut same) = (0_u32, 0_u32);
        for (known, token) in self.tokens.iter().zip(tokens) {
            let is_mark = is_mark_token(token);
            match known.as_deref() {
                Some(known) if known == *token => same += u32::from(!is_mark),
                Some(known) if is_mark || is_mark_token(known) => return 0.0,
                None if is_mark => return 0.0,
                _ => {}
            }
            // What is likely to vary says nothing.
            words += u32::from(!is_mark && !is_likely_to_vary(token));
        }
        if words == 0 { 1.0 } else { f64::from(same.min(words)) / f64::from(words) }
    }

    /// What differs from the group's lines varies from now on.
    fn join(&mut self, tokens: &[&str]) {
        for (known, token) in self.tokens.iter_mut().zip(tokens) {
            if known.as_deref().is_some_and(|known| known != *token) {
                *known = None;
            }
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for token in &self.tokens {
            match token {
                Some(token) => text.push_str(token),
                None => text.push_str(VARIES),
            }
        }
        text
    }
}
