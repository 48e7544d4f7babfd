//! `receivers.filelog`: the Collector's keys, and Weir's for what those leave unbounded.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use regex::bytes::{Regex, RegexBuilder};
use serde::{Deserialize, Deserializer, de};
use weir_proto::{duration, go_regex, size, yaml::Flaw};

use super::{encoding::Encoding, glob::Glob};
use crate::{
    operators::{AnyValue, OperatorConfig, Pipeline},
    receivers::ReceiverSettings,
};

const MIB: u64 = 1 << 20;

/// `receivers.filelog`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FilelogConfig {
    /// Patterns of the paths to read: `*`, `?`, `[a-z]`, `{a,b}` within a name, `**` for any folders.
    pub include: Vec<Glob>,
    /// Patterns of those that are not read all the same.
    pub exclude: Vec<Glob>,
    /// Files that were not written for longer than this are not begun with. Default: however old.
    #[serde(deserialize_with = "duration::deserialize")]
    pub exclude_older_than: Duration,
    /// Where files begin that are there at the very first start. Later ones are read from their beginning. Default end.
    pub start_at: StartAt,
    /// What parts lines, when it is not their ends.
    pub multiline: Option<MultilineConfig>,
    /// A last line without an end is taken when its file has not grown for so long; 0 for never. Default 500ms.
    #[serde(deserialize_with = "duration::deserialize")]
    pub force_flush_period: Duration,
    /// How files are written. Default utf-8.
    pub encoding: Encoding,
    /// Blanks before a line stay. Default false.
    pub preserve_leading_whitespaces: bool,
    /// Blanks behind a line stay. Default false.
    pub preserve_trailing_whitespaces: bool,
    /// Whether `log.file.name` is an attribute. Default true.
    pub include_file_name: bool,
    /// Whether `log.file.path` is an attribute.
    pub include_file_path: bool,
    /// Whether `log.file.name_resolved` is an attribute: behind symbolic links.
    pub include_file_name_resolved: bool,
    /// Whether `log.file.path_resolved` is an attribute.
    pub include_file_path_resolved: bool,
    /// Whether `log.file.owner.name` is an attribute.
    pub include_file_owner_name: bool,
    /// Whether `log.file.owner.group.name` is an attribute.
    pub include_file_owner_group_name: bool,
    /// Whether `log.file.permissions` is an attribute.
    pub include_file_permissions: bool,
    /// Whether `log.file.record_number` is an attribute: lines of the file from 1, empty ones among them.
    pub include_file_record_number: bool,
    /// Whether `log.file.record_offset` is an attribute: where the line begins.
    pub include_file_record_offset: bool,
    /// How often files are looked at. Default 200ms.
    #[serde(deserialize_with = "duration::deserialize")]
    pub poll_interval: Duration,
    /// First bytes by which a file is known again. Default 1kb.
    #[serde(deserialize_with = "size::deserialize")]
    pub fingerprint_size: u64,
    /// Bytes that are read at first; the buffer grows. Default 16KiB.
    #[serde(deserialize_with = "size::deserialize")]
    pub initial_buffer_size: u64,
    /// The longest line. Default 1MiB.
    #[serde(deserialize_with = "size::deserialize")]
    pub max_log_size: u64,
    /// What becomes of a longer one: `split`, nothing is left out, or `truncate`: the rest is. Default split.
    pub max_log_size_behavior: LongLines,
    /// Files that are kept open. Others are opened to read them, and closed again. Default 1024.
    pub max_concurrent_files: usize,
    /// Rounds of that many files in one poll; 0 for as many as it takes. Default 0.
    pub max_batches: usize,
    /// `gzip` or `auto`: files that gzip made are decompressed; others are read as they are.
    pub compression: Compression,
    /// Attributes of every line.
    pub attributes: BTreeMap<String, AnyValue>,
    /// Attributes of every line's resource.
    pub resource: BTreeMap<String, AnyValue>,
    /// What lines pass through.
    pub operators: Vec<OperatorConfig>,
    /// Folders that symbolic links may lead to, beside those that `include` names and the kubelet's.
    pub symlink_roots: Vec<PathBuf>,
    /// Files that are known at once, read or not; those beyond are left alone. Default 100000.
    pub files_max: usize,
    /// Entries of folders that are looked at in one poll. Default 1000000.
    pub scan_entries_max: usize,
}

