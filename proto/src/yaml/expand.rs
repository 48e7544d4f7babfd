//! References to the environment in values, as the Collector has them.
//!
//! `${env:NAME}` and `${NAME}` become the variable's value, `${env:NAME:-default}` the default where there is no such variable, `$$` a `$`.
//! A value that is one reference and nothing else is read as YAML: a number, a list. Any other `$` stays, Prometheus' `${1}`, too.

use super::{Node, Position, Problem, Step, Value, parse, scalar::is_null};

/// Before a name and what stands in for a variable that is not set.
const DEFAULT_MARK: &str = ":-";

/// Where the Collector looks for values beside the environment.
const OTHER_SCHEMES: [&str; 4] = ["file", "yaml", "http", "https"];

/// What means something to YAML, and stands in references: shielded by a character of the private use area.
const SHIELDED: &str = "{}[],:# ";
const SHIELD: u32 = 0xe000;

/// The text with its references made harmless, so that `{endpoint: ${env:HOST}:4317}` is a map of one text. Nothing moves.
pub(super) fn shielded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let length = reference_len(&rest[at..]).unwrap_or(0);
        let (before, after) = rest.split_at(at + 1 + usize::from(length == 0));
        out.push_str(before);
        let inside = length.saturating_sub(1);
        let shield = |c: char| if SHIELDED.contains(c) { char::from_u32(SHIELD + c as u32).unwrap_or(c) } else { c };
        out.extend(after[..inside].chars().map(shield));
        rest = &after[inside..];
    }
    out.push_str(rest);
    out
}

/// The text as it was.
pub(super) fn unshielded(text: &str) -> String {
    let bare = |c: char| {
        let known = SHIELDED.chars().find(|known| SHIELD + *known as u32 == c as u32);
        known.unwrap_or(c)
    };
    text.chars().map(bare).collect()
}

/// The bytes of the reference that `text` begins with: `${`, a letter, and what belongs to its closing brace on the same line.
fn reference_len(text: &str) -> Option<usize> {
    if !text[2..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        return None;
    }
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return Some(at + 1),
            '}' => depth -= 1,
            '\n' | '\r' => return None,
            _ => {}
        }
    }
    None
}

/// What expansion has found.
pub struct Found<'p> {
    /// What cannot be used.
    pub problems: &'p mut Vec<Problem>,
    /// Variables that are not set.
    pub warnings: &'p mut Vec<Problem>,
}

/// Replaces every reference in `root`; `variable` looks a name up. In the sections `strict` a variable has to be set.
pub fn expand(root: &mut Node, strict: &[&str], variable: &dyn Fn(&str) -> Option<String>, found: Found<'_>) {
    let mut expansion = Expansion { variable, found, steps: Vec::new(), is_strict: false, strict };
    expansion.node(root);
}

struct Expansion<'a, 'p> {
    variable: &'a dyn Fn(&str) -> Option<String>,
    found: Found<'p>,
    steps: Vec<Step>,
    is_strict: bool,
    strict: &'a [&'a str],
}

/// What has become of a text.
struct Expanded {
    text: String,
    /// It was one reference and nothing else.
    is_whole: bool,
    is_unset: bool,
}

