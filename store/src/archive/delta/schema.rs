//! A table's columns, and how the log writes them down.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// 64 bits, signed.
    Long,
    /// 32 bits, signed.
    Integer,
    /// UTF-8.
    Text,
    /// µs since the epoch, in UTC.
    Timestamp,
    /// 64 bits, floating.
    Double,
    /// True or false.
    Boolean,
    /// Bytes.
    Binary,
    /// Texts by texts.
    TextMap,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableColumn {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: ColumnKind,
    /// Whether a row may have none.
    pub nullable: bool,
    /// What it means; empty says nothing.
    pub comment: String,
}

/// A table's columns, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableSchema {
    /// The columns.
    pub columns: Vec<TableColumn>,
}

/// How a schema in a log stands to ours.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// The same columns.
    Same,
    /// Ours has more, all of which a row may lack: the table can be widened.
    Narrower,
    /// It does not go together, in words.
    Not(String),
}

#[derive(Serialize, Deserialize)]
struct Struct {
    #[serde(rename = "type")]
    kind: String,
    fields: Vec<Field>,
}

#[derive(Serialize, Deserialize)]
struct Field {
    name: String,
    #[serde(rename = "type")]
    kind: Value,
    nullable: bool,
    #[serde(default)]
    metadata: serde_json::Map<String, Value>,
}

impl ColumnKind {
    fn written(self) -> Value {
        match self {
            Self::Long => json!("long"),
            Self::Integer => json!("integer"),
            Self::Text => json!("string"),
            Self::Timestamp => json!("timestamp"),
            Self::Double => json!("double"),
            Self::Boolean => json!("boolean"),
            Self::Binary => json!("binary"),
            Self::TextMap => {
                json!({"type": "map", "keyType": "string", "valueType": "string", "valueContainsNull": true})
            }
        }
    }
}

impl TableSchema {
    /// The log's `schemaString`.
    pub fn schema_string(&self) -> String {
        let fields = self.columns.iter().map(|column| {
            let mut metadata = serde_json::Map::new();
            if !column.comment.is_empty() {
                metadata.insert("comment".to_owned(), json!(column.comment));
            }
            Field { name: column.name.clone(), kind: column.kind.written(), nullable: column.nullable, metadata }
        });
        let whole = Struct { kind: "struct".to_owned(), fields: fields.collect() };
        serde_json::to_string(&whole).expect("texts and booleans only")
    }

    /// Whether a schema of the log goes together with this one. Comments and the order do not matter.
    pub(super) fn fits(&self, schema_string: &str) -> Fit {
        let there: Struct = match serde_json::from_str(schema_string) {
            Ok(there) => there,
            Err(error) => return Fit::Not(format!("has a schema that cannot be read: {error}")),
        };
        for field in &there.fields {
            let Some(ours) = self.columns.iter().find(|column| column.name == field.name) else {
                return Fit::Not(format!("has a column `{}` that is not known here", field.name));
            };
            if ours.kind.written() != field.kind {
                let (theirs, ours) = (&field.kind, ours.kind.written());
                return Fit::Not(format!("has the column `{}` as {theirs}, not as {ours}", field.name));
            }
            if ours.nullable && !field.nullable {
                return Fit::Not(format!("wants a value in the column `{}` of each row", field.name));
            }
        }
        let mut missing =
            self.columns.iter().filter(|column| there.fields.iter().all(|field| field.name != column.name));
        match (missing.clone().next(), missing.find(|column| !column.nullable)) {
            (None, _) => Fit::Same,
            (Some(_), None) => Fit::Narrower,
            (_, Some(column)) => Fit::Not(format!("lacks the column `{}`", column.name)),
        }
    }
}
