//! Messages before and after, and streams of them.

use prost::Message as _;

use super::*;
use crate::{
    otlp::messages::{
        collector::logs::v1::ExportLogsServiceRequest,
        common::v1::{AnyValue, KeyValue, any_value::Value},
    },
    time::SECOND_NS,
};

/// 2023-11-14T22:13:20Z.
const NOW_NS: u64 = 1_700_000_000 * SECOND_NS;

fn value(value: &Option<AnyValue>) -> String {
    match value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::KvlistValue(list)) => format!("{{{}}}", pairs(&list.values)),
        other => format!("{other:?}"),
    }
}

fn pairs(attributes: &[KeyValue]) -> String {
    attributes.iter().map(|pair| format!("{}={}", pair.key, value(&pair.value))).collect::<Vec<_>>().join("|")
}

/// Time, severity, attributes, ids of a message; its body must be as it came.
fn shown(raw: &[u8], protocol: Protocol) -> String {
    let mut messages = Messages::new(Options { protocol, offset_s: 0 }, 100);
    messages.push(raw, Origin { now_ns: NOW_NS, ..Origin::default() });
    let request = ExportLogsServiceRequest::decode(&messages.finish()[..]).expect("protobuf");
    let logs = &request.resource_logs[0];
    let line = &logs.scope_logs[0].log_records[0];
    assert_eq!(value(&line.body), String::from_utf8_lossy(raw));
    let hex = |id: &[u8]| id.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let since_ns = line.time_unix_nano as i64 - NOW_NS as i64;
    let time = if line.time_unix_nano == 0 { "-".to_owned() } else { format!("{}ms", since_ns / 1_000_000) };
    let ids = format!("{}{}", hex(&line.trace_id), hex(&line.span_id));
    format!("{time} {}/{} {} {ids}", line.severity_number, line.severity_text, pairs(&line.attributes))
        .trim()
        .to_owned()
}

#[test]
fn the_newer_form_is_read() {
    let rows = [
        (
            "<34>1 2023-11-14T22:13:19.003Z mymachine.example.com su - ID47 - \u{feff}'su root' failed for lonvick on /dev/pts/8",
            "-997ms 18/crit appname=su|hostname=mymachine.example.com|message='su root' failed for lonvick on /dev/pts/8|msg_id=ID47|facility=4|facility_text=auth|priority=34|version=1",
        ),
        (
            r#"<165>1 2023-11-14T22:13:20Z h evntslog 77 ID47 [ex@32473 iut="3" eventSource="A\"p\]\\p\x"][p@1 class="high"] An event"#,
            r#"0ms 10/notice appname=evntslog|hostname=h|message=An event|msg_id=ID47|proc_id=77|facility=20|facility_text=local4|priority=165|version=1|structured_data={ex@32473={iut=3|eventSource=A"p]\p\x}|p@1={class=high}}"#,
        ),
        (
            r#"<14>1 - - - - - [opentelemetry trace_id="4bf92f3577b34da6a3ce929d0e0e4736" span_id="00f067aa0ba902b7"]"#,
            "- 9/info facility=1|facility_text=user|priority=14|version=1|structured_data={opentelemetry={trace_id=4bf92f3577b34da6a3ce929d0e0e4736|span_id=00f067aa0ba902b7}} 4bf92f3577b34da6a3ce929d0e0e473600f067aa0ba902b7",
        ),
        ("<0>1 - h a - - -", "- 21/emerg appname=a|hostname=h|facility=0|facility_text=kern|priority=0|version=1"),
        ("<191>1 yesterday h a - - - x", "- 0/ syslog.defect=a time that is none"),
        ("<14>1 - h a - - [broken x", "- 0/ syslog.defect=structured data that is none"),
        ("<14>1 - h a - - [id a=\"b\\\"] x", "- 0/ syslog.defect=structured data that is none"),
        ("<14>1 - h a - -", "- 0/ syslog.defect=structured data that is none"),
        ("<14>1 -", "- 0/ syslog.defect=no host"),
        ("<14>2 - h a - - - x", "- 0/ syslog.defect=an unknown version"),
        ("<14>2", "- 0/ syslog.defect=an unknown version"),
        // Cisco's, which counts its messages.
        (
            "<189>12: *Nov 14 22:13:20.123: %SYS-5-CONFIG_I: Configured",
            "123ms 10/notice appname=%SYS-5-CONFIG_I|message=Configured|facility=23|facility_text=local7|priority=189",
        ),
        (
            "<34>12: %SYS-5-X: no time",
            "- 18/crit message=12: %SYS-5-X: no time|facility=4|facility_text=auth|priority=34",
        ),
        ("<192>1 - h a - - - x", "- 0/ syslog.defect=no priority"),
        ("<>1 - h", "- 0/ syslog.defect=no priority"),
        ("GET / HTTP/1.1", "- 0/ syslog.defect=no priority"),
        ("\u{0}\u{0}", "- 0/ syslog.defect=no priority"),
    ];
    for (raw, expected) in rows {
        assert_eq!(shown(raw.as_bytes(), Protocol::Rfc5424), expected, "{raw}");
    }
    let odd = shown(b"<14>1 - h a - - - caf\xe9", Protocol::Rfc5424);
    assert!(
        odd.ends_with(
            "message=caf\u{fffd}|facility=1|facility_text=user|priority=14|version=1|syslog.defect=not UTF-8"
        ),
        "{odd}"
    );
}

