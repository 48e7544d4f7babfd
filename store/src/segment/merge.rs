//! Makes one segment of several, on dictionary codes, a row group at a time. Never changes an answer.

use std::{collections::HashMap, ops::Range, path::Path, sync::Arc};

use weir_proto::TraceId;

use super::{
    Segment, SegmentError, SegmentId,
    body_fields::{self, BodyFields},
    carry::Carrier,
    chunk_reader::{Block, ChunkReader},
    field_column::texts_of,
    files::{INDEX, MANIFEST, NewDirectory},
    manifest::{Checked, Manifest, format_of},
    moves::{Moved, Moves, positions},
    operations::listed,
    place_plan::PlacePlan,
    promotion::TypedKey,
    rows_file::{ROW_GROUP_ROWS, RowsFile},
    scan::{bodies, gather, gather::ChosenRows},
    schema::{BODY_PREFIX, ITEM_PREFIX, RESOURCE_PREFIX, Table, id_column, lines},
    trace_rows::TraceRows,
    write::attribute_spec,
};
use crate::columns::{Column, ColumnSpec, Kind, Values};
use crate::{ask::span::Operations, disk::Disk, ledger::Tally};

/// A row group under way is written early when it holds so many bytes, unless somebody says how many.
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
    merge_within(disk, parent, id, inputs, (level, GROUP_BYTES_MAX), should_stop)
}

