//! Narrows the rows of one row group by a scan's filter: the cheap and the choosy first, further columns only where rows are left.

use std::ops::Range;

use memchr::memmem::Finder;

use super::{
    attribute::{self, Source},
    bodies,
    classes::{Classes, position},
    contains,
    fields::{FieldAsked, TemplatedRows},
    fixed_column,
    gather::{self, ChosenRows},
    group::attributes_named,
    labels, passing, resources,
    tagged::AskedTags,
};
use crate::{
    ask::{
        field_test::FieldTest,
        filter::{AttributeCondition, AttributeTest, ResourceTest, ScanFilter},
        folding::fold,
        pruned::ReadCounts,
        request::{ReadBounds, ScanColumn},
    },
    columns::{Column, Values},
    segment::{
        Segment, SegmentError,
        body_tokens::{NeedleHashes, Tokens},
        chunk_reader::{Block, ChunkReader},
        open::AsksFilter,
        schema::{BODY_PREFIX, lines},
        selection::Selection,
        tags::TaggedRows,
    },
};

/// A row group, and the rows of it that are still in question.
pub(super) struct Narrowing<'a> {
    segment: &'a Segment,
    reader: &'a ChunkReader<'a>,
    group: usize,
    counts: &'a ReadCounts,
    selection: Selection,
    /// The resources of all rows, where they were read.
    resources: Option<Column>,
}

impl<'a> Narrowing<'a> {
    /// Starts with the rows `within`.
    pub(super) fn new(
        segment: &'a Segment,
        reader: &'a ChunkReader<'a>,
        group: usize,
        within: Range<u32>,
        counts: &'a ReadCounts,
    ) -> Self {
        let rows = segment.group_rows(group);
        let selection = if within == (0..rows) {
            Selection::all(rows)
        } else {
            let mut some = Selection::none(rows);
            within.for_each(|row| some.insert(row));
            some
        };
        Self { segment, reader, group, counts, selection, resources: None }
    }

    /// The rows that fulfil the filter, perhaps without some that the bounds leave out; their resources, where all rows' were read.
    pub(super) fn run(
        mut self,
        filter: &ScanFilter,
        bounds: &ReadBounds,
    ) -> Result<(ChosenRows, Option<Column>), SegmentError> {
        let tagged = TaggedRows { segment: self.segment, reader: self.reader, group: self.group };
        let Some(tags) = AskedTags::of(filter, &tagged)? else { return Ok((ChosenRows::Some(Vec::new()), None)) };
        if let Some(ids) = &filter.trace_ids {
            self.bytes(self.reader.table.trace_id, |id| ids.iter().any(|wanted| wanted.0 == *id))?;
        }
        self.texts(&ScanColumn::Service, filter.services.as_deref())?;
        self.texts(&ScanColumn::Name, filter.names.as_deref())?;
        self.numbers(&ScanColumn::Kind, filter.kinds.as_deref())?;
        self.numbers(&ScanColumn::StatusCode, filter.status_codes.as_deref())?;
        let start_ns = bounds.start_min_ns.max(*filter.start_ns.start())..=*filter.start_ns.end();
        self.bounds(self.reader.table.time, start_ns)?;
        if let Some(durations) = fixed_column(self.reader.table, &ScanColumn::Duration) {
            self.bounds(durations, filter.duration_ns.clone())?;
        }
        let single = filter.body_contains.iter().map(std::slice::from_ref);
        let wanted: Vec<&[String]> = single.chain(filter.body_any.iter().map(Vec::as_slice)).collect();
        // Before anything is read of rows that all may lack it.
        if !wanted.is_empty() && !self.selection.is_empty() && !self.words_allow(&wanted)? {
            return Ok((ChosenRows::Some(Vec::new()), None));
        }
        for condition in &filter.attributes {
            self.attribute(condition)?;
        }
        tags.narrow(&tagged, bounds.newest, &mut self.selection)?;
        // One text of many leaves few rows to look at resources for.
        let (choosy, others): (Vec<_>, Vec<_>) = filter.fields.iter().partition(|test| test.only_text().is_some());
        for test in choosy {
            self.field(test)?;
        }
        if let Some(test) = &filter.resources {
            self.resources(test)?;
        }
        for test in &filter.beside {
            self.keep_beside(test)?;
        }
        for test in others {
            self.field(test)?;
        }
        self.bodies(&wanted, false)?;
        let in_any_case: Vec<&[String]> = filter.body_any_case.iter().map(Vec::as_slice).collect();
        self.bodies(&in_any_case, true)?;
        for needle in &filter.body_lacks {
            let needle = std::slice::from_ref(needle);
            if self.selection.is_empty() || !self.words_allow(&[needle])? {
                continue;
            }
            let all = self.selection.clone();
            self.bodies(&[needle], false)?;
            let with_it = std::mem::replace(&mut self.selection, all);
            self.selection.leave_out(&with_it);
        }
        let rows = ChosenRows::of(&self.selection, self.segment.group_rows(self.group));
        let resources = self.resources.and_then(|all| match &rows {
            ChosenRows::All(_) => Some(all),
            ChosenRows::Some(rows) => of_rows(all, rows),
        });
        Ok((rows, resources))
    }

