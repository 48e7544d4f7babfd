//! The web UI's rooms: how files begin, how large they are, who imports whom (page → component → hook → api → format).

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::source::root;

/// Lines of code in a file, without comments and blank lines.
const CODE_LINES_MAX: usize = 600;

/// The folders of `ui/src`, from the ground up: each may import those before it, and its own.
const FLOORS: [&str; 5] = ["format", "api", "hooks", "components", "pages"];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 8] = ["manager", "helper", "helpers", "utils", "util", "common", "misc", "stuff"];

/// What would put text into the page around React, or load it from elsewhere. In parts, as this file is read by others.
const BANNED: [&str; 5] = ["dangerouslySetInner", ".innerHTML", "insertAdjacentHTML", "document.write(", "eval("];

struct TypeScript {
    /// From `ui/src`: `pages/TracePage.tsx`.
    path: String,
    text: String,
}

fn files() -> Vec<TypeScript> {
    let folder = root().join("ui/src");
    let mut paths = Vec::new();
    collect(&folder, &mut paths);
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        let text = fs::read_to_string(&path).expect("a source file is UTF-8");
        let path = path.strip_prefix(&folder).expect("below the folder").to_str().expect("UTF-8").to_owned();
        files.push(TypeScript { path, text });
    }
    assert!(files.len() > 20, "only {} files found: is the test looking in the right place?", files.len());
    files
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| ["ts", "tsx", "css"].iter().any(|one| extension == *one)) {
            paths.push(path);
        }
    }
}

#[test]
fn every_file_opens_with_a_sentence() {
    for file in files() {
        let first = file.text.lines().next().unwrap_or_default();
        let sentence = first.strip_prefix("// ").or_else(|| first.strip_prefix("/* "));
        assert!(
            sentence.is_some_and(|text| text.len() > 10),
            "ui/src/{}: must open with `// ` and a sentence",
            file.path
        );
    }
}

#[test]
fn a_file_tells_one_story() {
    for file in files().iter().filter(|file| !file.path.contains(".test.")) {
        let is_code = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with("//");
        let lines = file.text.lines().filter(is_code).count();
        assert!(lines <= CODE_LINES_MAX, "ui/src/{}: {lines} lines of code, {CODE_LINES_MAX} allowed", file.path);
    }
}

#[test]
fn names_say_something() {
    for file in files() {
        for part in file.path.split(['/', '.']) {
            let part = part.to_lowercase();
            assert!(!EMPTY_NAMES.contains(&part.as_str()), "ui/src/{}: `{part}` says nothing", file.path);
        }
    }
}

#[test]
fn imports_fall() {
    for file in files() {
        let Some((folder, _)) = file.path.split_once('/') else { continue };
        let floor = FLOORS.iter().position(|one| *one == folder);
        let floor = floor.unwrap_or_else(|| panic!("ui/src/{}: a folder without a floor", file.path));
        for line in file.text.lines() {
            let Some(from) = line.split("from \"").nth(1).or_else(|| line.split("import(\"").nth(1)) else { continue };
            for upstairs in &FLOORS[floor + 1..] {
                let climbs = from.contains(&format!("/{upstairs}/"));
                assert!(!climbs, "ui/src/{}: {folder} must not import {upstairs}: {line}", file.path);
            }
        }
    }
}

#[test]
fn text_reaches_the_page_through_react_only() {
    for file in files() {
        for banned in BANNED {
            assert!(!file.text.contains(banned), "ui/src/{}: {banned}", file.path);
        }
    }
}
