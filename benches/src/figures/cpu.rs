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
    let cpu_s = per_million(settings, variant).await?;
    let (must, goal) = if matches!(variant, Variant::Plain) { ("2.2 s", "1.25 s") } else { ("", "") };
    let what = format!("server CPU per million spans, {}, to sealed segments", variant.describe());
    Ok(vec![Row::new(what, format!("{:.2} s", cpu_s.sealed), must, goal), {
        let what = format!("the same with merging, {}", variant.describe());
        Row::reported(what, format!("{:.2} s", cpu_s.merged))
    }])
}

/// CPU seconds per million spans.
pub(super) struct Cost {
    pub(super) sealed: f64,
    pub(super) merged: f64,
}

pub(super) async fn per_million(settings: &Settings, variant: Variant) -> anyhow::Result<Cost> {
    let batch = if matches!(variant, Variant::Small) { 50 } else { 1000 };
    // Everything is sealed soon after the last span, so that the wait is short; files roll by size as they do by default.
    let stage = Stage::new(settings, batch, "  journal: {file_age_max: 5s}\n  seal: {age_max: 5s}\n").await?;
    let mut plan = Plan { spans: Some(settings.spans), ..Plan::new(stage.server.grpc) };
    match variant {
        Variant::Plain | Variant::Small => {}
        Variant::Http => (plan.protocol, plan.address) = (Protocol::Http, stage.server.http),
        Variant::Gzip => plan.encoding = Encoding::Gzip,
        Variant::Zstd => plan.encoding = Encoding::Zstd,
    }
    let before_s = stage.cpu_s();
    let report = stage.load(plan).await?;
    ensure!(report.all_acked(), "not everything was acknowledged: {report}");
    stage.sealed().await?;
    let sealed_s = stage.cpu_s() - before_s;
    stage.merged().await?;
    let merged_s = stage.cpu_s() - before_s;
    stage.verified(settings, 0).await?;
    let millions = report.acked as f64 / 1e6;
    Ok(Cost { sealed: sealed_s / millions, merged: merged_s / millions })
}
