//! Gathers journalled lines into columns, straight from their bytes.

use weir_proto::{
    SpanId,
    otlp::{
        Checks, ScanError, ValueView,
        logs::{Expander, IdNames, Implied, LineIds, LineView, ScannedLine, scan},
    },
};

use super::{
    body_end,
    body_table::Pushed,
    field_column::RowIds,
    gathering::{Builder, Gathering, push_some_bytes, push_some_word},
    json,
    schema::{DEFECT_BODY, DEFECT_NO_TIME, DEFECT_SPAN_ID, DEFECT_TRACE_ID, lines},
};
use crate::columns::{Column, Values};
use crate::reject::Rejection;

/// Builds one segment: takes journalled payloads in journal order, keeps their lines as columns.
#[derive(Debug)]
pub struct LineBuilder(Gathering, Expander);

impl Default for LineBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl Builder for LineBuilder {
    fn gathering(&self) -> &Gathering {
        &self.0
    }

    fn gathering_mut(&mut self) -> &mut Gathering {
        &mut self.0
    }
}

impl LineBuilder {
    /// An empty one.
    pub fn new() -> Self {
        Self(Gathering::new(&lines::TABLE), Expander::default())
    }

    /// Adds the lines of a journalled payload, except the rejected ones (sorted by ordinal); `received_at_ns` is its frame's. Ids are
    /// looked for under their usual names.
    pub fn push_payload(
        &mut self,
        payload: &[u8],
        rejected: &[Rejection],
        received_at_ns: u64,
    ) -> Result<(), ScanError> {
        self.push_lines(payload, rejected, received_at_ns, |scanned| scanned.line.ids(&IdNames::USUAL))
    }

