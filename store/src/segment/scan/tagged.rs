//! Narrows the rows of a row group by tags: filters and dictionaries first, texts of JSON last, and those of the newest rows before others.

use crate::{
    ask::filter::ScanFilter,
    segment::{
        Segment, SegmentError,
        schema::fixed,
        selection::Selection,
        tags::{TagPlan, TaggedRows},
    },
};

/// Rows of a row group that are looked into first when that means reading JSON.
const NEWEST_ROWS: usize = if cfg!(all(test, debug_assertions)) { 100 } else { 8192 };

/// The tags of a filter, in one row group.
pub(super) struct AskedTags<'f> {
    /// The cheap ones first; of each, where the group may show it.
    plans: Vec<(TagPlan<'f>, Vec<bool>)>,
}

impl<'f> AskedTags<'f> {
    /// `None` when no row of the group can show them all; no value is read for that.
    pub(super) fn of(filter: &'f ScanFilter, rows: &TaggedRows<'_>) -> Result<Option<Self>, SegmentError> {
        let mut plans = Vec::with_capacity(filter.tags.len());
        for tag in &filter.tags {
            let plan = TagPlan::new(rows.segment, tag);
            let Some(hopes) = plan.hopes(rows)? else { return Ok(None) };
            plans.push((plan, hopes));
        }
        plans.sort_by_key(|(plan, _)| plan.cost());
        Ok(Some(Self { plans }))
    }

    /// Leaves the rows that show them all. Where so many of the newest are enough, it may leave out older ones.
    pub(super) fn narrow(
        &self,
        rows: &TaggedRows<'_>,
        enough: Option<usize>,
        selection: &mut Selection,
    ) -> Result<(), SegmentError> {
        let is_costly = self.plans.last().is_some_and(|(plan, _)| plan.reads_json());
        let Some(enough) = enough.filter(|_| is_costly) else { return self.narrow_all(rows, selection) };
        let mut newest = leave_newest(rows, enough, selection)?;
        self.narrow_all(rows, &mut newest)?;
        if newest.iter().nth(enough.saturating_sub(1)).is_some() {
            *selection = newest;
            return Ok(());
        }
        self.narrow_all(rows, selection)?;
        selection.add(&newest);
        Ok(())
    }

    fn narrow_all(&self, rows: &TaggedRows<'_>, selection: &mut Selection) -> Result<(), SegmentError> {
        for (plan, hopes) in &self.plans {
            if selection.is_empty() {
                break;
            }
            plan.narrow(rows, hopes, selection)?;
        }
        Ok(())
    }
}

/// Whether a segment may have rows that show all tags, by what its manifest lists.
pub(super) fn may_show(segment: &Segment, filter: &ScanFilter) -> bool {
    filter.tags.iter().all(|tag| !TagPlan::new(segment, tag).is_hopeless())
}

/// Takes the newest of many rows out: where much fits, texts of a few pages are enough.
fn leave_newest(rows: &TaggedRows<'_>, enough: usize, selection: &mut Selection) -> Result<Selection, SegmentError> {
    let all: Vec<u32> = selection.iter().collect();
    let count = NEWEST_ROWS.max(enough);
    if all.len() < 2 * count {
        return Ok(std::mem::replace(selection, rows.none()));
    }
    let starts = rows.reader.read_rows(rows.group, fixed::START_TIME, &all)?;
    let start_of = |row: u32| starts.position(row).map_or(0, |at| starts.column.word(at));
    let mut order: Vec<u64> = all.iter().map(|&row| start_of(row)).collect();
    let (_, &mut oldest_ns, _) = order.select_nth_unstable_by(count - 1, |a, b| b.cmp(a));
    let mut newest = rows.none();
    all.into_iter().filter(|&row| start_of(row) >= oldest_ns).for_each(|row| newest.insert(row));
    selection.leave_out(&newest);
    Ok(newest)
}
