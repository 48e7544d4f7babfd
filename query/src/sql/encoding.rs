//! How an answer is written: as JSON, or as an Arrow IPC stream.

use std::{collections::HashSet, sync::Arc};

use arrow_ipc::writer::StreamWriter;
use datafusion::arrow::{
    array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions},
    datatypes::{DataType, SchemaBuilder, SchemaRef},
};

use super::{error::SqlError, names::numbered, rows};

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

/// Rows of a stream's first message.
const FIRST_ROWS: usize = 256;

/// <https://arrow.apache.org/docs/format/Columnar.html#ipc-streaming-format>. One cut short has no end-of-stream marker.
pub(crate) struct ArrowStream {
    /// Once begun.
    writer: Option<StreamWriter<Vec<u8>>>,
    /// Rows of the next message: as many as the last ones say will fill a chunk.
    rows: usize,
}

impl Default for ArrowStream {
    fn default() -> Self {
        Self { writer: None, rows: FIRST_ROWS }
    }
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

    fn rows(
        &mut self,
        batch: &RecordBatch,
        from: usize,
        bytes_max: usize,
        out: &mut Vec<u8>,
    ) -> Result<usize, SqlError> {
        let mut row = from;
        while row < batch.num_rows() && out.len() < bytes_max {
            let count = self.rows.min(batch.num_rows() - row);
            let piece = batch.slice(row, count);
            let options = RecordBatchOptions::new().with_row_count(Some(count));
            let columns = piece.columns().iter().map(own_texts).collect();
            let renamed = RecordBatch::try_new_with_options(named_apart(&piece.schema()), columns, &options)?;
            self.writer().write(&renamed)?;
            let bytes = self.writer().get_ref().len();
            out.append(self.writer().get_mut());
            self.rows = (count * bytes_max / bytes.max(1)).clamp(1, count * 2);
            row += count;
        }
        Ok(row)
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

/// Texts without what else lies beside them: whole buffers are written, however few of their texts are shown.
fn own_texts(column: &ArrayRef) -> ArrayRef {
    match column.data_type() {
        DataType::Utf8View => Arc::new(column.as_string_view().gc()),
        DataType::BinaryView => Arc::new(column.as_binary_view().gc()),
        _ => Arc::clone(column),
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
        let name = numbered(field.name(), &mut taken);
        fields.push(field.as_ref().clone().with_name(name));
    }
    Arc::new(fields.finish())
}

#[cfg(test)]
mod tests {
    use arrow_ipc::reader::StreamReader;
    use datafusion::arrow::{
        array::{Int64Array, StringViewArray},
        compute::concat_batches,
    };

    use super::*;

    #[test]
    fn a_stream_comes_in_pieces() {
        let texts: StringViewArray = (0..5_000).map(|n| Some(format!("{n:0>1000}"))).collect();
        let numbers = Int64Array::from_iter_values(0..5_000);
        let batch = RecordBatch::try_from_iter([
            ("text", Arc::new(texts) as ArrayRef),
            ("number", Arc::new(numbers) as ArrayRef),
        ])
        .expect("columns of one length");
        let mut stream = ArrowStream::default();
        let mut whole = Vec::new();
        stream.begin(&batch.schema(), &mut whole).expect("begun");
        let (mut row, mut pieces) = (0, 0);
        while row < batch.num_rows() {
            let mut piece = Vec::new();
            row = stream.rows(&batch, row, 64 << 10, &mut piece).expect("written");
            assert!(piece.len() < 512 << 10, "{} bytes at a time", piece.len());
            pieces += 1;
            whole.append(&mut piece);
        }
        let whole = stream.end(whole, None).expect("ended");
        assert!(pieces > 20 && whole.len() < 6_000_000, "{pieces} pieces, {} bytes", whole.len());
        let read: Vec<_> =
            StreamReader::try_new(&*whole, None).expect("a stream").collect::<Result<_, _>>().expect("whole");
        assert_eq!(concat_batches(&batch.schema(), &read).expect("one schema"), batch);
    }
}
