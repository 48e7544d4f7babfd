//! How files begin, what they are called, and what no line may say.

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
