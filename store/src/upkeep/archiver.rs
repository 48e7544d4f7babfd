//! Brings segments to the archive: the oldest first, then their tables' logs, then what is too old goes.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
    time::Duration,
};

use prometheus::{
    IntCounter, IntCounterVec, IntGaugeVec, register_int_counter, register_int_counter_vec, register_int_gauge_vec,
};
use weir_proto::{Signal, TenantId, time::SECOND_NS};

use super::{
    archive_retention::{believed_now_ns, newest_ns},
    merger,
};
use crate::{
    archive::{Archive, ArchiveError, Keys, REST_S, Work, delta::DataFile, rest_s},
    catalog::{ArchivedSegment, Stage},
    lane::shared::Shared,
    segment::{Segment, SegmentError, series::SeriesSegment},
    snapshot::{kind::SegmentKind, stored::StoredSegment},
};

/// How often it looks when nobody rings.
const TICK: Duration = Duration::from_millis(500);

/// The last commit takes no longer.
const END_MAX: Duration = Duration::from_secs(if cfg!(test) { 120 } else { 10 });

/// So many uploads of a signal may fail in one step: then it is the turn of what else there is to do.
const FAILED_UPLOADS_MAX: usize = 3;

/// Beyond this share of `size_max` the oldest segments go out whatever their size and age.
const PRESSURE: f64 = 0.8;

static ARCHIVED: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let text = "Items in segments that were uploaded to the archive, by signal.";
    register_int_counter_vec!("weir_archive_uploaded_items_total", text, &["signal"]).expect("registered once")
});
static COMMITTED: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let text = "Items that were committed to the archive's tables, by signal.";
    register_int_counter_vec!("weir_archive_committed_items_total", text, &["signal"]).expect("registered once")
});
static FAILURES: LazyLock<IntCounter> = LazyLock::new(|| {
    register_int_counter!("weir_archive_failures_total", "Attempts to archive, commit or delete that failed.")
        .expect("registered once")
});
static LAG: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    let text = "Seconds that the oldest item that is not in its table yet is overdue, by signal; 0 when none is.";
    register_int_gauge_vec!("weir_archive_lag_seconds", text, &["signal"]).expect("registered once")
});
static CLOCK_AHEAD: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    let text =
        "Seconds that the clock is ahead of what deleting goes by, by signal: it was set wrong, or nothing arrives.";
    register_int_gauge_vec!("weir_archive_clock_ahead_seconds", text, &["signal"]).expect("registered once")
});
static SEGMENTS: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    let text = "Segments in the archive, by signal and stage (uploaded, committed, removed, changed).";
    register_int_gauge_vec!("weir_archive_segments", text, &["signal", "stage"]).expect("registered once")
});

/// What has failed, and until when nothing is tried.
#[derive(Debug, Default)]
struct Patience {
    failures: u32,
    until_ns: u64,
}

/// Runs until the store stops; then commits what was uploaded, and lets go of the prefix.
pub(crate) fn run(shared: &Arc<Shared>) {
    let Some(archive) = shared.archive.clone() else { return };
    let mut patience = Patience::default();
    archive.keep_claim();
    while !shared.is_stopping() {
        let now_ns = archive.now_ns();
        measure(shared, &archive);
        if now_ns < patience.until_ns && patience.until_ns - now_ns <= REST_S.1 * SECOND_NS {
            shared.pause(TICK);
            continue;
        }
        let claimed = ensure_claim(shared, &archive);
        // Whatever is wrong with it keeps everything back.
        let is_of_claim = claimed.is_err();
        match claimed.and_then(|()| step(shared, &archive)) {
            Ok(true) => patience = Patience::default(),
            Ok(false) => shared.wait(TICK),
            // Whatever it was, two writers would take from each other.
            Err(error @ (ArchiveError::InUse(_) | ArchiveError::Another)) => {
                shared.fail(error.to_string());
                return;
            }
            Err(error) if (is_of_claim || error.is_of_all()) && !error.is_stop() => patience.failed(now_ns, &error),
            // Said already: it rests by itself.
            Err(_) => shared.pause(TICK),
        }
    }
    if shared.failure.borrow().is_none() {
        end(shared, &archive);
    }
}

