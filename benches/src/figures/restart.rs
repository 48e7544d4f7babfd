//! Ready after `kill -9` with much journal that is not sealed.

use super::{Row, Settings, stage::Stage};
use crate::{load::Plan, query::Query, server::Server, verify::verify};

pub(super) async fn run(settings: &Settings) -> anyhow::Result<Vec<Row>> {
    let storage = "  journal: {file_age_max: 1h, unsealed_size_max: 64GiB}\n  seal: {size_max: 1TiB, age_max: 1h}\n";
    let mut stage = Stage::new(settings, 1000, storage).await?;
    let target = settings.journal_gib * f64::from(1 << 30);
    let mut bytes = 0.0;
    while bytes < target {
        // A span's bytes on the wire are its bytes in the journal, but for the frames' headers.
        let spans = ((target - bytes) / 418.0) as u64 + 1000;
        bytes += stage.load(Plan { spans: Some(spans), ..Plan::new(stage.server.grpc) }).await?.bytes as f64;
    }
    stage.server.kill().await?;
    stage.server = Server::start(&stage.options).await?;
    let query = std::sync::Arc::new(Query::new(stage.server.query));
    let found = verify(&query, &stage.traffic, &stage.record, Some(settings.verify_traces), 0).await?;
    eprintln!("  {found}");
    anyhow::ensure!(found.good(), "the server does not have what it acknowledged");
    let (must, goal) = if settings.journal_gib > 5.0 { ("20 s", "15 s") } else { ("3 s", "1.5 s") };
    let what = format!("ready after kill -9 with {:.1} GiB of journal", bytes / f64::from(1 << 30));
    Ok(vec![Row::new(what, format!("{:.2} s", stage.server.ready_after.as_secs_f64()), must, goal)])
}
