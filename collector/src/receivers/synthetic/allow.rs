//! Which addresses are probed: public ones, and others only where the configuration allows them.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use serde::{Deserialize, Deserializer, de::Error};

/// A network, as `10.0.0.0/8`; an address alone is a network of one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    const fn v4(a: u8, b: u8, c: u8, bits: u8) -> Self {
        Self { address: IpAddr::V4(Ipv4Addr::new(a, b, c, 0)), bits }
    }

    const fn v6(first: u16, second: u16, bits: u8) -> Self {
        Self { address: IpAddr::V6(Ipv6Addr::new(first, second, 0, 0, 0, 0, 0, 0)), bits }
    }

    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address.parse::<IpAddr>().ok()?, Some(bits.parse::<u8>().ok()?)),
            None => (text.parse::<IpAddr>().ok()?, None),
        };
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        (bits <= most).then_some(Self { address, bits })
    }

    fn holds(self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                own.to_bits() & mask == other.to_bits() & mask
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
                own.to_bits() & mask == other.to_bits() & mask
            }
            _ => false,
        }
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let words = format!("`{text}` is no network; write it like 10.0.0.0/8, fd00::/8 or 192.168.1.7");
        Self::parse(text.trim()).ok_or_else(|| D::Error::custom(words))
    }
}

/// Networks that are not the public Internet (IANA's special-purpose registries), and what they are called.
const SPECIAL: [(Network, &str); 20] = [
    (Network::v4(127, 0, 0, 8), "loopback"),
    (Network { address: IpAddr::V6(Ipv6Addr::LOCALHOST), bits: 128 }, "loopback"),
    (Network { address: IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)), bits: 32 }, "a cloud's metadata"),
    (Network { address: IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)), bits: 32 }, "a cloud's metadata"),
    (
        Network { address: IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)), bits: 128 },
        "a cloud's metadata",
    ),
    (Network::v4(169, 254, 0, 16), "link-local"),
    (Network::v6(0xfe80, 0, 10), "link-local"),
    (Network::v4(10, 0, 0, 8), "private"),
    (Network::v4(172, 16, 0, 12), "private"),
    (Network::v4(192, 168, 0, 16), "private"),
    (Network::v6(0xfc00, 0, 7), "private"),
    (Network::v6(0xfec0, 0, 10), "private"),
    (Network::v4(100, 64, 0, 10), "shared (carrier-grade NAT)"),
    (Network::v4(0, 0, 0, 8), "this machine's network"),
    (Network { address: IpAddr::V6(Ipv6Addr::UNSPECIFIED), bits: 128 }, "this machine's network"),
    (Network::v4(192, 0, 0, 24), "reserved"),
    (Network::v4(198, 18, 0, 15), "for benchmarks"),
    (Network::v4(224, 0, 0, 4), "multicast"),
    (Network::v6(0xff00, 0, 8), "multicast"),
    (Network::v4(240, 0, 0, 4), "reserved"),
];

/// Refuses an address that is not public and that the configuration does not allow.
pub(super) fn check(address: IpAddr, allow: &[Network]) -> Result<(), String> {
    let (address, embedded) = (address.to_canonical(), embedded(address));
    let Some(kind) = kind(address).or_else(|| embedded.and_then(kind)) else { return Ok(()) };
    let is_allowed = |address: IpAddr| allow.iter().any(|network| network.holds(address));
    // An address of IPv6 that leads to one of IPv4 is allowed where that is.
    if is_allowed(address) || embedded.is_some_and(is_allowed) {
        return Ok(());
    }
    Err(format!("{address} is {kind}: it is probed only where receivers.synthetic.allow has its network"))
}

fn kind(address: IpAddr) -> Option<&'static str> {
    SPECIAL.iter().find(|(network, _)| network.holds(address)).map(|(_, kind)| *kind)
}

/// The address of IPv4 that an address of IPv6 leads to: mapped, compatible, NAT64 (RFC 6052), 6to4.
fn embedded(address: IpAddr) -> Option<IpAddr> {
    let IpAddr::V6(address) = address else { return None };
    let bits = address.to_bits();
    let v4 = match address.segments() {
        [0, 0, 0, 0, 0, 0, ..] if bits > 1 => bits as u32,
        [0, 0, 0, 0, 0, 0xffff, ..] => bits as u32,
        [0x64, 0xff9b, 0, 0, 0, 0, ..] | [0x64, 0xff9b, 1, ..] => bits as u32,
        [0x2002, ..] => (bits >> 80) as u32,
        _ => return None,
    };
    Some(IpAddr::V4(Ipv4Addr::from_bits(v4)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_public_internet_is_probed_unasked() {
        let refused = [
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "169.254.169.254",
            "169.254.1.1",
            "fe80::1",
            "10.1.2.3",
            "172.31.0.1",
            "192.168.0.1",
            "fd12::1",
            "100.100.100.200",
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "255.255.255.255",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "::127.0.0.1",
            "fd00:ec2::254",
            "168.63.129.16",
        ];
        for text in refused {
            let address: IpAddr = text.parse().expect("an address");
            let error = check(address, &[]).expect_err(text);
            assert!(error.contains("receivers.synthetic.allow"), "{error}");
        }
        for text in ["1.1.1.1", "172.32.0.1", "2606:4700::1111", "64:ff9b::101:101", "100.128.0.1"] {
            check(text.parse().expect("an address"), &[]).expect(text);
        }
    }

    #[test]
    fn what_is_allowed_is_probed() {
        let network = |text: &str| Network::parse(text).expect("a network");
        let allow = [network("127.0.0.0/8"), network("10.1.0.0/16"), network("fd00::/8"), network("192.168.1.7")];
        for text in ["127.0.0.1", "::ffff:127.0.0.1", "10.1.255.1", "fd12::1", "192.168.1.7"] {
            check(text.parse().expect("an address"), &allow).expect(text);
        }
        for text in ["10.2.0.1", "::1", "192.168.1.8"] {
            check(text.parse().expect("an address"), &allow).expect_err(text);
        }
        check("::1".parse().expect("an address"), &[network("::/0")]).expect("all of IPv6");
        check("10.9.9.9".parse().expect("an address"), &[network("0.0.0.0/0")]).expect("all of IPv4");
        for bad in ["10.0.0.0/33", "x", "10.0.0.0/", "::/129", ""] {
            assert!(Network::parse(bad).is_none(), "{bad}");
        }
        let error = check("127.0.0.1".parse().expect("an address"), &[]).expect_err("loopback");
        assert_eq!(error, "127.0.0.1 is loopback: it is probed only where receivers.synthetic.allow has its network");
    }
}
