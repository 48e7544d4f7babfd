//! Six locations probe a site: what they find is asked by PromQL, each probe is a trace with the site's own spans below, and half of the
//! locations being down pages.

use parking_lot::Mutex;
use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::{Value, json};
use weir_benches::query::Query;
use weir_proto::time::Clock;

use crate::{process::Weir, raw_http::post_to};

const LOCATIONS: [&str; 6] = ["fra", "gru", "iad", "jnb", "sin", "syd"];

const PATIENCE: Duration = Duration::from_secs(60);

/// The shipped rule, in a hurry.
const RULES: &str = "
groups:
- name: probes
  interval: 1s
  rules:
  - record: instance:probe_locations:count
    expr: count by (job, instance) (probe_success)
  - record: instance:probe_locations_down:count
    expr: count by (job, instance) (probe_success == 0)
  - alert: ProbeDownInLocations
    expr: |
      instance:probe_locations_down:count >= 2
        and instance:probe_locations_down:count / instance:probe_locations:count >= 0.5
    for: 2s
    annotations: {summary: 'down in {{ $value }} of {{ with query \"instance:probe_locations:count\" }}{{ . | first | value }}{{ end }}'}
";

/// A site whose paths are locations: those that are down get 503.
#[derive(Clone, Default)]
struct Site {
    down: Arc<Mutex<BTreeSet<String>>>,
    /// The last `traceparent` that came.
    parent: Arc<Mutex<String>>,
}

impl Site {
    fn open(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let site = self.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                site.answer(&stream);
            }
        });
        address
    }

    fn answer(&self, stream: &TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream);
        let mut first = String::new();
        reader.read_line(&mut first).ok()?;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            if let Some(parent) = line.to_lowercase().strip_prefix("traceparent: ") {
                *self.parent.lock() = parent.trim().to_owned();
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let location = first.split(['/', ' ']).nth(2)?.to_owned();
        let status = if self.down.lock().contains(&location) { "503 Down" } else { "200 OK" };
        (&mut &*stream).write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\n\r\nhi").as_bytes()).ok()
    }
}

fn configuration(site: SocketAddr) -> String {
    let mut text = String::from("query: {endpoint: '127.0.0.1:0'}\nalerting: {rule_files: [rules.yml]}\nreceivers:\n");
    text += "  otlp: {protocols: {grpc: {endpoint: '127.0.0.1:0'}, http: {endpoint: '127.0.0.1:0'}}}\n";
    for location in LOCATIONS {
        text += &format!(
            "  synthetic/{location}:
    location: {location}
    allow: [127.0.0.0/8]
    modules: {{http_2xx: {{prober: http, http: {{preferred_ip_protocol: ip4}}}}}}
    probes:
    - job_name: shop-{location}
      module: http_2xx
      interval: 2s
      timeout: 2s
      static_configs: [{{targets: ['http://{site}/{location}']}}]
      relabel_configs: [{{target_label: instance, replacement: shop}}, {{target_label: job, replacement: shop}}]\n"
        );
    }
    text
}

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

/// Location and value of each series.
async fn asked(query: &Query, expression: &str) -> Vec<(String, String)> {
    let (_, answer) = query.json(&format!("/prometheus/api/v1/query?query={expression}")).await.expect("an answer");
    let result = answer["data"]["result"].as_array().expect("a vector").iter();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    result.map(|one| (text(&one["metric"]["location"]), text(&one["value"][1]))).collect()
}

async fn alert(query: &Query) -> Option<Value> {
    let (_, body) = query.json("/prometheus/api/v1/alerts").await.ok()?;
    let alerts = body["data"]["alerts"].as_array()?;
    alerts.iter().find(|alert| alert["labels"]["alertname"] == "ProbeDownInLocations").cloned()
}

/// The site's own span, below the probe that came last.
async fn send_own_span(weir: &Weir, parent: &str) {
    let parts: Vec<&str> = parent.split('-').collect();
    let now_ns = Clock::system().now_ns();
    let span = json!({"traceId": parts[1], "parentSpanId": parts[2], "spanId": "00f067aa0ba902b7", "name": "GET /", "kind": 2,
        "startTimeUnixNano": now_ns.to_string(), "endTimeUnixNano": (now_ns + 1000).to_string()});
    let resource = json!({"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]});
    let body = json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]}).to_string();
    let headers = [("content-type", "application/json")];
    let (status, answer) = post_to("/v1/traces", weir.address("OTLP/HTTP"), &headers, body.into()).await;
    assert!(status.is_success(), "{status} {answer:?}");
}

