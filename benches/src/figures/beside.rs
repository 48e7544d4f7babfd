//! Ingest and queries at the same time: what questions without pause cost the rate, and what fifty at once cost the acks.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{Row, Settings, stage::Stage};
use crate::{load::Plan, query::Query};

/// Clients that ask without pause.
const CLIENTS: usize = 4;
/// Questions in flight beside a steady load.
const AT_ONCE: usize = 50;
/// Spans that are sealed before anything is measured, so that there is something to ask.
const SEALED_SPANS: u64 = 2_000_000;
/// Longest measured stretch.
const SECONDS_MAX: f64 = 20.0;

const QUESTIONS: [&str; 4] = [
    "SELECT service, p99(duration_ns) AS p99, count(*) AS spans FROM spans GROUP BY service",
    "SELECT trace_id, name, start_time FROM spans WHERE service = 'checkout' AND status_code = 'ERROR' ORDER BY start_time DESC LIMIT 20",
    "SELECT name, avg(duration_ns) AS mean FROM spans WHERE service = 'cart' GROUP BY name ORDER BY mean DESC",
    "SELECT trace_id FROM spans WHERE attributes['no.such.attribute'] = 'x' LIMIT 5",
];

pub(super) async fn run(settings: &Settings) -> anyhow::Result<Vec<Row>> {
    let stage = Stage::new(settings, 1000, "").await?;
    stage.load(Plan { spans: Some(SEALED_SPANS), ..Plan::new(stage.server.grpc) }).await?;
    stage.sealed().await?;
    stage.merged().await?;
    let duration = Some(Duration::from_secs_f64(settings.seconds.min(SECONDS_MAX)));

    let flat_out = || Plan { duration, ..Plan::new(stage.server.grpc) };
    let alone = stage.load(flat_out()).await?;
    stage.sealed().await?;
    stage.merged().await?;
    let (beside, asked) = load_beside(&stage, flat_out(), CLIENTS).await?;
    stage.sealed().await?;
    stage.merged().await?;

    let steady = || Plan { duration, rate: Some(settings.rate), ..Plan::new(stage.server.grpc) };
    let quiet = stage.load(steady()).await?;
    stage.sealed().await?;
    stage.merged().await?;
    let (crowded, answered) = load_beside(&stage, steady(), AT_ONCE).await?;
    stage.sealed().await?;
    stage.verified(settings, 0).await?;

    let share = beside.spans_per_s() / alone.spans_per_s();
    let (quiet_ms, crowded_ms) = (quiet.latency.p99_ms, crowded.latency.p99_ms);
    Ok(vec![
        Row::new(
            format!("ingest while {CLIENTS} clients query without pause, of its rate alone"),
            format!("{:.0} % ({:.0} of {:.0} spans/s)", share * 100.0, beside.spans_per_s(), alone.spans_per_s()),
            "70 %",
            "85 %",
        ),
        Row::reported("answers meanwhile, busy ones included", asked.to_string()),
        Row::new(
            format!("ack p99 at {:.0}k spans/s beside {AT_ONCE} queries at once", settings.rate / 1000.0),
            format!("{crowded_ms:.1} ms, {:.2} times that alone ({quiet_ms:.1} ms)", crowded_ms / quiet_ms),
            "2 times",
            "",
        ),
        Row::reported(
            "refused meanwhile; answers, busy ones included",
            format!("{}; {answered}", crowded.sent - crowded.acked),
        ),
    ])
}

/// Runs a plan while so many clients ask; answers how often they were answered.
async fn load_beside(stage: &Stage, plan: Plan, clients: usize) -> anyhow::Result<(crate::load::LoadReport, Answers)> {
    let until = Instant::now() + plan.duration.unwrap_or_default();
    let asking: Vec<_> = (0..clients).map(|client| tokio::spawn(ask(stage.server.query, client, until))).collect();
    let report = stage.load(plan).await?;
    let mut all = Answers::default();
    for client in asking {
        let answers = client.await?;
        all.whole += answers.whole;
        all.busy += answers.busy;
    }
    Ok((report, all))
}

#[derive(Debug, Clone, Copy, Default)]
struct Answers {
    whole: u64,
    busy: u64,
}

impl std::fmt::Display for Answers {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} whole, {} busy", self.whole, self.busy)
    }
}

async fn ask(address: std::net::SocketAddr, client: usize, until: Instant) -> Answers {
    let query = Arc::new(Query::new(address));
    let mut answers = Answers::default();
    for question in QUESTIONS.iter().cycle().skip(client) {
        if Instant::now() >= until {
            break;
        }
        match query.sql(question).await {
            Ok(_) => answers.whole += 1,
            // Queries wait for a turn, up to a limit.
            Err(_) => answers.busy += 1,
        }
    }
    answers
}
