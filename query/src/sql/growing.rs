//! Functions whose result may be much larger than what they are given: bounded by what it could become, before it is made.
//!
//! Memory that a function takes is counted nowhere in DataFusion: one call on one batch could take all there is.

use std::{hash::Hash, sync::Arc};

use datafusion::{
    arrow::{
        array::{Array, ArrayRef, AsArray},
        compute::{cast, kernels::concat_elements::concat_elements_utf8},
        datatypes::{DataType, FieldRef},
    },
    common::{DFSchema, Result, ScalarValue, exec_err},
    logical_expr::{
        ColumnarValue, Expr, ExprSchemable, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
        Volatility,
        planner::{ExprPlanner, PlannerResult, RawBinaryExpr},
    },
    sql::sqlparser::ast::BinaryOperator,
};

/// Bytes that one call may make of one batch.
const MADE_BYTES_MAX: usize = 128 << 20;

/// How large a result may become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Growth {
    /// All arguments together.
    Sum,
    /// The first argument, each byte of it as long as the argument of this number.
    Times(usize),
}

/// The functions that grow.
const GROWING: [(&str, Growth); 9] = [
    ("array_append", Growth::Sum),
    ("array_concat", Growth::Sum),
    ("array_prepend", Growth::Sum),
    ("array_to_string", Growth::Times(1)),
    ("concat", Growth::Sum),
    ("concat_ws", Growth::Sum),
    ("make_array", Growth::Sum),
    ("regexp_replace", Growth::Times(2)),
    ("replace", Growth::Times(2)),
];

/// The function itself, or a bounded one of its name.
pub(super) fn bounded(function: Arc<ScalarUDF>) -> Arc<ScalarUDF> {
    match GROWING.iter().find(|(name, _)| *name == function.name()) {
        Some(&(_, growth)) => Arc::new(ScalarUDF::new_from_impl(Bounded { inner: function, growth })),
        None => function,
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Bounded {
    inner: Arc<ScalarUDF>,
    growth: Growth,
}

impl ScalarUDFImpl for Bounded {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs) -> Result<FieldRef> {
        self.inner.return_field_from_args(arguments)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        check(self.name(), self.growth, &arguments)?;
        self.inner.invoke_with_args(arguments)
    }
}

fn check(name: &str, growth: Growth, arguments: &ScalarFunctionArgs) -> Result<()> {
    let rows = arguments.number_rows;
    let mut bytes: usize = 0;
    match growth {
        Growth::Sum => {
            for value in &arguments.args {
                bytes = bytes.saturating_add(size(value, rows).0);
            }
        }
        Growth::Times(position) => {
            let first = arguments.args.first().map_or(0, |value| size(value, rows).0);
            let longest = arguments.args.get(position).map_or(0, |value| size(value, rows).1);
            bytes = first.saturating_add(rows).saturating_mul(longest.saturating_add(1));
        }
    }
    if bytes > MADE_BYTES_MAX {
        return exec_err!("{name} could make {bytes} bytes of {rows} rows; {MADE_BYTES_MAX} are allowed");
    }
    Ok(())
}

/// Bytes of all rows together, and of the longest.
fn size(value: &ColumnarValue, rows: usize) -> (usize, usize) {
    let array = match value {
        ColumnarValue::Array(array) => array,
        ColumnarValue::Scalar(scalar) => {
            let bytes = scalar.try_as_str().map_or_else(|| scalar.size(), |text| text.map_or(0, str::len));
            return (bytes.saturating_mul(rows), bytes);
        }
    };
    let mut all: usize = 0;
    let mut longest = 0;
    let mut count = |bytes: usize| {
        all = all.saturating_add(bytes);
        longest = bytes.max(longest);
    };
    match array.data_type() {
        // The length is the lowest four bytes of a view.
        DataType::Utf8View => array.as_string_view().views().iter().for_each(|view| count(*view as u32 as usize)),
        DataType::Utf8 => array.as_string::<i32>().offsets().lengths().for_each(&mut count),
        DataType::LargeUtf8 => array.as_string::<i64>().offsets().lengths().for_each(&mut count),
        _ => {
            let bytes = array.to_data().get_slice_memory_size().unwrap_or(usize::MAX);
            return (bytes, bytes);
        }
    }
    (all, longest)
}

/// Plans `||` between texts as [`Joined`]; DataFusion's own operator has no bound.
#[derive(Debug)]
pub(super) struct JoinPlanner;

impl ExprPlanner for JoinPlanner {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let is_text = |side: &Expr| {
            matches!(
                side.get_type(schema),
                Ok(DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null)
            )
        };
        if expr.op != BinaryOperator::StringConcat || !is_text(&expr.left) || !is_text(&expr.right) {
            return Ok(PlannerResult::Original(expr));
        }
        let joined = ScalarUDF::new_from_impl(Joined { signature: Signature::any(2, Volatility::Immutable) });
        Ok(PlannerResult::Planned(joined.call(vec![expr.left, expr.right])))
    }
}

/// Two texts behind one another; null when one is.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Joined {
    signature: Signature,
}

impl ScalarUDFImpl for Joined {
    fn name(&self) -> &str {
        "||"
    }

    fn schema_name(&self, arguments: &[Expr]) -> Result<String> {
        let [left, right] = arguments else { return exec_err!("|| takes two texts") };
        Ok(format!("{} || {}", left.schema_name(), right.schema_name()))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        check(self.name(), Growth::Sum, &arguments)?;
        let only_scalars = arguments.args.iter().all(|value| matches!(value, ColumnarValue::Scalar(_)));
        let rows = if only_scalars { 1 } else { arguments.number_rows };
        let text = |value: &ColumnarValue| -> Result<ArrayRef> { Ok(cast(&value.to_array(rows)?, &DataType::Utf8)?) };
        let [left, right] = arguments.args.as_slice() else { return exec_err!("|| takes two texts") };
        let (left, right) = (text(left)?, text(right)?);
        let joined: ArrayRef = Arc::new(concat_elements_utf8(left.as_string::<i32>(), right.as_string::<i32>())?);
        if only_scalars {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&joined, 0)?));
        }
        Ok(ColumnarValue::Array(joined))
    }
}
