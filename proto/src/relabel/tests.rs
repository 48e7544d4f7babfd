//! Label sets before and after.

use serde_json::json;

use super::{LabelSet, Pattern, RelabelConfig, relabel};

fn step(written: serde_json::Value) -> Result<RelabelConfig, String> {
    serde_json::from_value(written).map_err(|error| error.to_string())
}

/// `a=1,b=2` in the order of names, or `dropped`.
fn after(before: &str, steps: &[serde_json::Value]) -> String {
    let pairs = before.split(',').filter_map(|pair| pair.split_once('='));
    let mut labels: LabelSet = pairs.collect();
    let steps: Vec<RelabelConfig> = steps.iter().map(|written| step(written.clone()).expect("valid")).collect();
    if !relabel(&mut labels, &steps) {
        return "dropped".into();
    }
    let mut pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.sort();
    pairs.join(",")
}

#[test]
fn every_action() {
    let before = "a=foo,b=bar,c=baz";
    let rows = [
        (
            json!({"source_labels": ["a"], "regex": "f(.*)", "target_label": "d", "replacement": "ch${1}-ch${1}"}),
            "a=foo,b=bar,c=baz,d=choo-choo",
        ),
        (
            json!({"source_labels": ["a", "b"], "regex": "foo;(.*)", "target_label": "b", "replacement": "$1$1"}),
            "a=foo,b=barbar,c=baz",
        ),
        (json!({"source_labels": ["a"], "regex": "o", "target_label": "d"}), before),
        (json!({"source_labels": ["none"], "target_label": "a"}), "b=bar,c=baz"),
        (json!({"target_label": "d", "replacement": "fixed"}), "a=foo,b=bar,c=baz,d=fixed"),
        (
            json!({"source_labels": ["a"], "regex": "(f)(?P<rest>.*)", "target_label": "${1}_$rest"}),
            "a=foo,b=bar,c=baz,f_oo=f",
        ),
        (json!({"source_labels": ["a"], "target_label": "d", "replacement": "$$x$1y"}), "a=foo,b=bar,c=baz,d=$x"),
        (json!({"source_labels": ["a"], "regex": "fo.", "action": "drop"}), "dropped"),
        (json!({"source_labels": ["a"], "regex": "f", "action": "drop"}), before),
        (json!({"source_labels": ["a"], "regex": "f", "action": "keep"}), "dropped"),
        (
            json!({"source_labels": ["a"], "action": "hashmod", "modulus": 1000, "target_label": "d"}),
            "a=foo,b=bar,c=baz,d=696",
        ),
        (json!({"regex": "(b|c)", "action": "labelmap", "replacement": "x_$1"}), "a=foo,b=bar,c=baz,x_b=bar,x_c=baz"),
        (json!({"regex": "b.*", "action": "labeldrop"}), "a=foo,c=baz"),
        (json!({"regex": "b.*", "action": "labelkeep"}), "b=bar"),
        (json!({"source_labels": ["a"], "action": "uppercase", "target_label": "a"}), "a=FOO,b=bar,c=baz"),
        (json!({"source_labels": ["a"], "action": "lowercase", "target_label": "d"}), "a=foo,b=bar,c=baz,d=foo"),
        (json!({"source_labels": ["a"], "action": "keepequal", "target_label": "b"}), "dropped"),
        (json!({"source_labels": ["a"], "action": "dropequal", "target_label": "b"}), before),
        (json!({"source_labels": ["a"], "action": "dropequal", "target_label": "a"}), "dropped"),
        (json!({"source_labels": ["a", "b"], "separator": "", "target_label": "d"}), "a=foo,b=bar,c=baz,d=foobar"),
    ];
    for (written, expected) in rows {
        assert_eq!(after(before, std::slice::from_ref(&written)), expected, "{written}");
    }
}

#[test]
fn what_cannot_be_is_refused_in_words() {
    let rows = [
        (
            json!({"action": "hashmod", "target_label": "a"}),
            "relabel configuration for hashmod requires non-zero modulus",
        ),
        (json!({}), "relabel configuration for replace action requires 'target_label' value"),
        (json!({"action": "lowercase"}), "relabel configuration for lowercase action requires 'target_label' value"),
        (
            json!({"action": "labeldrop", "regex": "a", "target_label": "b"}),
            "labeldrop action requires only 'regex', and no other fields",
        ),
        (json!({"action": "keepequal", "target_label": "b", "regex": "x"}), "keepequal action requires only"),
        (
            json!({"action": "uppercase", "target_label": "b", "replacement": "x"}),
            "'replacement' can not be set for uppercase action",
        ),
        (json!({"target_label": "b", "regex": "("}), "`(` is not a regular expression"),
        (json!({"action": "explode"}), "unknown variant"),
        (json!({"target_labels": "b"}), "unknown field"),
    ];
    for (written, words) in rows {
        let error = step(written.clone()).expect_err("invalid");
        assert!(error.contains(words), "{written}: {error}");
    }
}

#[test]
fn expressions_are_gos() {
    for (pattern, text, matches) in [
        ("a.c", "a\nc", true),
        ("\\Qa.c\\E.*", "a.cd", true),
        ("\\Qa.c\\E", "abc", false),
        ("{{.*}}", "{{x}}", true),
        ("a{2}", "aa", true),
        ("a{2,3}", "aaa", true),
        ("a{,3}", "a{,3}", true),
        ("[[:alpha:]]+", "abc", true),
        ("[[]+", "[[", true),
        ("[]a]+", "]a", true),
        ("\\p{Lu}x", "Äx", true),
        ("a|b", "ab", false),
        ("(?i)A", "a", true),
        ("[a&&b]+", "&&ab", true),
    ] {
        let pattern = Pattern::new(pattern).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(pattern.regex().is_match(text), matches, "{} {text}", pattern.text());
    }
}
