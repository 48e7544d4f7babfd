//! Functions on texts.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{ANY, Function, Lenient};
use crate::{
    gotemplate::{
        Value,
        builtins::{html, js, sprint, url_query},
        printf::printf,
    },
    logql::{
        regex::{Pattern, replacement},
        template::WRITTEN_BYTES_MAX,
        units,
    },
};

macro_rules! of_text {
    ($function:expr) => {
        |arguments, _| {
            let function: fn(&str) -> String = $function;
            Ok(Value::Text(function(&arguments[0].text())))
        }
    };
}

macro_rules! of_two {
    ($function:expr) => {
        |arguments, _| {
            let function: fn(&str, &str) -> String = $function;
            Ok(Value::Text(function(&arguments[0].text(), &arguments[1].text())))
        }
    };
}

pub(super) const FUNCTIONS: &[Function] = &[
    ("__line__", (0, 0), |_, scope| Ok(Value::Text(scope.line().to_owned()))),
    ("lower", (1, 1), of_text!(|text| text.to_lowercase())),
    ("ToLower", (1, 1), of_text!(|text| text.to_lowercase())),
    ("upper", (1, 1), of_text!(|text| text.to_uppercase())),
    ("ToUpper", (1, 1), of_text!(|text| text.to_uppercase())),
    ("title", (1, 1), of_text!(title)),
    ("trim", (1, 1), of_text!(|text| text.trim().to_owned())),
    ("TrimSpace", (1, 1), of_text!(|text| text.trim().to_owned())),
    // The older ones take the text first, the newer ones last, as pipelines want it.
    ("Trim", (2, 2), of_two!(|text, set| text.trim_matches(|c| set.contains(c)).to_owned())),
    ("TrimLeft", (2, 2), of_two!(|text, set| text.trim_start_matches(|c| set.contains(c)).to_owned())),
    ("TrimRight", (2, 2), of_two!(|text, set| text.trim_end_matches(|c| set.contains(c)).to_owned())),
    ("TrimPrefix", (2, 2), of_two!(|text, prefix| text.strip_prefix(prefix).unwrap_or(text).to_owned())),
    ("TrimSuffix", (2, 2), of_two!(|text, suffix| text.strip_suffix(suffix).unwrap_or(text).to_owned())),
    ("trimAll", (2, 2), of_two!(|set, text| text.trim_matches(|c| set.contains(c)).to_owned())),
    ("trimPrefix", (2, 2), of_two!(|prefix, text| text.strip_prefix(prefix).unwrap_or(text).to_owned())),
    ("trimSuffix", (2, 2), of_two!(|suffix, text| text.strip_suffix(suffix).unwrap_or(text).to_owned())),
    ("default", (2, 2), |arguments, _| {
        Ok(if arguments[1].is_true() { arguments[1].clone() } else { arguments[0].clone() })
    }),
    ("alignLeft", (2, 2), |arguments, _| align(arguments, true)),
    ("alignRight", (2, 2), |arguments, _| align(arguments, false)),
    ("indent", (2, 2), |arguments, _| indent(arguments).map(Value::Text)),
    ("nindent", (2, 2), |arguments, _| Ok(Value::Text(format!("\n{}", indent(arguments)?)))),
    ("repeat", (2, 2), |arguments, _| {
        let (count, text) = (arguments[0].int(), arguments[1].text());
        let count = usize::try_from(count).map_err(|_| "negative repeat count".to_owned())?;
        if count.saturating_mul(text.len()) > WRITTEN_BYTES_MAX {
            return Err(format!("the text would be longer than {WRITTEN_BYTES_MAX} bytes"));
        }
        Ok(Value::Text(text.repeat(count)))
    }),
    ("replace", (3, 3), |arguments, _| replaced(&arguments[2].text(), &arguments[0].text(), &arguments[1].text(), -1)),
    ("Replace", (4, 4), |arguments, _| {
        replaced(&arguments[0].text(), &arguments[1].text(), &arguments[2].text(), arguments[3].int())
    }),
    ("substr", (3, 3), |arguments, _| {
        Ok(Value::Text(substr(&arguments[2].text(), arguments[0].int(), arguments[1].int())))
    }),
    ("trunc", (2, 2), |arguments, _| {
        let (count, text) = (arguments[0].int(), arguments[1].text());
        let len = text.len() as i64;
        let text = if count < 0 { substr(&text, (len + count).max(0), -1) } else { substr(&text, -1, count.min(len)) };
        Ok(Value::Text(text))
    }),
    ("b64enc", (1, 1), of_text!(|text| STANDARD.encode(text))),
    ("b64dec", (1, 1), |arguments, _| {
        let bytes = STANDARD.decode(arguments[0].text()).map_err(|error| format!("illegal base64 data: {error}"))?;
        Ok(Value::Text(String::from_utf8_lossy(&bytes).into_owned()))
    }),
    ("urlencode", (1, 1), of_text!(url_query)),
    ("urlquery", (1, 1), of_text!(url_query)),
    ("urldecode", (1, 1), |arguments, _| url_decoded(&arguments[0].text()).map(Value::Text)),
    ("bytes", (1, 1), |arguments, _| {
        let text = arguments[0].text();
        units::bytes(&text).map(Value::Float).ok_or_else(|| format!("not a number of bytes: {text:?}"))
    }),
    ("regexReplaceAll", (3, 3), |arguments, _| {
        let pattern = Pattern::unanchored(&arguments[0].text())?;
        let with = replacement(&arguments[2].text());
        bounded(pattern.regex().replace_all(&arguments[1].text(), with.as_str()).into_owned())
    }),
    ("regexReplaceAllLiteral", (3, 3), |arguments, _| {
        let pattern = Pattern::unanchored(&arguments[0].text())?;
        let with = arguments[2].text();
        bounded(pattern.regex().replace_all(&arguments[1].text(), regex::NoExpand(&with)).into_owned())
    }),
    ("count", (2, 2), |arguments, _| {
        let pattern = Pattern::unanchored(&arguments[0].text())?;
        Ok(Value::Int(pattern.regex().find_iter(&arguments[1].text()).count() as i64))
    }),
    ("printf", (1, ANY), |arguments, _| bounded(printf(&arguments[0].text(), &arguments[1..])?)),
    ("print", (0, ANY), |arguments, _| bounded(sprint(arguments))),
    ("println", (0, ANY), |arguments, _| {
        let texts: Vec<String> = arguments.iter().map(Value::text).collect();
        bounded(format!("{}\n", texts.join(" ")))
    }),
    ("html", (1, 1), of_text!(html)),
    ("js", (1, 1), of_text!(js)),
];

