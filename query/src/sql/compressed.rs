//! An answer of SQL, compressed while it is written.

use std::io;

use datafusion::arrow::{array::RecordBatch, datatypes::SchemaRef};

use super::{encoding::Encoding, error::SqlError};
use crate::coding::{Coding, Encoder};

/// Another encoding's bytes in a content coding. Runs where rows are written: on SQL's threads.
pub(crate) struct Compressed {
    inner: Box<dyn Encoding>,
    /// `None` after the end.
    encoder: Option<Encoder>,
    /// Of the inner encoding, not compressed yet.
    plain: Vec<u8>,
}

impl Compressed {
    /// The inner encoding as it is, when nothing is asked for.
    pub(crate) fn of(inner: Box<dyn Encoding>, coding: Option<Coding>) -> io::Result<Box<dyn Encoding>> {
        let Some(coding) = coding else { return Ok(inner) };
        Ok(Box::new(Self { inner, encoder: Some(Encoder::new(coding)?), plain: Vec::new() }))
    }

    fn compress(&mut self, out: &mut Vec<u8>) -> Result<(), SqlError> {
        let encoder = self.encoder.as_mut().ok_or(SqlError::Failed)?;
        encoder.push(&self.plain).map_err(|_| SqlError::Failed)?;
        encoder.drain(out);
        self.plain.clear();
        Ok(())
    }
}

impl Encoding for Compressed {
    fn content_type(&self) -> &'static str {
        self.inner.content_type()
    }

    fn begin(&mut self, schema: &SchemaRef, out: &mut Vec<u8>) -> Result<(), SqlError> {
        self.inner.begin(schema, &mut self.plain)?;
        self.compress(out)
    }

    fn rows(
        &mut self,
        batch: &RecordBatch,
        from: usize,
        bytes_max: usize,
        out: &mut Vec<u8>,
    ) -> Result<usize, SqlError> {
        let next = self.inner.rows(batch, from, bytes_max, &mut self.plain)?;
        self.compress(out)?;
        Ok(next)
    }

    fn end(&mut self, mut out: Vec<u8>, cut: Option<SqlError>) -> Result<Vec<u8>, SqlError> {
        let plain = std::mem::take(&mut self.plain);
        self.plain = self.inner.end(plain, cut)?;
        self.compress(&mut out)?;
        let encoder = self.encoder.take().ok_or(SqlError::Failed)?;
        out.append(&mut encoder.finish().map_err(|_| SqlError::Failed)?);
        Ok(out)
    }
}
