//! Tests of the journal.

mod basics;
mod damage;
mod layout;
mod limits;
mod model;
mod power;
mod support;
