//! Cuts a template into tokens as Go's `text/template` does: text, and what stands between `{{` and `}}`.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Its text says what is wrong; nothing comes after it.
    Error,
    End,
    Text,
    Open,
    Close,
    Space,
    /// A name: of a function, or a keyword.
    Name,
    Keyword,
    Bool,
    Nil,
    Dot,
    /// `.name`
    Field,
    /// `$name`
    Variable,
    Number,
    Char,
    Quoted,
    Raw,
    Pipe,
    LeftParen,
    RightParen,
    Declare,
    Assign,
    /// Any other printable letter of ASCII.
    Letter,
}

/// A token, where it begins in bytes, and on which line from 1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token<'t> {
    pub(super) kind: Kind,
    pub(super) text: &'t str,
    pub(super) at: usize,
    pub(super) line: usize,
}

impl Token<'_> {
    /// As error messages show it.
    pub(super) fn shown(&self) -> String {
        match self.kind {
            Kind::End => "EOF".to_owned(),
            Kind::Error => self.text.to_owned(),
            Kind::Keyword => format!("<{}>", self.text),
            _ if self.text.chars().count() > 10 => {
                format!("{:?}...", self.text.chars().take(10).collect::<String>())
            }
            _ => format!("{:?}", self.text),
        }
    }
}

const KEYWORDS: [&str; 10] = ["block", "break", "continue", "define", "else", "end", "if", "range", "template", "with"];
const OPEN: &str = "{{";
const CLOSE: &str = "}}";

/// All tokens; the last is an end or an error. `errors` holds the texts of errors that name what was met.
pub(super) struct Lexer<'t> {
    text: &'t str,
    at: usize,
    line: usize,
    parens: usize,
    tokens: Vec<Token<'t>>,
}

/// Why a text cannot be cut: the words, and on which line.
type Failure = (String, usize);

