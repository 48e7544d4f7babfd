//! What is wrong with a configuration, where, and what was probably meant.

use std::path::PathBuf;

use serde_saphyr::{Error as YamlError, Location};

use super::{env::Expanded, places::Places};

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {file}: {source}")]
    Unreadable {
        /// Which.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Something in it is wrong.
    #[error("{file}:{line}:{column}: {message}")]
    Wrong {
        /// As it was named on the command line.
        file: String,
        /// From 1.
        line: u64,
        /// In characters, from 1.
        column: u64,
        /// What, and what to write instead.
        message: String,
    },
}

impl ConfigError {
    /// `message` about a place in the source.
    pub(super) fn at(file: &str, line: u64, column: u64, message: impl Into<String>) -> Self {
        Self::Wrong { file: file.into(), line, column, message: message.into() }
    }

    /// `message` about a place in the expanded text.
    pub(super) fn at_location(
        file: &str,
        expanded: &Expanded,
        location: serde_saphyr::Location,
        message: impl Into<String>,
    ) -> Self {
        let column = expanded.column_in_source(location.line(), location.column());
        Self::at(file, location.line(), column, message)
    }

    /// The YAML library's error in our words.
    pub(super) fn from_yaml(file: &str, expanded: &Expanded, error: &YamlError) -> Self {
        let error = error.without_snippet();
        let Some(location) = error.location() else {
            return Self::at(file, 1, 1, in_words(error));
        };
        let places = Places::read(&expanded.text);
        if let Some((key, value, problem)) = of_receiver(error, location, &places) {
            return Self::at_location(file, expanded, value, format!("{key}: {problem}"));
        }
        match about(error, location, &places) {
            Some((key, value)) => Self::at_location(file, expanded, value, format!("{key}: {}", in_words(error))),
            None => Self::at_location(file, expanded, location, in_words(error)),
        }
    }
}

/// The key whose value is wrong, and where that value is; `None` where the words say by themselves what they are about.
fn about<'a>(error: &YamlError, location: Location, places: &'a Places) -> Option<(&'a str, Location)> {
    match error {
        YamlError::InvalidScalar { .. }
        | YamlError::InvalidBooleanStrict { .. }
        | YamlError::Unexpected { .. }
        | YamlError::NullIntoString { .. }
        | YamlError::ExternallyTaggedEnumExpectedScalarOrMapping { .. } => places.of_value(location),
        // These are placed at the key.
        YamlError::SerdeInvalidType { .. }
        | YamlError::SerdeInvalidValue { .. }
        | YamlError::SerdeUnknownVariant { .. } => places.of_key(location).or_else(|| places.of_value(location)),
        // Our own. At a key they are about that key, or about several.
        YamlError::Message { .. } if places.of_key(location).is_none() => places.of_value(location),
        YamlError::AliasError { error, .. } => about(error, location, places),
        _ => None,
    }
}

/// A receiver's settings are checked together: key, place and problem of what is wrong, `receivers.TYPE.KEY: PROBLEM` at where they
/// begin.
fn of_receiver(error: &YamlError, location: Location, places: &Places) -> Option<(String, Location, String)> {
    let YamlError::Message { msg, .. } = error else { return None };
    let (key, problem) = msg.strip_prefix("receivers.")?.split_once(": ")?;
    let (_, key) = key.split_once('.')?;
    let settings = match places.of_key(location) {
        Some((first, _)) => first.rsplit_once('.')?.0,
        None => places.of_value(location)?.0,
    };
    let path = format!("{settings}.{key}");
    let value = places.value_of(&path)?;
    Some((path, value, problem.to_owned()))
}

/// What the YAML library found, without its position.
fn in_words(error: &YamlError) -> String {
    match error {
        YamlError::SerdeUnknownField { field, expected, .. } => unknown("key", field, expected),
        YamlError::SerdeUnknownVariant { variant, expected, .. } => unknown("value", variant, expected),
        YamlError::SerdeMissingField { field, .. } => format!("the key `{field}` is missing"),
        YamlError::DuplicateMappingKey { key: Some(key), .. } => format!("the key `{key}` is there twice"),
        YamlError::InvalidScalar { ty, .. } => format!("expected {}", scalar_in_words(ty)),
        YamlError::InvalidBooleanStrict { .. } => "expected true or false".into(),
        YamlError::Unexpected { expected: "mapping start", .. } => "expected keys and values here".into(),
        YamlError::Unexpected { expected: "sequence start", .. } => "expected a list here".into(),
        YamlError::Unexpected { expected: "string scalar", .. }
        | YamlError::ExternallyTaggedEnumExpectedScalarOrMapping { .. } => "expected a single value here".into(),
        YamlError::SerdeInvalidType { expected, .. } | YamlError::SerdeInvalidValue { expected, .. } => {
            format!("expected {}", expected_in_words(expected))
        }
        YamlError::NullIntoString { .. } => "expected a value here".into(),
        YamlError::MultipleDocuments { .. } => "a second YAML document starts here; one is expected".into(),
        YamlError::Message { msg, .. } => msg.clone(),
        YamlError::AliasError { error, .. } => in_words(error),
        other => without_position(&other.to_string()),
    }
}

/// A Rust type in words.
fn scalar_in_words(ty: &str) -> &str {
    match ty {
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" => "a whole number, 0 or more, that is not too large",
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => "a whole number",
        "f32" | "f64" | "floating point" => "a number",
        "boolean" | "bool" => "true or false",
        other => other,
    }
}

/// What serde's visitors say that they expect, in words.
fn expected_in_words(expected: &str) -> &str {
    if expected.starts_with("a nonzero ") { "a whole number, 1 or more" } else { scalar_in_words(expected) }
}

/// Cuts the library's own position off: it counts in the expanded text.
fn without_position(message: &str) -> String {
    match message.rfind(" at line ") {
        Some(at) => message[..at].to_owned(),
        None => message.to_owned(),
    }
}

/// `unknown key `endpont`; did you mean `endpoint`? Known here: endpoint, tls`.
pub(super) fn unknown(kind: &str, name: &str, known: &[&str]) -> String {
    let list = known.join(", ");
    match nearest(name, known) {
        Some(near) => format!("unknown {kind} `{name}`; did you mean `{near}`? Known here: {list}"),
        None if known.is_empty() => format!("unknown {kind} `{name}`; there are none yet"),
        None => format!("unknown {kind} `{name}`. Known here: {list}"),
    }
}

/// The known name that was probably meant: at most a third of its letters differ.
fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let mut best: Option<(usize, &str)> = None;
    for candidate in known {
        let distance = strsim::osa_distance(&name.to_lowercase(), candidate);
        let close = distance <= 1.max(candidate.chars().count() / 3);
        if close && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_near() {
        let known = ["path", "retention", "size_max", "accept"];
        assert_eq!(nearest("retenton", &known), Some("retention"));
        assert_eq!(nearest("maxsize", &known), None);
        assert_eq!(nearest("Path", &known), Some("path"));
        assert_eq!(nearest("max_size", &["size_min", "size_max"]), None);
        assert_eq!(nearest("x", &[]), None);
    }
}
