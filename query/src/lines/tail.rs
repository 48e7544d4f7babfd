//! Follows lines as they arrive, as LogQL sees them.

use std::sync::Arc;

use parking_lot::Mutex;

use weir_store::LineFeed;

use super::{request, resources::Resources, wanted::Wanted};
use crate::logql::{
    LogqlError,
    ast::LogExpr,
    engine::Selection,
    pipeline::{Record, needles},
};

/// Lines that are taken at once: what one message can hold.
const TAKEN_ROWS_MAX: u64 = if cfg!(test) { 10 } else { 2000 };

/// Lines of a tenant that a query may want, as they arrive.
pub(crate) struct LineTail {
    feed: LineFeed,
    wanted: Wanted,
    request: weir_store::ScanRequest,
    resources: Arc<Mutex<Resources>>,
}

/// What was taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taken {
    /// Whether lines before were missed.
    pub(crate) has_gap: bool,
    /// Whether there is more already.
    pub(crate) has_more: bool,
}

impl LineTail {
    /// The lines that come out of `feed`, as far as this query may want them.
    pub(crate) fn new(feed: LineFeed, log: &LogExpr, detects_levels: bool) -> Result<Self, LogqlError> {
        let selection = Selection {
            matchers: &log.matchers,
            needles: needles(log),
            conditions: Vec::new(),
            beside: Vec::new(),
            start_ns: 0,
            end_ns: u64::MAX,
            needs_text: true,
            labels: None,
            fields: None,
        };
        let resources = Arc::default();
        let wanted = Wanted::of(&selection, detects_levels);
        let request = request(wanted.columns(), &selection, &resources)?;
        Ok(Self { feed, wanted, request, resources })
    }

    /// Completes once something arrived; false when nothing more will.
    pub(crate) async fn rung(&mut self) -> bool {
        self.feed.rung().await
    }

    /// Gives each line that arrived since the last time, in the order of arrival.
    pub(crate) fn take(
        &mut self,
        each: &mut dyn FnMut(&Record<'_>) -> Result<(), LogqlError>,
    ) -> Result<Taken, LogqlError> {
        let arrived = self.feed.arrived(self.request.clone(), TAKEN_ROWS_MAX);
        for part in arrived.scan.parts() {
            self.wanted.each((&arrived.scan.read(part), 0), &self.resources, each)?;
        }
        let has_gap = arrived.has_gap || arrived.scan.is_partial();
        Ok(Taken { has_gap, has_more: arrived.has_more })
    }
}
