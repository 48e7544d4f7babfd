//! Bulk requests on their way in: transcoded as the port asks, with what each document came to kept beside.

use parking_lot::Mutex;
use weir_port::Refusal;
use weir_proto::elasticsearch::{Bulk, BulkError, BulkOptions, EXPANSION_MAX, transcode_bulk, transcode_document};

use crate::receivers::intake::Transcode;

/// What a body holds.
#[derive(Debug)]
pub(super) enum Asked {
    /// Actions and documents.
    Bulk {
        /// Of the path.
        index: Option<String>,
    },
    /// One document.
    Document { index: String, id: Option<String> },
}

/// One request's body.
#[derive(Debug)]
pub(super) struct BulkFormat {
    pub(super) asked: Asked,
    pub(super) documents_max: usize,
    pub(super) fields_max: u32,
    /// Set once the body was read.
    came_to: Mutex<Option<Result<Bulk, BulkError>>>,
}

impl BulkFormat {
    pub(super) fn new(asked: Asked, documents_max: usize, fields_max: u32) -> Self {
        Self { asked, documents_max, fields_max, came_to: Mutex::new(None) }
    }

    /// What the body came to, without the payload; `None` when it was not read.
    pub(super) fn came_to(&self) -> Option<Result<Bulk, BulkError>> {
        self.came_to.lock().take()
    }
}

impl Transcode for BulkFormat {
    fn expansion_max(&self) -> usize {
        EXPANSION_MAX
    }

    fn transcode(&self, content: &[u8], bytes_max: usize) -> Result<Vec<u8>, Refusal> {
        let Self { asked, documents_max, fields_max, came_to } = self;
        let options = BulkOptions { index: None, documents_max: *documents_max, bytes_max, fields_max: *fields_max };
        let transcoded = match asked {
            Asked::Bulk { index } => transcode_bulk(content, BulkOptions { index: index.as_deref(), ..options }),
            Asked::Document { index, id } => transcode_document(content, index, id.as_deref(), options),
        };
        let (answer, kept) = match transcoded {
            Ok(mut bulk) => (Ok(std::mem::take(&mut bulk.payload)), Ok(bulk)),
            Err(error) => {
                let refusal = match error {
                    BulkError::TooLarge { .. } => Refusal::TooLarge { what: "the request as protobuf", bytes_max },
                    BulkError::TooMany { documents_max } => {
                        Refusal::TooLarge { what: "the number of documents", bytes_max: documents_max }
                    }
                    _ => Refusal::Malformed(error.to_string()),
                };
                (Err(refusal), Err(error))
            }
        };
        *came_to.lock() = Some(kept);
        answer
    }
}
