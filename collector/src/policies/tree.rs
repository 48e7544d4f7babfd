//! Walks over policies and the policies inside them.

use serde_json::{Map, Value, json};
use weir_store::sampling::{ArrivedSpan, TraceAccount};

use super::{DueTrace, Named, Policy, Settlement};

/// Whether any of them wants to see spans as they arrive.
pub(crate) fn observes(policy: &dyn Policy) -> bool {
    policy.observes() || policy.parts().iter().any(|part| observes(&*part.policy))
}

/// Shows a span to each that wants to see it.
pub(crate) fn observe(policy: &mut dyn Policy, span: &ArrivedSpan<'_>, account: &mut TraceAccount) {
    policy.observe(span, account);
    for part in policy.parts_mut() {
        observe(&mut *part.policy, span, account);
    }
}

/// Tells each what became of a trace.
pub(crate) fn settle(policy: &mut dyn Policy, trace: &DueTrace<'_>, settlement: Settlement) {
    policy.settle(trace, settlement);
    for part in policy.parts_mut() {
        settle(&mut *part.policy, trace, settlement);
    }
}

/// Tells each of a trace that an earlier process kept.
pub(crate) fn recall(policy: &mut dyn Policy, spans: u32, decided: bool, now_ns: u64) {
    policy.recall(spans, decided, now_ns);
    for part in policy.parts_mut() {
        recall(&mut *part.policy, spans, decided, now_ns);
    }
}

/// What each has learned, by path (`set/and:outer/rare:inner`).
pub(crate) fn save(path: &str, named: &Named, saved: &mut Vec<(String, Vec<u8>)>) {
    let path = format!("{path}/{}:{}", named.kind, named.name);
    if let Some(bytes) = named.policy.save() {
        saved.push((path.clone(), bytes));
    }
    for part in named.policy.parts() {
        save(&path, part, saved);
    }
}

/// Gives each what it has learned.
pub(crate) fn restore(path: &str, named: &mut Named, saved: &[(&str, &[u8])]) {
    let path = format!("{path}/{}:{}", named.kind, named.name);
    if let Some((_, bytes)) = saved.iter().find(|(known, _)| *known == path) {
        named.policy.restore(bytes);
    }
    for part in named.policy.parts_mut() {
        restore(&path, part, saved);
    }
}

/// Their own figures; nothing where they have none.
pub(crate) fn report(policy: &dyn Policy) -> Option<Value> {
    let mut parts = Map::new();
    for part in policy.parts() {
        if let Some(figures) = report(&*part.policy) {
            parts.insert(part.name.clone(), figures);
        }
    }
    match (policy.report(), parts.is_empty()) {
        (own, true) => own,
        (None, false) => Some(json!({ "parts": parts })),
        (Some(own), false) => Some(json!({ "own": own, "parts": parts })),
    }
}
