//! Prometheus scrapes targets and sends what it has to Weir: both are asked the same questions, and must answer the same.

use std::{path::Path, time::Duration};

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use weir_proto::time::Clock;

use super::peers::{Peer, Running, escaped, scrape_configs};

/// Asked at one moment, and over a range that ends there.
const QUESTIONS: &[&str] = &[
    "up",
    "scrape_samples_scraped",
    "node_load1",
    "sum by (mode) (rate(node_cpu_seconds_total[20s]))",
    "avg without (cpu) (irate(node_cpu_seconds_total[20s]))",
    "topk(3, node_memory_MemFree_bytes)",
    "bottomk(2, node_load5)",
    "count by (__name__) ({job=\"node\"})",
    "quantile(0.9, node_load15)",
    "stddev by (instance) (node_cpu_seconds_total)",
    "max_over_time(node_load1[15s])",
    "min_over_time(node_load1[15s])",
    "avg_over_time(node_memory_Active_bytes[20s])",
    "quantile_over_time(0.5, node_load1[20s])",
    "increase(node_network_receive_bytes_total{device=\"eth0\"}[20s])",
    "delta(node_memory_Cached_bytes[20s])",
    "deriv(node_memory_Cached_bytes[20s])",
    "predict_linear(node_filesystem_free_bytes{mountpoint=\"/\"}[20s], 3600)",
    "changes(node_load1[20s])",
    "resets(node_load1[20s])",
    "node_filesystem_free_bytes / node_filesystem_size_bytes",
    "node_load1 > bool 3",
    "node_load1 and on (instance) node_load5 > 2",
    "node_load1 unless node_load1 > 4",
    "node_network_up * on (instance) group_left () count by (instance) (node_load1)",
    "label_replace(node_load1, \"host\", \"$1\", \"instance\", \"(.*):.*\")",
    "sort_desc(sum by (device) (node_disk_read_bytes_total))",
    "absent(nothing_is_called_so)",
    "max_over_time(rate(node_network_transmit_bytes_total{device=\"lo\"}[10s])[20s:5s])",
    "{__name__=~\"node_memory_.*\", instance!~\"node-000[1-9]:9100\"} @ end() offset 5s",
    "count_values(\"value\", node_network_up)",
    "histogram_quantile(0.9, sum by (le) (label_replace(node_load1, \"le\", \"5\", \"\", \"\")))",
];

/// In both versions of remote write.
pub async fn compare(
    (weir, prometheus): (&Path, &Path),
    folder: &Path,
    (port, targets): (u16, u64),
    seconds: u64,
) -> anyhow::Result<()> {
    for message in ["prometheus.WriteRequest", "io.prometheus.write.v2.Request"] {
        let folder = folder.join(message);
        let receiving = Peer::Weir.start(weir, &folder, &Value::Null).await?;
        let url = format!("http://{}/prometheus/api/v1/write", receiving.address);
        let write = json!([{"url": url, "protobuf_message": message, "metadata_config": {"send_interval": "1s"}}]);
        let sending = Peer::Prometheus
            .start_with(
                prometheus,
                &folder,
                &json!({"scrape_configs": scrape_configs(port, targets, 5), "remote_write": write}),
            )
            .await?;
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        // What was scraped until then is sent.
        let end_s = (Clock::system().now_ns() / 1_000_000_000) as i64 - 8;
        let mut different = 0;
        for question in QUESTIONS {
            let query = escaped(question);
            let paths = [
                format!("query?query={query}&time={end_s}"),
                format!("query_range?query={query}&start={}&end={end_s}&step=3", end_s - 15),
            ];
            for path in paths {
                let (ours, theirs) = (data(&receiving, &path).await?, data(&sending, &path).await?);
                if !is_same(&ours, &theirs) {
                    different += 1;
                    println!("{question}\n  weir:       {}\n  prometheus: {}", cut(&ours), cut(&theirs));
                }
            }
        }
        println!(
            "{message}: {} questions, at one moment and over a range: {different} answers differ",
            QUESTIONS.len()
        );
        ensure!(different == 0, "answers differ");
    }
    Ok(())
}

async fn data(running: &Running, path: &str) -> anyhow::Result<Value> {
    let answer = running.json(path).await.with_context(|| path.to_owned())?;
    let mut data = answer["data"].clone();
    // Prometheus promises no order but where a function sorts.
    if let Some(result) = data["result"].as_array_mut()
        && !path.contains("sort_desc")
    {
        result.sort_by_key(|series| series["metric"].to_string());
    }
    Ok(data)
}

/// Whether two answers are the same, but for the last digits of sums whose order Prometheus leaves to chance.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Array(ones), Value::Array(others)) => {
            ones.len() == others.len() && ones.iter().zip(others).all(|(one, other)| is_same(one, other))
        }
        (Value::Object(ones), Value::Object(others)) => {
            let is_there = |(name, one): (&String, &Value)| others.get(name).is_some_and(|other| is_same(one, other));
            ones.len() == others.len() && ones.iter().all(is_there)
        }
        (Value::String(one), Value::String(other)) if one != other => {
            match (one.parse::<f64>(), other.parse::<f64>()) {
                (Ok(one), Ok(other)) => (one - other).abs() <= 1e-13 * one.abs().max(other.abs()),
                _ => false,
            }
        }
        _ => one == other,
    }
}

fn cut(value: &Value) -> String {
    value.to_string().chars().take(400).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_last_digits_may_differ() {
        let value = |number: &str| json!({"result": [{"metric": {"a": "b"}, "value": [1, number]}]});
        assert!(is_same(&value("29528.709156720335"), &value("29528.70915672033")));
        assert!(!is_same(&value("29528.7091567"), &value("29528.7091568")));
        assert!(!is_same(&value("1"), &json!({"result": []})));
    }
}
