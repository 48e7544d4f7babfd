//! What blackbox_exporter's file has beside what the `synthetic` receiver does, each in words.

use super::{
    check::Findings,
    elsewhere::Standing::{self, Missing},
    prometheus::take,
    yaml::{Node, Step},
};

const PROXY: Standing = Missing("targets are asked directly");
const CEL: Standing = Missing("fail_if_body_matches_regexp and fail_if_body_not_matches_regexp are");

/// Keys of a module.
const KEYS: &[(&str, Standing)] = &[
    ("http.proxy_url", PROXY),
    ("http.no_proxy", PROXY),
    ("http.proxy_from_environment", PROXY),
    ("http.proxy_connect_header", PROXY),
    ("http.skip_resolve_phase_with_proxy", PROXY),
    ("http.use_proxy_dns", PROXY),
    ("http.oauth2", Missing("basic_auth and authorization are")),
    ("http.enable_http3", Missing("HTTP/1.1 and HTTP/2 are")),
    ("http.fail_if_body_json_matches_cel", CEL),
    ("http.fail_if_body_json_not_matches_cel", CEL),
    ("unix", Missing("the probers http, tcp, dns, icmp and grpc are")),
];

/// Takes out of a `synthetic` receiver's modules what is not there yet.
pub(super) fn take_out(node: &mut Node, above: &[Step], findings: &mut Findings) {
    let is_synthetic =
        matches!(above.last(), Some(Step::Key(id)) if id.split('/').next().map(str::trim) == Some("synthetic"));
    let Some(modules) = node.get("modules").filter(|_| is_synthetic) else { return };
    let names: Vec<String> = modules.node.entries().map(|module| module.key.clone()).collect();
    for name in names {
        for (path, standing) in KEYS {
            let keys = ["modules", &name].into_iter().chain(path.split('.'));
            let way: Vec<Step> = keys.map(|key| Step::Key(key.to_owned())).collect();
            take(node, above, &way, *standing, findings);
        }
    }
}
