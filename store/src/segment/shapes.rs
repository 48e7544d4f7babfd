//! Remembers the attributes of the latest row of each shape: the next one mostly has the same keys, and often the same values.

/// Shapes remembered at once; spans of one name have one shape.
const SHAPES: usize = 1024;
/// Attributes remembered of a row.
const SHAPE_LEN_MAX: usize = 64;
/// Longest encoded attribute that is remembered with its value.
const ENCODED_BYTES_MAX: usize = 55;

/// The latest attributes by shape and position.
#[derive(Debug)]
pub(super) struct Shapes(Vec<Vec<Attribute>>);

/// An attribute as it came, and what became of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attribute {
    /// Its column's number.
    pub(super) column: u32,
    /// The column's code or number for the value.
    pub(super) value: u64,
    encoded: [u8; ENCODED_BYTES_MAX],
    /// 0 when the value is not remembered.
    encoded_bytes: u8,
}

impl Shapes {
    /// Nothing remembered.
    pub(super) fn new() -> Self {
        Self(vec![Vec::new(); SHAPES])
    }

    /// Forgets them.
    pub(super) fn clear(&mut self) {
        self.0.iter_mut().for_each(Vec::clear);
    }

    /// The attribute that the latest row of this shape had at a position.
    #[inline]
    pub(super) fn get(&self, shape: u32, index: usize) -> Option<&Attribute> {
        self.0[shape as usize % SHAPES].get(index)
    }

    /// Remembers what this row's attribute became.
    #[inline]
    pub(super) fn set(&mut self, shape: u32, index: usize, encoded: &[u8], column: u32, value: u64) {
        let attributes = &mut self.0[shape as usize % SHAPES];
        if index >= attributes.len() {
            if index > attributes.len() || index >= SHAPE_LEN_MAX {
                return;
            }
            attributes.push(Attribute { column, value, encoded: [0; ENCODED_BYTES_MAX], encoded_bytes: 0 });
        }
        let attribute = &mut attributes[index];
        attribute.column = column;
        attribute.value = value;
        attribute.encoded_bytes = 0;
        if let Some(copy) = attribute.encoded.get_mut(..encoded.len()) {
            copy.copy_from_slice(encoded);
            attribute.encoded_bytes = encoded.len() as u8;
        }
    }
}

impl Attribute {
    /// Whether the attribute is the same again, key and value.
    #[inline]
    pub(super) fn is(&self, encoded: &[u8]) -> bool {
        // An empty KeyValue is never remembered as such: it has 0 bytes too.
        !encoded.is_empty() && self.encoded[..usize::from(self.encoded_bytes)] == *encoded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_attribute_of_the_same_shape_is_known() {
        let mut shapes = Shapes::new();
        shapes.set(3, 0, b"key: one", 5, 17);
        let last = shapes.get(3, 0).expect("remembered");
        assert_eq!((last.column, last.value), (5, 17));
        assert!(last.is(b"key: one") && !last.is(b"key: two") && !last.is(b"key: on") && !last.is(b""));
        assert!(shapes.get(4, 0).is_none() && shapes.get(3, 1).is_none());
        shapes.clear();
        assert!(shapes.get(3, 0).is_none());
    }

    #[test]
    fn a_long_attribute_is_remembered_without_its_value() {
        let mut shapes = Shapes::new();
        let long = [b'a'; ENCODED_BYTES_MAX + 1];
        shapes.set(0, 0, &long[1..], 1, 2);
        assert!(shapes.get(0, 0).expect("remembered").is(&long[1..]));
        shapes.set(0, 0, &long, 7, 2);
        let last = shapes.get(0, 0).expect("remembered");
        assert!(last.column == 7 && !last.is(&long) && !last.is(&long[1..]) && !last.is(b""));
        shapes.set(0, SHAPE_LEN_MAX, b"far", 1, 1);
        assert!(shapes.get(0, SHAPE_LEN_MAX).is_none());
    }
}
