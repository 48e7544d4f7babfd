//! Elasticsearch's bulk requests to OTLP protobuf in one pass, each document with what its sender is told of it.
//!
//! The wire form is that of Elastic's public API reference ("Bulk index or delete documents"); the names of fields are those of
//! the Elastic Common Schema. docs/logs.md has the mapping in full.

mod action;
mod document;
mod name;

pub use action::Action;
pub use document::{DocumentError, Documents};
pub use name::name_problem;

use self::action::ActionLine;

/// The name of the scope that documents are in.
pub const SCOPE: &str = "elasticsearch";

/// The resource attribute that has the name of a document's index.
pub const INDEX: &str = "elasticsearch.index";

/// The attribute of the id that a document's sender gave it.
pub const ID: &str = "elasticsearch.id";

/// At most this many times as many bytes come out: small documents of different indices get longer.
pub const EXPANSION_MAX: usize = 6;

/// What holds for a request.
#[derive(Debug, Clone, Copy)]
pub struct BulkOptions<'a> {
    /// The index in the path, for documents that name none.
    pub index: Option<&'a str>,
    /// Documents of one request.
    pub documents_max: usize,
    /// Bytes of protobuf.
    pub bytes_max: usize,
    /// Fields of a document that become attributes; one with more is kept as a text.
    pub fields_max: u32,
}

/// What a request came to.
#[derive(Debug, Default)]
pub struct Bulk {
    /// An ExportLogsServiceRequest of the documents without a fault, in order.
    pub payload: Vec<u8>,
    /// What was asked, in order.
    pub items: Vec<BulkItem>,
    /// Names of indices, which the items number.
    pub indices: Vec<String>,
}

/// One action of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkItem {
    /// What was asked.
    pub action: Action,
    /// Its index in [`Bulk::indices`].
    pub index: u32,
    /// The id that its sender gave it.
    pub id: Option<Box<str>>,
    /// Why it is not in the payload.
    pub fault: Option<Box<DocumentError>>,
}

/// Why a whole request is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BulkError {
    /// No bytes at all.
    #[error("a request body is needed")]
    Empty,
    /// The last line has no end.
    #[error("a bulk request ends with a newline [\\n]")]
    NoNewline,
    /// A line that says what to do with the next one does not.
    #[error("line {line} is no action: {what}")]
    Action {
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// Neither the path nor the action names an index.
    #[error("item {item} names no index, and neither does the path")]
    IndexMissing {
        /// Counted from 1.
        item: usize,
    },
    /// Nothing is asked.
    #[error("there is no action in the request")]
    NoActions,
    /// Too many documents.
    #[error("more than {documents_max} documents in one request")]
    TooMany {
        /// How many are allowed.
        documents_max: usize,
    },
    /// Too many bytes come out.
    #[error("more than {bytes_max} bytes of protobuf")]
    TooLarge {
        /// How many are allowed.
        bytes_max: usize,
    },
}

impl BulkError {
    /// Elasticsearch's word for it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Empty => "parse_exception",
            Self::IndexMissing { .. } | Self::NoActions => "action_request_validation_exception",
            _ => "illegal_argument_exception",
        }
    }

    /// Whether it is about size.
    pub fn is_size(&self) -> bool {
        matches!(self, Self::TooMany { .. } | Self::TooLarge { .. })
    }
}

/// The lines of a body, each without its end.
struct Lines<'a> {
    body: &'a [u8],
    at: usize,
    /// How many were read.
    number: usize,
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = &self.body[self.at..];
        let len = memchr::memchr(b'\n', rest)?;
        self.at += len + 1;
        self.number += 1;
        Some(rest[..len].strip_suffix(b"\r").unwrap_or(&rest[..len]))
    }
}

/// A bulk request, pairs of lines: what to do, and the document. A fault of a document is one of its own.
pub fn transcode_bulk(body: &[u8], options: BulkOptions<'_>) -> Result<Bulk, BulkError> {
    let (Some(last), bytes_max) = (body.last(), options.bytes_max) else { return Err(BulkError::Empty) };
    if *last != b'\n' {
        return Err(BulkError::NoNewline);
    }
    let mut documents = Documents::new(body.len() + body.len() / 2, options.fields_max);
    let mut bulk = Bulk::default();
    let mut lines = Lines { body, at: 0, number: 0 };
    let mut known = Known::default();
    while let Some(line) = lines.next() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        if bulk.items.len() >= options.documents_max {
            return Err(BulkError::TooMany { documents_max: options.documents_max });
        }
        let (action, index) = known.read(line, lines.number, &mut bulk, options.index)?;
        let source = if action.action == Action::Delete { None } else { lines.next() };
        let fault = match (action.action, source) {
            (Action::Update | Action::Delete, _) => Some(DocumentError::OnlyAppends(action.action)),
            (_, None) => Some(DocumentError::SourceMissing),
            (_, Some(source)) => documents.push(source, &bulk.indices[index as usize], action.id.as_deref()).err(),
        };
        bulk.items.push(BulkItem { action: action.action, index, id: action.id.clone(), fault: fault.map(Box::new) });
        if documents.len() > bytes_max.min(body.len() * EXPANSION_MAX + 4096) {
            return Err(BulkError::TooLarge { bytes_max });
        }
    }
    if bulk.items.is_empty() {
        return Err(BulkError::NoActions);
    }
    bulk.payload = documents.finish();
    Ok(bulk)
}

/// A single document, which may stand in several lines.
pub fn transcode_document(
    source: &[u8],
    index: &str,
    id: Option<&str>,
    options: BulkOptions<'_>,
) -> Result<Bulk, BulkError> {
    if source.trim_ascii().is_empty() {
        return Err(BulkError::Empty);
    }
    let mut documents = Documents::new(source.len() * 2, options.fields_max);
    let fault = documents.push(source, index, id).err().map(Box::new);
    if documents.len() > options.bytes_max {
        return Err(BulkError::TooLarge { bytes_max: options.bytes_max });
    }
    let item = BulkItem { action: Action::Index, index: 0, id: id.map(Into::into), fault };
    Ok(Bulk { payload: documents.finish(), items: vec![item], indices: vec![index.to_owned()] })
}

/// The action line that was read last: most are like the one before.
#[derive(Default)]
struct Known {
    line: Vec<u8>,
    action: ActionLine,
    index: u32,
}

impl Known {
    fn read(
        &mut self,
        line: &[u8],
        number: usize,
        bulk: &mut Bulk,
        path: Option<&str>,
    ) -> Result<(&ActionLine, u32), BulkError> {
        if line != self.line || bulk.items.is_empty() {
            self.action = action::read(line).map_err(|what| BulkError::Action { line: number, what })?;
            let name = self.action.index.as_deref().or(path);
            let name = name.ok_or(BulkError::IndexMissing { item: bulk.items.len() + 1 })?;
            let known = bulk.indices.iter().rposition(|index| index == name);
            self.index = known.unwrap_or_else(|| {
                bulk.indices.push(name.to_owned());
                bulk.indices.len() - 1
            }) as u32;
            self.line.clear();
            self.line.extend_from_slice(line);
        }
        Ok((&self.action, self.index))
    }
}

#[cfg(test)]
mod tests;
