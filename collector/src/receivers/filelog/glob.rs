//! Patterns of paths: `*`, `?`, `[a-z]`, `{a,b}` within a name, `**` for any folders.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Deserializer, de};

/// Patterns that the braces of one make.
const ALTERNATIVES_MAX: usize = 256;

/// A pattern of paths.
#[derive(Clone, PartialEq, Eq)]
pub struct Glob {
    text: String,
    /// One for each choice of its braces.
    pub(super) ways: Vec<Way>,
}

/// A pattern without braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Way {
    /// The folder that it begins in, without a wildcard in it.
    pub(super) root: PathBuf,
    /// What follows, name by name.
    pub(super) names: Vec<Name>,
}

/// One name of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Name {
    /// Itself.
    Literal(String),
    /// Whatever fits.
    Pattern(String),
    /// Any folders, also none.
    Any,
}

impl Glob {
    /// Reads a pattern.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("a pattern is empty".into());
        }
        let mut ways = Vec::new();
        for plain in without_braces(text)? {
            ways.push(way(&plain)?);
        }
        Ok(Self { text: text.to_owned(), ways })
    }

    /// Whether it fits a whole path.
    pub fn fits(&self, path: &Path) -> bool {
        self.ways.iter().any(|way| way.fits(path))
    }
}

impl Way {
    /// Whether it fits a whole path.
    pub(super) fn fits(&self, path: &Path) -> bool {
        let Ok(rest) = path.strip_prefix(&self.root) else { return false };
        let names: Vec<&[u8]> = rest.components().map(|part| part.as_os_str().as_encoded_bytes()).collect();
        fits_names(&self.names, &names)
    }
}

impl Name {
    /// Whether it fits one name.
    pub(super) fn fits(&self, name: &[u8]) -> bool {
        match self {
            Self::Literal(literal) => literal.as_bytes() == name,
            Self::Pattern(pattern) => fits_name(pattern.as_bytes(), name),
            Self::Any => true,
        }
    }
}

fn fits_names(pattern: &[Name], names: &[&[u8]]) -> bool {
    match (pattern.split_first(), names.split_first()) {
        (None, None) => true,
        (Some((Name::Any, rest)), _) => (0..=names.len()).any(|skipped| fits_names(rest, &names[skipped..])),
        (Some((name, rest)), Some((first, others))) => name.fits(first) && fits_names(rest, others),
        _ => false,
    }
}

/// Whether a pattern fits a name; `*` looks back to where it stood last, and no further.
fn fits_name(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut in_name) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while in_name < name.len() {
        let step = match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, in_name));
                at += 1;
                continue;
            }
            Some(b'?') => Some((1, char_len(&name[in_name..]))),
            Some(b'[') => class(&pattern[at..], &name[in_name..])
                .and_then(|(len, fits)| fits.then_some((len, char_len(&name[in_name..])))),
            Some(b'\\') => (pattern.get(at + 1) == Some(&name[in_name])).then_some((2, 1)),
            Some(byte) => (*byte == name[in_name]).then_some((1, 1)),
            None => None,
        };
        match (step, star) {
            (Some((of_pattern, of_name)), _) => {
                at += of_pattern;
                in_name += of_name;
            }
            (None, Some((star_at, from))) => {
                star = Some((star_at, from + 1));
                (at, in_name) = (star_at + 1, from + 1);
            }
            (None, None) => return false,
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

/// Bytes of the character that a name goes on with.
fn char_len(name: &[u8]) -> usize {
    let following = name[1..].iter().take(3).take_while(|byte| **byte & 0xc0 == 0x80).count();
    1 + following
}

/// How long `[…]` is, and whether the character that a name goes on with is in it; `None` when it is not closed.
fn class(pattern: &[u8], name: &[u8]) -> Option<(usize, bool)> {
    let is_negated = matches!(pattern.get(1), Some(b'!' | b'^'));
    let first = 1 + usize::from(is_negated);
    let end = first + 1 + pattern.get(first + 1..)?.iter().position(|byte| *byte == b']')?;
    let mut fits = false;
    let mut at = first;
    // Characters follow each other as their bytes in UTF-8 do.
    let character = name.get(..name.first().map_or(0, |_| char_len(name)))?;
    while at < end {
        let low = &pattern[at..end.min(at + char_len(&pattern[at..]))];
        at += low.len();
        let mut high = low;
        if at + 1 < end && pattern[at] == b'-' {
            high = &pattern[at + 1..end.min(at + 1 + char_len(&pattern[at + 1..]))];
            at += 1 + high.len();
        }
        fits |= (low..=high).contains(&character);
    }
    Some((end + 1, fits != is_negated))
}

fn way(text: &str) -> Result<Way, String> {
    let is_wild = |name: &str| name.contains(['*', '?', '[', '\\']);
    let mut root = if text.starts_with('/') { PathBuf::from("/") } else { PathBuf::new() };
    let mut names = Vec::new();
    for name in text.split('/').filter(|name| !name.is_empty() && *name != ".") {
        match name {
            "**" => names.push(Name::Any),
            name if is_wild(name) => {
                let mut rest = name.as_bytes();
                while let Some(at) = rest.iter().position(|byte| *byte == b'[') {
                    let (len, _) =
                        class(&rest[at..], b" ").ok_or_else(|| format!("`{name}`: a bracket is not closed"))?;
                    rest = &rest[at + len..];
                }
                names.push(Name::Pattern(name.to_owned()));
            }
            name if names.is_empty() => root.push(name),
            name => names.push(Name::Literal(name.to_owned())),
        }
    }
    // A file without a wildcard is a name in its folder.
    if names.is_empty()
        && let Some(file) = root.file_name().and_then(|name| name.to_str())
    {
        names.push(Name::Literal(file.to_owned()));
        root.pop();
    }
    if root.as_os_str().is_empty() {
        root.push(".");
    }
    Ok(Way { root, names })
}

/// Where the braces are that no backslash stands before.
fn unescaped(text: &str) -> impl Iterator<Item = usize> + '_ {
    let mut is_escaped = false;
    text.bytes().enumerate().filter_map(move |(at, byte)| {
        let was_escaped = std::mem::take(&mut is_escaped);
        is_escaped = byte == b'\\' && !was_escaped;
        (matches!(byte, b'{' | b'}') && !was_escaped).then_some(at)
    })
}

