//! Reads a condition: or, and, not, comparison, sum, product, in this order of strength.

use regex::bytes::{Regex, RegexBuilder};
use weir_proto::go_regex;

use super::{
    expression::{Call, Comparison, Expression, Index, Operand, Operator},
    functions::{Function, function, names},
    path::{Context, Path, enum_value, nearest, resolve},
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
    let mut parser = Parser { tokens: &tokens, context, depth: 0, parts: 0, at: 1 };
    let parsed = parser.whole();
    parsed.map_err(|error| format!("{error}, at character {}", parser.at))
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
        Parsed::Value(test @ Operand::Call(_)) if is_test(&test) => Ok(Expression::Test(test)),
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

fn is_test(operand: &Operand) -> bool {
    matches!(operand, Operand::Call(call) if call.function.is_test)
}

struct Parser<'a> {
    tokens: &'a [(Token<'a>, usize)],
    context: Context,
    depth: u32,
    parts: u32,
    /// Where what was read last begins, in characters from 1.
    at: usize,
}

impl<'a> Parser<'a> {
    /// The whole text as one condition.
    fn whole(&mut self) -> Result<Expression, String> {
        let parsed = self.either()?;
        match self.next() {
            None => condition(parsed),
            Some(token) => Err(format!("{} is not expected here{}", shown(token), elsewhere(token))),
        }
    }

    fn peek(&self) -> Option<&'a Token<'a>> {
        self.tokens.first().map(|(token, _)| token)
    }

    fn next(&mut self) -> Option<&'a Token<'a>> {
        let ((first, at), rest) = self.tokens.split_first()?;
        self.tokens = rest;
        self.at = *at;
        Some(first)
    }

    fn take(&mut self, wanted: &Token<'_>) -> bool {
        let found = self.peek().is_some_and(|token| token == wanted);
        if found {
            self.next();
        }
        found
    }

