//! Sends the traffic in order, some batches twice, at a rate; waits and tries again when it is told to.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use bytes::Bytes;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use super::{LateBatch, TRACES_PER_BATCH, TrueTraffic};
use crate::client::{Client, Encoder, Encoding, Outcome, Pool, Protocol};

/// Requests under way at most.
const UNDER_WAY_MAX: usize = 8;
/// Between two tries of a refused request, and how many there are.
const AGAIN_AFTER: Duration = Duration::from_millis(100);
const TRIES_MAX: usize = 300;
/// Late traces in one request.
const LATE_STEP: u64 = 1_000;

/// What was sent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sent {
    /// Rows: spans, those that were sent twice counted twice.
    pub rows: u64,
    /// Of them by sending a batch again.
    pub resent_rows: u64,
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// Requests that were refused once or more.
    pub refused: u64,
}

/// Sends everything but late spans, `rate` traces a second. `each` is called after every batch.
pub async fn send(
    traffic: &TrueTraffic,
    address: SocketAddr,
    rate: f64,
    mut each: impl FnMut(),
) -> anyhow::Result<Sent> {
    let mut sender = Sender::connect(address).await?;
    let began = Instant::now();
    let mut sent = Sent::default();
    for batch in 0..traffic.batches() {
        sleep_until(began + Duration::from_secs_f64((batch * TRACES_PER_BATCH) as f64 / rate)).await;
        let mut rows = 0;
        let message = sender.encoder.message(|out| rows = traffic.fill(batch, out));
        sent.rows += rows;
        sender.send(message.clone()).await?;
        if traffic.is_resent(batch) {
            sent.rows += rows;
            sent.resent_rows += rows;
            sender.send(message).await?;
        }
        each();
    }
    sender.finish().await?;
    sent.elapsed = began.elapsed();
    sent.refused = sender.refused;
    Ok(sent)
}

/// Sends late spans; answers how many.
pub(crate) async fn send_late(traffic: &TrueTraffic, address: SocketAddr, late: LateBatch) -> anyhow::Result<u64> {
    let mut sender = Sender::connect(address).await?;
    let mut rows = 0;
    let mut from = late.from;
    while from < late.to {
        let part = LateBatch { from, to: (from + LATE_STEP).min(late.to), ..late };
        let message = sender.encoder.message(|out| rows += traffic.fill_late(part, out));
        sender.send(message).await?;
        from = part.to;
    }
    sender.finish().await?;
    Ok(rows)
}

struct Sender {
    client: Arc<Client>,
    encoder: Encoder,
    under_way: JoinSet<anyhow::Result<bool>>,
    refused: u64,
}

impl Sender {
    async fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        let client = Client::connect(Protocol::Grpc, address, 1).await?;
        let encoder = Encoder::new(Encoding::None, Pool::default());
        Ok(Self { client: Arc::new(client), encoder, under_way: JoinSet::new(), refused: 0 })
    }

    async fn send(&mut self, message: Bytes) -> anyhow::Result<()> {
        while self.under_way.len() >= UNDER_WAY_MAX {
            self.answered().await?;
        }
        let client = Arc::clone(&self.client);
        self.under_way.spawn(async move { deliver(&client, message).await });
        Ok(())
    }

    async fn answered(&mut self) -> anyhow::Result<()> {
        let Some(answer) = self.under_way.join_next().await else { return Ok(()) };
        self.refused += u64::from(answer.context("a task of the sender ended")??);
        Ok(())
    }

    async fn finish(&mut self) -> anyhow::Result<()> {
        while !self.under_way.is_empty() {
            self.answered().await?;
        }
        Ok(())
    }
}

/// Sends until it is acknowledged; answers whether it was refused before. Unclear outcomes are an error: the truth would be unknown.
async fn deliver(client: &Client, message: Bytes) -> anyhow::Result<bool> {
    for tries in 0..TRIES_MAX {
        match client.export(message.clone(), Encoding::None).await {
            Outcome::Acked { rejected: 0 } => return Ok(tries > 0),
            Outcome::Acked { rejected } => bail!("{rejected} spans were rejected"),
            Outcome::Refused(status) if status == "UNAVAILABLE" => sleep(AGAIN_AFTER).await,
            Outcome::Refused(status) => bail!("refused: {status}"),
            Outcome::Lost(reason) => bail!("no answer: {reason}"),
        }
    }
    bail!("refused {TRIES_MAX} times")
}
