//! What shippers ask before they send: who is there, may they, and are their templates, policies, streams and pipelines there.
//!
//! Weir has no mappings, policies or pipelines: whatever is asked for by its name is there, whatever is set is taken without effect.

use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::{
    VERSION,
    failure::Failure,
    push::{Asking, Told},
};

const NODE: &str = "weir";
const ID: &str = "d2Vpcl9ub2RlXzAwMDAwMQ";

/// Answers whatever is not about documents.
pub(super) fn answer(asking: &Asking<'_>, body_bytes_max: usize) -> Told {
    let is_read = matches!(*asking.method, Method::GET | Method::HEAD);
    let told = |answer: Value| Ok((StatusCode::OK, answer));
    match asking.path[..] {
        [] if is_read => told(about()),
        ["_license"] | ["_xpack", "license"] if is_read => told(json!({"license": license()})),
        ["_xpack"] if is_read => told(xpack()),
        ["_xpack", "usage"] if is_read => told(json!({})),
        ["_cluster", "health", ..] if is_read => told(health()),
        ["_cluster", "settings"] => told(json!({"persistent": {}, "transient": {}, "acknowledged": true})),
        ["_cluster", "stats"] | ["_cluster", "state", ..] if is_read => {
            told(json!({"cluster_name": NODE, "cluster_uuid": ID, "status": "green"}))
        }
        ["_nodes", ..] if is_read => told(nodes(asking.host, body_bytes_max)),
        ["_ilm", "status"] if is_read => told(json!({"operation_mode": "RUNNING"})),
        ["_ilm", "policy"] if is_read => told(json!({})),
        ["_ilm", "policy", name] if is_read => told(named(name, || {
            json!({"version": 1, "modified_date": "2026-01-01T00:00:00.000Z", "policy": {"phases": {}},
                "in_use_by": {"indices": [], "data_streams": [], "composable_templates": []}})
        })),
        ["_ingest", "pipeline"] if is_read => told(json!({})),
        ["_ingest", "pipeline", name] if is_read => told(named(name, || json!({"processors": []}))),
        [kind @ ("_index_template" | "_component_template"), ref names @ ..] if is_read => {
            told(templates(kind, names.first().copied()))
        }
        ["_template"] if is_read => told(json!({})),
        ["_template", name] if is_read => told(named(
            name,
            || json!({"order": 0, "index_patterns": [format!("{name}*")], "settings": {}, "mappings": {}, "aliases": {}}),
        )),
        ["_data_stream"] if is_read => told(json!({"data_streams": []})),
        ["_data_stream", name] if is_read => told(json!({"data_streams": [data_stream(name)]})),
        ["_security", "_authenticate"] if is_read => told(json!({
            "username": "weir", "roles": ["superuser"], "full_name": null, "email": null, "metadata": {}, "enabled": true,
            "authentication_realm": {"name": "weir", "type": "native"}, "lookup_realm": {"name": "weir", "type": "native"},
            "authentication_type": "realm",
        })),
        ["_security", "user", "_has_privileges"] => {
            told(json!({"username": "weir", "has_all_requested": true, "cluster": {}, "index": {}, "application": {}}))
        }
        ["_cat", "health"] if is_read => told(json!([{"cluster": NODE, "status": "green", "node.total": "1"}])),
        ["_cat", ..] if is_read => told(json!([])),
        ["_alias" | "_aliases", ..] if is_read => told(json!({})),
        ["_refresh" | "_flush"] | [_, "_refresh" | "_flush"] => {
            told(json!({"_shards": {"total": 1, "successful": 1, "failed": 0}}))
        }
        ["_search" | "_msearch" | "_count" | "_sql" | "_esql" | "_query", ..]
        | [
            _,
            "_search" | "_msearch" | "_count" | "_mget" | "_doc" | "_source" | "_update" | "_delete_by_query"
            | "_update_by_query",
            ..,
        ] => {
            let reason = "documents are only taken here; ask for them in LogQL or SQL, on the port for queries";
            Err(Failure::new(StatusCode::BAD_REQUEST, "illegal_argument_exception", reason))
        }
        [kind, ..] if kind.starts_with('_') => setting(asking),
        [name] if is_read => told(named(name, || json!({"aliases": {}, "mappings": {}, "settings": {}}))),
        [name, "_mapping" | "_mappings" | "_settings" | "_alias", ..] if is_read => {
            told(named(name, || json!({"mappings": {}, "settings": {}, "aliases": {}})))
        }
        [name] if *asking.method == Method::PUT => {
            told(json!({"acknowledged": true, "shards_acknowledged": true, "index": name}))
        }
        [_] | [_, "_mapping" | "_mappings" | "_settings" | "_alias" | "_aliases" | "_rollover", ..]
            if !is_read && *asking.method != Method::PATCH =>
        {
            told(json!({"acknowledged": true, "shards_acknowledged": true}))
        }
        _ => Err(unknown(asking)),
    }
}

