//! Which bodies that have templates contain a text: asked of literal text and of the columns of fields, without rebuilding a body.

use std::collections::{HashMap, hash_map::Entry};

use memchr::memmem::Finder;

use super::{
    alignment::{Alignment, Must, alignments},
    gather::{self, ChosenRows},
};
use crate::ask::folding::fold;
use crate::columns::{Column, ColumnSpec, Dictionary, Kind, Packing, Values};
use crate::segment::{
    SegmentError,
    chunk_reader::ChunkReader,
    field_column::write_word,
    schema::{BODY_PREFIX, lines},
    template::{Slot, Template},
};

/// Of each of the rows, by position, whether its body has a template and contains the needle, in any case where it `folds`; `None` when only
/// the bodies can tell.
pub(super) fn rows_with(
    reader: &ChunkReader<'_>,
    group: usize,
    rows: &ChosenRows,
    (needle, folds): (&[u8], bool),
) -> Result<Option<Vec<bool>>, SegmentError> {
    let templates = gather::read(reader, group, lines::BODY_TEMPLATE, rows)?;
    let Values::Bytes { codes, dictionary } = &templates.values else { unreachable!("templates are text") };
    let (columns, texts, numbers) = (HashMap::new(), HashMap::new(), HashMap::new());
    let mut asked = Asked { reader, group, rows, needle, folds, columns, texts, numbers };
    let mut ways: Vec<Option<Vec<Vec<usize>>>> = vec![None; dictionary.len()];
    let mut number_of = HashMap::new();
    for code in codes_in(codes, dictionary.len()) {
        let Some(template) = Template::parse(dictionary.get(code)) else { return Ok(None) };
        let folded = if folds { folded(&template, dictionary.get(code)) } else { Some(template.clone()) };
        let Some(found) = folded.and_then(|template| alignments(&template, needle)) else { return Ok(None) };
        let mut of_template = Vec::new();
        for alignment in found {
            if let Some(questions) = asked.questions(&template, &alignment) {
                let next = questions.into_iter().map(|question| {
                    let number = number_of.len();
                    *number_of.entry(question).or_insert(number)
                });
                of_template.push(next.collect::<Vec<usize>>());
            }
        }
        ways[code as usize] = Some(of_template);
    }
    let mut questions: Vec<(Question, usize)> = number_of.into_iter().collect();
    questions.sort_unstable_by_key(|(_, number)| *number);
    let mut answers: Vec<Vec<bool>> = Vec::with_capacity(questions.len());
    for (question, _) in &questions {
        answers.push(asked.answer(question)?);
    }
    // Templates are mostly asked the same.
    let mut distinct: Vec<&[Vec<usize>]> = Vec::new();
    let set_of: Vec<usize> = ways
        .iter()
        .map(|ways| {
            // No row asks for what is not there.
            let Some(ways) = ways.as_deref() else { return 0 };
            distinct.iter().position(|known| *known == ways).unwrap_or_else(|| {
                distinct.push(ways);
                distinct.len() - 1
            })
        })
        .collect();
    let count = rows.len() as usize;
    let mut sets: Vec<Vec<bool>> = distinct.into_iter().map(|ways| rows_of_ways(ways, &answers, count)).collect();
    if sets.len() == 1 && codes.len() == count {
        return Ok(sets.pop());
    }
    let mut found = vec![false; count];
    for (at, &code) in codes.iter().enumerate() {
        let row = templates.row(at) as usize;
        found[row] = sets[set_of[code as usize]][row];
    }
    Ok(Some(found))
}

/// The codes that are there.
fn codes_in(codes: &[u32], count: usize) -> impl Iterator<Item = u32> {
    let mut is_there = vec![false; count];
    codes.iter().for_each(|&code| is_there[code as usize] = true);
    (0..).zip(is_there).filter(|(_, is_there)| *is_there).map(|(code, _)| code)
}

/// The rows where in one of these ways everything is so.
fn rows_of_ways(ways: &[Vec<usize>], answers: &[Vec<bool>], count: usize) -> Vec<bool> {
    let mut found = vec![false; count];
    let mut all = Vec::new();
    for way in ways {
        // Nothing is so of no row.
        if way.iter().any(|&question| answers[question].is_empty()) {
            continue;
        }
        all.clear();
        all.resize(count, true);
        for &question in way {
            all.iter_mut().zip(&answers[question]).for_each(|(all, is_so)| *all &= *is_so);
        }
        found.iter_mut().zip(&all).for_each(|(found, all)| *found |= *all);
    }
    found
}

/// The template with its literal text in lower case; `None` when it is no template so.
fn folded(template: &Template, text: &[u8]) -> Option<Template> {
    let mut folded = Vec::new();
    fold(text, &mut folded);
    Template::parse(&folded).filter(|folded| folded.slots == template.slots)
}

/// Whether a column's values, written as in this slot, are what they must be.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Question {
    column: usize,
    slot: Slot,
    must: Must,
}

struct Asked<'a> {
    reader: &'a ChunkReader<'a>,
    group: usize,
    rows: &'a ChosenRows,
    needle: &'a [u8],
    folds: bool,
    columns: HashMap<usize, Column>,
    /// Of columns that keep each text once, these texts.
    texts: HashMap<usize, Option<Dictionary>>,
    /// Of each field its column's number.
    numbers: HashMap<Box<[u8]>, usize>,
}

