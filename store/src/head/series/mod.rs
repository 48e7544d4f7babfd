//! The head's series: label sets, what finds them, and the samples of journal files that are not sealed yet.
//!
//! [`Registry`] knows the series, [`SeriesFile`] what a journal file brought, [`Series`] keeps its own samples,
//! a chunk a file, whose bytes lie in the file's [`Blocks`].

mod blocks;
mod chunks;
mod data;
mod families;
mod file;
mod index;
mod marks;
mod reading;
mod registry;
#[allow(clippy::module_inception)] // The thing itself.
mod series;

pub(crate) use blocks::Blocks;
pub(crate) use data::{Arrival, Recovered, Taken};
pub(crate) use file::{Arrived, SeriesFile, TenantFile};
pub(crate) use index::SeriesIndex;
pub(crate) use reading::HeadCut;
pub use registry::SeriesRefused;
pub(crate) use registry::{Registry, SeriesLimits, TenantSeries};
pub use series::SeriesRef;
pub(crate) use series::{Offer, Series};
