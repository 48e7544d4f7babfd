//! Slow, silent, vanishing and too many clients.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::Request;
use http_body_util::{Full, StreamBody};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::interval,
};

use crate::{
    payload::{framed, request_of},
    port::{EXPORT, GrpcClient, HttpClient, Receiver, soon},
};

const SHORT: Duration = Duration::from_millis(300);

async fn with_short_timeouts() -> Receiver {
    Receiver::start_with(|config| {
        let grpc = config.protocols.grpc.as_mut().expect("on");
        grpc.read_timeout = SHORT;
        grpc.keepalive.server_parameters.time = SHORT;
        grpc.keepalive.server_parameters.timeout = SHORT;
        let http = config.protocols.http.as_mut().expect("on");
        http.read_timeout = SHORT;
        http.read_header_timeout = SHORT;
        http.idle_timeout = SHORT;
    })
    .await
}

/// Sends `start`, then a byte now and then, until the server has answered and closed; returns what it said.
async fn drip(address: SocketAddr, start: &[u8]) -> Vec<u8> {
    let mut socket = TcpStream::connect(address).await.expect("listening");
    socket.write_all(start).await.expect("open");
    let (mut reader, mut writer) = socket.into_split();
    let dripping = tokio::spawn(async move {
        let mut ticks = interval(Duration::from_millis(20));
        loop {
            ticks.tick().await;
            if writer.write_all(b"x").await.is_err() {
                return;
            }
        }
    });
    let mut answer = Vec::new();
    let _ = soon(reader.read_to_end(&mut answer)).await;
    dripping.abort();
    answer
}

#[tokio::test]
async fn a_slow_header_ends_the_connection() {
    let receiver = with_short_timeouts().await;
    for address in [receiver.http, receiver.grpc] {
        let answer = drip(address, b"POST /v1/traces HTTP/1.1\r\nhost: w\r\nx-slow: ").await;
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{answer:?}");
    }
    assert_eq!(receiver.journal.len(), 0);
}

#[tokio::test]
async fn a_slow_body_times_out() {
    let receiver = with_short_timeouts().await;
    let head =
        "POST /v1/traces HTTP/1.1\r\nhost: w\r\ncontent-type: application/x-protobuf\r\ncontent-length: 100000\r\n\r\n";
    let answer = drip(receiver.http, head.as_bytes()).await;
    assert!(answer.starts_with(b"HTTP/1.1 408 "), "{}", String::from_utf8_lossy(&answer));
    assert_eq!(receiver.journal.len(), 0);
}

#[tokio::test]
async fn a_slow_message_exceeds_its_deadline() {
    let receiver = with_short_timeouts().await;
    let (sender, body) = tokio::sync::mpsc::channel::<Bytes>(1);
    let frames = futures_util::stream::unfold(body, async |mut body| {
        let piece = body.recv().await?;
        Some((Ok::<_, std::convert::Infallible>(http_body::Frame::data(piece)), body))
    });
    let socket = TcpStream::connect(receiver.grpc).await.expect("listening");
    let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(socket));
    let (mut client, connection) = handshake.await.expect("HTTP/2");
    tokio::spawn(connection);
    let request = Request::post(format!("http://weir{EXPORT}")).header("content-type", "application/grpc");
    let request = request.body(StreamBody::new(Box::pin(frames))).expect("a request");
    sender.send(vec![0, 0, 0, 1, 0, 42].into()).await.expect("open");
    let response = soon(client.send_request(request)).await.expect("an answer");
    assert_eq!(response.headers()["grpc-status"], "4");
    drop(sender);
}

#[tokio::test]
async fn silent_and_half_said_connections_are_closed() {
    let receiver = with_short_timeouts().await;
    for address in [receiver.grpc, receiver.http] {
        // Nothing; HTTP/2's preface cut off; the whole preface, and no answer to pings.
        for said in [&b""[..], b"PRI * HTTP/2.0", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"] {
            let mut socket = TcpStream::connect(address).await.expect("listening");
            socket.write_all(said).await.expect("open");
            let _ = soon(socket.read_to_end(&mut Vec::new())).await;
        }
    }
}

