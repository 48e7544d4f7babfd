//! Which names of this server are answered: a page elsewhere can give a name of its own this address, and read what is answered to it
//! (DNS rebinding). Names that nobody outside can give away pass; others are listed in `query.hosts`.

use std::net::IpAddr;

use http::{Request, header};

/// Ends of names that are never public.
const PRIVATE_ENDS: [&str; 7] = [".localhost", ".local", ".internal", ".svc", ".cluster.local", ".home.arpa", ".test"];

/// Whether a request names this server as itself: by an address, a name without a dot, a name that is private, or one of `hosts`. A
/// request without a name is no browser's.
pub(super) fn is_ours<B>(request: &Request<B>, hosts: &[String]) -> bool {
    let by_header = request.headers().get(header::HOST).map(|host| host.to_str().unwrap_or("."));
    let Some(host) = request.uri().authority().map(http::uri::Authority::as_str).or(by_header) else { return true };
    let name = without_port(host).trim_end_matches('.').to_ascii_lowercase();
    let is_address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
    is_address
        || (!name.contains('.') && !host.starts_with('.'))
        || PRIVATE_ENDS.iter().any(|end| name.ends_with(end))
        || hosts.iter().any(|listed| listed.trim_end_matches('.').eq_ignore_ascii_case(&name))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_nobody_outside_can_give_away_pass() {
        let hosts = ["weir.example.com".to_owned()];
        let asked = |host: &str| {
            let request = Request::builder().uri("/").header(header::HOST, host).body(()).expect("a request");
            is_ours(&request, &hosts)
        };
        for ours in [
            "localhost:4320",
            "LOCALHOST",
            "127.0.0.1:4320",
            "10.1.2.3",
            "[::1]:4320",
            "weir",
            "weir:4320",
            "a.localhost",
            "weir.monitoring.svc",
            "weir.monitoring.svc.cluster.local:4320",
            "laptop.local",
            "weir.example.com",
            "Weir.Example.com.:4320",
            "",
        ] {
            assert!(asked(ours), "{ours}");
        }
        for strange in ["evil.example.com", "evil.example.com:4320", "localhost.evil.com", "1.2.3.4.evil.com", "."] {
            assert!(!asked(strange), "{strange}");
        }
        assert!(is_ours(&Request::builder().uri("/").body(()).expect("a request"), &[]));
    }
}