/// The last commit, within a bound: a bucket that does not answer must not keep the process from ending.
fn end(shared: &Arc<Shared>, archive: &Arc<Archive>) {
    let (sender, ended) = std::sync::mpsc::channel();
    let (of_thread, archive) = (shared.clone(), archive.clone());
    let ending = move || {
        let last_commit = || {
            let mut turn = Turn { is_last: true, ..Turn::default() };
            let published = publish_all(&of_thread, &archive, &mut turn).and_then(|()| turn.end());
            let released = archive.release();
            published.and(released)
        };
        // What somebody else has taken meanwhile is neither changed nor let go.
        drop(sender.send(ensure_claim(&of_thread, &archive).and_then(|()| last_commit())));
    };
    let begun = std::thread::Builder::new().name("weir-archive-end".into()).spawn(ending);
    let outcome = match begun {
        Ok(_) => ended.recv_timeout(END_MAX).map_err(|_| "the bucket does not answer".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    match outcome {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!(%error, "not all that was uploaded is in the archive's tables: the next start goes on")
        }
        Err(error) => {
            tracing::warn!(error, "not all that was uploaded is in the archive's tables: the next start goes on")
        }
    }
}

/// Nothing is written unless this process has the prefix.
fn ensure_claim(shared: &Shared, archive: &Archive) -> Result<(), ArchiveError> {
    shared.runtime.block_on(archive.ensure_claim(&shared.catalog))
}

impl Patience {
    fn failed(&mut self, now_ns: u64, error: &ArchiveError) {
        FAILURES.inc();
        self.failures += 1;
        let wait_s = rest_s(self.failures);
        self.until_ns = now_ns + wait_s * SECOND_NS;
        tracing::error!(%error, wait_s, "cannot archive; trying again later. Nothing is lost, and nothing here is deleted");
    }
}

/// What a step came to so far.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    is_done: bool,
    /// What fails by itself keeps nothing else back; the first such is told.
    failed: Option<ArchiveError>,
    /// Nothing rests: there is no later.
    is_last: bool,
}

impl Turn {
    /// Takes in how a piece of work went. What failed and is not everybody's failure rests for a while.
    pub(crate) fn take<T>(
        &mut self,
        archive: &Archive,
        work: &Work,
        outcome: Result<T, ArchiveError>,
    ) -> Result<Option<T>, ArchiveError> {
        match outcome {
            Ok(done) => {
                archive.resting.succeeded(work);
                Ok(Some(done))
            }
            Err(error) if error.is_of_all() => Err(error),
            Err(error) => {
                FAILURES.inc();
                let rest_s = archive.resting.failed(work, &error, archive.now_ns());
                tracing::error!(%work, %error, rest_s, "cannot be archived, committed or deleted; trying again later");
                self.failed.get_or_insert(error);
                Ok(None)
            }
        }
    }

    /// Something was done.
    pub(crate) fn done(&mut self) {
        self.is_done = true;
    }

    /// Whether something was.
    pub(crate) fn is_done(&self) -> bool {
        self.is_done
    }

    fn rests(&self, archive: &Archive, work: &Work) -> bool {
        !self.is_last && archive.is_resting(work)
    }

    fn end(self) -> Result<(), ArchiveError> {
        self.failed.map_or(Ok(()), Err)
    }
}

