//! Keeps the house in order: who imports whom, how large files are, which words are used.

mod layers;
mod metrics;
mod sizes;
mod source;
mod typescript;
mod words;
