//! What was probably meant by a name that nobody knows.

use std::fmt::Write;

/// `unknown key `endpont`; did you mean `endpoint`? Known here: endpoint, tls`.
pub fn unknown(kind: &str, name: &str, known: &[&str]) -> String {
    let shown: String = name.chars().take(100).collect();
    let mut words = format!("unknown {kind} `{shown}`");
    if known.is_empty() {
        words.push_str("; there are none");
        return words;
    }
    match nearest(name, known) {
        Some(near) => {
            let _ = write!(words, "; did you mean `{near}`?");
        }
        None => words.push('.'),
    }
    let _ = write!(words, " Known here: {}", known.join(", "));
    words
}

/// The known name that was probably meant: at most a third of its letters differ.
pub fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let mut best: Option<(usize, &str)> = None;
    for candidate in known {
        let distance = strsim::osa_distance(&name.to_lowercase(), &candidate.to_lowercase());
        let close = distance <= 1.max(candidate.chars().count() / 3);
        if close && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_near() {
        let known = ["path", "retention", "size_max", "accept"];
        assert_eq!(nearest("retenton", &known), Some("retention"));
        assert_eq!(nearest("maxsize", &known), None);
        assert_eq!(nearest("Path", &known), Some("path"));
        assert_eq!(nearest("eror", &["OK", "ERROR"]), Some("ERROR"));
        assert_eq!(nearest("max_size", &["size_min", "size_max"]), None);
        assert_eq!(nearest("x", &[]), None);
    }
}
