//! `/jaeger/api/traces/{id}`: one trace.

use weir_proto::TraceId;
use weir_store::{ReadError, SpanRecord, TraceRows};

use super::{
    model::{Envelope, Problem},
    separate::separate_shared_ids,
    spans,
};
use crate::{
    http::{
        answer::{Answer, Failure},
        call::Call,
        view::View,
    },
    trace::fold_resends,
};

/// What cuts an answer for its bytes.
pub(in crate::http) const TOO_LARGE: &str = "query.answer_bytes_max, query.answers_bytes_max";

/// What Jaeger says of a trace that is not there.
pub(super) const NOT_FOUND: &str = "trace not found";

/// A trace by its id, wherever in time it lies: `start` and `end` are not needed and not looked at.
pub(in crate::http) fn trace(call: &Call, view: &dyn View) -> Result<Answer, Failure> {
    let id = call.trace_id()?;
    let mut shown = Shown::read(call, view, id, call.spans_max)?.ok_or_else(|| Failure::NotFound(NOT_FOUND.into()))?;
    loop {
        let data = [spans::trace(id, &shown.rows, shown.warnings())];
        let envelope = Envelope::new(data, 0, Problem::missing(call).collect());
        if let Some(mut answer) = Answer::json_within(&call.allowance, &envelope, call.flag("prettyPrint")?)? {
            answer.partial = shown.is_partial();
            return Ok(answer);
        }
        drop(envelope);
        if !shown.halve() {
            return Err(Failure::Busy);
        }
        call.keeps_rows(shown.row_bytes());
    }
}

/// Traces that are read in one pass: between passes the deadline is looked at.
const TRACES_AT_ONCE: usize = 64;

/// The rows of one trace that an answer shows.
#[derive(Debug)]
pub(in crate::http) struct Shown {
    pub(in crate::http) id: TraceId,
    pub(in crate::http) rows: Vec<SpanRecord>,
    /// Spans beyond the bound, at least.
    pub(super) left_out: usize,
    /// More of it is in a segment that cannot be read.
    is_damaged: bool,
    /// It was for their bytes that spans were left out.
    is_too_large: bool,
}

impl Shown {
    /// Leaves out half of what is left: all of it was too large. False when nothing is left.
    pub(in crate::http) fn halve(&mut self) -> bool {
        let keep = self.rows.len() / 2;
        let any = !self.rows.is_empty();
        self.left_out += self.rows.len() - keep;
        self.rows.truncate(keep);
        self.is_too_large = true;
        any
    }

    /// What its rows take.
    pub(in crate::http) fn row_bytes(&self) -> u64 {
        self.rows.iter().map(SpanRecord::memory_bytes).sum()
    }

    /// Reads a trace and prepares it for Jaeger's readers; `raw=true` leaves out the preparation. `None` when it is
    /// not there.
    pub(super) fn read(call: &Call, view: &dyn View, id: TraceId, spans_max: usize) -> Result<Option<Self>, Failure> {
        let found = view.trace(&call.tenant, id, call.rows_max(), &mut |bytes| call.has_room(bytes))?;
        Self::of(call, id, found, spans_max, call.flag("raw")?)
    }

    /// The same of rows that were read already, raw or not.
    fn of(call: &Call, id: TraceId, found: TraceRows, spans_max: usize, raw: bool) -> Result<Option<Self>, Failure> {
        let TraceRows { mut rows, is_damaged, is_cut } = found;
        if rows.is_empty() && is_damaged {
            return Err(Failure::Read(ReadError::Damaged(format!("trace {id} is in a segment that cannot be read"))));
        }
        if rows.is_empty() {
            // There is such a trace, and no room for any of it while others hold so much.
            return if is_cut { Err(Failure::Busy) } else { Ok(None) };
        }
        let rows_read = rows.len();
        if !raw {
            rows = fold_resends(rows);
            separate_shared_ids(&mut rows);
        }
        let left_out = call.left_out(rows_read, rows.len(), spans_max).max(usize::from(is_cut));
        rows.truncate(spans_max);
        Ok(Some(Self { id, rows, left_out, is_damaged, is_too_large: is_cut }))
    }

    /// Whether there is more of it.
    pub(in crate::http) fn is_partial(&self) -> bool {
        self.left_out > 0 || self.is_damaged
    }

