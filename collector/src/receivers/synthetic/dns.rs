//! Probes of name servers: one question, and conditions on what is answered.

pub(super) mod message;
pub(super) mod names;

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UdpSocket,
};

use self::message::{Message, Record};
use super::{
    findings::Findings,
    module::{DnsProbe, RrValidator, TransportProtocol},
    probe::{Bounds, Ready},
    resolve::{Resolved, Wanted, split},
    stream::{self, Stream},
    tcp::source,
};

/// Largest answer: what the two bytes of a length can say.
const ANSWER_BYTES_MAX: usize = 65_535;

/// Asks the server at `host` or `host:port`.
pub(super) async fn probe(
    ready: &Ready,
    target: &str,
    bounds: Bounds<'_>,
    findings: &mut Findings,
) -> Result<(), String> {
    findings.count_phases("probe_dns_duration_seconds", &["resolve", "connect", "request"]);
    for family in
        ["probe_dns_answer_rrs", "probe_dns_authority_rrs", "probe_dns_additional_rrs", "probe_dns_query_succeeded"]
    {
        findings.gauges.set(family, 0.0);
    }
    let settings = &ready.module.dns;
    let (host, port) = split(target)?;
    let port = port.unwrap_or(if settings.dns_over_tls { 853 } else { 53 });
    findings.note("dns.question.name", settings.query_name.as_str());
    findings.note("server.address", host);
    findings.note("server.port", i64::from(port));
    let wanted = Wanted { protocol: settings.preferred_ip_protocol, fallback: settings.ip_protocol_fallback };
    let address = Resolved::default().address(host, wanted, bounds.allow, findings).await?;
    let query = query(settings)?;
    let server = SocketAddr::from((address, port));
    let answer = match settings.transport_protocol {
        TransportProtocol::Udp => over_udp(settings, server, &query, findings).await?,
        TransportProtocol::Tcp => over_tcp(ready, (host, server), &query, findings).await?,
    };
    let message = Message::read(&answer).ok_or("the answer is no message of DNS")?;
    findings.gauges.set("probe_dns_query_succeeded", 1.0);
    judge(settings, &message, findings)
}

fn query(settings: &DnsProbe) -> Result<Vec<u8>, String> {
    let mut id = [0; 2];
    getrandom::fill(&mut id).map_err(|error| format!("no randomness: {error}"))?;
    let record_type = if settings.query_type.is_empty() { "ANY" } else { &settings.query_type };
    let class = if settings.query_class.is_empty() { "IN" } else { &settings.query_class };
    let question = names::encoded(&settings.query_name).zip(names::record_type(record_type)).zip(names::class(class));
    let ((name, record_type), class) = question.ok_or("the question was not checked")?;
    Ok(message::query(u16::from_be_bytes(id), &name, record_type, class, settings.recursion_desired))
}

async fn over_udp(
    settings: &DnsProbe,
    server: SocketAddr,
    query: &[u8],
    findings: &mut Findings,
) -> Result<Vec<u8>, String> {
    let said = |error: std::io::Error| format!("error while sending a DNS query: {error}");
    findings.begin("connect");
    let any: SocketAddr = if server.is_ipv4() { ([0; 4], 0).into() } else { ([0_u16; 8], 0).into() };
    let own = source(&settings.source_ip_address).map_or(any, |source| SocketAddr::new(source, 0));
    let socket = UdpSocket::bind(own).await.map_err(said)?;
    // Only what comes from the server is read then.
    socket.connect(server).await.map_err(said)?;
    findings.end();
    findings.begin("request");
    socket.send(query).await.map_err(said)?;
    let mut buffer = vec![0; ANSWER_BYTES_MAX];
    loop {
        let length = socket.recv(&mut buffer).await.map_err(said)?;
        if message::answers(&buffer[..length], query) {
            findings.end();
            buffer.truncate(length);
            return Ok(buffer);
        }
    }
}

