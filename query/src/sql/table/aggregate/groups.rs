//! Numbers the groups of rows: of each batch every distinct code (or combination of codes) is looked up once.

use std::{collections::HashMap, sync::Arc};

use datafusion::{
    arrow::{
        array::{Array, ArrayRef, AsArray, BooleanArray, DictionaryArray, Int32Array, StringArray, UInt32Array},
        datatypes::{DataType, UInt32Type},
    },
    error::Result,
};

use crate::sql::table::columns::TableColumn;

const NONE: u32 = u32::MAX;
/// Combinations of codes up to this many have a table, more are hashed.
const TABLE_MAX: usize = 1 << 20;

/// One column's value of a group.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Null,
    Text(Box<str>),
    Number(i32),
    Bool(bool),
}

/// The groups met so far, numbered from 0.
#[derive(Debug, Default)]
pub(super) struct Groups {
    numbers: HashMap<Vec<Key>, u32>,
    keys: Vec<Vec<Key>>,
    key_bytes: usize,
}

impl Groups {
    /// How many.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Bytes held, about.
    pub(super) fn memory_bytes(&self) -> usize {
        self.keys.len() * 96 + self.key_bytes * 2
    }

    /// The group of each row.
    pub(super) fn number(&mut self, columns: &[&ArrayRef], out: &mut Vec<usize>) {
        out.clear();
        let coded: Vec<Coded<'_>> = columns.iter().map(|column| Coded::of(column)).collect();
        let combinations = coded.iter().try_fold(1usize, |all, column| all.checked_mul(column.codes_max));
        match (coded.as_slice(), combinations.filter(|&all| all <= TABLE_MAX)) {
            ([only], Some(_)) => {
                let mut known = vec![NONE; only.codes_max];
                out.extend(only.codes.iter().map(|&code| {
                    let group = &mut known[code as usize];
                    if *group == NONE {
                        *group = self.group(vec![only.key(code)]);
                    }
                    *group as usize
                }));
            }
            (columns, Some(combinations)) => {
                let mut known = vec![NONE; combinations];
                for row in 0..columns[0].codes.len() {
                    let place =
                        columns.iter().fold(0, |place, column| place * column.codes_max + column.codes[row] as usize);
                    if known[place] == NONE {
                        known[place] = self.group(columns.iter().map(|column| column.key(column.codes[row])).collect());
                    }
                    out.push(known[place] as usize);
                }
            }
            (columns, None) => {
                let mut known: HashMap<Vec<u32>, u32> = HashMap::new();
                let mut place = Vec::new();
                for row in 0..columns[0].codes.len() {
                    place.clear();
                    place.extend(columns.iter().map(|column| column.codes[row]));
                    let group = match known.get(&place) {
                        Some(&group) => group,
                        None => {
                            let group =
                                self.group(columns.iter().map(|column| column.key(column.codes[row])).collect());
                            known.insert(place.clone(), group);
                            group
                        }
                    };
                    out.push(group as usize);
                }
            }
        }
    }

    fn group(&mut self, key: Vec<Key>) -> u32 {
        if let Some(&group) = self.numbers.get(&key) {
            return group;
        }
        let group = self.keys.len() as u32;
        let text_bytes = |key: &Key| if let Key::Text(text) = key { text.len() } else { 0 };
        self.key_bytes += key.iter().map(text_bytes).sum::<usize>();
        self.keys.push(key.clone());
        self.numbers.insert(key, group);
        group
    }

    /// The groups' values, a column each, and none of them any more.
    pub(super) fn take(&mut self, columns: &[TableColumn]) -> Result<Vec<ArrayRef>> {
        let keys = std::mem::take(self).keys;
        (columns.iter().enumerate())
            .map(|(at, column)| column.show(&array(&keys, at, &column.scan.data_type())))
            .collect()
    }
}

/// The keys at a position as the scan would give them.
fn array(keys: &[Vec<Key>], at: usize, wanted: &DataType) -> ArrayRef {
    match wanted {
        DataType::Int32 => Arc::new(Int32Array::from_iter(keys.iter().map(|key| match key[at] {
            Key::Number(number) => Some(number),
            _ => None,
        }))),
        DataType::Boolean => Arc::new(BooleanArray::from_iter(keys.iter().map(|key| match key[at] {
            Key::Bool(value) => Some(value),
            _ => None,
        }))),
        _ => {
            let texts = StringArray::from_iter(keys.iter().map(|key| match &key[at] {
                Key::Text(text) => Some(text),
                _ => None,
            }));
            let codes = UInt32Array::from_iter((0..keys.len()).map(|row| texts.is_valid(row).then_some(row as u32)));
            Arc::new(DictionaryArray::<UInt32Type>::new(codes, Arc::new(texts)))
        }
    }
}

/// A column's codes in one batch. The last one stands for null.
struct Coded<'a> {
    codes: std::borrow::Cow<'a, [u32]>,
    codes_max: usize,
    values: Values<'a>,
}

enum Values<'a> {
    Texts(&'a StringArray),
    Numbers(Vec<i32>),
    Bools,
}

impl<'a> Coded<'a> {
    fn of(column: &'a ArrayRef) -> Self {
        match column.data_type() {
            DataType::Int32 => Self::of_numbers(column.as_primitive()),
            DataType::Boolean => {
                let column = column.as_boolean();
                let code = |value: Option<bool>| value.map_or(2, u32::from);
                Self { codes: column.iter().map(code).collect::<Vec<_>>().into(), codes_max: 3, values: Values::Bools }
            }
            _ => {
                let dictionary = column.as_dictionary::<UInt32Type>();
                let texts = dictionary.values().as_string::<i32>();
                let null = texts.len() as u32;
                let keys = dictionary.keys();
                let codes = match keys.null_count() {
                    0 => keys.values()[..].into(),
                    _ => keys.iter().map(|key| key.unwrap_or(null)).collect::<Vec<_>>().into(),
                };
                Self { codes, codes_max: texts.len() + 1, values: Values::Texts(texts) }
            }
        }
    }

    /// Kinds and status codes: few different ones.
    fn of_numbers(column: &Int32Array) -> Self {
        let mut numbers: Vec<i32> = Vec::new();
        let mut last: Option<(i32, u32)> = None;
        let mut codes = Vec::with_capacity(column.len());
        let mut known: HashMap<i32, u32> = HashMap::new();
        for &number in column.values() {
            let code = match last {
                Some((before, code)) if before == number => code,
                _ => *known.entry(number).or_insert_with(|| {
                    numbers.push(number);
                    numbers.len() as u32 - 1
                }),
            };
            last = Some((number, code));
            codes.push(code);
        }
        debug_assert_eq!(column.null_count(), 0, "kind and status code are on every row");
        let codes_max = numbers.len() + 1;
        Self { codes: codes.into(), codes_max, values: Values::Numbers(numbers) }
    }

    fn key(&self, code: u32) -> Key {
        let at = code as usize;
        match &self.values {
            Values::Texts(texts) if at < texts.len() => Key::Text(texts.value(at).into()),
            Values::Numbers(numbers) if at < numbers.len() => Key::Number(numbers[at]),
            Values::Bools if at < 2 => Key::Bool(at == 1),
            _ => Key::Null,
        }
    }
}