impl Expansion<'_, '_> {
    fn node(&mut self, node: &mut Node) {
        match &mut node.value {
            Value::Null => {}
            Value::Scalar { text, is_plain } => {
                if text.contains('$') {
                    let at = Position { column: node.at.column + u64::from(!*is_plain), ..node.at };
                    let expanded = self.text(text, at);
                    node.is_unset = expanded.is_unset;
                    node.value = value_of(expanded, *is_plain, node.at);
                }
            }
            Value::List(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.steps.push(Step::Item(index));
                    self.node(item);
                    self.steps.pop();
                }
            }
            Value::Map(entries) => {
                for entry in entries {
                    if self.steps.is_empty() {
                        self.is_strict = self.strict.contains(&entry.key.as_str());
                    }
                    self.steps.push(Step::Key(entry.key.clone()));
                    self.node(&mut entry.node);
                    self.steps.pop();
                }
            }
        }
    }

    fn text(&mut self, text: &str, at: Position) -> Expanded {
        let mut out = Expanded { text: String::with_capacity(text.len()), is_whole: false, is_unset: false };
        let mut rest = text;
        while let Some(dollar) = rest.find('$') {
            let here =
                Position { column: at.column + text[..text.len() - rest.len() + dollar].chars().count() as u64, ..at };
            out.text.push_str(&rest[..dollar]);
            rest = &rest[dollar..];
            if let Some(after) = rest.strip_prefix("$$") {
                out.text.push('$');
                rest = after;
                continue;
            }
            if !rest.starts_with("${") {
                out.text.push('$');
                rest = &rest[1..];
                continue;
            }
            let Some(length) = reference_len(rest) else {
                if let Some(inside) = rest.strip_prefix("${env:") {
                    let message = if rest.contains('}') {
                        let name: String = inside.chars().take_while(|c| !"}:".contains(*c)).take(64).collect();
                        format!("`{name}` is not the name of an environment variable")
                    } else {
                        "`${env:` has no closing `}` on its line".to_owned()
                    };
                    self.problem(here, message);
                }
                out.text.push_str("${");
                rest = &rest[2..];
                continue;
            };
            out.is_whole = length == text.len();
            self.reference(&rest[..length], here, &mut out);
            rest = &rest[length..];
        }
        out.text.push_str(rest);
        out
    }

    /// One reference, braces and all.
    fn reference(&mut self, written: &str, at: Position, out: &mut Expanded) {
        let inside = &written[2..written.len() - 1];
        let (scheme, name) = match inside.split_once(':') {
            Some((scheme, rest)) if !rest.starts_with('-') => (scheme, rest),
            _ => ("env", inside),
        };
        if scheme != "env" {
            if OTHER_SCHEMES.contains(&scheme) {
                self.problem(at, format!("`${{{scheme}:…}}` is not there yet; `${{env:NAME}}` is"));
            }
            out.text.push_str(written);
            return;
        }
        let (name, default) = match name.split_once(DEFAULT_MARK) {
            Some((name, default)) => (name, Some(default)),
            None => (name, None),
        };
        let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !starts_well || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            if inside.starts_with("env:") {
                self.problem(at, format!("`{name}` is not the name of an environment variable"));
            }
            out.text.push_str(written);
            return;
        }
        match ((self.variable)(name), default) {
            (Some(value), _) => out.text.push_str(&value),
            (None, Some(default)) => {
                let default = self.text(default, at);
                out.text.push_str(&default.text);
                out.is_unset |= default.is_unset;
            }
            (None, None) => {
                out.is_unset = true;
                let message =
                    format!("environment variable {name} is not set; ${{env:{name}:-value}} gives it a default");
                if self.is_strict {
                    self.problem(at, message);
                } else {
                    self.found.warnings.push(Problem { at, steps: Vec::new(), message });
                }
            }
        }
    }

    fn problem(&mut self, at: Position, message: String) {
        self.found.problems.push(Problem { at, steps: self.steps.clone(), message });
    }
}

/// A text that was one reference may be anything.
fn value_of(expanded: Expanded, is_plain: bool, at: Position) -> Value {
    let Expanded { text, is_whole, .. } = expanded;
    if !is_whole {
        return Value::Scalar { text, is_plain };
    }
    if is_null(&text) {
        return Value::Null;
    }
    if text.starts_with(['[', '{'])
        && let Some(node @ Node { value: Value::List(_) | Value::Map(_), .. }) = parse(&text, &mut Vec::new())
    {
        return placed(node, at).value;
    }
    Value::Scalar { text, is_plain: true }
}

