//! Reads logfmt: `level=info msg="two words" flag`.

/// A pair that is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Malformed {
    /// Byte where it is not.
    pub(crate) at: usize,
    /// Why.
    pub(crate) why: &'static str,
}

/// Calls `found` with each key and its value; `None` where a key stands alone. Stops at what is no pair when `strict`, else passes over it.
pub(crate) fn pairs(line: &str, strict: bool, found: &mut dyn FnMut(&str, Option<&str>)) -> Result<(), Malformed> {
    let bytes = line.as_bytes();
    let mut at = 0;
    let mut unquoted = String::new();
    while at < bytes.len() {
        if bytes[at] <= b' ' {
            at += 1;
            continue;
        }
        match pair(line, at, &mut unquoted) {
            Ok((key, value, end)) => {
                found(key, value);
                at = end;
            }
            Err((malformed, resume)) => {
                if strict {
                    return Err(malformed);
                }
                at = resume.max(at + 1);
            }
        }
    }
    Ok(())
}

type Pair<'a> = (&'a str, Option<&'a str>, usize);

/// One pair; or what is wrong and where the next may begin.
fn pair<'a>(line: &'a str, begin: usize, unquoted: &'a mut String) -> Result<Pair<'a>, (Malformed, usize)> {
    let bytes = line.as_bytes();
    let blank_from = |at: usize| bytes[at..].iter().position(|byte| *byte <= b' ').map_or(bytes.len(), |len| at + len);
    let mut at = begin;
    while at < bytes.len() && !matches!(bytes[at], b'=' | b'"' | 0..=b' ') {
        at += 1;
    }
    let key = &line[begin..at];
    match bytes.get(at) {
        Some(b'"') => {
            return Err((Malformed { at, why: "unexpected '\"' in a key" }, blank_from(at)));
        }
        Some(b'=') if key.is_empty() => {
            return Err((Malformed { at, why: "unexpected '='" }, blank_from(at)));
        }
        Some(b'=') => at += 1,
        _ => return Ok((key, None, at)),
    }
    if bytes.get(at) == Some(&b'"') {
        let begin = at + 1;
        let mut end = begin;
        loop {
            match memchr::memchr2(b'"', b'\\', bytes.get(end..).unwrap_or_default()) {
                None => {
                    return Err((Malformed { at: begin, why: "unterminated quoted value" }, bytes.len()));
                }
                Some(len) if bytes[end + len] == b'\\' => end += len + 2,
                Some(len) => {
                    end += len;
                    break;
                }
            }
        }
        unquoted.clear();
        let value = super::json::unescape(&line[begin..end], unquoted);
        return Ok((key, Some(value), end + 1));
    }
    let end = blank_from(at);
    let value = &line[at..end];
    if let Some(wrong) = value.find(['=', '"']) {
        let why =
            if value.as_bytes()[wrong] == b'=' { "unexpected '=' in a value" } else { "unexpected '\"' in a value" };
        return Err((Malformed { at: at + wrong, why }, end));
    }
    Ok((key, Some(value), end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str, strict: bool) -> String {
        let mut out = String::new();
        let result = pairs(line, strict, &mut |key, value| match value {
            Some(value) => out.push_str(&format!("{key}={value};")),
            None => out.push_str(&format!("{key};")),
        });
        if let Err(error) = result {
            out.push_str(&format!("!{}", error.at));
        }
        out
    }

    #[test]
    fn pairs_of_every_shape() {
        for (line, lenient, strict) in [
            (r#"a=1 b="two \"words\"" c d="#, "a=1;b=two \"words\";c;d=;", "a=1;b=two \"words\";c;d=;"),
            ("=v a=1", "a=1;", "!0"),
            ("foo=bar=buzz a=1", "a=1;", "!7"),
            ("fo\"o=bar a=1", "a=1;", "!2"),
            ("a=1 b=\"open", "a=1;", "a=1;!7"),
            ("  ", "", ""),
        ] {
            assert_eq!(shown(line, false), lenient, "{line}");
            assert_eq!(shown(line, true), strict, "{line}");
        }
    }
}
