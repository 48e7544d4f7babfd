//! The ways in which a needle may lie in a body of a template: in its literal text, in a value, or over several of both.

use std::ops::Range;

use crate::segment::template::Template;

/// More ways are not told: then bodies are rebuilt.
const ALIGNMENTS_MAX: usize = 64;

/// More steps are not taken to find them.
const STEPS_MAX: usize = 20_000;

/// What the value of a slot must be, by a part of the needle.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Must {
    /// The part is somewhere in it.
    Contain(Range<usize>),
    /// It ends with the part.
    End(Range<usize>),
    /// It begins with the part.
    Begin(Range<usize>),
    /// It is the part.
    Be(Range<usize>),
}

impl Must {
    /// The part of the needle.
    pub(super) fn part(&self) -> Range<usize> {
        match self {
            Self::Contain(part) | Self::End(part) | Self::Begin(part) | Self::Be(part) => part.clone(),
        }
    }
}

/// One way: what each of some slots must be; nothing when the needle lies in literal text.
pub(super) type Alignment = Vec<(usize, Must)>;

/// All ways; `None` when they are too many.
pub(super) fn alignments(template: &Template, needle: &[u8]) -> Option<Vec<Alignment>> {
    let mut search = Search { template, needle, found: Vec::new(), steps: 0 };
    let slots = template.slots.len();
    for number in 0..=slots {
        let literal = template.literal(number);
        for (from, byte) in literal.iter().enumerate() {
            if *byte == *needle.first()? {
                search.literal(number, from, 0, &mut Vec::new())?;
            }
        }
        if number < slots {
            search.add(&[], (number, Must::Contain(0..needle.len())))?;
            for at in 1..needle.len() {
                search.behind(number, at, &mut vec![(number, Must::End(0..at))])?;
            }
        }
        if search.found.iter().any(Vec::is_empty) {
            return Some(vec![Vec::new()]);
        }
    }
    Some(search.found)
}

struct Search<'a> {
    template: &'a Template,
    needle: &'a [u8],
    found: Vec<Alignment>,
    steps: usize,
}

impl Search<'_> {
    fn step(&mut self) -> Option<()> {
        self.steps += 1;
        (self.steps <= STEPS_MAX && self.found.len() <= ALIGNMENTS_MAX).then_some(())
    }

    fn add(&mut self, before: &[(usize, Must)], last: (usize, Must)) -> Option<()> {
        self.found.push([before, &[last]].concat());
        self.step()
    }

    /// The needle goes on at `at` with literal `number`, from there on.
    fn literal(&mut self, number: usize, from: usize, at: usize, before: &mut Alignment) -> Option<()> {
        self.step()?;
        let (literal, needle) = (&self.template.literal(number)[from..], &self.needle[at..]);
        if literal.starts_with(needle) {
            self.found.push(before.clone());
            return self.step();
        }
        if number < self.template.slots.len() && needle.starts_with(literal) {
            return self.value(number, at + literal.len(), before);
        }
        Some(())
    }

    /// The needle goes on at `at` with the whole value of slot `number`.
    fn value(&mut self, number: usize, at: usize, before: &mut Alignment) -> Option<()> {
        self.add(before, (number, Must::Begin(at..self.needle.len())))?;
        for end in at..self.needle.len() {
            before.push((number, Must::Be(at..end)));
            self.behind(number, end, before)?;
            before.pop();
        }
        Some(())
    }

    /// The needle goes on at `at` behind slot `number`.
    fn behind(&mut self, number: usize, at: usize, before: &mut Alignment) -> Option<()> {
        // Most of the time not even the first byte does.
        if self.template.literal(number + 1).first() != self.needle.get(at) {
            return Some(());
        }
        self.literal(number + 1, 0, at, before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(needle: &str) -> Vec<String> {
        let template = Template::parse(b"{\"level\":\"\x01\",\"n\":\x02,\"msg\":\"\x01\"}").expect("a template");
        let part = |part: &Range<usize>| needle[part.clone()].to_owned();
        let show = |alignment: &Alignment| {
            let slots = alignment.iter().map(|(slot, must)| match must {
                Must::Contain(range) => format!("{slot} *{}*", part(range)),
                Must::End(range) => format!("{slot} *{}", part(range)),
                Must::Begin(range) => format!("{slot} {}*", part(range)),
                Must::Be(range) => format!("{slot} {}", part(range)),
            });
            slots.collect::<Vec<_>>().join(", ")
        };
        alignments(&template, needle.as_bytes()).expect("few").iter().map(show).collect()
    }

    #[test]
    fn a_needle_lies_in_values_or_over_them() {
        assert_eq!(shown("error"), ["0 *error*", "1 *error*", "2 *error*"]);
        assert_eq!(shown("level"), [""], "in every body of the template");
        assert_eq!(shown("el\":\"err"), ["0 err*", "0 *el\":\"err*", "1 *el\":\"err*", "2 *el\":\"err*"]);
        let over = shown("r\",\"n\":5,\"msg\":\"x");
        assert!(over.contains(&"0 *r, 1 5, 2 x*".to_owned()), "{over:?}");
        let whole = shown("{\"level\":\"a\",\"n\":5,\"msg\":\"b\"}");
        assert!(whole.contains(&"0 a, 1 5, 2 b".to_owned()), "{whole:?}");
    }
}
