//! Tells groups of spans apart by one or two keys: texts are looked up once a batch, rows by their codes.

use std::{collections::HashMap, sync::Arc};

use arrow_array::{RecordBatch, cast::AsArray, types::Int32Type};
use weir_store::ScanColumn;

use super::{
    plan::{KINDS, attribute_column},
    texts::Texts,
};

/// What spans are grouped by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum GroupBy {
    Kind,
    /// A column of text.
    Text(ScanColumn),
}

/// The values of a group, one for each key; `None` where its spans have none.
pub(crate) type GroupKey = Vec<Option<Arc<str>>>;

impl GroupBy {
    /// By a field or an attribute.
    pub(crate) fn of(key: &str) -> Self {
        match key {
            "service" => Self::Text(ScanColumn::Service),
            "operation" | "name" => Self::Text(ScanColumn::Name),
            "state" => Self::Text(ScanColumn::State),
            "kind" => Self::Kind,
            key => Self::Text(attribute_column(key)),
        }
    }

    /// What it reads.
    pub(crate) fn column(&self) -> ScanColumn {
        match self {
            Self::Kind => ScanColumn::Kind,
            Self::Text(column) => column.clone(),
        }
    }
}

/// Groups, numbered as they come.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    numbers: HashMap<GroupKey, u32>,
    pub(crate) keys: Vec<GroupKey>,
}

impl Groups {
    /// The number of a group; `None` when there are `groups_max` others.
    pub(crate) fn number(&mut self, key: GroupKey, groups_max: usize) -> Option<u32> {
        if let Some(&number) = self.numbers.get(&key) {
            return Some(number);
        }
        if self.keys.len() >= groups_max {
            return None;
        }
        let number = self.keys.len() as u32;
        self.keys.push(key.clone());
        self.numbers.insert(key, number);
        Some(number)
    }
}

/// Rows of a batch whose pairs of codes are more than this are looked up by hash.
const DENSE_MAX: usize = 1 << 20;

/// The groups of one batch's rows.
#[derive(Debug)]
pub(crate) struct BatchGroups<'a> {
    keys: Vec<Key<'a>>,
    /// By the codes together: the number, [`NEW`] before it was looked up, [`LEFT_OUT`] when there is none.
    dense: Vec<u32>,
    hashed: HashMap<u64, u32>,
}

#[derive(Debug)]
enum Key<'a> {
    Kinds(&'a [i32]),
    Texts(Texts<'a>),
}

const NEW: u32 = u32::MAX;
const LEFT_OUT: u32 = u32::MAX - 1;

impl<'a> BatchGroups<'a> {
    /// Of columns from `at` on.
    pub(crate) fn of(batch: &'a RecordBatch, by: &[GroupBy], at: usize) -> Self {
        let key = |(position, by): (usize, &GroupBy)| {
            let column = batch.column(at + position).as_ref();
            match by {
                GroupBy::Kind => Key::Kinds(column.as_primitive::<Int32Type>().values()),
                GroupBy::Text(_) => Key::Texts(Texts::of(column)),
            }
        };
        let keys: Vec<Key<'a>> = by.iter().enumerate().map(key).collect();
        let pairs: usize = keys.iter().map(Key::codes).product();
        let dense = if pairs <= DENSE_MAX { vec![NEW; pairs] } else { Vec::new() };
        Self { keys, dense, hashed: HashMap::new() }
    }

    /// The number of a row's group, if there is room for it.
    #[inline]
    pub(crate) fn number(&mut self, row: usize, groups: &mut Groups, groups_max: usize) -> Option<u32> {
        let mut code = 0;
        for key in &self.keys {
            code = code * key.codes() + key.code(row);
        }
        let known = if self.dense.is_empty() {
            self.hashed.get(&(code as u64)).copied().unwrap_or(NEW)
        } else {
            self.dense[code]
        };
        match known {
            NEW => {
                let key = self.keys.iter().map(|key| key.text(row)).collect();
                let number = groups.number(key, groups_max).unwrap_or(LEFT_OUT);
                if self.dense.is_empty() {
                    self.hashed.insert(code as u64, number);
                } else {
                    self.dense[code] = number;
                }
                Some(number).filter(|&number| number != LEFT_OUT)
            }
            LEFT_OUT => None,
            number => Some(number),
        }
    }
}

impl Key<'_> {
    /// Codes are below this; 0 is no value.
    fn codes(&self) -> usize {
        match self {
            Self::Kinds(_) => KINDS.len() + 1,
            Self::Texts(texts) => texts.codes() + 1,
        }
    }

    #[inline]
    fn code(&self, row: usize) -> usize {
        match self {
            Self::Kinds(kinds) => {
                usize::try_from(kinds[row]).map_or(0, |kind| if kind < KINDS.len() { kind + 1 } else { 0 })
            }
            Self::Texts(texts) => texts.code(row).map_or(0, |code| code as usize + 1),
        }
    }

    fn text(&self, row: usize) -> Option<Arc<str>> {
        match self {
            Self::Kinds(kinds) => {
                usize::try_from(kinds[row]).ok().and_then(|kind| KINDS.get(kind)).map(|&name| name.into())
            }
            Self::Texts(texts) => texts.text(row).map(Into::into),
        }
    }
}
