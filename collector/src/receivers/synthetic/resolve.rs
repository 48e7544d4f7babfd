//! From a host's name to the one address that is probed, looked at before anything is sent there.

use std::net::{IpAddr, SocketAddr};

use tokio::time::Instant;

use super::{
    allow::{self, Network},
    findings::Findings,
    module::IpProtocol,
};

/// Which addresses a module takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) protocol: IpProtocol,
    pub(super) fallback: bool,
}

/// Names that were resolved during one probe: each once, so that a name server cannot answer otherwise the second time.
#[derive(Debug, Default)]
pub(super) struct Resolved(Vec<(String, IpAddr)>);

impl Resolved {
    /// The address of a host, new or known. The phase `resolve` is the first look-up's and that of each new host.
    pub(super) async fn address(
        &mut self,
        host: &str,
        wanted: Wanted,
        allow: &[Network],
        findings: &mut Findings,
    ) -> Result<IpAddr, String> {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if let Some((_, address)) = self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(host)) {
            return Ok(*address);
        }
        let is_first = self.0.is_empty();
        findings.begin("resolve");
        let begin = Instant::now();
        let found = look_up(host, wanted).await;
        if is_first {
            findings.gauges.set("probe_dns_lookup_time_seconds", begin.elapsed().as_secs_f64());
        }
        let address = found?;
        allow::check(address, allow)?;
        findings.end();
        if is_first {
            findings.gauges.set("probe_ip_protocol", if address.is_ipv4() { 4.0 } else { 6.0 });
            findings.gauges.set("probe_ip_addr_hash", f64::from(hash(address)));
        }
        findings.note("network.peer.address", address.to_string());
        self.0.push((host.to_owned(), address));
        Ok(address)
    }
}

/// The gauges that are there whatever becomes of the look-up.
pub(super) fn begin(findings: &mut Findings) {
    for family in ["probe_dns_lookup_time_seconds", "probe_ip_protocol", "probe_ip_addr_hash"] {
        findings.gauges.set(family, 0.0);
    }
}

async fn look_up(host: &str, wanted: Wanted) -> Result<IpAddr, String> {
    let preferred = |address: &IpAddr| address.is_ipv4() == (wanted.protocol == IpProtocol::Ip4);
    let found: Vec<IpAddr> = match host.parse() {
        Ok(address) => vec![address],
        Err(_) if host.is_empty() => return Err("error resolving address: the target names no host".into()),
        Err(_) => match tokio::net::lookup_host((host, 0)).await {
            Ok(found) => found.map(|socket: SocketAddr| socket.ip()).collect(),
            Err(error) => return Err(format!("error resolving address: lookup {host}: {error}")),
        },
    };
    let chosen = found.iter().find(|address| preferred(address));
    let chosen = chosen.or_else(|| found.first().filter(|_| wanted.fallback));
    chosen.copied().ok_or_else(|| {
        let version = if wanted.protocol == IpProtocol::Ip4 { "IPv4" } else { "IPv6" };
        format!("error resolving address: unable to find ip; no fallback: {host} has no address of {version}")
    })
}

/// FNV-1a with 32 bits, as blackbox_exporter's gauge has it.
fn hash(address: IpAddr) -> u32 {
    let fold = |bytes: &[u8]| {
        bytes.iter().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
    };
    match address {
        IpAddr::V4(address) => fold(&address.octets()),
        IpAddr::V6(address) => fold(&address.octets()),
    }
}

/// `host:port`, `[address]:port`, or a host alone.
pub(super) fn split(target: &str) -> Result<(&str, Option<u16>), String> {
    let wrong = || format!("{target:?} is no host with a port");
    if let Some(rest) = target.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or_else(wrong)?;
        return match after.strip_prefix(':') {
            Some(port) => Ok((host, Some(port.parse().map_err(|_| wrong())?))),
            None if after.is_empty() => Ok((host, None)),
            None => Err(wrong()),
        };
    }
    match target.rsplit_once(':') {
        // More than one colon without brackets: an address of IPv6 alone.
        Some((host, _)) if host.contains(':') => Ok((target, None)),
        Some((host, port)) => Ok((host, Some(port.parse().map_err(|_| wrong())?))),
        None => Ok((target, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports() {
        for (target, expected) in [
            ("a:1", ("a", Some(1))),
            ("a", ("a", None)),
            ("[::1]:53", ("::1", Some(53))),
            ("[::1]", ("::1", None)),
            ("::1", ("::1", None)),
            ("1.2.3.4:80", ("1.2.3.4", Some(80))),
        ] {
            assert_eq!(split(target), Ok(expected), "{target}");
        }
        for bad in ["a:x", "[::1", "a:70000", "[::1]x"] {
            assert!(split(bad).is_err(), "{bad}");
        }
        // As Go's fnv.New32a writes them.
        assert_eq!(hash("127.0.0.1".parse().expect("an address")), 0xdaaf_40ed);
    }

    #[tokio::test]
    async fn the_preferred_version_wins() {
        let ip = |protocol, fallback| Wanted { protocol, fallback };
        let found = look_up("127.0.0.1", ip(IpProtocol::Ip6, true)).await;
        assert_eq!(found, Ok("127.0.0.1".parse().expect("an address")));
        let error = look_up("127.0.0.1", ip(IpProtocol::Ip6, false)).await.expect_err("none of IPv6");
        assert!(error.contains("unable to find ip; no fallback"), "{error}");
        let found = look_up("::1", ip(IpProtocol::Ip4, true)).await;
        assert_eq!(found, Ok("::1".parse().expect("an address")));
        assert!(look_up("", ip(IpProtocol::Ip4, true)).await.is_err());
    }
}