fn bounded(text: String) -> Result<Value, String> {
    if text.len() > WRITTEN_BYTES_MAX {
        return Err(format!("the text is longer than {WRITTEN_BYTES_MAX} bytes"));
    }
    Ok(Value::Text(text))
}

fn title(text: &str) -> String {
    let mut begins = true;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if begins {
            out.extend(c.to_uppercase());
        } else {
            out.push(c);
        }
        begins = !(c.is_alphanumeric() || c == '_' || c == '\'');
    }
    out
}

fn align(arguments: &[Value], left: bool) -> Result<Value, String> {
    let (width, text) = (arguments[0].int(), arguments[1].text());
    let width = usize::try_from(width).map_err(|_| "negative width".to_owned())?;
    if width > WRITTEN_BYTES_MAX {
        return Err(format!("the text would be longer than {WRITTEN_BYTES_MAX} bytes"));
    }
    let chars = text.chars().count();
    let aligned = match (chars <= width, left) {
        (true, true) => format!("{text}{}", " ".repeat(width - chars)),
        (true, false) => format!("{}{text}", " ".repeat(width - chars)),
        (false, true) => text.chars().take(width).collect(),
        (false, false) => text.chars().skip(chars - width).collect(),
    };
    Ok(Value::Text(aligned))
}

fn indent(arguments: &[Value]) -> Result<String, String> {
    let (spaces, text) = (arguments[0].int(), arguments[1].text());
    let spaces = usize::try_from(spaces).unwrap_or(0);
    let lines = text.matches('\n').count() + 1;
    if spaces.saturating_mul(lines) > WRITTEN_BYTES_MAX {
        return Err(format!("the text would be longer than {WRITTEN_BYTES_MAX} bytes"));
    }
    let margin = " ".repeat(spaces);
    Ok(format!("{margin}{}", text.replace('\n', &format!("\n{margin}"))))
}

fn replaced(text: &str, old: &str, new: &str, count: i64) -> Result<Value, String> {
    let grows = text.matches(old).count().saturating_mul(new.len());
    if grows > WRITTEN_BYTES_MAX {
        return Err(format!("the text would be longer than {WRITTEN_BYTES_MAX} bytes"));
    }
    bounded(match usize::try_from(count) {
        Ok(count) => text.replacen(old, new, count),
        Err(_) => text.replace(old, new),
    })
}

/// Bytes from `start` to `end`, moved to whole characters; a negative bound is none.
fn substr(text: &str, start: i64, end: i64) -> String {
    let len = text.len() as i64;
    let begin = start.clamp(0, len) as usize;
    let end = if end < 0 || end > len { len as usize } else { end as usize };
    if begin >= end {
        return String::new();
    }
    let begin = (begin..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    let end = (0..=end).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.get(begin..end).unwrap_or_default().to_owned()
}

fn url_decoded(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let hex = behind.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
                let value = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
                bytes.push(value.ok_or_else(|| "invalid URL escape".to_owned())?);
                rest = &behind[2..];
            }
            byte => bytes.push(byte),
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