/// The same; a row group under way is written when it holds so many bytes of memory.
pub fn merge_within(
    disk: &Disk,
    parent: &Path,
    id: &SegmentId,
    inputs: &[Arc<Segment>],
    (level, group_bytes_max): (i32, u64),
    should_stop: &dyn Fn() -> bool,
) -> Result<Segment, SegmentError> {
    let directory = NewDirectory::create(disk, parent, &id.to_string())?;
    let merged = Merge::new(&directory, Table::of(id.signal), inputs, level).and_then(|mut merge| {
        merge.group_bytes_max = group_bytes_max;
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

/// Where one input's columns go.
struct InputPlan {
    /// For each output column the input's.
    sources: Vec<Option<usize>>,
    /// Output columns of texts that get the texts of the input's numbers or booleans, with the input's column and what it holds.
    texts: HashMap<usize, (usize, Kind)>,
    /// For spans and for resources.
    moves: [Option<Moves>; 2],
    /// Whether some of its bodies must become texts: fields of theirs get no column.
    needs_texts: bool,
    /// Of an input whose row groups may be taken over as they are.
    carrier: Option<Carrier>,
}

struct Merge {
    table: &'static Table,
    file: RowsFile,
    places: [PlacePlan; 2],
    bodies: Option<BodyFields>,
    /// Keys of attributes without a column: they are fields of the bodies.
    attributes_as_fields: Vec<String>,
    inputs: Vec<InputPlan>,
    /// For each output column beyond the fixed ones, its place and key.
    keys: Vec<(usize, TypedKey)>,
    columns: Vec<Column>,
    /// Rows in `columns`.
    group_rows: u32,
    /// Bytes in `columns` at which they are written.
    group_bytes_max: u64,
    /// Rows written before those.
    rows: u64,
    traces: TraceRows,
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
        let fields: Vec<Option<&BodyFields>> = inputs.iter().map(|input| input.manifest.bodies.as_ref()).collect();
        let held_as = |number: usize, name: &str| {
            let column = inputs[number].columns.get(&format!("{BODY_PREFIX}{name}"));
            column.map(|&column| &inputs[number].specs()[column]).map(|spec| (spec.kind, spec.packing))
        };
        let has_ids = |number: usize, id| inputs[number].value_count(id_column(id).0) > 0;
        let (bodies, of_bodies) = body_fields::merged(&fields, rows, held_as, has_ids);
        let attributes_as_fields = shared_by_all(inputs, &places[0], &of_bodies, bodies.as_ref());
        let mut specs = table.column_specs();
        let mut keys = Vec::new();
        for (place, plan) in places.iter().enumerate() {
            let is_left =
                |key: &&TypedKey| place != 0 || !attributes_as_fields.iter().any(|shared| shared.as_bytes() == key.0);
            for key in plan.chosen.iter().filter(is_left) {
                specs.push(attribute_spec(plan.prefix, &key.0, key.1));
                keys.push((place, key.clone()));
            }
        }
        specs.extend(of_bodies);
        let plan_input = |input: &Arc<Segment>| -> Result<InputPlan, SegmentError> {
            let column_of = |spec: &ColumnSpec| input.columns.get(&spec.name).copied();
            let kind_of = |column: usize| input.specs()[column].kind;
            // Texts hold lists, too, and numbers where these are turned into texts.
            let is_held = |spec: &ColumnSpec, column: usize| {
                kind_of(column) == spec.kind
                    || (spec.name.starts_with(BODY_PREFIX) && spec.kind == Kind::Text && kind_of(column) == Kind::Json)
            };
            let sources: Vec<Option<usize>> =
                specs.iter().map(|spec| column_of(spec).filter(|&n| is_held(spec, n))).collect();
            let as_texts = |(output, spec): (usize, &ColumnSpec)| {
                let is_turned = spec.name.starts_with(BODY_PREFIX) && spec.kind == Kind::Text;
                let column = column_of(spec).filter(|&column| is_turned && !kind_of(column).is_bytes());
                column.map(|column| (output, (column, kind_of(column))))
            };
            let moves = [places[0].moves(input), places[1].moves(input)];
            let texts: HashMap<usize, (usize, Kind)> = specs.iter().enumerate().filter_map(as_texts).collect();
            let needs_texts = lacks_fields(input, bodies.as_ref());
            let are_shared = input.manifest.attributes_as_fields.iter().all(|key| attributes_as_fields.contains(key));
            let is_as_it_is = are_shared && !needs_texts && texts.is_empty() && moves.iter().all(Option::is_none);
            let carrier = match is_as_it_is {
                true => Carrier::new(input, &specs, bodies.as_ref(), &sources)?,
                false => None,
            };
            Ok(InputPlan { sources, texts, moves, needs_texts, carrier })
        };
        let plans = inputs.iter().map(plan_input).collect::<Result<_, _>>()?;
        let columns = specs.iter().map(|spec| Column::empty(spec.kind, spec.required)).collect();
        let mut file = RowsFile::create(directory, table, specs, level)?;
        file.show_ids_in_bodies(bodies.as_ref());
        Ok(Self {
            table,
            file,
            places,
            bodies,
            attributes_as_fields,
            inputs: plans,
            keys,
            columns,
            group_rows: 0,
            group_bytes_max: GROUP_BYTES_MAX,
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
            if self.carry(number, input, &reader, group)? {
                continue;
            }
            let mut from = 0;
            while from < rows {
                let count = (rows - from).min(ROW_GROUP_ROWS - self.group_rows);
                self.append_rows(number, &reader, group, from..from + count)?;
                from += count;
                let bytes: u64 = self.columns.iter().map(Column::memory_bytes).sum();
                if self.group_rows == ROW_GROUP_ROWS || bytes > self.group_bytes_max {
                    self.write_group()?;
                }
            }
        }
        Ok(())
    }

    /// Takes a row group over as it is, if it is large enough to stay one.
    fn carry(
        &mut self,
        number: usize,
        input: &Segment,
        reader: &ChunkReader<'_>,
        group: usize,
    ) -> Result<bool, SegmentError> {
        let rows = input.group_rows(group);
        let Some(carrier) = &self.inputs[number].carrier else { return Ok(false) };
        if rows < ROW_GROUP_ROWS / 2 || !carrier.holds_all(reader, group) {
            return Ok(false);
        }
        self.write_group()?;
        let carrier = self.inputs[number].carrier.as_ref().expect("there is one");
        let traces = reader.read(group, self.table.trace_id, 0..rows)?;
        add_traces(&mut self.traces, &traces, &(0..rows), self.rows as u32)?;
        let services = reader.read(group, lines::SERVICE, 0..rows)?;
        let chunk_of = |output| carrier.chunk(input, reader, group, output);
        self.file.carry_row_group(rows, services.column.slice(0, rows), chunk_of)?;
        self.rows += u64::from(rows);
        Ok(true)
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
        let texts = plan.needs_texts.then(|| self.bodies_as_texts(reader, group, &rows)).transpose()?;
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
            if let Some((bodies, templates)) = &texts
                && matches!(output, lines::BODY | lines::BODY_TEMPLATE)
            {
                let from = if output == lines::BODY { bodies } else { templates };
                (0..from.len()).for_each(|at| column.push_bytes(self.group_rows + from.row(at), from.bytes(at)));
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

    /// Bodies and templates of `rows`, which count from 0 afterwards: as texts where a field has no column in the output.
    fn bodies_as_texts(
        &self,
        reader: &ChunkReader<'_>,
        group: usize,
        rows: &Range<u32>,
    ) -> Result<(Column, Column), SegmentError> {
        let chosen = ChosenRows::Some(rows.clone().collect());
        let texts = gather::read(reader, group, lines::BODY, &chosen)?;
        let templates = gather::read(reader, group, lines::BODY_TEMPLATE, &chosen)?;
        let fields = bodies::Fields::read(reader, group, &templates, &chosen)?;
        let has_column = |name: &[u8]| {
            let field = std::str::from_utf8(name).ok().and_then(|name| self.bodies.as_ref()?.named(name));
            field.is_some_and(|field| field.column)
        };
        let mut rebuilder = fields.rebuilder(&templates);
        Ok(rebuilder.expand((&texts, &templates), |template| template.names.iter().all(|name| has_column(name))))
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
            format: format_of(id.signal),
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
            attributes_as_fields: self.attributes_as_fields,
            archived: None,
        };
        directory.write(MANIFEST, &manifest.to_bytes())
    }
}

/// Attributes that are fields of the bodies in every input that has either, and of one type in the output.
fn shared_by_all(
    inputs: &[Arc<Segment>],
    items: &PlacePlan,
    of_bodies: &[ColumnSpec],
    bodies: Option<&BodyFields>,
) -> Vec<String> {
    let is_so_in = |input: &Segment, key: &str| {
        let residual = &input.manifest.attributes_other;
        let is_elsewhere = residual.cut || residual.keys.iter().any(|listed| listed.key == key);
        let has = |prefix: &str| {
            input.columns.get(&format!("{prefix}{key}")).is_some_and(|&column| input.value_count(column) > 0)
        };
        let is_shared = input.manifest.attributes_as_fields.iter().any(|shared| shared == key);
        !is_elsewhere && (is_shared || !(has(ITEM_PREFIX) || has(BODY_PREFIX)))
    };
    let kind_of = |key: &str| {
        let is_it = |spec: &&ColumnSpec| spec.name.strip_prefix(BODY_PREFIX) == Some(key);
        let own = of_bodies.iter().find(is_it).map(|spec| spec.kind);
        let as_id = bodies.and_then(|bodies| bodies.named(key)?.same_as).map(|_| Kind::Text);
        own.or(as_id)
    };
    let mut keys: Vec<String> =
        inputs.iter().flat_map(|input| input.manifest.attributes_as_fields.iter().cloned()).collect();
    keys.sort_unstable();
    keys.dedup();
    keys.retain(|key| {
        let mut typed = items.counts.keys().filter(|(name, _)| name == key.as_bytes());
        // What is not chosen goes to the residual.
        let is_it = |typed: &TypedKey| typed.1.column_kind() == kind_of(key) && items.chosen.contains(typed);
        let is_one = typed.next().is_some_and(is_it) && typed.next().is_none();
        is_one && inputs.iter().all(|input| is_so_in(input, key))
    });
    keys
}

/// Whether templates of an input have fields that get no column in the output.
fn lacks_fields(input: &Segment, output: Option<&BodyFields>) -> bool {
    let has_column = |name: &str| output.and_then(|output| output.named(name)).is_some_and(|field| field.column);
    let fields = input.manifest.bodies.iter().flat_map(|bodies| &bodies.fields);
    fields.filter(|field| field.templated).any(|field| !has_column(&field.name))
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
    Ok(texts_of(kind, &words))
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
pub(super) fn add_traces(
    traces: &mut TraceRows,
    block: &Block,
    rows: &Range<u32>,
    first: u32,
) -> Result<(), SegmentError> {
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
