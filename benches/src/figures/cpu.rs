//! CPU time of the server per million spans, from the first byte until everything is sealed.

use anyhow::ensure;

use super::{Row, Settings, stage::Stage};
use crate::{
    client::{Encoding, Protocol},
    load::Plan,
};

/// How the spans arrive.
#[derive(Debug, Clone, Copy)]
pub(super) enum Variant {
    Plain,
    Http,
    Gzip,
    Zstd,
    Small,
}

impl Variant {
    fn describe(self) -> &'static str {
        match self {
            Self::Plain => "OTLP/gRPC, batches of 1,000",
            Self::Http => "OTLP/HTTP, batches of 1,000",
            Self::Gzip => "OTLP/gRPC gzip, batches of 1,000",
            Self::Zstd => "OTLP/gRPC zstd, batches of 1,000",
            Self::Small => "OTLP/gRPC, batches of 50",
        }
    }
}

pub(super) async fn run(settings: &Settings, variant: Variant) -> anyhow::Result<Vec<Row>> {
    let cost = per_million(settings, variant).await?;
    let (must, goal) = if matches!(variant, Variant::Plain) { ("2.2 s", "1.25 s") } else { ("", "") };
    let at = settings.cpu_rate.map_or("flat out".to_owned(), |rate| format!("at {:.0}k spans/s", rate / 1e3));
    let what = format!("server CPU per million spans, {}, {at}, to sealed segments", variant.describe());
    let of_it =
        format!("{:.2} s, {:.2} s, {:.2} s", cost.sealed - cost.journal - cost.sealing, cost.journal, cost.sealing);
    Ok(vec![
        Row::new(what, format!("{:.2} s", cost.sealed), must, goal),
        Row::reported("of it receiving, journal, sealing", of_it),
        Row::reported("merging the segments afterwards", format!("{:.2} s", cost.merging)),
    ])
}

/// CPU seconds per million spans.
pub(super) struct Cost {
    /// From the first byte until everything is in sealed segments.
    pub(super) sealed: f64,
    /// Of it the journal's thread.
    journal: f64,
    /// Of it the sealer's thread.
    sealing: f64,
    /// Beside it, the merger's thread until nothing is left to merge.
    merging: f64,
}

const THREADS: [&str; 3] = ["weir-journal", "weir-sealer", "weir-merger"];

pub(super) async fn per_million(settings: &Settings, variant: Variant) -> anyhow::Result<Cost> {
    let batch = if matches!(variant, Variant::Small) { 50 } else { 1000 };
    // Everything is sealed soon after the last span, so that the wait is short; files roll by size as they do by default.
    let stage = Stage::new(settings, batch, "  journal: {file_age_max: 5s}\n  seal: {age_max: 5s}\n").await?;
    let mut plan = Plan { spans: Some(settings.spans), rate: settings.cpu_rate, ..Plan::new(stage.server.grpc) };
    match variant {
        Variant::Plain | Variant::Small => {}
        Variant::Http => (plan.protocol, plan.address) = (Protocol::Http, stage.server.http),
        Variant::Gzip => plan.encoding = Encoding::Gzip,
        Variant::Zstd => plan.encoding = Encoding::Zstd,
    }
    if matches!(variant, Variant::Plain) {
        stage.warm_up(settings).await?;
    }
    let before = stage.cpu(THREADS);
    let report = stage.load(plan).await?;
    ensure!(report.all_acked(), "not everything was acknowledged: {report}");
    stage.sealed().await?;
    let after = stage.cpu(THREADS).per_million(before, report.acked);
    stage.merged().await?;
    let [_, _, merging] = stage.cpu(THREADS).per_million(before, report.acked).threads_s;
    stage.verified(settings, 0).await?;
    let [journal, sealing, merged_meanwhile] = after.threads_s;
    Ok(Cost { sealed: after.total_s - merged_meanwhile, journal, sealing, merging })
}
