//! What must be refused: with a code that clients read rightly, nothing in the journal, and the port alive afterwards.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    payload::{framed, gzip, nested, request, request_of, span, span_with, zstd},
    port::{EXPORT, GrpcClient, HttpClient, Receiver, soon},
};

/// Rejected as malformed bodies of either protocol.
fn malformed_payloads() -> Vec<(&'static str, Vec<u8>)> {
    let whole = request(vec![span(); 3]);
    let mut noise = 0x9e37_79b9_7f4a_7c15_u64;
    let random: Vec<u8> = (0..4096)
        .map(|_| {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (noise >> 56) as u8
        })
        .collect();
    vec![
        ("cut by a byte", whole[..whole.len() - 1].to_vec()),
        ("cut in the middle", whole[..whole.len() / 2].to_vec()),
        ("random", random),
        ("text", b"{\"resourceSpans\":[]}".to_vec()),
        ("endless varint", vec![0xff; 64]),
        ("a length beyond the end", vec![0x0a, 0xff, 0xff, 0xff, 0x7f]),
        ("field 0", vec![0x02, 0x00]),
    ]
}

#[tokio::test]
async fn malformed_payloads_are_invalid_arguments() {
    let receiver = Receiver::start().await;
    let mut grpc = GrpcClient::connect(receiver.grpc).await;
    let mut http = HttpClient::connect(receiver.http).await;
    for (what, payload) in malformed_payloads() {
        let answer = grpc.export(&payload).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (200, "3"), "{what}");
        let answer = http.export(&[], payload).await;
        assert_eq!((answer.status.as_u16(), answer.rpc_status().code), (400, 3), "{what}");
        assert!(answer.rpc_status().message.contains("malformed"), "{what}");
    }
    assert_eq!(receiver.journal.len(), 0);
    assert_eq!(grpc.export(&request_of(10)).await.code(), "0");
}

#[tokio::test]
async fn grpc_framing_has_a_code_for_each_fault() {
    let receiver =
        Receiver::start_with(|config| config.protocols.grpc.as_mut().expect("on").max_recv_msg_size_mib = 1).await;
    let mut grpc = GrpcClient::connect(receiver.grpc).await;
    let message = request_of(10);
    let corrupt = |mut body: Vec<u8>| {
        let middle = body.len() / 2;
        body[middle] ^= 0xff;
        body
    };
    let bomb = vec![0; 100 << 20];
    let (gzip_bomb, zstd_bomb) = (gzip(&bomb), zstd(&bomb));
    assert!(gzip_bomb.len().max(zstd_bomb.len()) * 980 < bomb.len(), "close to 1000:1");
    let rows: Vec<(&str, &str, Vec<u8>, &str)> = vec![
        ("no message", "", Vec::new(), "3"),
        ("half a prefix", "", vec![0, 0, 0], "3"),
        ("a cut message", "", framed(0, &message)[..20].to_vec(), "3"),
        ("two messages", "", [framed(0, &message), framed(0, &message)].concat(), "3"),
        ("unknown flag", "", framed(2, &message), "3"),
        ("a compressed message without encoding", "", framed(1, &gzip(&message)), "3"),
        ("uncompressed though an encoding is named", "gzip", framed(0, &message), "0"),
        ("unknown encoding", "snappy", framed(1, &message), "12"),
        ("not gzip", "gzip", framed(1, &message), "3"),
        ("corrupt gzip", "gzip", framed(1, &corrupt(gzip(&message))), "3"),
        ("cut gzip", "gzip", framed(1, &gzip(&message)[..20]), "3"),
        ("corrupt zstd", "zstd", framed(1, &zstd(&message)[..20]), "3"),
        ("a prefix beyond the limit", "", [&[0, 0xff, 0xff, 0xff, 0xff], &message[..]].concat(), "8"),
        ("large", "", framed(0, &request_of(1 << 20)), "8"),
        ("gzip bomb", "gzip", framed(1, &gzip_bomb), "8"),
        ("zstd bomb", "zstd", framed(1, &zstd_bomb), "8"),
    ];
    for (what, encoding, body, code) in rows {
        let headers = [("grpc-encoding", encoding)];
        let headers = if encoding.is_empty() { &[][..] } else { &headers[..] };
        let answer = grpc.send_raw(EXPORT, headers, body).await;
        assert_eq!((answer.status.as_u16(), answer.code(), answer.retry_delay()), (200, code, None), "{what}");
        assert_eq!(answer.header("content-type"), "application/grpc", "{what}");
        assert_eq!(answer.header("grpc-accept-encoding"), "identity,gzip,zstd,deflate", "{what}");
    }
    assert_eq!(receiver.journal.len(), 1);
}

