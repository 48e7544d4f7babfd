//! `filter_path`: which parts of an answer the client wants, as Elastic's reference has it ("Response filtering").

use serde_json::Value;

/// Patterns of one request: more, or longer ones, are passed over.
const PATTERNS_MAX: usize = 50;
const PARTS_MAX: usize = 16;

/// What is asked for; by default everything.
#[derive(Debug, Default)]
pub(super) struct FilterPath {
    wanted: Vec<Vec<String>>,
    unwanted: Vec<Vec<String>>,
}

impl FilterPath {
    /// Patterns with commas between them; those that begin with a hyphen say what is left out.
    pub(super) fn parse(text: &str) -> Self {
        let mut filter = Self::default();
        for pattern in text.split(',').map(str::trim).filter(|pattern| !pattern.is_empty()).take(PATTERNS_MAX) {
            let (list, pattern) = match pattern.strip_prefix('-') {
                Some(pattern) => (&mut filter.unwanted, pattern),
                None => (&mut filter.wanted, pattern),
            };
            list.push(pattern.split('.').take(PARTS_MAX).map(str::to_owned).collect());
        }
        filter
    }

    /// Whether everything is wanted.
    pub(super) fn is_all(&self) -> bool {
        self.wanted.is_empty() && self.unwanted.is_empty()
    }

    /// Whether a value at this path is wanted; what is in lists is at the list's path.
    pub(super) fn wants(&self, path: &[&str]) -> bool {
        let any = |patterns: &[Vec<String>]| patterns.iter().any(|pattern| covers(pattern, path));
        (self.wanted.is_empty() || any(&self.wanted)) && !any(&self.unwanted)
    }

    /// What is wanted of an answer.
    pub(super) fn of(&self, answer: Value) -> Value {
        if self.is_all() {
            return answer;
        }
        let names: Vec<&str> = Vec::new();
        self.part(&answer, &names).unwrap_or_else(|| Value::Object(serde_json::Map::new()))
    }

    fn part(&self, value: &Value, path: &[&str]) -> Option<Value> {
        match value {
            Value::Object(members) if !members.is_empty() => {
                let mut kept = serde_json::Map::new();
                for (name, member) in members {
                    let path = [path, &[name.as_str()]].concat();
                    if let Some(member) = self.part(member, &path) {
                        kept.insert(name.clone(), member);
                    }
                }
                (!kept.is_empty()).then_some(Value::Object(kept))
            }
            Value::Array(items) if !items.is_empty() => {
                let kept: Vec<Value> = items.iter().filter_map(|item| self.part(item, path)).collect();
                (!kept.is_empty()).then_some(Value::Array(kept))
            }
            value => self.wants(path).then(|| value.clone()),
        }
    }
}

/// Whether a pattern names the path, or something that it is in.
fn covers(pattern: &[String], path: &[&str]) -> bool {
    let Some((part, rest)) = pattern.split_first() else { return true };
    if part == "**" {
        return (0..=path.len()).any(|skipped| covers(rest, &path[skipped..]) && !(rest.is_empty() && path.is_empty()));
    }
    path.split_first().is_some_and(|(name, below)| fits(part.as_bytes(), name.as_bytes()) && covers(rest, below))
}

/// Whether a name fits a part of a pattern, where `*` is any run of characters.
fn fits(part: &[u8], name: &[u8]) -> bool {
    match part.split_first() {
        None => name.is_empty(),
        Some((b'*', rest)) => (0..=name.len()).any(|skipped| fits(rest, &name[skipped..])),
        Some((byte, rest)) => name.split_first().is_some_and(|(first, below)| first == byte && fits(rest, below)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_asked_for_stays() {
        let answer = || {
            json!({"took": 1, "errors": true, "items": [
                {"create": {"_index": "a", "status": 201}},
                {"index": {"_index": "a", "status": 400, "error": {"type": "t", "reason": "r"}}}]})
        };
        let rows = [
            ("", answer()),
            ("errors", json!({"errors": true})),
            (
                "errors,items.*.error",
                json!({"errors": true, "items": [{"index": {"error": {"type": "t", "reason": "r"}}}]}),
            ),
            ("items.*.status", json!({"items": [{"create": {"status": 201}}, {"index": {"status": 400}}]})),
            ("items.create", json!({"items": [{"create": {"_index": "a", "status": 201}}]})),
            ("**.type", json!({"items": [{"index": {"error": {"type": "t"}}}]})),
            ("-items", json!({"took": 1, "errors": true})),
            (
                "-items.*._index,-items.*.error,-took",
                json!({"errors": true, "items": [{"create": {"status": 201}}, {"index": {"status": 400}}]}),
            ),
            ("e*,-took", json!({"errors": true})),
            ("nothing", json!({})),
        ];
        for (text, expected) in rows {
            assert_eq!(FilterPath::parse(text).of(answer()), expected, "{text}");
        }
    }
}