/// Whatever is set is taken, without effect.
fn setting(asking: &Asking<'_>) -> Told {
    const SETTABLE: [&str; 11] = [
        "_ilm",
        "_index_template",
        "_component_template",
        "_template",
        "_data_stream",
        "_ingest",
        "_aliases",
        "_alias",
        "_cluster",
        "_security",
        "_license",
    ];
    let is_write = matches!(*asking.method, Method::PUT | Method::POST | Method::DELETE);
    if is_write && asking.path.first().is_some_and(|kind| SETTABLE.contains(kind)) {
        return Ok((StatusCode::OK, json!({"acknowledged": true})));
    }
    Err(unknown(asking))
}

fn unknown(asking: &Asking<'_>) -> Failure {
    let path: String = asking.path.join("/").chars().take(200).collect();
    let reason = format!("nothing answers {} /{path} here", asking.method);
    let is_root = asking.path.is_empty() || matches!(asking.path[..], ["_bulk"] | [_, "_bulk"]);
    let status = if is_root { StatusCode::METHOD_NOT_ALLOWED } else { StatusCode::BAD_REQUEST };
    Failure::new(status, "illegal_argument_exception", reason)
}

fn about() -> Value {
    json!({
        "name": NODE, "cluster_name": NODE, "cluster_uuid": ID,
        "version": {
            "number": VERSION, "build_flavor": "default", "build_type": "weir", "build_hash": env!("CARGO_PKG_VERSION"),
            "build_date": "2026-01-01T00:00:00.000000000Z", "build_snapshot": false, "lucene_version": "9.12.2",
            "minimum_wire_compatibility_version": "7.17.0", "minimum_index_compatibility_version": "7.0.0",
        },
        // Clients of 7 look for it.
        "tagline": "You Know, for Search",
    })
}

fn license() -> Value {
    json!({
        "status": "active", "uid": "00000000-0000-0000-0000-000000000001", "type": "basic",
        "issue_date": "2026-01-01T00:00:00.000Z", "issue_date_in_millis": 1_767_225_600_000_u64,
        "max_nodes": null, "max_resource_units": null, "issued_to": NODE, "issuer": NODE, "start_date_in_millis": -1,
    })
}

fn xpack() -> Value {
    let features = ["data_streams", "data_tiers", "ilm", "logsdb", "security", "monitoring"];
    let features: Map<String, Value> = features
        .iter()
        .map(|feature| ((*feature).to_owned(), json!({"available": true, "enabled": *feature != "security"})))
        .collect();
    json!({
        "build": {"hash": env!("CARGO_PKG_VERSION"), "date": "2026-01-01T00:00:00.000000000Z"},
        "license": {"uid": "00000000-0000-0000-0000-000000000001", "type": "basic", "mode": "basic", "status": "active"},
        "features": features, "tagline": "You Know, for Search",
    })
}

fn health() -> Value {
    json!({
        "cluster_name": NODE, "status": "green", "timed_out": false, "number_of_nodes": 1, "number_of_data_nodes": 1,
        "active_primary_shards": 1, "active_shards": 1, "relocating_shards": 0, "initializing_shards": 0,
        "unassigned_shards": 0, "unassigned_primary_shards": 0, "delayed_unassigned_shards": 0,
        "number_of_pending_tasks": 0, "number_of_in_flight_fetch": 0, "task_max_waiting_in_queue_millis": 0,
        "active_shards_percent_as_number": 100.0,
    })
}

/// The one node, at the address that the client used: those that look for others find this one.
fn nodes(host: &str, body_bytes_max: usize) -> Value {
    let mut nodes = Map::new();
    let node = json!({
        "name": NODE, "transport_address": host, "host": host, "ip": host, "version": VERSION, "build_flavor": "default",
        "build_type": "weir", "build_hash": env!("CARGO_PKG_VERSION"), "roles": ["data", "ingest", "master"],
        "http": {"bound_address": [host], "publish_address": host, "max_content_length_in_bytes": body_bytes_max},
        "ingest": {"processors": []}, "plugins": [], "modules": [],
    });
    nodes.insert(ID.to_owned(), node);
    json!({"_nodes": {"total": 1, "successful": 1, "failed": 0}, "cluster_name": NODE, "nodes": nodes})
}

/// An object with this one member.
fn named(name: &str, value: impl FnOnce() -> Value) -> Value {
    let mut answer = Map::new();
    answer.insert(name.to_owned(), value());
    Value::Object(answer)
}

fn templates(kind: &str, name: Option<&str>) -> Value {
    let (list, member) = match kind {
        "_index_template" => ("index_templates", "index_template"),
        _ => ("component_templates", "component_template"),
    };
    let Some(name) = name else { return named(list, || json!([])) };
    let mut template = Map::new();
    template.insert("name".into(), name.into());
    let content = json!({
        "index_patterns": [format!("{name}*")], "template": {"settings": {}, "mappings": {}}, "composed_of": [], "priority": 0,
        "data_stream": {},
    });
    template.insert(member.into(), content);
    named(list, || json!([template]))
}

fn data_stream(name: &str) -> Value {
    json!({
        "name": name, "timestamp_field": {"name": "@timestamp"},
        "indices": [{"index_name": format!(".ds-{name}-000001"), "index_uuid": ID}],
        "generation": 1, "status": "GREEN", "template": name, "hidden": false, "system": false, "replicated": false,
    })
}