/// The tokens of a text, and what is wrong where they end too early.
pub(super) fn tokens(text: &str) -> (Vec<Token<'_>>, Option<String>) {
    let mut lexer = Lexer { text, at: 0, line: 1, parens: 0, tokens: Vec::new() };
    let failed = lexer.run().err();
    let (kind, line) = match &failed {
        Some((_, line)) => (Kind::Error, *line),
        None => (Kind::End, lexer.line),
    };
    let at = lexer.at;
    lexer.tokens.push(Token { kind, text: "", at, line });
    (lexer.tokens, failed.map(|(words, _)| words))
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// `U+0023 '#'`
fn named(c: char) -> String {
    format!("U+{:04X} '{c}'", u32::from(c))
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn emit(&mut self, kind: Kind, len: usize) {
        let text = &self.rest()[..len];
        self.tokens.push(Token { kind, text, at: self.at, line: self.line });
        self.skip(len);
    }

    fn skip(&mut self, len: usize) {
        self.line += self.rest()[..len].matches('\n').count();
        self.at += len;
    }

    fn skip_spaces(&mut self) {
        let rest = self.rest();
        self.skip(rest.len() - rest.trim_start_matches(is_space).len());
    }

    fn fail<T>(&self, words: impl Into<String>) -> Result<T, Failure> {
        Err((words.into(), self.line))
    }

    fn run(&mut self) -> Result<(), Failure> {
        loop {
            let rest = self.rest();
            let Some(open) = rest.find(OPEN) else {
                if !rest.is_empty() {
                    self.emit(Kind::Text, rest.len());
                }
                return Ok(());
            };
            let action = &rest[open + OPEN.len()..];
            let trims = action.strip_prefix('-').is_some_and(|after| after.starts_with(is_space));
            let kept = if trims { rest[..open].trim_end_matches(is_space).len() } else { open };
            if kept > 0 {
                self.emit(Kind::Text, kept);
            }
            self.skip(open - kept);
            let marker = usize::from(trims) * 2;
            if action[marker..].starts_with("/*") {
                self.skip(OPEN.len() + marker);
                self.comment()?;
                continue;
            }
            self.emit(Kind::Open, OPEN.len());
            self.skip(marker);
            self.parens = 0;
            while self.inside()? {}
        }
    }

    fn comment(&mut self) -> Result<(), Failure> {
        let Some(end) = self.rest().find("*/") else { return self.fail("unclosed comment") };
        self.skip(end + 2);
        match self.close() {
            Some((len, trims)) => {
                self.skip(len);
                if trims {
                    self.skip_spaces();
                }
                Ok(())
            }
            None => self.fail("comment ends before closing delimiter"),
        }
    }

    /// The closing delimiter that stands here: how long it is, and whether blanks after it go.
    fn close(&self) -> Option<(usize, bool)> {
        let rest = self.rest();
        let mut letters = rest.chars();
        let is_marker = letters.next().is_some_and(is_space) && letters.next() == Some('-');
        if is_marker && rest[2..].starts_with(CLOSE) {
            return Some((2 + CLOSE.len(), true));
        }
        rest.starts_with(CLOSE).then_some((CLOSE.len(), false))
    }

    /// One token of an action; false when it was the last.
    fn inside(&mut self) -> Result<bool, Failure> {
        if let Some((len, trims)) = self.close() {
            if self.parens > 0 {
                return self.fail("unclosed left paren");
            }
            if trims {
                self.skip(2);
            }
            self.emit(Kind::Close, CLOSE.len());
            debug_assert!(len >= CLOSE.len());
            if trims {
                self.skip_spaces();
            }
            return Ok(false);
        }
        let Some(first) = self.peek() else { return self.fail("unclosed action") };
        match first {
            c if is_space(c) => self.spaces(),
            '=' => self.emit(Kind::Assign, 1),
            ':' if self.rest().starts_with(":=") => self.emit(Kind::Declare, 2),
            ':' => return self.fail("expected :="),
            '|' => self.emit(Kind::Pipe, 1),
            '"' => self.quoted('"', Kind::Quoted, "unterminated quoted string")?,
            '\'' => self.quoted('\'', Kind::Char, "unterminated character constant")?,
            '`' => {
                let Some(end) = self.rest()[1..].find('`') else {
                    return self.fail("unterminated raw quoted string");
                };
                self.emit(Kind::Raw, end + 2);
            }
            '$' => self.name(Kind::Variable)?,
            '.' if !self.rest()[1..].starts_with(|c: char| c.is_ascii_digit()) => self.name(Kind::Field)?,
            c if c.is_ascii_digit() || matches!(c, '.' | '+' | '-') => self.number()?,
            c if is_word(c) => self.name(Kind::Name)?,
            '(' => {
                self.parens += 1;
                self.emit(Kind::LeftParen, 1);
            }
            ')' => {
                self.parens = match self.parens.checked_sub(1) {
                    Some(parens) => parens,
                    None => return self.fail("unexpected right paren"),
                };
                self.emit(Kind::RightParen, 1);
            }
            c if c.is_ascii_graphic() => self.emit(Kind::Letter, 1),
            c => return self.fail(format!("unrecognized character in action: {}", named(c))),
        }
        Ok(true)
    }

    /// Blanks, but not the one that belongs to a closing `-}}`.
    fn spaces(&mut self) {
        let rest = self.rest();
        let mut len = rest.len() - rest.trim_start_matches(is_space).len();
        if rest[len..].starts_with("-}}") {
            // A blank is one byte.
            len -= 1;
        }
        if len > 0 {
            self.emit(Kind::Space, len);
        }
    }

    fn quoted(&mut self, quote: char, kind: Kind, unterminated: &str) -> Result<(), Failure> {
        let mut letters = self.rest().char_indices().skip(1);
        while let Some((at, c)) = letters.next() {
            match c {
                '\\' => match letters.next() {
                    Some((_, c)) if c != '\n' => {}
                    _ => break,
                },
                '\n' => break,
                c if c == quote => {
                    self.emit(kind, at + 1);
                    return Ok(());
                }
                _ => {}
            }
        }
        self.fail(unterminated)
    }

    /// A name, a field or a variable: the first letter is known.
    fn name(&mut self, kind: Kind) -> Result<(), Failure> {
        let sigil = usize::from(kind != Kind::Name);
        let rest = self.rest();
        let len = sigil + rest[sigil..].find(|c| !is_word(c)).unwrap_or(rest.len() - sigil);
        let after = &rest[len..];
        let ends = after.is_empty()
            || after.starts_with(|c| is_space(c) || matches!(c, '.' | ',' | '|' | ':' | ')' | '('))
            || after.starts_with(CLOSE);
        if !ends {
            let c = after.chars().next().unwrap_or_default();
            return self.fail(format!("bad character {}", named(c)));
        }
        let word = &rest[..len];
        let kind = match kind {
            Kind::Field if word == "." => Kind::Dot,
            Kind::Name if KEYWORDS.contains(&word) => Kind::Keyword,
            Kind::Name if word == "true" || word == "false" => Kind::Bool,
            Kind::Name if word == "nil" => Kind::Nil,
            kind => kind,
        };
        self.emit(kind, len);
        Ok(())
    }

    fn number(&mut self) -> Result<(), Failure> {
        let rest = self.rest();
        let mut len = usize::from(rest.starts_with(['+', '-']));
        let lower = rest[len..].get(..2).unwrap_or_default().to_ascii_lowercase();
        let is_hex = lower == "0x";
        let digits: fn(u8) -> bool = match lower.as_str() {
            "0x" => |byte| byte.is_ascii_hexdigit() || byte == b'_',
            "0o" => |byte| (b'0'..=b'7').contains(&byte) || byte == b'_',
            "0b" => |byte| matches!(byte, b'0' | b'1' | b'_'),
            _ => |byte| byte.is_ascii_digit() || byte == b'_',
        };
        if matches!(lower.as_str(), "0x" | "0o" | "0b") {
            len += 2;
        }
        let bytes = rest.as_bytes();
        let run = |mut at: usize, digits: fn(u8) -> bool| {
            while bytes.get(at).is_some_and(|byte| digits(*byte)) {
                at += 1;
            }
            at
        };
        len = run(len, digits);
        if bytes.get(len) == Some(&b'.') {
            len = run(len + 1, digits);
        }
        let exponent: &[u8] = if is_hex { b"pP" } else { b"eE" };
        if bytes.get(len).is_some_and(|byte| exponent.contains(byte)) {
            len += 1;
            len += usize::from(matches!(bytes.get(len), Some(b'+' | b'-')));
            len = run(len, |byte| byte.is_ascii_digit() || byte == b'_');
        }
        if rest[len..].starts_with(is_word) {
            let more = rest[len..].chars().next().map_or(0, char::len_utf8);
            return self.fail(format!("bad number syntax: {:?}", &rest[..len + more]));
        }
        self.emit(Kind::Number, len);
        Ok(())
    }
}
