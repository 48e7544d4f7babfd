//! A rule pages through Debian's Alertmanager: once, on time, over `kill -9`, and resolves.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::{Value, json};
use weir_benches::query::Query;
use weir_proto::time::Clock;

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
- name: spans
  interval: 1s
  language: sql
  rules:
  - alert: Spans
    expr: SELECT 'shop' AS service, count(*) + 7 AS value FROM spans
- name: lines
  interval: 1s
  language: logql
  rules:
  - alert: Lines
    expr: vector(1)
    for: 1h
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

    /// Those of a name.
    async fn named(&self, name: &str) -> Option<Vec<Value>> {
        let mut alerts = self.alerts().await?;
        alerts.retain(|alert| alert["labels"]["alertname"] == name);
        Some(alerts)
    }
}

/// Takes what webhooks are told, on a port of its own.
pub(crate) fn webhook() -> (SocketAddr, mpsc::Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let (sender, told) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            // Connections end with the process that is killed.
            let sender = sender.clone();
            std::thread::spawn(move || while take(&stream, &sender).is_some() {});
        }
    });
    (address, told)
}

/// Takes one request; `None` when there are no more.
pub(crate) fn take(stream: &TcpStream, told: &mpsc::Sender<Value>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(text) = line.to_lowercase().strip_prefix("content-length:") {
            length = text.trim().parse().ok()?;
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    told.send(serde_json::from_slice(&body).expect("JSON")).ok()?;
    (&mut &*stream).write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").ok()
}

/// `firing` or `resolved` for each time that a webhook was told of the alert's group.
fn pages(told: &mpsc::Receiver<Value>) -> Vec<String> {
    let of_load = told.try_iter().filter(|message| message["groupLabels"]["group"] == "load");
    of_load.map(|message| message["status"].as_str().expect("a status").to_owned()).collect()
}

/// Listens until so many were told.
async fn hear(told: &mpsc::Receiver<Value>, heard: &mut Vec<String>, count: usize) {
    let begin = Instant::now();
    while heard.len() < count {
        heard.extend(pages(told));
        assert!(begin.elapsed() < PATIENCE, "only {heard:?} was told");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Asks until there is an answer.
pub(crate) async fn wait_for<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
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
pub(crate) async fn send_load(weir: &Weir, value: f64) {
    let now = Clock::system().now_ns().to_string();
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
    body["data"]["alerts"].as_array()?.iter().find(|alert| alert["labels"]["alertname"] == "High").cloned()
}

/// How many times the rule was evaluated with a result.
async fn the_value(weir: &Weir) -> u64 {
    let query = Query::new(weir.address("queries"));
    let path = "/prometheus/api/v1/query?query=count_over_time(load:double%5B10m%5D)";
    let (_, answer) = query.json(path).await.expect("an answer");
    answer["data"]["result"][0]["value"][1].as_str().map_or(0, |text| text.parse().expect("a number"))
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
    let (hook, told_hook) = webhook();
    let alerting = format!(
        "alerting:
  rule_files: ['rule*.yml']
  alertmanagers: [{{static_configs: [{{targets: ['{}']}}]}}]
  webhooks: [{{url: 'http://{hook}/'}}]\n",
        alertmanager.address
    );
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
    let told = wait_for("told", async || alertmanager.named("High").await?.first().cloned()).await;
    let firing = wait_for("firing", async || the_alert(&weir).await).await;
    assert_eq!(firing["state"], "firing");
    assert_eq!(told["labels"], json!({"alertname": "High", "host": "a", "severity": "page"}));
    assert_eq!(told["annotations"], json!({"summary": "load of a is 3"}));
    assert_eq!(told["status"]["state"], "active");
    // What it waited before the kill counts; how long it was down does not.
    let waited = seconds(&told["startsAt"]) - seconds(&pending["activeAt"]);
    assert!(waited >= HOLD.as_secs_f64() && waited < PATIENCE.as_secs_f64(), "it fired after {waited} s");
    let rule = Query::new(weir.address("queries")).json("/prometheus/api/v1/rules?type=alert").await.expect("rules");
    let groups = rule.1["data"]["groups"].as_array().expect("groups");
    let state = |group: &str| {
        let group = groups.iter().find(|known| known["name"] == group).expect("the group");
        (group["rules"][0]["state"].clone(), group["rules"][0]["health"].clone())
    };
    assert_eq!(state("lines"), (json!("pending"), json!("ok")));
    assert_eq!(state("spans"), (json!("firing"), json!("ok")));
    let spans = wait_for("by SQL", async || alertmanager.named("Spans").await?.first().cloned()).await;
    assert_eq!(spans["labels"], json!({"alertname": "Spans", "service": "shop"}));
    let rule = &groups.iter().find(|group| group["name"] == "load").expect("the group")["rules"][0];
    assert_eq!((&rule["state"], &rule["health"], &rule["type"]), (&json!("firing"), &json!("ok"), &json!("alerting")));

    let mut heard = Vec::new();
    hear(&told_hook, &mut heard, 1).await;
    // What webhooks know is written once they know it; the next evaluation is behind that.
    let value = async |weir: &Weir| the_value(weir).await;
    let before = value(&weir).await;
    wait_for("another evaluation", async || (value(&weir).await > before).then_some(())).await;

    // Killed while it fires: the same alert goes on, with the time that it began.
    weir.signal(Signal::KILL);
    assert!(!weir.exit().success());
    let weir = Weir::start(&config, &data);
    wait_for("firing again", async || the_alert(&weir).await.filter(|alert| alert["state"] == "firing")).await;
    send_load(&weir, 0.2).await;
    wait_for("resolved", async || the_alert(&weir).await.is_none().then_some(())).await;
    wait_for("told so", async || alertmanager.named("High").await?.is_empty().then_some(())).await;
    // A person was paged once, and told once that it is over.
    hear(&told_hook, &mut heard, 2).await;
    assert_eq!(heard, ["firing", "resolved"]);
    let query = Query::new(weir.address("queries"));
    let fired = "/prometheus/api/v1/query?query=count_over_time(ALERTS%7Balertname%3D%22High%22%2Calertstate%3D%22firing%22%7D%5B5m%5D)";
    let (_, answer) = query.json(fired).await.expect("an answer");
    assert_eq!(answer["data"]["result"].as_array().map(Vec::len), Some(1), "{answer}");
}

/// The value of a series now, as text.
async fn value(weir: &Weir, series: &str) -> Option<String> {
    let query = Query::new(weir.address("queries"));
    let (_, answer) = query.json(&format!("/prometheus/api/v1/query?query={series}")).await.ok()?;
    answer["data"]["result"][0]["value"][1].as_str().map(str::to_owned)
}

#[tokio::test]
async fn rules_are_read_again_when_their_files_change() {
    let folder = tempfile::tempdir().expect("a folder");
    let rules = folder.path().join("rules.yml");
    let write = |record: &str, expr: &str| {
        let text = format!("groups: [{{name: g, interval: 1s, rules: [{{record: '{record}', expr: '{expr}'}}]}}]\n");
        std::fs::write(&rules, text).expect("written");
    };
    write("a:one", "vector(1)");
    let config = folder.path().join("weir.yaml");
    let text = format!("{}alerting: {{rule_files: [rules.yml]}}\n", crate::process::FREE_PORTS);
    std::fs::write(&config, text).expect("written");
    let weir = Weir::start(&config, &folder.path().join("data"));
    wait_for("the first series", async || value(&weir, "a:one").await).await;

    // A file that is wrong changes nothing, and says where it is wrong.
    write("a:two", "vector(");
    let (status, answer) = post_to("/-/reload", weir.address("queries"), &[], Vec::new()).await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert_eq!(status.as_u16(), 500, "{answer}");
    assert!(answer.starts_with("failed to reload config: ") && answer.contains("rules.yml:1:"), "{answer}");
    assert!(value(&weir, "a:one").await.is_some());

    // Nobody says so: the change is noticed. The series of the rule that is gone ends.
    write("a:two", "vector(2)");
    let two = wait_for("the second series", async || value(&weir, "a:two").await).await;
    assert_eq!(two, "2");
    wait_for("the first one's end", async || value(&weir, "a:one").await.is_none().then_some(())).await;

    // The whole group goes: after two intervals its series end, too.
    std::fs::write(&rules, "groups: []\n").expect("written");
    let (status, answer) = post_to("/prometheus/-/reload", weir.address("queries"), &[], Vec::new()).await;
    assert_eq!(status.as_u16(), 200, "{answer:?}");
    wait_for("the second one's end", async || value(&weir, "a:two").await.is_none().then_some(())).await;
}
