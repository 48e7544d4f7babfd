//! Reads JSON value by value out of bytes: no tree, nothing recursive, a position in every error.

mod error;
mod events;
mod fields;
mod number;
mod reader;
mod shape;
mod shapes;
mod skip;
mod string;

pub use error::JsonError;
pub use events::{Event, events};
pub use fields::{FieldLimits, FieldValue, NoFields, field, fields, fields_at, may_have_fields};
pub use number::number_len;
pub(crate) use reader::{Items, Members, Reader};
pub use shape::{Shape, ShapeValue, members, unescaped};
pub use shapes::Shapes;
pub use skip::value_len;
pub use string::plain_len;