#[tokio::test]
async fn six_locations_probe_and_half_of_them_down_pages() {
    let folder = tempfile::tempdir().expect("a folder");
    let site = Site::default();
    let config = folder.path().join("weir.yaml");
    std::fs::write(&config, configuration(site.open())).expect("written");
    std::fs::write(folder.path().join("rules.yml"), RULES).expect("written");
    let weir = Weir::start(&config, &folder.path().join("data"));
    let query = Query::new(weir.address("queries"));
    let up = wait_for("six locations", async || {
        let up = asked(&query, "sort_by_label(probe_success,%22location%22)").await;
        (up.len() == 6 && up.iter().all(|(_, value)| value == "1")).then_some(up)
    });
    let expected: Vec<_> = LOCATIONS.iter().map(|location| ((*location).to_owned(), "1".to_owned())).collect();
    assert_eq!(up.await, expected);
    assert_eq!(asked(&query, "up{job=%22shop%22}").await.len(), 6);

    // Its trace, with the site's own span below the root.
    let parent = wait_for("a traceparent", async || {
        let parent = site.parent.lock().clone();
        (!parent.is_empty()).then_some(parent)
    });
    let parent = parent.await;
    send_own_span(&weir, &parent).await;
    let trace = parent.split('-').nth(1).expect("a trace");
    let spans = wait_for("the whole trace", async || {
        let (_, answer) = query.json(&format!("/jaeger/api/traces/{trace}")).await.ok()?;
        let spans = answer["data"][0]["spans"].as_array()?.clone();
        (spans.len() == 6).then_some(spans)
    });
    let spans = spans.await;
    let root = parent.split('-').nth(2).expect("a span");
    let mut below: Vec<&str> = Vec::new();
    for span in &spans {
        match span["references"][0]["spanID"].as_str() {
            None => assert_eq!((&span["spanID"], &span["operationName"]), (&json!(root), &json!("probe http_2xx"))),
            Some(parent) => {
                assert_eq!(parent, root);
                below.push(span["operationName"].as_str().expect("a name"));
            }
        }
    }
    below.sort_unstable();
    assert_eq!(below, ["GET /", "connect", "processing", "resolve", "transfer"]);

    // Two of six are no reason, three are.
    site.down.lock().extend(["fra".to_owned(), "gru".to_owned()]);
    wait_for("two down", async || (asked(&query, "probe_success==0").await.len() == 2).then_some(())).await;
    assert_eq!(alert(&query).await, None);
    site.down.lock().insert("syd".to_owned());
    let firing = wait_for("firing", async || alert(&query).await.filter(|alert| alert["state"] == "firing")).await;
    assert_eq!(firing["annotations"]["summary"], "down in 3 of 6");
    assert_eq!(firing["labels"], json!({"alertname": "ProbeDownInLocations", "instance": "shop", "job": "shop"}));
    let (_, targets) = query.json("/prometheus/api/v1/targets?scrapePool=shop-fra").await.expect("targets");
    let target = &targets["data"]["activeTargets"][0];
    assert_eq!(target["lastError"], "invalid HTTP response status code 503, wanted 2xx", "{target}");
    let failed = "SELECT count(*) AS n FROM spans WHERE service = 'weir-probes' AND status_message LIKE '%503%'";
    let answer = query.sql(failed).await.expect("an answer");
    assert!(answer["rows"][0]["n"].as_u64().is_some_and(|count| count >= 3), "{answer}");

    // A target that goes ends with its series; the others go on.
    let text = std::fs::read_to_string(&config).expect("a file");
    let (before, after) = text.split_once("  synthetic/syd:").expect("the last one");
    assert!(!after.contains("synthetic/"));
    std::fs::write(&config, before).expect("written");
    weir.signal(Signal::HUP);
    wait_for("five locations", async || (asked(&query, "probe_success").await.len() == 5).then_some(())).await;
    wait_for("resolved", async || alert(&query).await.is_none().then_some(())).await;
}

#[test]
fn what_is_wrong_with_a_module_is_said_with_its_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("weir.yaml");
    for (module, expected) in [
        ("{prober: http, http: {valid_status_code: [200]}}", "did you mean `valid_status_codes`?"),
        ("{prober: htp}", "htp"),
        ("{prober: dns}", "query name must be set for DNS module"),
        ("{prober: http, http: {fail_if_body_matches_regexp: ['(']}}", "Could not compile regular expression"),
    ] {
        let text = format!("receivers:\n  synthetic:\n    modules:\n      m: {module}\n");
        std::fs::write(&config, text).expect("written");
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_weir"))
            .args(["validate", "--config"])
            .arg(&config)
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && said.contains(expected) && said.contains("weir.yaml:4:"),
            "{module}: {said}"
        );
    }
}