    /// Asks about each resource within each scope once.
    fn resources(&mut self, test: &ResourceTest) -> Result<(), SegmentError> {
        if self.selection.is_empty() {
            return Ok(());
        }
        let rows = ChosenRows::of(&self.selection, self.segment.group_rows(self.group));
        let resources = resources::read(self.reader, self.group, &rows)?;
        let scopes = match fixed_column(self.reader.table, &ScanColumn::ScopeName) {
            Some(column) => gather::read(self.reader, self.group, column, &rows)?,
            None => Column::sparse_bytes(),
        };
        let mut classes = Classes::new(rows.len());
        classes.split(&resources);
        classes.split(&scopes);
        let text = |column: &Column, row: u32| position(column, row).map(|at| column.bytes(at).to_vec());
        let passes: Vec<bool> = classes
            .firsts()
            .iter()
            .map(|&row| {
                let (resource, scope) = (text(&resources, row), text(&scopes, row));
                test.passes(&resource.unwrap_or_default(), &scope.unwrap_or_default())
            })
            .collect();
        if passes.contains(&false) {
            let mut found = self.none();
            let kept = (0..).zip(self.selection.iter()).filter(|(at, _)| passes[classes.of(*at) as usize]);
            kept.for_each(|(_, row)| found.insert(row));
            self.selection.keep(&found);
        }
        if matches!(rows, ChosenRows::All(_)) {
            self.resources = Some(resources);
        }
        Ok(())
    }

    fn read(&self, column: usize) -> Result<Block, SegmentError> {
        self.reader.read(self.group, column, self.selection.span())
    }

    fn none(&self) -> Selection {
        Selection::none(self.segment.group_rows(self.group))
    }

    fn texts(&mut self, column: &ScanColumn, wanted: Option<&[String]>) -> Result<(), SegmentError> {
        let (Some(wanted), Some(column)) = (wanted, fixed_column(self.reader.table, column)) else { return Ok(()) };
        if !self.selection.is_empty() && !self.bloom_allows(column, wanted)?.unwrap_or(true) {
            self.selection = self.none();
        }
        self.bytes(column, |text| wanted.iter().any(|wanted| wanted.as_bytes() == text))
    }

    fn bytes(&mut self, column: usize, fits: impl Fn(&[u8]) -> bool) -> Result<(), SegmentError> {
        if self.selection.is_empty() {
            return Ok(());
        }
        let block = self.read(column)?;
        let Values::Bytes { codes, dictionary } = &block.column.values else { return Ok(()) };
        let fitting: Vec<bool> = (0..dictionary.len() as u32).map(|code| fits(dictionary.get(code))).collect();
        let mut found = self.none();
        match &block.column.rows {
            _ if !fitting.contains(&true) => {}
            // The pages of one stretch of rows.
            None => found.insert_fitting(block.first, codes.iter().map(|&code| fitting[code as usize])),
            Some(rows) => {
                let fits = rows.iter().zip(codes).filter(|(_, code)| fitting[**code as usize]);
                fits.for_each(|(&row, _)| found.insert(row));
            }
        }
        self.selection.keep(&found);
        Ok(())
    }

    fn numbers(&mut self, column: &ScanColumn, wanted: Option<&[i32]>) -> Result<(), SegmentError> {
        let (Some(wanted), Some(column)) = (wanted, fixed_column(self.reader.table, column)) else { return Ok(()) };
        self.words(column, |word| wanted.contains(&(word as i32)))
    }

    /// Bounds on a column of unsigned numbers; nothing is read when the statistics say that all rows are within.
    fn bounds(&mut self, column: usize, bounds: std::ops::RangeInclusive<u64>) -> Result<(), SegmentError> {
        let whole = match self.reader.int_range(self.group, column) {
            Some((min, max)) => min >= 0 && *bounds.start() <= min as u64 && max as u64 <= *bounds.end(),
            None => bounds == (0..=u64::MAX),
        };
        if whole { Ok(()) } else { self.words(column, |word| bounds.contains(&word)) }
    }

