//! The configuration as users write it.

use serde_json::{from_value, json};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use weir_collector::{
    admission::AdmissionRules,
    processors::Processing,
    receivers::otlp::{self, OtlpConfig},
};
use weir_proto::time::Clock;

#[test]
fn the_collectors_keys_are_read() {
    let config: OtlpConfig = from_value(json!({
        "protocols": {
            "grpc": {
                "endpoint": "0.0.0.0:4317",
                "max_recv_msg_size_mib": 32,
                "max_concurrent_streams": 16,
                "keepalive": {"server_parameters": {"max_connection_idle": "11s", "time": "30s", "timeout": "5s"}},
            },
            "http": {
                "endpoint": ":4318",
                "max_request_body_size": 1000,
                "traces_url_path": "/custom",
                "cors": {"allowed_origins": ["*"], "allowed_headers": ["X"], "max_age": 7200},
                "read_header_timeout": "20s",
                "idle_timeout": "1m30s",
            },
        },
    }))
    .expect("valid");
    assert_eq!(config.check(), Ok(()));
    let (grpc, http) = (config.protocols.grpc.expect("named"), config.protocols.http.expect("named"));
    assert_eq!((grpc.max_recv_msg_size_mib, grpc.max_concurrent_streams, grpc.connections_max), (32, 16, 4096));
    assert_eq!(grpc.keepalive.server_parameters.max_connection_idle.map(|idle| idle.as_secs()), Some(11));
    assert_eq!((http.max_request_body_size, http.idle_timeout.as_secs(), http.cors.max_age), (1000, 90, 7200));
}

#[test]
fn only_what_is_listed_is_on() {
    let on = |value| {
        let config: OtlpConfig = from_value(value).expect("valid");
        (config.protocols.grpc.is_some(), config.protocols.http.is_some(), config.check().is_ok())
    };
    assert_eq!(on(json!({})), (true, true, true));
    assert_eq!(on(json!({"protocols": {"grpc": null}})), (true, false, true));
    assert_eq!(on(json!({"protocols": {"http": {}}})), (false, true, true));
    assert_eq!(on(json!({"protocols": {}})), (false, false, false));
}

#[test]
fn mistakes_are_named() {
    let rows = [
        (json!({"protocol": {}}), "unknown field `protocol`"),
        (json!({"protocols": {"grpc": {"endpont": "x"}}}), "unknown field `endpont`"),
        (json!({"protocols": {"grpc": {"read_timeout": "soon"}}}), "`soon` is not a duration"),
        (
            json!({"protocols": {"grpc": {"max_recv_msg_size_mib": 0}}}),
            "protocols.grpc.max_recv_msg_size_mib: 0 is too small; at least 1",
        ),
        (json!({"protocols": {"grpc": {"max_recv_msg_size_mib": 4096}}}), "4096 is too large; at most 1024"),
        (
            json!({"protocols": {"http": {"read_timeout": "0"}}}),
            "receivers.otlp.protocols.http.read_timeout: must be longer",
        ),
        (json!({"protocols": {"http": {"traces_url_path": "v1"}}}), "must begin with /"),
        (json!({"inflight_mib_max": 0}), "receivers.otlp.inflight_mib_max: 0 is too small; at least 1"),
    ];
    for (value, expected) in rows {
        let message = match from_value::<OtlpConfig>(value.clone()) {
            Err(error) => error.to_string(),
            Ok(config) => config.check().expect_err("a mistake").to_string(),
        };
        assert!(message.contains(expected), "{value}: {message}");
    }
}

#[tokio::test]
async fn only_the_listed_protocol_is_served_and_a_taken_port_fails_the_start() {
    let start = async |endpoint: &str| {
        let config: OtlpConfig = from_value(json!({"protocols": {"http": {"endpoint": endpoint}}})).expect("valid");
        let rules = AdmissionRules {
            limits: config.span_limits.into(),
            accept_past: None,
            accept_future: None,
            processing: Processing::NONE,
            line_ids: weir_proto::otlp::logs::IdNames::USUAL,
        };
        let append = std::sync::Arc::new(|_| -> futures_util::future::BoxFuture<'static, _> { unreachable!() });
        let authenticate = std::sync::Arc::new(|_: &weir_port::Caller<'_>| Ok(Default::default()));
        let (tracker, shutdown) = (TaskTracker::new(), CancellationToken::new());
        let (samples, _store, _folder) = crate::port::samples().await;
        otlp::start(&config, rules, Clock::fixed(0), append, samples, authenticate, &tracker, shutdown).await
    };
    let listening = start("127.0.0.1:0").await.expect("a free port");
    assert_eq!(listening.iter().map(|port| port.protocol).collect::<Vec<_>>(), ["OTLP/HTTP"]);
    let taken = listening[0].address.to_string();
    let error = start(&taken).await.expect_err("taken").to_string();
    assert!(error.contains(&taken), "{error}");
}
