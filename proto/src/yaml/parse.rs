//! From text to a tree: anchors, aliases and merge keys are resolved, keys that are there twice are named.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput};

use super::{
    Entry, Node, Position, Problem, Value,
    expand::{shielded, unshielded},
    scalar::is_null,
};

/// Most values of a file, those that aliases repeat counted each time.
const VALUES_MAX: usize = 200_000;

/// The same for files of rules: ten thousand rules have some.
const PLAIN_VALUES_MAX: usize = 2_000_000;

/// How deep values may lie in each other: they are read by recursion.
const DEPTH_MAX: usize = 128;

/// Reads a text with references to the environment in it, which stay what they are until [`expand`](super::expand). What is wrong with
/// single keys is added to `problems`; of a text that is no YAML there is no tree.
pub fn parse(text: &str, problems: &mut Vec<Problem>) -> Option<Node> {
    read(&shielded(text), true, problems)
}

/// The same for a text without references: a `${` means nothing. What follows the first document is not read, as Prometheus does not.
pub fn parse_plain(text: &str, problems: &mut Vec<Problem>) -> Option<Node> {
    read(text, false, problems)
}

fn read(text: &str, is_shielded: bool, problems: &mut Vec<Problem>) -> Option<Node> {
    // A byte order mark is none of the file's text.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut tree = Tree {
        events: Parser::new_from_str(text),
        is_shielded,
        values_max: if is_shielded { VALUES_MAX } else { PLAIN_VALUES_MAX },
        anchors: HashMap::new(),
        values: 0,
        depth: 0,
        problems,
    };
    match tree.document() {
        Ok(node) => Some(node),
        Err(problem) => {
            tree.problems.push(problem);
            None
        }
    }
}

struct Tree<'t, 'p> {
    events: Parser<'t, StrInput<'t>>,
    /// Whether references were made harmless.
    is_shielded: bool,
    values_max: usize,
    anchors: HashMap<usize, (Node, usize)>,
    values: usize,
    depth: usize,
    problems: &'p mut Vec<Problem>,
}

/// How deep values lie in each other in a value that was read.
fn height(node: &Node) -> usize {
    match &node.value {
        Value::Null | Value::Scalar { .. } => 0,
        Value::List(items) => 1 + items.iter().map(height).max().unwrap_or(0),
        Value::Map(entries) => 1 + entries.iter().map(|entry| height(&entry.node)).max().unwrap_or(0),
    }
}

fn position(span: &Span) -> Position {
    Position { line: span.start.line() as u64, column: span.start.col() as u64 + 1 }
}

fn problem(at: Position, message: impl Into<String>) -> Problem {
    Problem { at, steps: Vec::new(), message: message.into() }
}

fn of_scan(error: &ScanError) -> Problem {
    let marker = error.marker();
    problem(Position { line: marker.line() as u64, column: marker.col() as u64 + 1 }, error.info())
}

