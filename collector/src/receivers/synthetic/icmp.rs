//! Probes by ICMP's echo, over a raw socket where that is allowed, else over one of the kernel's ping sockets.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::atomic::{AtomicU16, Ordering},
};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use super::{
    findings::Findings,
    module::IcmpProbe,
    probe::Bounds,
    resolve::{Resolved, Wanted},
    tcp::source,
};

/// What an echo carries, unless a module says how much.
const TEXT: &[u8] = b"Weir asks whether you are there";

const V4_REQUEST: u8 = 8;
const V4_REPLY: u8 = 0;
const V6_REQUEST: u8 = 128;
const V6_REPLY: u8 = 129;
const HEADER_BYTES: usize = 8;
const V4_HEADER_BYTES: usize = 20;
const DONT_FRAGMENT: u16 = 0x4000;

/// Numbers of echoes, so that two probes at once do not take each other's replies.
static SEQUENCE: AtomicU16 = AtomicU16::new(0);

/// A socket, and whether it is a raw one.
struct Echoes {
    socket: UdpSocket,
    is_raw: bool,
}

/// Sends one echo and waits for its reply.
pub(super) async fn probe(
    settings: &IcmpProbe,
    target: &str,
    bounds: Bounds<'_>,
    findings: &mut Findings,
) -> Result<(), String> {
    findings.count_phases("probe_icmp_duration_seconds", &["resolve", "setup", "rtt"]);
    findings.note("server.address", target);
    let wanted = Wanted { protocol: settings.preferred_ip_protocol, fallback: settings.ip_protocol_fallback };
    let address = Resolved::default().address(target, wanted, bounds.allow, findings).await?;
    findings.begin("setup");
    let echoes = open(settings, address)?;
    let mut id = [0; 2];
    getrandom::fill(&mut id).map_err(|error| format!("no randomness: {error}"))?;
    let sequence = SEQUENCE.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    let echo = echo(settings, address, id, sequence);
    findings.end();
    findings.begin("rtt");
    let said = |error: io::Error| format!("error writing to socket: {error}");
    let packet =
        if settings.dont_fragment && address.is_ipv4() { framed(settings, address, &echo) } else { echo.clone() };
    echoes.socket.send_to(&packet, SocketAddr::new(address, 0)).await.map_err(said)?;
    let mut buffer = vec![0; 65_536];
    loop {
        let (length, from) = echoes
            .socket
            .recv_from(&mut buffer)
            .await
            .map_err(|error| format!("error reading from socket: {error}"))?;
        if from.ip() != address {
            continue;
        }
        let (reply, hops) = unframed(&buffer[..length], echoes.is_raw && address.is_ipv4());
        if is_reply(reply, &echo, address, echoes.is_raw) {
            findings.end();
            if let Some(hops) = hops {
                findings.gauges.set("probe_icmp_reply_hop_limit", f64::from(hops));
            }
            return Ok(());
        }
    }
}

fn open(settings: &IcmpProbe, address: IpAddr) -> Result<Echoes, String> {
    let (domain, protocol) = match address {
        IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4),
        IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6),
    };
    let needs_raw = settings.dont_fragment && address.is_ipv4();
    let (socket, is_raw) = match Socket::new(domain, Type::RAW, Some(protocol)) {
        Ok(socket) => (socket, true),
        Err(error) if needs_raw => {
            return Err(format!(
                "dont_fragment needs a raw socket, which this process may not open (CAP_NET_RAW): {error}"
            ));
        }
        Err(raw) => match Socket::new(domain, Type::DGRAM, Some(protocol)) {
            Ok(socket) => (socket, false),
            Err(ping) => {
                return Err(format!(
                    "no echo can be sent: neither a raw socket (CAP_NET_RAW: {raw}) nor a ping socket \
                     (net.ipv4.ping_group_range: {ping}) may be opened"
                ));
            }
        },
    };
    let said = |error: io::Error| format!("error listening to socket: {error}");
    socket.set_nonblocking(true).map_err(said)?;
    if needs_raw {
        socket.set_header_included_v4(true).map_err(said)?;
    }
    if settings.ttl > 0 {
        match address {
            IpAddr::V4(_) => socket.set_ttl_v4(settings.ttl),
            IpAddr::V6(_) => socket.set_unicast_hops_v6(settings.ttl),
        }
        .map_err(said)?;
    }
    if let Some(source) = source(&settings.source_ip_address) {
        socket.bind(&SocketAddr::new(source, 0).into()).map_err(said)?;
    }
    // Addresses and packets of such a socket are read and written as those of UDP.
    let socket = UdpSocket::from_std(std::net::UdpSocket::from(socket)).map_err(said)?;
    Ok(Echoes { socket, is_raw })
}

