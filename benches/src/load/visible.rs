//! Measures how long after its ack a trace shows up in queries.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::time::{Instant, MissedTickBehavior, interval};
use weir_proto::time::Clock;

use super::{Quantiles, Record};
use crate::{
    client::{Client, Encoder, Encoding, Outcome, Pool, Protocol},
    query::Query,
    shop::{BatchKey, Traffic},
};

/// Spans of a probe's batch.
const SPANS: usize = 8;

/// Sends a small batch every `every` until `until`; polls its traces from the ack on. Counts the delay until the last of them
/// is there whole. Spans sent and acknowledged are returned too.
pub async fn probe_visible(
    address: SocketAddr,
    query: &Query,
    seed: u64,
    every: Duration,
    until: Instant,
) -> anyhow::Result<(Quantiles, u64)> {
    let traffic = Traffic::new(seed, SPANS, 16);
    let record = Arc::new(Record::new(0));
    let client = Client::connect(Protocol::Grpc, address, 1).await?;
    let mut encoder = Encoder::new(Encoding::None, Pool::default());
    let clock = Clock::system();
    let mut delays_us = Quantiles::histogram();
    let mut acked = 0;
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for number in 0u64.. {
        ticks.tick().await;
        if Instant::now() >= until {
            break;
        }
        let batch = BatchKey { number, base_ns: clock.now_ns() };
        record.sent(batch)?;
        let message = encoder.message(|out| traffic.fill(batch, out));
        let outcome = client.export(message, Encoding::None).await;
        if outcome != (Outcome::Acked { rejected: 0 }) {
            continue;
        }
        let answered = Instant::now();
        acked += SPANS as u64;
        let spans = traffic.spans(number);
        for trace in traffic.traces(number) {
            let expected = spans.iter().filter(|(of, _)| *of == trace).count();
            while query.span_count(trace).await? < expected {
                anyhow::ensure!(
                    answered.elapsed() < Duration::from_secs(10),
                    "trace {trace} is not visible 10 s after its ack"
                );
            }
        }
        delays_us.saturating_record(answered.elapsed().as_micros() as u64);
    }
    Ok((Quantiles::of(&delays_us), acked))
}
