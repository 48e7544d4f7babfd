//! Probes over TCP: lines that are expected and sent.

use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
};

use super::world::probed;

/// Greets, and answers each line with `you said …`.
async fn talker() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = BufReader::new(stream);
            let _ = stream.write_all(b"noise\r\n220 mail.example ready\r\n").await;
            let mut line = String::new();
            while stream.read_line(&mut line).await.is_ok_and(|read| read > 0) {
                if stream.write_all(format!("you said {line}").as_bytes()).await.is_err() || line.trim() == "quit" {
                    break;
                }
                line.clear();
            }
        }
    });
    address
}

#[tokio::test]
async fn lines_are_expected_and_sent() {
    let address = talker().await;
    assert!(probed(json!({"prober": "tcp"}), &address).await.is_ok());
    let steps = json!([
        {"expect": "^220 (?P<host>[^ ]+) (\\w+)$", "send": "EHLO ${host} $2", "labels": [{"name": "host", "value": "${host}"}]},
        {"expect": "^you said EHLO mail.example ready$"},
        {"send": "quit"},
        {"expect_bytes": "you said"},
    ]);
    let seen = probed(json!({"prober": "tcp", "tcp": {"query_response": steps}}), &address).await;
    assert!(seen.is_ok(), "{:?}", seen.failure);
    assert_eq!(seen.gauge("probe_expect_info{host=\"mail.example\"}"), Some(1.0));
    assert_eq!(seen.gauge("probe_failed_due_to_regex"), Some(0.0));
    assert_eq!(seen.gauge("probe_failed_due_to_bytes"), Some(0.0));
    assert_eq!(seen.phases()[..2], ["resolve", "connect"]);
}

#[tokio::test]
async fn what_does_not_come_fails() {
    let address = talker().await;
    let steps = json!([{"send": "quit"}, {"expect": "^250"}]);
    let seen = probed(json!({"prober": "tcp", "tcp": {"query_response": steps}}), &address).await;
    assert!(
        seen.failed().contains("regexp \"^250\" did not match; the last line was \"you said quit\""),
        "{:?}",
        seen.failure
    );
    assert_eq!(seen.gauge("probe_failed_due_to_regex"), Some(1.0));
    let seen = probed(json!({"prober": "tcp"}), "127.0.0.1").await;
    assert!(seen.failed().contains("missing port in address"));
    let seen = probed(json!({"prober": "tcp", "timeout": "1s", "tcp": {"tls": true}}), &address).await;
    assert!(seen.failed().contains("tls"), "{:?}", seen.failure);
}