#[tokio::test]
async fn what_is_not_an_export_of_traces_is_unimplemented_or_not_grpc() {
    let receiver = Receiver::start().await;
    let mut grpc = GrpcClient::connect(receiver.grpc).await;
    let body = framed(0, &request_of(10));
    for path in [
        "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export",
        "/opentelemetry.proto.collector.logs.v1.LogsService/Import",
        "/opentelemetry.proto.collector.trace.v1.TraceService/Import",
        "/",
    ] {
        assert_eq!(grpc.send_raw(path, &[], body.clone()).await.code(), "12", "{path}");
    }
    for (content_type, status) in [
        ("application/grpc", 200),
        ("application/grpc+proto", 200),
        ("Application/gRPC; charset=x", 200),
        ("application/grpc+json", 415),
        ("application/grpc-web", 415),
        ("application/x-protobuf", 415),
    ] {
        let answer = grpc.send_raw(EXPORT, &[("content-type", content_type)], body.clone()).await;
        assert_eq!(answer.status, status, "{content_type}");
    }
    let get = Request::get(format!("http://weir{EXPORT}")).header("content-type", "application/grpc");
    let answer = grpc.send(get.body(Full::<Bytes>::default()).expect("a request")).await.expect("an answer");
    assert_eq!(answer.code(), "12");
    let mut http = HttpClient::connect(receiver.grpc).await;
    let answer = http.send("GET", "/", &[], Vec::new()).await;
    assert_eq!(answer.status, 415);
    assert!(answer.body.starts_with(b"this port speaks OTLP/gRPC"));
    let mut http = HttpClient::connect(receiver.grpc).await;
    assert_eq!(http.send("POST", EXPORT, &[("content-type", "application/grpc")], body).await.status, 415);
}

#[tokio::test]
async fn http_has_a_status_for_each_fault() {
    let receiver =
        Receiver::start_with(|config| config.protocols.http.as_mut().expect("on").max_request_body_size = 1 << 20)
            .await;
    let message = request_of(10);
    let bomb = vec![0; 100 << 20];
    let protobuf = ("content-type", "application/x-protobuf");
    let gzipped = ("content-encoding", "gzip");
    let zstd_encoded = ("content-encoding", "zstd");
    type Row<'a> = (&'a str, &'a str, &'a str, Vec<(&'a str, &'a str)>, Vec<u8>, u16, i32);
    let rows: Vec<Row<'_>> = vec![
        ("profiles", "POST", "/v1/profiles", vec![protobuf], message.clone(), 404, 12),
        ("elsewhere", "GET", "/", vec![], vec![], 404, 12),
        ("get", "GET", "/v1/traces", vec![], vec![], 405, 12),
        ("put", "PUT", "/v1/traces", vec![protobuf], message.clone(), 405, 12),
        ("no content type", "POST", "/v1/traces", vec![], message.clone(), 415, 3),
        (
            "json of another kind",
            "POST",
            "/v1/traces",
            vec![("content-type", "application/json5")],
            b"{}".to_vec(),
            415,
            3,
        ),
        ("almost", "POST", "/v1/traces", vec![("content-type", "application/x-protobuf2")], message.clone(), 415, 3),
        ("brotli", "POST", "/v1/traces", vec![protobuf, ("content-encoding", "br")], message.clone(), 415, 12),
        ("not gzip", "POST", "/v1/traces", vec![protobuf, gzipped], message.clone(), 400, 3),
        ("cut zstd", "POST", "/v1/traces", vec![protobuf, zstd_encoded], zstd(&message)[..20].to_vec(), 400, 3),
        ("large", "POST", "/v1/traces", vec![protobuf], request_of(1 << 20), 413, 8),
        ("gzip bomb", "POST", "/v1/traces", vec![protobuf, gzipped], gzip(&bomb), 413, 8),
        ("zstd bomb", "POST", "/v1/traces", vec![protobuf, zstd_encoded], zstd(&bomb), 413, 8),
    ];
    for (what, method, path, headers, body, status, code) in rows {
        let mut http = HttpClient::connect(receiver.http).await;
        let answer = http.send(method, path, &headers, body).await;
        assert_eq!((answer.status.as_u16(), answer.rpc_status().code), (status, code), "{what}");
        assert_eq!(answer.header("allow"), if status == 405 { "POST" } else { "" }, "{what}");
        assert_eq!(answer.header("retry-after"), "", "{what}");
    }
    assert_eq!(receiver.journal.len(), 0);
    let mut http = HttpClient::connect(receiver.http).await;
    let parameters = [("content-type", "application/x-protobuf; charset=utf-8")];
    assert_eq!(http.send("POST", "/v1/traces", &parameters, message).await.status, 200);
}