impl Default for FilelogConfig {
    fn default() -> Self {
        Self {
            include: Vec::new(),
            exclude: Vec::new(),
            exclude_older_than: Duration::ZERO,
            start_at: StartAt::End,
            multiline: None,
            force_flush_period: Duration::from_millis(500),
            encoding: Encoding::default(),
            preserve_leading_whitespaces: false,
            preserve_trailing_whitespaces: false,
            include_file_name: true,
            include_file_path: false,
            include_file_name_resolved: false,
            include_file_path_resolved: false,
            include_file_owner_name: false,
            include_file_owner_group_name: false,
            include_file_permissions: false,
            include_file_record_number: false,
            include_file_record_offset: false,
            poll_interval: Duration::from_millis(200),
            fingerprint_size: 1000,
            initial_buffer_size: 16 << 10,
            max_log_size: MIB,
            max_log_size_behavior: LongLines::Split,
            max_concurrent_files: 1024,
            max_batches: 0,
            compression: Compression::None,
            attributes: BTreeMap::new(),
            resource: BTreeMap::new(),
            operators: Vec::new(),
            symlink_roots: Vec::new(),
            files_max: 100_000,
            scan_entries_max: 1_000_000,
        }
    }
}

// Numbers among the values that it holds are compared, and none of them is what is not a number.
impl Eq for FilelogConfig {}

/// `start_at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartAt {
    /// At their first byte.
    Beginning,
    /// Behind what is in them already.
    End,
}

/// `max_log_size_behavior`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LongLines {
    /// They become several records.
    Split,
    /// What is beyond it is left out.
    Truncate,
}

/// `compression`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// Files that gzip made are left alone, unless they are what became of one that was read.
    #[default]
    #[serde(alias = "")]
    None,
    /// They are decompressed.
    Gzip,
    /// The same.
    Auto,
}

/// `multiline`: exactly one of the patterns.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MultilineConfig {
    /// What a line begins with.
    pub line_start_pattern: Option<Pattern>,
    /// What a line ends with.
    pub line_end_pattern: Option<Pattern>,
    /// Whether the pattern is left out of the line.
    pub omit_pattern: bool,
}

/// A pattern of bytes in Go's dialect; `^` and `$` are ends of lines.
#[derive(Debug, Clone)]
pub struct Pattern(pub Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = |why: String| de::Error::custom(format!("no regular expression: {why}"));
        let translated = go_regex::translate(&text).map_err(wrong)?.text;
        let built = RegexBuilder::new(&translated).multi_line(true).build();
        built.map(Self).map_err(|error| wrong(error.to_string()))
    }
}

impl FilelogConfig {
    /// Finds values that no receiver can work with: the key, and what is wrong with it.
    pub fn check(&self) -> Result<(), (String, String)> {
        let wrong = |key: &str, problem: &str| Err((key.to_owned(), problem.to_owned()));
        if self.include.is_empty() {
            return wrong("", "`include` is missing: a list of patterns like /var/log/app/*.log");
        }
        if let Some(multiline) = &self.multiline
            && multiline.line_start_pattern.is_some() == multiline.line_end_pattern.is_some()
        {
            return wrong("multiline", "exactly one of line_start_pattern and line_end_pattern is needed");
        }
        if self.fingerprint_size < 16 || self.fingerprint_size > MIB {
            return wrong("fingerprint_size", "must be between 16 bytes and 1MiB");
        }
        // A line is one record of a frame.
        if self.max_log_size > 16 * MIB {
            return wrong("max_log_size", "must be at most 16MiB");
        }
        for (key, value) in [
            ("max_concurrent_files", self.max_concurrent_files),
            ("files_max", self.files_max),
            ("scan_entries_max", self.scan_entries_max),
        ] {
            if value == 0 {
                return wrong(key, "must be 1 or more");
            }
        }
        if self.poll_interval.is_zero() {
            return wrong("poll_interval", "must be longer than 0");
        }
        match Pipeline::new(&self.operators) {
            Ok(_) => Ok(()),
            Err((at, problem)) => wrong("operators", &format!("operator {}: {problem}", at + 1)),
        }
    }
}

impl ReceiverSettings for FilelogConfig {
    const NAMES: &'static [&'static str] = &["file_log", "filelog"];

    fn flaw(&self) -> Result<(), Flaw> {
        self.check()
    }
}
