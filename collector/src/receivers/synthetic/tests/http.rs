//! Probes over HTTP: answers, conditions, redirects, TLS.

use std::sync::Arc;

use parking_lot::Mutex;
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use serde_json::json;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use super::world::{probed, probed_allowing};

const AUTHORITY: &str = include_str!("authority.pem");

/// Answers each request by its head; what was asked is kept.
struct Site {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

type Answers = fn(&str) -> String;

async fn head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\r\n\r\n") && stream.read(&mut byte).await.is_ok_and(|read| read == 1) {
        text.push(byte[0]);
    }
    String::from_utf8(text).expect("text")
}

async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, asked: &Mutex<Vec<String>>, answers: Answers) {
    let head = head(&mut stream).await;
    let text = answers(&head);
    asked.lock().push(head);
    let _ = stream.write_all(text.as_bytes()).await;
    let _ = stream.shutdown().await;
}

async fn site(answers: Answers) -> Site {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let keeping = asked.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            answer(stream, &keeping, answers).await;
        }
    });
    Site { address, asked }
}

async fn secure_site(answers: Answers) -> Site {
    let chain: Vec<_> =
        CertificateDer::pem_slice_iter(include_bytes!("server.pem")).map(|der| der.expect("PEM")).collect();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("server.key")).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("they belong together");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let keeping = asked.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(stream) = acceptor.accept(stream).await {
                answer(stream, &keeping, answers).await;
            }
        }
    });
    Site { address, asked }
}

fn ok(_: &str) -> String {
    "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx-a: one\r\nx-a: two\r\nlast-modified: Thu, 01 Jan 1970 00:01:40 GMT\r\n\r\nhello"
        .into()
}

