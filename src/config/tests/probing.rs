//! blackbox_exporter's modules in the configuration: its own examples, and wrong ones with their places.

use super::{message, parse};
use crate::config::ReceiverConfig;

/// From blackbox_exporter's blackbox.yml and example.yml, as they stand there.
const VERBATIM: &str = r#"
receivers:
  synthetic:
    modules:
      http_2xx:
        prober: http
        http:
          preferred_ip_protocol: "ip4"
      http_post_2xx:
        prober: http
        http: {method: POST}
      http_2xx_example:
        prober: http
        timeout: 5s
        http:
          valid_http_versions: ["HTTP/1.1", "HTTP/2.0"]
          valid_status_codes: []
          method: GET
          headers:
            Host: vhost.example.com
            Accept-Language: en-US
            Origin: example.com
          follow_redirects: true
          fail_if_ssl: false
          fail_if_not_ssl: false
          fail_if_body_matches_regexp:
            - "Could not connect to database"
          fail_if_body_not_matches_regexp:
            - "Download the latest version here"
          fail_if_header_matches:
            - header: Set-Cookie
              allow_missing: true
              regexp: '.*'
          fail_if_header_not_matches:
            - header: Access-Control-Allow-Origin
              regexp: '(\*|example\.com)'
          tls_config:
            insecure_skip_verify: false
          preferred_ip_protocol: "ip4"
          ip_protocol_fallback: false
      http_gzip:
        prober: http
        http: {method: GET, compression: gzip, headers: {Accept-Encoding: "gzip, br"}}
      tls_connect:
        prober: tcp
        timeout: 5s
        tcp: {tls: true}
      imap_starttls:
        prober: tcp
        timeout: 5s
        tcp:
          query_response:
            - expect: "OK.*STARTTLS"
            - send: ". STARTTLS"
            - expect: "OK"
            - starttls: true
            - send: ". capability"
            - expect: "CAPABILITY IMAP4rev1"
      irc_banner:
        prober: tcp
        timeout: 5s
        tcp:
          query_response:
            - send: "NICK prober"
            - expect: "PING :([^ ]+)"
              send: "PONG ${1}"
            - expect: "^:[^ ]+ 001"
      icmp_test:
        prober: icmp
        timeout: 5s
        icmp: {preferred_ip_protocol: "ip4", source_ip_address: "127.0.0.1"}
      dns_test:
        prober: dns
        timeout: 5s
        dns:
          query_name: example.com
          preferred_ip_protocol: ip4
          ip_protocol_fallback: false
          validate_answer_rrs:
            fail_if_matches_regexp: [test]
      grpc_plain:
        prober: grpc
        grpc: {tls: false, service: "service1"}
    probes:
      - job_name: blackbox
        module: http_2xx
        static_configs:
          - targets: [http://prometheus.io, https://prometheus.io, http://example.com:8080]
        relabel_configs:
          - source_labels: [__address__]
            target_label: __param_target
          - source_labels: [__param_target]
            target_label: instance
          - target_label: __address__
            replacement: 127.0.0.1:9115
"#;

#[test]
fn blackbox_exporters_own_modules_are_taken_verbatim() {
    let config = parse(VERBATIM).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(config.warnings, Vec::<String>::new());
    let ReceiverConfig::Synthetic(synthetic) = &config.receivers["synthetic"] else { panic!("a prober") };
    assert_eq!(synthetic.modules.len(), 10);
    assert_eq!((synthetic.probes[0].interval.as_secs(), synthetic.repeat_interval_max.as_secs()), (300, 120));
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let of = |module: &str| format!("receivers:\n  synthetic:\n    modules:\n      m: {module}\n");
    for (text, expected) in [
        (
            of("{prober: http, http: {proxy_url: 'http://p'}}"),
            "weir.yaml:4:32: receivers.synthetic.modules.m.http.proxy_url is not there yet: targets are asked directly",
        ),
        (
            of("{prober: http, http: {compression: gzip, headers: {Accept-Encoding: 'br, gzip;q=0'}}}"),
            "weir.yaml:4:45: receivers.synthetic.modules.m.http.compression: invalid configuration \"Accept-Encoding: \
             br, gzip;q=0\", \"compression: gzip\"",
        ),
        (
            of("{prober: dns, dns: {query_name: a, query_type: AAAAA}}"),
            "weir.yaml:4:57: receivers.synthetic.modules.m.dns.query_type: query type 'AAAAA' is not valid",
        ),
        (
            of("{prober: dns, dns: {query_name: a, valid_rcodes: [NXDOMIAN]}}"),
            "weir.yaml:4:59: receivers.synthetic.modules.m.dns.valid_rcodes: unknown rcode `NXDOMIAN`; did you mean \
             `NXDOMAIN`? Known here: NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, YXDOMAIN, YXRRSET, \
             NXRRSET, NOTAUTH, NOTZONE",
        ),
        (
            of("{prober: icmp, icmp: {ttl: 256}}"),
            "weir.yaml:4:37: receivers.synthetic.modules.m.icmp.ttl: \"ttl\" cannot exceed 255",
        ),
        (
            "receivers:\n  synthetic:\n    allow: [10.0.0.0/33]\n".into(),
            "weir.yaml:3:13: receivers.synthetic.allow: `10.0.0.0/33` is no network; write it like 10.0.0.0/8, \
             fd00::/8 or 192.168.1.7",
        ),
        (
            "receivers:\n  synthetic:\n    probes: [{job_name: a}]\n".into(),
            "weir.yaml:3:13: receivers.synthetic.probes: \"a\": no module is named",
        ),
    ] {
        assert_eq!(message(&text), expected);
    }
}