impl<'t> Tree<'t, '_> {
    fn next(&mut self) -> Result<(Event<'t>, Span), Problem> {
        loop {
            match self.events.next_event() {
                Some(Ok((event, span))) if !is_presentation(&event) => return Ok((event, span)),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(of_scan(&error)),
                None => return Err(problem(Position { line: 1, column: 1 }, "the text ends too early")),
            }
        }
    }

    /// The only document; an empty text is an empty value.
    fn document(&mut self) -> Result<Node, Problem> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::DocumentEnd if root.is_some() && !self.is_shielded => {
                    return Ok(root.expect("it was looked at"));
                }
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
                Event::StreamEnd => {
                    return Ok(root.unwrap_or_else(|| Node::new(Position { line: 1, column: 1 }, Value::Null)));
                }
                _ if root.is_some() => {
                    return Err(problem(position(&span), "a second YAML document starts here; one is expected"));
                }
                event => root = Some(self.node(event, &span)?.0),
            }
        }
    }

    /// A value, and how many values it holds.
    fn node(&mut self, event: Event<'t>, span: &Span) -> Result<(Node, usize), Problem> {
        let at = position(span);
        self.count(1, at)?;
        let before = self.values;
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_text = tag.is_some_and(|tag| tag.core_suffix() == Some("str"));
                let is_plain = style == ScalarStyle::Plain && !is_text;
                let text = if self.is_shielded { unshielded(&text) } else { text.into_owned() };
                let value = if is_plain && is_null(&text) { Value::Null } else { Value::Scalar { text, is_plain } };
                (value, anchor)
            }
            Event::SequenceStart(_, anchor, _) => (self.deeper(at, Self::list)?, anchor),
            Event::MappingStart(_, anchor, _) => (self.deeper(at, Self::map)?, anchor),
            Event::Alias(anchor) => {
                let Some((node, count)) = self.anchors.get(&anchor).cloned() else {
                    return Err(problem(at, "this alias names a value that it is part of"));
                };
                self.count(count, at)?;
                if self.depth + height(&node) > DEPTH_MAX {
                    return Err(problem(at, format!("values lie deeper than {DEPTH_MAX} in each other")));
                }
                return Ok((Node { at, ..node }, count));
            }
            _ => return Err(problem(at, "a value is expected here")),
        };
        let node = Node::new(at, value);
        let count = self.values - before + 1;
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), count));
        }
        Ok((node, count))
    }

    fn count(&mut self, count: usize, at: Position) -> Result<(), Problem> {
        self.values += count;
        let max = self.values_max;
        if self.values > max { Err(problem(at, format!("more than {max} values"))) } else { Ok(()) }
    }

    fn deeper(
        &mut self,
        at: Position,
        read: impl FnOnce(&mut Self) -> Result<Value, Problem>,
    ) -> Result<Value, Problem> {
        if self.depth == DEPTH_MAX {
            return Err(problem(at, format!("values lie deeper than {DEPTH_MAX} in each other")));
        }
        self.depth += 1;
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn list(&mut self) -> Result<Value, Problem> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::List(items)),
                (event, span) => items.push(self.node(event, &span)?.0),
            }
        }
    }

    fn map(&mut self) -> Result<Value, Problem> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut merged = Vec::new();
        loop {
            let (event, span) = self.next()?;
            let at = position(&span);
            let is_plain = matches!(&event, Event::Scalar(_, ScalarStyle::Plain, ..));
            let key = match event {
                Event::MappingEnd => break,
                event => match self.node(event, &span)?.0.value {
                    Value::Scalar { text, .. } => text,
                    Value::Null => "null".to_owned(),
                    _ => return Err(problem(at, "a key is a text, not a list or a map")),
                },
            };
            let (event, span) = self.next()?;
            let (node, _) = self.node(event, &span)?;
            if key == "<<" && is_plain {
                merged.push(node);
            } else if entries.iter().any(|entry| entry.key == key) {
                self.problems.push(problem(at, format!("the key `{key}` is there twice")));
            } else {
                entries.push(Entry { key, at, node });
            }
        }
        for node in merged {
            merge(&mut entries, node)?;
        }
        Ok(Value::Map(entries))
    }
}

/// What is written beside the values.
fn is_presentation(event: &Event<'_>) -> bool {
    !event.is_node()
        && !matches!(
            event,
            Event::StreamStart
                | Event::StreamEnd
                | Event::DocumentStart(..)
                | Event::DocumentEnd
                | Event::SequenceEnd
                | Event::MappingEnd
        )
}

