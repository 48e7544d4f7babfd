//! Writes what a builder gathered as a segment's directory.

use std::{borrow::Cow, path::Path};

use parquet::errors::ParquetError;
use weir_proto::Signal;

use super::{
    Segment, SegmentError, SegmentId,
    attributes::AttributeColumns,
    body_fields::BodyFields,
    body_table::FinishedBodies,
    contexts::{Contexts, Spread},
    field_column::RowIds,
    field_share,
    files::{INDEX, MANIFEST, NewDirectory},
    gathering::{Builder, Gathering},
    manifest::{Checked, Manifest, SegmentTally, format_of},
    promotion::Promotion,
    rows_file::{ROW_GROUP_ROWS, RowsFile},
    schema::{ITEM_PREFIX, Origin, RESOURCE_PREFIX, lines},
    told::ToldAttributes,
};
use crate::columns::{ChunkView, Column, ColumnSpec, Nature, Packing, Values, ValuesView};
use crate::disk::Disk;

/// Writes the builder's rows as segment `id` below `parent` and opens it. Every file is durable, and so is the directory's
/// name, when this returns. `level` is zstd's.
pub fn write_segment(
    disk: &Disk,
    parent: &Path,
    id: &SegmentId,
    builder: &impl Builder,
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
enum ValuesFrom<'a> {
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
    builder: &impl Builder,
    tally: SegmentTally,
    level: i32,
) -> Result<(), SegmentError> {
    let gathered = builder.gathering();
    let rows = u64::from(gathered.rows);
    let finished = (id.signal == Signal::Logs).then(|| finish_bodies(gathered));
    let told = finished.as_ref().map_or_else(ToldAttributes::default, |finished| {
        gathered.bodies.told(&finished.fields, &row_ids(gathered), &gathered.attributes)
    });
    let attributes = gathered.attributes.all_with(&told.columns);
    let own = Promotion::of(&attributes, rows, None);
    let resource_rows = gathered.resources.contexts.row_counts(gathered.rows);
    let resources = Promotion::of(&gathered.resources.attributes.all(), rows, Some(&resource_rows));
    let (own_keys, resource_keys) = (own.keys.clone(), resources.keys.clone());
    let (mut specs, mut sources) = columns(gathered, &attributes, own, resources);
    let bodies = finished.map(|finished| add_bodies(finished, &mut specs, &mut sources));
    let mut attributes_as_fields = leave_out_shared(gathered, &mut specs, &mut sources, bodies.as_ref());
    attributes_as_fields.extend(told.as_fields.iter().cloned());
    attributes_as_fields.sort_unstable();
    let mut file = RowsFile::create(directory, gathered.table, specs, level)?;
    file.show_ids_in_bodies(bodies.as_ref());
    let mut scratch = Scratch::default();
    let mut first = 0;
    while first < gathered.rows {
        let count = (gathered.rows - first).min(ROW_GROUP_ROWS);
        let specs = file.specs().to_vec();
        file.write_row_group(|number, encode| {
            with_view(&sources[number], &specs[number], first, count, &mut scratch, encode)
        })?;
        first += count;
    }
    let written = file.finish(directory)?;
    let (index, header_bytes) = gathered.traces.finish(rows);
    directory.write(INDEX, &index)?;
    let (start_min_ns, start_max_ns) = gathered.time_ns.unwrap_or((0, 0));
    let (operations, operations_cut) = builder.operations();
    let manifest = Manifest {
        format: format_of(id.signal),
        tenant: id.tenant.to_string(),
        journal: id.signal.name().to_owned(),
        first_file: id.first_file,
        last_file: id.last_file,
        generation: id.generation,
        tally: tally.own,
        ledger_after: tally.ledger_after,
        rows,
        traces: gathered.traces.len(),
        start_min_ns,
        start_max_ns: Some(start_max_ns),
        age_from_ns: Some(gathered.age_from_ns),
        spans: written.checked,
        index: Some(Checked::start_of(&index, header_bytes)),
        blooms: written.blooms,
        operations,
        operations_cut,
        services: Some(written.services),
        attributes_other: own_keys,
        resource_other: resource_keys,
        event_keys: Some(written.event_keys),
        link_keys: Some(written.link_keys),
        bodies,
        attributes_as_fields,
        archived: None,
    };
    directory.write(MANIFEST, &manifest.to_bytes())
}

/// Takes away the columns of attributes that are fields of the bodies; answers their keys.
fn leave_out_shared(
    gathered: &Gathering,
    specs: &mut Vec<ColumnSpec>,
    sources: &mut Vec<ValuesFrom<'_>>,
    bodies: Option<&BodyFields>,
) -> Vec<String> {
    let Some(bodies) = bodies else { return Vec::new() };
    let column_of = |number: usize| match &sources[number] {
        ValuesFrom::Borrowed(column) => Some(*column),
        ValuesFrom::Owned(column) => Some(column),
        ValuesFrom::Filled(..) | ValuesFrom::Spread(..) => None,
    };
    let keys = field_share::shared(specs, column_of, bodies, &row_ids(gathered));
    let is_left = |spec: &ColumnSpec| {
        spec.name.strip_prefix(ITEM_PREFIX).is_none_or(|key| keys.binary_search_by(|k| k.as_str().cmp(key)).is_err())
    };
    let mut left = specs.iter().map(is_left).collect::<Vec<_>>().into_iter();
    sources.retain(|_| left.next().unwrap_or(true));
    specs.retain(is_left);
    keys
}

