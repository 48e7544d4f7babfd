//! Patterns of lines: what repeats in them, with `<_>` for what does not; Drain's tree (He et al., "Drain: An Online Log Parsing
//! Approach with Fixed Depth Tree", ICWS 2017), within bounds whatever lines come.

mod tokens;
mod tree;

use std::collections::BTreeMap;

pub(crate) use tree::PatternLimits;

use self::tree::Tree;

/// Patterns by level, with how many lines each has in which step.
#[derive(Debug)]
pub(crate) struct Patterns {
    limits: PatternLimits,
    levels: BTreeMap<String, Tree>,
}

/// A pattern that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    pub(crate) text: String,
    pub(crate) level: String,
    /// Lines by the number of their step.
    pub(crate) counts: BTreeMap<u32, u64>,
}

/// Levels that are told apart; there are eight.
const LEVELS_MAX: usize = 16;

impl Patterns {
    /// None yet.
    pub(crate) fn new(limits: PatternLimits) -> Self {
        Self { limits, levels: BTreeMap::new() }
    }

    /// Adds a line of a level, which lies in the step of this number.
    pub(crate) fn add(&mut self, level: &str, line: &str, step: u32) {
        let is_full = self.levels.len() >= LEVELS_MAX && !self.levels.contains_key(level);
        let level = if is_full { "unknown" } else { level };
        if !self.levels.contains_key(level) {
            self.levels.insert(level.to_owned(), Tree::new(self.limits));
        }
        if let Some(tree) = self.levels.get_mut(level) {
            tree.add(line, step);
        }
    }

    /// All patterns, those with the most lines first.
    pub(crate) fn into_patterns(self) -> Vec<Pattern> {
        let of_level = |(level, tree): (String, Tree)| {
            let found = tree.into_groups().into_iter();
            found.map(move |(text, counts)| Pattern { text, level: level.clone(), counts }).collect::<Vec<_>>()
        };
        let mut patterns: Vec<Pattern> = self.levels.into_iter().flat_map(of_level).collect();
        patterns.sort_by_cached_key(|pattern| {
            let lines = pattern.counts.values().sum::<u64>();
            let first = pattern.counts.keys().next().copied();
            (std::cmp::Reverse(lines), first, pattern.level.clone(), pattern.text.clone())
        });
        patterns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(lines: &[(&str, &str)], limits: PatternLimits) -> Vec<String> {
        let mut patterns = Patterns::new(limits);
        for (number, (level, line)) in (0..).zip(lines) {
            patterns.add(level, line, number / 2);
        }
        let shown = |pattern: Pattern| {
            let counts: Vec<String> = pattern.counts.iter().map(|(step, count)| format!("{step}:{count}")).collect();
            format!("{} {} {}", pattern.level, counts.join(","), pattern.text)
        };
        patterns.into_patterns().into_iter().map(shown).collect()
    }

    #[test]
    fn what_differs_is_left_out() {
        let lines = [
            ("info", "GET /orders/17 took 12ms"),
            ("info", "GET /orders/99 took 7ms"),
            ("info", "GET /orders/4 took 250ms"),
            ("error", "connection to 10.0.0.1:5432 refused"),
            ("info", "user ann logged in"),
            ("info", "user bob logged in"),
            ("error", "connection to 10.0.0.7:5432 refused"),
        ];
        let expected = [
            "info 0:2,1:1 GET <_> took <_>",
            "error 1:1,3:1 connection to <_>:5432 refused",
            "info 2:2 user <_> logged in",
        ];
        assert_eq!(found(&lines, PatternLimits::default()), expected);
    }

    #[test]
    fn fields_keep_their_names() {
        let lines = [
            ("info", r#"{"level":"info","msg":"order placed","order":17,"user":"ann"}"#),
            ("info", r#"{"level":"info","msg":"order placed","order":18,"user":"bob"}"#),
            ("info", "level=info msg=\"order placed\" took=12ms"),
            ("info", "level=info msg=\"order placed\" took=7ms"),
        ];
        let expected = [
            r#"info 0:2 {"level":"info","msg":"order placed","order":<_>,"user":"<_>"}"#,
            "info 1:2 level=info msg=\"order placed\" took=<_>",
        ];
        assert_eq!(found(&lines, PatternLimits::default()), expected);
    }

    #[test]
    fn a_flood_of_patterns_stays_within_its_bounds() {
        let limits = PatternLimits { groups_max: 10, ..PatternLimits::default() };
        let mut patterns = Patterns::new(limits);
        for n in 0..10_000_u64 {
            // Words that nothing has in common, of letters alone.
            let word = |salt: u64| {
                let mut rest = n.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(salt).rotate_left(17);
                (0..8)
                    .map(|_| {
                        let letter = char::from(b'a' + (rest % 26) as u8);
                        rest /= 26;
                        letter
                    })
                    .collect::<String>()
            };
            let line: Vec<String> = (0..=n % 20).map(word).collect();
            patterns.add("info", &line.join(" "), 0);
            patterns.add("info", "the one that stays", 0);
        }
        patterns.add("info", &"x ".repeat(100_000), 0);
        patterns.add("info", "", 0);
        let found = patterns.into_patterns();
        assert!(found.len() <= 10, "{}", found.len());
        assert_eq!(found[0].text, "the one that stays");
        assert_eq!(found[0].counts[&0], 10_000);
    }
}
