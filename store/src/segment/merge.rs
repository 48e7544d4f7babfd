//! Makes one segment of several, on dictionary codes, a row group at a time. Never changes an answer.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
    path::Path,
    sync::Arc,
};

use weir_proto::TraceId;

use super::{
    Segment, SegmentError, SegmentId,
    attributes::ValueKind,
    body_fields::{self, BodyFields},
    chunk_reader::{Block, ChunkReader},
    column::{Column, Values},
    files::{INDEX, MANIFEST, NewDirectory},
    manifest::{Checked, FORMAT, Manifest, ResidualKey, ResidualKeys},
    moves::{Moved, Moves, positions},
    operations::listed,
    promotion::{TypedKey, choose, residual_keys},
    rows_file::{ROW_GROUP_ROWS, RowsFile},
    schema::{BODY_PREFIX, ColumnSpec, ITEM_PREFIX, Kind, RESOURCE_PREFIX, Table},
    trace_rows::TraceRows,
    write::attribute_spec,
};
use crate::{ask::span::Operations, disk::Disk, ledger::Tally};

/// A row group under way is written early when it holds so many bytes.
const GROUP_BYTES_MAX: u64 = 256 << 20;

/// Merges segments, given in journal order, into segment `id` below `parent` and opens it. The inputs stay as they are.
/// `should_stop` is asked between row groups; when it says so, nothing is left behind but [`SegmentError::Stopped`].
pub fn merge(
    disk: &Disk,
    parent: &Path,
    id: &SegmentId,
    inputs: &[Arc<Segment>],
    level: i32,
    should_stop: &dyn Fn() -> bool,
) -> Result<Segment, SegmentError> {
    let directory = NewDirectory::create(disk, parent, &id.to_string())?;
    let merged = Merge::new(&directory, Table::of(id.signal), inputs, level).and_then(|mut merge| {
        for (number, input) in inputs.iter().enumerate() {
            merge.append(number, input, should_stop)?;
        }
        merge.finish(&directory, id, inputs)
    });
    match merged {
        Ok(()) => Segment::open(&directory.publish()?),
        Err(error) => {
            directory.discard();
            Err(error)
        }
    }
}

/// Writes what is left of a damaged segment as segment `id` below `parent` and opens it: the row groups in which every column
/// is sound. Its tally says how many rows are lost. [`SegmentError::Damaged`] when nothing is left.
pub fn salvage(
    disk: &Disk,
    parent: &Path,
    id: &SegmentId,
    input: &Arc<Segment>,
    level: i32,
    should_stop: &dyn Fn() -> bool,
) -> Result<Segment, SegmentError> {
    let groups = input.sound_groups(should_stop)?;
    if groups.is_empty() {
        return Err(SegmentError::damaged("no row group is whole"));
    }
    let directory = NewDirectory::create(disk, parent, &id.to_string())?;
    let inputs = std::slice::from_ref(input);
    let saved = Merge::new(&directory, Table::of(id.signal), inputs, level).and_then(|mut merge| {
        merge.append_groups(0, input, groups.into_iter(), should_stop)?;
        merge.finish(&directory, id, inputs)
    });
    match saved {
        Ok(()) => Segment::open(&directory.publish()?),
        Err(error) => {
            directory.discard();
            Err(error)
        }
    }
}

