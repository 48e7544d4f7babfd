//! What a body is written in, and its way to OTLP protobuf.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use weir_port::{Refusal, Reservation};
use weir_proto::{
    Signal, loki,
    otlp::json::{Stranger, TranscodeLimits, Transcoded, transcode_request},
    zipkin::{self, TranscodeOptions, transcode_spans},
};

use super::loki::LokiFormat;
use crate::admission::AdmissionRules;

/// A format that its receiver brings along, with a place for what its senders are told.
pub(crate) trait Transcode: fmt::Debug + Send + Sync {
    /// At most this many times as many bytes come out.
    fn expansion_max(&self) -> usize;

    /// Decompressed `content` as OTLP protobuf of the signal, of at most `bytes_max` bytes.
    fn transcode(&self, content: &[u8], bytes_max: usize) -> Result<Vec<u8>, Refusal>;
}

/// How a body says its items.
#[derive(Debug, Clone)]
pub(crate) enum Format {
    OtlpProtobuf,
    OtlpJson,
    /// Zipkin v2 in JSON.
    Zipkin {
        /// `parse_string_tags` of the receiver.
        parse_string_tags: bool,
    },
    /// Loki's push.
    Loki(LokiFormat),
    /// One of its receiver's own.
    Own(Arc<dyn Transcode>),
}

impl Format {
    /// Whether it is what the journal holds.
    pub(crate) fn is_canonical(&self) -> bool {
        matches!(self, Self::OtlpProtobuf)
    }

    /// Whether it is OTLP's JSON, which is answered in JSON.
    pub(crate) fn is_otlp_json(&self) -> bool {
        matches!(self, Self::OtlpJson)
    }

    /// Decompressed `content` as OTLP protobuf, of at most `bytes_max` bytes, and the keys around items that nobody knows; what is held is
    /// taken from `reservation`.
    pub(crate) fn payload(
        &self,
        signal: Signal,
        content: Bytes,
        bytes_max: usize,
        now_ns: u64,
        rules: &AdmissionRules,
        reservation: &mut Reservation,
    ) -> Result<(Bytes, Vec<Stranger>), Refusal> {
        // Protobuf is shorter than its JSON; short Zipkin spans become longer ones.
        let content = match self {
            Self::Loki(format) => format.opened(content, bytes_max, reservation)?,
            _ => content,
        };
        let expansion = match self {
            Self::OtlpProtobuf => return Ok((content, Vec::new())),
            Self::OtlpJson => 1,
            Self::Zipkin { .. } => zipkin::EXPANSION_MAX,
            Self::Loki(_) => loki::EXPANSION_MAX,
            Self::Own(format) => format.expansion_max(),
        };
        let reserved_bytes = content.len() * expansion;
        reservation.add(reserved_bytes)?;
        let Transcoded { mut payload, strangers } = match self {
            Self::Loki(format) => Transcoded { payload: format.transcode(&content, bytes_max)?, strangers: Vec::new() },
            Self::Own(format) => Transcoded { payload: format.transcode(&content, bytes_max)?, strangers: Vec::new() },
            Self::Zipkin { parse_string_tags } => {
                let options =
                    TranscodeOptions { parse_string_tags: *parse_string_tags, received_at_ns: now_ns, bytes_max };
                Transcoded { payload: transcode_spans(&content, options)?, strangers: Vec::new() }
            }
            _ => {
                let limits = TranscodeLimits { depth_max: rules.limits.depth_max, bytes_max };
                transcode_request(signal, &content, limits)?
            }
        };
        // The journal and the head account for what is used, not for what is allocated.
        payload.shrink_to_fit();
        let content_bytes = content.len();
        drop(content);
        reservation.give_back((reserved_bytes + content_bytes).saturating_sub(payload.len()));
        Ok((payload.into(), strangers))
    }
}
