//! An operator in the configuration: `{type, …}`, strict in every key, each checked where its place in the file is known.

use std::{collections::BTreeMap, fmt, sync::LazyLock, time::Duration};

use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor},
};
use weir_proto::{duration, size};

use super::{
    Expression, Field, Fields, OPERATORS, Row, Value, pattern::Pattern, severity::SeverityConfig, time::TimeConfig,
    trace::TraceConfig,
};

/// Most operators of one list.
pub(super) const OPERATORS_MAX: usize = 256;

/// Keys that every operator has.
const OF_ALL: [&str; 5] = ["type", "id", "output", "on_error", "if"];

/// Keys that every parser has.
const OF_PARSERS: [&str; 8] =
    ["body", "parse_from", "parse_to", "preserve_to", "timestamp", "severity", "trace", "scope_name"];

/// The types' names.
static TYPES: LazyLock<Vec<&'static str>> = LazyLock::new(|| OPERATORS.iter().map(|row| row.name).collect());

/// By type, its keys.
static KEYS: LazyLock<BTreeMap<&'static str, Vec<&'static str>>> = LazyLock::new(|| {
    let keys = |row: &Row| {
        let of_parsers = OF_PARSERS.iter().filter(|_| row.is_parser);
        OF_ALL.iter().chain(of_parsers).chain(row.keys).copied().collect()
    };
    OPERATORS.iter().map(|row| (row.name, keys(row))).collect()
});

/// What is done with an entry that an operator cannot work with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum OnError {
    /// It goes on as it is.
    #[default]
    Send,
    /// The same, without a word.
    SendQuiet,
    /// It ends there.
    Drop,
    /// The same, without a word.
    DropQuiet,
}

/// An operator as configured.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OperatorConfig {
    /// Its type.
    pub(super) kind: &'static str,
    pub(super) id: Option<String>,
    pub(super) output: Vec<String>,
    pub(super) on_error: OnError,
    pub(super) condition: Option<Expression>,
    pub(super) settings: Settings,
}

impl OperatorConfig {
    /// Whether it makes lines of the parts that a container's runtime cut them into.
    pub fn joins_parts(&self) -> bool {
        self.kind == "container"
    }
}

/// The keys of all operators; which of them one has is said by its row.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Settings {
    pub(super) parse_from: Option<Field>,
    pub(super) parse_to: Option<Field>,
    pub(super) preserve_to: Option<Field>,
    pub(super) timestamp: Option<TimeConfig>,
    pub(super) severity: Option<SeverityConfig>,
    pub(super) trace: Option<TraceConfig>,
    pub(super) scope_name: Option<ParseFrom>,
    pub(super) body: Option<Field>,
    /// `time_parser`, `severity_parser` and `trace_parser` have these inline.
    pub(super) time: TimeConfig,
    pub(super) levels: SeverityConfig,
    pub(super) ids: TraceConfig,
    pub(super) regex: Option<Pattern>,
    pub(super) regex_name: Option<String>,
    pub(super) replace_with: Option<String>,
    pub(super) keys: Vec<String>,
    pub(super) from: Option<Field>,
    pub(super) to: Option<Field>,
    pub(super) field: Option<Field>,
    pub(super) fields: Vec<Field>,
    pub(super) value: Option<AnyValue>,
    pub(super) expr: Option<Expression>,
    pub(super) drop_ratio: Option<f64>,
    pub(super) routes: Vec<RouteConfig>,
    pub(super) default: Vec<String>,
    pub(super) header: Option<String>,
    pub(super) header_attribute: Option<String>,
    pub(super) header_delimiter: Option<String>,
    pub(super) delimiter: Option<String>,
    pub(super) pair_delimiter: Option<String>,
    pub(super) lazy_quotes: bool,
    pub(super) ignore_quotes: bool,
    pub(super) is_first_entry: Option<Expression>,
    pub(super) is_last_entry: Option<Expression>,
    pub(super) combine_field: Option<Field>,
    pub(super) combine_with: Option<String>,
    pub(super) max_batch_size: Option<usize>,
    pub(super) max_unmatched_batch_size: Option<usize>,
    pub(super) overwrite_with: Option<Overwrite>,
    pub(super) force_flush_period: Option<Duration>,
    pub(super) source_identifier: Option<Field>,
    pub(super) max_sources: Option<usize>,
    pub(super) max_log_size: Option<u64>,
    pub(super) format: Option<ContainerFormat>,
    pub(super) add_metadata_from_filepath: Option<bool>,
    pub(super) protocol: Option<Protocol>,
    pub(super) allow_skip_pri_header: bool,
    pub(super) enable_octet_counting: bool,
    pub(super) trailer: Option<Trailer>,
}

