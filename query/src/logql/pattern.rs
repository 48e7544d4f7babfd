//! Patterns: `<ip> - <_> "<method> <path>"`, which take a line apart or tell whether it fits.

/// A piece of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    /// `None` for `<_>`.
    Capture(Option<String>),
}

/// A pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PatternExpr(Vec<Piece>);

impl PatternExpr {
    /// For `| pattern`: it has a named capture.
    pub(crate) fn parser(text: &str) -> Result<Self, String> {
        let pattern = Self::read(text)?;
        let mut names: Vec<&str> = pattern.names().collect();
        if names.is_empty() {
            return Err(format!("at least one capture is required: {text:?}"));
        }
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(format!("duplicate capture name ({}): {text:?}", twice[0]));
        }
        Ok(pattern)
    }

    /// For `|>`: it has none.
    pub(crate) fn filter(text: &str) -> Result<Self, String> {
        let pattern = Self::read(text)?;
        if let Some(name) = pattern.names().next() {
            return Err(format!("named captures are not allowed in line filters: <{name}>"));
        }
        Ok(pattern)
    }

    fn read(text: &str) -> Result<Self, String> {
        let mut pieces: Vec<Piece> = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if c == '<'
                && let Some(end) = rest.find('>')
                && is_name(&rest[1..end])
            {
                if !literal.is_empty() {
                    pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                } else if matches!(pieces.last(), Some(Piece::Capture(_))) {
                    return Err(format!("found consecutive capture: {text:?}"));
                }
                let name = &rest[1..end];
                pieces.push(Piece::Capture((name != "_").then(|| name.to_owned())));
                rest = &rest[end + 1..];
                continue;
            }
            literal.push(c);
            rest = &rest[c.len_utf8()..];
        }
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Ok(Self(pieces))
    }

    /// The names of its captures.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Capture(Some(name)) => Some(name.as_str()),
            _ => None,
        })
    }

    /// Calls `found` with each named capture; a capture without its end takes the rest, and ends it.
    pub(crate) fn captures<'l>(&self, line: &'l str, mut found: impl FnMut(&str, &'l str)) {
        let mut rest = line;
        let mut pieces = self.0.iter().peekable();
        if let Some(Piece::Literal(literal)) = pieces.peek() {
            let Some(behind) = rest.strip_prefix(literal.as_str()) else {
                return;
            };
            rest = behind;
            pieces.next();
        }
        while let Some(piece) = pieces.next() {
            let Piece::Capture(name) = piece else {
                continue;
            };
            let (value, behind) = match pieces.next() {
                Some(Piece::Literal(literal)) => match memchr::memmem::find(rest.as_bytes(), literal.as_bytes()) {
                    Some(at) => (&rest[..at], Some(&rest[at + literal.len()..])),
                    None => (rest, None),
                },
                _ => (rest, None),
            };
            if let Some(name) = name {
                found(name, value);
            }
            match behind {
                Some(behind) => rest = behind,
                None => return,
            }
        }
    }

    /// Whether the whole line fits.
    pub(crate) fn fits(&self, line: &str) -> bool {
        let mut rest = line;
        for (number, piece) in self.0.iter().enumerate() {
            let Piece::Literal(literal) = piece else {
                continue;
            };
            let is_last = number + 1 == self.0.len();
            if number == 0 {
                let Some(behind) = rest.strip_prefix(literal.as_str()) else {
                    return false;
                };
                if is_last {
                    return behind.is_empty();
                }
                rest = behind;
            } else if is_last {
                return rest.ends_with(literal.as_str());
            } else {
                match memchr::memmem::find(rest.as_bytes(), literal.as_bytes()) {
                    Some(at) => rest = &rest[at + literal.len()..],
                    None => return false,
                }
            }
        }
        // The last one is a capture, or there is nothing.
        !self.0.is_empty() || line.is_empty()
    }

    /// The literal pieces, which every line that fits contains.
    pub(crate) fn literals(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Literal(literal) => Some(literal.as_str()),
            Piece::Capture(_) => None,
        })
    }
}

fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}
