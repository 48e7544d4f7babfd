//! The encoding that a request asks for, and the ways to send a query.

use std::io::Cursor;

use arrow_ipc::reader::StreamReader;
use axum::{
    body::{Body, to_bytes},
    response::IntoResponse,
};
use http::{Request as HttpRequest, StatusCode};
use weir_proto::{TenantId, time::Clock};
use weir_store::Operation;

use super::*;
use crate::{
    http::{QueryConfig, allowance::Allowance, fixtures::Held, gate::Gate, laid_traces::LaidTraces, routes::router},
    sql::engine::Engine,
};

async fn ask(request: HttpRequest<Body>) -> (StatusCode, String, Vec<u8>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = QueryConfig::default();
    let operation = |service: &str| Operation { service: service.into(), name: "op".into(), kind: 2 };
    let app = App {
        source: Arc::new(Held { operations: vec![operation("cart"), operation("stock")], ..Held::default() }),
        authenticate: Arc::new(|_| Ok(TenantId::default())),
        gate: Gate::new(&config),
        allowance: Allowance::of(&config),
        laid_traces: LaidTraces::new(0),
        engine: Arc::new(Engine::start(config.sql.clone(), folder.path()).expect("threads")),
        clock: Clock::fixed(0),
        config: Arc::new(config),
        mounts: Arc::default(),
        about: Arc::default(),
        site: Arc::default(),
        tails: Arc::new(tokio::sync::Semaphore::new(1)),
        stop: tokio_util::sync::CancellationToken::new(),
    };
    let service = router(&app);
    let response = tower_call(service, request).await;
    let (parts, body) = response.into_parts();
    let content_type = parts.headers[header::CONTENT_TYPE].to_str().expect("text").to_owned();
    let body = to_bytes(body, usize::MAX).await.expect("a whole body");
    (parts.status, content_type, body.to_vec())
}

async fn tower_call(router: axum::Router, request: HttpRequest<Body>) -> axum::response::Response {
    use hyper::service::Service;
    let service = hyper_util::service::TowerToHyperService::new(router);
    service.call(request).await.into_response()
}

fn post(text: impl Into<Body>) -> HttpRequest<Body> {
    HttpRequest::post("/api/v1/sql").body(text.into()).expect("a request")
}

#[tokio::test]
async fn a_query_is_a_body_or_a_parameter() {
    let expected = concat!(
        r#"{"columns":[{"name":"service","type":"text"}],"rows":["#,
        "\n{\"service\":\"cart\"},\n{\"service\":\"stock\"}]}\n"
    );
    let (status, content_type, body) = ask(post("SELECT service FROM spans ORDER BY 1")).await;
    assert_eq!((status, content_type.as_str()), (StatusCode::OK, "application/json; charset=utf-8"));
    assert_eq!(String::from_utf8(body).expect("UTF-8"), expected);
    let get = "/api/v1/sql?query=SELECT%20service%20FROM%20spans+ORDER+BY+1";
    let (status, _, body) = ask(HttpRequest::get(get).body(Body::empty()).expect("a request")).await;
    assert_eq!((status, String::from_utf8(body).expect("UTF-8").as_str()), (StatusCode::OK, expected));
}