    fn words(&mut self, column: usize, fits: impl Fn(u64) -> bool) -> Result<(), SegmentError> {
        if self.selection.is_empty() {
            return Ok(());
        }
        let block = self.read(column)?;
        let Values::Words(words) = &block.column.values else { return Ok(()) };
        let mut found = self.none();
        for (position, &word) in words.iter().enumerate() {
            if fits(word) {
                found.insert(block.row(position));
            }
        }
        self.selection.keep(&found);
        Ok(())
    }

    fn attribute(&mut self, condition: &AttributeCondition) -> Result<(), SegmentError> {
        if self.selection.is_empty() {
            return Ok(());
        }
        let AttributeCondition { place, key, test } = condition;
        let sources = attribute::sources(self.segment, *place, key);
        let mut found = self.none();
        let rows: Vec<u32> = self.selection.iter().collect();
        for (at, &source) in sources.iter().enumerate() {
            if !passing::source_may_pass(self.reader, self.group, source, test) || !self.source_allows(source, test)? {
                continue;
            }
            let mut here = self.none();
            passing::passing(self.reader, self.group, source, key, test, &rows, &mut here)?;
            if at > 0 && !here.is_empty() {
                // Where an earlier source has a value, that is the one.
                let rows_here: Vec<u32> = here.iter().collect();
                let chosen = ChosenRows::Some(rows_here.clone());
                let before = attribute::read(self.reader, self.group, &sources[..at], key, test.form(), &chosen)?;
                (0..before.len()).for_each(|position| here.remove(rows_here[before.row(position) as usize]));
            }
            found.add(&here);
        }
        self.selection.keep(&found);
        Ok(())
    }

    /// Leaves out rows whose body has a field that does not fit, where fields tell.
    fn field(&mut self, test: &FieldTest) -> Result<(), SegmentError> {
        let is_empty = self.selection.is_empty() || self.reader.is_empty(self.group, lines::BODY_TEMPLATE);
        if is_empty || labels::may_be_attribute(self.segment, test.label()) {
            return Ok(());
        }
        let rows = ChosenRows::of(&self.selection, self.segment.group_rows(self.group));
        let templated = TemplatedRows::read(self.reader, self.group, &rows)?;
        let is_nowhere = match test.only_text() {
            Some(text) => !self.body_words_allow(&[text])?,
            None => false,
        };
        // Ids may be labels that lines have from elsewhere.
        let is_id = matches!(test.label(), "trace_id" | "span_id");
        if let Some(text) = test.only_text().filter(|_| !is_nowhere && !is_id)
            && let Some(kept) = templated.rows_with_int(test.label(), text)?
        {
            self.keep_positions(&rows, kept);
            return Ok(());
        }
        if !is_nowhere
            && !is_id
            && let Some(passes) = templated.passing(test)?
        {
            let mut found = self.none();
            match rows {
                ChosenRows::All(_) => found.insert_flagged(&passes),
                some => {
                    let kept = some.keep_those(&passes);
                    (0..kept.len()).for_each(|position| found.insert(kept.row(position)));
                }
            }
            self.selection = found;
            return Ok(());
        }
        let numbers: Vec<u32> = self.selection.iter().collect();
        let mut out = self.none();
        if is_nowhere {
            (0..).zip(&numbers).filter(|(at, _)| templated.is_told(*at)).for_each(|(_, &row)| out.insert(row));
        } else {
            let asked = FieldAsked {
                text: &|text| text.map_or_else(|| test.fits_none(), |text| test.fits_text(text)),
                number: &|number| test.fits_number(number),
            };
            templated.test(test.label(), &asked, |at, passes| {
                if !passes {
                    out.insert(numbers[at as usize]);
                }
            })?;
        }
        if !out.is_empty() {
            out.leave_out(&labels::rows_with_id(self.segment, self.reader, (self.group, &rows), test)?);
        }
        self.selection.leave_out(&out);
        Ok(())
    }

    /// Keeps the rows at these positions of some, which are those that are left.
    fn keep_positions(&mut self, rows: &ChosenRows, kept: Vec<u32>) {
        let mut found = self.none();
        for position in kept {
            found.insert(rows.row(position));
        }
        self.selection = found;
    }

