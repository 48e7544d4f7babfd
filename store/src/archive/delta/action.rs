//! One line of a commit: an action, as PROTOCOL.md's "Actions" writes it in JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A line; one of its fields is there.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Action {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) commit_info: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) protocol: Option<Protocol>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) meta_data: Option<Metadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) txn: Option<Txn>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) add: Option<Add>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remove: Option<Remove>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Protocol {
    pub(super) min_reader_version: i32,
    pub(super) min_writer_version: i32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metadata {
    pub(super) id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
    #[serde(default)]
    pub(super) format: Format,
    pub(super) schema_string: String,
    #[serde(default)]
    pub(super) partition_columns: Vec<String>,
    #[serde(default)]
    pub(super) configuration: BTreeMap<String, Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) created_time: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Format {
    pub(super) provider: String,
    #[serde(default)]
    pub(super) options: BTreeMap<String, Option<String>>,
}

impl Default for Format {
    fn default() -> Self {
        Self { provider: "parquet".to_owned(), options: BTreeMap::new() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Txn {
    pub(super) app_id: String,
    pub(super) version: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_updated: Option<i64>,
}

/// `null` where a map is missing is read as none.
pub(super) type Tags = BTreeMap<String, Option<String>>;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Add {
    pub(super) path: String,
    #[serde(default)]
    pub(super) partition_values: Tags,
    pub(super) size: i64,
    pub(super) modification_time: i64,
    pub(super) data_change: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stats: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tags: Option<Tags>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Remove {
    pub(super) path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) deletion_timestamp: Option<i64>,
    pub(super) data_change: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) extended_file_metadata: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) partition_values: Option<Tags>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) size: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tags: Option<Tags>,
}

impl Action {
    pub(super) fn add(add: Add) -> Self {
        Self { add: Some(add), ..Self::default() }
    }

    pub(super) fn remove(remove: Remove) -> Self {
        Self { remove: Some(remove), ..Self::default() }
    }

    pub(super) fn txn(txn: Txn) -> Self {
        Self { txn: Some(txn), ..Self::default() }
    }

    pub(super) fn protocol(protocol: Protocol) -> Self {
        Self { protocol: Some(protocol), ..Self::default() }
    }

    pub(super) fn metadata(metadata: Metadata) -> Self {
        Self { meta_data: Some(metadata), ..Self::default() }
    }
}

/// The name in `commitInfo` of the CRC32C of the lines after it: a commit of ours that was damaged is found out.
const CRC: &str = "weirCrc32c";

/// A commit's text: `commitInfo` first, with the sum of the others.
pub(super) fn write(info: Value, actions: &[Action]) -> String {
    let mut lines = String::new();
    for action in actions {
        lines.push_str(&serde_json::to_string(action).expect("texts, numbers and maps of texts"));
        lines.push('\n');
    }
    let mut info = info;
    info[CRC] = Value::from(crc32c::crc32c(lines.as_bytes()));
    let first = Action { commit_info: Some(info), ..Action::default() };
    format!("{}\n{lines}", serde_json::to_string(&first).expect("a JSON value"))
}

/// Reads a commit. What is wrong with it, in words.
pub(super) fn read(content: &[u8]) -> Result<Vec<Action>, String> {
    let text = std::str::from_utf8(content).map_err(|error| error.to_string())?;
    let mut actions: Vec<Action> = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let action = serde_json::from_str(line).map_err(|error| format!("line {}: {error}", number + 1))?;
        actions.push(action);
    }
    let sum = actions.first().and_then(|first| first.commit_info.as_ref()?.get(CRC)?.as_u64());
    if let (Some(sum), Some((_, lines))) = (sum, text.split_once('\n')) {
        let found = u64::from(crc32c::crc32c(lines.as_bytes()));
        if found != sum {
            return Err(format!("its lines have the CRC32C {found:08x}, and were written with {sum:08x}"));
        }
    }
    Ok(actions)
}

/// A path as a log writes it: percent-encoded but for what a URL's path may have.
pub(super) fn encode_path(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b'=' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// A log's path as it is; an odd `%` stands for itself.
pub(super) fn decode_path(path: &str) -> String {
    let bytes = path.as_bytes();
    let (mut decoded, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let code = path.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(decoded).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_come_back() {
        for path in ["a/b-c_d.e=f/0.parquet", "mit blank/ä%41", "100%", "%zz", "%é"] {
            assert_eq!(decode_path(&encode_path(path)), path);
        }
        assert_eq!(encode_path("a b%"), "a%20b%25");
        assert_eq!(decode_path("100%"), "100%");
    }

    #[test]
    fn a_commit_that_was_damaged_is_found_out() {
        let txn = Txn { app_id: "weir".to_owned(), version: 7, last_updated: None };
        let text = write(serde_json::json!({"timestamp": 1}), &[Action::txn(txn)]);
        assert_eq!(read(text.as_bytes()).expect("as written").len(), 2);
        assert!(read(text.replace("7}", "8}").as_bytes()).is_err());
        assert!(read(&text.as_bytes()[..text.len() - 4]).is_err());
    }
}
