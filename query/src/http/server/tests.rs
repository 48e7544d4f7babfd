//! The endpoints through a real port.

use std::{num::NonZeroUsize, sync::Barrier};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use weir_port::Unauthenticated;
use weir_proto::TenantId;
use weir_store::{AppendError, Operation};

use super::*;
use crate::http::{
    fixtures::{Held, TRACE, record},
    mount::Mount,
    routes::ROUTES,
    site::{Asset, Site},
};

/// A server of its own for one test.
struct Served {
    address: SocketAddr,
    tracker: TaskTracker,
    shutdown: CancellationToken,
    _spill: tempfile::TempDir,
}

async fn serve_held(held: Held, change: impl FnOnce(&mut QueryConfig)) -> Served {
    serve_mounted(held, Vec::new(), change).await
}

async fn serve_mounted(held: Held, mounts: Vec<Mount>, change: impl FnOnce(&mut QueryConfig)) -> Served {
    let mut config = QueryConfig { endpoint: "127.0.0.1:0".into(), ..QueryConfig::default() };
    change(&mut config);
    let authenticate: Authenticate = Arc::new(|caller| {
        if caller.headers.contains_key("x-stranger") { Err(Unauthenticated) } else { Ok(TenantId::default()) }
    });
    let gate = Gate::new(&config);
    let spill = tempfile::tempdir().expect("a temporary folder");
    let engine = Arc::new(Engine::start(config.sql.clone(), spill.path()).expect("threads"));
    let (source, config) = (Arc::new(held), Arc::new(config));
    let allowance = Allowance::of(&config);
    let mounts = mounts.into();
    let site = Site {
        page: "<p nonce=__NONCE__>UI</p>",
        paths: &["/", "/trace/{id}"],
        assets: vec![Asset {
            path: "/assets/index-1.js",
            content_type: "text/javascript; charset=utf-8",
            plain: b"plain",
            brotli: None,
            gzip: Some(b"gz"),
        }],
    };
    let site = Arc::new(site);
    let (clock, about) = (Clock::fixed(0), Arc::default());
    let app = App {
        source,
        authenticate,
        gate,
        allowance,
        laid_traces: LaidTraces::new(0),
        engine,
        clock,
        config,
        mounts,
        site,
        about,
        tails: Arc::new(tokio::sync::Semaphore::new(1)),
        stop: CancellationToken::new(),
    };
    let (tracker, shutdown) = (TaskTracker::new(), CancellationToken::new());
    let address = serve(app, &tracker, shutdown.clone()).await.expect("a free port");
    Served { address, tracker, shutdown, _spill: spill }
}

fn held() -> Held {
    let operation = |service: &str| Operation { service: service.into(), name: "op".into(), kind: 2 };
    Held {
        rows: vec![record("cart", 1, 5)],
        operations: vec![operation("cart"), operation("a/b é")],
        ..Held::default()
    }
}

impl Served {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("listens")
    }

    /// Sends a request as it stands and reads until the server closes.
    async fn raw(&self, request: &str) -> String {
        let mut stream = self.connect().await;
        // The server may answer and close before it has read everything.
        let _ = stream.write_all(request.as_bytes()).await;
        read_all(&mut stream).await
    }

    async fn get(&self, target: &str) -> String {
        self.raw(&format!("GET {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")).await
    }
}

async fn read_all(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    String::from_utf8(bytes).expect("UTF-8")
}

fn status(response: &str) -> &str {
    response.get(9..12).unwrap_or(response)
}

