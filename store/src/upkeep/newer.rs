//! Looks, before anything in the data folder is changed, whether a newer Weir wrote any of it: then this one does not start.

use std::{io, path::Path};

use weir_proto::{Signal, TenantId};

use crate::{
    journal::find_newer,
    lane::{
        errors::OpenError,
        shared::{journal_path, segments_path, verdicts_path},
    },
    sampling::find_newer_verdicts,
    segment::{SegmentError, SegmentId, check_format},
};

/// Refuses journals and segments of a version that this program does not know. What is damaged is not looked at here.
pub(crate) fn refuse(data: &Path) -> Result<(), OpenError> {
    let of = |path: &Path| {
        let path = path.to_owned();
        move |source| OpenError::Io { path, source }
    };
    let verdicts = verdicts_path(data);
    for signal in Signal::ALL {
        let journal = journal_path(data, signal);
        if let Some(newer) = find_newer(&journal, None).map_err(of(&journal))? {
            return Err(newer.into());
        }
        let segments = segments_path(data, signal);
        refuse_segments(signal, &segments).map_err(of(&segments))??;
    }
    if let Some(newer) = find_newer_verdicts(&verdicts).map_err(of(&verdicts))? {
        return Err(newer.into());
    }
    Ok(())
}

fn refuse_segments(signal: Signal, segments: &Path) -> io::Result<Result<(), OpenError>> {
    for tenant_folder in std::fs::read_dir(segments)? {
        let tenant_folder = tenant_folder?;
        let Ok(tenant) = TenantId::new(&tenant_folder.file_name().to_string_lossy()) else { continue };
        if !tenant_folder.path().is_dir() {
            continue;
        }
        for folder in std::fs::read_dir(tenant_folder.path())? {
            let folder = folder?;
            if SegmentId::parse(signal, tenant.clone(), &folder.file_name().to_string_lossy()).is_err() {
                continue;
            }
            if let Err(SegmentError::TooNew { found, supported }) = check_format(&folder.path()) {
                return Ok(Err(OpenError::TooNew { path: folder.path(), found, supported }));
            }
        }
    }
    Ok(Ok(()))
}
