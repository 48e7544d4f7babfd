//! Whether the parts of a query fit together, in the words of Prometheus.

use weir_proto::metrics::{LabelMatcher, METRIC_NAME};

use super::{
    ast::{Aggregate, Binary, Call, Cardinality, Expr, Node, Selector, ValueType},
    parser::ParseError,
    quote::quoted,
    regex,
    token::{Aggregator, Extent},
};

/// The first thing that does not fit.
pub(super) fn check(expr: &Expr, text: &str) -> Result<(), ParseError> {
    Checker { text }.check(expr).map(|_| ())
}

struct Checker<'a> {
    text: &'a str,
}

impl Checker<'_> {
    fn error(&self, extent: Extent, message: impl Into<String>) -> ParseError {
        ParseError { extent, at: extent.at(self.text), message: message.into() }
    }

    fn check(&self, expr: &Expr) -> Result<ValueType, ParseError> {
        match &expr.node {
            Node::Number(_) | Node::Text(_) => {}
            Node::Paren(inner) => {
                self.check(inner)?;
            }
            Node::Unary { operand, .. } => {
                let found = self.check(operand)?;
                if !is_operand(found) {
                    let message = format!(
                        "unary expression only allowed on expressions of type scalar or instant vector, got {}",
                        quoted(found.documented())
                    );
                    return Err(self.error(expr.extent, message));
                }
            }
            Node::Binary(binary) => self.binary(binary, expr.extent)?,
            Node::Call(call) => self.call(call, expr.extent)?,
            Node::Aggregate(aggregate) => self.aggregate(aggregate)?,
            Node::Selector(selector) => self.selector(selector, expr.extent)?,
            Node::Range(range) => self.selector(&range.selector, range.selector_extent)?,
            Node::Subquery(subquery) => {
                let found = self.check(&subquery.operand)?;
                if found != ValueType::Vector {
                    let message = format!("subquery is only allowed on instant vector, got {} instead", found.name());
                    return Err(self.error(expr.extent, message));
                }
            }
        }
        Ok(expr.value_type())
    }

    fn expect(&self, expr: &Expr, wanted: ValueType, context: &str) -> Result<(), ParseError> {
        let found = self.check(expr)?;
        if found == wanted {
            return Ok(());
        }
        let message = format!("expected type {} in {context}, got {}", wanted.documented(), found.documented());
        Err(self.error(expr.extent, message))
    }

    fn aggregate(&self, aggregate: &Aggregate) -> Result<(), ParseError> {
        self.expect(&aggregate.operand, ValueType::Vector, "aggregation expression")?;
        let Some(parameter) = &aggregate.parameter else { return Ok(()) };
        let wanted = if aggregate.operator == Aggregator::CountValues { ValueType::Text } else { ValueType::Scalar };
        self.expect(parameter, wanted, "aggregation parameter")
    }

    fn binary(&self, binary: &Binary, extent: Extent) -> Result<(), ParseError> {
        let (left, right) = (self.check(&binary.left)?, self.check(&binary.right)?);
        let (operator, matching) = (binary.operator, &binary.matching);
        if binary.is_bool && !operator.compares() {
            return Err(self.error(self.between(binary), "bool modifier can only be used on comparison operators"));
        }
        if operator.compares() && !binary.is_bool && left == ValueType::Scalar && right == ValueType::Scalar {
            return Err(self.error(self.between(binary), "comparisons between scalars must use BOOL modifier"));
        }
        if matching.is_on
            && let Some(label) = matching.labels.iter().find(|label| matching.include.contains(label))
        {
            let message = format!("label {} must not occur in ON and GROUP clause at once", quoted(label));
            return Err(self.error(self.between(binary), message));
        }
        for (side, found) in [(&binary.left, left), (&binary.right, right)] {
            if !is_operand(found) {
                let message = "binary expression must contain only scalar and instant vector types";
                return Err(self.error(side.extent, message));
            }
        }
        let fills = matching.fill_left.is_some() || matching.fill_right.is_some();
        if left == ValueType::Scalar || right == ValueType::Scalar {
            if !matching.labels.is_empty() {
                return Err(self.error(extent, "vector matching only allowed between instant vectors"));
            }
            if fills {
                return Err(self.error(extent, "filling in missing series only allowed between instant vectors"));
            }
            if operator.is_of_sets() {
                let message =
                    format!("set operator {} not allowed in binary scalar expression", quoted(operator.text()));
                return Err(self.error(extent, message));
            }
        } else if operator.is_of_sets() {
            if matches!(matching.cardinality, Cardinality::OneToMany | Cardinality::ManyToOne) {
                let message = format!("no grouping allowed for {} operation", quoted(operator.text()));
                return Err(self.error(extent, message));
            }
            if fills {
                return Err(self.error(extent, "filling in missing series not allowed for set operators"));
            }
        }
        Ok(())
    }

    /// Where the operator stands.
    fn between(&self, binary: &Binary) -> Extent {
        let (left, right) = (binary.left.extent.end, binary.right.extent.start);
        let blanks = self.text[left..right].len() - self.text[left..right].trim_start().len();
        Extent::new(left + blanks, right)
    }

    fn call(&self, call: &Call, extent: Extent) -> Result<(), ParseError> {
        let (function, given) = (call.function, call.arguments.len());
        let name = quoted(function.name);
        let wanted = function.arguments.len();
        let wrong = |limit: &str, count: usize| {
            self.error(extent, format!("expected {limit}{count} argument(s) in call to {name}, got {given}"))
        };
        if function.variadic == 0 {
            if wanted != given {
                return Err(wrong("", wanted));
            }
        } else if wanted - 1 > given {
            return Err(wrong("at least ", wanted - 1));
        } else if let Ok(more) = usize::try_from(function.variadic)
            && wanted - 1 + more < given
        {
            return Err(wrong("at most ", wanted - 1 + more));
        }
        if function.name == "info"
            && let Some(labels) = call.arguments.get(1)
        {
            return self.label_selector(&call.arguments[0], labels, extent);
        }
        for (index, argument) in call.arguments.iter().enumerate() {
            let wanted = function.arguments[index.min(wanted - 1)];
            self.expect(argument, wanted, &format!("call to function {name}"))?;
        }
        Ok(())
    }

    /// `info`'s second argument chooses labels.
    fn label_selector(&self, vector: &Expr, labels: &Expr, extent: Extent) -> Result<(), ParseError> {
        let found = labels.value_type();
        if found != ValueType::Vector {
            let message =
                format!("expected type instant vector in call to function \"info\", got {}", found.documented());
            return Err(self.error(extent, message));
        }
        match &labels.node {
            Node::Selector(selector) if selector.name.is_empty() => {}
            Node::Selector(_) => {
                let message = "expected label selectors only, got vector selector instead";
                return Err(self.error(labels.extent, message));
            }
            _ => return Err(self.error(labels.extent, "expected label selectors only")),
        }
        self.expect(vector, ValueType::Vector, "call to function \"info\"")
    }

    fn selector(&self, selector: &Selector, extent: Extent) -> Result<(), ParseError> {
        if !selector.name.is_empty() {
            let others = &selector.matchers[..selector.matchers.len() - 1];
            let Some(other) = others.iter().find(|matcher| matcher.name == METRIC_NAME) else { return Ok(()) };
            let message =
                format!("metric name must not be set twice: {} or {}", quoted(&selector.name), quoted(&other.value));
            return Err(self.error(extent, message));
        }
        if selector.matchers.iter().all(matches_nothing) {
            let message = "vector selector must contain at least one non-empty matcher";
            return Err(self.error(extent, message));
        }
        Ok(())
    }
}

/// Whether it lets a label pass that is not there.
fn matches_nothing(matcher: &LabelMatcher) -> bool {
    regex::Matcher::new(matcher).is_ok_and(|matcher| matcher.matches(""))
}

fn is_operand(found: ValueType) -> bool {
    matches!(found, ValueType::Scalar | ValueType::Vector)
}
