//! Severities in OTLP's numbers, of words and of the numbers that loggers and syslog have.

/// OTLP's SeverityNumber of a word, in any case: `WRN` is 13, whatever is not known 0.
pub fn severity_of_word(word: &[u8]) -> u8 {
    const WORDS: [(&str, u8); 24] = [
        ("trace", 1),
        ("trc", 1),
        ("verbose", 1),
        ("debug", 5),
        ("dbg", 5),
        ("info", 9),
        ("inf", 9),
        ("information", 9),
        ("informational", 9),
        ("notice", 10),
        ("warn", 13),
        ("wrn", 13),
        ("warning", 13),
        ("error", 17),
        ("err", 17),
        ("eror", 17),
        ("severe", 17),
        ("critical", 18),
        ("crit", 18),
        ("alert", 19),
        ("fatal", 21),
        ("panic", 21),
        ("emerg", 21),
        ("emergency", 21),
    ];
    let word = word.trim_ascii();
    if !(3..=13).contains(&word.len()) {
        return 0;
    }
    WORDS.iter().find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(word)).map_or(0, |(_, number)| *number)
}

/// OTLP's SeverityNumber of a level as pino and bunyan number them; 0 for other numbers.
pub fn severity_of_level(level: i64) -> u8 {
    match level {
        10 => 1,
        20 => 5,
        30 => 9,
        40 => 13,
        50 => 17,
        60 => 21,
        _ => 0,
    }
}

/// OTLP's SeverityNumber and the keyword of a severity of syslog (RFC 5424, section 6.2.1), 0 to 7.
pub fn severity_of_syslog(severity: u8) -> (u8, &'static str) {
    const ROWS: [(u8, &str); 8] = [
        (21, "emerg"),
        (19, "alert"),
        (18, "crit"),
        (17, "err"),
        (13, "warning"),
        (10, "notice"),
        (9, "info"),
        (5, "debug"),
    ];
    ROWS[usize::from(severity & 7)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otlp::logs::{level_of_severity, level_of_word};

    #[test]
    fn words_have_the_severity_of_their_level() {
        for word in ["trace", "DEBUG", "Information", "wrn", "ERROR", " err ", "fatal", "notice"] {
            let number = severity_of_word(word.as_bytes());
            assert_eq!(level_of_severity(number.into()), level_of_word(word.as_bytes()), "{word}");
        }
        assert_eq!([severity_of_word(b"critical"), severity_of_word(b"E"), severity_of_word(b"whatever")], [18, 0, 0]);
        assert_eq!([severity_of_level(30), severity_of_level(31)], [9, 0]);
        assert_eq!(severity_of_syslog(3), (17, "err"));
    }
}
