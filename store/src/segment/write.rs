//! Writes what a builder gathered as a segment's directory.

use std::{borrow::Cow, path::Path};

use parquet::errors::ParquetError;

use super::{
    Segment, SegmentError, SegmentId,
    builder::SpanBuilder,
    column::{ChunkView, Column, Values, ValuesView},
    contexts::{Contexts, Spread},
    files::{INDEX, MANIFEST, NewDirectory},
    manifest::{Checked, FORMAT, Manifest, SegmentTally},
    operations::listed,
    promotion::Promotion,
    schema::{self, ColumnSpec, RESOURCE_PREFIX, SPAN_PREFIX, fixed, unwritten_word},
    spans_file::{ROW_GROUP_ROWS, SpansFile},
};
use crate::{Operation, disk::Disk};

/// Writes the builder's spans as segment `id` below `parent` and opens it. Every file is durable, and so is the directory's
/// name, when this returns. `level` is zstd's.
pub fn write_segment(
    disk: &Disk,
    parent: &Path,
    id: &SegmentId,
    builder: &SpanBuilder,
    tally: impl Into<SegmentTally>,
    level: i32,
) -> Result<Segment, SegmentError> {
    let directory = NewDirectory::create(disk, parent, &id.to_string())?;
    match write_files(&directory, id, builder, tally.into(), level) {
        Ok(()) => Segment::open(&directory.publish()?),
        Err(error) => {
            directory.discard();
            Err(error)
        }
    }
}

/// Where an output column's values come from.
enum Source<'a> {
    /// A column as it is.
    Borrowed(&'a Column),
    /// A column made for the file.
    Owned(Column),
    /// Numbers on every row: this one, except where the column has another.
    Filled(u64, Option<&'a Column>),
    /// A column over resources or scopes.
    Spread(Spread, &'a Contexts, Cow<'a, Column>),
}

/// Buffers for the values of one row group.
#[derive(Default)]
struct Scratch {
    rows: Vec<u32>,
    codes: Vec<u32>,
    words: Vec<u64>,
}

fn write_files(
    directory: &NewDirectory,
    id: &SegmentId,
    builder: &SpanBuilder,
    tally: SegmentTally,
    level: i32,
) -> Result<(), SegmentError> {
    let spans = Promotion::of(&builder.attributes, builder.rows(), None);
    let resource_rows = builder.resources.contexts.row_counts(builder.rows);
    let resources = Promotion::of(&builder.resources.attributes, builder.rows(), Some(&resource_rows));
    let (span_keys, resource_keys) = (spans.keys.clone(), resources.keys.clone());
    let (specs, sources) = columns(builder, spans, resources);
    let mut file = SpansFile::create(directory, specs, level)?;
    let mut scratch = Scratch::default();
    let mut first = 0;
    while first < builder.rows {
        let count = (builder.rows - first).min(ROW_GROUP_ROWS);
        let specs = file.specs().to_vec();
        file.write_row_group(|number, encode| {
            with_view(&sources[number], &specs[number], first, count, &mut scratch, encode)
        })?;
        first += count;
    }
    let written = file.finish(directory)?;
    let (index, header_bytes) = builder.traces.finish(builder.rows());
    directory.write(INDEX, &index)?;
    let (operations, operations_cut) = listed(operations(builder), builder.operations.cut);
    let (start_min_ns, start_max_ns) = builder.start_ns.unwrap_or((0, 0));
    let manifest = Manifest {
        format: FORMAT,
        tenant: id.tenant.to_string(),
        journal: "traces".to_owned(),
        first_file: id.first_file,
        last_file: id.last_file,
        generation: id.generation,
        tally: tally.own,
        ledger_after: tally.ledger_after,
        rows: builder.rows(),
        traces: builder.traces.len(),
        start_min_ns,
        start_max_ns: Some(start_max_ns),
        spans: written.checked,
        index: Some(Checked::start_of(&index, header_bytes)),
        blooms: written.blooms,
        operations,
        operations_cut,
        services: Some(written.services),
        attributes_other: span_keys,
        resource_other: resource_keys,
        event_keys: Some(written.event_keys),
        link_keys: Some(written.link_keys),
    };
    directory.write(MANIFEST, &manifest.to_bytes())
}

fn operations(builder: &SpanBuilder) -> impl Iterator<Item = Operation> {
    let text = |column: &Column, code: u32| match &column.values {
        Values::Bytes { dictionary, .. } => String::from_utf8_lossy(dictionary.get(code)).into_owned(),
        Values::Words(_) => unreachable!("names are text"),
    };
    builder.operations.seen.keys().map(move |&(service, name, kind)| Operation {
        service: text(&builder.resources.service, service),
        name: text(&builder.fixed[fixed::NAME], name),
        kind,
    })
}

/// The columns of the file, and where each comes from.
fn columns<'a>(builder: &'a SpanBuilder, spans: Promotion, resources: Promotion) -> (Vec<ColumnSpec>, Vec<Source<'a>>) {
    let of_resource = |column: &'a Column| {
        let contexts = &builder.resources.contexts;
        Source::Spread(Spread::new(contexts, column), contexts, Cow::Borrowed(column))
    };
    let of_scope = |column: &'a Column| {
        let contexts = &builder.scopes.contexts;
        Source::Spread(Spread::new(contexts, column), contexts, Cow::Borrowed(column))
    };
    let of_resource_owned = |column: Column| {
        let contexts = &builder.resources.contexts;
        Source::Spread(Spread::new(contexts, &column), contexts, Cow::Owned(column))
    };
    let mut specs = schema::fixed_specs();
    let (mut span_residual, mut resource_residual) = (Some(spans.residual), Some(resources.residual));
    let mut sources: Vec<Source<'a>> = (0..specs.len())
        .map(|number| match number {
            fixed::SERVICE => of_resource(&builder.resources.service),
            fixed::RESOURCE_SCHEMA_URL => of_resource(&builder.resources.schema_url),
            fixed::RESOURCE_DROPPED => of_resource(&builder.resources.dropped),
            fixed::RESOURCE_OTHER => of_resource_owned(resource_residual.take().expect("one such column")),
            fixed::ATTRIBUTES_OTHER => Source::Owned(span_residual.take().expect("one such column")),
            fixed::SCOPE_NAME => of_scope(&builder.scopes.name),
            fixed::SCOPE_VERSION => of_scope(&builder.scopes.version),
            fixed::SCOPE_SCHEMA_URL => of_scope(&builder.scopes.schema_url),
            fixed::SCOPE_ATTRIBUTES => of_scope(&builder.scopes.attributes),
            fixed::SCOPE_DROPPED => of_scope(&builder.scopes.dropped),
            _ if fixed::MOSTLY_ALIKE.contains(&number) => {
                let usual = unwritten_word(number).expect("the columns that are mostly alike are numbers");
                Source::Filled(usual, Some(&builder.fixed[number]))
            }
            _ => Source::Borrowed(&builder.fixed[number]),
        })
        .collect();
    for (number, firsts) in spans.promoted {
        let column = &builder.attributes.columns[number];
        specs.push(attribute_spec(SPAN_PREFIX, &column.key, column.kind));
        sources.push(firsts.map_or(Source::Borrowed(&column.column), Source::Owned));
    }
    for (number, firsts) in resources.promoted {
        let column = &builder.resources.attributes.columns[number];
        specs.push(attribute_spec(RESOURCE_PREFIX, &column.key, column.kind));
        sources.push(match firsts {
            None => of_resource(&column.column),
            Some(firsts) => of_resource_owned(firsts),
        });
    }
    (specs, sources)
}