#[tokio::test]
async fn a_body_beyond_the_limit_without_a_length_is_too_large() {
    let receiver =
        Receiver::start_with(|config| config.protocols.http.as_mut().expect("on").max_request_body_size = 1000).await;
    let mut socket = TcpStream::connect(receiver.http).await.expect("listening");
    let head = "POST /v1/traces HTTP/1.1\r\nhost: w\r\ncontent-type: application/x-protobuf\r\n\
                transfer-encoding: chunked\r\n\r\n";
    let chunk = format!("258\r\n{}\r\n", "x".repeat(600));
    socket.write_all(format!("{head}{chunk}{chunk}{chunk}0\r\n\r\n").as_bytes()).await.expect("open");
    let mut answer = String::new();
    let _ = soon(socket.read_to_string(&mut answer)).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn extreme_spans_are_judged_alone() {
    let receiver = Receiver::start_with(|config| config.span_limits.span_bytes_max = 16 << 20).await;
    let mut grpc = GrpcClient::connect(receiver.grpc).await;
    let mut http = HttpClient::connect(receiver.http).await;
    let rows = [
        ("a million arrays", nested(1_000_000), (1, "rejected spans: too_deep 1")),
        ("63 arrays", nested(63), (0, "")),
        ("100,000 attributes", request(vec![span_with(100_000, 1), span()]), (0, "")),
        ("1,024 attributes", request(vec![span_with(1024, 1)]), (0, "")),
        ("values of 1 MiB", request(vec![span_with(3, 1 << 20)]), (0, "")),
    ];
    for (what, payload, (rejected, message)) in rows {
        assert!(payload.len() < 16 << 20, "{what}: {}", payload.len());
        let expected = (rejected, message.to_owned());
        let answer = grpc.export(&payload).await;
        assert_eq!((answer.code(), answer.partial()), ("0", expected.clone()), "{what}");
        assert_eq!(http.export(&[], payload).await.partial(), expected, "{what}");
    }
}

#[tokio::test]
async fn a_header_of_10_mib_is_431() {
    let receiver = Receiver::start().await;
    for address in [receiver.http, receiver.grpc] {
        let mut socket = TcpStream::connect(address).await.expect("listening");
        let head = format!("POST /v1/traces HTTP/1.1\r\nhost: w\r\nx-large: {}\r\n\r\n", "x".repeat(10 << 20));
        // Read to its end, so that a client that writes everything before it reads gets its answer.
        soon(socket.write_all(head.as_bytes())).await.expect("no reset");
        let mut answer = String::new();
        soon(socket.read_to_string(&mut answer)).await.expect("no reset");
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer:?}");
    }
    let mut http = HttpClient::connect(receiver.http).await;
    assert_eq!(http.export(&[], request_of(10)).await.status, 200);
}