/// The message of ICMP.
fn echo(settings: &IcmpProbe, address: IpAddr, id: [u8; 2], sequence: [u8; 2]) -> Vec<u8> {
    let request = if address.is_ipv4() { V4_REQUEST } else { V6_REQUEST };
    let mut out = vec![request, 0, 0, 0, id[0], id[1], sequence[0], sequence[1]];
    let size = if settings.payload_size == 0 { TEXT.len() } else { settings.payload_size };
    out.extend_from_slice(&TEXT[..size.min(TEXT.len())]);
    out.resize(HEADER_BYTES + size, 0);
    // For IPv6 the kernel does it: its sum is also over addresses.
    if address.is_ipv4() {
        let sum = checksum(&out).to_be_bytes();
        out[2..4].copy_from_slice(&sum);
    }
    out
}

/// A packet of IPv4 around it, which routers may not cut; the kernel fills in lengths, sum and source.
fn framed(settings: &IcmpProbe, address: IpAddr, echo: &[u8]) -> Vec<u8> {
    let IpAddr::V4(to) = address else { return echo.to_vec() };
    let from = match source(&settings.source_ip_address) {
        Some(IpAddr::V4(from)) => from,
        _ => Ipv4Addr::UNSPECIFIED,
    };
    let ttl = if settings.ttl == 0 { 64 } else { settings.ttl as u8 };
    let length = ((V4_HEADER_BYTES + echo.len()) as u16).to_be_bytes();
    let flags = DONT_FRAGMENT.to_be_bytes();
    let mut out = vec![0x45, 0, length[0], length[1], 0, 0, flags[0], flags[1], ttl, 1, 0, 0];
    out.extend_from_slice(&from.octets());
    out.extend_from_slice(&to.octets());
    out.extend_from_slice(echo);
    out
}

/// A message without the packet that raw sockets of IPv4 show around it, and how many hops it had left.
fn unframed(packet: &[u8], has_header: bool) -> (&[u8], Option<u8>) {
    if !has_header || packet.len() < V4_HEADER_BYTES {
        return (packet, None);
    }
    let length = usize::from(packet[0] & 0x0f) * 4;
    (packet.get(length..).unwrap_or_default(), Some(packet[8]))
}

/// Whether a message answers this echo. Ping sockets have ids of their own, which the kernel looks at.
fn is_reply(reply: &[u8], echo: &[u8], address: IpAddr, is_raw: bool) -> bool {
    let expected = if address.is_ipv4() { V4_REPLY } else { V6_REPLY };
    reply.len() == echo.len()
        && reply[0] == expected
        && (!is_raw || reply[4..6] == echo[4..6])
        && reply[6..] == echo[6..]
}

/// RFC 1071.
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 =
        bytes.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_echo_and_its_reply() {
        let address: IpAddr = "192.0.2.1".parse().expect("an address");
        let settings = IcmpProbe { payload_size: 101, ..IcmpProbe::default() };
        let sent = echo(&settings, address, [1, 2], [3, 4]);
        assert_eq!((sent.len(), checksum(&sent)), (109, 0));
        let mut reply = sent.clone();
        reply[0] = V4_REPLY;
        assert!(is_reply(&reply, &sent, address, true));
        reply[4] = 9;
        assert!(!is_reply(&reply, &sent, address, true) && is_reply(&reply, &sent, address, false));
        reply[7] = 9;
        assert!(!is_reply(&reply, &sent, address, false));
        let packet = framed(&settings, address, &sent);
        assert_eq!(unframed(&packet, true), (sent.as_slice(), Some(64)));
        assert_eq!(unframed(&[], true), (&[][..], None));
    }
}
