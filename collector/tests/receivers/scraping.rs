//! Targets scraped over real connections, into a store.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::Notify,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use weir_collector::{
    receivers::prometheus::{PrometheusConfig, Scraper, Surroundings, scrape_pools, targets, targets_metadata},
    samples::{AcceptWindow, SampleDoor},
};
use weir_proto::{
    TenantId,
    metrics::{LabelMatcher, Labels, MatchOp, is_stale},
    time::Clock,
};
use weir_store::{SeriesSamples, Store, StoreOptions};

use crate::{payload::gzip, port::soon};

/// A target that answers what it is told, and remembers what it was asked.
#[derive(Clone)]
struct Target {
    address: SocketAddr,
    answer: Arc<Mutex<Vec<u8>>>,
    asked: Arc<Mutex<Vec<String>>>,
    told: Arc<Notify>,
}

fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut out = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n", body.len()).into_bytes();
    out.extend_from_slice(body);
    out
}

fn text(body: &str) -> Vec<u8> {
    answer("200 OK", "content-type: text/plain; version=0.0.4\r\n", body.as_bytes())
}

impl Target {
    async fn start(first: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let target = Self {
            address: listener.local_addr().expect("bound"),
            answer: Arc::new(Mutex::new(first)),
            asked: Arc::default(),
            told: Arc::default(),
        };
        let serving = target.clone();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let serving = serving.clone();
                tokio::spawn(async move {
                    let mut request = Vec::new();
                    while socket.read_buf(&mut request).await.is_ok_and(|count| count > 0) {
                        if !request.ends_with(b"\r\n\r\n") {
                            continue;
                        }
                        let head = String::from_utf8_lossy(&std::mem::take(&mut request)).to_lowercase();
                        serving.asked.lock().push(head);
                        let answer = serving.answer.lock().clone();
                        if socket.write_all(&answer).await.is_err() {
                            return;
                        }
                        serving.told.notify_waiters();
                    }
                });
            }
        });
        target
    }

    fn say(&self, next: Vec<u8>) {
        *self.answer.lock() = next;
    }

    fn count(&self) -> usize {
        self.asked.lock().len()
    }

    /// Until it was asked twice more: what it said before, or says now, is in the store then.
    async fn twice_more(&self) {
        let goal = self.count() + 2;
        soon(async {
            loop {
                let told = self.told.notified();
                if self.count() >= goal {
                    return;
                }
                told.await;
            }
        })
        .await;
    }
}

struct Bench {
    store: Store,
    scraper: Arc<Scraper>,
    _folder: tempfile::TempDir,
}

