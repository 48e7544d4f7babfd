//! `+`, `-` and `*` of integers, which fail where DataFusion's own wrap around.

use datafusion::{
    arrow::{
        array::{ArrayRef, Datum},
        compute::kernels::numeric,
        datatypes::DataType,
        error::ArrowError,
    },
    common::{DFSchema, ScalarValue, config::ConfigOptions, exec_err, tree_node::Transformed},
    error::Result,
    logical_expr::{
        BinaryExpr, ColumnarValue, Expr, ExprSchemable, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
        Signature, Volatility, expr_rewriter::FunctionRewrite, type_coercion::binary::BinaryTypeCoercer,
    },
};

/// Turns operators on integers into [`Checked`].
#[derive(Debug)]
pub(super) struct CheckedArithmetic;

impl FunctionRewrite for CheckedArithmetic {
    fn name(&self) -> &'static str {
        "checked_arithmetic"
    }

    fn rewrite(&self, expr: Expr, schema: &DFSchema, _: &ConfigOptions) -> Result<Transformed<Expr>> {
        let (left, op, right) = match expr {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => (left, op, right),
            // A literal has its sign already.
            Expr::Negative(inner) if !matches!(*inner, Expr::Literal(..)) => match inner.get_type(schema) {
                Ok(of) if of.is_signed_integer() => {
                    let zero = ScalarValue::new_zero(&of)?;
                    (Box::new(Expr::Literal(zero, None)), Operator::Minus, inner)
                }
                _ => return Ok(Transformed::no(Expr::Negative(inner))),
            },
            other => return Ok(Transformed::no(other)),
        };
        Ok(match whole(&left, op, &right, schema) {
            Some(of) => Transformed::yes(chained(*left, op, *right, of)),
            None => Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right })),
        })
    }
}

/// The integer type that the operator's result has.
fn whole(left: &Expr, op: Operator, right: &Expr, schema: &DFSchema) -> Option<DataType> {
    if !matches!(op, Operator::Plus | Operator::Minus | Operator::Multiply) {
        return None;
    }
    let (left, right) = (type_of(left, schema)?, type_of(right, schema)?);
    if !left.is_integer() || !right.is_integer() {
        return None;
    }
    BinaryTypeCoercer::new(&left, &op, &right).get_result_type().ok().filter(DataType::is_integer)
}

/// A chain of operators is turned from its inside out: what is turned already says its type.
fn type_of(expr: &Expr, schema: &DFSchema) -> Option<DataType> {
    if let Expr::ScalarFunction(call) = expr
        && let Some(checked) = call.func.inner().downcast_ref::<Checked>()
    {
        return Some(checked.of.clone());
    }
    expr.get_type(schema).ok()
}

/// Whether both may follow one another without brackets: each is done in its turn.
fn is_of_one_rank(a: Operator, b: Operator) -> bool {
    (a == Operator::Multiply) == (b == Operator::Multiply)
}

/// `a + b + c` is one call of three arguments: a chain of calls would be looked through from each of them.
fn chained(left: Expr, op: Operator, right: Expr, of: DataType) -> Expr {
    let mut ops = vec![op];
    let mut arguments = vec![left];
    if let Expr::ScalarFunction(call) = &arguments[0]
        && let Some(before) = call.func.inner().downcast_ref::<Checked>()
        && before.of == of
        && is_of_one_rank(before.ops[0], op)
    {
        ops.splice(0..0, before.ops.iter().copied());
        if let Some(Expr::ScalarFunction(call)) = arguments.pop() {
            arguments = call.args;
        }
    }
    arguments.push(right);
    ScalarUDF::new_from_impl(Checked { ops, of, signature: Signature::user_defined(Volatility::Immutable) })
        .call(arguments)
}

/// Operators of one rank between integers of one type, from the left.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Checked {
    /// One less than there are arguments; never none.
    ops: Vec<Operator>,
    of: DataType,
    signature: Signature,
}

impl ScalarUDFImpl for Checked {
    fn name(&self) -> &'static str {
        symbol(self.ops[0])
    }

    fn schema_name(&self, arguments: &[Expr]) -> Result<String> {
        let mut name = arguments[0].schema_name().to_string();
        for (op, argument) in self.ops.iter().zip(&arguments[1..]) {
            name.push_str(&format!(" {} {}", symbol(*op), argument.schema_name()));
        }
        Ok(name)
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        Ok(vec![self.of.clone(); arguments.len()])
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.of.clone())
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let mut arguments = arguments.args.into_iter();
        let Some(mut computed) = arguments.next() else { return exec_err!("nothing to compute") };
        for (op, argument) in self.ops.iter().zip(arguments) {
            computed = self.compute(computed, *op, argument)?;
        }
        Ok(computed)
    }
}

fn symbol(op: Operator) -> &'static str {
    match op {
        Operator::Plus => "+",
        Operator::Minus => "-",
        _ => "*",
    }
}

impl Checked {
    fn compute(&self, left: ColumnarValue, op: Operator, right: ColumnarValue) -> Result<ColumnarValue> {
        let compute = |left: &dyn Datum, right: &dyn Datum| -> Result<ArrayRef> {
            let computed = match op {
                Operator::Plus => numeric::add(left, right),
                Operator::Minus => numeric::sub(left, right),
                _ => numeric::mul(left, right),
            };
            match computed {
                Err(ArrowError::ArithmeticOverflow(_)) => {
                    let of = self.of.to_string().to_lowercase();
                    exec_err!(
                        "the result of {} is beyond {of}: write one side as CAST(… AS DOUBLE), or as CAST(… AS DECIMAL(38, 0))",
                        symbol(op)
                    )
                }
                computed => Ok(computed?),
            }
        };
        Ok(match (&left, &right) {
            (ColumnarValue::Array(left), ColumnarValue::Array(right)) => ColumnarValue::Array(compute(left, right)?),
            (ColumnarValue::Array(left), ColumnarValue::Scalar(right)) => {
                ColumnarValue::Array(compute(left, &right.to_scalar()?)?)
            }
            (ColumnarValue::Scalar(left), ColumnarValue::Array(right)) => {
                ColumnarValue::Array(compute(&left.to_scalar()?, right)?)
            }
            (ColumnarValue::Scalar(left), ColumnarValue::Scalar(right)) => {
                let computed = compute(&left.to_scalar()?, &right.to_scalar()?)?;
                ColumnarValue::Scalar(ScalarValue::try_from_array(&computed, 0)?)
            }
        })
    }
}
