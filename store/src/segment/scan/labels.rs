//! Labels that lines have from elsewhere than their bodies: of attributes, and of ids.

use weir_proto::{
    TraceId,
    loki::{may_have_label, push_label_name},
};

use super::{
    gather::{self, ChosenRows},
    prune::within,
};
use crate::{
    ask::field_test::FieldTest,
    columns::{Column, Packing, Values},
    segment::{
        Segment, SegmentError, body_end,
        chunk_reader::ChunkReader,
        manifest::ResidualKeys,
        schema::{ITEM_PREFIX, RESOURCE_PREFIX, lines},
        selection::Selection,
    },
};

/// Whether a row may have this label from its attributes or those of its resource.
pub(super) fn may_be_attribute(segment: &Segment, label: &str) -> bool {
    may_be_of_item(segment, label) || may_be_of_resource(segment, label)
}

/// Whether a row may have it from its own attributes.
pub(super) fn may_be_of_item(segment: &Segment, label: &str) -> bool {
    let may_be_end = || may_have_label(body_end::KEY, &[label.to_owned()]) && body_end::is_in(segment);
    may_be(segment, label, ITEM_PREFIX, &segment.manifest.attributes_other) || may_be_end()
}

/// Whether a row may have it from its resource.
pub(super) fn may_be_of_resource(segment: &Segment, label: &str) -> bool {
    may_be(segment, label, RESOURCE_PREFIX, &segment.manifest.resource_other)
}

fn may_be(segment: &Segment, label: &str, prefix: &str, others: &ResidualKeys) -> bool {
    let labels = [label.to_owned()];
    let is_it = |key: &str| may_have_label(key, &labels);
    others.cut
        || others.keys.iter().any(|listed| is_it(&listed.key))
        || segment.specs().iter().any(|spec| spec.name.strip_prefix(prefix).is_some_and(is_it))
}

/// The rows of a row group, out of some, that have an id which fits under a label of ids; more when an index tells.
pub(super) fn rows_with_id(
    segment: &Segment,
    reader: &ChunkReader<'_>,
    (group, rows): (usize, &ChosenRows),
    test: &FieldTest,
) -> Result<Selection, SegmentError> {
    let mut found = Selection::none(segment.group_rows(group));
    let (column, packing) = match test.label() {
        "trace_id" => (lines::TRACE_ID, Packing::Hex16),
        "span_id" => (lines::SPAN_ID, Packing::Hex8),
        _ => return Ok(found),
    };
    if let Some(id) = trace_of(test) {
        let extents = segment.rows_of_traces(&[id], &|| false)?;
        let first_row = segment.group_starts[group];
        within(&extents, first_row, 0..segment.group_rows(group)).flatten().for_each(|row| found.insert(row));
        return Ok(found);
    }
    let ids = gather::read(reader, group, column, rows)?;
    let mut text = Vec::new();
    let mut fits = |id: &[u8]| {
        text.clear();
        packing.unpack(id, &mut text);
        test.fits_text(&text)
    };
    for at in 0..ids.len() {
        let is_it = match &ids.values {
            Values::Bytes { .. } => fits(ids.bytes(at)),
            Values::Words(words) => fits(&words[at].to_le_bytes()),
        };
        if is_it {
            found.insert(rows.row(ids.row(at)));
        }
    }
    Ok(found)
}

/// The only trace that fits, where that is told.
pub(super) fn trace_of(test: &FieldTest) -> Option<TraceId> {
    let text = test.only_text().filter(|text| test.label() == "trace_id" && Packing::Hex16.fits(text.as_bytes()))?;
    let mut id = Vec::with_capacity(16);
    Packing::Hex16.pack(text.as_bytes(), &mut id);
    id.try_into().ok().map(TraceId)
}

/// The positions of attributes, as JSON objects, of which one has the label and fits. Of several with one label any counts.
pub(super) fn positions_with_attribute<'a>(
    attributes: &'a Column,
    test: &'a FieldTest,
) -> impl Iterator<Item = u32> + 'a {
    let texts = match &attributes.values {
        Values::Bytes { dictionary, .. } => dictionary.len(),
        Values::Words(_) => 0,
    };
    let mut known: Vec<Option<bool>> = vec![None; texts];
    (0..attributes.len()).filter_map(move |at| {
        let Values::Bytes { codes, dictionary } = &attributes.values else { return None };
        let code = codes[at];
        let fits = *known[code as usize].get_or_insert_with(|| match serde_json::from_slice(dictionary.get(code)) {
            Ok(serde_json::Value::Object(members)) => members.iter().any(|(key, value)| member_fits(key, value, test)),
            _ => true,
        });
        fits.then(|| attributes.row(at))
    })
}

fn member_fits(key: &str, value: &serde_json::Value, test: &FieldTest) -> bool {
    // Attributes nest 64 deep at most.
    if let serde_json::Value::Object(members) = value {
        return members.iter().any(|(name, value)| member_fits(&format!("{key}_{name}"), value, test));
    }
    let mut label = String::new();
    push_label_name(key, &mut label);
    label == test.label()
        && match value {
            serde_json::Value::String(text) => test.fits_text(text.as_bytes()),
            value => test.fits_text(value.to_string().as_bytes()),
        }
}