    /// As [`Self::push_payload`], with what each line belongs to, which was found out before.
    ///
    /// After an error the lines before the fault are in, and [`Builder::rows`] tells how many; an admitted payload has none.
    pub fn push_lines(
        &mut self,
        payload: &[u8],
        rejected: &[Rejection],
        received_at_ns: u64,
        mut ids_of: impl FnMut(&ScannedLine<'_>) -> LineIds,
    ) -> Result<(), ScanError> {
        self.0.take_bytes(payload.len())?;
        let mut rejected = rejected.iter().map(|rejection| rejection.ordinal).peekable();
        let (mut resource, mut scope) = (None, None);
        let mut service = 0;
        scan(payload, Checks::Journalled, |line| {
            if rejected.next_if_eq(&line.ordinal).is_some() {
                return;
            }
            if resource != Some(line.resource_ordinal) {
                service = self.0.start_resource(&line.resource);
                resource = Some(line.resource_ordinal);
            }
            if scope != Some(line.scope_ordinal) {
                self.0.start_scope(&line.scope);
                scope = Some(line.scope_ordinal);
            }
            let ids = ids_of(line);
            self.push_line(line, ids, service, received_at_ns);
        })
    }

    #[inline]
    fn push_line(&mut self, scanned: &ScannedLine<'_>, ids: LineIds, service: u32, received_at_ns: u64) {
        let line = &scanned.line;
        let row = self.0.rows;
        let mut defects = if line.time_ns == 0 { DEFECT_NO_TIME } else { 0 };
        let time_ns = line.time_or(received_at_ns);
        self.0.fixed[lines::TIME].push_word(row, time_ns);
        push_some_word(&mut self.0.fixed[lines::OBSERVED_TIME], row, line.observed_ns);
        defects |= self.push_ids(row, line, ids);
        self.0.fixed[lines::SEVERITY_NUMBER].push_word(row, i64::from(line.severity_number) as u64);
        push_some_bytes(&mut self.0.fixed[lines::SEVERITY_TEXT], row, line.severity_text);
        let message = if line.implied == Implied::None { message_at(line) } else { None };
        let head_len = message.map_or(0, |(_, place)| place);
        let pushed = self.push_body(row, &line.body, ids, head_len, line.implied != Implied::None);
        defects |= if pushed == Pushed::Broken { DEFECT_BODY } else { 0 };
        push_some_bytes(&mut self.0.fixed[lines::EVENT_NAME], row, line.event_name);
        push_some_word(&mut self.0.fixed[lines::FLAGS], row, u64::from(line.flags));
        push_some_word(&mut self.0.fixed[lines::DEFECTS], row, defects);
        push_some_word(&mut self.0.fixed[lines::DROPPED_ATTRIBUTES], row, u64::from(line.dropped_attributes_count));
        // Lines of one service and severity mostly have the same keys.
        let shape = service.wrapping_mul(31).wrapping_add(line.severity_number as u32);
        match message {
            _ if line.implied != Implied::None => self.push_implied(row, shape, line, pushed),
            None => self.0.attributes.push(row, shape, line.attributes.encoded()),
            Some((index, place)) => {
                self.0.fixed[lines::MESSAGE_AT].push_word(row, place as u64);
                let others = line.attributes.encoded().enumerate().filter(|(at, _)| *at != index);
                self.0.attributes.push(row, shape, others.map(|(_, encoded)| encoded));
            }
        }
        self.0.end_row(time_ns);
    }

    /// Adds the attributes of a line whose body's fields are among them.
    fn push_implied(&mut self, row: u32, shape: u32, line: &LineView<'_>, pushed: Pushed) {
        let Self(Gathering { attributes, bodies, .. }, expander) = self;
        match (pushed, &line.body) {
            (Pushed::Template(_), ValueView::Str(body)) => {
                attributes.push(row, shape, line.attributes.encoded());
                bodies.push_untold(row, body, attributes);
            }
            _ => attributes.push(row, shape, expander.whole(line).attributes.encoded()),
        }
    }

    /// Adds the ids that were found; answers the defects of the line's own that are none.
    fn push_ids(&mut self, row: u32, line: &LineView<'_>, ids: LineIds) -> u64 {
        let Gathering { fixed, traces, .. } = &mut self.0;
        let mut defects = 0;
        match ids.trace {
            Some(trace) => {
                let number = traces.number(trace);
                traces.add(number, row);
                let Column { rows, values: Values::Bytes { codes, dictionary } } = &mut fixed[lines::TRACE_ID] else {
                    unreachable!("trace ids are bytes")
                };
                if number as usize == dictionary.len() {
                    dictionary.push(&trace.0);
                }
                codes.push(number);
                rows.get_or_insert_default().push(row);
            }
            None if line.has_odd_trace_id() => defects |= DEFECT_TRACE_ID,
            None => {}
        }
        match ids.span {
            Some(SpanId(id)) => fixed[lines::SPAN_ID].push_word(row, u64::from_le_bytes(id)),
            None if line.has_odd_span_id() => defects |= DEFECT_SPAN_ID,
            None => {}
        }
        defects
    }

    /// A text is kept as it is, anything else as JSON text; of both the fields, if it is an object, and where it comes back from them a template
    /// instead, as it is of one that ends with an object behind `head_len` bytes. With `implies` its fields are attributes, too.
    fn push_body(&mut self, row: u32, body: &ValueView<'_>, ids: LineIds, head_len: usize, implies: bool) -> Pushed {
        let Gathering { fixed, text, bodies, .. } = &mut self.0;
        let body: &[u8] = match body {
            ValueView::Empty => return Pushed::Text,
            ValueView::Str(body) => body,
            structured => {
                text.clear();
                json::write_value(structured, text);
                fixed[lines::BODY_IS_JSON].push_word(row, 1);
                text
            }
        };
        let (traces, spans) = (&fixed[lines::TRACE_ID], &fixed[lines::SPAN_ID]);
        let ids = RowIds { trace: ids.trace, span: ids.span, traces, spans };
        let pushed = bodies.push(row, body, head_len, &ids, implies);
        match pushed {
            Pushed::Template(number) => bodies.push_template(row, number, &mut fixed[lines::BODY_TEMPLATE]),
            Pushed::Text | Pushed::Broken => fixed[lines::BODY].push_bytes(row, body),
        }
        pushed
    }
}

/// Which attribute is the end of the body, by its index, and where that begins.
#[inline]
fn message_at(line: &LineView<'_>) -> Option<(usize, usize)> {
    let ValueView::Str(body) = line.body else { return None };
    let mut attributes = line.attributes.encoded().enumerate();
    attributes.find_map(|(index, encoded)| body_end::place_of(encoded, body).map(|place| (index, place)))
}