/// `<<: *anchor`: keys that are not there by themselves, of one map or several.
fn merge(entries: &mut Vec<Entry>, node: Node) -> Result<(), Problem> {
    match node.value {
        Value::Map(others) => {
            for other in others {
                if !entries.iter().any(|entry| entry.key == other.key) {
                    entries.push(other);
                }
            }
            Ok(())
        }
        Value::List(nodes) => nodes.into_iter().try_for_each(|node| merge(entries, node)),
        Value::Null => Ok(()),
        Value::Scalar { .. } => Err(problem(node.at, "`<<` is followed by an alias of a map, or a list of them")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(node: &Node) -> String {
        match &node.value {
            Value::Null => "null".into(),
            Value::Scalar { text, is_plain: true } => text.clone(),
            Value::Scalar { text, is_plain: false } => format!("{text:?}"),
            Value::List(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", ")),
            Value::Map(entries) => {
                let entries = entries.iter().map(|entry| format!("{}: {}", entry.key, shown(&entry.node)));
                format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
            }
        }
    }

    fn read(text: &str) -> (String, Vec<String>) {
        let mut problems = Vec::new();
        let node = parse(text, &mut problems);
        let problems = problems.iter().map(|problem| format!("{} {}", problem.at, problem.message));
        (node.as_ref().map_or_else(String::new, shown), problems.collect())
    }

    #[test]
    fn anchors_aliases_and_merge_keys_are_resolved() {
        let cases = [
            ("", "null"),
            ("# nothing\n", "null"),
            ("\u{feff}a: 1", "{a: 1}"),
            ("a: &x {b: 1, c: 2}\nd: *x", "{a: {b: 1, c: 2}, d: {b: 1, c: 2}}"),
            ("a: &x {b: 1, c: 2}\nd: {<<: *x, c: 3}", "{a: {b: 1, c: 2}, d: {c: 3, b: 1}}"),
            ("a: &x {b: 1}\ne: &y {b: 2, f: 3}\nd: {<<: [*x, *y]}", "{a: {b: 1}, e: {b: 2, f: 3}, d: {b: 1, f: 3}}"),
            ("a: 'null'\nb: ~\nc:\nd: !!str null", "{a: \"null\", b: null, c: null, d: \"null\"}"),
            ("a: |\n  one\n  two\n", "{a: \"one\\ntwo\\n\"}"),
            (
                "a: [${env:X}, ${env:Y:-b, c}]\nd: {e: ${env:Z}:1}",
                "{a: [${env:X}, ${env:Y:-b, c}], d: {e: ${env:Z}:1}}",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text), (expected.to_owned(), Vec::new()), "{text}");
        }
    }

    #[test]
    fn mistakes_have_their_places() {
        let cases = [
            (
                "a: 1\nb: 2\na: 3\nb: 4",
                "{a: 1, b: 2}",
                &["3:1 the key `a` is there twice", "4:1 the key `b` is there twice"][..],
            ),
            ("a: {}\n---\nb: 1\n", "", &["3:1 a second YAML document starts here; one is expected"]),
            ("a:\n  [b]: c", "", &["2:3 a key is a text, not a list or a map"]),
            ("a: {<<: 5}", "", &["1:9 `<<` is followed by an alias of a map, or a list of them"]),
        ];
        for (text, shown, problems) in cases {
            let (found, said) = read(text);
            assert_eq!(
                (found.as_str(), said.iter().map(String::as_str).collect::<Vec<_>>().as_slice()),
                (shown, problems),
                "{text}"
            );
        }
    }

    #[test]
    fn a_plain_text_has_no_references_and_one_document() {
        let mut problems = Vec::new();
        let node = parse_plain("a: ${b}\nc: '${env:D}'\n---\n[not, \"yaml", &mut problems).expect("a tree");
        assert_eq!((shown(&node).as_str(), problems), ("{a: ${b}, c: \"${env:D}\"}", Vec::new()));
    }

    #[test]
    fn what_aliases_multiply_is_bounded() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..9 {
            let items = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb.push_str(&format!("a{level}: &a{level} [{items}]\n"));
        }
        assert!(read(&bomb).1[0].ends_with("more than 200000 values"), "{:?}", read(&bomb).1);
        let deep = format!("a: {}{}", "[".repeat(5000), "]".repeat(5000));
        assert_eq!(read(&deep).1.len(), 1);
        let mut chain = String::from("a0: &a0 x\n");
        for level in 1..=DEPTH_MAX {
            chain.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
        }
        assert!(read(&chain).1[0].ends_with("deeper than 128 in each other"), "{:?}", read(&chain).1);
    }
}
