//! What all parsers do around their own part: where from, where to, and what is looked at afterwards.

use std::borrow::Cow;

use super::{
    Entry, Field, Fields, OperatorConfig, Value, severity::SeverityParser, time::TimeParser, trace::TraceParser,
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
        })
    }

    /// Whether it makes attributes of the body and of nothing else.
    pub(super) fn is_plain(&self) -> bool {
        self.from == Field::BODY && self.to == Field::ATTRIBUTES && self.preserve_to.is_none()
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
        let found = match self.from.get(entry) {
            Some(Value::Text(Cow::Borrowed(text))) => parse(text)?,
            Some(Value::Text(Cow::Owned(text))) => parse(text)?.into_owned(),
            Some(other) => return Err(format!("{} is {}, not a text", self.from, other.kind())),
            None => return Err(format!("there is no {}", self.from)),
        };
        self.place(entry, found)?;
        self.look(entry)
    }

    /// Puts what was found where it belongs.
    pub(super) fn place<'a>(&self, entry: &mut Entry<'a>, found: Fields<'a>) -> Result<(), String> {
        if let Some(field) = &self.preserve_to {
            let original = self.from.copy(entry).unwrap_or_default();
            self.to.set(entry, Value::Map(found))?;
            return field.set(entry, original);
        }
        self.to.set(entry, Value::Map(found))
    }

    /// Time, severity, trace and scope; each is tried whatever became of the others.
    pub(super) fn look(&self, entry: &mut Entry<'_>) -> Result<(), String> {
        let time = self.time.as_ref().map_or(Ok(()), |time| time.apply(entry));
        let severity = self.severity.as_ref().map_or(Ok(()), |severity| severity.apply(entry));
        let trace = self.trace.as_ref().map_or(Ok(()), |trace| trace.apply(entry));
        if let Some(name) = self.scope_name.as_ref().and_then(|field| field.get(entry)?.to_text().map(Cow::into_owned))
        {
            entry.scope_name = Cow::Owned(name);
        }
        time.and(severity).and(trace)
    }
}
