//! Reads a condition: or, and, not, comparison, sum, in this order of strength.

use regex::bytes::RegexBuilder;

use super::{
    expression::{Comparison, Expression, Operand},
    path::{Context, enum_value, resolve},
    token::{Token, tokens},
};

/// Longest condition in bytes.
const BYTES_MAX: usize = 8192;

/// How deep parentheses and `not` may lie in each other.
const DEPTH_MAX: u32 = 32;

/// Most comparisons, sums and connections: each nests in the next, and is walked by recursion.
const PARTS_MAX: u32 = 256;

/// Memory of a compiled regular expression, in bytes.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// Reads a condition over `context`.
pub(super) fn parse(text: &str, context: Context) -> Result<Expression, String> {
    if text.len() > BYTES_MAX {
        return Err(format!("longer than {BYTES_MAX} bytes"));
    }
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens: &tokens, context, depth: 0, parts: 0 };
    let parsed = parser.either()?;
    match parser.tokens.first() {
        None => condition(parsed),
        Some(token) => Err(format!("{} is not expected here", shown(token))),
    }
}

/// Of parentheses it is known what they hold only when it was read.
enum Parsed {
    Condition(Expression),
    Value(Operand),
}

fn condition(parsed: Parsed) -> Result<Expression, String> {
    match parsed {
        Parsed::Condition(condition) => Ok(condition),
        Parsed::Value(Operand::Bool(value)) => Ok(Expression::Constant(value)),
        Parsed::Value(_) => Err("a value stands where a condition is expected; compare it with something".into()),
    }
}

fn value(parsed: Parsed) -> Result<Operand, String> {
    match parsed {
        Parsed::Value(value) => Ok(value),
        Parsed::Condition(Expression::Constant(value)) => Ok(Operand::Bool(value)),
        Parsed::Condition(_) => Err("a condition stands where a value is expected".into()),
    }
}

struct Parser<'a> {
    tokens: &'a [Token<'a>],
    context: Context,
    depth: u32,
    parts: u32,
}

