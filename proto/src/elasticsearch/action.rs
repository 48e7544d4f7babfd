//! The line before a document: what to do with it.

use crate::json::{JsonError, Reader};

/// What is asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Action {
    /// Keep a document that there is not yet.
    #[default]
    Create,
    /// Keep a document.
    Index,
    /// Change one.
    Update,
    /// Delete one.
    Delete,
}

impl Action {
    /// Its key.
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Index => "index",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }

    fn of(name: &[u8]) -> Option<Self> {
        [Self::Create, Self::Index, Self::Update, Self::Delete]
            .into_iter()
            .find(|action| action.name().as_bytes() == name)
    }
}

/// An action with what it says of its document.
#[derive(Debug, Default)]
pub(super) struct ActionLine {
    pub(super) action: Action,
    pub(super) index: Option<String>,
    pub(super) id: Option<Box<str>>,
}

/// Reads an action; or says what is wrong. What else is said of the document is passed over.
pub(super) fn read(line: &[u8]) -> Result<ActionLine, String> {
    let mut reader = Reader::new(line);
    let read = action(&mut reader).and_then(|read| match read {
        Some(read) => reader.end().map(|()| Some(read)),
        None => Ok(None),
    });
    read.map_err(|error| error.of_field("the action").to_string())?
        .ok_or_else(|| "one of create, index, update and delete is expected".to_owned())
}

fn action(reader: &mut Reader<'_>) -> Result<Option<ActionLine>, JsonError> {
    let mut members = reader.object()?;
    let Some(key) = reader.key(&mut members)? else { return Ok(None) };
    let Some(action) = Action::of(&key) else { return Ok(None) };
    let mut read = ActionLine { action, ..ActionLine::default() };
    let mut about = reader.object()?;
    while let Some(key) = reader.key(&mut about)? {
        match &*key {
            b"_index" => read.index = Some(text(reader)?).filter(|name| !name.is_empty()),
            b"_id" => {
                let id = text(reader)?;
                read.id = (!id.is_empty()).then(|| id.into());
            }
            _ => reader.skip()?,
        }
    }
    // Elasticsearch 8 passes over what else is there, and there are senders that rely on it (winston-elasticsearch counts its attempts there).
    while reader.key(&mut members)?.is_some() {
        reader.skip()?;
    }
    Ok(Some(read))
}

/// A text, or a number as its text.
fn text(reader: &mut Reader<'_>) -> Result<String, JsonError> {
    let text = match reader.peek() {
        Some(b'-' | b'0'..=b'9') => reader.number()?.to_vec(),
        _ => reader.string()?.into_owned(),
    };
    Ok(String::from_utf8_lossy(&text).into_owned())
}