/// `{parse_from: FIELD}`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ParseFrom {
    pub(super) parse_from: Field,
}

/// A route of a router.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RouteConfig {
    #[serde(deserialize_with = "one_or_more")]
    pub(super) output: Vec<String>,
    pub(super) expr: Expression,
    #[serde(default)]
    pub(super) attributes: BTreeMap<String, AnyValue>,
}

/// `overwrite_with`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Overwrite {
    Newest,
    Oldest,
}

/// `format` of container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ContainerFormat {
    Docker,
    Crio,
    Containerd,
}

/// `protocol` of syslog_parser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Protocol {
    Rfc3164,
    Rfc5424,
    /// A priority perhaps, and a text.
    None,
}

/// What ends a message of syslog that does not say how long it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Trailer {
    Lf,
    Nul,
}

/// Any value of YAML; a text `EXPR(…)` is reckoned for each entry.
#[derive(Debug, Clone, PartialEq)]
pub enum AnyValue {
    /// Always the same.
    Fixed(Value<'static>),
    /// Another one for each entry.
    Reckoned(Expression),
}

impl<'de> Deserialize<'de> for AnyValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = FixedValue::deserialize(deserializer)?.0;
        match value.as_text().filter(|text| text.contains(BEGINS)) {
            Some(text) => reckoned(text).map(Self::Reckoned).map_err(de::Error::custom),
            None => Ok(Self::Fixed(value)),
        }
    }
}

/// The same, but for texts that expressions are in: those stay as they are.
struct WholeValue(AnyValue);

impl<'de> Deserialize<'de> for WholeValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = FixedValue::deserialize(deserializer)?.0;
        match value.as_text().and_then(|text| text.strip_prefix(BEGINS)?.strip_suffix(')')) {
            Some(text) => {
                Expression::parse(text).map(|found| Self(AnyValue::Reckoned(found))).map_err(de::Error::custom)
            }
            None => Ok(Self(AnyValue::Fixed(value))),
        }
    }
}

/// What is reckoned stands behind this, up to a bracket.
const BEGINS: &str = "EXPR(";

/// The expression that is a whole text, whatever it gives; or of a text that expressions are in, one that gives the text.
fn reckoned(text: &str) -> Result<Expression, String> {
    let whole = text.strip_prefix(BEGINS).and_then(|inner| inner.strip_suffix(')')).map(Expression::parse);
    if let Some(Ok(expression)) = whole {
        return Ok(expression);
    }
    let mut joined = String::from("\"\"");
    let mut rest = text;
    while let Some((before, inner)) = rest.split_once(BEGINS) {
        join_literal(before, &mut joined);
        // An expression may have brackets itself: it ends at the first where it is one.
        let ends = inner.match_indices(')').map(|(at, _)| at).take(ENDS_MAX);
        let Some(end) = ends.into_iter().find(|end| Expression::parse(&inner[..*end]).is_ok()) else {
            return Err(match whole {
                Some(Err(problem)) => problem,
                _ => format!("there is no expression behind `{BEGINS}`"),
            });
        };
        joined.push_str(&format!(" + string({})", &inner[..end]));
        rest = &inner[end + 1..];
    }
    join_literal(rest, &mut joined);
    Expression::parse(&joined)
}

/// Brackets that are tried as the end of one expression.
const ENDS_MAX: usize = 64;

fn join_literal(text: &str, joined: &mut String) {
    if !text.is_empty() {
        joined.push_str(&format!(" + \"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")));
    }
}

