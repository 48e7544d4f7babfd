//! Paths into JSON: `servers[0]`, `request.headers["User-Agent"]`.

/// A step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// A member of an object.
    Key(String),
    /// An element of an array.
    Index(usize),
}

/// Reads a path.
pub(crate) fn read(text: &str) -> Result<Vec<Step>, String> {
    let bad = |why: &str| format!("cannot parse expression [{text}]: {why}");
    let mut steps = Vec::new();
    let mut rest = text.trim();
    let mut needs_key = true;
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let (step, behind) = if let Some(quoted) = inner.strip_prefix('"') {
                let (key, behind) = quoted_key(quoted).ok_or_else(|| bad("a key in quotes does not end"))?;
                (Step::Key(key), behind)
            } else {
                let end = inner.find(']').ok_or_else(|| bad("a bracket is not closed"))?;
                let index = inner[..end].trim().parse().map_err(|_| bad("an index is no number"))?;
                (Step::Index(index), &inner[end..])
            };
            rest = behind.strip_prefix(']').ok_or_else(|| bad("a bracket is not closed"))?;
            steps.push(step);
            needs_key = false;
            continue;
        }
        if !needs_key {
            rest = rest.strip_prefix('.').ok_or_else(|| bad("a dot is missing"))?;
        }
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        let key = &rest[..end];
        let is_name = !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '@'));
        if !is_name {
            return Err(bad("a key is missing, or has to be in quotes within brackets"));
        }
        steps.push(Step::Key(key.to_owned()));
        rest = &rest[end..];
        needs_key = false;
    }
    if steps.is_empty() {
        return Err(bad("it is empty"));
    }
    Ok(steps)
}

fn quoted_key(text: &str) -> Option<(String, &str)> {
    let mut key = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((key, &text[at + 1..])),
            '\\' => key.push(chars.next()?.1),
            c => key.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let key = |key: &str| Step::Key(key.into());
        assert_eq!(read("servers[0]"), Ok(vec![key("servers"), Step::Index(0)]));
        assert_eq!(read("a.b[\"User-Agent\"].c"), Ok(vec![key("a"), key("b"), key("User-Agent"), key("c")]));
        assert_eq!(read("[\"x y\"][1]"), Ok(vec![key("x y"), Step::Index(1)]));
        for bad in ["", ".", "a..b", "a[", "a[x]", "a b", "a[\"b]"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
