//! The statistics that come with every answer.

use std::time::Duration;

use serde_json::{Value, json};

use crate::logql::engine::Tally;

/// In Loki's shape; what there is nothing of in Weir is 0.
pub(super) fn stats(tally: Tally, took: Duration, entries_returned: usize) -> Value {
    let seconds = took.as_secs_f64().max(1e-9);
    let per_second = |count: u64| (count as f64 / seconds) as u64;
    let chunk = json!({
        "headChunkBytes": 0, "headChunkLines": 0, "decompressedBytes": tally.bytes, "decompressedLines": tally.lines,
        "compressedBytes": 0, "totalDuplicates": 0, "postFilterLines": tally.passed,
        "headChunkStructuredMetadataBytes": 0, "decompressedStructuredMetadataBytes": 0,
    });
    let none = json!({
        "headChunkBytes": 0, "headChunkLines": 0, "decompressedBytes": 0, "decompressedLines": 0,
        "compressedBytes": 0, "totalDuplicates": 0, "postFilterLines": 0,
        "headChunkStructuredMetadataBytes": 0, "decompressedStructuredMetadataBytes": 0,
    });
    let store = |chunk: Value| {
        json!({
            "totalChunksRef": 0, "totalChunksDownloaded": 0, "chunksDownloadTime": 0,
            "queryReferencedStructuredMetadata": false, "chunk": chunk,
        })
    };
    let cache = json!({
        "entriesFound": 0, "entriesRequested": 0, "entriesStored": 0, "bytesReceived": 0, "bytesSent": 0,
        "requests": 0, "downloadTime": 0,
    });
    json!({
        "summary": {
            "bytesProcessedPerSecond": per_second(tally.bytes), "linesProcessedPerSecond": per_second(tally.lines),
            "totalBytesProcessed": tally.bytes, "totalLinesProcessed": tally.lines,
            "execTime": took.as_secs_f64(), "queueTime": 0.0, "subqueries": 0,
            "totalEntriesReturned": entries_returned, "splits": 0, "shards": 0,
            "totalPostFilterLines": tally.passed, "totalStructuredMetadataBytesProcessed": 0,
        },
        "querier": {"store": store(chunk)},
        "ingester": {
            "totalReached": 0, "totalChunksMatched": 0, "totalBatches": 0, "totalLinesSent": 0, "store": store(none),
        },
        "cache": {
            "chunk": cache.clone(), "index": cache.clone(), "result": cache.clone(), "statsResult": cache.clone(),
            "volumeResult": cache,
        },
        "index": {"totalChunks": 0, "postFilterChunks": 0, "shardsDuration": 0},
    })
}
