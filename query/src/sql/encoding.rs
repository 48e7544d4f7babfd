//! How an answer is written: as JSON, or as an Arrow IPC stream.

use std::{collections::HashSet, sync::Arc};

use arrow_ipc::writer::StreamWriter;
use datafusion::arrow::{
    array::{RecordBatch, RecordBatchOptions},
    datatypes::{SchemaBuilder, SchemaRef},
};

use super::{error::SqlError, rows};

/// Writes columns, then rows, then an end.
pub(crate) trait Encoding: Send {
    /// The header `Content-Type`.
    fn content_type(&self) -> &'static str;

    /// What comes before the rows.
    fn begin(&mut self, schema: &SchemaRef, out: &mut Vec<u8>) -> Result<(), SqlError>;

    /// Rows from `from` on, until `out` holds `bytes_max` or the batch ends; the first row that is not written.
    fn rows(
        &mut self,
        batch: &RecordBatch,
        from: usize,
        bytes_max: usize,
        out: &mut Vec<u8>,
    ) -> Result<usize, SqlError>;

    /// What comes after the rows, behind `out`. With `cut`, says that rows are missing, or fails with it.
    fn end(&mut self, out: Vec<u8>, cut: Option<SqlError>) -> Result<Vec<u8>, SqlError>;
}

/// `{"columns": [{"name", "type"}], "rows": [{column: value}]}`; an answer cut short has `"error": {"code", "message"}` after its rows.
#[derive(Debug, Default)]
pub(crate) struct Json {
    /// Names as JSON, each with its colon.
    keys: Vec<Vec<u8>>,
    any_row: bool,
}

impl Encoding for Json {
    fn content_type(&self) -> &'static str {
        "application/json; charset=utf-8"
    }

    fn begin(&mut self, schema: &SchemaRef, out: &mut Vec<u8>) -> Result<(), SqlError> {
        let schema = named_apart(schema);
        out.extend_from_slice(b"{\"columns\":[");
        for (position, field) in schema.fields().iter().enumerate() {
            let mut key = Vec::new();
            rows::write_text(field.name(), &mut key);
            if position > 0 {
                out.push(b',');
            }
            out.extend_from_slice(b"{\"name\":");
            out.extend_from_slice(&key);
            out.extend_from_slice(b",\"type\":\"");
            out.extend_from_slice(rows::type_name(field.data_type()).as_bytes());
            out.extend_from_slice(b"\"}");
            key.push(b':');
            self.keys.push(key);
        }
        out.extend_from_slice(b"],\"rows\":[");
        Ok(())
    }

    fn rows(
        &mut self,
        batch: &RecordBatch,
        from: usize,
        bytes_max: usize,
        out: &mut Vec<u8>,
    ) -> Result<usize, SqlError> {
        let mut columns = Vec::with_capacity(self.keys.len());
        for column in batch.columns() {
            columns.push(rows::Cells::of(column.as_ref())?);
        }
        let mut row = from;
        while row < batch.num_rows() && out.len() < bytes_max {
            out.extend_from_slice(if self.any_row { b",\n{" } else { b"\n{" });
            self.any_row = true;
            for (position, (key, cells)) in self.keys.iter().zip(&columns).enumerate() {
                if position > 0 {
                    out.push(b',');
                }
                out.extend_from_slice(key);
                cells.write(row, out)?;
            }
            out.push(b'}');
            row += 1;
        }
        Ok(row)
    }

    fn end(&mut self, mut out: Vec<u8>, cut: Option<SqlError>) -> Result<Vec<u8>, SqlError> {
        out.push(b']');
        if let Some(error) = cut {
            out.extend_from_slice(b",\"error\":{\"code\":");
            out.extend_from_slice(error.code().to_string().as_bytes());
            out.extend_from_slice(b",\"message\":");
            rows::write_text(&error.to_string(), &mut out);
            out.push(b'}');
        }
        out.extend_from_slice(b"}\n");
        Ok(out)
    }
}

/// <https://arrow.apache.org/docs/format/Columnar.html#ipc-streaming-format>. One cut short has no end-of-stream marker.
#[derive(Default)]
pub(crate) struct ArrowStream {
    /// Once begun.
    writer: Option<StreamWriter<Vec<u8>>>,
}

impl ArrowStream {
    /// Its content type, and what asks for it in `Accept`.
    pub(crate) const CONTENT_TYPE: &str = "application/vnd.apache.arrow.stream";

    fn writer(&mut self) -> &mut StreamWriter<Vec<u8>> {
        self.writer.as_mut().expect("begun before anything else")
    }
}

impl Encoding for ArrowStream {
    fn content_type(&self) -> &'static str {
        Self::CONTENT_TYPE
    }

    fn begin(&mut self, schema: &SchemaRef, out: &mut Vec<u8>) -> Result<(), SqlError> {
        let writer = self.writer.insert(StreamWriter::try_new(Vec::new(), &named_apart(schema))?);
        out.append(writer.get_mut());
        Ok(())
    }

    fn rows(&mut self, batch: &RecordBatch, from: usize, _: usize, out: &mut Vec<u8>) -> Result<usize, SqlError> {
        let rest = batch.slice(from, batch.num_rows() - from);
        let options = RecordBatchOptions::new().with_row_count(Some(rest.num_rows()));
        let schema = named_apart(&rest.schema());
        let renamed = RecordBatch::try_new_with_options(schema, rest.columns().to_vec(), &options)?;
        self.writer().write(&renamed)?;
        out.append(self.writer().get_mut());
        Ok(batch.num_rows())
    }

    fn end(&mut self, mut out: Vec<u8>, cut: Option<SqlError>) -> Result<Vec<u8>, SqlError> {
        if let Some(error) = cut {
            return Err(error);
        }
        self.writer().finish()?;
        out.append(self.writer().get_mut());
        Ok(out)
    }
}

/// Columns of one name get `_2`, `_3` … behind it.
fn named_apart(schema: &SchemaRef) -> SchemaRef {
    let mut taken: HashSet<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
    if taken.len() == schema.fields().len() {
        return Arc::clone(schema);
    }
    let mut seen: HashSet<String> = HashSet::new();
    let mut fields = SchemaBuilder::new();
    for field in schema.fields() {
        if seen.insert(field.name().clone()) {
            fields.push(Arc::clone(field));
            continue;
        }
        let mut number = 2;
        while !taken.insert(format!("{}_{number}", field.name())) {
            number += 1;
        }
        let name = format!("{}_{number}", field.name());
        fields.push(field.as_ref().clone().with_name(name));
    }
    Arc::new(fields.finish())
}
