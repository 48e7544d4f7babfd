//! Ack and visibility on a fixed schedule, counted from the time a request should have been sent.

use std::time::Duration;

use tokio::time::Instant;

use super::{Row, Settings, stage::Stage};
use crate::load::{Plan, probe_visible};

/// Between two probes of visibility.
const PROBE_EVERY: Duration = Duration::from_millis(25);

pub(super) async fn run(settings: &Settings) -> anyhow::Result<Vec<Row>> {
    let stage = Stage::new(settings, 1000, "").await?;
    let duration = Duration::from_secs_f64(settings.seconds.min(30.0));
    let plan = Plan { rate: Some(settings.rate), duration: Some(duration), ..Plan::new(stage.server.grpc) };
    let seed = stage.traffic.seed() ^ 0xfeed;
    let until = Instant::now() + duration;
    let probe = probe_visible(stage.server.grpc, &stage.query, seed, PROBE_EVERY, until);
    let (report, (visible, probed)) = tokio::try_join!(stage.load(plan), probe)?;
    eprintln!("  visible after the ack: {visible}, {} probes", visible.count);
    stage.verified(settings, probed).await?;
    let at = format!("{:.0}k spans/s", settings.rate / 1000.0);
    let refused = report.sent - report.acked;
    let what = format!("ack p99 at {at} ({refused} refused)");
    Ok(vec![
        Row::new(what, format!("{:.1} ms (p50 {:.1})", report.latency.p99_ms, report.latency.p50_ms), "20 ms", "8 ms"),
        Row::new(
            format!("visible after the ack, p99, at {at}"),
            format!("{:.1} ms (p50 {:.1})", visible.p99_ms, visible.p50_ms),
            "200 ms",
            "20 ms",
        ),
    ])
}