/// The spec of an attribute's column.
pub(super) fn attribute_spec(prefix: &str, key: &[u8], kind: super::attributes::ValueKind) -> ColumnSpec {
    let kind = kind.column_kind().expect("only types with columns are chosen");
    ColumnSpec { name: format!("{prefix}{}", String::from_utf8_lossy(key)), kind, required: false }
}

type Encode<'e> = &'e mut dyn FnMut(ChunkView<'_>) -> Result<(), ParquetError>;

fn with_view(
    source: &Source<'_>,
    spec: &ColumnSpec,
    first: u32,
    count: u32,
    scratch: &mut Scratch,
    encode: Encode<'_>,
) -> Result<(), ParquetError> {
    match source {
        Source::Borrowed(column) => encode(column.slice(first, count)),
        Source::Owned(column) => encode(column.slice(first, count)),
        Source::Filled(word, column) => {
            scratch.words.clear();
            scratch.words.resize(count as usize, *word);
            if let Some(column) = column {
                let view = column.slice(first, count);
                if let (Some(rows), ValuesView::Words(words)) = (view.rows, view.values) {
                    for (&row, &word) in rows.iter().zip(words) {
                        scratch.words[(row - first) as usize] = word;
                    }
                }
            }
            encode(ChunkView { first, count, rows: None, values: ValuesView::Words(&scratch.words) })
        }
        Source::Spread(spread, contexts, column) => {
            let Scratch { rows, codes: spread_codes, words: spread_words } = scratch;
            rows.clear();
            let mut add_rows = |start, count| {
                if !spec.required {
                    rows.extend(start..start + count);
                }
            };
            let values = match &column.values {
                Values::Bytes { codes, dictionary } => {
                    spread_codes.clear();
                    spread.for_each(contexts, first, first + count, |position, start, count| {
                        add_rows(start, count);
                        spread_codes.resize(spread_codes.len() + count as usize, codes[position]);
                    });
                    ValuesView::Bytes { codes: spread_codes, dictionary }
                }
                Values::Words(words) => {
                    spread_words.clear();
                    spread.for_each(contexts, first, first + count, |position, start, count| {
                        add_rows(start, count);
                        spread_words.resize(spread_words.len() + count as usize, words[position]);
                    });
                    ValuesView::Words(spread_words)
                }
            };
            let rows = (!spec.required).then_some(&rows[..]);
            encode(ChunkView { first, count, rows, values })
        }
    }
}
