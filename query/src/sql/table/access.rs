//! `attributes['key']` and `resource['key']`, and their values as numbers and booleans.
//!
//! The functions say that they want to be evaluated as near to the table as possible. There the scan takes them over, and reads one key; only
//! where a query hides the column from the scan (behind a union, say) they look into the JSON text.

use std::sync::Arc;

use datafusion::{
    arrow::{
        array::{ArrayRef, AsArray, BooleanArray, Float64Array, StringViewArray},
        datatypes::DataType,
    },
    common::{DFSchema, ScalarValue, exec_err, plan_err},
    error::Result,
    logical_expr::{
        ColumnarValue, Expr, ExpressionPlacement, GetFieldAccess, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
        Signature, TypeSignature, Volatility,
        expr::ScalarFunction,
        planner::{ExprPlanner, PlannerResult, RawFieldAccessExpr},
    },
    physical_expr::{PhysicalExpr, ScalarFunctionExpr},
    physical_plan::expressions::{Column, Literal},
};
use weir_store::{AttributeForm, Place};

use super::columns::TableColumn;

/// The functions by which SQL reaches attributes.
pub(super) fn functions() -> Vec<Arc<dyn ScalarUDFImpl>> {
    [AttributeForm::Text, AttributeForm::Number, AttributeForm::Bool]
        .map(|form| Arc::new(AttributeFunction::new(form)) as Arc<dyn ScalarUDFImpl>)
        .into()
}

/// Plans `attributes['key']`.
#[derive(Debug)]
pub(super) struct AttributePlanner;

impl ExprPlanner for AttributePlanner {
    fn plan_field_access(
        &self,
        access: RawFieldAccessExpr,
        _schema: &DFSchema,
    ) -> Result<PlannerResult<RawFieldAccessExpr>> {
        let key = match &access.field_access {
            GetFieldAccess::NamedStructField { name } => name.clone(),
            GetFieldAccess::ListIndex { key } => match &**key {
                Expr::Literal(value, _) => value.clone(),
                _ => return Ok(PlannerResult::Original(access)),
            },
            GetFieldAccess::ListRange { .. } => return Ok(PlannerResult::Original(access)),
        };
        let is_ours = matches!(&access.expr, Expr::Column(column) if container(&column.name).is_some());
        if !is_ours {
            return Ok(PlannerResult::Original(access));
        }
        let Some(Some(key)) = key.try_as_str() else { return plan_err!("an attribute's key is a text in quotes") };
        Ok(PlannerResult::Planned(attribute(access.expr, key)))
    }
}

/// Whose attributes the column of this name holds.
fn container(name: &str) -> Option<Place> {
    match name {
        "attributes" => Some(Place::Span),
        "resource" => Some(Place::Resource),
        _ => None,
    }
}

fn attribute(container: Expr, key: &str) -> Expr {
    let function = ScalarUDF::new_from_impl(AttributeFunction::new(AttributeForm::Text));
    let key = Expr::Literal(ScalarValue::Utf8(Some(key.to_owned())), None);
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(function), vec![container, key]))
}

/// `attribute(attributes, 'key')`, `attr_num(text)`, `attr_bool(text)`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(in crate::sql) struct AttributeFunction {
    form: AttributeForm,
    signature: Signature,
}

impl AttributeFunction {
    /// The one that gives this form.
    pub(in crate::sql) fn new(form: AttributeForm) -> Self {
        let arguments = if form == AttributeForm::Text { 2 } else { 1 };
        let signature = Signature::new(TypeSignature::String(arguments), Volatility::Immutable);
        Self { form, signature }
    }
}

