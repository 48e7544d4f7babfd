//! Text to tokens to one statement, with bounds on how many and how deep.

use datafusion::sql::sqlparser::{
    ast::Statement,
    parser::Parser,
    tokenizer::{Token, TokenWithSpan, Tokenizer},
};

use super::{Refused, dialect::BoundedDialect};

/// Tokens of a query; an `IN` list takes two for each item.
const TOKENS_MAX: usize = 10_000;

/// Brackets open at a time.
const BRACKETS_MAX: usize = 64;

/// Calls of the parser's recursive functions open at a time; one bracket takes up to three.
pub(super) const RECURSION_MAX: usize = 256;

/// Tokens without blanks and comments.
pub(super) fn read(text: &str) -> Result<Vec<TokenWithSpan>, Refused> {
    let tokens = Tokenizer::new(&BoundedDialect::new(), text).tokenize_with_location();
    let mut tokens = tokens.map_err(|error| Refused::Unreadable(error.to_string()))?;
    tokens.retain(|token| !matches!(token.token, Token::Whitespace(_)));
    if tokens.len() > TOKENS_MAX {
        return Err(Refused::TooMuch { what: "words and signs", max: TOKENS_MAX as u64 });
    }
    let mut open: usize = 0;
    for token in &tokens {
        match token.token {
            Token::LParen | Token::LBracket | Token::LBrace => open += 1,
            Token::RParen | Token::RBracket | Token::RBrace => open = open.saturating_sub(1),
            _ => {}
        }
        if open > BRACKETS_MAX {
            return Err(Refused::TooMuch { what: "levels of brackets", max: BRACKETS_MAX as u64 });
        }
    }
    Ok(tokens)
}

/// Exactly one statement.
pub(super) fn parse(tokens: Vec<TokenWithSpan>) -> Result<Statement, Refused> {
    let dialect = BoundedDialect::new();
    let parser = Parser::new(&dialect).with_recursion_limit(RECURSION_MAX);
    let mut statements = parser.with_tokens_with_locations(tokens).parse_statements()?;
    match statements.len() {
        1 => Ok(statements.remove(0)),
        other => Err(Refused::Statements(other)),
    }
}
