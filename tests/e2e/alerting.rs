//! A rule pages through Debian's Alertmanager: once, on time, over `kill -9`, and resolves.

use std::{
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::{Value, json};
use weir_benches::query::Query;

use crate::{process::Weir, raw_http::post_to};

/// How long `for` is.
const HOLD: Duration = Duration::from_secs(6);

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(60);

const RULES: &str = "
groups:
- name: load
  interval: 1s
  rules:
  - record: load:double
    expr: load * 2
  - alert: High
    expr: load:double > 1
    for: 6s
    labels: {severity: page}
    annotations: {summary: 'load of {{ $labels.host }} is {{ $value }}'}
";

/// Debian's Alertmanager, on a port of its own.
struct Alertmanager {
    child: Child,
    address: SocketAddr,
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Alertmanager {
    /// `None` where there is none.
    async fn start(folder: &Path) -> Option<Self> {
        let config = folder.join("alertmanager.yml");
        let text = "route: {receiver: nobody, group_wait: 0s}\nreceivers: [{name: nobody}]\n";
        std::fs::write(&config, text).expect("written");
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = free.local_addr().expect("an address");
        drop(free);
        let mut command = Command::new("prometheus-alertmanager");
        command.arg(format!("--config.file={}", config.display()));
        command.arg(format!("--storage.path={}", folder.join("alertmanager").display()));
        command.args([&format!("--web.listen-address={address}"), "--cluster.listen-address="]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().ok()?;
        let this = Self { child, address };
        wait_for("Alertmanager is ready", async || this.alerts().await.map(drop)).await;
        Some(this)
    }

    async fn alerts(&self) -> Option<Vec<Value>> {
        let (status, body) = Query::new(self.address).json("/api/v2/alerts").await.ok()?;
        status.is_success().then(|| body.as_array().cloned())?
    }
}

/// Asks until there is an answer.
async fn wait_for<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(begin.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Sends a gauge of now.
async fn send_load(weir: &Weir, value: f64) {
    let now = std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_nanos().to_string();
    let point = json!({"timeUnixNano": now, "asDouble": value,
        "attributes": [{"key": "host", "value": {"stringValue": "a"}}]});
    let metric = json!({"name": "load", "gauge": {"dataPoints": [point]}});
    let body = json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}).to_string();
    let headers = [("content-type", "application/json")];
    let (status, answer) = post_to("/v1/metrics", weir.address("OTLP/HTTP"), &headers, body.into()).await;
    assert!(status.is_success(), "{status} {answer:?}");
}

async fn the_alert(weir: &Weir) -> Option<Value> {
    let query = Query::new(weir.address("queries"));
    let (_, body) = query.json("/prometheus/api/v1/alerts").await.ok()?;
    body["data"]["alerts"].get(0).cloned()
}

/// Unix seconds of a time in RFC 3339.
fn seconds(time: &Value) -> f64 {
    let text = time.as_str().expect("a time");
    let output = Command::new("date").args(["-u", "+%s.%N", "-d", text]).output().expect("date runs");
    String::from_utf8(output.stdout).expect("text").trim().parse().expect("a number")
}

#[tokio::test]
async fn an_alert_is_pending_is_killed_fires_on_time_and_resolves() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(alertmanager) = Alertmanager::start(folder.path()).await else {
        eprintln!("no prometheus-alertmanager here: this is not tested");
        return;
    };
    std::fs::write(folder.path().join("rules.yml"), RULES).expect("written");
    let config = folder.path().join("weir.yaml");
    let alerting = format!(
        "alerting: {{rule_files: ['*.yml'], alertmanagers: [{{static_configs: [{{targets: ['{}']}}]}}]}}\n",
        alertmanager.address
    );
    // Alertmanager's own configuration lies beside them, and is no file of rules.
    let alerting = alerting.replace("*.yml", "rule*.yml");
    std::fs::write(&config, format!("{}{alerting}", crate::process::FREE_PORTS)).expect("written");
    let data = folder.path().join("data");
    let weir = Weir::start(&config, &data);
    send_load(&weir, 1.5).await;
    let pending = wait_for("pending", async || the_alert(&weir).await).await;
    assert_eq!(pending["state"], "pending");
    assert_eq!(pending["labels"], json!({"alertname": "High", "host": "a", "severity": "page"}));
    weir.signal(Signal::KILL);
    assert!(!weir.exit().success());

    let weir = Weir::start(&config, &data);
    let told = wait_for("told", async || alertmanager.alerts().await?.first().cloned()).await;
    let firing = wait_for("firing", async || the_alert(&weir).await).await;
    assert_eq!(firing["state"], "firing");
    assert_eq!(told["labels"], json!({"alertname": "High", "host": "a", "severity": "page"}));
    assert_eq!(told["annotations"], json!({"summary": "load of a is 3"}));
    assert_eq!(told["status"]["state"], "active");
    // What it waited before the kill counts; how long it was down does not.
    let waited = seconds(&told["startsAt"]) - seconds(&pending["activeAt"]);
    assert!(waited >= HOLD.as_secs_f64() && waited < 20.0, "it fired after {waited} s");
    let rule = Query::new(weir.address("queries")).json("/prometheus/api/v1/rules?type=alert").await.expect("rules");
    let rule = &rule.1["data"]["groups"][0]["rules"][0];
    assert_eq!((&rule["state"], &rule["health"], &rule["type"]), (&json!("firing"), &json!("ok"), &json!("alerting")));

    // Killed while it fires: the same alert goes on, with the time that it began.
    weir.signal(Signal::KILL);
    assert!(!weir.exit().success());
    let weir = Weir::start(&config, &data);
    wait_for("firing again", async || the_alert(&weir).await.filter(|alert| alert["state"] == "firing")).await;
    send_load(&weir, 0.2).await;
    wait_for("resolved", async || the_alert(&weir).await.is_none().then_some(())).await;
    wait_for("told so", async || alertmanager.alerts().await?.is_empty().then_some(())).await;
    let query = Query::new(weir.address("queries"));
    let fired = "/prometheus/api/v1/query?query=count_over_time(ALERTS%7Balertstate%3D%22firing%22%7D%5B5m%5D)";
    let (_, answer) = query.json(fired).await.expect("an answer");
    assert_eq!(answer["data"]["result"].as_array().map(Vec::len), Some(1), "{answer}");
}