impl ScalarUDFImpl for AttributeFunction {
    fn name(&self) -> &str {
        match self.form {
            AttributeForm::Text => "attribute",
            AttributeForm::Number => "attr_num",
            AttributeForm::Bool => "attr_bool",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(match self.form {
            AttributeForm::Text => DataType::Utf8View,
            AttributeForm::Number => DataType::Float64,
            AttributeForm::Bool => DataType::Boolean,
        })
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        match (self.form, args) {
            (AttributeForm::Text, [container, Expr::Literal(key, _)]) => {
                Ok(format!("{}[{key}]", container.schema_name()))
            }
            _ => Ok(format!(
                "{}({})",
                self.name(),
                args.first().map(|arg| arg.schema_name().to_string()).unwrap_or_default()
            )),
        }
    }

    fn placement(&self, arguments: &[ExpressionPlacement]) -> ExpressionPlacement {
        use ExpressionPlacement::{Column, KeepInPlace, Literal, MoveTowardsLeafNodes};
        match (self.form, arguments) {
            (AttributeForm::Text, [Column | MoveTowardsLeafNodes, Literal]) => MoveTowardsLeafNodes,
            (AttributeForm::Number | AttributeForm::Bool, [MoveTowardsLeafNodes | Column]) => MoveTowardsLeafNodes,
            _ => KeepInPlace,
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let array = |index: usize| -> Result<ArrayRef> {
            let array = args.args[index].to_array(rows)?;
            Ok(datafusion::arrow::compute::cast(&array, &DataType::Utf8View)?)
        };
        let texts = array(0)?;
        let texts = texts.as_string_view();
        let values: ArrayRef = match self.form {
            AttributeForm::Text => {
                let keys = array(1)?;
                let keys = keys.as_string_view();
                let mut values: Vec<Option<String>> = Vec::with_capacity(rows);
                for (text, key) in texts.iter().zip(keys) {
                    values.push(match (text, key) {
                        (Some(text), Some(key)) => lookup(text, key)?,
                        _ => None,
                    });
                }
                Arc::new(StringViewArray::from_iter(values))
            }
            AttributeForm::Number => {
                Arc::new(Float64Array::from_iter(texts.iter().map(|text| text?.parse::<f64>().ok())))
            }
            AttributeForm::Bool => Arc::new(BooleanArray::from_iter(texts.iter().map(|text| match text? {
                "true" => Some(true),
                "false" => Some(false),
                _ => None,
            }))),
        };
        Ok(ColumnarValue::Array(values))
    }
}

/// The value of a key in the JSON text of all attributes.
fn lookup(object: &str, key: &str) -> Result<Option<String>> {
    match weir_store::attribute_in_json(object, key) {
        Ok(value) => Ok(value),
        Err(error) => exec_err!("attributes: {error}"),
    }
}

/// What of the table an access to an attribute reads: the column's name, the key, the form. For expressions of a plan that is not executed yet.
pub(super) fn accessed(expr: &Expr) -> Option<TableColumn> {
    let Expr::ScalarFunction(ScalarFunction { func, args }) = expr else { return None };
    let form = func.inner().downcast_ref::<AttributeFunction>()?.form;
    match (form, args.as_slice()) {
        (AttributeForm::Text, [Expr::Column(column), Expr::Literal(key, _)]) => {
            Some(TableColumn::attribute(container(&column.name)?, key.try_as_str()??, form))
        }
        (AttributeForm::Number | AttributeForm::Bool, [inner]) => in_form(accessed(inner)?, form),
        _ => None,
    }
}

/// As [`accessed`], for physical expressions: `column` says what lies at an index.
pub(super) fn accessed_physical(
    expr: &Arc<dyn PhysicalExpr>,
    column: &impl Fn(usize) -> TableColumn,
) -> Option<TableColumn> {
    let call = expr.downcast_ref::<ScalarFunctionExpr>()?;
    let form = call.fun().inner().downcast_ref::<AttributeFunction>()?.form;
    match (form, call.args()) {
        (AttributeForm::Text, [place, key]) => {
            let place = column(place.downcast_ref::<Column>()?.index());
            let weir_store::ScanColumn::Attributes(place) = place.scan else { return None };
            let key = key.downcast_ref::<Literal>()?.value().try_as_str()??;
            Some(TableColumn::attribute(place, key, form))
        }
        (AttributeForm::Number | AttributeForm::Bool, [inner]) => {
            let inner = match inner.downcast_ref::<Column>() {
                Some(known) => column(known.index()),
                None => accessed_physical(inner, column)?,
            };
            in_form(inner, form)
        }
        _ => None,
    }
}

/// The same attribute in another form, when it is one as text.
fn in_form(column: TableColumn, form: AttributeForm) -> Option<TableColumn> {
    match column.scan {
        weir_store::ScanColumn::Attribute { place, key, form: AttributeForm::Text } => {
            Some(TableColumn::attribute(place, &key, form))
        }
        _ => None,
    }
}
