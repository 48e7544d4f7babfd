//! A configuration's text for everybody to read: secrets hidden, comments and all else as they are.
//!
//! By lines, so that what a page shows is what somebody wrote. A key that sounds like a secret hides its value, and what is below it.

/// Parts of keys whose values are hidden.
const SECRET: [&str; 14] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "api_key",
    "apikey",
    "api-key",
    "access_key",
    "private_key",
    "authorization",
    "credential",
    "cookie",
    "key_pem",
];

/// What stands in a secret's place.
const HIDDEN: &str = "\"***\"";

/// The text without values of secret keys, all values of `headers`, and users in addresses.
pub(super) fn without_secrets(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    // Lines that are indented further than this belong to a secret, or to headers.
    let (mut below_secret, mut below_headers) = (None, None);
    for line in text.split_inclusive('\n') {
        let content = line.trim_end_matches(['\n', '\r']);
        let end = &line[content.len()..];
        let bare = content.trim_start();
        let indent = content.len() - bare.len();
        if bare.is_empty() || bare.starts_with('#') {
            // A comment may hold what was commented out.
            let is_below = below_secret.is_some_and(|secret| indent > secret);
            shown.push_str(if is_below { "" } else { content_of_comment(content) });
            shown.push_str(end);
            continue;
        }
        // Items of a list may stand as far left as their key.
        let is_item = bare.starts_with("- ");
        let is_within = |above: usize| indent > above || (indent == above && is_item);
        if below_secret.is_some_and(is_within) {
            continue;
        }
        below_secret = None;
        if below_headers.is_some_and(|above| !is_within(above)) {
            below_headers = None;
        }
        let Some((key, value)) = key_and_value(bare) else {
            let is_hidden = below_headers.is_some();
            let item = if is_hidden { format!("- {HIDDEN}") } else { without_users(bare) };
            shown.push_str(&content[..indent]);
            shown.push_str(&item);
            shown.push_str(end);
            continue;
        };
        let name = key.trim_start_matches("- ").trim_matches(['"', '\'', ' ']).to_ascii_lowercase();
        shown.push_str(&content[..indent]);
        if is_secret(&name) || below_headers.is_some() {
            below_secret = Some(indent);
            shown.push_str(key);
            shown.push_str(": ");
            shown.push_str(HIDDEN);
        } else if name == "headers" && !value.is_empty() {
            shown.push_str(key);
            shown.push_str(": ");
            shown.push_str(HIDDEN);
        } else {
            if name == "headers" {
                below_headers = Some(indent);
            }
            shown.push_str(&within_braces(&without_users(bare)));
        }
        shown.push_str(end);
    }
    shown
}

fn is_secret(name: &str) -> bool {
    // A file's place is no secret, what it holds is.
    SECRET.iter().any(|part| name.contains(part)) && !name.ends_with("_file") && !name.ends_with("file")
}

/// A comment without secrets that are commented out.
fn content_of_comment(content: &str) -> &str {
    let text = content.trim_start().trim_start_matches('#').trim();
    let is_secret =
        key_and_value(text).is_some_and(|(key, value)| !value.is_empty() && is_secret(&key.to_ascii_lowercase()));
    if is_secret { "# ***" } else { content }
}

/// `key: value`.
fn key_and_value(text: &str) -> Option<(&str, &str)> {
    let (key, value) = text.split_once(':')?;
    (value.is_empty() || value.starts_with([' ', '\t'])).then(|| (key, value.trim()))
}

/// Addresses without the user and the password in them.
fn without_users(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        shown.push_str(before);
        shown.push_str("://");
        let host_end = after.find(['/', ' ', '"', '\'', '?', ',']).unwrap_or(after.len());
        rest = match after[..host_end].rfind('@') {
            Some(at) => {
                shown.push_str("***");
                &after[at..]
            }
            None => after,
        };
    }
    shown.push_str(rest);
    shown
}

/// Maps on one line: `{password: x, a: b}`.
fn within_braces(text: &str) -> String {
    if !text.contains('{') {
        return text.to_owned();
    }
    let mut shown = String::new();
    for piece in text.split_inclusive(['{', ',', '}']) {
        let (content, end) = piece.split_at(piece.trim_end_matches(['{', ',', '}']).len());
        match key_and_value(content) {
            Some((key, value)) if !value.is_empty() && is_secret(&key.trim().to_ascii_lowercase()) => {
                shown.push_str(&format!("{key}: {HIDDEN}"));
            }
            _ => shown.push_str(content),
        }
        shown.push_str(end);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_and_the_rest_is_as_written() {
        let text = "\
# a comment
receivers:
  otlp:
    protocols: {grpc: {endpoint: localhost:4317}}
    # password: old
    auth:
      password: hunter2
      token: |
        line one
        line two
      password_file: /etc/secret
  scrape:
    url: https://user:pw@host:9090/metrics
    headers:
      x-scope: tenant
      - plain
    basic: {username: a, password: \"b\"}
storage:
  path: /var/lib/weir
";
        let expected = "\
# a comment
receivers:
  otlp:
    protocols: {grpc: {endpoint: localhost:4317}}
# ***
    auth:
      password: \"***\"
      token: \"***\"
      password_file: /etc/secret
  scrape:
    url: https://***@host:9090/metrics
    headers:
      x-scope: \"***\"
    basic: {username: a, password: \"***\"}
storage:
  path: /var/lib/weir
";
        let shown = without_secrets(text);
        assert_eq!(shown.replace("      - \"***\"\n", ""), expected, "{shown}");
        for secret in ["hunter2", "line one", "pw@", "tenant", "plain", "\"b\"", "old"] {
            assert!(!shown.contains(secret), "{secret}: {shown}");
        }
    }
}
