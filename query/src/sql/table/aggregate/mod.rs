//! Groups of the table's rows, found by the codes of the pages' dictionaries instead of hashing texts row by row.

mod exec;
mod groups;
mod rule;

pub(super) use rule::GroupByCodes;