/// Does some of what there is to do; false when there is nothing. What fails by itself keeps nothing else back, and is told when nothing
/// else was done.
pub(crate) fn step(shared: &Arc<Shared>, archive: &Arc<Archive>) -> Result<bool, ArchiveError> {
    ensure_claim(shared, archive)?;
    let mut turn = Turn::default();
    super::archive_absent::open_next(shared, archive, &mut turn)?;
    // Before more is uploaded, what is overdue becomes visible to the table's readers.
    if is_commit_due(shared, archive) {
        publish_all(shared, archive, &mut turn)?;
    }
    for signal in Signal::ALL {
        if turn.is_done {
            break;
        }
        match signal {
            Signal::Metrics => upload_next::<SeriesSegment>(shared, archive, signal, &mut turn)?,
            _ => upload_next::<Segment>(shared, archive, signal, &mut turn)?,
        }
    }
    if !turn.is_done {
        super::archive_again::put_next(shared, archive, &mut turn)?;
    }
    if !turn.is_done {
        super::archive_index::mend_next(shared, archive, &mut turn)?;
    }
    if !turn.is_done {
        super::archive_tables::look_after_next(archive, &mut turn)?;
    }
    if !turn.is_done {
        super::archive_retention::remove_expired(shared, archive, &mut turn)?;
    }
    if !turn.is_done {
        super::archive_retention::delete_objects(shared, archive, &mut turn)?;
    }
    if !turn.is_done {
        super::archive_pins::keep_pinned(shared, archive, &mut turn)?;
    }
    if !turn.is_done {
        super::archive_merger::merge_next(shared, archive, &mut turn)?;
    }
    if !turn.is_done && !archive.is_resting(&Work::Sweep) {
        let swept = archive.sweep();
        turn.take(archive, &Work::Sweep, swept)?;
    }
    match turn.is_done {
        true => Ok(true),
        false => turn.end().map(|()| false),
    }
}

/// Brings the oldest segment of a signal that has to go out there.
fn upload_next<S: SegmentKind>(
    shared: &Arc<Shared>,
    archive: &Arc<Archive>,
    signal: Signal,
    turn: &mut Turn,
) -> Result<(), ArchiveError> {
    for _ in 0..FAILED_UPLOADS_MAX {
        let Some(stored) = next_due::<S>(shared, archive, signal) else { break };
        let uploaded = upload(shared, archive, &stored);
        if turn.take(archive, &Work::Segment(stored.segment_id().clone()), uploaded)?.is_some() {
            turn.done();
            break;
        }
    }
    Ok(())
}

/// The oldest segment of a signal that has to go out, and did not fail lately.
pub(crate) fn next_due<S: SegmentKind>(
    shared: &Shared,
    archive: &Archive,
    signal: Signal,
) -> Option<Arc<StoredSegment<S>>> {
    let view = shared.views.current();
    let now_ns = archive.now_ns();
    let by_tenant = S::of_view(&view, signal);
    let mut tenants: Vec<&TenantId> = by_tenant.keys().collect();
    tenants.sort_unstable();
    for tenant in tenants {
        let is_waiting = |segment: &&Arc<StoredSegment<S>>| {
            // What cannot be read, and not be saved either, keeps nobody back.
            let is_hopeless = segment.has_damage() && !segment.is_damaged();
            let is_here = !segment.is_elsewhere() && segment.items() > 0 && !is_hopeless;
            let id = segment.segment_id();
            is_here && archive.known(id).is_none() && !archive.is_resting(&Work::Segment(id.clone()))
        };
        let waiting: Vec<&Arc<StoredSegment<S>>> = by_tenant[tenant].iter().filter(is_waiting).collect();
        let is_due = |segment: &&Arc<StoredSegment<S>>| is_due(shared, archive, &**segment.segment(), now_ns);
        let Some(last) = waiting.iter().rposition(is_due) else { continue };
        // Neighbours that are old and small become one first.
        if signal != Signal::Metrics && !is_pressed(shared) && merger::next_of_old(shared, signal, tenant).is_some() {
            continue;
        }
        // In their order: a table's transactions count by it. One that is damaged is saved first.
        let first = waiting[..=last].first().filter(|segment| !segment.is_damaged());
        if let Some(first) = first {
            return Some(Arc::clone(first));
        }
    }
    None
}

