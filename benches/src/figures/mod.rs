//! One scenario for each figure of docs/performance.md: starts the release binary, loads it, measures, says must and goal.

mod beside;
mod cpu;
mod disk;
mod json;
mod latency;
mod memory;
mod page;
mod peer;
mod queries;
mod restart;
mod sampler;
mod stage;
mod standard;
mod sustained;
mod table;
mod tail;
mod truth;

pub use stage::Settings;
pub use table::Row;

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Scenario {
    /// CPU per million spans: OTLP/gRPC, batches of 1,000, all kept, receive to sealed segments.
    Cpu,
    /// The same by OTLP/HTTP.
    CpuHttp,
    /// The same, gzip.
    CpuGzip,
    /// The same, zstd.
    CpuZstd,
    /// The same in batches of 50.
    CpuSmall,
    /// The standard way with the same traffic, and what Weir takes beside it.
    Standard,
    /// Flat out beside the load generator.
    Sustained,
    /// Ack and visibility at half of the sustained rate.
    Latency,
    /// Bytes on disk per span after merging.
    Disk,
    /// Memory per span in the head.
    Memory,
    /// Questions over 10/6 as many sealed spans, and 5/6 as many in the head; the same ones to DuckDB and plain DataFusion.
    Queries,
    /// What the pages of the web UI ask, over 10/6 as many spans; windows of a trace of a million.
    Page,
    /// Ingest beside queries: its rate, its acks.
    Beside,
    /// Ready after `kill -9` with much journal.
    Restart,
    /// Spans of JSON transcoded.
    Json,
    /// CPU per million spans with tail sampling, about 5 % kept.
    Tail,
    /// The same, about 20 % kept.
    TailTwenty,
    /// The same, nothing kept.
    TailNone,
    /// 100,000 traces a second through tail sampling.
    TailSustained,
    /// Memory per pending span.
    TailMemory,
    /// Memory with 12 million pending spans.
    TailPending,
    /// Ready after `kill -9` with 50,000 open traces.
    TailRestart,
    /// Segments after very many small seals.
    TailSegments,
    /// Traffic whose truth is known: recall, shares, estimated counts.
    TailTruth,
    /// The OpenTelemetry Collector's tail sampler and Weir's on the same traffic: verdicts, CPU, memory. Needs --collector.
    TailPeer,
    /// The sampler alone: CPU and memory per span.
    Sampler,
}

/// Runs one scenario.
pub async fn run(scenario: Scenario, settings: &Settings) -> anyhow::Result<Vec<Row>> {
    match scenario {
        Scenario::Cpu => cpu::run(settings, cpu::Variant::Plain).await,
        Scenario::CpuHttp => cpu::run(settings, cpu::Variant::Http).await,
        Scenario::CpuGzip => cpu::run(settings, cpu::Variant::Gzip).await,
        Scenario::CpuZstd => cpu::run(settings, cpu::Variant::Zstd).await,
        Scenario::CpuSmall => cpu::run(settings, cpu::Variant::Small).await,
        Scenario::Standard => standard::run(settings).await,
        Scenario::Sustained => sustained::run(settings).await,
        Scenario::Latency => latency::run(settings).await,
        Scenario::Disk => disk::run(settings).await,
        Scenario::Memory => memory::run(settings).await,
        Scenario::Queries => queries::run(settings).await,
        Scenario::Page => page::run(settings).await,
        Scenario::Beside => beside::run(settings).await,
        Scenario::Restart => restart::run(settings).await,
        Scenario::Json => json::run(settings),
        Scenario::Tail => tail::cpu(settings, tail::Kept::Five).await,
        Scenario::TailTwenty => tail::cpu(settings, tail::Kept::Twenty).await,
        Scenario::TailNone => tail::cpu(settings, tail::Kept::None).await,
        Scenario::TailSustained => tail::sustained(settings).await,
        Scenario::TailMemory => tail::memory(settings).await,
        Scenario::TailPending => tail::pending(settings).await,
        Scenario::TailRestart => tail::restart(settings).await,
        Scenario::TailSegments => tail::segments(settings).await,
        Scenario::TailTruth => truth::run(settings).await,
        Scenario::TailPeer => peer::run(settings).await,
        Scenario::Sampler => sampler::run(settings).await,
    }
}
