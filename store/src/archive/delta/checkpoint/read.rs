//! Reads a checkpoint, ours or another writer's: each row is an action.

use bytes::Bytes;
use parquet::{
    file::reader::{FileReader, SerializedFileReader},
    record::{Field, Row},
};
use serde_json::{Map, Value};

use super::{SUM, sum_of};
use crate::archive::delta::action::Action;

/// The actions that a state is made of; what else other writers keep beside them is left out.
const ACTIONS: [&str; 5] = ["txn", "add", "remove", "metaData", "protocol"];

/// What a checkpoint says.
#[derive(Debug)]
pub(in crate::archive::delta) struct CheckpointContent {
    pub(in crate::archive::delta) actions: Vec<Action>,
    /// Whether it has the sum of them, as ours have.
    pub(in crate::archive::delta) is_signed: bool,
}

/// The actions of a checkpoint's rows. What is wrong with it, in words.
pub(in crate::archive::delta) fn read(content: Bytes) -> Result<CheckpointContent, String> {
    let reader = SerializedFileReader::new(content).map_err(|error| error.to_string())?;
    let rows = reader.get_row_iter(None).map_err(|error| error.to_string())?;
    let mut actions = Vec::new();
    for row in rows {
        let row = row.map_err(|error| error.to_string())?;
        let object = group(&row, |name| ACTIONS.contains(&name));
        if object.is_empty() {
            continue;
        }
        let action = serde_json::from_value(Value::Object(object)).map_err(|error| error.to_string())?;
        actions.push(action);
    }
    let values = reader.metadata().file_metadata().key_value_metadata().into_iter().flatten();
    let sum = values.filter(|value| value.key == SUM).find_map(|value| value.value.clone());
    let found = sum_of(&actions);
    match sum {
        Some(sum) if sum != found => Err(format!("its actions have the CRC32C {found}, and were written with {sum}")),
        sum => Ok(CheckpointContent { actions, is_signed: sum.is_some() }),
    }
}

/// A group as the JSON that the log would have, without what is null.
fn group(row: &Row, wanted: impl Fn(&str) -> bool) -> Map<String, Value> {
    let fields = row.get_column_iter().filter(|(name, field)| wanted(name) && !matches!(field, Field::Null));
    fields.map(|(name, field)| (name.clone(), value(field))).collect()
}

fn value(field: &Field) -> Value {
    match field {
        Field::Bool(value) => Value::from(*value),
        Field::Byte(value) => Value::from(*value),
        Field::Short(value) => Value::from(*value),
        Field::Int(value) => Value::from(*value),
        Field::Long(value) => Value::from(*value),
        Field::Str(value) => Value::from(value.as_str()),
        Field::Bytes(bytes) => Value::from(String::from_utf8_lossy(bytes.data())),
        Field::Group(row) => Value::Object(group(row, |_| true)),
        Field::ListInternal(list) => Value::Array(list.elements().iter().map(value).collect()),
        Field::MapInternal(map) => {
            let entries = map.entries().iter().filter_map(|(key, entry)| match value(key) {
                Value::String(key) => Some((key, value(entry))),
                _ => None,
            });
            Value::Object(entries.collect())
        }
        // Parsed statistics and the like, which a state has no use for.
        _ => Value::Null,
    }
}
