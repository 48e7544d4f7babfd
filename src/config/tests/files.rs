//! `filelog` in configurations: what the Collector's blocks come to, and what is said of wrong ones.

use super::*;

fn filelog(keys: &str) -> String {
    format!("receivers:\n  filelog:\n{keys}")
}

#[test]
fn a_block_of_the_collectors_is_taken() {
    let text = filelog(
        r#"    include: [/var/log/pods/*/*/*.log]
    exclude: [/var/log/pods/kube-system_*/*/*.log]
    start_at: beginning
    include_file_path: true
    include_file_name: false
    poll_interval: 500ms
    fingerprint_size: 1kb
    max_log_size: 1MiB
    max_concurrent_files: 1024
    encoding: utf-8
    multiline: {line_start_pattern: '^\d{4}'}
    attributes: {env: prod}
    resource: {service.name: "EXPR(env('NAME'))"}
    delete_after_read: false
    ordering_criteria:
    storage: file_storage/otc
    retry_on_failure: {enabled: true, max_elapsed_time: 0s}
    operators:
      - type: router
        id: get-format
        routes:
          - output: parser-docker
            expr: 'body matches "^\\{"'
          - output: parser-crio
            expr: 'body matches "^[^ Z]+ "'
      - type: json_parser
        id: parser-docker
        output: extract_metadata_from_filepath
        timestamp: {parse_from: attributes.time, layout: '%Y-%m-%dT%H:%M:%S.%LZ'}
      - type: regex_parser
        id: parser-crio
        regex: '^(?P<time>[^ Z]+) (?P<stream>stdout|stderr) (?P<logtag>[^ ]*) ?(?P<log>.*)$'
        output: extract_metadata_from_filepath
        timestamp: {parse_from: attributes.time, layout_type: gotime, layout: '2006-01-02T15:04:05.999999999Z07:00'}
      - type: regex_parser
        id: extract_metadata_from_filepath
        regex: '^.*\/(?P<namespace>[^_]+)_(?P<pod_name>[^_]+)_(?P<uid>[a-f0-9\-]+)\/(?P<container_name>[^\._]+)\/(?P<restart_count>\d+)\.log$'
        parse_from: attributes["log.file.path"]
        cache: {size: 128}
      - {type: move, from: attributes.log, to: body}
      - {type: severity_parser, parse_from: attributes.stream, mapping: {error: stderr, info: [stdout, {min: 1, max: 3}]}, on_error: send_quiet}
"#,
    );
    let config = parse(&text).unwrap_or_else(|error| panic!("{error}"));
    let words = "weir.yaml:18:5: receivers.filelog.storage is not needed here: the journal keeps where files were read to, together with their lines";
    assert_eq!(config.warnings.len(), 2, "{:?}", config.warnings);
    assert_eq!(config.warnings[0], words);
}

#[test]
fn what_is_wrong_has_its_place() {
    for (keys, expected) in [
        (
            "    start_at: beginning\n",
            "weir.yaml:3:5: receivers.filelog: `include` is missing: a list of patterns like /var/log/app/*.log",
        ),
        (
            "    include: [/x]\n    inclde_file_path: true\n",
            "weir.yaml:4:5: unknown key `inclde_file_path`; did you mean `include_file_path`?",
        ),
        ("    include: ['/a/[']\n", "weir.yaml:3:15: receivers.filelog.include: `[`: a bracket is not closed"),
        (
            "    include: [/x]\n    operators:\n      - type: json_parsr\n",
            "weir.yaml:5:15: receivers.filelog.operators.type: unknown value `json_parsr`; did you mean `json_parser`?",
        ),
        (
            "    include: [/x]\n    operators:\n      - type: json_parser\n        parse_form: body\n",
            "weir.yaml:6:9: unknown key `parse_form`; did you mean `parse_from`?",
        ),
        (
            "    include: [/x]\n    operators:\n      - type: filter\n        expr: 'bdy == 1'\n",
            "weir.yaml:6:15: receivers.filelog.operators.expr: cannot read the expression at character 1: `bdy` is not known",
        ),
        (
            "    include: [/x]\n    operators:\n      - {type: noop, output: nowhere}\n",
            "weir.yaml:5:7: receivers.filelog.operators: operator 1: its output `nowhere` is no operator's id",
        ),
        (
            "    include: [/x]\n    delete_after_read: true\n",
            "weir.yaml:4:5: receivers.filelog.delete_after_read is not there yet: files stay; let logrotate remove them",
        ),
        (
            "    include: [/x]\n    multiline: {}\n",
            "weir.yaml:4:16: receivers.filelog.multiline: exactly one of line_start_pattern and line_end_pattern is needed",
        ),
        (
            "    include: [/x]\n    encoding: klingon\n",
            "weir.yaml:4:15: receivers.filelog.encoding: `klingon` is no encoding that is known",
        ),
        ("    include: [/x]\n    header: {pattern: x}\n", "weir.yaml:4:5: receivers.filelog.header is not there yet"),
    ] {
        let said = message(&filelog(keys));
        assert!(said.contains(expected), "{keys}\n{said}");
    }
}