impl<'a> Parser<'a> {
    fn next(&mut self) -> Option<&'a Token<'a>> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first)
    }

    fn take(&mut self, wanted: &Token<'_>) -> bool {
        let found = self.tokens.first().is_some_and(|token| token == wanted);
        if found {
            self.tokens = &self.tokens[1..];
        }
        found
    }

    fn expect(&mut self, sign: &'static str) -> Result<(), String> {
        if self.take(&Token::Sign(sign)) {
            return Ok(());
        }
        Err(match self.tokens.first() {
            Some(token) => format!("`{sign}` is expected before {}", shown(token)),
            None => format!("`{sign}` is missing at the end"),
        })
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, String>) -> Result<T, String> {
        if self.depth == DEPTH_MAX {
            return Err(format!("deeper than {DEPTH_MAX} levels"));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    fn part(&mut self) -> Result<(), String> {
        self.parts += 1;
        if self.parts > PARTS_MAX { Err(format!("more than {PARTS_MAX} parts")) } else { Ok(()) }
    }

    fn either(&mut self) -> Result<Parsed, String> {
        let mut left = self.both()?;
        while self.take(&Token::Word("or")) {
            self.part()?;
            let right = condition(self.both()?)?;
            left = Parsed::Condition(Expression::Or(condition(left)?.into(), right.into()));
        }
        Ok(left)
    }

    fn both(&mut self) -> Result<Parsed, String> {
        let mut left = self.negated()?;
        while self.take(&Token::Word("and")) {
            self.part()?;
            let right = condition(self.negated()?)?;
            left = Parsed::Condition(Expression::And(condition(left)?.into(), right.into()));
        }
        Ok(left)
    }

    fn negated(&mut self) -> Result<Parsed, String> {
        if self.take(&Token::Word("not")) {
            let inner = self.deeper(Self::negated)?;
            return Ok(Parsed::Condition(Expression::Not(condition(inner)?.into())));
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Parsed, String> {
        let left = self.sum()?;
        let Some(Token::Sign(sign)) = self.tokens.first() else { return Ok(left) };
        let comparison = match *sign {
            "==" => Comparison::Equal,
            "!=" => Comparison::Unequal,
            "<" => Comparison::Less,
            "<=" => Comparison::LessOrEqual,
            ">" => Comparison::Greater,
            ">=" => Comparison::GreaterOrEqual,
            _ => return Ok(left),
        };
        self.next();
        let right = value(self.sum()?)?;
        Ok(Parsed::Condition(Expression::Compare(value(left)?, comparison, right)))
    }

    fn sum(&mut self) -> Result<Parsed, String> {
        let mut left = self.primary()?;
        loop {
            let is_sum = self.take(&Token::Sign("+"));
            if !is_sum && !self.take(&Token::Sign("-")) {
                return Ok(left);
            }
            self.part()?;
            // A chain of sums nests to its left.
            let right = value(self.primary()?)?.into();
            let first = value(left)?.into();
            left = Parsed::Value(if is_sum { Operand::Sum(first, right) } else { Operand::Difference(first, right) });
        }
    }

    fn primary(&mut self) -> Result<Parsed, String> {
        let operand = match self.next() {
            None => return Err("it ends where more is expected".into()),
            Some(Token::Int(number)) => Operand::Int(*number),
            Some(Token::Float(number)) => Operand::Float(*number),
            Some(Token::Text(text)) => Operand::Text(text.as_str().into()),
            Some(Token::Sign("-")) => match self.next() {
                Some(Token::Int(number)) => Operand::Int(-number),
                Some(Token::Float(number)) => Operand::Float(-number),
                _ => return Err("`-` is expected before a number".into()),
            },
            Some(Token::Sign("(")) => {
                let inner = self.deeper(Self::either)?;
                self.expect(")")?;
                return Ok(inner);
            }
            Some(Token::Word("true")) => Operand::Bool(true),
            Some(Token::Word("false")) => Operand::Bool(false),
            Some(Token::Word("nil")) => Operand::Nil,
            Some(Token::Word(word)) if self.tokens.first() == Some(&Token::Sign("(")) => return self.function(word),
            Some(Token::Word(word)) => return self.path(word).map(Parsed::Value),
            Some(token) => return Err(format!("{} is not expected here", shown(token))),
        };
        Ok(Parsed::Value(operand))
    }

    fn function(&mut self, name: &str) -> Result<Parsed, String> {
        self.expect("(")?;
        let parsed = match name {
            "IsMatch" => {
                let target = value(self.deeper(Self::sum)?)?;
                self.expect(",")?;
                let regex = RegexBuilder::new(&self.literal()?)
                    .size_limit(REGEX_BYTES_MAX)
                    .dfa_size_limit(REGEX_BYTES_MAX)
                    .nest_limit(64)
                    .build()
                    .map_err(|error| match error {
                        regex::Error::CompiledTooBig(_) => "its regular expression is too large".to_owned(),
                        _ => "its pattern is not a regular expression".to_owned(),
                    })?;
                Parsed::Condition(Expression::IsMatch(target, regex))
            }
            "IsRootSpan" => Parsed::Condition(Expression::IsRootSpan),
            "Duration" => {
                let duration = weir_proto::duration::parse(&self.literal()?).map_err(|error| error.to_string())?;
                Parsed::Value(Operand::Int(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)))
            }
            _ => return Err(format!("unknown function {name}; known here: IsMatch, IsRootSpan, Duration")),
        };
        self.expect(")")?;
        Ok(parsed)
    }

    fn literal(&mut self) -> Result<String, String> {
        match self.next() {
            Some(Token::Text(text)) => Ok(text.clone()),
            _ => Err("a string in double quotes is expected".into()),
        }
    }

    fn path(&mut self, first: &'a str) -> Result<Operand, String> {
        let mut words = vec![first];
        while self.take(&Token::Sign(".")) {
            match self.next() {
                Some(Token::Word(word)) => words.push(word),
                _ => return Err("a name is expected after `.`".into()),
            }
        }
        let mut key = None;
        if self.take(&Token::Sign("[")) {
            key = Some(self.literal()?);
            self.expect("]")?;
        }
        if let ([name], None) = (&*words, &key)
            && let Some(number) = enum_value(name)
        {
            return Ok(Operand::Int(number));
        }
        resolve(&words, key.as_deref(), self.context).map(Operand::Path).ok_or_else(|| {
            let key = key.map_or_else(String::new, |key| format!("[\"{key}\"]"));
            format!("unknown path {}{key}", words.join("."))
        })
    }
}

fn shown(token: &Token<'_>) -> String {
    match token {
        Token::Word(word) => format!("`{word}`"),
        Token::Int(number) => format!("`{number}`"),
        Token::Float(number) => format!("`{number}`"),
        Token::Text(text) => format!("\"{}\"", text.chars().take(40).collect::<String>()),
        Token::Sign(sign) => format!("`{sign}`"),
    }
}
