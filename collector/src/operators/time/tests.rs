//! Times of every form, and what is none.

use super::*;

/// 2026-01-15T12:00:00Z.
const NOW_NS: u64 = 1_768_478_400_000_000_000;

fn parsed(kind: LayoutType, layout: &str, location: Option<&str>, value: Value<'_>) -> Result<u64, String> {
    let config = TimeConfig {
        parse_from: Some(Field::BODY),
        layout_type: kind,
        layout: Some(layout.into()),
        location: location.map(str::to_owned),
        ..TimeConfig::default()
    };
    let parser = TimeParser::new(&config)?;
    let mut entry = Entry::of_body(value, NOW_NS);
    parser.apply(&mut entry)?;
    Ok(entry.time_ns)
}

/// What RFC 3339 calls this time.
fn at(text: &str) -> Result<u64, String> {
    Ok(rfc3339(text).expect("a time") as u64)
}

#[test]
fn strptime_layouts() {
    let utc = Some("UTC");
    for (layout, text, expected) in [
        ("%Y-%m-%d %H:%M:%S", "2023-06-19 05:20:50", "2023-06-19T05:20:50Z"),
        ("%Y-%m-%dT%H:%M:%S.%LZ", "2022-01-02T14:24:56.123123123Z", "2022-01-02T14:24:56.123123123Z"),
        ("%Y-%m-%d %H:%M:%S.%f %z", "2022-01-02 07:24:56,123 -0700", "2022-01-02T14:24:56.123Z"),
        ("%a %b %e %H:%M:%S %Z %Y", "Fri Jun  5 13:50:27 EST 2020", "2020-06-05T18:50:27Z"),
        ("%d/%b/%Y:%H:%M:%S %z", "10/Oct/2000:13:55:36 -0700", "2000-10-10T20:55:36Z"),
        ("%m/%d/%y %I:%M %p", "6/5/20 01:05 PM", "2020-06-05T13:05:00Z"),
        ("%F %T", "2020-06-05 12:00:00.5", "2020-06-05T12:00:00.5Z"),
        ("%c", "Fri Jun 05 12:00:00 2020", "2020-06-05T12:00:00Z"),
        ("%b %d %H:%M:%S", "Jan 12 06:30:00", "2026-01-12T06:30:00Z"),
        ("%b %d %H:%M:%S", "Dec 31 06:30:00", "2025-12-31T06:30:00Z"),
        ("%Y-%m-%d %H:%M:%S %Z", "2020-06-05 12:00:00 GMT+3", "2020-06-05T09:00:00Z"),
        ("%Y-%m-%dT%H:%M:%S.%f%j", "2024-05-06T07:08:09+00:00", "2024-05-06T07:08:09Z"),
        ("%Y-%m-%d %H:%M:%S,%L", "2024-05-06 07:08:09", "2024-05-06T07:08:09Z"),
        ("%Y-%m-%d %H:%M:%S.%L", "2024-05-06 07:08:09.25", "2024-05-06T07:08:09.25Z"),
        ("%D %T", "05/06/2024 07:08:09", "2024-05-06T07:08:09Z"),
        ("%D %T", "05/06/24 07:08:09", "2024-05-06T07:08:09Z"),
        ("%Y%m%d", "20200605", "2020-06-05T00:00:00Z"),
        ("%Y-%m-%dT%H:%M:%S%j", "2020-06-05T00:00:00+02:00", "2020-06-04T22:00:00Z"),
    ] {
        assert_eq!(parsed(LayoutType::Strptime, layout, utc, Value::text(text)), at(expected), "{layout} {text}");
    }
}

#[test]
fn layouts_of_go() {
    for (layout, text, expected) in [
        ("Jan 2 15:04:05 MST 2006", "Jun 5 13:50:27 EST 2020", "2020-06-05T18:50:27Z"),
        (
            "2006-01-02T15:04:05.999999999Z07:00",
            "2024-04-13T07:59:37.505201169-05:00",
            "2024-04-13T12:59:37.505201169Z",
        ),
        ("2006-01-02 15:04:05.000", "2024-04-13 07:59:37.505", "2024-04-13T07:59:37.505Z"),
        ("2006-01-02 15:04:05", "2024-04-13 07:59:37,25", "2024-04-13T07:59:37.25Z"),
        ("2006-002 3:04pm", "2024-060 1:15pm", "2024-02-29T13:15:00Z"),
        ("Monday, 02-Jan-06 15:04:05 -0700", "Tuesday, 13-Apr-24 07:59:37 +0000", "2024-04-13T07:59:37Z"),
    ] {
        assert_eq!(parsed(LayoutType::Gotime, layout, Some("UTC"), Value::text(text)), at(expected), "{layout} {text}");
    }
}

