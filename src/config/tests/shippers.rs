//! What shippers push to, in configurations: Elasticsearch's bulk requests, Splunk's events, syslog.

use super::*;

#[test]
fn receivers_of_shippers_are_named_by_their_ports() {
    let text = "receivers:
  elasticsearch_bulk: {endpoint: 0.0.0.0:9200}
  splunk_hec: {endpoint: 0.0.0.0:8088, tokens: 'a,b'}
  syslog: {tcp: {listen_address: 0.0.0.0:601}, protocol: rfc3164, location: '+02:00'}
";
    let config = parse(text).unwrap_or_else(|error| panic!("{error}"));
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    let ReceiverConfig::Elasticsearch(bulk) = &config.receivers["elasticsearch_bulk"] else { panic!("documents") };
    assert_eq!(bulk.endpoint, "0.0.0.0:9200");
    let ReceiverConfig::SplunkHec(hec) = &config.receivers["splunk_hec"] else { panic!("events") };
    assert_eq!(hec.tokens, ["a", "b"]);
    let ReceiverConfig::Syslog(syslog) = &config.receivers["syslog"] else { panic!("messages") };
    assert_eq!((syslog.location, syslog.udp.is_none()), (7200, true));
    assert_eq!(syslog.tcp.as_ref().map(|tcp| tcp.listen_address.as_str()), Some("0.0.0.0:601"));
}

#[test]
fn keys_of_the_collector_that_are_needless_are_warned_of() {
    let text = "receivers:
  syslog:
    tcp: {listen_address: 127.0.0.1:601, one_log_per_packet: true}
    enable_octet_counting: true
  splunk_hec: {access_token_passthrough: true}
";
    let config = parse(text).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(config.warnings.len(), 3, "{:?}", config.warnings);
}

#[test]
fn what_cannot_be_is_said() {
    let rows = [
        ("syslog: {}", "there has to be tcp or udp"),
        ("syslog: {tcp: {}, protocol: rfc9999}", "use rfc5424 or rfc3164"),
        ("syslog: {tcp: {}, location: Mars/North}", "use UTC, or an offset"),
        ("syslog: {tcp: {tls: {cert_file: a.pem}}}", "needs cert_file and key_file"),
        ("syslog: {tcp: {}, operators: []}", "is not there yet"),
        ("elasticsearch_bulk: {documents_max: 0}", "too small"),
        ("elasticsearch_bulk: {endpoint: 127.0.0.1:1}\n  splunk_hec: {endpoint: 127.0.0.1:1}", "one address"),
        ("elasticsearch: {}", "elasticsearch_bulk"),
    ];
    for (receiver, words) in rows {
        let error = parse(&format!("receivers:\n  {receiver}\n")).expect_err(receiver).to_string();
        assert!(error.contains(words), "{receiver}: {error}");
    }
}
