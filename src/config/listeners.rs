//! Finds two ports that would be opened at the same address: the second could not be had.

use std::collections::BTreeMap;

use weir_proto::endpoint::with_host;

use super::{
    ReceiverConfig,
    check::Findings,
    yaml::{Node, Position},
};

/// A port that is to be opened.
struct Listener<'a> {
    /// `receivers.otlp.protocols.grpc.endpoint`.
    path: Vec<&'a str>,
    endpoint: &'a str,
    /// Where the file asks for it, the innermost key at the least; `None` when it does not.
    at: Option<Position>,
    is_default: bool,
}

/// Checks everything that is started. Problems are about what is written later.
pub(super) fn check(
    receivers: &BTreeMap<String, ReceiverConfig>,
    query_endpoint: &str,
    root: &Node,
    findings: &mut Findings,
) {
    let mut listeners = Vec::new();
    for (id, config) in receivers {
        for (key, endpoint) in config.listeners() {
            listeners.push(([["receivers", id].as_slice(), key].concat(), endpoint));
        }
    }
    listeners.push((vec!["query", "endpoint"], query_endpoint));
    let mut listeners: Vec<Listener<'_>> = listeners
        .into_iter()
        .map(|(path, endpoint)| {
            let written = root.innermost(&path);
            let at = written.map(|(entry, is_whole)| if is_whole { entry.node.at } else { entry.at });
            Listener { endpoint, at, is_default: !written.is_some_and(|(_, is_whole)| is_whole), path }
        })
        .collect();
    listeners.sort_by_key(|listener| listener.at);
    for (index, second) in listeners.iter().enumerate() {
        let Some(first) = listeners[..index].iter().find(|first| is_same(first.endpoint, second.endpoint)) else {
            continue;
        };
        let message = format!(
            "{} and {} are one address: only one of them can listen there",
            second.in_words(false),
            first.in_words(true)
        );
        let way = if second.is_default { &second.path[..second.path.len().min(2)] } else { &second.path };
        findings.problem(second.at.unwrap_or(Position { line: 1, column: 1 }), way, message);
    }
}

impl Listener<'_> {
    /// `query.endpoint (127.0.0.1:4320, its default)`, with its place in the file if that is wanted.
    fn in_words(&self, with_place: bool) -> String {
        let default = if self.is_default { ", its default" } else { "" };
        let place = match self.at {
            Some(Position { line, column }) if with_place => format!("; line {line}, column {column}"),
            _ => String::new(),
        };
        format!("{} ({}{default}{place})", self.path.join("."), self.endpoint)
    }
}

/// Whether only one of them can be had. Names of hosts are not looked up, `localhost` apart.
fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (with_host(one), with_host(other));
    let (Some((one, port)), Some((other, other_port))) = (one.rsplit_once(':'), other.rsplit_once(':')) else {
        return false;
    };
    // As numbers: 04317 is 4317. Port 0 is any free one.
    let (port, other_port) = (port.parse::<u16>(), other_port.parse::<u16>());
    if port != other_port || port == Ok(0) {
        return false;
    }
    let (one, other) = (host(one), host(other));
    one == other || covers(&one, &other) || covers(&other, &one)
}

fn host(text: &str) -> String {
    let host = text.to_ascii_lowercase();
    if host == "localhost" { "127.0.0.1".into() } else { host }
}

/// Whether `host` is every address, `other` among them. `[::]` takes the IPv4 addresses too.
fn covers(host: &str, other: &str) -> bool {
    host == "[::]" || (host == "0.0.0.0" && (other == "[::]" || !other.starts_with('[')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_cannot_both_be_had() {
        for (one, other) in [
            ("127.0.0.1:1", "127.0.0.1:1"),
            ("127.0.0.1:4317", "127.0.0.1:04317"),
            (":1", "127.0.0.1:1"),
            (":1", "0.0.0.0:1"),
            (":1", "[::]:1"),
            ("[::]:1", "10.0.0.1:1"),
            ("[::]:1", "[::1]:1"),
            ("localhost:1", "127.0.0.1:1"),
            ("Weir:1", "weir:1"),
            (":1", "weir:1"),
        ] {
            assert!(is_same(one, other) && is_same(other, one), "{one} {other}");
        }
        for (one, other) in [
            ("127.0.0.1:1", "127.0.0.1:2"),
            ("127.0.0.1:1", "127.0.0.2:1"),
            ("127.0.0.1:0", "127.0.0.1:0"),
            (":1", "[::1]:1"),
            ("weir:1", "127.0.0.1:1"),
        ] {
            assert!(!is_same(one, other) && !is_same(other, one), "{one} {other}");
        }
    }
}
