//! Tests of this room; they follow.