#[tokio::test]
async fn an_answer_is_told_of() {
    let site = site(ok).await;
    let seen = probed(json!({"prober": "http"}), &format!("{}/path?q=1", site.address)).await;
    assert!(seen.is_ok(), "{:?}", seen.failure);
    for (name, value) in [
        ("probe_http_status_code", 200.0),
        ("probe_http_content_length", 5.0),
        ("probe_http_uncompressed_body_length", 5.0),
        ("probe_http_redirects", 0.0),
        ("probe_http_ssl", 0.0),
        ("probe_http_version", 1.1),
        ("probe_failed_due_to_regex", 0.0),
        ("probe_http_last_modified_timestamp_seconds", 100.0),
        ("probe_ip_protocol", 4.0),
        ("probe_ip_addr_hash", 3_668_918_509.0),
        ("probe_http_duration_seconds{phase=\"tls\"}", 0.0),
    ] {
        assert_eq!(seen.gauge(name), Some(value), "{name}: {:?}", seen.lines);
    }
    for phase in ["resolve", "connect", "processing", "transfer"] {
        assert!(seen.gauge(&format!("probe_http_duration_seconds{{phase=\"{phase}\"}}")).is_some_and(|s| s > 0.0));
    }
    assert!(seen.gauge("probe_duration_seconds").is_some_and(|seconds| seconds > 0.0));
    assert_eq!(seen.gauge("probe_ssl_earliest_cert_expiry"), None);
    assert_eq!(seen.phases(), ["resolve", "connect", "processing", "transfer"]);
    assert_eq!(seen.attribute("http.response.status_code").as_deref(), Some("200"));
    assert_eq!(seen.attribute("weir.probe.location").as_deref(), Some("here"));
    let asked = site.asked.lock().pop().expect("one request");
    assert!(asked.starts_with("GET /path?q=1 HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains(&format!("00-{}-", seen.trace_id())), "{asked}");
    assert!(asked.contains(&format!("Host: {}\r\n", site.address)), "{asked}");
}

#[tokio::test]
async fn conditions_fail_a_probe() {
    let site = site(ok).await;
    let missing = json!([{"header": "x-b", "regexp": "."}]);
    for (http, reason, due_to_regexp) in [
        (json!({"valid_status_codes": [404, 500]}), "status code 200, wanted one of [404, 500]", 0.0),
        (json!({"valid_http_versions": ["HTTP/2.0"]}), "invalid HTTP version number: HTTP/1.1", 0.0),
        (json!({"fail_if_not_ssl": true}), "final request was not over SSL", 0.0),
        (json!({"fail_if_body_matches_regexp": ["x", "h.l"]}), "body matched regular expression \"h.l\"", 1.0),
        (json!({"fail_if_body_not_matches_regexp": ["h", "^x"]}), "body did not match regular expression \"^x\"", 1.0),
        (json!({"fail_if_header_matches": [{"header": "X-A", "regexp": "^two$"}]}), "header X-A matched", 1.0),
        (json!({"fail_if_header_matches": missing}), "missing required header x-b", 1.0),
        (json!({"fail_if_header_not_matches": missing}), "missing required header x-b", 1.0),
        (
            json!({"fail_if_header_not_matches": [{"header": "x-a", "regexp": "three"}]}),
            "header x-a did not match",
            1.0,
        ),
        (json!({"body_size_limit": "4B"}), "more than 4 bytes", 0.0),
        (json!({"compression": "gzip"}), "failed to decompress HTTP response body", 0.0),
        (json!({"ip_protocol_fallback": false}), "has no address of IPv6", 0.0),
    ] {
        let seen = probed(json!({"prober": "http", "http": http}), &site.address).await;
        assert!(seen.failed().contains(reason), "{reason}: {:?}", seen.failure);
        assert_eq!(seen.gauge("probe_failed_due_to_regex"), Some(due_to_regexp), "{reason}");
    }
    let allowed = json!({
        "valid_status_codes": [200], "valid_http_versions": ["HTTP/1.1"], "preferred_ip_protocol": "ip4",
        "fail_if_body_matches_regexp": ["bye"], "fail_if_body_not_matches_regexp": ["hello"],
        "fail_if_header_matches": [{"header": "x-b", "regexp": ".", "allow_missing": true}],
        "fail_if_header_not_matches": [{"header": "x-a", "regexp": "two"}],
    });
    assert!(probed(json!({"prober": "http", "http": allowed}), &site.address).await.is_ok());
}

#[tokio::test]
async fn a_request_says_what_its_module_says() {
    let site = site(ok).await;
    let http = json!({
        "method": "POST", "body": "ping", "headers": {"Host": "shop.example", "X-Own": "1", "User-Agent": "me"},
        "basic_auth": {"username": "a", "password": "b"}, "compression": "identity",
    });
    assert!(probed(json!({"prober": "http", "http": http}), &site.address).await.is_ok());
    let asked = site.asked.lock().pop().expect("one request");
    assert!(asked.starts_with("POST / HTTP/1.1\r\n"), "{asked}");
    for line in [
        "Host: shop.example",
        "X-Own: 1",
        "User-Agent: me",
        "Content-Length: 4",
        "Authorization: Basic YTpi",
        "Accept-Encoding: identity",
    ] {
        assert!(asked.contains(&format!("{line}\r\n")), "{line}: {asked}");
    }
}

fn leading(head: &str) -> String {
    let place = head.split(' ').nth(1).expect("a path");
    let to = |place: &str| {
        format!("HTTP/1.1 302 Found\r\ncontent-length: 0\r\nset-cookie: c=1; Path=/\r\nlocation: {place}\r\n\r\n")
    };
    match place {
        "/" => to("/next"),
        "/loop" => to("/loop"),
        "/metadata" => to("http://169.254.169.254/latest"),
        "/nowhere" => "HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n".into(),
        other if other.starts_with("/to/") => to(&format!("http://{}/", &other[4..])),
        _ => ok(head),
    }
}

#[tokio::test]
async fn redirects_are_followed_to_places_that_are_allowed() {
    let first = site(leading).await;
    let seen = probed(json!({"prober": "http"}), &first.address).await;
    assert!(seen.is_ok(), "{:?}", seen.failure);
    assert_eq!(seen.gauge("probe_http_redirects"), Some(1.0));
    assert!(first.asked.lock()[1].contains("Cookie: c=1\r\n"));
    let seen = probed(json!({"prober": "http"}), &format!("{}/loop", first.address)).await;
    assert_eq!((seen.gauge("probe_http_redirects"), seen.gauge("probe_http_status_code")), (Some(11.0), Some(302.0)));
    assert!(seen.failed().contains("302"));
    let seen = probed(json!({"prober": "http"}), &format!("{}/metadata", first.address)).await;
    assert!(seen.failed().contains("169.254.169.254 is a cloud's metadata"), "{:?}", seen.failure);
    let seen = probed(json!({"prober": "http"}), &format!("{}/nowhere", first.address)).await;
    assert_eq!((seen.gauge("probe_http_redirects"), seen.is_ok()), (Some(0.0), false));
    let http = json!({"follow_redirects": false, "valid_status_codes": [302]});
    let seen = probed(json!({"prober": "http", "http": http}), &first.address).await;
    assert!(seen.is_ok(), "{:?}", seen.failure);
    let http = json!({"no_follow_redirects": true});
    assert!(!probed(json!({"prober": "http", "http": http}), &first.address).await.is_ok());
}

#[tokio::test]
async fn credentials_stay_with_their_host() {
    let (first, other) = (site(leading).await, site(ok).await);
    let http = json!({
        "headers": {"X-Key": "secret", "Accept": "text/html"}, "authorization": {"credentials": "token"},
        "http_headers": {"X-More": {"secrets": ["secret"]}},
    });
    let target = format!("{}/to/{}", first.address, other.address);
    let seen = probed(json!({"prober": "http", "http": http}), &target).await;
    assert!(seen.is_ok(), "{:?}", seen.failure);
    let (there, elsewhere) = (first.asked.lock()[0].clone(), other.asked.lock()[0].clone());
    for word in ["X-Key: secret", "Authorization: Bearer token", "X-More: secret"] {
        assert!(there.contains(word), "{there}");
    }
    for word in ["secret", "token", "Cookie"] {
        assert!(!elsewhere.contains(word), "{elsewhere}");
    }
    assert!(elsewhere.contains("Accept: text/html") && elsewhere.contains(&seen.trace_id()), "{elsewhere}");
}

#[tokio::test]
async fn what_is_not_public_needs_to_be_allowed() {
    let site = site(ok).await;
    let seen = probed_allowing(json!({"prober": "http"}), &site.address, &["10.0.0.0/8"]).await;
    assert!(seen.failed().contains("127.0.0.1 is loopback"), "{:?}", seen.failure);
    assert!(site.asked.lock().is_empty());
    // Other ways to write the same.
    let port = site.address.rsplit(':').next().expect("a port");
    for host in ["localhost", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1"] {
        let seen = probed_allowing(json!({"prober": "http"}), &format!("http://{host}:{port}/"), &[]).await;
        assert!(!seen.is_ok(), "{host}");
    }
    assert!(site.asked.lock().is_empty());
}

#[tokio::test]
async fn tls_is_told_of() {
    let site = secure_site(ok).await;
    let port = site.address.rsplit(':').next().expect("a port");
    let trusted = json!({"tls_config": {"ca": AUTHORITY}, "preferred_ip_protocol": "ip4"});
    let target = format!("https://localhost:{port}");
    let seen = probed(json!({"prober": "http", "http": trusted}), &target).await;
    assert!(seen.is_ok(), "{:?}", seen.failure);
    assert_eq!(seen.gauge("probe_http_ssl"), Some(1.0));
    assert_eq!(seen.gauge("probe_tls_version_info{version=\"TLS 1.3\"}"), Some(1.0));
    assert_eq!(seen.gauge("probe_ssl_earliest_cert_expiry"), Some(4_906_348_697.0));
    assert_eq!(seen.gauge("probe_ssl_last_chain_expiry_timestamp_seconds"), Some(4_906_348_697.0));
    assert!(
        seen.lines.iter().any(|line| line.starts_with("probe_tls_cipher_info{cipher=\"TLS_AES_")),
        "{:?}",
        seen.lines
    );
    let info = seen.lines.iter().find(|line| line.starts_with("probe_ssl_last_chain_info")).expect("a chain");
    assert!(info.contains("serialnumber=\"7b3a\"") && info.contains("subject=\"CN=probe.example,OU=Tests"), "{info}");
    assert_eq!(seen.phases(), ["resolve", "connect", "tls", "processing", "transfer"]);
    let named =
        json!({"tls_config": {"ca": AUTHORITY, "server_name": "elsewhere.example"}, "preferred_ip_protocol": "ip4"});
    let seen = probed(json!({"prober": "http", "http": named}), &target).await;
    assert!(seen.failed().contains("tls:"), "{:?}", seen.failure);
    assert_eq!(seen.phases(), ["resolve", "connect", "tls"]);
    let status = seen.spans.last().expect("a phase").status.clone().expect("it failed");
    assert_eq!(status.code, 2);
    assert!(!probed(json!({"prober": "http", "http": {"preferred_ip_protocol": "ip4"}}), &target).await.is_ok());
    let any =
        json!({"tls_config": {"insecure_skip_verify": true}, "preferred_ip_protocol": "ip4", "fail_if_ssl": true});
    let seen = probed(json!({"prober": "http", "http": any}), &target).await;
    assert_eq!(seen.failed(), "final request was over SSL");
    assert_eq!(seen.gauge("probe_ssl_last_chain_expiry_timestamp_seconds"), None);
}

#[tokio::test]
async fn a_server_that_never_answers_ends_with_the_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    let seen = probed(json!({"prober": "http", "timeout": "1s"}), &address).await;
    assert_eq!(seen.failed(), "no end within 1s in phase processing");
    assert_eq!(seen.gauge("probe_http_status_code"), Some(0.0));
    assert_eq!(seen.gauge("probe_http_duration_seconds{phase=\"processing\"}"), Some(0.0));
    drop(listener);
    let seen = probed(json!({"prober": "http"}), &address).await;
    assert!(seen.failed().starts_with(&format!("dial tcp {address}: ")), "{:?}", seen.failure);
    assert_eq!(seen.phases(), ["resolve", "connect"]);
}