impl Segment {
    /// The row groups of which every column can be read.
    pub(crate) fn sound_groups(&self, should_stop: &dyn Fn() -> bool) -> Result<Vec<usize>, SegmentError> {
        let file = self.open_rows()?;
        let reader = self.reader(&file);
        let mut sound = Vec::new();
        for group in 0..self.group_starts.len() {
            if should_stop() {
                return Err(SegmentError::Stopped);
            }
            let rows = 0..self.group_rows(group);
            let read = (0..self.specs().len()).try_for_each(|n| reader.read(group, n, rows.clone()).map(drop));
            match read {
                Ok(()) => sound.push(group),
                Err(SegmentError::Damaged { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(sound)
    }
}

/// The attributes of spans, or of resources.
struct PlacePlan {
    prefix: &'static str,
    residual: usize,
    /// How often each key has each type, over all inputs.
    counts: BTreeMap<TypedKey, u64>,
    chosen: Vec<TypedKey>,
    /// Values of chosen keys that stayed in residuals.
    kept: BTreeMap<TypedKey, u64>,
    cut: bool,
}

/// Where one input's columns go.
struct InputPlan {
    /// For each output column the input's.
    sources: Vec<Option<usize>>,
    /// Output columns of texts that get the texts of the input's numbers or booleans, with the input's column and what it holds.
    texts: HashMap<usize, (usize, Kind)>,
    /// For spans and for resources.
    moves: [Option<Moves>; 2],
}

struct Merge {
    table: &'static Table,
    file: RowsFile,
    places: [PlacePlan; 2],
    bodies: Option<BodyFields>,
    inputs: Vec<InputPlan>,
    /// For each output column beyond the fixed ones, its place and key.
    keys: Vec<(usize, TypedKey)>,
    columns: Vec<Column>,
    /// Rows in `columns`.
    group_rows: u32,
    /// Rows written before those.
    rows: u64,
    traces: TraceRows,
}

impl PlacePlan {
    fn new(prefix: &'static str, residual: usize, inputs: &[Arc<Segment>], rows: u64) -> Self {
        let mut counts = BTreeMap::new();
        let mut cut = false;
        for input in inputs {
            for (number, spec) in input.specs().iter().enumerate().skip(input.table().len()) {
                if let Some(key) = typed_key(prefix, spec) {
                    *counts.entry(key).or_default() += input.value_count(number);
                }
            }
            let residual = residual_of(input, prefix);
            cut |= residual.cut;
            for key in &residual.keys {
                if let Some(kind) = ValueKind::ALL.into_iter().find(|kind| kind.name() == key.kind) {
                    *counts.entry((key.key.clone().into_bytes(), kind)).or_default() += key.count;
                }
            }
        }
        let chosen = choose(&counts, rows);
        Self { prefix, residual, counts, chosen, kept: BTreeMap::new(), cut }
    }

    fn moves(&self, input: &Segment) -> Option<Moves> {
        let column_of = |key: &TypedKey| -> Option<usize> {
            let spec = attribute_spec(self.prefix, &key.0, key.1);
            input.columns.get(&spec.name).copied().filter(|&number| input.specs()[number].kind == spec.kind)
        };
        let mut demoted = Vec::new();
        for (number, spec) in input.specs().iter().enumerate().skip(input.table().len()) {
            if let Some(key) = typed_key(self.prefix, spec)
                && self.chosen.binary_search(&key).is_err()
            {
                demoted.push((key, number));
            }
        }
        let residual = residual_of(input, self.prefix);
        let is_listed = |key: &TypedKey| {
            residual.cut || residual.keys.iter().any(|r| r.key.as_bytes() == key.0 && r.kind == key.1.name())
        };
        let promoted: HashMap<_, _> =
            self.chosen.iter().filter(|key| is_listed(key)).map(|key| (key.clone(), column_of(key))).collect();
        if demoted.is_empty() && promoted.is_empty() {
            return None;
        }
        Some(Moves { promoted, demoted, residual: self.residual })
    }

    /// The keys left in the residual of the output.
    fn residual_keys(&self) -> ResidualKeys {
        let others = self.counts.iter().filter(|(key, _)| self.chosen.binary_search(key).is_err());
        let keys = others.chain(&self.kept).map(|((key, kind), &count)| ResidualKey {
            key: String::from_utf8_lossy(key).into_owned(),
            kind: kind.name().to_owned(),
            count,
        });
        residual_keys(keys.filter(|key| key.count > 0).collect(), self.cut)
    }
}

fn residual_of<'a>(input: &'a Segment, prefix: &str) -> &'a ResidualKeys {
    if prefix == ITEM_PREFIX { &input.manifest.attributes_other } else { &input.manifest.resource_other }
}

/// The key and type of a promoted column.
fn typed_key(prefix: &str, spec: &ColumnSpec) -> Option<TypedKey> {
    let key = spec.name.strip_prefix(prefix)?;
    let kind = ValueKind::ALL.into_iter().find(|kind| kind.column_kind() == Some(spec.kind))?;
    Some((key.as_bytes().to_vec(), kind))
}

impl Merge {
    fn new(
        directory: &NewDirectory,
        table: &'static Table,
        inputs: &[Arc<Segment>],
        level: i32,
    ) -> Result<Self, SegmentError> {
        let rows = inputs.iter().map(|input| input.rows()).sum();
        if rows > u64::from(u32::MAX) {
            return Err(SegmentError::Encode(format!("{rows} rows are too many for one segment")));
        }
        let places = [
            PlacePlan::new(ITEM_PREFIX, table.attributes_other, inputs, rows),
            PlacePlan::new(RESOURCE_PREFIX, table.resource_other, inputs, rows),
        ];
        let mut specs = table.column_specs();
        let mut keys = Vec::new();
        for (place, plan) in places.iter().enumerate() {
            for key in &plan.chosen {
                specs.push(attribute_spec(plan.prefix, &key.0, key.1));
                keys.push((place, key.clone()));
            }
        }
        let fields: Vec<Option<&BodyFields>> = inputs.iter().map(|input| input.manifest.bodies.as_ref()).collect();
        let (bodies, of_bodies) = body_fields::merged(&fields, rows, |number, name| {
            let column = inputs[number].columns.get(&format!("{BODY_PREFIX}{name}"));
            column.map(|&column| inputs[number].specs()[column].kind)
        });
        specs.extend(of_bodies);
        let plan_input = |input: &Arc<Segment>| {
            let column_of = |spec: &ColumnSpec| input.columns.get(&spec.name).copied();
            let kind_of = |column: usize| input.specs()[column].kind;
            // Texts hold lists, too, and numbers where these are turned into texts.
            let is_held = |spec: &ColumnSpec, column: usize| {
                kind_of(column) == spec.kind
                    || (spec.name.starts_with(BODY_PREFIX) && spec.kind == Kind::Text && kind_of(column) == Kind::Json)
            };
            let sources = specs.iter().map(|spec| column_of(spec).filter(|&n| is_held(spec, n))).collect();
            let as_texts = |(output, spec): (usize, &ColumnSpec)| {
                let is_turned = spec.name.starts_with(BODY_PREFIX) && spec.kind == Kind::Text;
                let column = column_of(spec).filter(|&column| is_turned && !kind_of(column).is_bytes());
                column.map(|column| (output, (column, kind_of(column))))
            };
            InputPlan {
                sources,
                texts: specs.iter().enumerate().filter_map(as_texts).collect(),
                moves: [places[0].moves(input), places[1].moves(input)],
            }
        };
        let plans = inputs.iter().map(plan_input).collect();
        let columns = specs.iter().map(|spec| Column::empty(spec.kind, spec.required)).collect();
        let file = RowsFile::create(directory, table, specs, level)?;
        Ok(Self {
            table,
            file,
            places,
            bodies,
            inputs: plans,
            keys,
            columns,
            group_rows: 0,
            rows: 0,
            traces: TraceRows::default(),
        })
    }

    fn append(&mut self, number: usize, input: &Segment, should_stop: &dyn Fn() -> bool) -> Result<(), SegmentError> {
        self.append_groups(number, input, 0..input.group_starts.len(), should_stop)
    }

    fn append_groups(
        &mut self,
        number: usize,
        input: &Segment,
        groups: impl Iterator<Item = usize>,
        should_stop: &dyn Fn() -> bool,
    ) -> Result<(), SegmentError> {
        let file = input.open_rows()?;
        let reader = input.reader(&file);
        for group in groups {
            if should_stop() {
                return Err(SegmentError::Stopped);
            }
            let rows = input.group_rows(group);
            let mut from = 0;
            while from < rows {
                let count = (rows - from).min(ROW_GROUP_ROWS - self.group_rows);
                self.append_rows(number, &reader, group, from..from + count)?;
                from += count;
                let bytes: u64 = self.columns.iter().map(Column::memory_bytes).sum();
                if self.group_rows == ROW_GROUP_ROWS || bytes > GROUP_BYTES_MAX {
                    self.write_group()?;
                }
            }
        }
        Ok(())
    }

    fn append_rows(
        &mut self,
        number: usize,
        reader: &ChunkReader<'_>,
        group: usize,
        rows: Range<u32>,
    ) -> Result<(), SegmentError> {
        let plan = &self.inputs[number];
        let mut moved: [Option<Moved>; 2] = [None, None];
        for (place, moves) in plan.moves.iter().enumerate() {
            let Some(moves) = moves else { continue };
            let result = moves.read(reader, group, rows.clone())?;
            for (key, count) in &result.kept {
                *self.places[place].kept.entry(key.clone()).or_default() += count;
            }
            moved[place] = Some(result);
        }
        // Rows of the input, counted as rows of the output's row group.
        let place_rows = Rows { from: rows.start, to: self.group_rows };
        for (output, column) in self.columns.iter_mut().enumerate() {
            let residual_place = self.places.iter().position(|place| place.residual == output);
            if let Some(moved) = residual_place.and_then(|place| moved[place].as_ref()) {
                for (row, text) in &moved.residual {
                    column.push_bytes(place_rows.map(*row), text);
                }
                continue;
            }
            let extra = self
                .keys
                .get(output.wrapping_sub(self.table.len()))
                .and_then(|(place, key)| moved[*place].as_ref().and_then(|moved| moved.to_columns.get(key)));
            let texts = plan.texts.get(&output).filter(|(source, _)| !reader.is_empty(group, *source));
            let texts = texts.map(|&(source, kind)| texts_in(reader, group, (source, kind), &rows)).transpose()?;
            let extra = extra.or(texts.as_ref());
            let source = plan.sources[output].filter(|&source| !reader.is_empty(group, source));
            let block = source.map(|source| reader.read(group, source, rows.clone())).transpose()?;
            match (&block, extra) {
                (Some(block), None) => append_block(column, block, &rows, place_rows),
                (block, Some(extra)) => append_both(column, block.as_ref(), extra, &rows, place_rows),
                (None, None) => {}
            }
            if output == self.table.trace_id
                && let Some(block) = block
            {
                add_traces(&mut self.traces, &block, &rows, self.rows as u32 + self.group_rows)?;
            }
        }
        self.group_rows += rows.len() as u32;
        Ok(())
    }

    fn write_group(&mut self) -> Result<(), SegmentError> {
        if self.group_rows == 0 {
            return Ok(());
        }
        let (columns, count) = (&self.columns, self.group_rows);
        self.file.write_row_group(|number, encode| encode(columns[number].slice(0, count)))?;
        self.rows += u64::from(self.group_rows);
        self.group_rows = 0;
        for (column, spec) in self.columns.iter_mut().zip(self.file.specs()) {
            *column = Column::empty(spec.kind, spec.required);
        }
        Ok(())
    }

    fn finish(mut self, directory: &NewDirectory, id: &SegmentId, inputs: &[Arc<Segment>]) -> Result<(), SegmentError> {
        self.write_group()?;
        let written = self.file.finish(directory)?;
        let (index, header_bytes) = self.traces.finish(self.rows);
        directory.write(INDEX, &index)?;
        let mut tally = Tally::default();
        let mut found = Operations::default();
        for input in inputs {
            tally.add(input.tally());
            match input.add_operations(&mut found, None) {
                // What is left of it may have more than could be read.
                Err(SegmentError::Damaged { .. }) => found.is_cut = true,
                added => added?,
            }
        }
        let mut ledger_after = inputs.last().and_then(|last| last.ledger_after().cloned());
        let lost = inputs.iter().map(|input| input.rows()).sum::<u64>() - self.rows;
        tally.lose(lost);
        ledger_after.iter_mut().for_each(|tally| tally.lose(lost));
        let (operations, operations_cut) = listed(found.list, found.is_cut);
        let times: Vec<(u64, u64)> = inputs.iter().filter_map(|input| input.start_ns()).collect();
        let manifest = Manifest {
            format: FORMAT,
            tenant: id.tenant.to_string(),
            journal: id.signal.name().to_owned(),
            first_file: id.first_file,
            last_file: id.last_file,
            generation: id.generation,
            tally,
            ledger_after,
            rows: self.rows,
            traces: self.traces.len(),
            start_min_ns: times.iter().map(|&(min, _)| min).min().unwrap_or(0),
            start_max_ns: Some(times.iter().map(|&(_, max)| max).max().unwrap_or(0)),
            age_from_ns: inputs.iter().map(|input| input.age_from_ns()).max(),
            spans: written.checked,
            index: Some(Checked::start_of(&index, header_bytes)),
            blooms: written.blooms,
            operations,
            operations_cut,
            services: Some(written.services),
            attributes_other: self.places[0].residual_keys(),
            resource_other: self.places[1].residual_keys(),
            event_keys: Some(written.event_keys),
            link_keys: Some(written.link_keys),
            bodies: self.bodies,
        };
        directory.write(MANIFEST, &manifest.to_bytes())
    }
}

/// From rows of an input's row group to rows of the output's.
#[derive(Debug, Clone, Copy)]
struct Rows {
    from: u32,
    to: u32,
}

impl Rows {
    fn map(self, row: u32) -> u32 {
        row - self.from + self.to
    }
}

/// The texts of a column's numbers or booleans in `rows`.
fn texts_in(
    reader: &ChunkReader<'_>,
    group: usize,
    (source, kind): (usize, Kind),
    rows: &Range<u32>,
) -> Result<Column, SegmentError> {
    let block = reader.read(group, source, rows.clone())?;
    let mut words = Column::sparse_words();
    positions(&block, rows).for_each(|at| words.push_word(block.row(at), block.column.word(at)));
    Ok(body_fields::texts_of(kind, &words))
}

/// Appends a block's values in `rows`.
fn append_block(column: &mut Column, block: &Block, rows: &Range<u32>, place: Rows) {
    let positions = positions(block, rows);
    if let (Some(present), Some(from)) = (&mut column.rows, &block.column.rows) {
        present.extend(from[positions.clone()].iter().map(|&row| place.map(row)));
    }
    match (&mut column.values, &block.column.values) {
        (Values::Words(words), Values::Words(from)) => words.extend_from_slice(&from[positions]),
        (Values::Bytes { codes, dictionary }, Values::Bytes { codes: from, dictionary: entries }) => {
            if !entries.is_distinct() {
                codes.extend(from[positions].iter().map(|&code| dictionary.intern(entries.get(code))));
                return;
            }
            const UNKNOWN: u32 = u32::MAX;
            let mut known = vec![UNKNOWN; entries.len()];
            codes.extend(from[positions].iter().map(|&code| {
                let known = &mut known[code as usize];
                if *known == UNKNOWN {
                    *known = dictionary.intern_repeated(entries.get(code));
                }
                *known
            }));
        }
        _ => unreachable!("sources are of the column's kind"),
    }
}

/// Appends a block's values and those that moved here from the residual, in row order; no row has both.
fn append_both(column: &mut Column, block: Option<&Block>, extra: &Column, rows: &Range<u32>, place: Rows) {
    let mut from_block = block.map(|block| positions(block, rows)).unwrap_or(0..0).peekable();
    let mut from_extra = (0..extra.len()).peekable();
    loop {
        let block_row = from_block.peek().and_then(|&at| block.map(|block| block.row(at)));
        let extra_row = from_extra.peek().map(|&at| extra.row(at));
        let takes_block = match (block_row, extra_row) {
            (None, None) => return,
            (Some(block_row), Some(extra_row)) => block_row < extra_row,
            (block_row, _) => block_row.is_some(),
        };
        let (source, at) = match (takes_block, block) {
            (true, Some(block)) => (&block.column, from_block.next()),
            _ => (extra, from_extra.next()),
        };
        let at = at.expect("peeked");
        let row = place.map(if takes_block { block_row } else { extra_row }.expect("peeked"));
        match &source.values {
            Values::Bytes { .. } => column.push_bytes(row, source.bytes(at)),
            Values::Words(_) => column.push_word(row, source.word(at)),
        }
    }
}

/// Notes the rows of each trace; asks for each distinct trace of the block once.
fn add_traces(traces: &mut TraceRows, block: &Block, rows: &Range<u32>, first: u32) -> Result<(), SegmentError> {
    const UNKNOWN: u32 = u32::MAX;
    let Values::Bytes { codes, dictionary } = &block.column.values else { return Ok(()) };
    let mut numbers = vec![UNKNOWN; dictionary.len()];
    for position in positions(block, rows) {
        let code = codes[position];
        let number = &mut numbers[code as usize];
        if *number == UNKNOWN {
            let id = dictionary.get(code).try_into().map_err(|_| SegmentError::damaged("trace id"))?;
            *number = traces.number(TraceId(id));
        }
        traces.add(*number, first + (block.row(position) - rows.start));
    }
    Ok(())
}
