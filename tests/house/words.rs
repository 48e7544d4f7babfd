//! How files begin, what they are called, and what no line may say.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{files, has_word};

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 8] = ["manager", "helper", "helpers", "utils", "util", "common", "misc", "stuff"];

#[test]
fn every_file_opens_with_a_sentence() {
    for file in files() {
        let first = file.text.lines().next().unwrap_or_default();
        let sentence = first.strip_prefix("//! ").is_some_and(|text| text.len() > 10);
        assert!(sentence, "{}: must open with `//! ` and a sentence that says what it does", file.path);
        assert!(!first.contains("SKELETON"), "{}: still a skeleton", file.path);
    }
}

#[test]
fn names_say_something() {
    for file in files() {
        for part in file.path.trim_end_matches(".rs").split('/') {
            assert!(!EMPTY_NAMES.contains(&part), "{}: `{part}` says nothing: name it by what is inside", file.path);
        }
        for line in file.code() {
            for word in ["Manager", "Helper", "Utils"] {
                let named = ["struct", "enum", "trait", "type"].iter().any(|item| {
                    let name = line.code.split_once(&format!("{item} ")).map_or("", |(_, rest)| rest);
                    name.split(|c: char| !c.is_alphanumeric()).next().is_some_and(|name| name.ends_with(word))
                });
                assert!(!named, "{}:{}: `{word}` says nothing", file.path, line.number);
            }
        }
    }
}

/// Names of types that still are two things in the store. The list may only become shorter.
const TWICE: [&str; 28] = [
    "Arrived",
    "Block",
    "BodyField",
    "Chunk",
    "ChunkView",
    "Committed",
    "Decided",
    "Definitions",
    "Entries",
    "Extent",
    "Fields",
    "Found",
    "FramePlace",
    "Kind",
    "Leaf",
    "NewFile",
    "Origin",
    "Payload",
    "Plan",
    "Recovered",
    "Selection",
    "Surroundings",
    "Table",
    "TableColumn",
    "TraceRows",
    "Values",
    "Waiting",
    "Work",
];

/// A second thing of a name sends a reader to the wrong room.
#[test]
fn a_type_of_the_store_has_a_name_of_its_own() {
    let mut seen: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in files().iter().filter(|file| file.path.starts_with("store/src/")) {
        for line in file.code() {
            let shared = line.code.strip_prefix("pub").map(|rest| rest.trim_start_matches(|c| c != ' ').trim_start());
            let items = ["struct ", "enum ", "trait ", "type "];
            let Some(rest) = shared.and_then(|shared| items.iter().find_map(|item| shared.strip_prefix(item))) else {
                continue;
            };
            let name = rest.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
            seen.entry(name.to_owned()).or_default().insert(file.path.clone());
        }
    }
    let is_new = |(name, paths): &(&String, &BTreeSet<String>)| paths.len() > 1 && !TWICE.contains(&name.as_str());
    let twice = seen.iter().find(is_new);
    assert!(twice.is_none(), "would be two things: {twice:?}");
}

#[test]
fn tests_run_and_wait_for_conditions() {
    // In parts, so that this file does not find itself.
    let banned = [
        (["#[ig", "nore"].concat(), "a test that does not run proves nothing"),
        (["thread::sl", "eep"].concat(), "wait for a condition, not for time"),
    ];
    for file in files() {
        for (index, line) in file.text.lines().enumerate() {
            for (phrase, why) in &banned {
                assert!(!line.contains(phrase.as_str()), "{}:{}: {phrase}: {why}", file.path, index + 1);
            }
        }
    }
}

#[test]
fn errors_are_typed_below_the_root() {
    for file in files().iter().filter(|file| !["src", "benches", "tests"].contains(&file.folder())) {
        for line in file.code() {
            assert!(!has_word(line.code, "anyhow"), "{}:{}: anyhow belongs in src/ and tests", file.path, line.number);
        }
    }
}