    fn expect(&mut self, sign: &'static str) -> Result<(), String> {
        if self.take(&Token::Sign(sign)) {
            return Ok(());
        }
        Err(match self.peek() {
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
        let Some(Token::Sign(sign)) = self.peek() else { return Ok(left) };
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
        self.chain(&[("+", Operator::Plus), ("-", Operator::Minus)], Self::product)
    }

    fn product(&mut self) -> Result<Parsed, String> {
        self.chain(&[("*", Operator::Times), ("/", Operator::By)], Self::primary)
    }

    /// A chain nests to its left.
    fn chain(
        &mut self,
        operators: &[(&'static str, Operator)],
        read: fn(&mut Self) -> Result<Parsed, String>,
    ) -> Result<Parsed, String> {
        let mut left = read(self)?;
        while let Some((_, operator)) = operators.iter().find(|(sign, _)| self.take(&Token::Sign(sign))) {
            self.part()?;
            let right = value(read(self)?)?.into();
            left = Parsed::Value(Operand::Reckon(*operator, value(left)?.into(), right));
        }
        Ok(left)
    }

    fn primary(&mut self) -> Result<Parsed, String> {
        let operand = match self.next() {
            None => return Err("it ends where more is expected".into()),
            Some(Token::Int(number)) => Operand::Int(*number),
            Some(Token::Float(number)) => Operand::Float(*number),
            Some(Token::Text(text)) => Operand::Text(text.as_str().into()),
            Some(Token::Bytes(bytes)) => Operand::Bytes(bytes.as_slice().into()),
            Some(Token::Sign("[")) => Operand::List(self.deeper(|parser| parser.items("]"))?),
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
            Some(Token::Word(word)) if self.peek() == Some(&Token::Sign("(")) => {
                let call = self.call(word)?;
                return self.indexed(call).map(Parsed::Value);
            }
            Some(Token::Word(word)) => return self.path(word).map(Parsed::Value),
            Some(token) => return Err(format!("{} is not expected here", shown(token))),
        };
        Ok(Parsed::Value(operand))
    }

    /// Values up to this sign, which is read, too.
    fn items(&mut self, end: &'static str) -> Result<Vec<Operand>, String> {
        let mut items = Vec::new();
        if self.take(&Token::Sign(end)) {
            return Ok(items);
        }
        loop {
            self.part()?;
            items.push(value(self.either()?)?);
            if self.take(&Token::Sign(end)) {
                return Ok(items);
            }
            self.expect(",")?;
        }
    }

    fn call(&mut self, name: &'a str) -> Result<Operand, String> {
        let at = self.at;
        let Some(function) = function(name) else {
            let near = nearest(name, names());
            let near = near.map_or_else(|| ".".to_owned(), |near| format!("; did you mean {near}?"));
            return Err(format!(
                "unknown function {name}{near} Known here: {}",
                names().collect::<Vec<_>>().join(", ")
            ));
        };
        self.expect("(")?;
        let arguments = self.deeper(|parser| parser.arguments(function))?;
        let called = |problem: String| format!("{name}: {problem}");
        let missing = function.parameters[..function.required].get(arguments.len()..).unwrap_or_default();
        if let Some(parameter) = missing.first() {
            self.at = at;
            return Err(called(format!("the argument {parameter} is missing")));
        }
        let regex = match function.parameters.iter().position(|parameter| *parameter == "pattern") {
            Some(position) => Some(regex_of(&arguments[position])?),
            None => None,
        };
        (function.check)(&arguments, regex.as_ref()).map_err(called)?;
        Ok(Operand::Call(Box::new(Call { function, arguments, regex })))
    }

    /// By position, or by name: `target=name`.
    fn arguments(&mut self, function: &Function) -> Result<Vec<Operand>, String> {
        let mut arguments = Vec::new();
        if self.take(&Token::Sign(")")) {
            return Ok(arguments);
        }
        loop {
            self.part()?;
            let position = arguments.len();
            let Some(parameter) = function.parameters.get(position) else {
                return Err(format!("{} takes {} arguments at the most", function.name, function.parameters.len()));
            };
            if let [(Token::Word(word), _), (Token::Sign("="), _), ..] = self.tokens {
                self.next();
                if word != parameter {
                    return Err(format!("{}: the argument {parameter} is expected here, not {word}", function.name));
                }
                self.next();
            }
            arguments.push(value(self.either()?)?);
            if self.take(&Token::Sign(")")) {
                return Ok(arguments);
            }
            self.expect(",")?;
        }
    }

    fn literal(&mut self) -> Result<String, String> {
        match self.next() {
            Some(Token::Text(text)) => Ok(text.clone()),
            _ => Err("a string in double quotes is expected".into()),
        }
    }

    fn path(&mut self, first: &'a str) -> Result<Operand, String> {
        let at = self.at;
        let mut words = vec![first];
        while self.take(&Token::Sign(".")) {
            match self.next() {
                Some(Token::Word(word)) => words.push(word),
                _ => return Err("a name is expected after `.`".into()),
            }
        }
        if let [name] = &*words
            && let Some(number) = enum_value(name)
        {
            return Ok(Operand::Int(number));
        }
        let path = resolve(&words, self.context).inspect_err(|_| self.at = at)?;
        if self.peek() != Some(&Token::Sign("[")) {
            return Ok(Operand::Path(path));
        }
        let path = match path {
            Path::Attributes(owner) => {
                self.expect("[")?;
                let key = self.literal()?.into();
                self.expect("]")?;
                Path::Attribute(owner, key)
            }
            Path::TraceState => {
                self.expect("[")?;
                let key = self.literal()?.into();
                self.expect("]")?;
                Path::TraceStateEntry(key)
            }
            _ => {
                self.at = at;
                return Err(format!("{} has no keys", words.join(".")));
            }
        };
        self.indexed(Operand::Path(path))
    }

    /// What follows in brackets: keys and positions.
    fn indexed(&mut self, operand: Operand) -> Result<Operand, String> {
        let mut operand = operand;
        while self.take(&Token::Sign("[")) {
            self.part()?;
            let index = match self.next() {
                Some(Token::Text(key)) => Index::Key(key.as_str().into()),
                Some(Token::Int(position)) => Index::Position(*position),
                _ => return Err("a string in double quotes, or a position, is expected".into()),
            };
            self.expect("]")?;
            operand = Operand::At(Box::new(operand), index);
        }
        Ok(operand)
    }
}

fn regex_of(pattern: &Operand) -> Result<Regex, String> {
    let Operand::Text(pattern) = pattern else { return Err("the pattern is a string in double quotes".into()) };
    let translated =
        go_regex::translate(pattern).map_err(|why| format!("its pattern is not a regular expression: {why}"))?;
    let mut regex = RegexBuilder::new(&translated.text);
    regex.size_limit(REGEX_BYTES_MAX).dfa_size_limit(REGEX_BYTES_MAX).nest_limit(64);
    regex.build().map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "its regular expression is too large".to_owned(),
        _ => "its pattern is not a regular expression".to_owned(),
    })
}

/// What to write for a word or sign of other languages.
fn elsewhere(token: &Token<'_>) -> &'static str {
    match token {
        Token::Word("AND" | "And") => "; write `and`",
        Token::Word("OR" | "Or") => "; write `or`",
        Token::Word("in" | "IN") => "; write ContainsValue([\"a\", \"b\"], name)",
        Token::Word("contains" | "like" | "LIKE" | "matches") => "; write IsMatch(name, \"pattern\")",
        Token::Sign("=") => "; write `==`",
        _ => "",
    }
}

fn shown(token: &Token<'_>) -> String {
    match token {
        Token::Word(word) => format!("`{word}`"),
        Token::Int(number) => format!("`{number}`"),
        Token::Float(number) => format!("`{number}`"),
        Token::Text(text) => format!("\"{}\"", text.chars().take(40).collect::<String>()),
        Token::Bytes(bytes) => format!("{} bytes", bytes.len()),
        Token::Sign(sign) => format!("`{sign}`"),
    }
}