impl Bench {
    async fn start(config: &Value) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(StoreOptions::new(folder.path()), None, Clock::system()).await.expect("a new store");
        let surroundings = Surroundings {
            tenant: TenantId::default(),
            door: SampleDoor::new(&store, AcceptWindow::default()),
            clock: Clock::system(),
            read_yaml: |_| Err("no YAML here".into()),
            hostname: "here".into(),
            tracker: TaskTracker::new(),
            stop: CancellationToken::new(),
        };
        let scraper = Scraper::start(&parsed(config), surroundings).expect("no files");
        Self { store, scraper: Arc::new(scraper), _folder: folder }
    }

    /// The values of a metric by instance, `stale` among them.
    fn values(&self, name: &str) -> BTreeMap<String, Vec<String>> {
        let matcher = LabelMatcher { name: "__name__".into(), op: MatchOp::Equal, value: name.into() };
        let snapshot = self.store.snapshot();
        let found = snapshot.series(&TenantId::default(), &[matcher], 0, i64::MAX).expect("readable");
        let mut out = BTreeMap::new();
        for series in &found {
            let mut samples = SeriesSamples::default();
            series.read(0, i64::MAX, &mut samples).expect("readable");
            let shown = |value: &f64| if is_stale(*value) { "stale".to_owned() } else { value.to_string() };
            let instance = series.labels().get("instance").unwrap_or_default().to_owned();
            out.insert(instance, samples.values.iter().map(shown).collect());
        }
        out
    }

    /// Waits until the last value of the only series of that name is this.
    async fn last(&self, name: &str, expected: &str) {
        soon(async {
            while self.values(name).values().next().and_then(|values| values.last()).is_none_or(|last| last != expected)
            {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

fn parsed(config: &Value) -> PrometheusConfig {
    serde_json::from_value(json!({"config": config})).expect("a configuration")
}

/// One job at the target, every 100 ms.
fn job(target: &Target, more: Value) -> Value {
    let mut job = json!({"job_name": "j", "scrape_interval": "100ms", "scrape_timeout": "100ms",
        "static_configs": [{"targets": [target.address.to_string()]}]});
    for (key, value) in more.as_object().expect("an object") {
        job[key] = value.clone();
    }
    json!({"scrape_configs": [job]})
}

#[tokio::test]
async fn a_target_is_scraped_fails_and_comes_back() {
    let target = Target::start(text("a 1\nb 2\n")).await;
    let config = job(&target, json!({"basic_auth": {"username": "u", "password": "p"}, "params": {"x": ["y"]}}));
    let bench = Bench::start(&config).await;
    target.twice_more().await;
    let asked = target.asked.lock()[0].clone();
    for header in [
        "get /metrics?x=y http/1.1",
        "accept: application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,",
        "accept-encoding: gzip",
        "authorization: basic dtpw",
        "x-prometheus-scrape-timeout-seconds: 0.1",
    ] {
        assert!(asked.contains(header), "{header} in {asked}");
    }
    bench.last("up", "1").await;
    let shown: Value =
        serde_json::from_str(&targets(std::slice::from_ref(&bench.scraper), "state=active", "here")).expect("JSON");
    let shown = &shown["data"]["activeTargets"][0];
    assert_eq!((shown["health"].as_str(), shown["scrapePool"].as_str()), (Some("up"), Some("j")));
    assert_eq!(shown["scrapeUrl"], format!("http://{}/metrics?x=y", target.address));
    let is_of = |wanted: &str| {
        let wanted = wanted.to_owned();
        Ok(move |labels: &Labels| labels.get("job") == Some(&*wanted))
    };
    target.say(text("# HELP a What it is.\n# TYPE a counter\na 1\nb 2\n"));
    target.twice_more().await;
    let said = |query: &str| targets_metadata(std::slice::from_ref(&bench.scraper), query, is_of);
    let instance = target.address.to_string();
    assert_eq!(
        said("match_target=j").expect("told"),
        json!({"status": "success", "data": [{"target": {"instance": instance, "job": "j"}, "metric": "a",
            "type": "counter", "help": "What it is.", "unit": ""}]})
        .to_string()
    );
    assert!(!said("metric=a").expect("told").contains("\"metric\""));
    assert_eq!(said("match_target=k").expect("told"), r#"{"data":[],"status":"success"}"#);
    assert_eq!(said("limit=0").expect("told"), r#"{"data":[],"status":"success"}"#);
    assert_eq!(said("limit=x"), Err("limit must be a number".to_owned()));
    assert_eq!(
        scrape_pools(std::slice::from_ref(&bench.scraper)),
        r#"{"data":{"scrapePools":["j"]},"status":"success"}"#
    );

    target.say(text("a 1\n"));
    bench.last("b", "stale").await;
    bench.last("scrape_samples_scraped", "1").await;
    target.say(answer("500 Internal Server Error", "", b""));
    bench.last("a", "stale").await;
    bench.last("up", "0").await;
    let shown = targets(std::slice::from_ref(&bench.scraper), "", "here");
    assert!(shown.contains("server returned HTTP status 500 Internal Server Error"), "{shown}");
    target.say(answer("200 OK", "", b"a 1\n"));
    target.twice_more().await;
    let shown = targets(std::slice::from_ref(&bench.scraper), "", "here");
    assert!(shown.contains("sending blank Content-Type and no fallback_scrape_protocol"), "{shown}");
    let headers = "content-type: application/openmetrics-text\r\ncontent-encoding: gzip\r\n";
    target.say(answer("200 OK", headers, &gzip(b"a 7\n# EOF\n")));
    bench.last("a", "7").await;
    bench.last("up", "1").await;
}

#[tokio::test]
async fn a_reload_leaves_no_gap_and_a_removed_target_ends() {
    let (stays, goes) = (Target::start(text("a 1\n")).await, Target::start(text("a 2\n")).await);
    let with = |addresses: &[&Target]| {
        let addresses: Vec<String> = addresses.iter().map(|target| target.address.to_string()).collect();
        json!({"scrape_configs": [{"job_name": "j", "scrape_interval": "100ms", "scrape_timeout": "100ms",
            "static_configs": [{"targets": addresses}]}]})
    };
    let bench = Bench::start(&with(&[&stays, &goes])).await;
    stays.twice_more().await;
    goes.twice_more().await;
    bench.scraper.reload(&parsed(&with(&[&stays]))).expect("no files");
    soon(async {
        while bench.values("up")[&goes.address.to_string()].last().is_none_or(|last| last != "stale") {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(bench.values("a")[&goes.address.to_string()].last().map(String::as_str), Some("stale"));
    let stayed = &bench.values("a")[&stays.address.to_string()];
    assert!(stayed.iter().all(|value| value == "1"), "{stayed:?}");
    // Away and back before two intervals have passed: nothing ends.
    bench.scraper.reload(&parsed(&with(&[]))).expect("no files");
    bench.scraper.reload(&parsed(&with(&[&stays]))).expect("no files");
    for _ in 0..4 {
        stays.twice_more().await;
    }
    let stayed = &bench.values("a")[&stays.address.to_string()];
    assert!(stayed.iter().all(|value| value == "1"), "{stayed:?}");
}

#[tokio::test]
async fn credentials_stay_with_the_targets_host() {
    let other = Target::start(text("a 1\n")).await;
    let redirect = format!("location: http://{}/elsewhere\r\n", other.address);
    let target = Target::start(answer("302 Found", &redirect, b"")).await;
    let config = job(&target, json!({"authorization": {"credentials": "secret"}}));
    let bench = Bench::start(&config).await;
    other.twice_more().await;
    bench.last("up", "1").await;
    assert!(target.asked.lock()[0].contains("authorization: bearer secret"));
    let asked = other.asked.lock()[0].clone();
    assert!(asked.starts_with("get /elsewhere ") && !asked.contains("authorization"), "{asked}");
    bench.scraper.reload(&parsed(&job(&target, json!({"follow_redirects": false})))).expect("no files");
    bench.last("up", "0").await;
    assert!(
        targets(std::slice::from_ref(&bench.scraper), "", "here").contains("server returned HTTP status 302 Found")
    );
}

#[tokio::test]
async fn a_body_that_never_ends_and_a_target_that_hangs_fail() {
    let endless = Target::start(answer("200 OK", "content-type: text/plain\r\n", &b"a 1\n".repeat(1000))).await;
    let bench = Bench::start(&job(&endless, json!({"body_size_limit": "1KB"}))).await;
    bench.last("up", "0").await;
    assert!(targets(std::slice::from_ref(&bench.scraper), "", "here").contains("body size limit exceeded"));
    // Without a length, and without an end.
    let mut chunks = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    chunks.extend(b"4\r\na 1\n\r\n".repeat(1000));
    endless.say(chunks);
    bench.scraper.reload(&parsed(&job(&endless, json!({"body_size_limit": "2KB"})))).expect("no files");
    endless.twice_more().await;
    assert!(targets(std::slice::from_ref(&bench.scraper), "", "here").contains("body size limit exceeded"));
    // What becomes long only when it is decompressed.
    let headers = "content-type: text/plain\r\ncontent-encoding: gzip\r\n";
    endless.say(answer("200 OK", headers, &gzip(&vec![b'\n'; 1 << 20])));
    endless.twice_more().await;
    assert!(targets(std::slice::from_ref(&bench.scraper), "", "here").contains("body size limit exceeded"));
    bench.last("up", "0").await;
    let hanging = Target::start(Vec::new()).await;
    let bench = Bench::start(&job(&hanging, json!({}))).await;
    bench.last("up", "0").await;
    assert!(targets(std::slice::from_ref(&bench.scraper), "", "here").contains("context deadline exceeded"));
}

#[tokio::test]
async fn debians_node_exporter() {
    let free = TcpListener::bind("127.0.0.1:0").await.expect("a free port").local_addr().expect("bound");
    let started = tokio::process::Command::new("prometheus-node-exporter")
        .arg(format!("--web.listen-address={free}"))
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn();
    let Ok(_exporter) = started else {
        println!("skipped: prometheus-node-exporter is not installed");
        return;
    };
    let config = json!({"scrape_configs": [{"job_name": "node", "scrape_interval": "500ms",
        "static_configs": [{"targets": [free.to_string()]}]}]});
    let bench = Bench::start(&config).await;
    bench.last("up", "1").await;
    let lines: f64 =
        bench.values("scrape_samples_scraped")[&free.to_string()].last().expect("scraped").parse().expect("a number");
    assert!(lines > 100.0, "{lines} lines");
    assert!(!bench.values("node_cpu_seconds_total").is_empty());
    // Beside families that come and go with what the machine does, the lines stay where they were.
    bench.last("scrape_series_added", "0").await;
    let metadata = bench.store.snapshot().metric_metadata(&TenantId::default()).expect("readable");
    let cpu = metadata.iter().find(|family| family.family == "node_cpu_seconds_total").expect("said");
    assert_eq!(cpu.metric_type.name(), "counter");
}
