//! Templates of alerts before and after.

use std::sync::Arc;

use weir_proto::metrics::Histogram;

use super::*;

fn labels_of(pairs: &[(&str, &str)]) -> Labels {
    Labels::new(pairs.iter().copied()).expect("a set of labels")
}

fn answer(query: &Query) -> Result<Vec<(Labels, Point)>, String> {
    match query.printed().as_deref() {
        Some("metric") => Ok(vec![
            (labels_of(&[("__name__", "metric"), ("instance", "b"), ("__value__", "x")]), Point::Float(21.0)),
            (labels_of(&[("__name__", "metric"), ("instance", "a")]), Point::Float(11.0)),
        ]),
        _ => Ok(Vec::new()),
    }
}

fn written_of(text: &str, value: &Point) -> String {
    let labels = labels_of(&[("instance", "localhost:9090"), ("job", "api"), ("odd", "<b>")]);
    let data = TemplateData {
        labels: &labels,
        value,
        external_labels: &[("cluster".to_owned(), "eu".to_owned())],
        external_url: "http://weir.example:4320/prometheus",
        at_ms: 1_435_065_584_128,
        alert: "Down",
    };
    expand(text, &data, &mut answer).unwrap_or_else(|error| format!("! {error}"))
}

/// Two lines for each: the template, and what it writes of the value 1234.5.
#[test]
fn templates_write_what_the_reference_says() {
    let script = include_str!("tests.txt");
    let mut lines = script.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let (mut count, mut wrong) = (0, Vec::new());
    while let (Some(template), Some(expected)) = (lines.next(), lines.next()) {
        let expected = expected.strip_prefix("=> ").unwrap_or_else(|| panic!("no => below {template}"));
        let found = written_of(template, &Point::Float(1234.5)).replace('\n', "⏎");
        if found != expected {
            wrong.push(format!("{template}\n   {found}\n=> {expected}"));
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count > 50, "{count}");
}

#[test]
fn values_are_what_they_are() {
    let histogram = Point::Histogram(Arc::new(Histogram { count: 3.0, sum: 6.0, ..Histogram::default() }));
    for (value, text) in [
        (Point::Float(f64::NAN), "NaN"),
        (Point::Float(1e21), "1e+21"),
        (Point::Float(100_000.0), "100000"),
        (Point::Float(-0.00001), "-1e-05"),
        (histogram.clone(), "{count:3, sum:6}"),
    ] {
        assert_eq!(written_of("{{ $value }}", &value), text);
        assert_eq!(written_of("{{ .Value }}", &value), text);
    }
    let error = written_of("{{ $value | humanize }}", &histogram);
    assert!(error.ends_with("error calling humanize: can't convert *histogram.FloatHistogram to float"), "{error}");
}

#[test]
fn problems_are_found_before() {
    assert_eq!(problem("plain", "A"), None);
    assert_eq!(problem("{{ $labels.a }} {{ query \"x\" | first | value }}", "A"), None);
    for (text, expected) in [
        ("{{ foo }}", "template: __alert_A:1: function \"foo\" not defined"),
        ("x\n{{ $foo }}", "template: __alert_A:2: undefined variable \"$foo\""),
        ("{{ if }}", "template: __alert_A:1: missing value for if"),
        ("{{ $labels.a ", "template: __alert_A:1: unclosed action"),
    ] {
        assert_eq!(problem(text, "A").as_deref(), Some(expected));
    }
}

#[test]
fn what_would_go_on_is_stopped() {
    let mut asked = 0;
    let data = TemplateData {
        labels: &Labels::default(),
        value: &Point::Float(1.0),
        external_labels: &[],
        external_url: "",
        at_ms: 0,
        alert: "A",
    };
    let mut ask = |_: &Query| {
        asked += 1;
        Ok(Vec::new())
    };
    let error = expand("{{ range 5000 }}{{ query \"x\" }}{{ end }}", &data, &mut ask).unwrap_err();
    assert!(error.contains("more than 100 queries"), "{error}");
    assert_eq!(asked, 100);
    for text in [
        "{{ range 90000 }}{{ range 90000 }}{{ end }}{{ end }}",
        "{{ range 90000 }}{{ printf \"%9999d\" 1 }}{{ end }}",
        "{{ define \"a\" }}{{ template \"a\" }}{{ end }}{{ template \"a\" }}",
        "{{ printf \"%1000000000d\" 1 }}",
    ] {
        let error = expand(text, &data, &mut |_| Ok(Vec::new())).unwrap_err();
        assert!(error.starts_with("error executing template __alert_A: template: __alert_A:1:"), "{error}");
    }
}
