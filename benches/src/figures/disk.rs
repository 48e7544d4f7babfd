//! Bytes on disk per span once everything is merged, indexes included.

use std::{fs, io, path::Path};

use anyhow::ensure;

use super::{Row, Settings, stage::Stage};
use crate::load::Plan;

pub(super) async fn run(settings: &Settings) -> anyhow::Result<Vec<Row>> {
    let stage = Stage::new(settings, 1000, "  journal: {file_age_max: 5s}\n  seal: {age_max: 5s}\n").await?;
    let report = stage.load(Plan { spans: Some(settings.spans), ..Plan::new(stage.server.grpc) }).await?;
    ensure!(report.all_acked(), "not everything was acknowledged: {report}");
    stage.sealed().await?;
    let sealed = folder_bytes(&stage.options.data.join("segments"))?;
    stage.merged().await?;
    let merged = folder_bytes(&stage.options.data.join("segments"))?;
    let metrics = stage.query.metrics().await?;
    let counted = metrics.get("weir_segment_bytes").copied().unwrap_or_default();
    let segments = metrics.get("weir_segments").copied().unwrap_or_default();
    stage.verified(settings, 0).await?;
    let per_span = |bytes: u64| bytes as f64 / report.acked as f64;
    Ok(vec![
        Row::new(
            format!("bytes on disk per span after merging ({segments} segments of {} spans)", report.acked),
            format!("{:.1} B", per_span(merged)),
            "45 B",
            "32 B",
        ),
        Row::reported(
            "the same before merging; weir_segment_bytes says",
            format!("{:.1} B; {:.1} B", per_span(sealed), counted / report.acked as f64),
        ),
    ])
}

/// The lengths of all files below a folder.
fn folder_bytes(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        bytes += if entry.file_type()?.is_dir() { folder_bytes(&entry.path())? } else { entry.metadata()?.len() };
    }
    Ok(bytes)
}
