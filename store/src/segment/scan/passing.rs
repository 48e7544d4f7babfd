//! Which rows' attribute passes a test: asked once for each distinct text, and not at all where names, kinds and statistics tell.

use weir_proto::otlp::traces::ValueView;

use super::{
    attribute::{Source, is_scalar, quoted, word_of_text, write_double, write_text, write_word},
    body::{self, BodyField},
    gather::ChosenRows,
    group::rows_of_bodies,
};
use crate::{
    ask::{filter::AttributeTest, request::AttributeForm},
    columns::{Kind, Values},
    segment::{
        SegmentError, body_end,
        chunk_reader::{Block, ChunkReader},
        json::{self, BadJson},
        json_entry,
        schema::lines,
        selection::Selection,
    },
};

/// Whether any source may hold a value that passes, as far as names, kinds and statistics tell.
pub(super) fn may_pass(reader: &ChunkReader<'_>, group: usize, sources: &[Source], test: &AttributeTest) -> bool {
    sources.iter().any(|source| source_may_pass(reader, group, *source, test))
}

/// As [`may_pass`], of one source.
pub(super) fn source_may_pass(reader: &ChunkReader<'_>, group: usize, source: Source, test: &AttributeTest) -> bool {
    match source {
        Source::Residual(column) => !reader.is_empty(group, column),
        Source::Body => !reader.is_empty(group, lines::BODY),
        Source::BodyEnd => !reader.is_empty(group, lines::MESSAGE_AT),
        Source::Column(column) => {
            let kind = reader.specs[column].kind;
            !reader.is_empty(group, column)
                && match test {
                    AttributeTest::Present => true,
                    AttributeTest::Is(_) => matches!(kind, Kind::Bool | Kind::Text),
                    AttributeTest::NumberIn(bounds) => match (kind, reader.int_range(group, column)) {
                        (Kind::Double | Kind::Text, _) | (Kind::Int64, None) => true,
                        (Kind::Int64, Some((min, max))) => {
                            (max as f64).total_cmp(bounds.start()).is_ge()
                                && (min as f64).total_cmp(bounds.end()).is_le()
                        }
                        _ => false,
                    },
                    AttributeTest::TextIn(texts) => match (kind, reader.int_range(group, column)) {
                        (Kind::Int64, Some((min, max))) => texts
                            .iter()
                            .any(|text| text.parse::<i64>().is_ok_and(|wanted| (min..=max).contains(&wanted))),
                        _ => true,
                    },
                }
        }
    }
}

/// The rows of one source whose value passes, out of `rows`.
pub(super) fn passing(
    reader: &ChunkReader<'_>,
    group: usize,
    source: Source,
    key: &str,
    test: &AttributeTest,
    rows: &[u32],
    found: &mut Selection,
) -> Result<(), SegmentError> {
    let column = match source {
        Source::Column(column) | Source::Residual(column) => column,
        Source::Body => lines::BODY,
        Source::BodyEnd => {
            for rows in rows.chunks(rows_of_bodies(reader, group)? as usize) {
                let texts = body_end::read(reader, group, &ChosenRows::Some(rows.to_vec()))?;
                let passing = (0..texts.len()).filter(|&at| test_text(test, texts.bytes(at)));
                passing.for_each(|at| found.insert(rows[texts.row(at) as usize]));
            }
            return Ok(());
        }
    };
    let damaged = |error: BadJson| {
        SegmentError::damaged(format!("row group {group}, column {}: {error}", reader.specs[column].name))
    };
    let block = match source {
        Source::Column(_) | Source::Body | Source::BodyEnd => reader.read_rows(group, column, rows)?,
        Source::Residual(_) => {
            let needle = needle(key, test);
            reader.read_rows_with(group, column, rows, &memchr::memmem::Finder::new(&needle))?
        }
    };
    let column_rows = Passing { block: &block, rows, at: 0 };
    match &block.column.values {
        Values::Bytes { codes, dictionary } => {
            let quoted_key = quoted(key);
            let needle = needle(key, test);
            let finder = memchr::memmem::Finder::new(&needle);
            let field = BodyField::named(key);
            let kind = reader.specs[column].kind;
            let mut text = Vec::new();
            let mut passes = Vec::with_capacity(dictionary.len());
            for code in 0..dictionary.len() as u32 {
                let value = dictionary.get(code);
                passes.push(match source {
                    Source::Column(_) if kind == Kind::Json && test.form() != AttributeForm::Text => false,
                    Source::Column(_) | Source::BodyEnd => test_text(test, value),
                    Source::Body => field.of_text(value).is_some_and(|value| body::passes(&value, test)),
                    Source::Residual(_) => {
                        finder.find(value).is_some()
                            && match json_entry::find(value, &quoted_key).map_err(damaged)? {
                                Some(value) => {
                                    text.clear();
                                    (is_scalar(value) || test.form() == AttributeForm::Text)
                                        && write_text(value, &mut text).map_err(damaged)?
                                        && test_text(test, &text)
                                }
                                None => false,
                            }
                    }
                });
            }
            column_rows.for_each(|position| passes[codes[position] as usize], found);
        }
        Values::Words(words) => {
            let passes = test_words(reader.specs[column].kind, test);
            column_rows.for_each(|position| passes(words[position]), found);
        }
    }
    Ok(())
}

