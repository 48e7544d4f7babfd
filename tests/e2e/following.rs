//! Lines are followed live: by WebSocket as Loki's clients do, and as server-sent events; each once, in order, a slow client costs nobody.

use std::{net::SocketAddr, time::Duration};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout},
};
use weir_benches::query::Query;
use weir_proto::time::Clock;

use crate::{
    fixture::{SMALL, Weir},
    raw_http::post_to,
};

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];
const PATIENCE: Duration = Duration::from_secs(20);

async fn push(address: SocketAddr, app: &str, lines: &[String]) {
    let values: Vec<Value> = lines.iter().map(|line| json!([Clock::system().now_ns().to_string(), line])).collect();
    let body = json!({"streams": [{"stream": {"app": app}, "values": values}]}).to_string();
    let (status, answer) = post_to("/loki/api/v1/push", address, JSON, body.into()).await;
    assert_eq!(status, 204, "{}", String::from_utf8_lossy(&answer));
}

fn numbered(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|n| format!("line {n}")).collect()
}

/// A WebSocket, by hand.
struct Socket(TcpStream);

impl Socket {
    async fn open(address: SocketAddr, query: &str) -> Self {
        let mut stream = TcpStream::connect(address).await.expect("connects");
        let request = format!(
            "GET /loki/api/v1/tail?{query} HTTP/1.1\r\nhost: {address}\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.expect("taken");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("an answer"));
        }
        let head = String::from_utf8_lossy(&head).to_lowercase();
        assert!(head.starts_with("http/1.1 101 "), "{head}");
        assert!(head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="), "{head}");
        Self(stream)
    }

    async fn frame(&mut self) -> (u8, Vec<u8>) {
        let (opcode, len) = (self.0.read_u8().await.expect("a frame"), self.0.read_u8().await.expect("a length"));
        let len = match len {
            126 => u64::from(self.0.read_u16().await.expect("a length")),
            127 => self.0.read_u64().await.expect("a length"),
            len => u64::from(len),
        };
        let mut payload = vec![0; len as usize];
        self.0.read_exact(&mut payload).await.expect("a payload");
        (opcode & 0xf, payload)
    }

    /// Lines until there are so many, in the order in which they come; and whether some were missed.
    async fn lines(&mut self, count: usize) -> (Vec<String>, bool) {
        let (mut lines, mut is_gap) = (Vec::new(), false);
        let reading = async {
            while lines.len() < count {
                let (opcode, payload) = self.frame().await;
                if opcode != 1 {
                    continue;
                }
                let message: Value = serde_json::from_slice(&payload).expect("JSON");
                is_gap |= message.get("dropped_entries").is_some();
                for stream in message["streams"].as_array().expect("streams") {
                    assert!(stream["stream"]["service_name"].is_string(), "{message}");
                    for value in stream["values"].as_array().expect("values") {
                        assert!(value[0].as_str().is_some_and(|time| time.len() == 19), "{message}");
                        lines.push(value[1].as_str().expect("a text").to_owned());
                    }
                }
            }
        };
        timeout(PATIENCE, reading).await.unwrap_or_else(|_| panic!("{count} lines do not come"));
        (lines, is_gap)
    }

    async fn send(&mut self, opcode: u8, payload: &[u8]) {
        let mut frame = vec![0x80 | opcode, 0x80 | payload.len() as u8, 1, 2, 3, 4];
        frame.extend(payload.iter().zip([1, 2, 3, 4].iter().cycle()).map(|(byte, mask)| byte ^ mask));
        self.0.write_all(&frame).await.expect("taken");
    }
}

const CART: &str = "query=%7Bapp%3D%22cart%22%7D";

#[tokio::test]
async fn lines_come_live_by_websocket() {
    let weir = Weir::new(91, SMALL);
    let server = weir.start().await;
    let at = server.query;
    push(at, "cart", &numbered(0..150)).await;
    let mut socket = Socket::open(at, CART).await;
    assert_eq!(socket.lines(100).await.0, numbered(50..150), "the newest of the past, oldest first");
    let mut filtered = Socket::open(at, &format!("{CART}%20%7C%3D%20%2299%22&limit=0")).await;
    let begin = Instant::now();
    push(at, "other", &["not asked for".into()]).await;
    push(at, "cart", &numbered(150..200)).await;
    assert_eq!(socket.lines(50).await.0, numbered(150..200));
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    assert_eq!(filtered.lines(1).await.0, ["line 199"]);
    // Through files that are closed and sealed.
    let sending = async {
        for n in 0..100 {
            push(at, "cart", &numbered(200 + n * 50..250 + n * 50)).await;
        }
    };
    let ((), (lines, is_gap)) = tokio::join!(sending, socket.lines(5000));
    assert!(!is_gap);
    assert_eq!(lines, numbered(200..5200));
    socket.send(0x9, b"there?").await;
    assert_eq!(timeout(PATIENCE, socket.frame()).await.expect("an answer"), (0xa, b"there?".to_vec()));
    socket.send(0x8, &1000_u16.to_be_bytes()).await;
    assert_eq!(timeout(PATIENCE, socket.frame()).await.expect("an answer").0, 0x8);
    let query = Query::new(at);
    let gone = query.until("the place is free", PATIENCE, |metrics| metrics.get("weir_tail_clients") == Some(&1.0));
    gone.await.expect("gone");
    // A delay sorts what comes late.
    let mut delayed = Socket::open(at, "query=%7Bapp%3D%22late%22%7D&limit=0&delay_for=1").await;
    let now_ns = Clock::system().now_ns();
    for (offset, line) in [(2, "second"), (1, "first")] {
        let values = json!([[(now_ns + offset).to_string(), line]]);
        let body = json!({"streams": [{"stream": {"app": "late"}, "values": values}]}).to_string();
        assert_eq!(post_to("/loki/api/v1/push", at, JSON, body.into()).await.0, 204);
    }
    assert_eq!(delayed.lines(2).await.0, ["first", "second"]);
    server.stop(PATIENCE).await.expect("stops in order while lines are followed");
}

#[tokio::test]
async fn what_cannot_be_followed_is_said() {
    let weir = Weir::new(92, SMALL);
    let server = weir.start().await;
    let query = Query::new(server.query);
    for (path, words) in [
        ("/loki/api/v1/tail", "query"),
        ("/loki/api/v1/tail?query=%7Bapp%3D", "parse"),
        ("/loki/api/v1/tail?query=rate(%7Bapp%3D%22x%22%7D%5B1m%5D)", "metric"),
        ("/loki/api/v1/tail?query=%7Bapp%3D%22x%22%7D&delay_for=6", "delay_for"),
        ("/loki/api/v1/tail?query=%7Bapp%3D%22x%22%7D", "WebSocket"),
    ] {
        let (status, body) = query.text(path).await.expect("an answer");
        assert_eq!(status, 400, "{path}: {body}");
        assert!(body.to_lowercase().contains(&words.to_lowercase()) || words == "query", "{path}: {body}");
    }
    server.kill().await.expect("killed");
}

#[tokio::test]
async fn lines_come_live_as_events_and_a_client_that_takes_nothing_costs_nobody() {
    let mut weir = Weir::new(93, SMALL);
    weir.options.query = "  write_timeout: 2s\n".into();
    let server = weir.start().await;
    let at = server.query;
    let mut stuck = TcpStream::connect(at).await.expect("connects");
    let request = format!("GET /api/v1/tail?{CART} HTTP/1.1\r\nhost: {at}\r\n\r\n");
    stuck.write_all(request.as_bytes()).await.expect("taken");
    let mut events = TcpStream::connect(at).await.expect("connects");
    events.write_all(request.as_bytes()).await.expect("taken");
    let long: String = "x".repeat(2000);
    let reading = async {
        let (mut text, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
        loop {
            let read = events.read(&mut buffer).await.expect("events");
            assert!(read > 0, "the answer goes on");
            text.extend_from_slice(&buffer[..read]);
            if String::from_utf8_lossy(&text[text.len().saturating_sub(8192)..]).contains("the last one") {
                return String::from_utf8_lossy(&text).into_owned();
            }
        }
    };
    let sending = async {
        for n in 0..200 {
            let lines: Vec<String> = (0..50).map(|i| format!("{} {long}", n * 50 + i)).collect();
            push(at, "cart", &lines).await;
        }
        push(at, "cart", &["the last one".into()]).await;
    };
    let (text, ()) = timeout(Duration::from_secs(60), async { tokio::join!(reading, sending) }).await.expect("in time");
    assert!(text.to_lowercase().contains("content-type: text/event-stream"), "{:.500}", text);
    let mut next = 0;
    for line in text.lines().filter_map(|line| line.strip_prefix("data: ")) {
        let Ok(event) = serde_json::from_str::<Value>(line) else { continue };
        let Some(line) = event["line"].as_str().filter(|line| line.ends_with('x')) else { continue };
        let number: u32 = line.split(' ').next().and_then(|n| n.parse().ok()).expect("a number");
        assert_eq!(number, next, "each once, in order");
        assert_eq!(event["labels"]["app"], "cart");
        next += 1;
    }
    // Chunks of the transfer may have cut some lines of the text; none may be missing otherwise.
    assert!(next > 0);
    let query = Query::new(at);
    let cut = query.until("the stuck client is cut", Duration::from_secs(60), |metrics| {
        metrics.get("weir_tail_clients").is_some_and(|clients| *clients <= 1.0)
    });
    cut.await.expect("cut");
    drop(stuck);
    server.kill().await.expect("killed");
}

#[tokio::test]
async fn what_repeats_is_found_as_patterns() {
    let weir = Weir::new(94, SMALL);
    let server = weir.start().await;
    let query = Query::new(server.query);
    let lines: Vec<String> = (0..100)
        .flat_map(|n| {
            [
                format!("level=info msg=\"order {n} placed\" took={}ms", n * 7),
                format!("level=error msg=\"connection to 10.0.0.{n} refused\""),
            ]
        })
        .collect();
    push(server.query, "cart", &lines).await;
    for path in
        ["/loki/api/v1/patterns?query=%7Bapp%3D%22cart%22%7D", "/loki/api/v1/patterns?query=", "/loki/api/v1/patterns"]
    {
        let (status, answer) = query.json(path).await.expect("an answer");
        assert_eq!((status.as_u16(), &answer["status"]), (200, &json!("success")), "{answer}");
        let found: Vec<_> = answer["data"]
            .as_array()
            .expect("patterns")
            .iter()
            .map(|pattern| {
                let samples = pattern["samples"].as_array().expect("samples");
                let count: u64 = samples.iter().map(|sample| sample[1].as_u64().expect("a count")).sum();
                format!("{} {} {count}", pattern["level"], pattern["pattern"].as_str().expect("a text"))
            })
            .collect();
        let expected = [
            "\"error\" level=error msg=\"connection to <_> refused\" 100",
            "\"info\" level=info msg=\"order <_> placed\" took=<_> 100",
        ];
        let mut sorted = found.clone();
        sorted.sort();
        assert_eq!(sorted, expected, "{answer}");
    }
    for path in ["detected_fields", "detected_labels", "index/volume", "index/volume_range", "index/stats"] {
        let (status, answer) = query.json(&format!("/loki/api/v1/{path}?query=")).await.expect("an answer");
        assert_eq!(status, 200, "{path}: {answer}");
    }
    let bytes: usize = lines.iter().map(String::len).sum();
    let (_, volume) = query.json("/loki/api/v1/index/volume?query=&aggregateBy=labels").await.expect("an answer");
    let of = |label: &str| {
        let found = volume["data"]["result"].as_array().expect("labels");
        found.iter().find(|one| one["metric"][label] == "").map(|one| one["value"][1].clone())
    };
    assert_eq!(of("app"), Some(json!(bytes.to_string())), "{volume}");
    let (_, limits) = query.json("/loki/api/v1/drilldown-limits").await.expect("an answer");
    assert_eq!(limits["pattern_ingester_enabled"], true, "{limits}");
    server.kill().await.expect("killed");
}
