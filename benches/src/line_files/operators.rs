//! What lines cost that other operators take apart: each with a server of its own, until all are in merged segments.

use std::{
    fs::{self, File},
    io::Write,
    path::Path,
};

use serde_json::Value;
use weir_proto::time::Clock;

use super::{Tailing, logs, temporary, whole};
use crate::lines::Lines;

/// Operators, and lines for them.
struct Row {
    name: &'static str,
    /// Lines below `operators:`.
    operators: &'static str,
    write: fn(number: u64, json: &str, line: &Value, out: &mut String),
}

const ROWS: [Row; 5] = [
    Row {
        name: "container, json_parser",
        operators: "      - type: container\n      - type: json_parser\n",
        write: |_, json, line, out| {
            out.push_str(&format!("{} stdout F {json}\n", text(line, "ts")));
        },
    },
    Row {
        name: "json_parser, time_parser, severity_parser",
        operators: "      - type: json_parser\n      - {type: time_parser, parse_from: attributes.ts, layout: \
                    '%Y-%m-%dT%H:%M:%S.%LZ', location: UTC}\n      - {type: severity_parser, parse_from: attributes.level}\n",
        write: |_, json, _, out| {
            out.push_str(json);
            out.push('\n');
        },
    },
    Row {
        name: "regex_parser with timestamp and severity",
        operators: "      - type: regex_parser\n        regex: '^(?P<time>\\S+) (?P<level>\\w+) \\[(?P<logger>[^\\]]+)\\] (?P<msg>.*)$'\n        \
                    timestamp: {parse_from: attributes.time, layout: '%Y-%m-%dT%H:%M:%S.%LZ', location: UTC}\n        \
                    severity: {parse_from: attributes.level}\n",
        write: |_, _, line, out| {
            out.push_str(&format!(
                "{} {} [{}] {} user={} took {} ms\n",
                text(line, "ts"),
                text(line, "level"),
                text(line, "logger"),
                text(line, "msg"),
                line["user"]["id"],
                line["ms"]
            ));
        },
    },
    Row {
        name: "key_value_parser",
        operators: "      - type: key_value_parser\n",
        write: |_, _, line, out| {
            out.push_str(&format!(
                "ts={} level={} service={} logger={} msg=\"{}\" request_id={} user={} ms={}\n",
                text(line, "ts"),
                text(line, "level"),
                text(line, "service"),
                text(line, "logger"),
                text(line, "msg"),
                text(line, "request_id"),
                line["user"]["id"],
                line["ms"]
            ));
        },
    },
    Row {
        name: "recombine, four lines each",
        operators: "      - {type: recombine, combine_field: body, is_first_entry: 'body matches \"^[^ ]\"'}\n",
        write: |number, _, line, out| {
            if number % 4 == 0 {
                out.push_str(&format!("{} {} {}\n", text(line, "ts"), text(line, "level"), text(line, "msg")));
            } else {
                out.push_str(&format!("  at {}.call(Service.java:{number})\n", text(line, "logger")));
            }
        },
    },
];

fn text<'l>(line: &'l Value, field: &str) -> &'l str {
    line[field].as_str().unwrap_or_default()
}

/// Measures all of them.
pub(super) async fn measure(tailing: Tailing<'_>) -> anyhow::Result<()> {
    for row in &ROWS {
        let folder = temporary(tailing)?;
        let path = logs(folder.path())?.join("app.log");
        let bytes = write_all(&path, tailing.count, row)?;
        let (read_s, settled_s) = whole::cpu_s(tailing, folder.path(), row.operators).await?;
        let per_million = |cpu_s: f64| cpu_s / tailing.count as f64 * 1e6;
        println!(
            "{}, {:.0} B a line: {:.2} s of CPU per million lines until they are in merged segments, {:.2} s of these until they are durable",
            row.name,
            bytes as f64 / tailing.count as f64,
            per_million(settled_s),
            per_million(read_s)
        );
        fs::remove_file(path)?;
    }
    Ok(())
}

fn write_all(path: &Path, lines: u64, row: &Row) -> anyhow::Result<u64> {
    let mut out = std::io::BufWriter::new(File::create(path)?);
    let base_ns = Clock::system().now_ns() - lines * 1000;
    let (mut json, mut line, mut bytes) = (String::new(), String::new(), 0);
    for number in 0..lines {
        json.clear();
        line.clear();
        Lines::new(7).write(number, number / 1000, base_ns + number * 1000, &mut json);
        (row.write)(number, &json, &serde_json::from_str(&json)?, &mut line);
        out.write_all(line.as_bytes())?;
        bytes += line.len() as u64;
    }
    out.flush()?;
    Ok(bytes)
}
