//! Files of rules: which ones patterns name, and what stands in them.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::SystemTime,
};

use crate::alerting::rules::{FILE_BYTES_MAX, RuleFile, read};

/// Files that patterns may name together.
const FILES_MAX: usize = 10_000;

/// By which a change of the files is noticed.
pub(super) type Marks = Vec<(PathBuf, Option<SystemTime>, u64)>;

/// Reads all files that the patterns name, each once, in the order of their names. A pattern that names none is no
/// mistake, as in Prometheus.
///
/// # Errors
///
/// Everything that is wrong with them, each with its place.
pub fn rule_files(patterns: &[String]) -> Result<Vec<RuleFile>, Vec<String>> {
    let mut files = Vec::new();
    let mut problems = Vec::new();
    for path in matching(patterns).map_err(|error| vec![error])? {
        let name = path.display().to_string();
        match text(&path) {
            Ok(text) => match read(&name, &text) {
                Ok(file) => files.push(file),
                Err(found) => problems.extend(found.iter().map(ToString::to_string)),
            },
            Err(error) => problems.push(format!("{name}: {error}")),
        }
    }
    if problems.is_empty() { Ok(files) } else { Err(problems) }
}

fn text(path: &Path) -> Result<String, String> {
    let bytes = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if bytes > FILE_BYTES_MAX as u64 {
        return Err(format!("the file has more than {FILE_BYTES_MAX} bytes"));
    }
    std::fs::read_to_string(path).map_err(|error| error.to_string())
}

/// When the files were written, and how long they are.
pub(super) fn marks(patterns: &[String]) -> Marks {
    let paths = matching(patterns).unwrap_or_default();
    let mark = |path: PathBuf| {
        let metadata = std::fs::metadata(&path).ok();
        let written = metadata.as_ref().and_then(|metadata| metadata.modified().ok());
        (path, written, metadata.map_or(0, |metadata| metadata.len()))
    };
    paths.into_iter().map(mark).collect()
}

/// The files that the patterns name: `*`, `?` and `[a-z]` stand for letters of one part of a path. Without any, the
/// file itself, be it there or not.
pub fn matching(patterns: &[String]) -> Result<Vec<PathBuf>, String> {
    let mut found = BTreeSet::new();
    for pattern in patterns {
        if !has_wildcard(pattern) {
            found.insert(PathBuf::from(pattern));
            continue;
        }
        let mut paths = vec![PathBuf::from(if pattern.starts_with('/') { "/" } else { "" })];
        for part in pattern.split('/').filter(|part| !part.is_empty()) {
            paths = paths.iter().flat_map(|path| children(path, part)).take(FILES_MAX + 1).collect();
        }
        found.extend(paths.into_iter().filter(|path| path.is_file()));
        if found.len() > FILES_MAX {
            return Err(format!("{pattern}: more than {FILES_MAX} files"));
        }
    }
    Ok(found.into_iter().collect())
}

fn has_wildcard(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

fn children(folder: &Path, part: &str) -> Vec<PathBuf> {
    if !has_wildcard(part) {
        let path = folder.join(part);
        return if path.exists() { vec![path] } else { Vec::new() };
    }
    let listed = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let Ok(entries) = std::fs::read_dir(listed) else { return Vec::new() };
    let pattern: Vec<char> = part.chars().collect();
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let fitting = names.filter(|name| fits(&pattern, &name.chars().collect::<Vec<_>>()));
    fitting.map(|name| folder.join(name)).collect()
}

fn fits(pattern: &[char], name: &[char]) -> bool {
    let Some((first, rest)) = pattern.split_first() else { return name.is_empty() };
    match first {
        '*' => (0..=name.len()).any(|skipped| fits(rest, &name[skipped..])),
        '?' => !name.is_empty() && fits(rest, &name[1..]),
        '[' => {
            let Some(end) = rest.iter().skip(1).position(|c| *c == ']').map(|at| at + 1) else { return false };
            let Some((letter, after)) = name.split_first() else { return false };
            let (is_other, class) = match rest[0] {
                '^' | '!' => (true, &rest[1..end]),
                _ => (false, &rest[..end]),
            };
            in_class(class, *letter) != is_other && fits(&rest[end + 1..], after)
        }
        letter => name.first() == Some(letter) && fits(rest, &name[1..]),
    }
}

fn in_class(class: &[char], letter: char) -> bool {
    let mut at = 0;
    while at < class.len() {
        if at + 2 < class.len() && class[at + 1] == '-' {
            if (class[at]..=class[at + 2]).contains(&letter) {
                return true;
            }
            at += 3;
        } else {
            if class[at] == letter {
                return true;
            }
            at += 1;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_name_files() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["a/x.yml", "a/y.yaml", "b/x.yml", "b/z9.yml"] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(path, "").expect("written");
        }
        let named = |pattern: &str| {
            let pattern = folder.path().join(pattern).display().to_string();
            let found = matching(&[pattern.clone(), pattern]).expect("few");
            let own = |path: &PathBuf| path.strip_prefix(folder.path()).expect("below").display().to_string();
            found.iter().map(own).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(named("*/x.yml"), "a/x.yml b/x.yml");
        assert_eq!(named("a/*.y*ml"), "a/x.yml a/y.yaml");
        assert_eq!(named("b/[a-y].yml"), "b/x.yml");
        assert_eq!(named("b/?[0-9].yml"), "b/z9.yml");
        assert_eq!(named("c/*.yml"), "");
        assert_eq!(named("gone.yml"), "gone.yml");
    }

    #[test]
    fn everything_wrong_is_said_with_its_place() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("a.yml");
        std::fs::write(&file, "groups:\n- name: g\n  rules:\n  - record: a\n    exp: b\n").expect("written");
        let gone = folder.path().join("gone.yml").display().to_string();
        let problems = rule_files(&[file.display().to_string(), gone]).expect_err("wrong");
        assert!(problems.iter().any(|problem| problem.contains("a.yml:5:5: ")), "{problems:?}");
        assert!(problems.iter().any(|problem| problem.contains("gone.yml: No such file")), "{problems:?}");
    }
}