#[tokio::test]
async fn a_query_may_be_wrapped() {
    let expected = "{\"columns\":[{\"name\":\"n\",\"type\":\"int64\"}],\"rows\":[\n{\"n\":3}]}\n";
    for body in [
        "SELECT 3 AS n",
        "\u{feff}SELECT 3 AS n;\n",
        r#"{"query": "SELECT 3 AS n"}"#,
        "\n{\"sql\":\"SELECT 3 AS n\",\"format\":\"json\"}",
        r#""SELECT 3 AS n""#,
        "query=SELECT+3%20AS+n",
        "sql=SELECT%203+AS+n\n",
    ] {
        let (status, _, answer) = ask(post(body)).await;
        assert_eq!((status, String::from_utf8(answer).expect("UTF-8").as_str()), (StatusCode::OK, expected), "{body}");
    }
    for body in ["{", r#"{"statement": "SELECT 1"}"#, r#"{"query": 1}"#, "{ .service = 1 }"] {
        let (status, _, answer) = ask(post(body)).await;
        let answer = String::from_utf8(answer).expect("UTF-8");
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
        assert!(answer.contains(r#"POST the SQL itself, or {\"query\": \"SELECT …\"}"#), "{body}: {answer}");
    }
}

#[tokio::test]
async fn now_is_the_time_that_is_asked_for() {
    for time in ["2026-01-31T12:00:00.5Z", "1769860800.5"] {
        let request = HttpRequest::post(format!("/api/v1/sql?time={time}"));
        let request = request.body("SELECT now() AS n, current_date() AS d".into()).expect("a request");
        let (status, _, body) = ask(request).await;
        let body = String::from_utf8(body).expect("UTF-8");
        let expected = r#"{"n":"2026-01-31T12:00:00.500000000Z","d":"2026-01-31"}"#;
        assert!(status == StatusCode::OK && body.contains(expected), "{status} {body}");
    }
    for body in [
        "query=SELECT+now()+AS+n&time=1769860800.5",
        "time=2026-01-31T12:00:00.5Z&sql=SELECT+now()+AS+n",
        r#"{"query": "SELECT now() AS n", "time": "2026-01-31T12:00:00.5Z"}"#,
        r#"{"query": "SELECT now() AS n", "time": 1769860800.5}"#,
    ] {
        let (status, _, answer) = ask(post(body)).await;
        let answer = String::from_utf8(answer).expect("UTF-8");
        let expected = r#"{"n":"2026-01-31T12:00:00.500000000Z"}"#;
        assert!(status == StatusCode::OK && answer.contains(expected), "{body}: {status} {answer}");
    }
    for (time, expected) in [("noon", "is no time"), ("2262-04-12", "is too late: the last is 2262-04-11T23:47:16Z")] {
        let request = HttpRequest::get(format!("/api/v1/sql?time={time}&query=SELECT+1")).body(Body::empty());
        let (status, _, body) = ask(request.expect("a request")).await;
        let body = String::from_utf8(body).expect("UTF-8");
        assert!(status == StatusCode::BAD_REQUEST && body.contains(expected), "{status} {body}");
    }
}

#[tokio::test]
async fn arrow_when_asked_for() {
    let mut request = post("SELECT service, service FROM (SELECT service FROM spans) ORDER BY 1");
    *request.body_mut() = "SELECT a.service, b.service FROM spans a JOIN spans b USING (duration_ns) ORDER BY 1".into();
    request
        .headers_mut()
        .insert(header::ACCEPT, "text/html, application/vnd.apache.arrow.stream;q=1".parse().expect("valid"));
    let (status, content_type, body) = ask(request).await;
    assert_eq!((status, content_type.as_str()), (StatusCode::OK, "application/vnd.apache.arrow.stream"));
    let reader = StreamReader::try_new(Cursor::new(body), None).expect("a stream");
    let names: Vec<_> = reader.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["service", "service_2"]);
    let rows: usize = reader.map(|batch| batch.expect("a batch").num_rows()).sum();
    assert_eq!(rows, 2);
}

#[tokio::test]
async fn mistakes_have_their_status() {
    for (body, status, said) in [
        (Body::from("SELEKT"), 400, "cannot read the query"),
        (Body::from("SELECT nothing FROM spans"), 400, "there is no column nothing"),
        (Body::from("DROP TABLE spans"), 400, "only SELECT, WITH, VALUES and EXPLAIN are answered"),
        (Body::from("  "), 400, "there is no query"),
        (Body::from(vec![0xff]), 400, "not UTF-8"),
        (Body::from(format!("SELECT '{}'", "x".repeat(70_000))), 413, "longer than 65536 bytes"),
    ] {
        let (found, content_type, body) = ask(post(body)).await;
        let body = String::from_utf8(body).expect("UTF-8");
        assert_eq!((found.as_u16(), content_type.as_str()), (status, "application/json; charset=utf-8"), "{body}");
        assert!(
            body.starts_with(&format!("{{\"error\":{{\"code\":{status},\"message\":\"")) && body.contains(said),
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_read_to_its_end() {
    let sent = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let pieces = |bytes: usize, count: usize| {
        let sent = sent.clone();
        let piece = vec![b'x'; bytes];
        Body::from_stream(futures_util::stream::iter((0..count).map(move |_| {
            sent.fetch_add(bytes, std::sync::atomic::Ordering::Relaxed);
            Ok::<_, std::io::Error>(piece.clone())
        })))
    };
    let read = |body| async {
        body::whole(body, 100)
            .await
            .map(|bytes| bytes.len())
            .map_err(|error| matches!(error, Failure::BodyTooLarge(100)))
    };
    assert_eq!(read(pieces(50, 2)).await, Ok(100));
    sent.store(0, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(read(pieces(60, 1000)).await, Err(true));
    assert_eq!(sent.load(std::sync::atomic::Ordering::Relaxed), 60_000, "the client could say all it had to say");
    sent.store(0, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(read(pieces(1 << 20, 1000)).await, Err(true));
    assert!(sent.load(std::sync::atomic::Ordering::Relaxed) <= 18 << 20, "but not without end");
}
