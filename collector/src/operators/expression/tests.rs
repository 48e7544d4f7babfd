//! Expressions: what they give, and what is said of those that are none.

use super::*;

fn entry() -> Entry<'static> {
    let mut entry = Entry::of_body(Value::text("GET /cart 200"), 1);
    entry.attributes.set("level", Value::text("error"));
    entry.attributes.set("ms", Value::Int(12));
    entry.attributes.set("log.file.path", Value::text("/var/log/a.log"));
    entry.attributes.set("tags", Value::List(vec![Value::text("x"), Value::text("y")]));
    entry.resource.set("pod", Value::text("cart-1"));
    entry.severity_text = "WARN".into();
    entry
}

fn value(text: &str) -> Result<Value<'static>, String> {
    Expression::parse(text)?.value(&entry())
}

#[test]
fn what_they_give() {
    let cases = [
        ("true", true),
        ("body matches '^GET'", true),
        (r#"body matches "^\\w+ /cart""#, true),
        (r#"body matches "^\w+ /nowhere""#, false),
        ("body contains 'cart' and not (body endsWith '500')", true),
        ("body startsWith \"POST\" || attributes.ms >= 12", true),
        ("attributes['log.file.path'] == '/var/log/a.log'", true),
        ("attributes[\"level\"] in ['error', 'fatal']", true),
        ("attributes.level not in ['error']", false),
        ("attributes.nothing == nil", true),
        ("attributes.nothing?.deeper == nil", true),
        ("attributes.nothing?.deeper.still == nil", true),
        ("attributes[attributes.nothing] == nil", true),
        ("attributes.nothing matches 'x'", false),
        ("'ms' in attributes", true),
        ("resource.pod == \"cart-1\" && severity_text == 'WARN'", true),
        ("attributes.ms * 2 + 1 == 25", true),
        ("attributes.ms / 5 > 2.3", true),
        ("(attributes.nothing ?? 'd') == 'd'", true),
        ("attributes.ms > 10 ? true : false", true),
        ("len(attributes.tags) == 2 and attributes.tags[-1] == 'y'", true),
        ("upper(attributes.level) == 'ERROR'", true),
        ("int('12') == attributes.ms", true),
        ("not false and true", true),
        ("1 == 1.0", true),
        ("$body == body", true),
        ("`a\\d` == 'a\\\\d'", true),
    ];
    for (text, expected) in cases {
        assert_eq!(value(text), Ok(Value::Bool(expected)), "{text}");
    }
    assert_eq!(value("'a' + \"b\""), Ok(Value::text("ab")));
    assert_eq!(value("-attributes.ms"), Ok(Value::Int(-12)));
}

#[test]
fn kinds_that_do_not_fit_are_errors() {
    for text in [
        "attributes.nothing.deeper",
        "nil[0]",
        "attributes.ms matches 'x'",
        "attributes.nothing > 1",
        "not body",
        "body + 1",
        "attributes.tags[7]",
    ] {
        assert!(value(text).is_err(), "{text}");
    }
    assert!(Expression::parse("body").expect("read").is_true(&entry()).is_err());
}

#[test]
fn what_is_none_is_said_with_its_place() {
    let cases = [
        ("", "cannot read the expression at character 1: the expression ends too early"),
        ("body ==", "cannot read the expression at character 8: the expression ends too early"),
        ("bdy == 'x'", "cannot read the expression at character 1: `bdy` is not known"),
        ("body == 'x", "cannot read the expression at character 9: a quote is not closed"),
        (
            "body matches '('",
            "cannot read the expression at character 14: no regular expression: missing closing ): `(`",
        ),
        ("body body", "cannot read the expression at character 6: the expression should end here"),
        ("body == 'é' # 1", "cannot read the expression at character 13: `#` means nothing here"),
        ("now()", "cannot read the expression at character 1: there is no function `now`"),
    ];
    for (text, expected) in cases {
        let wrong = Expression::parse(text).expect_err(text);
        assert!(wrong.starts_with(expected), "{text}: {wrong}");
    }
    assert!(Expression::parse(&"(".repeat(10_000)).is_err());
    assert!(Expression::parse(&"!".repeat(10_000)).is_err());
}
