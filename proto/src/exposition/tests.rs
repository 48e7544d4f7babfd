//! Bodies, and what is read of them.

use std::fmt::Write;

use super::{Entry, Exposition, TextFormat};

/// One line an entry.
fn shown(body: &[u8], format: TextFormat) -> String {
    let mut exposition = Exposition::new(body, format);
    let mut out = String::new();
    loop {
        match exposition.next(|_| None) {
            Ok(Some(Entry::Sample(sample))) => {
                let pairs: Vec<String> =
                    exposition.pairs().iter().map(|(name, value)| format!("{name}={value}")).collect();
                let _ = write!(out, "{} {}", pairs.join(","), sample.value);
                if let Some(time_ms) = sample.time_ms {
                    let _ = write!(out, " @{time_ms}");
                }
                if let Some(exemplar) = sample.exemplar {
                    let _ = write!(out, " # {} {} {:?}", exemplar.labels, exemplar.value, exemplar.time_ms);
                }
                out.push('\n');
            }
            Ok(Some(Entry::Help { family, text })) => {
                let _ = writeln!(out, "HELP {family} {text:?}");
            }
            Ok(Some(Entry::Type { family, metric_type })) => {
                let _ = writeln!(out, "TYPE {family} {}", metric_type.name());
            }
            Ok(Some(Entry::Unit { family, unit })) => {
                let _ = writeln!(out, "UNIT {family} {unit}");
            }
            Ok(None) => return out,
            Err(error) => {
                let _ = writeln!(out, "{error}");
                return out;
            }
        }
    }
}

fn text(body: &str) -> String {
    shown(body.as_bytes(), TextFormat::Prometheus)
}

fn open(body: &str) -> String {
    shown(body.as_bytes(), TextFormat::OpenMetrics)
}

#[test]
fn of_an_exemplars_labels_the_last_of_a_name_counts() {
    let line = "a_total 1 # {x=\"1\",y=\"2\",x=\"3\"} 1\n# EOF\n";
    assert_eq!(open(line), "__name__=a_total 1 # {x=\"3\", y=\"2\"} 1 None\n");
}

#[test]
fn the_older_format() {
    let body = "# HELP a \\\\ and \\n \\\"\n#\n# \n#HELP x\n# HELPx\n#\tTYPE a histogram\n\n  a_bucket{le=\"1\"} 5 12\na_bucket {\
                le = \"1e6\" , x=\"\\\"\\\\\\n\\y{}\",}\t+Inf\na_sum NaN \n{\"b.c\",\"l.m\"=\"v\"} 3\n{x=\"1\", \"b\"} 3\na_count 1";
    assert_eq!(
        text(body),
        "HELP a \"\\\\ and \\n \\\\\\\"\"\nTYPE a histogram\n__name__=a_bucket,le=1.0 5 @12\n\
         __name__=a_bucket,le=1e+06,x=\"\\\n\\y{} inf\n__name__=a_sum NaN\n__name__=b.c,l.m=v 3\n__name__=b,x=1 3\n\
         __name__=a_count 1\n"
    );
    assert_eq!(text("# TYPE \"u.m\" counter\n# HELP a\n"), "TYPE u.m counter\nHELP a \"\"\n");
    assert_eq!(text("a{b=\"c\" d=\"e\"} 1\n"), "__name__=a,b=c,d=e 1\n");
    assert!(open("a{b=\"c\" d=\"e\"} 1\n# EOF\n").starts_with("line 1: "));
}

#[test]
fn open_metrics() {
    let body = "# TYPE a_seconds counter\n# UNIT a_seconds seconds\n# HELP a_seconds \\\"q\\\"\n\
                a_seconds_total{x=\"y\"} 1 1.5 # {trace_id=\"t\"} 0.5 1.25\na_seconds_total 2 # {} 3\n\
                a_seconds_created 1520872607.123\n{\"q.r\",a=\"b\"} 1\n# EOF\n";
    assert_eq!(
        open(body),
        "TYPE a_seconds counter\nUNIT a_seconds seconds\nHELP a_seconds \"\\\"q\\\"\"\n\
         __name__=a_seconds_total,x=y 1 @1500 # {trace_id=\"t\"} 0.5 Some(1250)\n\
         __name__=a_seconds_total 2 # {} 3 None\n__name__=a_seconds_created 1520872607.123\n__name__=q.r,a=b 1\n"
    );
}

