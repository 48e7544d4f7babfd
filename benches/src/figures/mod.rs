//! One scenario for each figure of docs/performance.md: starts the release binary, loads it, measures, says must and goal.

mod cpu;
mod disk;
mod latency;
mod memory;
mod restart;
mod stage;
mod standard;
mod sustained;
mod table;

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
    /// Ready after `kill -9` with much journal.
    Restart,
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
        Scenario::Restart => restart::run(settings).await,
    }
}
