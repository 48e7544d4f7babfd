//! Writes a tree as text again, in block style.

use std::fmt::Write;

use super::{
    Node, Value,
    scalar::{boolean, float, is_null},
};

/// The text of a tree.
pub fn emit(root: &Node) -> String {
    let mut out = String::new();
    match &root.value {
        Value::Map(_) | Value::List(_) => block(root, 0, &mut out),
        Value::Null | Value::Scalar { .. } => out.push_str("{}\n"),
    }
    out
}

fn block(node: &Node, indent: usize, out: &mut String) {
    match &node.value {
        Value::Map(entries) => {
            for (index, entry) in entries.iter().enumerate() {
                // The first key of a list's item stands behind its dash.
                if index > 0 || !out.ends_with("- ") {
                    let _ = write!(out, "{:indent$}", "");
                }
                out.push_str(&scalar(&entry.key, true));
                out.push(':');
                value(&entry.node, indent, out);
            }
        }
        Value::List(items) => {
            for item in items {
                let _ = write!(out, "{:indent$}-", "");
                match &item.value {
                    Value::Map(entries) if !entries.is_empty() => {
                        out.push(' ');
                        block(item, indent + 2, out);
                    }
                    Value::List(items) if !items.is_empty() => {
                        out.push('\n');
                        block(item, indent + 2, out);
                    }
                    _ => {
                        let _ = writeln!(out, " {}", flat(item));
                    }
                }
            }
        }
        Value::Null | Value::Scalar { .. } => {}
    }
}

/// What stands behind a key's colon.
fn value(node: &Node, indent: usize, out: &mut String) {
    match &node.value {
        Value::Map(entries) if !entries.is_empty() => {
            out.push('\n');
            block(node, indent + 2, out);
        }
        Value::List(items) if !items.is_empty() => {
            out.push('\n');
            block(node, indent + 2, out);
        }
        Value::Null => out.push('\n'),
        _ => {
            let _ = writeln!(out, " {}", flat(node));
        }
    }
}

fn flat(node: &Node) -> String {
    match &node.value {
        Value::Null => "null".into(),
        Value::Scalar { text, is_plain } => scalar(text, *is_plain),
        Value::List(_) => "[]".into(),
        Value::Map(_) => "{}".into(),
    }
}

/// A text that was plain stays so, unless it cannot stand by itself on one line.
fn scalar(text: &str, is_plain: bool) -> String {
    let reads_as_other = is_null(text) || boolean(text).is_some() || float(text).is_some();
    let starts_as_other = text.starts_with(|c: char| "-?:,[]{}#&*!|>'\"%@` ".contains(c)) && float(text).is_none();
    let is_broken = text.contains(|c: char| c.is_control());
    let ends_early = text.contains(": ") || text.contains(" #") || text.ends_with([':', ' ']);
    if is_broken {
        return in_quotes(text);
    }
    let plain = !starts_as_other && !ends_early && !text.is_empty() && (is_plain || !reads_as_other);
    if plain { text.to_owned() } else { format!("'{}'", text.replace('\'', "''")) }
}

/// As JSON has it, which is YAML too.
fn in_quotes(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::{super::parse, *};

    #[test]
    fn what_is_written_reads_the_same() {
        let text = "a:\n  - b: 1\n    c: '5'\n    d:\n      - x\n      -\n        - y\n  - []\n  - plain text\n\
                    e: {}\nf:\ng: 'it''s # not: a comment'\nh: ${env:X:-1}:4317\ni: \"one\\ntwo\"\n'j: k': '*'\nl: -5\nm: ''\n";
        let mut problems = Vec::new();
        let node = parse(text, &mut problems).expect("YAML");
        assert_eq!((emit(&node).as_str(), problems), (text, Vec::new()));
    }
}
