//! Takes back what others rearranged in a table (`OPTIMIZE`): its files are ours again, and theirs go, in one commit that changes no row.
//!
//! Weir reads the files that it wrote, with what lies beside them; of those that others make of them it knows nothing. Their rows are the
//! same: which of the two a table names is all one to its readers.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, LazyLock},
};

use prometheus::{IntCounter, register_int_counter};
use weir_proto::{Signal, TenantId};

use super::{
    ArchiveError,
    archive::Archive,
    bucket::{Bucket, BucketError},
    delta::{Change, Rearranged, Table},
    layout::Keys,
};
use crate::{catalog::Stage, segment::SegmentId};

/// So often a table that nothing comes into is looked at, ns: long before what others took out of it may be deleted.
const EVERY_NS: u64 = 3600 * weir_proto::time::SECOND_NS;

static TAKEN_BACK: LazyLock<IntCounter> = LazyLock::new(|| {
    let text = "Files that others had put into files of theirs, and that are in the archive's tables again.";
    register_int_counter!("weir_archive_taken_back_total", text).expect("registered once")
});

/// When which table was looked at, Unix ns; and what of it cannot be taken back, by the first of its files.
#[derive(Debug, Default)]
pub(super) struct Looked {
    at_ns: BTreeMap<(Signal, TenantId), u64>,
    stuck: BTreeSet<(Signal, TenantId, String)>,
}

impl Archive {
    /// A table with something of ours that was not looked at lately.
    pub(crate) fn next_to_look_at(&self) -> Option<(Signal, TenantId)> {
        let now_ns = self.now_ns();
        let looked = self.looked.lock();
        let is_due = |table: &(Signal, TenantId)| {
            looked.at_ns.get(table).is_none_or(|at_ns| now_ns.abs_diff(*at_ns) >= EVERY_NS)
        };
        let known = self.all_known().into_iter().filter(|known| known.stage == Stage::Committed);
        let mut tables = known.map(|known| (known.id.signal, known.id.tenant));
        tables.find(is_due)
    }

    /// Looks at a table, and takes back what others rearranged.
    pub(crate) fn look_at(self: &Arc<Self>, signal: Signal, tenant: &TenantId) -> Result<usize, ArchiveError> {
        if let Some(lost) = self.taken() {
            return Err(lost);
        }
        // What could not be taken back is tried once more.
        self.looked.lock().stuck.retain(|(of, whose, _)| *of != signal || whose != tenant);
        let (archive, of) = (self.clone(), tenant.clone());
        let looked = self.wait_or_stop(async move {
            let mut table = archive.open_table(signal, of.clone()).await?;
            archive.take_back(&mut table, signal, &of).await
        })?;
        if looked.as_ref().is_err_and(|error| !error.is_of_all()) {
            // What is wrong with a table that nothing comes into is told once an hour.
            self.looked.lock().at_ns.insert((signal, tenant.clone()), self.now_ns());
        }
        looked
    }

    /// Takes back what others rearranged in a table that was opened just now; how many files. Those whose objects are gone stay in the
    /// others' files.
    pub(super) async fn take_back(
        &self,
        table: &mut Table,
        signal: Signal,
        tenant: &TenantId,
    ) -> Result<usize, ArchiveError> {
        self.looked.lock().at_ns.insert((signal, tenant.clone()), self.now_ns());
        let mut count = 0;
        for Rearranged { before, after } in table.rearranged().to_vec() {
            let ours = self.ids_of(signal, tenant, before.keys());
            let stuck = (signal, tenant.clone(), before.keys().next().cloned().unwrap_or_default());
            if ours.is_empty() || self.looked.lock().stuck.contains(&stuck) {
                continue;
            }
            let mut gone = Vec::new();
            for (path, file) in &before {
                if !is_there(&self.reading(), &format!("{}/{path}", table.folder()), file.bytes).await? {
                    gone.push(path.as_str());
                }
            }
            if !gone.is_empty() {
                tracing::error!(
                    %signal, %tenant, gone = gone.join(" "),
                    "others put files of the archive into files of theirs and deleted objects of ours: their rows are in the table, and missing here"
                );
                self.looked.lock().stuck.insert(stuck);
                continue;
            }
            let files = before.len();
            let removed = after.into_iter().filter(|path| table.files().contains_key(path)).collect();
            let added = before.into_values().collect();
            let change = Change { added, removed, data_change: false, operation: "RESTORE", ..Change::default() };
            table.commit(&change).await?;
            self.step("taken back")?;
            tracing::warn!(
                %signal, %tenant, files,
                "others put files of the archive's table into files of theirs (OPTIMIZE): the table names ours again"
            );
            self.taken_out.lock().retain(|id| !ours.contains(id));
            TAKEN_BACK.inc_by(files as u64);
            count += files;
        }
        Ok(count)
    }

    /// The known segments whose rows some files of a table are.
    fn ids_of<'a>(
        &self,
        signal: Signal,
        tenant: &TenantId,
        paths: impl Iterator<Item = &'a String>,
    ) -> BTreeSet<SegmentId> {
        let paths: BTreeSet<&String> = paths.collect();
        let known = self.all_known().into_iter().filter(|known| {
            known.id.signal == signal
                && known.id.tenant == *tenant
                && known.stage != Stage::Removed
                && paths.contains(&Keys::of(&known.id, &known.name).path)
        });
        known.map(|known| known.id).collect()
    }
}

async fn is_there(bucket: &Bucket, key: &str, bytes: u64) -> Result<bool, ArchiveError> {
    match bucket.head(key).await {
        Ok(head) => Ok(head.bytes == bytes),
        Err(BucketError::NotFound { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