struct FixedValue(Value<'static>);

impl<'de> Deserialize<'de> for FixedValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor).map(Self)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value<'static>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value<'static>, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value<'static>, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value<'static>, E> {
        Ok(Value::Int(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value<'static>, E> {
        i64::try_from(value).map(Value::Int).map_err(|_| E::custom("the number is too large"))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value<'static>, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value<'static>, E> {
        Ok(Value::text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value<'static>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element::<FixedValue>()? {
            items.push(item.0);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value<'static>, A::Error> {
        let mut fields = Fields::default();
        while let Some(name) = map.next_key::<String>()? {
            fields.set(name, map.next_value::<FixedValue>()?.0);
        }
        Ok(Value::Map(fields))
    }
}

/// For `#[serde(deserialize_with)]`: one id, or a list of them.
pub(super) fn one_or_more<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    match FixedValue::deserialize(deserializer)?.0 {
        Value::List(items) => items.iter().map(id_of).collect(),
        one => id_of(&one).map(|id| vec![id]),
    }
}

fn id_of<E: de::Error>(value: &Value<'_>) -> Result<String, E> {
    value.to_text().map(|text| text.into_owned()).ok_or_else(|| E::custom("an operator's id is a text"))
}

/// One of the types.
struct TypeName(&'static Row);

impl<'de> Deserialize<'de> for TypeName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let known = OPERATORS.iter().find(|row| row.name == name);
        known.map(Self).ok_or_else(|| match name.as_str() {
            "stdout" | "file_output" => de::Error::custom(format!(
                "`{name}` writes lines elsewhere: here what comes out of the operators is stored"
            )),
            name => de::Error::unknown_variant(name, &TYPES),
        })
    }
}

/// A key, of this type where it is known already.
struct KeyOf(Option<&'static Row>);

impl<'de> DeserializeSeed<'de> for KeyOf {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        let key = String::deserialize(deserializer)?;
        match self.0 {
            Some(row) => known(row, &key)?,
            None if KEYS.values().any(|keys| keys.contains(&key.as_str())) => {}
            None => return Err(de::Error::unknown_field(&key, &OF_ALL)),
        }
        Ok(key)
    }
}

fn known<E: de::Error>(row: &Row, key: &str) -> Result<(), E> {
    let keys = &KEYS[row.name];
    if keys.contains(&key) { Ok(()) } else { Err(E::unknown_field(key, keys)) }
}

impl<'de> Deserialize<'de> for OperatorConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OperatorVisitor)
    }
}

struct OperatorVisitor;

impl<'de> Visitor<'de> for OperatorVisitor {
    type Value = OperatorConfig;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an operator: type and the type's settings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<OperatorConfig, A::Error> {
        let mut config = OperatorConfig::default();
        let mut row: Option<&'static Row> = None;
        // Those that came before the type.
        let mut early = Vec::new();
        while let Some(key) = map.next_key_seed(KeyOf(row))? {
            match key.as_str() {
                "type" => row = Some(map.next_value::<TypeName>()?.0),
                "id" => config.id = Some(map.next_value()?),
                "output" => config.output = map.next_value::<OneOrMore>()?.0,
                "on_error" => config.on_error = map.next_value()?,
                "if" => config.condition = Some(map.next_value()?),
                key => config.settings.read(key, &mut map)?,
            }
            if row.is_none() {
                early.push(key);
            }
        }
        let row = row.ok_or_else(|| de::Error::missing_field("type"))?;
        for key in &early {
            known(row, key)?;
        }
        config.kind = row.name;
        (row.build)(&config).map_err(|problem| de::Error::custom(format!("{}: {problem}", row.name)))?;
        Ok(config)
    }
}

struct OneOrMore(Vec<String>);

impl<'de> Deserialize<'de> for OneOrMore {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        one_or_more(deserializer).map(Self)
    }
}

/// A duration as it is written.
struct Period(Duration);

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        duration::deserialize(deserializer).map(Self)
    }
}

/// A size as it is written; 0 is allowed.
struct Size(u64);

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        size::parse(&String::deserialize(deserializer)?).map(Self).map_err(de::Error::custom)
    }
}