    /// What to say about the whole trace.
    pub(in crate::http) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.left_out > 0 {
            let (left_out, shown) = (self.left_out, self.rows.len());
            let bound = if self.is_too_large { TOO_LARGE } else { "query.spans_max" };
            warnings
                .push(format!("only the first {shown} spans are shown, at least {left_out} are left out ({bound})"));
        }
        if self.is_damaged {
            warnings.push("more of this trace is in a segment that cannot be read".into());
        }
        warnings
    }
}

/// Reads traces one after the other, several in each pass over the store.
pub(in crate::http) struct Passes<'a> {
    call: &'a Call,
    view: &'a dyn View,
    raw: bool,
    read: std::vec::IntoIter<TraceRows>,
}

impl<'a> Passes<'a> {
    pub(in crate::http) fn new(call: &'a Call, view: &'a dyn View, raw: bool) -> Self {
        Self { call, view, raw, read: Vec::new().into_iter() }
    }

    /// The first of the traces that are left, as [`Shown::read`].
    pub(in crate::http) fn next(&mut self, left: &[TraceId], spans_max: usize) -> Result<Option<Shown>, Failure> {
        let Some(&id) = left.first() else { return Ok(None) };
        if self.read.len() == 0 {
            let some = &left[..left.len().min(TRACES_AT_ONCE)];
            let (call, room) = (self.call, &mut |bytes| self.call.has_room(bytes));
            self.read = self.view.traces(&call.tenant, some, call.rows_max(), room)?.into_iter();
        }
        Shown::of(self.call, id, self.read.next().unwrap_or_default(), spans_max, self.raw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::fixtures::{Held, TRACE, call, record};

    #[test]
    fn what_cannot_be_read_is_said() {
        let held = Held { rows: vec![record("cart", 1, 5)], is_damaged: true, ..Held::default() };
        let (partial, body) = get(&[], &held, 10);
        assert!(partial);
        assert_eq!(body["data"][0]["warnings"][0], "more of this trace is in a segment that cannot be read");
        let nothing = Held { is_damaged: true, ..Held::default() };
        let failure = trace(&call(&[("id", &TRACE.to_string())], &[]), &nothing).expect_err("nothing to show");
        assert!(matches!(failure, Failure::Read(ReadError::Damaged(_))), "not found would be a lie");
    }

    fn get(query: &[(&str, &str)], held: &Held, spans_max: usize) -> (bool, serde_json::Value) {
        let mut call = call(&[("id", &TRACE.to_string())], query);
        call.spans_max = spans_max;
        let answer = trace(&call, held).expect("found");
        (answer.partial, serde_json::from_slice(&answer.body).expect("JSON"))
    }

    #[test]
    fn resends_are_folded_unless_raw() {
        let held = Held { rows: vec![record("cart", 1, 5), record("cart", 1, 5)], ..Held::default() };
        assert_eq!(get(&[], &held, 10).1["data"][0]["spans"].as_array().map(Vec::len), Some(1));
        let (_, raw) = get(&[("raw", "true")], &held, 10);
        assert_eq!(raw["data"][0]["spans"].as_array().map(Vec::len), Some(2));
    }

    #[test]
    fn a_trace_beyond_the_bound_says_so() {
        let held = Held { rows: (1..=5).map(|id| record("cart", id, 5)).collect(), ..Held::default() };
        let (partial, body) = get(&[], &held, 3);
        assert!(partial);
        assert_eq!(body["data"][0]["spans"].as_array().map(Vec::len), Some(3));
        assert_eq!(
            body["data"][0]["warnings"][0],
            "only the first 3 spans are shown, at least 2 are left out (query.spans_max)"
        );
        let (partial, body) = get(&[], &held, 5);
        assert!(!partial);
        assert!(body["data"][0]["warnings"].is_null());
    }

    #[test]
    fn a_trace_of_which_not_every_row_is_read_says_so() {
        let held = Held { rows: vec![record("cart", 1, 5); 4], ..Held::default() };
        let (partial, body) = get(&[], &held, 2);
        assert!(partial);
        assert_eq!(body["data"][0]["spans"].as_array().map(Vec::len), Some(1));
        assert!(!body["data"][0]["warnings"].is_null());
        assert!(!get(&[], &held, 3).0);
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        let ask = |id: &str| trace(&call(&[("id", id)], &[]), &Held::default()).expect_err("nothing there");
        assert!(matches!(ask("1"), Failure::NotFound(message) if message == "trace not found"));
        assert!(matches!(ask("xyz"), Failure::BadRequest(_)));
    }
}
