//! Chunks of samples: no chunk, or samples that are the same when they were written again.

/// What can be read is kept.
pub fn chunk(bytes: &[u8]) {
    assert_ne!(weir_store::chunk_is_kept(bytes), Some(false), "written again, the samples are others");
}