#[test]
fn what_prometheus_refuses() {
    for body in [
        "a",
        "a \n",
        "a b\n",
        "a 1 2 3\n",
        "a 1 -1\n",
        "a 1 1.5\n",
        "a{b=\"c\" 1\n",
        "a{b=c} 1\n",
        "a{b} 1\n",
        "{} 1\n",
        "{\"a\",\"b\"} 1\n",
        "a{\"b\"} 1\n",
        "1a 1\n",
        "a 0x1p3\n",
        "a 1_0\n",
        "a{b=\"c} 1\n",
        "# TYPE a foo\n",
        "# TYPE\ta  \
         counter\n",
        "# HELP 1\n",
        "a 1 # {} 1\n",
        "a 1\r\n",
        "# TYPE a\n",
        "a{1b=\"c\"} 1\n",
        "a{,} 1\n",
        "+ 1\n",
    ] {
        assert!(text(body).starts_with("line 1: "), "{body:?}: {}", text(body));
    }
    for body in [
        "a 1\n",
        "\n# EOF\n",
        "a  1\n# EOF\n",
        "a 1 \n# EOF\n",
        "a\t1\n# EOF\n",
        "# EOF\n\n",
        "# EOF\na 1\n",
        "#EOF\n",
        "# foo\n# EOF",
        "# TYPE a untyped\n# EOF",
        "# TYPE a\n# EOF",
        "# UNIT a seconds\n# EOF",
        "# UNIT seconds seconds\n# EOF",
        "a { b=\"c\"} 1\n# EOF",
        "a 1 # {\"x\"} 1\n# EOF",
        "a 1 # {x=\"y\"}\n# EOF",
        "a 1 NaN\n# EOF",
        "a{b=\"c\nd\"} 1\n# EOF",
        "a 1",
        "a{b=\"c\", d=\"e\"} 1\n# EOF",
        " a 1\n# EOF",
        "a 1 1 # {} 1 Inf\n# EOF",
    ] {
        assert!(open(body).contains("line "), "{body:?}: {}", open(body));
    }
    assert_eq!(shown(b"a{b=\"\xff\"} 1\n", TextFormat::Prometheus).lines().count(), 1);
    assert_eq!(text("a 1\nb x\n"), "__name__=a 1\nline 2: invalid value in \"b x\"\n");
}

#[test]
fn a_series_that_is_known_is_not_read() {
    let mut exposition = Exposition::new(b"a{b=\"c\"} 1\na{b=\"c\"} 2 7\n", TextFormat::Prometheus);
    for expected in [(1.0, None), (2.0, Some(7))] {
        let Ok(Some(Entry::Sample(sample))) = exposition.next(|rest| rest.starts_with(b"a{b=\"c\"}").then_some(8))
        else {
            panic!("a sample")
        };
        assert!(sample.is_recalled);
        assert_eq!((sample.value, sample.time_ms, sample.series), (expected.0, expected.1, &b"a{b=\"c\"}"[..]));
    }
}

/// Every prefix, and every byte flipped: an answer each time.
#[test]
fn broken_bodies_end_in_words() {
    let body = "# HELP a x\n# TYPE a summary\na{quantile=\"0.5\",x=\"\\\"\"} 1 12 # {t=\"u\"} 1 2\n{\"b\"} 2\n# EOF\n";
    for format in [TextFormat::Prometheus, TextFormat::OpenMetrics] {
        for end in 0..body.len() {
            shown(&body.as_bytes()[..end], format);
            for flip in [1, 0x20, 0x80] {
                let mut broken = body.as_bytes().to_vec();
                broken[end] ^= flip;
                shown(&broken, format);
            }
        }
    }
}

#[test]
fn real_bodies_are_read_whole() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/corpora/exposition");
    let Ok(files) = std::fs::read_dir(folder) else {
        println!("skipped: {folder} is not there");
        return;
    };
    for file in files {
        let path = file.expect("an entry").path();
        let body = std::fs::read(&path).expect("a file");
        let is_open = path.to_string_lossy().ends_with(".om.txt");
        let format = if is_open { TextFormat::OpenMetrics } else { TextFormat::Prometheus };
        let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty() && line[0] != b'#').count();
        let shown = shown(&body, format);
        let samples = shown.lines().filter(|line| line.starts_with("__name__=")).count();
        println!("{}: {samples} samples", path.display());
        assert!(!shown.lines().any(|line| line.starts_with("line ")), "{}", shown.lines().last().unwrap_or_default());
        assert_eq!(samples, lines, "{}", path.display());
    }
}
