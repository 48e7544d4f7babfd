//! What all parsers do around their own part: where from, where to, and what is looked at afterwards; `scope_name_parser`.

use std::borrow::Cow;

use super::{
    Entry, Field, Fields, Next, Operator, OperatorConfig, Value, severity::SeverityParser, time::TimeParser,
    trace::TraceParser,
};

/// Around a parser.
pub(super) struct Parsing {
    from: Field,
    to: Field,
    preserve_to: Option<Field>,
    time: Option<TimeParser>,
    severity: Option<SeverityParser>,
    trace: Option<TraceParser>,
    scope_name: Option<Field>,
    /// What becomes the body.
    body: Option<Field>,
}

impl Parsing {
    /// From the body to the attributes, unless the configuration says otherwise.
    pub(super) fn new(config: &OperatorConfig) -> Result<Self, String> {
        let settings = &config.settings;
        Ok(Self {
            from: settings.parse_from.clone().unwrap_or(Field::BODY),
            to: settings.parse_to.clone().unwrap_or(Field::ATTRIBUTES),
            preserve_to: settings.preserve_to.clone(),
            time: settings.timestamp.as_ref().map(TimeParser::new).transpose()?,
            severity: settings.severity.as_ref().map(SeverityParser::new).transpose()?,
            trace: settings.trace.as_ref().map(TraceParser::new).transpose()?,
            scope_name: settings.scope_name.as_ref().map(|scope| scope.parse_from.clone()),
            body: settings.body.clone(),
        })
    }

    /// Whether it makes attributes of the body and of nothing else.
    pub(super) fn is_plain(&self) -> bool {
        self.from == Field::BODY && self.to == Field::ATTRIBUTES && self.preserve_to.is_none() && self.body.is_none()
    }

    /// The fields that it looks at afterwards.
    pub(super) fn looks_at(&self) -> Vec<&Field> {
        let time = self.time.iter().map(TimeParser::from);
        let severity = self.severity.iter().map(SeverityParser::from);
        let trace = self.trace.iter().flat_map(TraceParser::from);
        time.chain(severity).chain(trace).chain(&self.scope_name).collect()
    }

    /// Where it reads.
    pub(super) fn from(&self) -> &Field {
        &self.from
    }

    /// Parses the text, puts what is found in its place, and looks at that.
    pub(super) fn apply<'a>(
        &self,
        entry: &mut Entry<'a>,
        parse: impl for<'t> Fn(&'t str) -> Result<Fields<'t>, String>,
    ) -> Result<(), String> {
        self.apply_any(entry, |text| parse(text).map(Value::Map))
    }

    /// The same of what is any value.
    pub(super) fn apply_any<'a>(
        &self,
        entry: &mut Entry<'a>,
        parse: impl for<'t> Fn(&'t str) -> Result<Value<'t>, String>,
    ) -> Result<(), String> {
        let found = match self.from.get(entry) {
            Some(Value::Text(Cow::Borrowed(text))) => parse(text)?,
            Some(Value::Text(Cow::Owned(text))) => parse(text)?.into_owned(),
            Some(other) => return Err(format!("{} is {}, not a text", self.from, other.kind())),
            None => return Err(format!("there is no {}", self.from)),
        };
        self.place_any(entry, found)?;
        self.look(entry)
    }

    /// Puts what was found where it belongs.
    pub(super) fn place<'a>(&self, entry: &mut Entry<'a>, found: Fields<'a>) -> Result<(), String> {
        self.place_any(entry, Value::Map(found))
    }

    fn place_any<'a>(&self, entry: &mut Entry<'a>, found: Value<'a>) -> Result<(), String> {
        if let Some(field) = &self.preserve_to {
            let original = self.from.copy(entry).unwrap_or_default();
            self.to.set(entry, found)?;
            return field.set(entry, original);
        }
        self.to.set(entry, found)
    }

    /// The body, then time, severity, trace and scope; each is tried whatever became of the others.
    pub(super) fn look(&self, entry: &mut Entry<'_>) -> Result<(), String> {
        if let Some(body) = self.body.as_ref().and_then(|field| field.copy(entry)) {
            entry.body = body;
        }
        let time = self.time.as_ref().map_or(Ok(()), |time| time.apply(entry));
        let severity = self.severity.as_ref().map_or(Ok(()), |severity| severity.apply(entry));
        let trace = self.trace.as_ref().map_or(Ok(()), |trace| trace.apply(entry));
        let scope = self.scope_name.as_ref().map_or(Ok(()), |field| set_scope(entry, field));
        time.and(severity).and(trace).and(scope)
    }
}

/// A text is the scope's name; nothing else is.
fn set_scope(entry: &mut Entry<'_>, field: &Field) -> Result<(), String> {
    let value = field.get(entry).ok_or_else(|| format!("there is no {field}"))?;
    let name = value.as_text().ok_or_else(|| format!("{field} is {}, not a text", value.kind()))?;
    entry.scope_name = Cow::Owned(name.to_owned());
    Ok(())
}

struct ScopeName(Field);

/// `scope_name_parser`.
pub(super) fn scope_name(config: &OperatorConfig) -> Result<Box<dyn Operator>, String> {
    Ok(Box::new(ScopeName(config.settings.parse_from.clone().unwrap_or(Field::BODY))))
}

impl Operator for ScopeName {
    fn reads(&self) -> Option<Vec<&Field>> {
        Some(vec![&self.0])
    }

    fn apply<'a>(&mut self, entry: &mut Entry<'a>, _: &mut Vec<Entry<'static>>) -> Result<Next, String> {
        set_scope(entry, &self.0).map(|()| Next::On)
    }
}