async fn over_tcp(
    ready: &Ready,
    (host, server): (&str, SocketAddr),
    query: &[u8],
    findings: &mut Findings,
) -> Result<Vec<u8>, String> {
    let said = |error: std::io::Error| format!("error while sending a DNS query: {error}");
    let settings = &ready.module.dns;
    findings.begin("connect");
    let tcp = stream::connect(server, source(&settings.source_ip_address)).await?;
    let mut stream = if settings.dns_over_tls {
        let tls = ready.tls.connect(tcp, host, true).await?;
        ready.tls.tell(&tls, findings);
        Stream::Tls(Box::new(tls))
    } else {
        Stream::Plain(tcp)
    };
    findings.end();
    findings.begin("request");
    let mut framed = (query.len() as u16).to_be_bytes().to_vec();
    framed.extend_from_slice(query);
    stream.write_all(&framed).await.map_err(said)?;
    stream.flush().await.map_err(said)?;
    let length = stream.read_u16().await.map_err(said)?;
    let mut answer = vec![0; usize::from(length)];
    stream.read_exact(&mut answer).await.map_err(said)?;
    if !message::answers(&answer, query) {
        return Err("error while sending a DNS query: the answer is to another question".into());
    }
    findings.end();
    Ok(answer)
}

fn judge(settings: &DnsProbe, message: &Message, findings: &mut Findings) -> Result<(), String> {
    let Message { code, answers, authorities, additionals } = message;
    findings.gauges.set("probe_dns_answer_rrs", answers.len() as f64);
    findings.gauges.set("probe_dns_authority_rrs", authorities.len() as f64);
    findings.gauges.set("probe_dns_additional_rrs", additionals.len() as f64);
    findings.note("dns.response.code", names::rcode_name(*code));
    if settings.query_type == "SOA" {
        let serial = answers.iter().rev().find_map(|record| record.serial);
        findings.gauges.set("probe_dns_serial", f64::from(serial.unwrap_or(0)));
    }
    let is_valid = match settings.valid_rcodes.as_slice() {
        [] => *code == 0,
        valid => valid.iter().any(|name| names::rcode(name) == Some(*code)),
    };
    if !is_valid {
        return Err(format!("rcode {} is not one of the valid rcodes", names::rcode_name(*code)));
    }
    for (what, records, conditions) in [
        ("answer", answers, &settings.validate_answer_rrs),
        ("authority", authorities, &settings.validate_authority_rrs),
        ("additional", additionals, &settings.validate_additional_rrs),
    ] {
        check(records, conditions).map_err(|problem| format!("{what} RRs validation failed: {problem}"))?;
    }
    Ok(())
}

/// The conditions in blackbox_exporter's order.
fn check(records: &[Record], conditions: &RrValidator) -> Result<(), String> {
    let RrValidator {
        fail_if_matches_regexp,
        fail_if_all_match_regexp,
        fail_if_not_matches_regexp,
        fail_if_none_matches_regexp,
    } = conditions;
    if records.is_empty() && !fail_if_not_matches_regexp.is_empty() {
        return Err("fail_if_not_matches_regexp specified but no RRs returned".into());
    }
    if records.is_empty() && !fail_if_none_matches_regexp.is_empty() {
        return Err("fail_if_none_matches_regexp specified but no RRs returned".into());
    }
    let (mut any, mut all) = (false, true);
    for Record { line, .. } in records {
        let is_in = |expression: &&super::module::Expression| expression.is_in(line.as_bytes());
        if let Some(found) = fail_if_matches_regexp.iter().find(is_in) {
            return Err(format!("at least one RR matched regexp {:?}: {line}", found.as_str()));
        }
        all &= fail_if_all_match_regexp.iter().all(|expression| is_in(&expression));
        if let Some(missing) = fail_if_not_matches_regexp.iter().find(|expression| !is_in(expression)) {
            return Err(format!("at least one RR did not match regexp {:?}: {line}", missing.as_str()));
        }
        any |= fail_if_none_matches_regexp.iter().any(|expression| is_in(&expression));
    }
    if !fail_if_all_match_regexp.is_empty() && !all {
        return Err("not all RRs matched regexp".into());
    }
    if !fail_if_none_matches_regexp.is_empty() && !any {
        return Err("none of the RRs did matched any regexp".into());
    }
    Ok(())
}