impl Settings {
    /// Reads the value of a key that the operator has.
    fn read<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "parse_from" => {
                let field: Field = map.next_value()?;
                self.time.parse_from = Some(field.clone());
                self.levels.parse_from = Some(field.clone());
                self.parse_from = Some(field);
            }
            "parse_to" => self.parse_to = Some(map.next_value()?),
            "preserve_to" => self.preserve_to = Some(map.next_value()?),
            "timestamp" => self.timestamp = Some(map.next_value()?),
            "severity" => self.severity = Some(map.next_value()?),
            "trace" => self.trace = Some(map.next_value()?),
            "scope_name" => self.scope_name = Some(map.next_value()?),
            "layout_type" => self.time.layout_type = map.next_value()?,
            "layout" => self.time.layout = Some(map.next_value()?),
            "location" => self.time.location = Some(map.next_value()?),
            "time_zone_locations" => self.time.time_zone_locations = map.next_value()?,
            "preset" => self.levels.preset = Some(map.next_value()?),
            "mapping" => self.levels.mapping = map.next_value()?,
            "overwrite_text" => self.levels.overwrite_text = map.next_value()?,
            "trace_id" => self.ids.trace_id = Some(map.next_value()?),
            "span_id" => self.ids.span_id = Some(map.next_value()?),
            "trace_flags" => self.ids.trace_flags = Some(map.next_value()?),
            // The Collector's: matching is quick enough without.
            "cache" => drop(map.next_value::<de::IgnoredAny>()?),
            "body" => self.body = Some(map.next_value()?),
            "regex" => self.regex = Some(map.next_value()?),
            "regex_name" => self.regex_name = Some(map.next_value()?),
            "replace_with" => self.replace_with = Some(map.next_value()?),
            "keys" => self.keys = map.next_value()?,
            "from" => self.from = Some(map.next_value()?),
            "to" => self.to = Some(map.next_value()?),
            "field" => self.field = Some(map.next_value()?),
            "fields" => self.fields = map.next_value()?,
            "value" => self.value = Some(map.next_value::<WholeValue>()?.0),
            "expr" => self.expr = Some(map.next_value()?),
            "drop_ratio" => self.drop_ratio = Some(map.next_value()?),
            "routes" => self.routes = map.next_value()?,
            "default" => self.default = map.next_value::<OneOrMore>()?.0,
            "header" => self.header = Some(map.next_value()?),
            "header_attribute" => self.header_attribute = Some(map.next_value()?),
            "header_delimiter" => self.header_delimiter = Some(map.next_value()?),
            "delimiter" => self.delimiter = Some(map.next_value()?),
            "pair_delimiter" => self.pair_delimiter = Some(map.next_value()?),
            "lazy_quotes" => self.lazy_quotes = map.next_value()?,
            "ignore_quotes" => self.ignore_quotes = map.next_value()?,
            "parse_ints" => drop(map.next_value::<bool>()?),
            "protocol" => self.protocol = Some(map.next_value()?),
            "allow_skip_pri_header" => self.allow_skip_pri_header = map.next_value()?,
            "enable_octet_counting" => self.enable_octet_counting = map.next_value()?,
            "non_transparent_framing_trailer" => self.trailer = map.next_value()?,
            key => self.read_joining(key, map)?,
        }
        Ok(())
    }

    /// The keys of operators that hold entries back.
    fn read_joining<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "is_first_entry" => self.is_first_entry = Some(map.next_value()?),
            "is_last_entry" => self.is_last_entry = Some(map.next_value()?),
            "combine_field" => self.combine_field = Some(map.next_value()?),
            "combine_with" => self.combine_with = Some(map.next_value()?),
            "max_batch_size" => self.max_batch_size = Some(map.next_value()?),
            "max_unmatched_batch_size" => self.max_unmatched_batch_size = Some(map.next_value()?),
            "overwrite_with" => self.overwrite_with = Some(map.next_value()?),
            "force_flush_period" => self.force_flush_period = Some(map.next_value::<Period>()?.0),
            "source_identifier" => self.source_identifier = Some(map.next_value()?),
            "max_sources" => self.max_sources = Some(map.next_value()?),
            "max_log_size" => self.max_log_size = Some(map.next_value::<Size>()?.0),
            "format" => self.format = Some(map.next_value()?),
            "add_metadata_from_filepath" => self.add_metadata_from_filepath = Some(map.next_value()?),
            key => return Err(de::Error::custom(format!("the key `{key}` is in the table and not read"))),
        }
        Ok(())
    }
}
