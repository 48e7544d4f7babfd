//! Templates before and after: what Go's own `text/template` writes, and says.

use std::collections::BTreeMap;

use super::*;

struct Data;

impl Host for Data {
    fn field(&mut self, name: &str) -> Result<Value, String> {
        match name {
            "Name" => Ok(Value::Text("cart".into())),
            "Count" => Ok(Value::Int(3)),
            "Value" => Ok(Value::Float(1234.5)),
            "Labels" => Ok(Value::Labels(BTreeMap::from([
                ("job".to_owned(), "api".to_owned()),
                ("instance".to_owned(), "a:1".to_owned()),
            ]))),
            "List" => Ok(Value::List(vec![Value::Text("x".into()), Value::Text("y".into()), Value::Text("z".into())])),
            "Empty" => Ok(Value::List(Vec::new())),
            "Yes" => Ok(Value::Bool(true)),
            other => Err(format!("can't evaluate field {other} in type main.Data")),
        }
    }

    fn whole(&mut self) -> Value {
        Value::Record("main.Data", vec![("Name", Value::Text("cart".into())), ("Count", Value::Int(3))])
    }

    fn signature(&self, name: &str) -> Option<Signature> {
        builtins::signature(name)
    }

    fn call(&mut self, name: &str, arguments: &[Value]) -> Result<Value, String> {
        builtins::call(name, arguments).expect("only builtins have a signature")
    }
}

fn written(text: &str) -> String {
    let is_function = |name: &str| builtins::signature(name).is_some();
    let template = match Template::read("t", text, &is_function) {
        Ok(template) => template,
        Err(error) => return format!("! {error}"),
    };
    let mut out = String::new();
    match template.write(&mut Data, Bounds { steps_max: 10_000, bytes_max: 10_000 }, &mut out) {
        Ok(()) => out,
        Err(failure) => format!("! {failure}"),
    }
}

/// Two lines for each: the template, and what it writes. `⏎` is a line's end.
#[test]
fn templates_write_what_go_writes() {
    let script = include_str!("tests.txt");
    let mut lines = script.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let (mut count, mut wrong) = (0, Vec::new());
    while let (Some(template), Some(expected)) = (lines.next(), lines.next()) {
        let expected = expected.strip_prefix("=> ").unwrap_or_else(|| panic!("no => below {template}"));
        let found = written(&template.replace('⏎', "\n")).replace('\n', "⏎");
        if found != expected {
            wrong.push(format!("{template}\n   {found}\n=> {expected}"));
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count > 100, "{count}");
}

#[test]
fn what_would_grow_is_refused() {
    let many = format!("{}x{}", "{{if .Yes}}".repeat(1000), "{{end}}".repeat(1000));
    assert!(written(&many).contains("nested deeper"), "{}", written(&many));
    let many = format!("{{{{ {}1{} }}}}", "(".repeat(1000), ")".repeat(1000));
    assert!(written(&many).contains("nested deeper"));
    let many = format!("{}{{{{end}}}}", "{{if .Yes}}x{{else if .Yes}}".to_string() + &"{{else if .Yes}}".repeat(1000));
    assert!(written(&many).contains("nested deeper"));
    assert!(written(r#"{{define "a"}}{{template "a" .}}{{end}}{{template "a" .}}"#).contains("maximum template depth"));
    assert!(written("{{ range 9000 }}{{ range 9000 }}x{{end}}{{end}}").contains("steps"));
    assert!(written("{{ range 9000 }}{{ printf \"%9000d\" 1 }}{{end}}").contains("bytes"));
    assert!(written(r#"{{ printf "%999999999d" 1 }}"#).contains("a width of more than"));
}
