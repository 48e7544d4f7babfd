//! Probes of a name server, over UDP and TCP.

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, UdpSocket},
};

use super::world::probed;

/// Two answers of type A, and a code.
fn answer(query: &[u8], code: u8) -> Vec<u8> {
    let mut out = query.to_vec();
    (out[2], out[3], out[7]) = (0x81, code, 2);
    for last in [1, 2] {
        out.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, last]);
    }
    out
}

async fn server(code: u8) -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let address = socket.local_addr().expect("bound");
    let listener = TcpListener::bind(address).await.expect("the same port");
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            // Somebody else's first, which is passed over.
            let mut other = answer(&buffer[..length], code);
            other[0] ^= 1;
            let _ = socket.send_to(&other, from).await;
            let _ = socket.send_to(&answer(&buffer[..length], code), from).await;
        }
    });
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let length = stream.read_u16().await.expect("a length");
            let mut query = vec![0; usize::from(length)];
            stream.read_exact(&mut query).await.expect("a question");
            let answer = answer(&query, code);
            let _ = stream.write_u16(answer.len() as u16).await;
            let _ = stream.write_all(&answer).await;
        }
    });
    address.to_string()
}

#[tokio::test]
async fn a_name_is_asked_for() {
    let address = server(0).await;
    for transport in ["udp", "tcp"] {
        let dns = json!({"query_name": "example.org", "query_type": "A", "transport_protocol": transport});
        let seen = probed(json!({"prober": "dns", "dns": dns}), &address).await;
        assert!(seen.is_ok(), "{:?}", seen.failure);
        assert_eq!(seen.gauge("probe_dns_answer_rrs"), Some(2.0));
        assert_eq!(seen.gauge("probe_dns_query_succeeded"), Some(1.0));
        assert_eq!(seen.phases(), ["resolve", "connect", "request"]);
        assert!(seen.gauge("probe_dns_duration_seconds{phase=\"request\"}").is_some_and(|seconds| seconds > 0.0));
    }
}

#[tokio::test]
async fn answers_have_to_be_as_expected() {
    let (address, failing) = (server(0).await, server(3).await);
    let with = |key: &str, expressions: &[&str]| json!({"prober": "dns", "dns": {"query_name": "example.org.", "validate_answer_rrs": {key: expressions}}});
    for (key, expressions, is_ok) in [
        ("fail_if_matches_regexp", vec!["192.0.2.2"], false),
        ("fail_if_matches_regexp", vec!["192.0.2.3"], true),
        ("fail_if_all_match_regexp", vec!["192.0.2.*"], true),
        ("fail_if_all_match_regexp", vec!["192.0.2.1"], false),
        ("fail_if_not_matches_regexp", vec!["example.org.\t60\tIN\tA\t192.*"], true),
        ("fail_if_not_matches_regexp", vec!["192.0.2.1"], false),
        ("fail_if_none_matches_regexp", vec!["192.0.2.1"], true),
        ("fail_if_none_matches_regexp", vec!["10.*"], false),
    ] {
        let seen = probed(with(key, &expressions), &address).await;
        assert_eq!(seen.is_ok(), is_ok, "{key} {expressions:?}: {:?}", seen.failure);
    }
    let missing = json!({"query_name": "a", "validate_additional_rrs": {"fail_if_none_matches_regexp": ["."]}});
    let seen = probed(json!({"prober": "dns", "dns": missing}), &address).await;
    assert!(seen.failed().contains("additional RRs validation failed"), "{:?}", seen.failure);
    let seen = probed(json!({"prober": "dns", "dns": {"query_name": "a"}}), &failing).await;
    assert_eq!(seen.failed(), "rcode NXDOMAIN is not one of the valid rcodes");
    let valid = json!({"query_name": "a", "valid_rcodes": ["NXDOMAIN"]});
    assert!(probed(json!({"prober": "dns", "dns": valid}), &failing).await.is_ok());
}
