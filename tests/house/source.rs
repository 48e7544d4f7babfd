//! The workspace's Rust files, with code told apart from comments and tests.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The workspace's folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Folders with Rust in them; everything else is not looked at.
const FOLDERS: [&str; 10] =
    ["src", "proto", "store", "collector", "query", "shop", "ui/embed", "benches", "tests", "fuzz"];

/// One Rust file.
pub(crate) struct SourceFile {
    /// From the workspace's folder: `store/src/journal/mod.rs`.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// A line outside tests, with its number from 1, its comment and surrounding blanks cut off.
pub(crate) struct CodeLine<'a> {
    pub(crate) number: usize,
    pub(crate) code: &'a str,
}

/// Every Rust file, sorted by path.
pub(crate) fn files() -> Vec<SourceFile> {
    let mut paths = Vec::new();
    for folder in FOLDERS {
        collect(&root().join(folder), &mut paths);
    }
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        let text = fs::read_to_string(&path).expect("a Rust file is UTF-8");
        let path = path.strip_prefix(root()).expect("below the root").to_str().expect("UTF-8").to_owned();
        files.push(SourceFile { path, text });
    }
    assert!(files.len() > 30, "only {} files found: is the test looking in the right place?", files.len());
    files
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() && !path.ends_with("target") {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

impl SourceFile {
    /// The top-level folder: the crate's, or `src` and `tests` of the root package.
    pub(crate) fn folder(&self) -> &str {
        self.path.split('/').next().unwrap_or_default()
    }

    /// Whether all of the file is a test.
    pub(crate) fn is_test(&self) -> bool {
        let parts: Vec<&str> = self.path.split('/').collect();
        parts.contains(&"tests") || parts.last() == Some(&"tests.rs")
    }

    /// The lines of code, without comments, blank lines and the tests at the file's end.
    pub(crate) fn code(&self) -> Vec<CodeLine<'_>> {
        if self.is_test() {
            return Vec::new();
        }
        let mut lines = Vec::new();
        let mut after_cfg_test = false;
        for (index, line) in self.text.lines().enumerate() {
            // Tests come last in a file: what follows their module's start is theirs.
            if after_cfg_test && line.starts_with("mod ") && line.ends_with('{') {
                break;
            }
            after_cfg_test = line == "#[cfg(test)]" || (after_cfg_test && line.starts_with("#["));
            let code = without_comment(line).trim();
            if !code.is_empty() {
                lines.push(CodeLine { number: index + 1, code });
            }
        }
        lines
    }
}

/// Cuts `// …` off, unless it is within a string such as "http://".
fn without_comment(line: &str) -> &str {
    let mut in_string = false;
    let bytes = line.as_bytes();
    for index in 0..bytes.len() {
        match bytes[index] {
            b'"' if index == 0 || (bytes[index - 1] != b'\\' && bytes[index - 1] != b'\'') => in_string = !in_string,
            b'/' if !in_string && bytes.get(index + 1) == Some(&b'/') => return &line[..index],
            _ => {}
        }
    }
    line
}

/// Whether `word` occurs in `code` and is not a part of a longer name.
pub(crate) fn has_word(code: &str, word: &str) -> bool {
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
    let mut from = 0;
    while let Some(at) = code[from..].find(word) {
        let (start, end) = (from + at, from + at + word.len());
        if !code[..start].ends_with(part_of_name) && !code[end..].starts_with(part_of_name) {
            return true;
        }
        from = end;
    }
    false
}

#[test]
fn comments_and_tests_are_no_code() {
    let text = "//! A sentence.\nuse a::b; // why\n\nconst URL: &str = \"http://x\";\n\n#[cfg(test)]\nmod tests {\n    use c;\n}\n";
    let file = SourceFile { path: "store/src/a.rs".into(), text: text.into() };
    let code: Vec<_> = file.code().into_iter().map(|line| (line.number, line.code)).collect();
    assert_eq!(code, [(2, "use a::b;"), (4, "const URL: &str = \"http://x\";"), (6, "#[cfg(test)]")]);
    assert!(has_word("use parquet::file;", "parquet") && !has_word("let parquet_len = 1;", "parquet"));
}