/// What occurs in every residual text that can pass: the key, and a single wanted text where it can only be a string.
fn needle(key: &str, test: &AttributeTest) -> Vec<u8> {
    let mut needle = quoted(key);
    needle.push(b':');
    if let AttributeTest::TextIn(texts) = test
        && let [text] = texts.as_slice()
        && is_string_only(text)
    {
        json::write_text(text.as_bytes(), &mut needle);
    }
    needle
}

/// Whether only a string is written so.
pub(crate) fn is_string_only(text: &str) -> bool {
    let first = text.as_bytes().first().copied().unwrap_or_default();
    let is_word = matches!(text, "true" | "false" | "NaN" | "Infinity");
    !(first.is_ascii_digit() || matches!(first, b'-' | b'[' | b'{') || is_word)
}

fn test_text(test: &AttributeTest, text: &[u8]) -> bool {
    match test {
        AttributeTest::Present | AttributeTest::TextIn(_) => test.passes_text(text),
        _ => word_of_text(text, test.form()).is_some_and(|word| test.passes_word(word)),
    }
}

/// Whether a number or boolean of a column passes.
fn test_words(kind: Kind, test: &AttributeTest) -> impl Fn(u64) -> bool {
    // Whatever is written as one of the wanted texts, found without writing each number.
    let mut wanted: Vec<u64> = Vec::new();
    if let AttributeTest::TextIn(texts) = test {
        for text in texts {
            let mut written = Vec::new();
            let word = match kind {
                Kind::Int64 => text.parse::<i64>().ok().map(|int| int as u64),
                Kind::Double => text.parse::<f64>().ok().map(f64::to_bits),
                _ => word_of_text(text.as_bytes(), AttributeForm::Bool),
            };
            if let Some(word) = word {
                write_word(kind, word, &mut written);
                wanted.extend((written == text.as_bytes()).then_some(word));
            }
        }
    }
    move |word| match test {
        AttributeTest::Present => true,
        AttributeTest::TextIn(_) if kind == Kind::Double => {
            let double = f64::from_bits(word);
            wanted.iter().any(|&wanted| wanted == word || (double.is_nan() && f64::from_bits(wanted).is_nan()))
        }
        AttributeTest::TextIn(_) => wanted.contains(&word),
        AttributeTest::NumberIn(_) => match kind {
            Kind::Int64 => test.passes_word((word as i64 as f64).to_bits()),
            Kind::Double => test.passes_word(word),
            _ => false,
        },
        AttributeTest::Is(_) => kind == Kind::Bool && test.passes_word(word),
    }
}

/// The values of a block at chosen rows.
struct Passing<'a> {
    block: &'a Block,
    rows: &'a [u32],
    at: usize,
}

impl Passing<'_> {
    /// Adds the chosen rows whose value `passes`, by its position.
    fn for_each(mut self, passes: impl Fn(usize) -> bool, found: &mut Selection) {
        match &self.block.column.rows {
            Some(present) => {
                for (position, &row) in present.iter().enumerate() {
                    if !passes(position) {
                        continue;
                    }
                    self.at += self.rows[self.at..].partition_point(|&wanted| wanted < row);
                    if self.rows.get(self.at) == Some(&row) {
                        found.insert(row);
                    }
                }
            }
            None => {
                for &row in self.rows {
                    if self.block.position(row).is_some_and(&passes) {
                        found.insert(row);
                    }
                }
            }
        }
    }
}

/// Whether a value, as the wire has it, passes.
pub(crate) fn passes(value: &ValueView<'_>, test: &AttributeTest) -> bool {
    match (value, test) {
        (ValueView::Empty, _) => false,
        (_, AttributeTest::Present) => true,
        (ValueView::Str(text), AttributeTest::TextIn(_)) => test.passes_text(text),
        (ValueView::Int(int), AttributeTest::NumberIn(_)) => test.passes_word((*int as f64).to_bits()),
        (ValueView::Double(double), AttributeTest::NumberIn(_)) => test.passes_word(double.to_bits()),
        (ValueView::Bool(value), AttributeTest::Is(wanted)) => value == wanted,
        (ValueView::Str(text), AttributeTest::NumberIn(_) | AttributeTest::Is(_)) => {
            word_of_text(text, test.form()).is_some_and(|word| test.passes_word(word))
        }
        (_, AttributeTest::NumberIn(_) | AttributeTest::Is(_)) => false,
        (value, AttributeTest::TextIn(_)) => {
            let mut text = Vec::new();
            match value {
                ValueView::Double(double) => write_double(*double, &mut text),
                value => json::write_value(value, &mut text),
            }
            test.passes_text(&text)
        }
    }
}
