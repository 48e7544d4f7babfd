//! Takes the values of few rows out of a data page: the others are passed over, not decoded, where the encoding allows it.

use std::borrow::Cow;

use memchr::memmem::Finder;

use super::{
    column::{Column, Values},
    data_page::{DataPage, Entries, decode_levels, delta_lengths, plain_texts, word},
    encoding::{
        BadEncoding, bits, delta,
        hybrid::{Stretch, Stretches},
        page,
    },
    packing::Packing,
    spec::Kind,
};

/// Where a page's values begin, how many there are, and which of them are wanted.
type Places<'p> = (&'p [u8], usize, Cow<'p, [u32]>);

impl DataPage<'_> {
    /// Appends the values at `wanted`, rows of the page (ascending, from 0), of which the first counts as row `first` of the column.
    pub(crate) fn pick(
        &self,
        body: &[u8],
        (wanted, first): (&[u32], u32),
        entries: &Entries,
        column: &mut Column,
    ) -> Result<(), BadEncoding> {
        let (values, count, places) = match &mut column.rows {
            None => (body, self.rows as usize, Cow::Borrowed(wanted)),
            Some(rows) => self.places(body, (wanted, first), rows)?,
        };
        if places.last().is_some_and(|&last| last as usize >= count) {
            return Err(BadEncoding("row"));
        }
        match (&mut column.values, entries) {
            (Values::Bytes { codes, .. }, Entries::Bytes(entries)) => {
                pick_codes(values, count, &places, entries.len() as u32, codes)
            }
            (Values::Words(words), Entries::Words(entries)) => {
                let mut codes = Vec::new();
                pick_codes(values, count, &places, entries.len() as u32, &mut codes)?;
                words.extend(codes.iter().map(|&code| entries[code as usize]));
                Ok(())
            }
            (Values::Bytes { codes, dictionary }, _) => {
                self.pick_texts(values, count, &places, |text| codes.push(dictionary.push(text)))
            }
            (Values::Words(words), _) => self.pick_words(values, count, &places, words),
        }
    }

    /// Adds the rows whose values are stored so, all in as many bytes as are looked for.
    pub(crate) fn rows_with_stored(
        &self,
        body: &[u8],
        stored: &Finder<'_>,
        found: &mut Vec<u32>,
    ) -> Result<(), BadEncoding> {
        let mut present = None;
        let mut values = body;
        if !self.spec.required {
            let (len, rest) = body.split_first_chunk::<4>().ok_or(BadEncoding("levels"))?;
            let levels = u32::from_le_bytes(*len) as usize;
            let (levels, rest) = rest.split_at_checked(levels).ok_or(BadEncoding("levels"))?;
            values = rest;
            decode_levels(levels, self.first_row, self.rows, present.insert(Vec::new()))?;
        }
        let width = stored.needle().len();
        let count = present.as_ref().map_or(self.rows as usize, Vec::len);
        if width == 0 || values.len() != count * width {
            return Err(BadEncoding("byte strings"));
        }
        let mut from = 0;
        while let Some(at) = stored.find(&values[from..]) {
            let at = from + at;
            if at.is_multiple_of(width) {
                let place = at / width;
                found.push(present.as_ref().map_or(self.first_row + place as u32, |rows| rows[place]));
            }
            from = at + 1;
        }
        Ok(())
    }

    /// Where the values begin, how many there are, and which of them are those of the wanted rows.
    fn places<'p>(
        &self,
        body: &'p [u8],
        (wanted, first): (&'p [u32], u32),
        rows: &mut Vec<u32>,
    ) -> Result<Places<'p>, BadEncoding> {
        let (len, rest) = body.split_first_chunk::<4>().ok_or(BadEncoding("levels"))?;
        let (levels, values) = rest.split_at_checked(u32::from_le_bytes(*len) as usize).ok_or(BadEncoding("levels"))?;
        let whole = self.rows as usize;
        if Stretches::new(levels, whole, 1)?.next()? == Some(Stretch::Run { count: whole, code: 1 }) {
            rows.extend((first..).take(wanted.len()));
            return Ok((values, whole, Cow::Borrowed(wanted)));
        }
        let mut present = Vec::new();
        decode_levels(levels, 0, self.rows, &mut present)?;
        let mut places = Vec::with_capacity(wanted.len());
        let mut at = 0;
        for (row, &wanted) in (first..).zip(wanted) {
            at += present[at..].partition_point(|&present| present < wanted);
            if present.get(at) == Some(&wanted) {
                places.push(at as u32);
                rows.push(row);
            }
        }
        Ok((values, present.len(), Cow::Owned(places)))
    }

    fn pick_texts(
        &self,
        body: &[u8],
        count: usize,
        places: &[u32],
        mut push: impl FnMut(&[u8]),
    ) -> Result<(), BadEncoding> {
        let packing = self.spec.packing;
        let mut text = Vec::new();
        match self.encoding {
            page::DELTA_LENGTH | page::PLAIN if packing == Packing::IdAsHex => {
                let texts =
                    if self.encoding == page::PLAIN { plain_texts(body, count)? } else { delta_lengths(body, count)? };
                for &place in places {
                    let digits = texts[place as usize];
                    if digits.len() != 32 {
                        return Err(BadEncoding("id"));
                    }
                    text.clear();
                    packing.unpack(digits, &mut text);
                    push(&text);
                }
            }
            page::DELTA_LENGTH => {
                let texts = delta_lengths(body, count)?;
                places.iter().for_each(|&place| push(texts[place as usize]));
            }
            page::DELTA => {
                let mut times = Vec::new();
                delta::decode(body, count, &mut times)?;
                for &place in places {
                    text.clear();
                    packing.unpack_time(times[place as usize], &mut text);
                    push(&text);
                }
            }
            page::PLAIN => {
                let width = if self.spec.kind == Kind::Id16 { Some(16) } else { packing.width() };
                let Some(width) = width else {
                    let texts = plain_texts(body, count)?;
                    places.iter().for_each(|&place| push(texts[place as usize]));
                    return Ok(());
                };
                if body.len() != count * width {
                    return Err(BadEncoding("byte strings"));
                }
                for &place in places {
                    text.clear();
                    packing.unpack(&body[place as usize * width..][..width], &mut text);
                    push(&text);
                }
            }
            _ => return Err(BadEncoding("encoding")),
        }
        Ok(())
    }

    fn pick_words(&self, body: &[u8], count: usize, places: &[u32], words: &mut Vec<u64>) -> Result<(), BadEncoding> {
        let kind = self.spec.kind;
        let width = kind.width().filter(|_| self.spec.packing != Packing::IdAsHex);
        match (self.encoding, width) {
            (page::PLAIN, Some(width)) if body.len() == count * width => {
                words.extend(places.iter().map(|&place| word(kind, &body[place as usize * width..][..width])));
                Ok(())
            }
            (page::SPLIT, Some(width)) if body.len() == count * width && width <= 8 => {
                words.extend(places.iter().map(|&place| {
                    let mut bytes = [0; 8];
                    bytes
                        .iter_mut()
                        .zip(body[place as usize..].iter().step_by(count))
                        .for_each(|(to, from)| *to = *from);
                    word(kind, &bytes[..width])
                }));
                Ok(())
            }
            _ => {
                let mut all = Column { rows: None, values: Values::Words(Vec::new()) };
                self.decode_values(body, count, &Entries::None, &mut all.values)?;
                words.extend(places.iter().map(|&place| all.word(place as usize)));
                Ok(())
            }
        }
    }
}

/// The codes at these places.
fn pick_codes(
    values: &[u8],
    count: usize,
    mut places: &[u32],
    limit: u32,
    codes: &mut Vec<u32>,
) -> Result<(), BadEncoding> {
    let (&width, packed) = values.split_first().ok_or(BadEncoding("codes"))?;
    let width = u32::from(width);
    let mut stretches = Stretches::new(packed, count, width)?;
    let mut from = 0;
    while let (false, Some(stretch)) = (places.is_empty(), stretches.next()?) {
        let to = from
            + match stretch {
                Stretch::Run { count, .. } | Stretch::Packed { count, .. } => count,
            };
        let (here, later) = places.split_at(places.partition_point(|&place| (place as usize) < to));
        match stretch {
            Stretch::Run { code, .. } => codes.extend(here.iter().map(|_| code)),
            Stretch::Packed { bytes, .. } => {
                codes.extend(here.iter().map(|&place| bits::get(bytes, place as usize - from, width) as u32));
            }
        }
        (places, from) = (later, to);
    }
    if codes.iter().any(|&code| code >= limit) {
        return Err(BadEncoding("dictionary code"));
    }
    Ok(())
}
