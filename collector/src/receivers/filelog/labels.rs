//! What a file says of its lines beside what stands in it: attributes by its path, its owner, its place.

use std::{borrow::Cow, collections::HashMap, fs, os::unix::fs::MetadataExt, path::Path};

use super::config::FilelogConfig;
use crate::operators::{AnyValue, Entry, Fields, Value};

/// A file's own attributes.
#[derive(Debug, Clone, Default)]
pub(super) struct Labels {
    attributes: Vec<(&'static str, String)>,
}

impl Labels {
    /// Of the file at a path.
    pub(super) fn of(path: &Path, config: &FilelogConfig) -> Self {
        let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut attributes = Vec::new();
        if config.include_file_name {
            attributes.push(("log.file.name", name(path)));
        }
        if config.include_file_path {
            attributes.push(("log.file.path", path.to_string_lossy().into_owned()));
        }
        if config.include_file_name_resolved || config.include_file_path_resolved {
            let resolved = path.canonicalize().unwrap_or_else(|_| path.to_owned());
            if config.include_file_name_resolved {
                attributes.push(("log.file.name_resolved", name(&resolved)));
            }
            if config.include_file_path_resolved {
                attributes.push(("log.file.path_resolved", resolved.to_string_lossy().into_owned()));
            }
        }
        let asks =
            config.include_file_owner_name || config.include_file_owner_group_name || config.include_file_permissions;
        if let Some(metadata) = asks.then(|| fs::metadata(path).ok()).flatten() {
            if config.include_file_owner_name {
                attributes.push(("log.file.owner.name", name_of("/etc/passwd", metadata.uid())));
            }
            if config.include_file_owner_group_name {
                attributes.push(("log.file.owner.group.name", name_of("/etc/group", metadata.gid())));
            }
            if config.include_file_permissions {
                attributes.push(("log.file.permissions", format!("{:04o}", metadata.mode() & 0o7777)));
            }
        }
        Self { attributes }
    }

    /// Puts them on a line.
    pub(super) fn mark<'a>(&'a self, entry: &mut Entry<'a>, more: usize) {
        let mut fields = Fields::with_capacity(self.attributes.len() + more);
        for (name, value) in &self.attributes {
            fields.push(*name, Value::Text(Cow::Borrowed(value)));
        }
        entry.attributes = fields;
    }
}

/// Attributes that the configuration gives to every line.
pub(super) fn add_configured<'a>(
    entry: &mut Entry<'a>,
    attributes: &'a [(String, AnyValue)],
    resource: &'a [(String, AnyValue)],
) {
    for (name, value) in attributes {
        let value = reckoned(value, entry);
        entry.attributes.set(&**name, value);
    }
    for (name, value) in resource {
        let value = reckoned(value, entry);
        entry.resource.set(&**name, value);
    }
}

fn reckoned<'a>(value: &'a AnyValue, entry: &Entry<'_>) -> Value<'a> {
    match value {
        AnyValue::Fixed(Value::Text(text)) => Value::Text(Cow::Borrowed(text)),
        AnyValue::Fixed(value) => value.clone(),
        AnyValue::Reckoned(expression) => expression.value(entry).unwrap_or_default(),
    }
}

/// A user's or a group's name, or its number where nobody has written one down.
fn name_of(file: &str, id: u32) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let names: HashMap<&str, &str> = text
        .lines()
        .filter_map(|line| {
            let mut parts = line.split(':');
            let name = parts.next()?;
            Some((parts.nth(1)?, name))
        })
        .collect();
    let id = id.to_string();
    names.get(id.as_str()).map_or_else(|| id.clone(), |name| (*name).to_owned())
}
