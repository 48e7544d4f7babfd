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
fn lists_and_maps() {
    for text in [
        "1..3 == [1, 2, 3]",
        "len(3..1) == 0",
        "[1, 2, 3, 4, 5][1:4] == [2, 3, 4] and [1, 2, 3][:-1] == [1, 2] and [1, 2][1:] == [2] and [1][:] == [1]",
        "'hello'[1:3] == 'el' and body[:3] == 'GET' and body[4:][:-4] == '/cart'",
        "[1, 2][5:9] == [] and [1, 2, 3][2:1] == []",
        "{a: 1, 'b': 2}.b == 2 and {'a': {b: [7]}}['a'].b[0] == 7",
        "{a: 1, b: 2} == {b: 2, a: 1} and 'a' in {a: nil} and not ('c' in {a: 1})",
        "all(attributes.tags, # in ['x', 'y']) and any(attributes.tags, {# == 'y'}) and none(attributes.tags, # == 'z')",
        "one([1, 2, 3], # > 2) and not one([1, 2, 3], # > 1)",
        "filter(0..9, {# % 2 == 0}) == [0, 2, 4, 6, 8]",
        "map(1..3, # * #index) == [0, 2, 6]",
        "map([{n: 1}, {n: 2}], .n) == [1, 2] and map([{n: {m: 3}}], {.n.m}) == [3]",
        "count([1, 2, 3], # > 1) == 2 and count([true, false, true]) == 2",
        "sum([1, 2, 3]) == 6 and sum([{n: 1}, {n: 2}], .n) == 3 and type(sum([1, 2.5])) == 'float'",
        "find([1, 2, 3, 4], # > 2) == 3 and find([1], # > 2) == nil",
        "findIndex([1, 2, 3, 4], # > 2) == 2 and findLast([1, 2, 3, 4], # > 2) == 4 and findLastIndex([1, 2], # > 0) == 1",
        "reduce(1..9, #acc + #) == 45 and reduce(1..3, #acc + #, 10) == 16",
        "groupBy([1, 2, 3], # % 2)['1'] == [1, 3]",
        "sort([3, 1, 2]) == [1, 2, 3] and sort([3, 1, 2], 'desc') == [3, 2, 1]",
        "map(sortBy([{n: 2}, {n: 1}], 'n'), .n) == [1, 2] and map(sortBy([{n: 2}, {n: 3}], .n, 'desc'), .n) == [3, 2]",
        "any(map(1..3, {map(1..2, # * 2)}), len(#) == 2)",
        "keys({a: 1, b: 2}) == ['a', 'b'] and values({a: 1}) == [1] and toPairs({a: 1}) == [['a', 1]]",
        "fromPairs([['a', 1]]).a == 1 and get({a: 1}, 'b') == nil and get([1], 7) == nil",
        "first([]) == nil and last([1, 2]) == 2 and take([1, 2, 3], 2) == [1, 2] and take([1], 9) == [1]",
        "concat([1], [2, 3]) == 1..3 and flatten([1, [2, [3]]]) == 1..3 and uniq([1, 1, 2]) == [1, 2] and reverse(1..2) == [2, 1]",
        "max(1, 7, 3) == 7 and min([4, 2]) == 2 and mean([1, 2, 3]) == 2 and median([5, 1, 2, 3]) == 2.5",
        "2 ^ 3 == 8 and bitand(6, 3) == 2 and bitshl(1, 4) == 16 and bitnot(0) == -1",
    ] {
        assert_eq!(value(text), Ok(Value::Bool(true)), "{text}");
    }
}

#[test]
fn texts_pipes_and_variables() {
    for text in [
        "split('a,b,c', ',') == ['a', 'b', 'c'] and split('a,b,c', ',', 2) == ['a', 'b,c'] and split('ab', '') == ['a', 'b']",
        "splitAfter('a,b', ',') == ['a,', 'b'] and split('', ',') == [''] and split('a', ',', 0) == []",
        "trim('__a__', '_') == 'a' and repeat('ab', 2) == 'abab' and join(['a', 'b']) == 'ab'",
        "body | split(' ') | len() == 3",
        "(body | lower() | split(' '))[0] == 'get'",
        "let parts = split(body, ' '); parts[0] == 'GET' and parts[2] == '200'",
        "let x = 2; let y = x * 3; let x = 1; x + y == 7",
        "map([1, 2], {let twice = # * 2; twice + 1}) == [3, 5]",
        "fromJSON('{\"a\": [1]}').a[0] == 1 and toBase64('hi') == 'aGk=' and fromBase64('aGk=') == 'hi'",
        "body | split(' ') | len() + 1 == 4 and (attributes.nothing | string() ?? 'x') == '<nil>'",
        "(1; 2) == 2 and string([1, 'a']) == '[1 a]' and string({b: 1, a: nil}) == 'map[a:<nil> b:1]'",
        r#""\x41" == 'A'"#,
        "toJSON([1]) == '[\n  1\n]'",
        "attributes.nothing?.deeper ?? attributes.level == 'error'",
    ] {
        assert_eq!(value(text), Ok(Value::Bool(true)), "{text}");
    }
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
        // A text has no members, whatever stands before the point.
        "attributes.level?.deeper",
        "any(attributes, # == 1)",
        "int(' 12')",
        "1..2.5",
        // More than a line may cost.
        "1..999999999",
        "map(1..9999, map(1..9999, #))",
        "repeat('x', 99999999)",
        "len(#)",
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
        ("body == 'é' # 1", "cannot read the expression at character 13: the expression should end here"),
        ("now()", "cannot read the expression at character 1: there is no function `now`"),
    ];
    for (text, expected) in cases {
        let wrong = Expression::parse(text).expect_err(text);
        assert!(wrong.starts_with(expected), "{text}: {wrong}");
    }
    assert!(Expression::parse(&"(".repeat(10_000)).is_err());
    assert!(Expression::parse(&"!".repeat(10_000)).is_err());
}
