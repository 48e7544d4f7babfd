//! Templates of alerts before and after.

use super::*;

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn sample(labels: &[(&str, &str)], value: f64) -> Sample {
    Sample { labels: pairs(labels), value }
}

fn answer(query: &str) -> Result<Vec<Sample>, String> {
    match query {
        "metric" => Ok(vec![
            sample(&[("__name__", "metric"), ("instance", "b"), ("__value__", "x")], 21.0),
            sample(&[("__name__", "metric"), ("instance", "a")], 11.0),
        ]),
        "none" => Ok(Vec::new()),
        other => Err(format!("1:1: parse error: {other}")),
    }
}

fn written_of(text: &str, value: &SampleValue) -> String {
    let labels = pairs(&[("instance", "localhost:9090"), ("job", "api"), ("odd", "<b>")]);
    let external_labels = pairs(&[("cluster", "eu")]);
    let data = TemplateData {
        labels: &labels,
        value,
        external_labels: &external_labels,
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
        let found = written_of(template, &SampleValue::Float(1234.5)).replace('\n', "⏎");
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
    for (value, text) in [
        (SampleValue::Float(f64::NAN), "NaN"),
        (SampleValue::Float(1e21), "1e+21"),
        (SampleValue::Float(100_000.0), "100000"),
        (SampleValue::Float(-0.00001), "-1e-05"),
        (SampleValue::Histogram("{count:3, sum:6, [1,2]:3}".into()), "{count:3, sum:6, [1,2]:3}"),
    ] {
        assert_eq!(written_of("{{ $value }}", &value), text);
        assert_eq!(written_of("{{ .Value }}", &value), text);
    }
    let error = written_of("{{ $value | humanize }}", &SampleValue::Histogram("{}".into()));
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
        labels: &[],
        value: &SampleValue::Float(1.0),
        external_labels: &[],
        external_url: "",
        at_ms: 0,
        alert: "A",
    };
    let mut ask = |_: &str| {
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