#[tokio::test]
async fn idle_connections_are_closed_and_busy_ones_are_not() {
    let receiver = with_short_timeouts().await;
    let mut http = TcpStream::connect(receiver.http).await.expect("listening");
    let body = request_of(10);
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: w\r\ncontent-type: application/x-protobuf\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    http.write_all(&[head.as_bytes(), &body].concat()).await.expect("open");
    let mut answer = String::new();
    let _ = soon(http.read_to_string(&mut answer)).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");

    // A gRPC connection has no idle limit by default, and its client answers pings.
    let mut grpc = GrpcClient::connect(receiver.grpc).await;
    assert_eq!(grpc.export(&request_of(10)).await.code(), "0");
    let mut ticks = interval(SHORT);
    for _ in 0..5 {
        ticks.tick().await;
    }
    assert_eq!(grpc.export(&request_of(10)).await.code(), "0");
}

#[tokio::test]
async fn a_connection_of_a_certain_age_ends_in_good_order() {
    let receiver = Receiver::start_with(|config| {
        config.protocols.grpc.as_mut().expect("on").keepalive.server_parameters.max_connection_age = Some(SHORT);
    })
    .await;
    let socket = TcpStream::connect(receiver.grpc).await.expect("listening");
    let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(socket));
    let (_client, connection): (SendRequest<Full<Bytes>>, _) = handshake.await.expect("HTTP/2");
    let () = soon(connection).await.expect("GOAWAY without an error");
}

#[tokio::test]
async fn connections_beyond_the_limit_are_closed_at_once() {
    let receiver = Receiver::start_with(|config| config.protocols.http.as_mut().expect("on").connections_max = 2).await;
    let mut first = HttpClient::connect(receiver.http).await;
    let mut second = HttpClient::connect(receiver.http).await;
    assert_eq!(first.export(&[], request_of(10)).await.status, 200);
    assert_eq!(second.export(&[], request_of(10)).await.status, 200);
    let mut third = TcpStream::connect(receiver.http).await.expect("the system accepts");
    let _ = soon(third.read_to_end(&mut Vec::new())).await;
    assert_eq!(first.export(&[], request_of(10)).await.status, 200);
    drop(second);
    // Its place is free as soon as the server has noticed.
    let served = async {
        loop {
            let mut socket = TcpStream::connect(receiver.http).await.expect("listening");
            let _ = socket.write_all(b"GET / HTTP/1.1\r\nhost: w\r\nconnection: close\r\n\r\n").await;
            let mut answer = String::new();
            if socket.read_to_string(&mut answer).await.is_ok() && answer.starts_with("HTTP/1.1 404") {
                return;
            }
        }
    };
    soon(served).await;
}

#[tokio::test]
async fn a_client_that_vanishes_leaves_nothing_behind() {
    let receiver = Receiver::start_with(|config| config.inflight_mib_max = 1).await;
    let body = request_of(900_000);
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: w\r\ncontent-type: application/x-protobuf\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    for _ in 0..5 {
        let mut socket = TcpStream::connect(receiver.http).await.expect("listening");
        socket.write_all(head.as_bytes()).await.expect("open");
        socket.write_all(&body[..800_000]).await.expect("open");
        drop(socket);
    }
    let accepted = async {
        loop {
            let answer = HttpClient::connect(receiver.http).await.export(&[], body.clone()).await;
            if answer.status == 200 {
                return;
            }
            assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, "1"));
        }
    };
    soon(accepted).await;
    assert_eq!(receiver.journal.len(), 1);
}

#[tokio::test]
async fn bytes_in_flight_are_bounded_over_all_connections() {
    let receiver = Receiver::start_with(|config| config.inflight_mib_max = 1).await;
    let permits = receiver.journal.gate.acquire_many(1000).await.expect("never closed");
    let mut grpc = GrpcClient::connect(receiver.grpc).await;
    let mut other = grpc.clone();
    let waiting = tokio::spawn(async move { other.export(&request_of(700_000)).await });
    soon(receiver.journal.begun.notified()).await;
    let answer = grpc.send_raw(EXPORT, &[], framed(0, &request_of(700_000))).await;
    assert_eq!((answer.code(), answer.retry_delay()), ("14", Some(Duration::from_secs(1))));
    let answer = HttpClient::connect(receiver.http).await.export(&[], request_of(700_000)).await;
    assert_eq!((answer.status.as_u16(), answer.retry_delay()), (503, Some(Duration::from_secs(1))));
    drop(permits);
    assert_eq!(soon(waiting).await.expect("no panic").code(), "0");
    assert_eq!(grpc.export(&request_of(700_000)).await.code(), "0", "what was held is free again");
}
