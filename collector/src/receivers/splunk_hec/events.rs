//! Events on their way in: transcoded as the port asks, with why they are refused kept beside.

use parking_lot::Mutex;
use weir_port::Refusal;
use weir_proto::splunk_hec::{EXPANSION_MAX, EventsError, Metadata, transcode_events, transcode_raw};

use crate::receivers::intake::Transcode;

/// One request's body.
#[derive(Debug)]
pub(super) struct EventsFormat {
    /// Text, a line an event; otherwise JSON.
    pub(super) is_raw: bool,
    /// What the address says of events that say nothing.
    pub(super) defaults: Metadata,
    refused: Mutex<Option<EventsError>>,
}

impl EventsFormat {
    pub(super) fn new(is_raw: bool, defaults: Metadata) -> Self {
        Self { is_raw, defaults, refused: Mutex::new(None) }
    }

    /// Why the events were refused, if it was for what they are.
    pub(super) fn refused(&self) -> Option<EventsError> {
        self.refused.lock().take()
    }
}

impl Transcode for EventsFormat {
    fn expansion_max(&self) -> usize {
        EXPANSION_MAX
    }

    fn transcode(&self, content: &[u8], bytes_max: usize) -> Result<Vec<u8>, Refusal> {
        let transcode = if self.is_raw { transcode_raw } else { transcode_events };
        transcode(content, &self.defaults, bytes_max).map_err(|error| {
            let refusal = match error {
                EventsError::TooLarge { .. } => Refusal::TooLarge { what: "the request as protobuf", bytes_max },
                _ => Refusal::Malformed(error.to_string()),
            };
            *self.refused.lock() = Some(error);
            refusal
        })
    }
}
