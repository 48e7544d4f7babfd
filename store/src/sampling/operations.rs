//! The operations of the head file that the sampler reads just now, with their hashes.

use std::sync::Arc;

use crate::head::{HeadOperation, SpanFile, operation_hash};

/// By the file's numbers.
#[derive(Debug, Default)]
pub(super) struct FileOperations {
    file: u32,
    operations: Vec<(u64, Arc<HeadOperation>)>,
}

impl FileOperations {
    /// Another frame of this file is read.
    pub(super) fn begin_frame(&mut self, file: &SpanFile) {
        if self.file != file.number() {
            self.file = file.number();
            self.operations.clear();
        }
    }

    /// An operation of the file and its hash.
    #[inline]
    pub(super) fn get(&mut self, file: &SpanFile, number: u32) -> (u64, &HeadOperation) {
        if self.operations.len() <= number as usize {
            let new = file.operations_from(self.operations.len());
            let hashed = new
                .into_iter()
                .map(|operation| (operation_hash(&operation.service, &operation.name, operation.kind), operation));
            self.operations.extend(hashed);
        }
        let (hash, operation) = &self.operations[number as usize];
        (*hash, operation)
    }
}