    /// Keeps rows that have a label beside their body that fits.
    fn keep_beside(&mut self, test: &FieldTest) -> Result<(), SegmentError> {
        // Rows without the label would have to be told from others.
        if self.selection.is_empty() || test.fits_none() || labels::may_be_of_resource(self.segment, test.label()) {
            return Ok(());
        }
        let rows = ChosenRows::of(&self.selection, self.segment.group_rows(self.group));
        let mut found = labels::rows_with_id(self.segment, self.reader, (self.group, &rows), test)?;
        if labels::may_be_of_item(self.segment, test.label()) {
            let numbers: Vec<u32> = self.selection.iter().collect();
            let attributes = attributes_named(self.segment, self.reader, (self.group, &rows), test.label())?;
            labels::positions_with_attribute(&attributes, test).for_each(|at| found.insert(numbers[at as usize]));
        }
        self.selection.keep(&found);
        Ok(())
    }

    /// Texts of which one of each list must occur in the body; in any case where it `folds`.
    fn bodies(&mut self, wanted: &[&[String]], folds: bool) -> Result<(), SegmentError> {
        if wanted.is_empty() || self.selection.is_empty() {
            return Ok(());
        }
        let is_empty = |column| self.reader.is_empty(self.group, column);
        if is_empty(lines::BODY) && is_empty(lines::BODY_TEMPLATE) {
            self.selection = self.none();
            return Ok(());
        }
        let finders = |needles: &&[String]| needles.iter().map(|needle| Finder::new(needle).into_owned()).collect();
        let mut wanted = Wanted { all: wanted.iter().map(finders).collect(), folds, folded: Vec::new() };
        let mut found = self.none();
        if !is_empty(lines::BODY_TEMPLATE) {
            self.rebuilt(&mut wanted, &mut found)?;
        }
        if is_empty(lines::BODY) {
            self.selection = found;
            return Ok(());
        }
        let rows: Vec<u32> = self.selection.iter().collect();
        // Pages without a text that must be there need not be taken apart.
        let only = wanted.all.iter().filter_map(|finders| finders.first().filter(|_| !folds && finders.len() == 1));
        let block = match only.max_by_key(|finder| finder.needle().len()) {
            Some(longest) => self.reader.read_rows_with(self.group, lines::BODY, &rows, longest)?,
            None => self.reader.read_rows(self.group, lines::BODY, &rows)?,
        };
        let Values::Bytes { codes, dictionary } = &block.column.values else { return Ok(()) };
        let mut last = None;
        for (position, &code) in codes.iter().enumerate() {
            let passes = match last {
                Some((known, passed)) if known == code => passed,
                _ => wanted.are_in(dictionary.get(code)),
            };
            last = Some((code, passes));
            if passes {
                found.insert(block.row(position));
            }
        }
        self.selection.keep(&found);
        Ok(())
    }

    /// Bodies that are not kept as texts, in which one of each list occurs.
    fn rebuilt(&self, wanted: &mut Wanted, found: &mut Selection) -> Result<(), SegmentError> {
        let mut chosen = ChosenRows::of(&self.selection, self.segment.group_rows(self.group));
        let mut is_told = true;
        for finders in &wanted.all {
            match self.rows_with_one(&chosen, finders, wanted.folds)? {
                Some(here) => chosen = chosen.keep_those(&here),
                None => is_told = false,
            }
            if chosen.len() == 0 {
                return Ok(());
            }
        }
        if is_told {
            (0..chosen.len()).for_each(|position| found.insert(chosen.row(position)));
            return Ok(());
        }
        let bodies = bodies::read_rebuilt(self.reader, self.group, &chosen)?;
        for at in 0..bodies.len() {
            if wanted.are_in(bodies.bytes(at)) {
                found.insert(chosen.row(bodies.row(at)));
            }
        }
        Ok(())
    }