impl Asked<'_> {
    /// What is to be asked for one way; `None` when some value cannot be what it must be.
    fn questions(&mut self, template: &Template, alignment: &Alignment) -> Option<Vec<Question>> {
        let mut questions = Vec::with_capacity(alignment.len());
        for (slot, must) in alignment {
            let name = &template.names[*slot];
            let column = match self.numbers.get(name) {
                Some(&column) => column,
                None => {
                    let key_of =
                        |spec: &ColumnSpec| spec.name.strip_prefix(BODY_PREFIX).map(str::as_bytes) == Some(&**name);
                    let column = self.reader.specs.iter().position(key_of)?;
                    self.numbers.insert(name.clone(), column);
                    column
                }
            };
            if !may_be_in(&self.reader.specs[column], &self.needle[must.part()], self.folds) {
                return None;
            }
            questions.push(Question { column, slot: template.slots[*slot], must: must.clone() });
        }
        Some(questions)
    }

    /// Of each row whether it is so; nothing where it is so of none.
    fn answer(&mut self, question: &Question) -> Result<Vec<bool>, SegmentError> {
        let Question { column: number, slot, must } = question;
        let part = &self.needle[must.part()];
        let finder = Finder::new(part);
        let (mut text, mut lower) = (Vec::new(), Vec::new());
        let mut is_so = |value: &[u8]| {
            let value = match slot {
                Slot::Raw | Slot::Word => value,
                Slot::Text(escaping) => {
                    text.clear();
                    escaping.write(value, &mut text);
                    &text
                }
            };
            let value = if self.folds {
                fold(value, &mut lower);
                &lower
            } else {
                value
            };
            match must {
                Must::Contain(_) => finder.find(value).is_some(),
                Must::End(_) => value.ends_with(part),
                Must::Begin(_) => value.starts_with(part),
                Must::Be(_) => value == part,
            }
        };
        if let (Must::Contain(_) | Must::Be(_), false, false) = (must, self.folds, self.columns.contains_key(number))
            && let Some(rows) = self.reader.rows_with_packed(self.group, *number, part)?
        {
            let mut answers = vec![false; self.rows.len() as usize];
            rows.iter().filter_map(|&row| self.rows.position(row)).for_each(|at| answers[at] = true);
            return Ok(if rows.is_empty() { Vec::new() } else { answers });
        }
        if !self.columns.contains_key(number) {
            // Where the texts are kept once each, they often tell that none is it.
            let texts = match self.texts.entry(*number) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => new.insert(self.reader.texts(self.group, *number)?),
            };
            if let Some(texts) = texts
                && !(0..texts.len() as u32).any(|code| is_so(texts.get(code)))
            {
                return Ok(Vec::new());
            }
            self.columns.insert(*number, gather::read(self.reader, self.group, *number, self.rows)?);
        }
        let column = &self.columns[number];
        let mut answers = vec![false; self.rows.len() as usize];
        match &column.values {
            Values::Bytes { codes, dictionary } => {
                // Each text is looked at once.
                let mut known = vec![false; dictionary.len()];
                if codes.len() >= dictionary.len() {
                    (0..).zip(&mut known).for_each(|(code, known)| *known = is_so(dictionary.get(code)));
                } else {
                    codes.iter().for_each(|&code| known[code as usize] = is_so(dictionary.get(code)));
                }
                if !known.contains(&true) {
                    return Ok(Vec::new());
                }
                if codes.len() == answers.len() {
                    answers.iter_mut().zip(codes).for_each(|(answer, &code)| *answer = known[code as usize]);
                } else {
                    for (at, &code) in codes.iter().enumerate() {
                        answers[column.row(at) as usize] = known[code as usize];
                    }
                }
            }
            Values::Words(words) => {
                let kind = self.reader.specs[*number].kind;
                let mut text = Vec::new();
                for (at, &word) in words.iter().enumerate() {
                    text.clear();
                    write_word(kind, word, &mut text);
                    answers[column.row(at) as usize] = is_so(&text);
                }
            }
        }
        Ok(answers)
    }
}

/// Whether values of such a column may have this text in them: letters are not in numbers, nor most of them in ids.
fn may_be_in(spec: &ColumnSpec, part: &[u8], folds: bool) -> bool {
    let upper = if folds { part.to_ascii_uppercase() } else { Vec::new() };
    let all = |is_one: fn(&u8) -> bool| {
        part.iter().enumerate().all(|(at, byte)| is_one(byte) || upper.get(at).is_some_and(is_one))
    };
    match (spec.packing, spec.kind) {
        (Packing::Hex8 | Packing::Hex16, _) => all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')),
        (Packing::Uuid, _) => all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-')),
        (Packing::Time(_), _) => all(|byte| matches!(byte, b'0'..=b'9' | b'-' | b':' | b'.' | b'T' | b'Z')),
        (_, Kind::Int64) => all(|byte| matches!(byte, b'0'..=b'9' | b'-')),
        (_, Kind::Double) => all(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')),
        (_, Kind::Bool) => [&b"true"[..], b"false"].iter().any(|word| memchr::memmem::find(word, part).is_some()),
        _ => true,
    }
}