#[test]
fn numbers_since_1970() {
    for (layout, value, expected) in [
        ("s", Value::Int(1_136_214_245), 1_136_214_245_000_000_000),
        ("ms", Value::Float(1_136_214_245_123.0), 1_136_214_245_123_000_000),
        ("us", Value::text("1136214245123456"), 1_136_214_245_123_456_000),
        ("ns", Value::text("1136214245123456789"), 1_136_214_245_123_456_789),
        ("s.ns", Value::text("1136214245.123456789"), 1_136_214_245_123_456_789),
        ("s.ms", Value::Float(1_136_214_245.125), 1_136_214_245_125_000_000),
        // No more than the layout says, and than a number of so many digits can.
        ("s", Value::Float(1_700_000_000.123), 1_700_000_000_123_000_000),
        ("s.ms", Value::Float(1_700_000_000.123), 1_700_000_000_123_000_000),
        ("s.us", Value::Float(1_700_000_000.123456), 1_700_000_000_123_456_000),
        ("s.ms", Value::Float(1_700_000_000.123_6), 1_700_000_000_124_000_000),
        // Beyond what can be said, the last that can.
        ("s", Value::Int(9_007_199_254_740_991), i64::MAX as u64),
        ("s", Value::Int(-5), 1),
    ] {
        assert_eq!(parsed(LayoutType::Epoch, layout, None, value), Ok(expected), "{layout}");
    }
}

#[test]
fn what_is_no_time_is_an_error() {
    for text in ["", "2020-13-01 00:00:00", "2020-02-30 00:00:00", "2020-01-01 24:00:00", "2020-01-01 00:00:00 x", "é"]
    {
        assert!(parsed(LayoutType::Strptime, "%Y-%m-%d %H:%M:%S", Some("UTC"), Value::text(text)).is_err(), "{text}");
    }
    assert!(parsed(LayoutType::Epoch, "s", None, Value::text("12x")).is_err());
    for (kind, layout, location) in [
        (LayoutType::Strptime, "%Q", None),
        (LayoutType::Strptime, "text", None),
        (LayoutType::Epoch, "m", None),
        (LayoutType::Strptime, "%Y", Some("Mars/Olympus")),
        (LayoutType::Strptime, "%Y", Some("../etc/passwd")),
    ] {
        assert!(parsed(kind, layout, location, Value::text("2020")).is_err(), "{layout}");
    }
}

#[test]
fn places_have_their_own_time() {
    let layout = "%Y-%m-%d %H:%M:%S";
    let berlin = |text| parsed(LayoutType::Strptime, layout, Some("Europe/Berlin"), Value::text(text));
    if berlin("2020-01-01 00:00:00").is_err() {
        println!("this machine has no time zone database: skipped");
        return;
    }
    assert_eq!(berlin("2020-01-01 12:00:00"), at("2020-01-01T12:00:00+01:00"));
    assert_eq!(berlin("2026-07-01 12:00:00"), at("2026-07-01T12:00:00+02:00"));
    // Abbreviations mean what the configuration says.
    let config = TimeConfig {
        parse_from: Some(Field::BODY),
        layout: Some("%Y-%m-%d %H:%M:%S %Z".into()),
        time_zone_locations: [("PDT".to_owned(), "Asia/Tokyo".to_owned())].into(),
        ..TimeConfig::default()
    };
    let mut entry = Entry::of_body(Value::text("2020-06-05 12:00:00 PDT"), NOW_NS);
    TimeParser::new(&config).expect("a layout").apply(&mut entry).expect("a time");
    assert_eq!(Ok(entry.time_ns), at("2020-06-05T12:00:00+09:00"));
    // The hour that comes twice is the first of the two.
    assert_eq!(berlin("2026-10-25 02:30:00"), at("2026-10-25T02:30:00+02:00"));
}