/// Whether a segment is large or old enough to go out, or the disk has to be made free.
fn is_due<S: SegmentKind>(shared: &Shared, archive: &Archive, segment: &S, now_ns: u64) -> bool {
    let age_ns = now_ns.saturating_sub(segment.aged_from_ns());
    segment.disk_bytes() >= archive.options.segment_bytes_min
        || Duration::from_nanos(age_ns) >= archive.options.segment_age_max
        || is_pressed(shared)
}

/// Whether segments on local disk come near to what they may take.
fn is_pressed(shared: &Shared) -> bool {
    let Some(bytes_max) = shared.options.size_bytes_max else { return false };
    let bytes: u64 = shared.views.current().retained().iter().map(|segment| segment.size_bytes()).sum();
    bytes as f64 > bytes_max as f64 * PRESSURE
}

fn upload<S: SegmentKind>(
    shared: &Arc<Shared>,
    archive: &Arc<Archive>,
    stored: &Arc<StoredSegment<S>>,
) -> Result<(), ArchiveError> {
    {
        // From here on no merge that has not ended yet may take it.
        let _changing = shared.segments_change.lock();
        stored.set_unmergeable();
    }
    let uploaded = match archive.upload(S::outgoing(stored.segment()), &|| shared.is_stopping()) {
        Ok(uploaded) => uploaded,
        Err(error) => {
            if let ArchiveError::Segment(damage @ SegmentError::Damaged { .. }) = &error {
                stored.report(damage);
            }
            return Err(error);
        }
    };
    let _changing = shared.segments_change.lock();
    if shared.runtime.block_on(shared.catalog.add_archived(&uploaded))? {
        tracing::info!(id = %uploaded.id, tenant = %uploaded.id.tenant, bytes = uploaded.bytes, "a segment is in the archive");
        ARCHIVED.with_label_values(&[uploaded.id.signal.name()]).inc_by(uploaded.rows);
        archive.note(&uploaded.id.clone(), Some(uploaded));
    }
    archive.step("noted")
}

/// Whether something that was uploaded has waited long enough for its commit.
fn is_commit_due(shared: &Shared, archive: &Archive) -> bool {
    let now_ns = archive.now_ns();
    let waits = |segment: &ArchivedSegment| {
        // A clock that was set back says nothing.
        let age_ns = now_ns.checked_sub(segment.since_ns);
        // And what is not in its table cannot leave the disk.
        let has_waited = age_ns.is_none_or(|age_ns| Duration::from_nanos(age_ns) >= archive.options.commit_interval);
        let may_be = || {
            let table = Work::Table(segment.id.signal, segment.id.tenant.clone());
            !archive.is_resting(&table) && !archive.is_resting(&Work::Segment(segment.id.clone()))
        };
        segment.stage == Stage::Uploaded && (has_waited || is_pressed(shared)) && may_be()
    };
    archive.all_known().iter().any(waits)
}

/// Commits everything that was uploaded.
pub(crate) fn publish_all(shared: &Arc<Shared>, archive: &Arc<Archive>, turn: &mut Turn) -> Result<(), ArchiveError> {
    let mut waiting: BTreeMap<(Signal, TenantId), Vec<ArchivedSegment>> = BTreeMap::new();
    for segment in archive.all_known() {
        if segment.stage == Stage::Uploaded {
            waiting.entry((segment.id.signal, segment.id.tenant.clone())).or_default().push(segment);
        }
    }
    for ((signal, tenant), segments) in waiting {
        let table = Work::Table(signal, tenant.clone());
        if turn.rests(archive, &table) {
            continue;
        }
        let mut files: Vec<(ArchivedSegment, DataFile)> = Vec::with_capacity(segments.len());
        for archived in segments {
            let work = Work::Segment(archived.id.clone());
            if turn.rests(archive, &work) {
                continue;
            }
            let merged_from = archive.merged_from(&archived.id);
            if !merged_from.is_empty() {
                let published = super::archive_merger::publish_merged(shared, archive, &archived, &merged_from);
                if turn.take(archive, &work, published)?.is_some() {
                    turn.done();
                }
                continue;
            }
            let file = archive.file_of(&archived);
            files.extend(turn.take(archive, &work, file)?.map(|file| (archived, file)));
        }
        if files.is_empty() {
            continue;
        }
        let published = publish(shared, archive, (signal, &tenant), files);
        if turn.take(archive, &table, published)?.is_some() {
            turn.done();
        }
    }
    Ok(())
}

