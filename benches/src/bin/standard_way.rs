//! Measures the standard way: receives OTLP/gRPC with tonic and prost, builds arrow columns, writes Parquet with zstd-1.
//! Prints where it listens; on SIGTERM writes what it holds, then prints spans, CPU time and bytes as JSON.

use std::{fs::File, net::SocketAddr, path::PathBuf, sync::mpsc, thread};

use anyhow::anyhow;
use clap::Parser;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    file::properties::WriterProperties,
};
use tokio::signal::unix::{SignalKind, signal};
use weir_benches::{
    process,
    standard::{Columns, serve},
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The standard way, to compare Weir with.
#[derive(Debug, Parser)]
struct Cli {
    /// Where to receive OTLP/gRPC.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The Parquet file to write.
    #[arg(long)]
    out: PathBuf,
}

/// Rows handed to the writer at once.
const BATCH_ROWS: usize = 64 * 1024;
/// Rows of a file's row group.
const GROUP_ROWS: usize = 1 << 20;
/// Requests that may wait for the writer.
const QUEUE: usize = 8;

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let (sender, receiver) = mpsc::sync_channel(QUEUE);
    let file = File::create(&cli.out)?;
    let writer = thread::spawn(move || write(file, &receiver));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let before_s = runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(cli.listen).await?;
        let mut stop = signal(SignalKind::terminate())?;
        println!("listening {}", listener.local_addr()?);
        let before_s = process::own_cpu_s();
        tokio::select! {
            served = serve(listener, sender) => served?,
            _ = stop.recv() => {}
        }
        anyhow::Ok(before_s)
    })?;
    // Ends the connections, and with them the queue.
    drop(runtime);
    let spans = writer.join().map_err(|_| anyhow!("the writer panicked"))??;
    let cpu_s = process::own_cpu_s() - before_s;
    let bytes = cli.out.metadata()?.len();
    println!("{}", serde_json::json!({ "spans": spans, "cpu_s": cpu_s, "bytes": bytes }));
    Ok(())
}

fn write(file: File, requests: &mpsc::Receiver<ExportTraceServiceRequest>) -> anyhow::Result<u64> {
    let mut columns = Columns::default();
    let schema = columns.finish()?.schema();
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .build();
    let mut writer = ArrowWriter::try_new(file, schema, Some(properties))?;
    let mut spans = 0;
    for request in requests {
        columns.add(&request)?;
        if columns.len() >= BATCH_ROWS {
            spans += columns.len() as u64;
            writer.write(&columns.finish()?)?;
        }
    }
    spans += columns.len() as u64;
    writer.write(&columns.finish()?)?;
    writer.into_inner()?.sync_all()?;
    Ok(spans)
}
