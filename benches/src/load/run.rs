//! Runs a plan: who sends when, and what came of it.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use hdrhistogram::Histogram;
use parking_lot::Mutex;
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, sleep_until},
};
use weir_proto::time::Clock;

use super::{LoadReport, Quantiles, Record};
use crate::{
    client::{Client, Encoder, Encoding, Outcome, Pool, Protocol},
    process,
    shop::{BatchKey, Traffic},
};

/// What to send, where and how fast.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The receiver.
    pub address: SocketAddr,
    /// gRPC or HTTP.
    pub protocol: Protocol,
    /// Compression.
    pub encoding: Encoding,
    /// gRPC connections.
    pub connections: usize,
    /// Requests in flight, when flat out.
    pub concurrency: usize,
    /// Spans a second on a fixed schedule; `None` for flat out.
    pub rate: Option<f64>,
    /// Requests in flight at most on a schedule: beyond, the generator falls behind and says so by its latencies.
    pub in_flight_max: usize,
    /// When to stop.
    pub duration: Option<Duration>,
    /// When to stop, in spans (rounded up to whole batches).
    pub spans: Option<u64>,
    /// Stop at the first request without an answer: the server was killed.
    pub stop_when_lost: bool,
}

impl Plan {
    /// Flat out by gRPC, 8 at a time, until stopped by one of the limits.
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            protocol: Protocol::Grpc,
            encoding: Encoding::None,
            connections: 2,
            concurrency: 8,
            rate: None,
            in_flight_max: 1024,
            duration: None,
            spans: None,
            stop_when_lost: false,
        }
    }
}

/// A load in progress: the sending tasks share it.
#[derive(Debug)]
pub struct Load {
    plan: Plan,
    traffic: Arc<Traffic>,
    record: Arc<Record>,
    client: Client,
    pool: Pool,
    clock: Clock,
    started: Instant,
    next_batch: AtomicU64,
    batches_max: u64,
    stopped: AtomicBool,
    counts: Mutex<Counts>,
}

#[derive(Debug)]
struct Counts {
    requests: u64,
    bytes: u64,
    acked: u64,
    rejected: u64,
    failed: BTreeMap<String, u64>,
    latency_us: Histogram<u64>,
}

impl Load {
    /// Connects and sends as planned, numbering batches from `first_batch`; returns when every request is answered or lost.
    pub async fn run(
        plan: Plan,
        traffic: Arc<Traffic>,
        record: Arc<Record>,
        first_batch: u64,
    ) -> anyhow::Result<LoadReport> {
        let client = Client::connect(plan.protocol, plan.address, plan.connections).await?;
        let spans_per_batch = traffic.spans_per_batch() as u64;
        let batches_max = plan.spans.map_or(u64::MAX, |spans| first_batch + spans.div_ceil(spans_per_batch));
        let cpu_before_s = process::own_cpu_s();
        let load = Arc::new(Self {
            plan,
            traffic,
            record,
            client,
            pool: Pool::default(),
            clock: Clock::system(),
            started: Instant::now(),
            next_batch: AtomicU64::new(first_batch),
            batches_max,
            stopped: AtomicBool::new(false),
            counts: Mutex::new(Counts {
                requests: 0,
                bytes: 0,
                acked: 0,
                rejected: 0,
                failed: BTreeMap::new(),
                latency_us: Quantiles::histogram(),
            }),
        });
        match load.plan.rate {
            Some(rate) => load.on_schedule(rate).await?,
            None => load.flat_out().await?,
        }
        let counts = load.counts.lock();
        Ok(LoadReport {
            sent: counts.requests * spans_per_batch,
            acked: counts.acked,
            rejected: counts.rejected,
            failed: counts.failed.clone(),
            requests: counts.requests,
            bytes: counts.bytes,
            elapsed: load.started.elapsed(),
            latency: Quantiles::of(&counts.latency_us),
            cpu_s: process::own_cpu_s() - cpu_before_s,
        })
    }

    async fn flat_out(self: &Arc<Self>) -> anyhow::Result<()> {
        let mut workers = JoinSet::new();
        for _ in 0..self.plan.concurrency.max(1) {
            let load = Arc::clone(self);
            workers.spawn(async move {
                let mut encoder = Encoder::new(load.plan.encoding, load.pool.clone());
                while let Some((number, message)) = load.next(&mut encoder)? {
                    let sent = Instant::now();
                    load.send(number, message, sent).await?;
                }
                anyhow::Ok(())
            });
        }
        join(workers).await
    }

    async fn on_schedule(self: &Arc<Self>, spans_per_s: f64) -> anyhow::Result<()> {
        let interval_s = self.traffic.spans_per_batch() as f64 / spans_per_s;
        let room = Arc::new(Semaphore::new(self.plan.in_flight_max));
        let mut encoder = Encoder::new(self.plan.encoding, self.pool.clone());
        let mut requests = JoinSet::new();
        for tick in 0u64.. {
            let intended = self.started + Duration::from_secs_f64(interval_s * tick as f64);
            sleep_until(intended).await;
            let permit = Arc::clone(&room).acquire_owned().await?;
            let Some((number, message)) = self.next(&mut encoder)? else { break };
            let load = Arc::clone(self);
            requests.spawn(async move {
                let sent = load.send(number, message, intended).await;
                drop(permit);
                sent
            });
            while let Some(done) = requests.try_join_next() {
                done??;
            }
        }
        join(requests).await
    }

    /// The next batch, recorded as sent; `None` when it is time to stop.
    fn next(&self, encoder: &mut Encoder) -> std::io::Result<Option<(u64, Bytes)>> {
        let over = self.plan.duration.is_some_and(|duration| self.started.elapsed() >= duration);
        if over || self.stopped.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let number = self.next_batch.fetch_add(1, Ordering::Relaxed);
        if number >= self.batches_max {
            return Ok(None);
        }
        let batch = BatchKey { number, base_ns: self.clock.now_ns() };
        let message = encoder.message(|out| self.traffic.fill(batch, out));
        self.record.sent(batch)?;
        Ok(Some((number, message)))
    }

    async fn send(&self, number: u64, message: Bytes, since: Instant) -> std::io::Result<()> {
        let len = message.len() as u64;
        let outcome = self.client.export(message, self.plan.encoding).await;
        let latency = since.elapsed();
        if let Outcome::Acked { rejected } = outcome {
            self.record.acked(number, rejected)?;
        }
        let spans = self.traffic.spans_per_batch() as u64;
        let mut counts = self.counts.lock();
        counts.requests += 1;
        counts.bytes += len;
        match outcome {
            Outcome::Acked { rejected } => {
                counts.acked += spans - rejected;
                counts.rejected += rejected;
                counts.latency_us.saturating_record(latency.as_micros() as u64);
            }
            Outcome::Refused(status) => {
                *counts.failed.entry(status).or_default() += spans;
                counts.latency_us.saturating_record(latency.as_micros() as u64);
            }
            Outcome::Lost(reason) => {
                *counts.failed.entry(format!("lost: {reason}")).or_default() += spans;
                if self.plan.stop_when_lost {
                    self.stopped.store(true, Ordering::Relaxed);
                }
            }
        }
        Ok(())
    }
}

async fn join<E>(mut tasks: JoinSet<Result<(), E>>) -> anyhow::Result<()>
where
    E: 'static,
    anyhow::Error: From<E>,
{
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(())
}
