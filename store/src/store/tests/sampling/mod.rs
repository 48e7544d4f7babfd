//! Tail sampling through the whole store, with a judge whose verdicts follow from the numbers of the spans.

mod deciding;
mod faults;
mod files;
mod hammer;
mod late;
mod learning;
mod lives;
mod power;
mod reload;
pub(super) mod script;
mod store;

use std::{collections::BTreeMap, sync::Arc};

use self::{
    script::Script,
    store::{Sampled, Standings, dropped, kept, pending},
};
use super::{super::Shared, check::Numbers, spans, temp_folder};
use crate::snapshot::view::View;

/// Several standings in one.
trait ConcatAll {
    fn concat_all(self) -> Standings;
}

impl<const N: usize> ConcatAll for [Standings; N] {
    fn concat_all(self) -> Standings {
        self.into_iter().flatten().collect()
    }
}