    /// Which of the rows have a body with a template in which one of these occurs; `None` when only the bodies can tell.
    fn rows_with_one(
        &self,
        chosen: &ChosenRows,
        finders: &[Finder<'static>],
        folds: bool,
    ) -> Result<Option<Vec<bool>>, SegmentError> {
        let mut any = vec![false; chosen.len() as usize];
        for finder in finders {
            // An empty needle is in every body, and in a missing one not: a later one, or the bodies, tell.
            let needle = finder.needle();
            if needle.is_empty() {
                return Ok(None);
            }
            let Some(here) = contains::rows_with(self.reader, self.group, chosen, (needle, folds))? else {
                return Ok(None);
            };
            any.iter_mut().zip(here).for_each(|(any, here)| *any |= here);
        }
        Ok(Some(any))
    }

    /// False when the filter over the words of the bodies says that of one of the lists none is in any.
    fn words_allow(&self, wanted: &[&[String]]) -> Result<bool, SegmentError> {
        let tokens = self.segment.manifest.tokens();
        let hashes = |needles: &&[String]| -> Vec<NeedleHashes> {
            needles.iter().map(|needle| NeedleHashes::of(needle.as_bytes(), tokens)).collect()
        };
        let mut lists: Vec<Vec<NeedleHashes>> = wanted.iter().map(hashes).collect();
        lists.retain(|list| !list.iter().any(NeedleHashes::is_empty));
        if lists.is_empty() {
            return Ok(true);
        }
        self.filter_allows(&|has| lists.iter().all(|list| list.iter().any(|hashes| hashes.may_be_in(has))))
    }

    /// Asks the filter over the words of the bodies, if there is one.
    fn filter_allows(&self, asks: AsksFilter<'_>) -> Result<bool, SegmentError> {
        // Earlier segments have a filter over whole bodies there.
        if self.segment.manifest.bodies.is_none() {
            return Ok(true);
        }
        let allows = self.segment.ask_bloom(self.reader, (self.group, lines::BODY), asks)?.unwrap_or(true);
        if !allows {
            ReadCounts::add(&self.counts.row_groups_by_bloom, 1);
        }
        Ok(allows)
    }

    /// False when a column is of a field of bodies, and the filter over their words says that it is none of the texts.
    fn words_allow_value(&self, column: usize, texts: &[String]) -> Result<bool, SegmentError> {
        if !self.reader.specs[column].name.starts_with(BODY_PREFIX) && !self.reader.is_shared(column) {
            return Ok(true);
        }
        self.body_words_allow(&texts.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// False when the filter over the words of the bodies says that none of the texts is the value of a field in a column.
    fn body_words_allow(&self, texts: &[&str]) -> Result<bool, SegmentError> {
        let tokens = self.segment.manifest.tokens();
        if tokens == Tokens::OfRuns {
            return Ok(true);
        }
        let hashes: Vec<NeedleHashes> =
            texts.iter().map(|text| NeedleHashes::of_value(text.as_bytes(), tokens)).collect();
        if hashes.iter().any(NeedleHashes::is_empty) {
            return Ok(true);
        }
        self.filter_allows(&|has| hashes.iter().any(|hashes| hashes.may_be_in(has)))
    }

    /// False when a bloom filter says that the source holds none of the wanted texts.
    fn source_allows(&self, source: Source, test: &AttributeTest) -> Result<bool, SegmentError> {
        let (AttributeTest::TextIn(texts), Source::Column(column)) = (test, source) else { return Ok(true) };
        match self.bloom_allows(column, texts)? {
            Some(allows) => Ok(allows),
            None => self.words_allow_value(column, texts),
        }
    }

    /// Whether a column's bloom filter may hold one of the texts; `None` without one.
    fn bloom_allows(&self, column: usize, texts: &[String]) -> Result<Option<bool>, SegmentError> {
        let place = (self.group as u32, column as u32);
        let blooms = &self.segment.manifest.blooms;
        let Ok(at) = blooms.binary_search_by_key(&place, |bloom| (bloom.row_group, bloom.column)) else {
            return Ok(None);
        };
        for text in texts {
            if self.reader.may_contain(self.group, column, blooms[at].crc32c, text.as_bytes())? {
                return Ok(Some(true));
            }
        }
        ReadCounts::add(&self.counts.row_groups_by_bloom, 1);
        Ok(Some(false))
    }
}

/// The values of a column, which every row has one of, at these rows.
fn of_rows(all: Column, rows: &[u32]) -> Option<Column> {
    match all {
        Column { rows: None, values: Values::Bytes { codes, dictionary } } => {
            let codes = rows.iter().map(|&row| codes[row as usize]).collect();
            Some(Column { rows: None, values: Values::Bytes { codes, dictionary } })
        }
        _ => None,
    }
}

/// Texts of which one of each list must occur in a body.
struct Wanted {
    all: Vec<Vec<Finder<'static>>>,
    /// Whether in any case.
    folds: bool,
    /// A body in lower case.
    folded: Vec<u8>,
}

impl Wanted {
    fn are_in(&mut self, body: &[u8]) -> bool {
        let body = if self.folds {
            fold(body, &mut self.folded);
            &self.folded
        } else {
            body
        };
        self.all.iter().all(|finders| finders.iter().any(|finder| finder.find(body).is_some()))
    }
}