/// Commits files to a table, and says so in the catalog.
fn publish(
    shared: &Arc<Shared>,
    archive: &Arc<Archive>,
    (signal, tenant): (Signal, &TenantId),
    segments: Vec<(ArchivedSegment, DataFile)>,
) -> Result<(), ArchiveError> {
    archive.publish(signal, tenant, &segments)?;
    archive.step("committed")?;
    let ids: Vec<_> = segments.iter().map(|(archived, _)| archived.id.clone()).collect();
    let now_ns = archive.now_ns();
    shared.runtime.block_on(shared.catalog.set_stage(&ids, Stage::Committed, now_ns))?;
    let mut rows = 0;
    for (archived, _) in segments {
        rows += archived.rows;
        let id = archived.id.clone();
        archive.note(&id, Some(ArchivedSegment { stage: Stage::Committed, since_ns: now_ns, ..archived }));
    }
    tracing::info!(%signal, %tenant, segments = ids.len(), rows, "committed to the archive's table");
    COMMITTED.with_label_values(&[signal.name()]).inc_by(rows);
    Ok(())
}

/// Says how far behind it is.
fn measure(shared: &Shared, archive: &Archive) {
    archive.resting.forget(archive.now_ns());
    let known = archive.all_known();
    for signal in Signal::ALL {
        LAG.with_label_values(&[signal.name()]).set(lag_s(shared, archive, signal) as i64);
        report_clock(shared, archive, signal);
        for stage in Stage::ALL {
            let count = known.iter().filter(|segment| segment.id.signal == signal && segment.stage == stage).count();
            SEGMENTS.with_label_values(&[signal.name(), stage.name()]).set(count as i64);
        }
    }
}

/// Says when the clock is not what deleting goes by.
fn report_clock(shared: &Shared, archive: &Archive, signal: Signal) {
    let Some(newest_ns) = newest_ns(&shared.views.current(), archive, signal) else { return };
    let believed_ns = believed_now_ns(&shared.views.current(), archive, signal);
    let ahead_s = (archive.now_ns().saturating_sub(believed_ns) / SECOND_NS) as i64;
    let gauge = CLOCK_AHEAD.with_label_values(&[signal.name()]);
    if ahead_s > 0 && gauge.get() == 0 {
        tracing::warn!(
            %signal, ahead_s, newest_ns,
            "the clock is more than a day ahead of everything that arrived: it was set wrong, or nothing arrives; nothing is deleted for it"
        );
    }
    gauge.set(ahead_s);
}

/// Seconds that a signal's oldest item which its table does not have is overdue.
pub(crate) fn lag_s(shared: &Shared, archive: &Archive, signal: Signal) -> u64 {
    let retained = shared.views.current().retained();
    let waiting = retained
        .iter()
        .filter(|segment| {
            let (id, items) = segment.listed();
            id.signal == signal && items > 0 && !archive.is_safe(&id)
        })
        .map(|segment| segment.counts_from_ns())
        .min();
    let due = archive.options.segment_age_max.saturating_add(archive.options.commit_interval);
    let due_ns = u64::try_from(due.as_nanos()).unwrap_or(u64::MAX);
    let overdue_ns = waiting.map_or(0, |since| archive.now_ns().saturating_sub(since).saturating_sub(due_ns));
    overdue_ns / SECOND_NS
}

/// The keys of a segment's objects, the manifest first: a start that finds none knows nothing of the others.
pub(crate) fn keys_of(archived: &ArchivedSegment) -> [String; 4] {
    let keys = Keys::of(&archived.id, &archived.name);
    [keys.manifest, keys.index, keys.chunks, keys.rows]
}
