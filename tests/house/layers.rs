//! Who may import whom: proto ← port, store ← collector, query ← root; some libraries stay in one crate.

use std::{collections::BTreeSet, fs};

use crate::source::{CodeLine, files, has_word, root};

/// Our crates and those of ours that each may depend on. Writing and reading share only the store.
const LAYERS: [(&str, &[&str]); 9] = [
    ("proto", &[]),
    ("port", &["weir-proto"]),
    ("store", &["weir-proto"]),
    ("collector", &["weir-proto", "weir-port", "weir-store"]),
    ("query", &["weir-proto", "weir-port", "weir-store"]),
    ("shop", &["weir-proto"]),
    ("ui/embed", &[]),
    (".", &["weir-proto", "weir-port", "weir-store", "weir-collector", "weir-query", "weir-shop", "weir-ui"]),
    ("benches", &["weir-proto", "weir-port", "weir-store", "weir-collector", "weir-query", "weir-shop"]),
];

/// Libraries that only some crates may use (benches may use all: they compare with them).
const LIBRARIES: [(&str, &[&str]); 10] = [
    ("parquet", &["store"]),
    ("tantivy", &["store"]),
    ("sqlx", &["store"]),
    ("arrow-array", &["store", "query"]),
    ("arrow-schema", &["proto", "store", "query"]),
    ("datafusion", &["query"]),
    ("axum", &["query"]),
    ("tonic", &["port", "collector"]),
    ("clap", &["."]),
    ("anyhow", &["."]),
];

/// The names under `[dependencies]` of a crate's manifest.
fn dependencies(folder: &str) -> BTreeSet<String> {
    let manifest = root().join(folder).join("Cargo.toml");
    let text = fs::read_to_string(&manifest).unwrap_or_else(|error| panic!("{}: {error}", manifest.display()));
    let mut names = BTreeSet::new();
    let mut in_dependencies = false;
    for line in text.lines() {
        if line.starts_with('[') {
            in_dependencies = line == "[dependencies]";
            assert!(!line.starts_with("[dependencies."), "{folder}: write dependencies one to a line, not as {line}");
        } else if in_dependencies && let Some(end) = line.find(['.', '=', ' ']) {
            names.insert(line[..end].to_owned());
        }
    }
    names
}

#[test]
fn crates_depend_downwards_only() {
    for (folder, allowed) in LAYERS {
        for name in dependencies(folder).iter().filter(|name| name.starts_with("weir-")) {
            assert!(allowed.contains(&name.as_str()), "{folder}/Cargo.toml: must not depend on {name}");
        }
    }
}

#[test]
fn every_crate_has_its_layer() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("the workspace's manifest");
    let members = manifest.lines().find(|line| line.starts_with("members")).expect("members on one line");
    let listed = LAYERS.iter().filter(|(folder, _)| *folder != ".");
    for (folder, _) in listed.clone() {
        assert!(members.contains(&format!("\"{folder}\"")), "{folder} is not a member");
    }
    assert_eq!(members.matches('"').count() / 2, listed.count(), "a crate without a row in LAYERS: {members}");
}

#[test]
fn libraries_stay_where_they_belong() {
    for (folder, _) in LAYERS.iter().filter(|(folder, _)| *folder != "benches") {
        let dependencies = dependencies(folder);
        for (library, allowed) in LIBRARIES {
            let used = dependencies.contains(library);
            assert!(!used || allowed.contains(folder), "{folder}/Cargo.toml: {library} belongs in {allowed:?} only");
        }
    }
}

/// Where Arrow schemas are made: a scan's follows what it is asked for, a table's is its list of columns.
const SCHEMAS: [&str; 3] = ["proto/", "store/src/ask/", "query/src/sql/table/"];

/// The manifests cannot say it: a schema, once defined elsewhere, drifts from these.
#[test]
fn arrow_schemas_are_defined_in_few_places() {
    let elsewhere = |path: &str| !SCHEMAS.iter().any(|folder| path.starts_with(folder));
    for file in files().iter().filter(|file| !["benches", "tests"].contains(&file.folder()) && elsewhere(&file.path)) {
        for line in file.code() {
            let defines = has_word(line.code, "Schema::new") || has_word(line.code, "Field::new");
            assert!(!defines, "{}:{}: Arrow schemas belong in {SCHEMAS:?}: {}", file.path, line.number, line.code);
        }
    }
}

/// `mod.rs` of the journal and so on may be used by store's own, but paths must not go around `lib.rs` of a crate.
#[test]
fn the_root_is_the_only_meeting_place() {
    let never = [
        ("collector", "weir_query"),
        ("query", "weir_collector"),
        ("store", "weir_collector"),
        ("store", "weir_query"),
    ];
    for file in files() {
        for (folder, other) in never {
            let uses = file.folder() == folder && file.text.contains(other);
            assert!(!uses, "{}: {folder} must not know {other}", file.path);
        }
    }
}

/// The store's rooms from the ground up: each may use those before it, never one after it.
const FLOORS: [&str; 22] = [
    "note", "offset", "reject", "options", "disk", "labels", "journal", "ledger", "samples", "verdict", "ask",
    "columns", "segment", "head", "catalog", "archive", "snapshot", "scan", "sampling", "lane", "upkeep", "store",
];

/// The floor that a file of the store, or a path in it, is on.
fn floor(path: &str, separator: &str) -> Option<usize> {
    let room = path.split(separator).next().unwrap_or_default();
    FLOORS.iter().position(|floor| *floor == room)
}

#[test]
fn arrows_in_the_store_fall() {
    let mut arrows = 0;
    for file in files() {
        let Some(inside) = file.path.strip_prefix("store/src/") else { continue };
        if inside == "lib.rs" || file.is_test() {
            continue;
        }
        let from = floor(inside.trim_end_matches(".rs"), "/");
        let from = from.unwrap_or_else(|| panic!("{}: a room without a row in FLOORS", file.path));
        for to in used_rooms(&file.code()) {
            let Some(to) = floor(&to, "::") else { panic!("{}: crate::{to} goes through the front door", file.path) };
            assert!(to <= from, "{}: {} must not know {}", file.path, FLOORS[from], FLOORS[to]);
            arrows += 1;
        }
    }
    assert!(arrows > 300, "only {arrows} found: has the way of writing imports changed?");
}

/// The rooms that a file's code names after `crate::`, one by one or in braces.
fn used_rooms(code: &[CodeLine<'_>]) -> BTreeSet<String> {
    let text: Vec<&str> = code.iter().map(|line| line.code).collect();
    let text = text.join(" ");
    let mut rooms = BTreeSet::new();
    for (at, start) in text.match_indices("crate::") {
        // Not `$crate::`.
        if text[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_' || before == '$') {
            continue;
        }
        let rest = &text[at + start.len()..];
        match rest.strip_prefix('{') {
            Some(list) => rooms.extend(roots(list)),
            None => rooms.extend([first_name(rest)]),
        }
    }
    rooms.remove("");
    rooms
}

/// The first names of the paths in a list, up to the brace that closes it.
fn roots(list: &str) -> Vec<String> {
    let (mut depth, mut names, mut begin) = (0, Vec::new(), 0);
    for (at, character) in list.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => {
                names.push(first_name(list[begin..at].trim()));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                names.push(first_name(list[begin..at].trim()));
                begin = at + 1;
            }
            _ => {}
        }
    }
    names
}

/// `head` of `head::Cut`.
fn first_name(path: &str) -> String {
    path.chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect()
}