/// The columns of ids, of no row in particular.
fn row_ids(gathered: &Gathering) -> RowIds<'_> {
    let fixed = &gathered.fixed;
    RowIds { trace: None, span: None, traces: &fixed[lines::TRACE_ID], spans: &fixed[lines::SPAN_ID] }
}

/// What the bodies' fields become.
fn finish_bodies(gathered: &Gathering) -> FinishedBodies<'_> {
    let fixed = &gathered.fixed;
    let texts = (&fixed[lines::BODY], &fixed[lines::BODY_TEMPLATE]);
    gathered.bodies.finish(u64::from(gathered.rows), &row_ids(gathered), texts)
}

/// Adds the columns of the bodies' fields, and says what the manifest tells of them.
fn add_bodies<'a>(
    finished: FinishedBodies<'a>,
    specs: &mut Vec<ColumnSpec>,
    sources: &mut Vec<ValuesFrom<'a>>,
) -> BodyFields {
    let FinishedBodies { fields, columns, rewritten } = finished;
    for (spec, column) in columns {
        specs.push(spec);
        sources.push(match column {
            Cow::Borrowed(column) => ValuesFrom::Borrowed(column),
            Cow::Owned(column) => ValuesFrom::Owned(column),
        });
    }
    if let Some((bodies, templates)) = rewritten {
        sources[lines::BODY] = ValuesFrom::Owned(bodies);
        sources[lines::BODY_TEMPLATE] = ValuesFrom::Owned(templates);
    }
    fields
}

/// The columns of the file, and where each comes from.
fn columns<'a>(
    gathered: &'a Gathering,
    attributes: &AttributeColumns<'a>,
    own: Promotion,
    of_resources: Promotion,
) -> (Vec<ColumnSpec>, Vec<ValuesFrom<'a>>) {
    let Gathering { table, fixed, resources, scopes, .. } = gathered;
    let spread = |contexts, column| ValuesFrom::Spread(Spread::new(contexts, column), contexts, Cow::Borrowed(column));
    let of_resource = |column| spread(&resources.contexts, column);
    let of_resource_owned = |column: Column| {
        let contexts = &resources.contexts;
        ValuesFrom::Spread(Spread::new(contexts, &column), contexts, Cow::Owned(column))
    };
    let of_scope = |column| spread(&scopes.contexts, column);
    let (mut own_residual, mut resource_residual) = (Some(own.residual), Some(of_resources.residual));
    let source = |(number, origin): (usize, &Origin)| match origin {
        Origin::Item => ValuesFrom::Borrowed(&fixed[number]),
        Origin::UnusualItem => {
            let usual = table.unwritten_word(number).expect("what is mostly alike is a number");
            ValuesFrom::Filled(usual, Some(&fixed[number]))
        }
        Origin::Attributes => ValuesFrom::Owned(own_residual.take().expect("one such column")),
        Origin::Service => of_resource(&resources.service),
        Origin::Resource => of_resource_owned(resource_residual.take().expect("one such column")),
        Origin::ResourceSchemaUrl => of_resource(&resources.schema_url),
        Origin::ResourceDropped => of_resource(&resources.dropped),
        Origin::ScopeName => of_scope(&scopes.name),
        Origin::ScopeVersion => of_scope(&scopes.version),
        Origin::ScopeSchemaUrl => of_scope(&scopes.schema_url),
        Origin::ScopeAttributes => of_scope(&scopes.attributes),
        Origin::ScopeDropped => of_scope(&scopes.dropped),
    };
    let mut specs = table.column_specs();
    let mut sources: Vec<ValuesFrom<'_>> = table.origins.iter().enumerate().map(source).collect();
    for (number, firsts) in own.promoted {
        let column = attributes.columns[number];
        specs.push(attribute_spec(ITEM_PREFIX, &column.key, column.kind));
        sources.push(firsts.map_or(ValuesFrom::Borrowed(&column.column), ValuesFrom::Owned));
    }
    for (number, firsts) in of_resources.promoted {
        let column = &resources.attributes.columns[number];
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
    ColumnSpec {
        name: format!("{prefix}{}", String::from_utf8_lossy(key)),
        kind,
        required: false,
        packing: Packing::None,
        nature: Nature::Plain,
    }
}

type Encode<'e> = &'e mut dyn FnMut(ChunkView<'_>) -> Result<(), ParquetError>;

fn with_view(
    source: &ValuesFrom<'_>,
    spec: &ColumnSpec,
    first: u32,
    count: u32,
    scratch: &mut Scratch,
    encode: Encode<'_>,
) -> Result<(), ParquetError> {
    match source {
        ValuesFrom::Borrowed(column) => encode(column.slice(first, count)),
        ValuesFrom::Owned(column) => encode(column.slice(first, count)),
        ValuesFrom::Filled(word, column) => {
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
        ValuesFrom::Spread(spread, contexts, column) => {
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