/// What a variable holds stands where its reference stands.
fn placed(mut node: Node, at: Position) -> Node {
    node.at = at;
    match &mut node.value {
        Value::List(items) => {
            for item in items {
                let moved = std::mem::replace(item, Node::new(at, Value::Null));
                *item = placed(moved, at);
            }
        }
        Value::Map(entries) => {
            for entry in entries {
                entry.at = at;
                let moved = std::mem::replace(&mut entry.node, Node::new(at, Value::Null));
                entry.node = placed(moved, at);
            }
        }
        Value::Null | Value::Scalar { .. } => {}
    }
    node
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(name: &str) -> Option<String> {
        match name {
            "HOST" => Some("0.0.0.0".into()),
            "EMPTY" => Some(String::new()),
            "LINES" => Some("a\nstorage: {}".into()),
            "LIST" => Some("[a, b]".into()),
            "IPV6" => Some("[::1]:4317".into()),
            _ => None,
        }
    }

    fn shown(value: &Value) -> String {
        match value {
            Value::Null => "null".into(),
            Value::Scalar { text, .. } => text.clone(),
            Value::List(items) => {
                format!("[{}]", items.iter().map(|item| shown(&item.value)).collect::<Vec<_>>().join("|"))
            }
            Value::Map(_) => "a map".into(),
        }
    }

    /// The value of `a`, problems, warnings.
    fn expanded(text: &str) -> (String, Vec<String>, Vec<String>) {
        let (mut problems, mut warnings) = (Vec::new(), Vec::new());
        let mut root = parse(text, &mut problems).unwrap_or_else(|| panic!("{text}: {problems:?}"));
        expand(&mut root, &["storage"], &variable, Found { problems: &mut problems, warnings: &mut warnings });
        let said = |list: Vec<Problem>| list.into_iter().map(|one| format!("{} {}", one.at, one.message)).collect();
        let value = root.entries().map(|entry| shown(&entry.node.value)).collect::<Vec<_>>().join("; ");
        (value, said(problems), said(warnings))
    }

    #[test]
    fn references_become_values() {
        let cases = [
            ("a: ${env:HOST}:4317", "0.0.0.0:4317"),
            ("a: ${HOST}:4317", "0.0.0.0:4317"),
            ("a: '${env:HOST}${env:HOST}'", "0.0.0.00.0.0.0"),
            ("a: ${env:NONE:-x:-y}", "x:-y"),
            ("a: ${NONE:-x}", "x"),
            ("a: ${env:NONE:-${env:HOST}}", "0.0.0.0"),
            ("a: ${env:EMPTY:-x}", "null"),
            ("a: x${env:EMPTY}y", "xy"),
            ("a: ${env:NONE:-}", "null"),
            ("a: ${env:LIST}", "[a|b]"),
            ("a: x${env:LIST}", "x[a, b]"),
            ("a: ${env:IPV6}", "[::1]:4317"),
            ("a: ${env:LINES}", "a\nstorage: {}"),
            ("a: $${env:HOST}", "${env:HOST}"),
            ("a: cost$$ $$$$", "cost$ $$"),
            ("a: ${1} $HOST ${a.b}", "${1} $HOST ${a.b}"),
            ("a: '^${1}$'", "^${1}$"),
            ("{a: ${env:NONE:-x, {y} # z}}", "x, {y} # z"),
            ("# ${env:\na: 1", "1"),
        ];
        for (text, value) in cases {
            assert_eq!(expanded(text), (value.to_owned(), Vec::new(), Vec::new()), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_replaced_is_said() {
        let unset = "environment variable NONE is not set; ${env:NONE:-value} gives it a default";
        let cases = [
            ("storage: {b: \"é ${env:NONE}\"}", vec![format!("1:17 {unset}")], vec![]),
            ("a: é ${env:NONE}", vec![], vec![format!("1:6 {unset}")]),
            ("a: ${env:HOST", vec!["1:4 `${env:` has no closing `}` on its line".into()], vec![]),
            ("a: '${env:}'", vec!["1:5 `` is not the name of an environment variable".into()], vec![]),
            ("a: '${env:1A}'", vec!["1:5 `1A` is not the name of an environment variable".into()], vec![]),
            ("a: ${file:/etc/x}", vec!["1:4 `${file:…}` is not there yet; `${env:NAME}` is".into()], vec![]),
        ];
        for (text, problems, warnings) in cases {
            let (_, found, warned) = expanded(text);
            assert_eq!((found, warned), (problems, warnings), "{text}");
        }
    }
}
