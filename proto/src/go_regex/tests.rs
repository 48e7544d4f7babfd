//! Patterns of Go's beside what they find, and what is wrong with others.

use regex::Regex;

use super::{replacement, translate};

fn compiled(pattern: &str) -> Regex {
    let text = translate(pattern).expect(pattern).text;
    Regex::new(&text).unwrap_or_else(|error| panic!("{pattern} became {text}: {error}"))
}

/// What a pattern finds first in a text, as Go's `FindString`.
#[test]
fn what_is_found_is_what_go_finds() {
    for (pattern, text, found) in [
        // Braces that repeat nothing.
        (r"^{.*}$", "{a}", Some("{a}")),
        (r#"{"a":\d+}"#, r#"x{"a":12}"#, Some(r#"{"a":12}"#)),
        ("a{", "a{", Some("a{")),
        ("a{,2}", "aa{,2}", Some("a{,2}")),
        ("x{1", "x{1", Some("x{1")),
        ("a{2}", "aaa", Some("aa")),
        ("a{2,}?", "aaa", Some("aa")),
        // Classes.
        (r"[\w-.]+", "!a-b.c!", Some("a-b.c")),
        (r"[\w-\.]+", "!a-b.c!", Some("a-b.c")),
        (r"[\s-:]+", "x - :x", Some(" - :")),
        (r"[\d-T]+", "x2024-01T5Z", Some("2024-01T5")),
        (r"[^[]+", "[ab[", Some("ab")),
        (r"[[a]+", "x[a[x", Some("[a[")),
        (r"[(){}[\]]+", "x([{}])x", Some("([{}])")),
        ("[a&&b]+", "xa&bx", Some("a&b")),
        ("[&&]", "&", Some("&")),
        ("[--/]+", "a-./,", Some("-./")),
        ("[!--]+", "a!+-.", Some("!+-")),
        ("[a~~b]+", "xa~bx", Some("a~b")),
        ("[]a]+", "x]a", Some("]a")),
        ("[^]a]+", "]xa", Some("x")),
        ("[a-]+", "xa-b", Some("a-")),
        ("[-a]+", "xa-b", Some("a-")),
        (r"[\x41-\x{43}]+", "xABCD", Some("ABC")),
        (r"[\]\[^-]+", "a]^-[", Some("]^-[")),
        (r"[[:alpha:][:^print:]]+", "1ab2", Some("ab")),
        (r"[[:]+", "a[:", Some("[:")),
        (r"[\D]+", "1ab2", Some("ab")),
        (r"[^\W]+", "!ab!", Some("ab")),
        (r"[#\- ]+", "a# -b", Some("# -")),
        ("[^a]", "\n", Some("\n")),
        // Classes of letters are ASCII.
        (r"\w+ (\d+)", "naïve 12", Some("ve 12")),
        (r"\d+", "٣4", Some("4")),
        (r"a\s", "a\u{a0}", None),
        (r"\s", "\u{b}", None),
        (r"[^\w ]+", "aé b", Some("é")),
        (r"\W", "é", Some("é")),
        (r"\bb", "éb", Some("b")),
        (r"x\By", "xy", Some("xy")),
        (r"(?i)STRASSE", "strasse", Some("strasse")),
        // Quoted.
        (r"\Qa.b{\E+", "a.b{{", Some("a.b{{")),
        (r"\Q[x", "[x", Some("[x")),
        // Groups.
        (r"^(?P<a>\d+)|(?P<a>[a-z]+)$", "ab", Some("ab")),
        (r"(?P<1x>\d+)", "a12", Some("12")),
        ("(?)a", "a", Some("a")),
        ("(?ii-s:A.)", "ab", Some("ab")),
        ("(?s)a.b", "a\nb", Some("a\nb")),
        ("a.b", "a\nb", None),
        ("(?:a|b)+?", "ab", Some("a")),
        // Escapes.
        (r"\101\x42\x{43}\_\<\-", "ABC_<-", Some("ABC_<-")),
        (r"\pL\p{Greek}\p{^Greek}\PL", "aβa1", Some("aβa1")),
        (r"\A\a?\f?\n?\r?\t?\v?x\z", "x", Some("x")),
        ("a b#c", "a b#c", Some("a b#c")),
        ("]}", "]}", Some("]}")),
    ] {
        assert_eq!(compiled(pattern).find(text).map(|found| found.as_str()), found, "{pattern} in {text}");
    }
}

#[test]
fn groups_keep_the_names_that_they_were_given() {
    let names = |pattern| -> Vec<String> {
        let translated = translate(pattern).expect(pattern);
        assert_eq!(Regex::new(&translated.text).expect(pattern).captures_len(), translated.names.len());
        translated.names.into_iter().map(Option::unwrap_or_default).collect()
    };
    assert_eq!(names(r"(?P<a>\d)|(?<a>x)(y)(?:z)[(](?P<1x>.)"), ["", "a", "a", "", "1x"]);
    assert_eq!(names(r"\(\Q(\E(?i:b)"), [""]);
}

#[test]
fn what_is_wrong_is_told_in_gos_words() {
    for (pattern, error) in [
        ("(.*", "missing closing ): `(.*`"),
        ("b)", "unexpected ): `b)`"),
        ("a)(b", "unexpected ): `a)(b`"),
        ("a**", "invalid nested repetition operator: `**`"),
        ("a{2}{3}", "invalid nested repetition operator: `{2}{3}`"),
        ("*b", "missing argument to repetition operator: `*`"),
        ("(|*)", "missing argument to repetition operator: `*`"),
        (r"a\E*", r"invalid escape sequence: `\E`"),
        ("a|+", "missing argument to repetition operator: `+`"),
        ("(?x)a", "invalid or unsupported Perl syntax: `(?x`"),
        ("(?=b)", "invalid or unsupported Perl syntax: `(?=`"),
        ("(?i", "invalid or unsupported Perl syntax: `(?i`"),
        ("(?P<b)", "invalid named capture: `(?P<b)`"),
        ("(?P<b c>d)", "invalid named capture: `(?P<b c>`"),
        ("(?P<>d)", "invalid named capture: `(?P<>`"),
        (r"\y", r"invalid escape sequence: `\y`"),
        (r"\xq", r"invalid escape sequence: `\xq`"),
        ("[a", "missing closing ]: `[a`"),
        ("[]", "missing closing ]: `[]`"),
        ("[z-a]", "invalid character class range: `z-a`"),
        (r"[a-\d]", r"invalid escape sequence: `\d`"),
        ("[[:foo:]]", "invalid character class range: `[:foo:]`"),
        (r"\p{Nope}", r"invalid character class range: `\p{Nope}`"),
        ("b{1001}", "invalid repeat count: `{1001}`"),
        ("b{2,1}", "invalid repeat count: `{2,1}`"),
        (r"\1", r"invalid escape sequence: `\1`"),
        ("a\\", "trailing backslash at end of expression: ``"),
    ] {
        assert_eq!(translate(pattern).expect_err(pattern), error, "{pattern}");
    }
}

#[test]
fn replacements_name_their_groups() {
    assert_eq!(replacement("$1-${2}x$$ $"), "${1}-${2}x$$ $$");
}
