//! What speaks to the outside: one file or folder per receiver.

pub mod otlp;
