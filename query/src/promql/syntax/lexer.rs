//! Cuts a query into tokens, one at a time, because an error later in the text does not matter before it is reached.

use super::{
    quote::{quoted, quoted_letter},
    token::{Extent, Kind, Operator, Token, keyword},
};

/// Why there is no next token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LexError {
    /// From where the token begins to the end of the text.
    pub(crate) extent: Extent,
    pub(crate) message: String,
}

/// Where in the text it stands, and what was opened.
#[derive(Debug, Clone)]
pub(crate) struct Lexer<'a> {
    text: &'a str,
    position: usize,
    /// Where the token under way begins.
    start: usize,
    open_parens: usize,
    in_braces: bool,
    bracket: Bracket,
    has_colon: bool,
}

/// Where between `[` and `]` it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bracket {
    Outside,
    /// Nothing was seen yet but signs and parentheses.
    Inside,
    /// A number was the last token.
    AfterNumber,
}

type Lexed = Result<Kind, String>;

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self {
            text,
            position: 0,
            start: 0,
            open_parens: 0,
            in_braces: false,
            bracket: Bracket::Outside,
            has_colon: false,
        }
    }

    pub(crate) fn text(&self) -> &'a str {
        self.text
    }

    /// The next token; [`Kind::End`] again and again at the end.
    pub(crate) fn next_token(&mut self) -> Result<Token, LexError> {
        self.skip_blanks();
        self.start = self.position;
        let lexed = if self.in_braces {
            self.in_braces()
        } else if self.bracket == Bracket::Inside {
            self.in_brackets()
        } else {
            self.outside()
        };
        match lexed {
            Ok(kind) => Ok(Token { kind, extent: Extent::new(self.start, self.position) }),
            Err(message) => Err(LexError { extent: Extent::new(self.start, self.text.len()), message }),
        }
    }

    fn skip_blanks(&mut self) {
        while let Some(letter) = self.peek() {
            if is_blank(letter) {
                self.position += 1;
            } else if letter == '#' && self.bracket == Bracket::Outside {
                let rest = &self.text[self.position..];
                self.position += rest.find(['\n', '\r']).unwrap_or(rest.len());
            } else {
                return;
            }
        }
    }

    fn peek(&self) -> Option<char> {
        self.text[self.position..].chars().next()
    }

    fn peek_is(&self, test: impl Fn(char) -> bool) -> bool {
        self.peek().is_some_and(test)
    }

    fn take(&mut self) -> Option<char> {
        let letter = self.peek()?;
        self.position += letter.len_utf8();
        Some(letter)
    }

    fn accept(&mut self, letters: &str) -> bool {
        let accepted = self.peek_is(|letter| letters.contains(letter));
        if accepted {
            self.position += 1;
        }
        accepted
    }

    fn so_far(&self) -> &'a str {
        &self.text[self.start..self.position]
    }

    fn outside(&mut self) -> Lexed {
        let Some(letter) = self.take() else {
            return match (self.open_parens, self.bracket) {
                (1.., _) => Err("unclosed left parenthesis".to_owned()),
                (0, Bracket::AfterNumber) => Err("unclosed left bracket".to_owned()),
                (0, _) => Ok(Kind::End),
            };
        };
        if self.bracket == Bracket::AfterNumber && (is_alpha(letter) || letter == ':') {
            return self.after_number(letter);
        }
        match letter {
            ',' => Ok(Kind::Comma),
            '*' => Ok(Kind::Operator(Operator::Mul)),
            '/' => Ok(Kind::Operator(Operator::Div)),
            '%' => Ok(Kind::Operator(Operator::Mod)),
            '+' => Ok(Kind::Operator(Operator::Add)),
            '-' => Ok(Kind::Operator(Operator::Sub)),
            '^' => Ok(Kind::Operator(Operator::Pow)),
            '@' => Ok(Kind::At),
            '=' | '!' => self.equality(letter),
            '<' if self.accept("=") => Ok(Kind::Operator(Operator::LessEqual)),
            '<' if self.accept("/") => Ok(Kind::Operator(Operator::TrimUpper)),
            '<' => Ok(Kind::Operator(Operator::Less)),
            '>' if self.accept("=") => Ok(Kind::Operator(Operator::GreaterEqual)),
            '>' if self.accept("/") => Ok(Kind::Operator(Operator::TrimLower)),
            '>' => Ok(Kind::Operator(Operator::Greater)),
            '"' | '\'' => self.string(letter),
            '`' => self.raw_string(),
            '(' => {
                self.open_parens += 1;
                Ok(Kind::LeftParen)
            }
            ')' => self.close_paren(),
            '{' => {
                self.in_braces = true;
                Ok(Kind::LeftBrace)
            }
            '[' if self.bracket != Bracket::Outside => Err(format!("unexpected left bracket {}", quoted_letter('['))),
            '[' => {
                self.bracket = Bracket::Inside;
                self.has_colon = false;
                Ok(Kind::LeftBracket)
            }
            ']' if self.bracket == Bracket::Outside => Err(format!("unexpected right bracket {}", quoted_letter(']'))),
            ']' => {
                self.bracket = Bracket::Outside;
                Ok(Kind::RightBracket)
            }
            letter if letter.is_ascii_digit() || (letter == '.' && self.peek_is(|next| next.is_ascii_digit())) => {
                self.position = self.start;
                self.number_or_duration()
            }
            letter if is_alpha(letter) || letter == ':' => Ok(self.word()),
            letter => Err(format!("unexpected character: {}", quoted_letter(letter))),
        }
    }

    fn equality(&mut self, letter: char) -> Lexed {
        match (letter, self.peek()) {
            ('=', Some('=')) => {
                self.position += 1;
                Ok(Kind::Operator(Operator::Equal))
            }
            ('=', Some('~')) => Err(format!("unexpected character after '=': {}", quoted_letter('~'))),
            ('=', _) => Ok(Kind::Equal),
            (_, Some('=')) => {
                self.position += 1;
                Ok(Kind::Operator(Operator::NotEqual))
            }
            (_, next) => Err(format!("unexpected character after '!': {}", next_letter(next))),
        }
    }

    fn close_paren(&mut self) -> Lexed {
        match self.open_parens.checked_sub(1) {
            Some(open) => {
                self.open_parens = open;
                Ok(Kind::RightParen)
            }
            None => {
                // Prometheus finds the place behind it.
                self.start = self.position;
                Err(format!("unexpected right parenthesis {}", quoted_letter(')')))
            }
        }
    }

    fn word(&mut self) -> Kind {
        while self.peek_is(|letter| is_alphanumeric(letter) || letter == ':') {
            self.position += 1;
        }
        let word = self.so_far();
        match keyword(word) {
            // So that metrics of these names keep their meaning.
            Some(Kind::Fill | Kind::FillLeft | Kind::FillRight) if !self.is_followed_by_paren() => Kind::Identifier,
            Some(kind) => kind,
            None if word.contains(':') => Kind::MetricIdentifier,
            None => Kind::Identifier,
        }
    }

    fn is_followed_by_paren(&self) -> bool {
        self.text[self.position..].trim_start_matches(is_blank).starts_with('(')
    }

    /// Between `[` and the first number, and after operators there.
    fn in_brackets(&mut self) -> Lexed {
        let Some(letter) = self.take() else {
            return Err("unexpected end of input in duration expression".to_owned());
        };
        match letter {
            ']' => {
                self.bracket = Bracket::Outside;
                Ok(Kind::RightBracket)
            }
            ':' => self.colon(),
            '(' => {
                self.open_parens += 1;
                Ok(Kind::LeftParen)
            }
            ')' => self.close_paren(),
            '+' => Ok(Kind::Operator(Operator::Add)),
            '-' => Ok(Kind::Operator(Operator::Sub)),
            '*' => Ok(Kind::Operator(Operator::Mul)),
            '/' => Ok(Kind::Operator(Operator::Div)),
            '%' => Ok(Kind::Operator(Operator::Mod)),
            '^' => Ok(Kind::Operator(Operator::Pow)),
            ',' => Ok(Kind::Comma),
            's' | 'S' | 'm' | 'M' | 'r' | 'R' => self
                .duration_word()
                .ok_or_else(|| format!("unexpected character in duration expression: {}", quoted_letter(letter))),
            letter if letter.is_ascii_digit() || (letter == '.' && self.peek_is(|next| next.is_ascii_digit())) => {
                self.position = self.start;
                let kind = self.number_or_duration()?;
                self.bracket = Bracket::AfterNumber;
                Ok(kind)
            }
            letter => Err(format!("unexpected character in duration expression: {}", quoted_letter(letter))),
        }
    }

    /// One colon is enough.
    fn colon(&mut self) -> Lexed {
        if self.has_colon {
            return Err(format!("unexpected colon {}", quoted_letter(':')));
        }
        self.has_colon = true;
        Ok(Kind::Colon)
    }

    /// A word or a colon where a number came before it in brackets.
    fn after_number(&mut self, letter: char) -> Lexed {
        if letter == ':' {
            return self.colon();
        }
        let kind = if matches!(letter, 's' | 'S' | 'm' | 'M' | 'r' | 'R') { self.duration_word() } else { None };
        kind.ok_or_else(|| format!("unexpected character: {}, expected {}", quoted_letter(letter), quoted_letter(':')))
    }

    /// `step`, `range`, `min_of` or `max_of`, whose first letter was taken.
    fn duration_word(&mut self) -> Option<Kind> {
        while self.peek_is(is_alpha) {
            self.position += 1;
        }
        match keyword(self.so_far())? {
            kind @ (Kind::Step | Kind::Range | Kind::MinOf | Kind::MaxOf) => Some(kind),
            _ => None,
        }
    }

    fn in_braces(&mut self) -> Lexed {
        let Some(letter) = self.take() else { return Err("unexpected end of input inside braces".to_owned()) };
        match letter {
            ',' => Ok(Kind::Comma),
            '"' | '\'' => self.string(letter),
            '`' => self.raw_string(),
            '=' if self.accept("~") => Ok(Kind::Matches),
            '=' => Ok(Kind::Equal),
            '!' => match self.take() {
                Some('~') => Ok(Kind::MatchesNot),
                Some('=') => Ok(Kind::Operator(Operator::NotEqual)),
                next => Err(format!("unexpected character after '!' inside braces: {}", next_letter(next))),
            },
            '{' => Err(format!("unexpected left brace {}", quoted_letter('{'))),
            '}' => {
                self.in_braces = false;
                Ok(Kind::RightBrace)
            }
            letter if is_alpha(letter) => {
                while self.peek_is(is_alphanumeric) {
                    self.position += 1;
                }
                Ok(Kind::Identifier)
            }
            letter => Err(format!("unexpected character inside braces: {}", quoted_letter(letter))),
        }
    }

    fn string(&mut self, quote: char) -> Lexed {
        loop {
            match self.take() {
                None | Some('\n') => return Err("unterminated quoted string".to_owned()),
                Some('\\') => self.escape(quote)?,
                Some(letter) if letter == quote => return Ok(Kind::Text),
                Some(_) => {}
            }
        }
    }

    fn escape(&mut self, quote: char) -> Result<(), String> {
        let (count, base, max) = match self.take() {
            None => return Err("escape sequence not terminated".to_owned()),
            Some('a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '\\') => return Ok(()),
            Some(letter) if letter == quote => return Ok(()),
            Some('0'..='7') => {
                self.position -= 1;
                (3, 8, 255)
            }
            Some('x') => (2, 16, 255),
            Some('u') => (4, 16, 0x10_ffff),
            Some('U') => (8, 16, 0x10_ffff),
            Some(letter) => return Err(format!("unknown escape sequence {}", code_point(letter))),
        };
        let mut value = 0_u32;
        for _ in 0..count {
            let letter = self.take().ok_or("escape sequence not terminated")?;
            let digit = letter
                .to_digit(base)
                .ok_or_else(|| format!("illegal character {} in escape sequence", code_point(letter)))?;
            value = value.wrapping_mul(base).wrapping_add(digit);
        }
        if value > max || (0xd800..0xe000).contains(&value) {
            return Err("escape sequence is an invalid Unicode code point".to_owned());
        }
        Ok(())
    }

    fn raw_string(&mut self) -> Lexed {
        match self.text[self.position..].find('`') {
            Some(length) => {
                self.position += length + 1;
                Ok(Kind::Text)
            }
            None => Err("unterminated raw string".to_owned()),
        }
    }

    fn number_or_duration(&mut self) -> Lexed {
        if self.number() {
            return Ok(Kind::Number);
        }
        if self.rest_of_duration() {
            return Ok(Kind::Duration);
        }
        Err(format!("bad number or duration syntax: {}", quoted(self.so_far())))
    }

    /// Takes what can be of a number, and says whether it is one. It may still be one that cannot be read.
    fn number(&mut self) -> bool {
        let begin = self.position;
        let mut digits = "0123456789";
        if self.accept("0") && self.accept("xX") {
            self.accept("_");
            digits = "0123456789abcdefABCDEF";
        }
        let is_hexadecimal = digits.len() > 10;
        self.accept(".");
        self.accept(digits);
        let (mut has_dot, mut has_exponent) = (false, false);
        while let Some(letter) = self.peek() {
            match letter {
                '.' => {
                    self.position += 1;
                    if has_dot || is_hexadecimal || self.accept("_.") {
                        return false;
                    }
                    has_dot = true;
                }
                _ if digits.contains(letter) => self.position += 1,
                'e' | 'E' => {
                    self.position += 1;
                    if has_exponent {
                        return false;
                    }
                    has_exponent = true;
                    self.accept("+-");
                    if self.accept("._eE") || self.peek().is_none() {
                        return false;
                    }
                }
                '_' => {
                    self.position += 1;
                    if self.accept("._eE") || self.peek().is_none() {
                        return false;
                    }
                }
                _ => break,
            }
        }
        self.position > begin && !self.peek_is(is_alphanumeric)
    }

    fn rest_of_duration(&mut self) -> bool {
        if !self.accept("smhdwy") {
            return false;
        }
        self.accept("s");
        while self.accept("0123456789") {
            while self.accept("0123456789") {}
            if !self.accept("smhdw") {
                return false;
            }
            self.accept("s");
        }
        if self.peek_is(is_alphanumeric) {
            self.position += 1;
            return false;
        }
        true
    }
}

fn next_letter(letter: Option<char>) -> String {
    // Go's end of file is the rune -1, which it writes as the replacement.
    quoted_letter(letter.unwrap_or('\u{fffd}'))
}

fn code_point(letter: char) -> String {
    format!("U+{:04X} '{letter}'", letter as u32)
}

fn is_blank(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\n' | '\r')
}

fn is_alpha(letter: char) -> bool {
    letter == '_' || letter.is_ascii_alphabetic()
}

fn is_alphanumeric(letter: char) -> bool {
    is_alpha(letter) || letter.is_ascii_digit()
}
