//! Asks a server's own API: traces by id, ledger, metrics, readiness.

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use anyhow::{Context, bail};
use http::StatusCode;
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use serde_json::Value;
use tokio::time::{Instant, sleep};
use weir_proto::TraceId;

use crate::client::Http1;

/// A client of port 4320.
#[derive(Debug)]
pub struct Query(Http1);

/// One tenant's traces in `/api/v1/ledger`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Acknowledged spans.
    pub accepted: u64,
    /// Kept.
    pub kept: u64,
    /// Waiting for their verdict.
    pub pending: u64,
    /// Dropped by any policy.
    pub dropped: u64,
    /// Lost to damage.
    pub damaged: u64,
}

impl Tally {
    /// Whether accepted = kept + pending + dropped + damaged.
    pub fn balances(&self) -> bool {
        self.accepted == self.kept + self.pending + self.dropped + self.damaged
    }
}

/// How many spans of an answer are in which state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct States {
    /// Waiting for their verdict.
    pub pending: u64,
    /// Kept.
    pub kept: u64,
}

impl States {
    fn of(body: &Value) -> Self {
        let mut states = Self::default();
        let resources = body["resourceSpans"].as_array().into_iter().flatten();
        let scopes = resources.flat_map(|of| of["scopeSpans"].as_array().into_iter().flatten());
        for span in scopes.flat_map(|of| of["spans"].as_array().into_iter().flatten()) {
            match span["state"].as_str() {
                Some("pending") => states.pending += 1,
                Some("kept") => states.kept += 1,
                _ => {}
            }
        }
        states
    }
}

impl Query {
    /// Connects when it is first used.
    pub fn new(address: SocketAddr) -> Self {
        Self(Http1::new(address))
    }

    /// GET any path: status and JSON body (null when it is not JSON).
    pub async fn json(&self, path: &str) -> anyhow::Result<(StatusCode, Value)> {
        let (status, body) = self.0.get(path).await?;
        Ok((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
    }

    /// GET any path: status and text.
    pub async fn text(&self, path: &str) -> anyhow::Result<(StatusCode, String)> {
        let (status, body) = self.0.get(path).await?;
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }

    /// A trace as OTLP; empty when it is unknown, or cannot be read.
    pub async fn trace(&self, id: TraceId) -> anyhow::Result<Vec<ResourceSpans>> {
        let (status, mut body) = self.json(&format!("/api/v1/trace/{id}")).await?;
        match status {
            StatusCode::NOT_FOUND => Ok(Vec::new()),
            _ if is_damaged(&body) => Ok(Vec::new()),
            StatusCode::OK => serde_json::from_value(body["resourceSpans"].take())
                .with_context(|| format!("trace {id} is not OTLP JSON")),
            other => bail!("trace {id}: {other}: {body}"),
        }
    }

    /// A trace as OTLP, and how many of its spans are pending and how many kept; empty when it is unknown, or cannot be read.
    pub async fn trace_and_states(&self, id: TraceId) -> anyhow::Result<(Vec<ResourceSpans>, States)> {
        let (status, mut body) = self.json(&format!("/api/v1/trace/{id}?raw=true")).await?;
        match status {
            StatusCode::NOT_FOUND => Ok((Vec::new(), States::default())),
            _ if is_damaged(&body) => Ok((Vec::new(), States::default())),
            StatusCode::OK => {
                let states = States::of(&body);
                let spans = serde_json::from_value(body["resourceSpans"].take());
                Ok((spans.with_context(|| format!("trace {id} is not OTLP JSON"))?, states))
            }
            other => bail!("trace {id}: {other}: {body}"),
        }
    }

    /// Asks SQL; the JSON answer.
    pub async fn sql(&self, sql: &str) -> anyhow::Result<Value> {
        let (status, body) = self.0.post("/api/v1/sql", sql.as_bytes().to_vec()).await?;
        if status != StatusCode::OK {
            bail!("{sql}: {status}: {}", String::from_utf8_lossy(&body));
        }
        Ok(serde_json::from_slice(&body)?)
    }

    /// How many spans of a trace there are.
    pub async fn span_count(&self, id: TraceId) -> anyhow::Result<usize> {
        let resources = self.trace(id).await?;
        Ok(resources.iter().flat_map(|of| &of.scope_spans).map(|of| of.spans.len()).sum())
    }

    /// The tenant `default`'s traces in the ledger; zeros when it has none yet.
    pub async fn ledger(&self) -> anyhow::Result<Tally> {
        let (status, body) = self.json("/api/v1/ledger").await?;
        if status != StatusCode::OK {
            bail!("ledger: {status}: {body}");
        }
        let tally = &body["traces"]["default"];
        let count = |name: &str| tally[name].as_u64().unwrap_or_default();
        let dropped = tally["dropped"].as_object().into_iter().flatten();
        Ok(Tally {
            accepted: count("accepted"),
            kept: count("kept"),
            pending: count("pending"),
            dropped: dropped.filter_map(|(_, spans)| spans.as_u64()).sum(),
            damaged: count("damaged"),
        })
    }

    /// Metrics without labels, and sums over labels, by name.
    pub async fn metrics(&self) -> anyhow::Result<HashMap<String, f64>> {
        let (_, text) = self.text("/metrics").await?;
        let mut metrics = HashMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((series, value)) = line.rsplit_once(' ') else { continue };
            let name = series.split('{').next().unwrap_or(series);
            *metrics.entry(name.to_string()).or_default() += value.parse::<f64>().unwrap_or_default();
        }
        Ok(metrics)
    }

    /// Polls the metrics until `done` holds; an error after `limit`.
    pub async fn until(
        &self,
        what: &str,
        limit: Duration,
        done: impl Fn(&HashMap<String, f64>) -> bool,
    ) -> anyhow::Result<()> {
        let started = Instant::now();
        while !done(&self.metrics().await?) {
            if started.elapsed() > limit {
                bail!("{what}: not after {limit:?}");
            }
            sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Whether `/readyz` says so.
    pub async fn ready(&self) -> bool {
        self.0.get("/readyz").await.is_ok_and(|(status, _)| status == StatusCode::OK)
    }
}
/// Whether an answer says that all there is of a trace is damaged.
fn is_damaged(body: &Value) -> bool {
    body["error"]["message"].as_str().is_some_and(|message| message.starts_with("damaged: "))
}
