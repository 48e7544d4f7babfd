//! Reads a recovered journal file of metrics into the head.

use std::{collections::HashMap, sync::Arc};

use crate::{
    SeriesRef,
    head::{Arrival, Arrived, Registry, SeriesFile, Taken},
    journal::{JournalFile, Newer, StoredFrame},
    samples::payload::Payload,
};

/// The samples go to their series, which are made where need be. Files are read in their order.
pub(crate) fn replay(journal: &Arc<JournalFile>, registry: &Registry) -> Result<Arc<SeriesFile>, Newer> {
    let file = Arc::new(SeriesFile::new(journal.clone()));
    let mut known = HashMap::new();
    let mut frames = journal.frames();
    for frame in &mut frames {
        let frame = match frame {
            Ok(frame) => frame,
            Err(damage) => {
                Newer::of_damage(journal, &damage)?;
                tracing::error!(file = journal.number(), %damage, "damaged frames in the journal; the rest is read");
                continue;
            }
        };
        add_frame(&file, &frame, registry, &mut known);
    }
    file.add_damaged(&frames.damaged());
    Ok(file)
}

fn add_frame(file: &SeriesFile, frame: &StoredFrame, registry: &Registry, known: &mut HashMap<u64, SeriesRef>) {
    // No snapshot is older.
    let arrival =
        Arrival { file: frame.offset.file(), position: frame.offset.position(), seen: frame.offset.position() };
    let tenant = &frame.header.tenant;
    let Some(payload) = Payload::read(&frame.payload) else {
        tracing::error!(offset = %frame.offset, "a journalled payload cannot be read");
        let damaged = frame.header.accepted();
        file.add(arrival, &frame.header, Arrived { damaged, ..Arrived::default() });
        return;
    };
    for (number, labels) in &payload.series {
        known.insert(*number, registry.recovered(tenant, labels));
    }
    let mut arrived = Arrived::default();
    registry.tenant(tenant).learn(&payload.metadata);
    for row in &payload.floats {
        match known.get(&row.series) {
            Some(series) => {
                let taken = series.0.add_float(arrival, (row.time_ms, row.start_ms), row.value);
                if taken == Taken::Stored {
                    arrived.count(series, arrival.file);
                }
            }
            // What defined it is damaged.
            None => arrived.damaged += 1,
        }
    }
    for row in &payload.histograms {
        match known.get(&row.series) {
            Some(series) => {
                let taken = series.0.add_histogram(arrival, (row.time_ms, row.start_ms), &row.value);
                if taken == Taken::Stored {
                    arrived.count(series, arrival.file);
                }
            }
            None => arrived.damaged += 1,
        }
    }
    let exemplars = payload.exemplars.into_iter();
    arrived.exemplars =
        exemplars.filter_map(|(number, exemplar)| Some((known.get(&number)?.clone(), exemplar))).collect();
    arrived.metadata = payload.metadata;
    file.add(arrival, &frame.header, arrived);
}
