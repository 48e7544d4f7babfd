//! The shapes of the latest objects, with what is known of each.

use std::ops::Range;

use super::{Shape, may_have_fields};

/// Shapes that are remembered.
const SHAPES_MAX: usize = 8;

/// After so many objects in a row of no known shape the next ones are not looked at so closely.
const STRANGERS_MAX: u32 = 64;
/// So many of them.
const PASSED_OVER: u32 = 4096;

/// The shapes of the latest objects, with what is known of each.
#[derive(Debug)]
pub struct Shapes<T> {
    /// The latest first.
    known: Vec<(Shape, T)>,
    strangers: u32,
    passed_over: u32,
    values: Vec<Range<usize>>,
}

impl<T> Default for Shapes<T> {
    fn default() -> Self {
        Self { known: Vec::new(), strangers: 0, passed_over: 0, values: Vec::new() }
    }
}

impl<T> Shapes<T> {
    /// The shape of `text`, what is known of it, and where the text's values are. A shape that is seen for the first time is remembered with
    /// what `learn` says, if that is something. `None` says nothing about a text.
    #[inline]
    pub fn find(
        &mut self,
        text: &[u8],
        learn: impl FnOnce(&Shape) -> Option<T>,
    ) -> Option<(&Shape, &T, &[Range<usize>])> {
        match self.known.iter().position(|(shape, _)| shape.matches(text, &mut self.values)) {
            Some(0) => self.strangers = 0,
            Some(at) => {
                self.strangers = 0;
                self.known[..=at].rotate_right(1);
            }
            None => self.meet(text, learn)?,
        }
        let (shape, known) = self.known.first()?;
        Some((shape, known, &self.values))
    }

    #[cold]
    fn meet(&mut self, text: &[u8], learn: impl FnOnce(&Shape) -> Option<T>) -> Option<()> {
        if self.passed_over > 0 {
            self.passed_over -= 1;
            return None;
        }
        if !may_have_fields(text) {
            return None;
        }
        self.strangers += 1;
        if self.strangers > STRANGERS_MAX {
            (self.strangers, self.passed_over) = (0, PASSED_OVER);
            return None;
        }
        let shape = Shape::of(text).filter(|shape| shape.matches(text, &mut self.values))?;
        let known = learn(&shape)?;
        self.known.truncate(SHAPES_MAX - 1);
        self.known.insert(0, (shape, known));
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_shapes_are_known() {
        let mut shapes = Shapes::default();
        let mut learnt = 0;
        for round in 0..3 {
            for number in 0..SHAPES_MAX {
                let text = format!(r#"{{"a{number}":{round}}}"#);
                let found = shapes.find(text.as_bytes(), |_| {
                    learnt += 1;
                    Some(number)
                });
                assert_eq!(found.map(|(_, known, values)| (*known, values.len())), Some((number, 1)));
            }
        }
        assert_eq!(learnt, SHAPES_MAX);
        assert!(shapes.find(b"text", |_| Some(0)).is_none() && shapes.find(b"{", |_| Some(0)).is_none());
    }

    #[test]
    fn who_writes_each_object_in_another_way_is_not_looked_at_for_long() {
        let mut shapes = Shapes::default();
        let mut learnt = 0;
        for number in 0..10_000 {
            shapes.find(format!(r#"{{"a{number}":1}}"#).as_bytes(), |_| {
                learnt += 1;
                Some(())
            });
        }
        assert!(learnt < 200, "{learnt}");
        for number in 0..10_000 {
            shapes.find(format!(r#"{{"a":{number}}}"#).as_bytes(), |_| Some(()));
        }
        assert!(shapes.find(br#"{"a":1}"#, |_| None).is_some(), "later it is again");
    }
}