/// All choices of a pattern's braces.
fn without_braces(text: &str) -> Result<Vec<String>, String> {
    let mut done = Vec::new();
    let mut open = vec![text.to_owned()];
    while let Some(next) = open.pop() {
        if done.len() + open.len() > ALTERNATIVES_MAX {
            return Err(format!("its braces stand for more than {ALTERNATIVES_MAX} patterns"));
        }
        // The innermost pair first.
        let Some(end) = unescaped(&next).find(|at| next.as_bytes()[*at] == b'}') else {
            if unescaped(&next).any(|at| next.as_bytes()[at] == b'{') {
                return Err("a brace is not closed".into());
            }
            done.push(next);
            continue;
        };
        let begins = unescaped(&next[..end]).filter(|at| next.as_bytes()[*at] == b'{');
        let begin = begins.last().ok_or("a brace is not opened")?;
        for choice in next[begin + 1..end].split(',') {
            open.push(format!("{}{choice}{}", &next[..begin], &next[end + 1..]));
        }
    }
    done.sort();
    done.dedup();
    Ok(done)
}

impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Glob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_and_paths() {
        for (pattern, path, fits) in [
            ("/var/log/*.log", "/var/log/a.log", true),
            ("/var/log/*.log", "/var/log/b/a.log", false),
            ("/var/log/**/*.log", "/var/log/a.log", true),
            ("/var/log/**/*.log", "/var/log/b/c/a.log", true),
            ("/var/log/pods/*/*/*.log", "/var/log/pods/n_p_u/c/0.log", true),
            ("/a/{b,c{d,e}}.log", "/a/ce.log", true),
            ("/a/{b,c{d,e}}.log", "/a/c.log", false),
            ("/a/[0-9]?.l*g", "/a/7x.log", true),
            ("/a/[!0-9].log", "/a/7.log", false),
            ("/a/x.log", "/a/x.log", true),
            ("/a/*a*b*c", "/a/xaxbxbxc", true),
            ("/a/?.log", "/a/é.log", true),
            ("/**", "/any/thing", true),
            (r"/a/x\{y\}.log", "/a/x{y}.log", true),
            (r"/a/{x\{y\},z}.log", "/a/x{y}.log", true),
            ("/a/[!a].log", "/a/é.log", true),
            ("/a/[é-ü].log", "/a/ö.log", true),
            ("/a/[a-z].log", "/a/é.log", false),
            ("/a/[a-].log", "/a/-.log", true),
        ] {
            assert_eq!(Glob::parse(pattern).expect(pattern).fits(Path::new(path)), fits, "{pattern} {path}");
        }
        let bomb = "{a,b}".repeat(30);
        assert!(["", "/a/[", "/a/{b", "/a/b}", bomb.as_str()].iter().all(|pattern| Glob::parse(pattern).is_err()));
    }
}
