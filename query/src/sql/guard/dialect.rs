//! DataFusion's SQL, read in bounded time and on bounded stack.
//!
//! The parser tries a phrase one way and, when that fails, another: `CASE (CASE (CASE (` doubles its work with each bracket.
//! And not everything in it that recurses counts how deep it is: `INTERVAL INTERVAL INTERVAL`. But it asks its dialect
//! before every expression, and the dialect may say no.

use std::{any::TypeId, cell::Cell};

use datafusion::sql::sqlparser::{
    ast::Expr,
    dialect::{Dialect, GenericDialect},
    parser::{Parser, ParserError},
    tokenizer::Token,
};

/// Expressions begun while parsing one text, counting one as often as it is tried.
const TRIES_MAX: usize = 100_000;

/// Stack that the parser may use.
const STACK_BYTES_MAX: usize = super::STACK_BYTES / 8;

/// Between `::` and the dot.
const ARROW_PRECEDENCE: u8 = 60;

/// Generic SQL, as far as questions go, that stops when it was asked too often or from too deep.
#[derive(Debug)]
pub(super) struct BoundedDialect {
    tries: Cell<usize>,
    /// The address of something on the stack when parsing began.
    top: usize,
}

impl BoundedDialect {
    pub(super) fn new() -> Self {
        Self { tries: Cell::new(0), top: stack_address() }
    }
}

/// Where the stack ends now, roughly.
fn stack_address() -> usize {
    let here = 0_u8;
    std::ptr::from_ref(&here).addr()
}

/// What generic SQL supports, one method each: a macro, as there is no other way to name methods in a list.
macro_rules! supported {
    ($($name:ident)*) => { $(fn $name(&self) -> bool { true })* };
}

impl Dialect for BoundedDialect {
    /// The parser asks for this where it asks for no method.
    fn dialect(&self) -> TypeId {
        TypeId::of::<GenericDialect>()
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        GenericDialect {}.is_delimited_identifier_start(ch)
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        GenericDialect {}.is_identifier_start(ch)
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        GenericDialect {}.is_identifier_part(ch)
    }

    fn parse_prefix(&self, _: &mut Parser) -> Option<Result<Expr, ParserError>> {
        self.tries.set(self.tries.get() + 1);
        let too_deep = self.top.abs_diff(stack_address()) > STACK_BYTES_MAX;
        if too_deep || self.tries.get() > TRIES_MAX { Some(Err(ParserError::RecursionLimitExceeded)) } else { None }
    }

    /// `attributes->>'key' = 'x'` is about the attribute: the arrow binds closer than whatever follows, a cast included.
    fn get_next_precedence(&self, parser: &Parser) -> Option<Result<u8, ParserError>> {
        matches!(parser.peek_token_ref().token, Token::Arrow | Token::LongArrow).then_some(Ok(ARROW_PRECEDENCE))
    }

    supported! {
        allow_extract_custom
        allow_extract_single_quotes
        support_map_literal_syntax
        supports_array_typedef_with_brackets
        supports_bitwise_shift_operators
        supports_comma_separated_trim
        supports_dictionary_syntax
        supports_explain_with_utility_options
        supports_extract_comma_syntax
        supports_filter_during_aggregation
        supports_from_first_select
        supports_group_by_expr
        supports_group_by_with_modifier
        supports_interval_options
        supports_left_associative_joins_without_parens
        supports_limit_comma
        supports_named_fn_args_with_assignment_operator
        supports_nested_comments
        supports_parens_around_table_factor
        supports_projection_trailing_commas
        supports_select_wildcard_except
        supports_select_wildcard_exclude
        supports_select_wildcard_ilike
        supports_select_wildcard_rename
        supports_select_wildcard_replace
        supports_string_escape_constant
        supports_struct_literal
        supports_unicode_string_literal
        supports_values_as_table_factor
        supports_window_clause_named_window_reference
        supports_window_function_null_treatment_arg
    }
}
