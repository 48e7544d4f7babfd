//! Which names indices may have, as Elastic's reference lists it ("Create an index", path parameters).

/// What is wrong with an index's name; `None` when nothing is.
pub fn name_problem(name: &str) -> Option<&'static str> {
    const BYTES_MAX: usize = 255;

    let is_strange =
        |byte: u8| matches!(byte, b'\\' | b'/' | b'*' | b'?' | b'"' | b'<' | b'>' | b'|' | b' ' | b',' | b'#' | b':');
    if name.is_empty() {
        return Some("must not be empty");
    }
    if name.len() > BYTES_MAX {
        return Some("must not have more than 255 bytes");
    }
    if name == "." || name == ".." {
        return Some("must not be '.' or '..'");
    }
    if matches!(name.as_bytes()[0], b'_' | b'-' | b'+') {
        return Some("must not begin with '_', '-' or '+'");
    }
    if name.bytes().any(is_strange) {
        return Some("must not have a blank, or one of \\ / * ? \" < > | , # :");
    }
    name.chars().any(char::is_uppercase).then_some("must be in lower case")
}