fn body(response: &str) -> &str {
    response.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

#[tokio::test]
async fn a_client_that_hardly_takes_anything_is_let_go() {
    // On a machine that is busy the answer may not begin within the shorter times.
    for timeout_ms in [500, 5_000, 50_000] {
        let mut many = held();
        many.operations = (0..3_000).map(|_| many.operations[0].clone()).collect();
        let served = serve_held(many, |config| {
            config.timeout = Duration::from_millis(timeout_ms);
            // Not this lets it go.
            config.drain_timeout = Duration::from_secs(3600);
        })
        .await;
        let begin = std::time::Instant::now();
        let mut stream = served.connect().await;
        let text = "SELECT a.*, b.service AS other FROM spans a, spans b";
        let request = format!("POST /api/v1/sql HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{text}", text.len());
        stream.write_all(request.as_bytes()).await.expect("sends");
        let mut beginning = [0; 12];
        stream.read_exact(&mut beginning).await.expect("the answer begins");
        if &beginning != b"HTTP/1.1 200" {
            continue;
        }
        // A byte now and then, until nothing of the server's runs any more.
        served.tracker.close();
        served.shutdown.cancel();
        let mut ticks = tokio::time::interval(Duration::from_millis(50));
        while !served.tracker.is_empty() {
            ticks.tick().await;
            let _ = stream.read_exact(&mut beginning[..1]).await;
        }
        assert!(begin.elapsed() > Duration::from_millis(3 * timeout_ms), "{:?}", begin.elapsed());
        return;
    }
    panic!("no answer began");
}

#[tokio::test]
async fn every_route_answers() {
    let served = serve_held(held(), |_| {}).await;
    // Those that follow lines go on without an end, where there are any.
    for route in ROUTES.iter().filter(|route| !route.path.ends_with("/tail") && route.methods() != "POST") {
        let target =
            route.path.replace("{id}", &TRACE.to_string()).replace("{service}", "cart").replace("{name}", "job");
        let target = target.replace("{span}", "0000000000000001");
        let times = "startTime=2000-01-01T00:00:00Z&endTime=2001-01-01T00:00:00Z";
        let bounds = "query.startTimeMin=1970-01-01T00:00:00Z&query.startTimeMax=2001-01-01T00:00:00Z";
        let asked = if target.starts_with("/prometheus/") {
            "query=up&start=0&end=60&step=15&match%5B%5D=up".to_owned()
        } else if target == "/loki/api/v1/query" {
            "query=vector(1)%2Bvector(1)&time=4".to_owned()
        } else if target.starts_with("/loki/") {
            "query=%7Bapp%3D%22cart%22%7D&start=1&end=60&match%5B%5D=%7Bapp%3D%22cart%22%7D".to_owned()
        } else {
            format!("service=cart&q=name&query=SELECT%201&{times}&{bounds}")
        };
        let response = served.get(&format!("{target}?{asked}")).await;
        assert_eq!(status(&response), "200", "{target}: {response}");
        assert!(response.contains("; charset=utf-8\r\n"), "{target}: {response}");
        assert!(response.contains("x-content-type-options: nosniff\r\n"), "{target}: {response}");
        assert!(!response.contains("access-control-"), "{target}: {response}");
    }
    assert_eq!(status(&served.get("/api/v1/tail?query=%7Ba%3D%22b%22%7D").await), "404");
    assert_eq!(status(&served.get("/loki/api/v1/tail?query=%7Ba%3D%22b%22%7D").await), "400");
    let page = served.get("/api").await;
    assert!(page.contains("OTEL_EXPORTER_OTLP_ENDPOINT") && page.contains(r#"href="/jaeger/api/services""#), "{page}");
}

#[tokio::test]
async fn the_page_is_at_its_own_paths_only() {
    let served = serve_held(held(), |_| {}).await;
    for path in ["/", "/trace/ff", "/trace/a%2Fb?row=3"] {
        let page = served.get(path).await;
        assert!(status(&page) == "200" && body(&page).ends_with(">UI</p>"), "{path}: {page}");
        assert!(page.contains("cache-control: no-cache\r\n") && page.contains("'nonce-"), "{page}");
        assert!(!page.contains("unsafe-inline") && page.contains("x-content-type-options: nosniff\r\n"), "{page}");
        let tag = page.split("etag: ").nth(1).and_then(|rest| rest.split('\r').next()).expect("a tag");
        let again = format!("GET {path} HTTP/1.1\r\nhost: x\r\nif-none-match: {tag}\r\nconnection: close\r\n\r\n");
        let again = served.raw(&again).await;
        assert!(status(&again) == "304" && !again.contains("content-security-policy"), "{again}");
    }
    let file = served.get("/assets/index-1.js").await;
    assert!(file.contains("immutable\r\n") && body(&file) == "plain", "{file}");
    for path in ["/trace", "/assets/index-2.js", "/nothing"] {
        assert_eq!(status(&served.get(path).await), "404", "{path}");
    }
    let posted = served.raw("POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert!(status(&posted) == "405" && posted.contains("allow: GET,HEAD\r\n"), "{posted}");
}

#[tokio::test]
async fn promql_comes_as_a_form_too() {
    let served = serve_held(held(), |_| {}).await;
    for (form, code, said) in [
        ("query=1%2B1&time=5", "200", r#"{"status":"success","data":{"resultType":"scalar","result":[5,"2"]}}"#),
        ("query=vector(1%2B", "400", "unclosed left parenthesis"),
        // A broken pair is left out, as by Prometheus: what the address says is left.
        ("query=%zz&time=5", "200", r#""result":[5,"3"]"#),
    ] {
        // What the form says counts, not what the address says.
        let request = format!(
            "POST /prometheus/api/v1/query?query=3 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
            form.len()
        );
        let response = served.raw(&request).await;
        assert_eq!(status(&response), code, "{form}: {response}");
        assert!(response.contains(said), "{form}: {response}");
    }
}

#[tokio::test]
async fn metrics_count_requests_and_the_process() {
    let served = serve_held(held(), |_| {}).await;
    served.get("/api/v1/ledger").await;
    let metrics = served.get("/metrics").await;
    for line in [
        "weir_query_requests_total{endpoint=\"/api/v1/ledger\",outcome=\"ok\"} ",
        "weir_query_duration_seconds_count{endpoint=\"/api/v1/ledger\"} ",
        "weir_port_connections_open{protocol=\"query\"}",
        "process_resident_memory_bytes ",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
}

#[tokio::test]
async fn wrong_turns_are_explained_in_the_style_of_the_api() {
    let served = serve_held(held(), |_| {}).await;
    let cases = [
        (
            "/jaeger/api/quality-metrics",
            "404",
            r#"{"code":404,"msg":"nothing is served at this path; /api lists what is"}"#,
        ),
        ("/api/v1/nothing", "404", r#"{"error":{"code":404,"message":"nothing is served"#),
        ("/favicon.ico", "404", "nothing is served at this path"),
        ("/jaeger/api/traces/ff", "404", r#""errors":[{"code":404,"msg":"trace not found"}]"#),
        ("/jaeger/api/traces/xyz", "400", r#""errors":[{"code":400,"msg":"trace id: not an id"#),
        ("/jaeger/api/traces", "400", "parameter 'service' is required"),
        ("/jaeger/api/v3/traces/ff", "404", r#"{"error":{"httpCode":404,"message":"No traces found"}}"#),
        ("/jaeger/api/v3/traces", "400", r#"{"error":{"httpCode":400,"message":"missing required parameter"#),
        ("/jaeger/api/v3/spans", "404", r#"{"error":{"httpCode":404,"message":"nothing is served"#),
        (
            "/prometheus/api/v1/nothing",
            "404",
            r#"{"status":"error","errorType":"not_found","error":"nothing is served at this path; /api lists what is"}"#,
        ),
        ("/prometheus/api/v1/query?query=up%7B", "400", r#"{"status":"error","errorType":"bad_data","error":""#),
        ("/api/v1/trace/%ff", "400", r#"{"error":{"code":400"#),
        ("/api/v1/trace/%3Cscript%3E", "400", r#"not an id of 32 hex digits: \"<script>\""#),
    ];
    for (target, code, said) in cases {
        let response = served.get(target).await;
        assert_eq!(status(&response), code, "{target}: {response}");
        assert!(body(&response).contains(said), "{target}: {response}");
    }
    let posted = served.raw("POST /api/v1/ledger HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert_eq!(status(&posted), "405");
    assert!(posted.contains("allow: GET,HEAD\r\n") && body(&posted).contains("message"), "{posted}");
    let stranger =
        served.raw("GET /api/v1/ledger HTTP/1.1\r\nhost: x\r\nx-stranger: 1\r\nconnection: close\r\n\r\n").await;
    assert_eq!(status(&stranger), "401");
}

/// An answer's header, and its body's bytes.
async fn coded(served: &Served, request: &str) -> (String, Vec<u8>) {
    let mut stream = served.connect().await;
    stream.write_all(request.as_bytes()).await.expect("sends");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.expect("answers");
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a header") + 4;
    (String::from_utf8_lossy(&bytes[..end]).into_owned(), bytes[end..].to_vec())
}

#[tokio::test]
async fn answers_are_compressed_for_those_who_ask() {
    let mut many = held();
    many.rows[0].span.name = "a name as long as many are ".repeat(100);
    let served = serve_held(many, |_| {}).await;
    let get =
        |target: &str, accepts: &str| format!("GET {target} HTTP/1.0\r\nhost: x\r\naccept-encoding: {accepts}\r\n\r\n");
    let id = TRACE.to_string();
    for target in [
        format!("/api/v1/trace/{id}"),
        format!("/jaeger/api/traces/{id}"),
        format!("/jaeger/api/v3/traces/{id}"),
        "/metrics".to_owned(),
        "/api".to_owned(),
    ] {
        let (header, plain) = coded(&served, &get(&target, "br")).await;
        assert!(header.contains("vary: accept-encoding") && !header.contains("content-encoding"), "{header}");
        let (header, body) = coded(&served, &get(&target, "gzip;q=0.5, zstd")).await;
        assert!(header.contains("content-encoding: zstd\r\n") && header.contains("vary: accept-encoding"), "{header}");
        let whole = zstd::decode_all(&body[..]).expect("zstd");
        // Metrics count on.
        assert!(target == "/metrics" || whole == plain, "{target}");
        let (header, _) = coded(&served, &get(&target, "gzip")).await;
        assert!(header.contains("content-encoding: gzip\r\n"), "{header}");
    }
    let (header, _) = coded(&served, &get("/healthz", "gzip")).await;
    assert!(!header.contains("content-encoding"), "{header}");
    let sql = get("/api/v1/sql?query=SELECT%20service%20FROM%20spans", "zstd");
    let (header, body) = coded(&served, &sql).await;
    assert!(header.contains("content-encoding: zstd\r\n") && header.contains("vary: accept-encoding"), "{header}");
    let rows = String::from_utf8(zstd::decode_all(&body[..]).expect("zstd")).expect("UTF-8");
    assert!(rows.starts_with(r#"{"columns":["#) && rows.ends_with("]}\n"), "{rows}");
}

#[tokio::test]
async fn a_search_may_be_posted() {
    let served = serve_held(held(), |_| {}).await;
    let post = |target: &str, text: &str| {
        let length = text.len();
        format!("POST {target} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{text}")
    };
    let text = r#"{"query":{"serviceName":"cart","start_time_min":"1970-01-01T00:00:00Z","startTimeMax":"2001-01-01T00:00:00Z"}}"#;
    let found = served.raw(&post("/jaeger/api/v3/traces", text)).await;
    assert!(body(&found).starts_with(r#"{"result":{"resourceSpans":[{"#), "{found}");
    let found = served.raw(&post("/jaeger/api/v3/trace-summaries", text)).await;
    assert!(body(&found).starts_with(r#"{"summaries":[{"traceId":"#), "{found}");
    let bad = served.raw(&post("/jaeger/api/v3/traces", "{")).await;
    assert!(status(&bad) == "400" && body(&bad).starts_with(r#"{"error":{"httpCode":400,"#), "{bad}");
}

#[tokio::test]
async fn names_in_paths_are_decoded() {
    let served = serve_held(held(), |_| {}).await;
    let response = served.get("/jaeger/api/services/a%2Fb%20%C3%A9/operations").await;
    assert!(body(&response).starts_with(r#"{"data":["op"]"#), "{response}");
}

#[tokio::test]
async fn sizes_are_bounded() {
    let served = serve_held(held(), |_| {}).await;
    let long = "x".repeat(20_000);
    assert_eq!(status(&served.get(&format!("/jaeger/api/traces?service={long}")).await), "414");
    let large = format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "x".repeat(10 << 20));
    let answer = served.raw(&large).await;
    // Refused while the client still sends: it sees the answer or a reset.
    assert!(answer.is_empty() || status(&answer) == "431", "{answer}");
    let heavy = "GET /healthz HTTP/1.1\r\nhost: x\r\ncontent-length: 2000000\r\nconnection: close\r\n\r\n";
    assert_eq!(status(&served.raw(heavy).await), "413");
    assert_eq!(status(&served.get("/healthz").await), "200");
}

#[tokio::test]
async fn a_panic_fails_one_request() {
    let served = serve_held(Held { breaks: true, ..held() }, |_| {}).await;
    let response = served.get("/jaeger/api/services").await;
    assert_eq!(status(&response), "500");
    assert!(body(&response).contains(r#""code":500"#), "{response}");
    assert_eq!(status(&served.get("/api/v1/ledger").await), "200");
}

#[tokio::test]
async fn readiness_has_a_reason() {
    let served = serve_held(Held { unready: Some(AppendError::DiskFull), ..held() }, |_| {}).await;
    let response = served.get("/readyz").await;
    assert_eq!(status(&response), "503");
    assert!(response.contains("retry-after: 1\r\n"), "{response}");
    assert_eq!(body(&response), "not ready: disk space is below storage's limit\n");
    assert_eq!(status(&served.get("/healthz").await), "200");
}

#[tokio::test]
async fn a_busy_server_refuses_queries_but_stays_healthy() {
    let meets = Arc::new(Barrier::new(2));
    let held = Held { meets: Some(Arc::clone(&meets)), ..held() };
    let served = serve_held(held, |config| {
        config.queries_max = NonZeroUsize::MIN;
        config.queue_timeout = Duration::from_millis(10);
    })
    .await;
    let mut slow = served.connect().await;
    slow.write_all(b"GET /api/v1/services HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.expect("sends");
    meet(&meets).await;
    let refused = served.get("/jaeger/api/services").await;
    assert_eq!(status(&refused), "503");
    assert!(refused.contains("retry-after: 1\r\n") && body(&refused).contains("queries_max"), "{refused}");
    assert_eq!(status(&served.get("/readyz").await), "200");
    meet(&meets).await;
    assert_eq!(status(&read_all(&mut slow).await), "200");
}

#[tokio::test]
async fn shutdown_waits_for_the_last_answer() {
    let meets = Arc::new(Barrier::new(2));
    let served = serve_held(Held { meets: Some(Arc::clone(&meets)), ..held() }, |_| {}).await;
    let idle = served.connect().await;
    let mut slow = served.connect().await;
    slow.write_all(b"GET /api/v1/services HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("sends");
    meet(&meets).await;
    served.shutdown.cancel();
    served.tracker.close();
    meet(&meets).await;
    assert_eq!(status(&read_all(&mut slow).await), "200");
    served.tracker.wait().await;
    assert!(TcpStream::connect(served.address).await.is_err());
    drop(idle);
}

#[tokio::test]
async fn shutdown_does_not_wait_forever() {
    let meets = Arc::new(Barrier::new(2));
    let held = Held { meets: Some(Arc::clone(&meets)), ..held() };
    let served = serve_held(held, |config| config.drain_timeout = Duration::from_millis(20)).await;
    let mut slow = served.connect().await;
    slow.write_all(b"GET /api/v1/services HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("sends");
    meet(&meets).await;
    served.shutdown.cancel();
    served.tracker.close();
    let drained = tokio::time::timeout(Duration::from_secs(10), served.tracker.wait()).await;
    meet(&meets).await;
    assert!(drained.is_ok(), "the server waits on");
    assert_eq!(read_all(&mut slow).await, "");
}

#[tokio::test]
async fn a_slow_client_is_let_go() {
    let served = serve_held(held(), |config| config.read_header_timeout = Duration::from_millis(30)).await;
    for sent in ["", "GET /healthz HTTP/1.1\r\nhost"] {
        let mut slow = served.connect().await;
        slow.write_all(sent.as_bytes()).await.expect("sends");
        let closed = tokio::time::timeout(Duration::from_secs(10), read_all(&mut slow)).await;
        assert!(closed.is_ok(), "the server waits on after {sent:?}");
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let served = serve_held(held(), |config| config.read_timeout = Duration::from_millis(30)).await;
    let slow =
        served.raw("POST /api/v1/sql HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\nconnection: close\r\n\r\nSELECT");
    let answer = tokio::time::timeout(Duration::from_secs(10), slow).await.expect("the server waits on");
    assert!(status(&answer) == "400" && answer.contains("the body did not arrive in time"), "{answer}");
}

#[tokio::test]
async fn connections_beyond_the_limit_wait() {
    let served = serve_held(held(), |config| config.connections_max = NonZeroUsize::MIN).await;
    let mut first = served.connect().await;
    first.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("sends");
    first.readable().await.expect("is served");
    let mut second = served.connect().await;
    second.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.expect("sends");
    assert!(tokio::time::timeout(Duration::from_millis(50), second.readable()).await.is_err());
    drop(first);
    assert_eq!(status(&read_all(&mut second).await), "200");
}

#[test]
fn an_answer_that_nobody_takes_is_given_up_by_the_kernel() {
    assert_eq!(options(&QueryConfig::default()).taking_timeout, Some(Duration::from_secs(30)));
}

#[tokio::test]
async fn limits_may_be_as_large_as_numbers_get() {
    let served = serve_held(held(), |config| {
        config.connections_max = NonZeroUsize::MAX;
        config.queries_max = NonZeroUsize::MAX;
    });
    served.await.connect().await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = taken.local_addr().expect("bound");
    let spill = tempfile::tempdir().expect("a temporary folder");
    let engine = Arc::new(Engine::start(QueryConfig::default().sql, spill.path()).expect("threads"));
    for endpoint in [address.to_string(), format!(":{}", address.port())] {
        let config = QueryConfig { endpoint: endpoint.clone(), ..QueryConfig::default() };
        let app = App {
            source: Arc::new(held()),
            authenticate: Arc::new(|_| Err(Unauthenticated)),
            gate: Gate::new(&config),
            allowance: Allowance::of(&config),
            laid_traces: LaidTraces::new(0),
            engine: Arc::clone(&engine),
            clock: Clock::fixed(0),
            config: Arc::new(config),
            tails: Arc::new(tokio::sync::Semaphore::new(1)),
            stop: CancellationToken::new(),
            mounts: Arc::default(),
            about: Arc::default(),
            site: Arc::default(),
        };
        let error = serve(app, &TaskTracker::new(), CancellationToken::new()).await.expect_err("taken");
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert!(error.to_string().starts_with(&format!("cannot listen on {endpoint}: ")), "{error}");
    }
}

async fn meet(barrier: &Arc<Barrier>) {
    let barrier = Arc::clone(barrier);
    tokio::task::spawn_blocking(move || barrier.wait()).await.expect("both meet");
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_let_go() {
    let mut row = record("cart", 1, 5);
    // More than the kernel buffers on both sides.
    row.span.name = "x".repeat(32 << 20);
    let held = Held { rows: vec![row], ..held() };
    let served = serve_held(held, |config| config.write_timeout = Duration::from_millis(100)).await;
    let mut stuck = served.connect().await;
    let request = format!("GET /api/v1/trace/{TRACE} HTTP/1.1\r\nhost: x\r\n\r\n");
    stuck.write_all(request.as_bytes()).await.expect("sends");
    stuck.readable().await.expect("the answer begins");
    served.shutdown.cancel();
    served.tracker.close();
    let begin = std::time::Instant::now();
    served.tracker.wait().await;
    assert!(begin.elapsed() < QueryConfig::default().drain_timeout, "the connection outlived its timeout");
}

#[tokio::test]
async fn what_others_answer_is_beside_the_routes() {
    use http_body::Body as _;
    let length = |request: axum::extract::Request| async move {
        http::Response::new(format!("{} bytes", request.into_body().size_hint().exact().expect("declared")))
    };
    let mount = Mount::post("/push", "Takes pushes.", length);
    let served = serve_mounted(held(), vec![mount], |config| config.request_bytes_max = NonZeroUsize::MIN).await;
    let push = "POST /push HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\nconnection: close\r\n\r\nabc";
    assert!(served.raw(push).await.ends_with("3 bytes"));
    let get = served.raw("GET /push HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert!(get.starts_with("HTTP/1.1 405") && get.contains("allow: POST"), "{get}");
    assert!(served.get("/api").await.contains("<code>/push</code></td><td>Takes pushes."));
}

#[tokio::test]
async fn another_name_for_this_address_is_not_answered() {
    let served = serve_held(held(), |config| config.hosts = vec!["weir.example.com".into()]).await;
    let ask = |host: &str| format!("GET /healthz HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    let refused = served.raw(&ask("evil.example.com:4320")).await;
    assert!(status(&refused) == "421" && body(&refused).contains("query.hosts"), "{refused}");
    assert_eq!(status(&served.raw(&ask("weir.example.com")).await), "200");
}
