//! Loki's push on its way to OTLP: out of snappy where it is protobuf, then transcoded.

use std::sync::Arc;

use bytes::Bytes;
use weir_port::{Refusal, Reservation};
use weir_proto::loki::{PushError, PushOptions, transcode_json, transcode_protobuf};

/// Snappy cannot do better: copies of 64 bytes take three.
const SNAPPY_RATIO_MAX: usize = 22;

/// How a push is written, and what its receiver is set to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LokiFormat {
    /// JSON; otherwise protobuf in one block of snappy.
    pub(crate) is_json: bool,
    /// `discover_service_name` of the receiver.
    pub(crate) service_labels: Arc<[String]>,
    /// `use_incoming_timestamp` of the receiver.
    pub(crate) keeps_times: bool,
}

impl LokiFormat {
    /// The content out of snappy, whose declared length is not trusted beyond what its bytes can become.
    pub(super) fn opened(
        &self,
        content: Bytes,
        bytes_max: usize,
        reservation: &mut Reservation,
    ) -> Result<Bytes, Refusal> {
        if self.is_json {
            return Ok(content);
        }
        let corrupt = |error: snap::Error| Refusal::Malformed(format!("corrupt {error}"));
        let len = snap::raw::decompress_len(&content).map_err(corrupt)?;
        if len / SNAPPY_RATIO_MAX > content.len() {
            let words = format!("corrupt snappy: {len} bytes are declared, {} cannot become so many", content.len());
            return Err(Refusal::Malformed(words));
        }
        if len > bytes_max {
            return Err(Refusal::TooLarge { what: "the decompressed request", bytes_max });
        }
        reservation.add(len)?;
        let mut opened = vec![0; len];
        let written = snap::raw::Decoder::new().decompress(&content, &mut opened).map_err(corrupt)?;
        opened.truncate(written);
        reservation.give_back(content.len());
        Ok(opened.into())
    }

    /// The content as OTLP protobuf.
    pub(super) fn transcode(&self, content: &[u8], bytes_max: usize) -> Result<Vec<u8>, Refusal> {
        let Self { is_json, service_labels, keeps_times } = self;
        let options = PushOptions { service_labels, keeps_times: *keeps_times, bytes_max };
        let transcoded = if *is_json { transcode_json(content, options) } else { transcode_protobuf(content, options) };
        transcoded.map_err(|error| match error {
            PushError::Json(error) => error.into(),
            error => Refusal::Malformed(error.to_string()),
        })
    }
}
