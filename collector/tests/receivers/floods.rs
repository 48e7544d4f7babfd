//! HTTP/2 clients that misbehave frame by frame.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    payload::request_of,
    port::{GrpcClient, Receiver, soon},
};

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

/// `:method: POST`, `:scheme: http`, `:path: /` from HPACK's static table.
const POST: &[u8] = &[0x83, 0x86, 0x84];

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// Sends the preface and `frames`, and reads what comes back until the connection ends or `enough` frames came.
async fn exchange(
    address: SocketAddr,
    frames: Vec<u8>,
    enough: impl Fn(&[(u8, Vec<u8>)]) -> bool,
) -> Vec<(u8, Vec<u8>)> {
    let socket = TcpStream::connect(address).await.expect("listening");
    let (mut reader, mut writer) = socket.into_split();
    let preface = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &frame(SETTINGS, 0, 0, &[])[..]].concat();
    let writing = tokio::spawn(async move {
        let _ = writer.write_all(&[preface, frames].concat()).await;
        writer
    });
    let mut answers = Vec::new();
    let reading = async {
        while !enough(&answers) {
            let mut head = [0; 9];
            if reader.read_exact(&mut head).await.is_err() {
                return;
            }
            let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
            if reader.read_exact(&mut payload).await.is_err() {
                return;
            }
            answers.push((head[3], payload));
        }
    };
    soon(reading).await;
    drop(writing.await);
    answers
}

fn goaway_code(answers: &[(u8, Vec<u8>)]) -> Option<u32> {
    let (_, payload) = answers.iter().rfind(|(kind, _)| *kind == GOAWAY)?;
    Some(u32::from_be_bytes(payload[4..8].try_into().expect("a code")))
}

#[tokio::test]
async fn a_flood_of_resets_ends_the_connection() {
    const ENHANCE_YOUR_CALM: u32 = 11;
    let receiver = Receiver::start().await;
    for address in [receiver.grpc, receiver.http] {
        let mut flood = Vec::new();
        for stream in (1..20_001).step_by(2) {
            flood.extend(frame(HEADERS, END_HEADERS, stream, POST));
            flood.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
        }
        let answers = exchange(address, flood, |answers| goaway_code(answers).is_some()).await;
        assert_eq!(goaway_code(&answers), Some(ENHANCE_YOUR_CALM));
    }
    assert_eq!(GrpcClient::connect(receiver.grpc).await.export(&request_of(10)).await.code(), "0");
}

#[tokio::test]
async fn streams_beyond_the_limit_are_refused() {
    const REFUSED_STREAM: [u8; 4] = [0, 0, 0, 7];
    let receiver =
        Receiver::start_with(|config| config.protocols.grpc.as_mut().expect("on").max_concurrent_streams = 4).await;
    let mut flood = Vec::new();
    // A call of the method that is served, so that each stream waits for its message: literals without indexing,
    // with the names of :path (4) and content-type (31) from the static table.
    let path = crate::port::EXPORT.as_bytes();
    let content_type = b"application/grpc";
    let path_literal = [&[0x04, path.len() as u8], path].concat();
    let type_literal = [&[0x0f, 0x10, content_type.len() as u8], &content_type[..]].concat();
    let headers = [&POST[..2], &path_literal, &type_literal].concat();
    for stream in [1, 3, 5, 7, 9, 11] {
        flood.extend(frame(HEADERS, END_HEADERS, stream, &headers));
    }
    let refused = |answers: &[(u8, Vec<u8>)]| {
        answers.iter().filter(|(kind, payload)| *kind == RST_STREAM && *payload == REFUSED_STREAM).count()
    };
    let answers = exchange(receiver.grpc, flood, |answers| refused(answers) == 2).await;
    assert_eq!(refused(&answers), 2);
    assert_eq!(GrpcClient::connect(receiver.grpc).await.export(&request_of(10)).await.code(), "0");
}

#[tokio::test]
async fn endless_headers_end_the_connection() {
    let receiver = Receiver::start().await;
    // A literal header of 10,000 bytes again and again, never the end.
    let mut block = vec![0x00, 1, b'x', 0x7f, 0x91, 0x4d];
    block.extend([b'y'; 10_000]);
    let mut flood = frame(HEADERS, 0, 1, POST);
    for _ in 0..1000 {
        flood.extend(frame(CONTINUATION, 0, 1, &block));
    }
    let answers = exchange(receiver.grpc, flood, |answers| goaway_code(answers).is_some()).await;
    assert_ne!(goaway_code(&answers), Some(0));
    assert_eq!(GrpcClient::connect(receiver.grpc).await.export(&request_of(10)).await.code(), "0");
}