#[test]
fn the_older_form_is_read_as_far_as_it_is_there() {
    let rows = [
        (
            "<34>Nov 14 22:13:19 mymachine su[42]: 'su root' failed",
            "-1000ms 18/crit appname=su|hostname=mymachine|message='su root' failed|proc_id=42|facility=4|facility_text=auth|priority=34",
        ),
        (
            "<13>Nov  4 22:13:20 h app: x",
            "-864000000ms 10/notice appname=app|hostname=h|message=x|facility=1|facility_text=user|priority=13",
        ),
        (
            "<13>Nov 4 22:13:20 h app: x",
            "-864000000ms 10/notice appname=app|hostname=h|message=x|facility=1|facility_text=user|priority=13",
        ),
        // Not of a year to come: of the last one.
        (
            "<13>Dec 14 22:13:20 h x",
            "-28944000000ms 10/notice hostname=h|message=x|facility=1|facility_text=user|priority=13",
        ),
        (
            "<13>Nov 14 22:13:20.5 h a/b.c-d: x",
            "500ms 10/notice appname=a/b.c-d|hostname=h|message=x|facility=1|facility_text=user|priority=13",
        ),
        (
            "<13>2023-11-14T22:13:20+00:00 h app[1]: x",
            "0ms 10/notice appname=app|hostname=h|message=x|proc_id=1|facility=1|facility_text=user|priority=13",
        ),
        (
            "<13>Nov 14 22:13:20 app[1]: no host",
            "0ms 10/notice appname=app|message=no host|proc_id=1|facility=1|facility_text=user|priority=13",
        ),
        ("<125>x", "- 10/notice message=x|facility=15|facility_text=cron2|priority=125"),
        (
            "<13>just a text: with a colon",
            "- 10/notice message=just a text: with a colon|facility=1|facility_text=user|priority=13",
        ),
        (
            "<13>Feb 30 22:13:20 h app: x",
            "- 10/notice message=Feb 30 22:13:20 h app: x|facility=1|facility_text=user|priority=13",
        ),
        ("<13>", "- 10/notice facility=1|facility_text=user|priority=13"),
        (
            "<13>1 2023-11-14T22:13:20Z h a - - - newer",
            "0ms 10/notice appname=a|hostname=h|message=newer|facility=1|facility_text=user|priority=13|version=1",
        ),
    ];
    for (raw, expected) in rows {
        assert_eq!(shown(raw.as_bytes(), Protocol::Rfc3164), expected, "{raw}");
    }
    let berlin = Options { protocol: Protocol::Rfc3164, offset_s: 3600 };
    let message = parse(b"<13>Nov 14 23:13:20 h app: x", berlin, NOW_NS).expect("a message");
    assert_eq!(message.time_ns, NOW_NS);
    let new_year = parse(b"<13>Jan  1 00:00:10 h app: x", Options::default(), 1_704_067_199 * SECOND_NS);
    assert_eq!(new_year.expect("a message").time_ns, 1_704_067_210 * SECOND_NS, "their clock goes ahead");
}

/// The messages of a stream that comes in pieces of so many bytes.
fn messages(stream: &[u8], piece: usize, bytes_max: usize) -> Vec<String> {
    let mut framing = Framing::new(bytes_max);
    let (mut found, mut buffer) = (Vec::new(), Vec::new());
    let mut pieces = stream.chunks(piece);
    let mut is_end = false;
    loop {
        match framing.step(&buffer, is_end) {
            Step::More if is_end => return found,
            Step::More => match pieces.next() {
                Some(piece) => buffer.extend_from_slice(piece),
                None => is_end = true,
            },
            Step::Skip(bytes) => drop(buffer.drain(..bytes)),
            Step::Message { from, to, consumed, is_cut } => {
                let cut = if is_cut { "…" } else { "" };
                found.push(format!("{}{cut}", String::from_utf8_lossy(&buffer[from..to])));
                buffer.drain(..consumed);
            }
        }
    }
}

#[test]
fn messages_are_cut_out_of_a_stream_however_they_stand_in_it() {
    let rows: [(&str, &[&str]); 12] = [
        ("<1>a\n<2>b\r\n\n<3>c", &["<1>a", "<2>b", "<3>c"]),
        ("5 <1>a\n4 <2>b", &["<1>a", "<2>b"]),
        ("7 <1>a\nbc<2>x\n4 <3>y\n", &["<1>a\nbc", "<2>x", "<3>y"]),
        ("404 not found\n4 <1>a", &["404 not found", "<1>a"]),
        ("999999999 <13>too long\n<1>next\n", &["999999999 <13>too long", "<1>next"]),
        ("99999999999999999999 <13>x\n<1>next\n", &["99999999999999999999 <13>x", "<1>next"]),
        ("20 <1>cut off", &["<1>cut off…"]),
        (
            "0123456789012345678901234567890123456789 the rest\n<1>next\n",
            &["01234567890123456789012345678901…", "<1>next"],
        ),
        ("32 <1>45678901234567890123456789012<2>x", &["<1>45678901234567890123456789012", "<2>x"]),
        ("4", &["4"]),
        ("", &[]),
        ("\n\n", &[]),
    ];
    for (stream, expected) in rows {
        for piece in [1, 2, 3, 7, 1000] {
            assert_eq!(messages(stream.as_bytes(), piece, 32), expected, "{stream:?} by {piece}");
        }
    }
}
