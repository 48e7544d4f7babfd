//! `/api/v1/ledger`: what became of everything that was received.

use std::collections::BTreeMap;

use serde::Serialize;
use weir_proto::Signal;
use weir_store::Tally;

use crate::http::{
    answer::{Answer, Failure},
    call::Call,
    view::View,
};

/// By signal, then by tenant.
#[derive(Debug, Serialize)]
struct Signals<'a> {
    traces: BTreeMap<&'a str, Tally>,
    logs: BTreeMap<&'a str, Tally>,
    metrics: BTreeMap<&'a str, Tally>,
}

/// The caller's own tallies; zeros before anything arrived.
pub(in crate::http) fn ledger(call: &Call, view: &dyn View) -> Result<Answer, Failure> {
    let ledger = view.ledger();
    let of = |signal| {
        let tally = ledger.of(signal).get(&call.tenant).cloned().unwrap_or_default();
        BTreeMap::from([(call.tenant.as_str(), tally)])
    };
    let signals = Signals { traces: of(Signal::Traces), logs: of(Signal::Logs), metrics: of(Signal::Metrics) };
    Answer::json(&signals, false)
}

#[cfg(test)]
mod tests {
    use weir_proto::TenantId;
    use weir_store::Ledger;

    use super::*;
    use crate::http::fixtures::{Held, call};

    #[test]
    fn shows_ones_own_tenant() {
        let tally = Tally {
            accepted: 9,
            kept: 6,
            pending: 1,
            dropped: BTreeMap::from([("slow".into(), 1)]),
            damaged: 1,
            rejected: BTreeMap::from([("too_old".into(), 2)]),
        };
        let other = TenantId::new("other").expect("valid");
        let traces = BTreeMap::from([
            (TenantId::default(), tally),
            (other.clone(), Tally { kept: 5, accepted: 5, ..Tally::default() }),
        ]);
        let held = Held { ledger: Ledger { traces, ..Ledger::default() }, ..Held::default() };
        let mut call = call(&[], &[]);
        let body = ledger(&call, &held).expect("answers").body;
        let expected = concat!(
            r#"{"traces":{"default":{"accepted":9,"kept":6,"pending":1,"dropped":{"slow":1},"#,
            r#""damaged":1,"rejected":{"too_old":2}}},"#,
            r#""logs":{"default":{"accepted":0,"kept":0,"pending":0,"dropped":{},"damaged":0,"rejected":{}}},"#,
            r#""metrics":{"default":{"accepted":0,"kept":0,"pending":0,"dropped":{},"damaged":0,"rejected":{}}}}"#
        );
        assert_eq!(String::from_utf8(body).expect("UTF-8"), expected);
        call.tenant = other;
        let body = ledger(&call, &held).expect("answers").body;
        assert!(String::from_utf8(body).expect("UTF-8").starts_with(r#"{"traces":{"other":{"accepted":5,"#));
        let body = ledger(&call, &Held::default()).expect("answers").body;
        let nothing = r#"{"other":{"accepted":0,"kept":0,"pending":0,"dropped":{},"damaged":0,"rejected":{}}}"#;
        let expected = format!(r#"{{"traces":{nothing},"logs":{nothing},"metrics":{nothing}}}"#);
        assert_eq!(String::from_utf8(body).expect("UTF-8"), expected);
    }
}
