//! What one query reads: an immutable view over heads and segments of all signals, behind one pointer.

pub(crate) mod asked;
pub(crate) mod kind;
pub(crate) mod repeats;
pub(crate) mod select;
pub(crate) mod series_view;
pub(crate) mod statistics;
pub(crate) mod stored;
pub(crate) mod stored_series;
pub(crate) mod unread;
pub(crate) mod view;
