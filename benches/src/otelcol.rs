//! Runs an OpenTelemetry Collector with its tail sampler, and reads what its own metrics say of it.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    net::{SocketAddr, TcpListener},
    path::Path,
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, bail};
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep},
};

use crate::query::Query;

/// Longest wait until it listens.
const READY_MAX: Duration = Duration::from_secs(60);

/// Of its tail sampler's metrics.
const METRICS: &str = "otelcol_processor_tail_sampling_";

/// A running Collector. Killed when dropped.
#[derive(Debug)]
pub struct Otelcol {
    child: Child,
    /// Where OTLP/gRPC is spoken.
    pub grpc: SocketAddr,
    metrics: Query,
}

/// Traces that its tail sampler decided, of all and by policy: those it wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decisions {
    /// By any policy.
    pub kept: u64,
    /// By none.
    pub dropped: u64,
    /// Forgotten before they were decided.
    pub too_early: u64,
    /// By policy.
    pub wanted: BTreeMap<String, u64>,
}

impl Otelcol {
    /// Starts it on one core with a `tail_sampling` block (lines indented by four) and waits until it listens.
    pub async fn start(binary: &Path, folder: &Path, tail_sampling: &str, core: usize) -> anyhow::Result<Self> {
        let (grpc, telemetry) = (free_port()?, free_port()?);
        let config = folder.join("otelcol.yaml");
        fs::write(&config, configuration(grpc, telemetry, tail_sampling))?;
        let log = File::create(folder.join("otelcol.log"))?;
        let mut child = Command::new("taskset")
            .arg("-c")
            .arg(core.to_string())
            .arg(binary)
            .arg("--config")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {} by taskset", binary.display()))?;
        let started = Instant::now();
        while tokio::net::TcpStream::connect(grpc).await.is_err() {
            if started.elapsed() > READY_MAX || child.try_wait()?.is_some() {
                let log = fs::read_to_string(folder.join("otelcol.log")).unwrap_or_default();
                bail!("{} did not get ready:\n{log}", binary.display());
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(Self { child, grpc, metrics: Query::new(telemetry) })
    }

    /// Its process id.
    pub fn pid(&self) -> anyhow::Result<u32> {
        self.child.id().context("the Collector ended")
    }

    /// What it has decided so far.
    pub async fn decisions(&self) -> anyhow::Result<Decisions> {
        Ok(read(&self.metrics.text("/metrics").await?.1))
    }
}

/// Free at this moment: the Collector does not say which port it was given.
fn free_port() -> std::io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}

fn configuration(grpc: SocketAddr, telemetry: SocketAddr, tail_sampling: &str) -> String {
    format!(
        "receivers:
  otlp: {{protocols: {{grpc: {{endpoint: '{grpc}', max_recv_msg_size_mib: 16}}}}}}
processors:
  tail_sampling:
{tail_sampling}
exporters:
  nop: {{}}
service:
  telemetry:
    logs: {{level: warn}}
    metrics: {{level: normal, readers: [{{pull: {{exporter: {{prometheus: {{host: {}, port: {}}}}}}}}}]}}
  pipelines:
    traces: {{receivers: [otlp], processors: [tail_sampling], exporters: [nop]}}
",
        telemetry.ip(),
        telemetry.port()
    )
}

/// Reads Prometheus text. Names may have units and `_total` behind them, according to the Collector's version.
fn read(text: &str) -> Decisions {
    let mut decisions = Decisions::default();
    for line in text.lines() {
        let Some((series, value)) = line.strip_prefix(METRICS).and_then(|line| line.rsplit_once(' ')) else { continue };
        let value = value.parse::<f64>().unwrap_or_default() as u64;
        let sampled = series.contains("sampled=\"true\"");
        if series.starts_with("global_count_traces_sampled") {
            *(if sampled { &mut decisions.kept } else { &mut decisions.dropped }) += value;
        } else if series.starts_with("count_traces_sampled") {
            let policy = series.split("policy=\"").nth(1).and_then(|rest| rest.split('"').next());
            let wanted = decisions.wanted.entry(policy.unwrap_or_default().to_owned()).or_default();
            *wanted += if sampled { value } else { 0 };
        } else if series.starts_with("sampling_trace_dropped_too_early") {
            decisions.too_early += value;
        }
    }
    decisions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_read_whatever_their_names_end_in() {
        let text = "# HELP otelcol_processor_tail_sampling_count_traces_sampled_total Count
otelcol_processor_tail_sampling_count_traces_sampled_total{decision=\"not_sampled\",policy=\"errors\",sampled=\"false\"} 90
otelcol_processor_tail_sampling_count_traces_sampled_total{decision=\"sampled\",policy=\"errors\",sampled=\"true\"} 10
otelcol_processor_tail_sampling_global_count_traces_sampled__traces__total{decision=\"sampled\",sampled=\"true\"} 12
otelcol_processor_tail_sampling_global_count_traces_sampled__traces__total{decision=\"not_sampled\",sampled=\"false\"} 88
otelcol_process_uptime 3
otelcol_processor_tail_sampling_sampling_trace_dropped_too_early_total 1
";
        let wanted = BTreeMap::from([("errors".to_owned(), 10)]);
        assert_eq!(read(text), Decisions { kept: 12, dropped: 88, too_early: 1, wanted });
    }
}
