//! Names of labels, made of keys that are none: of fields, of attributes.

/// Appends a key as the name of a label: what may not be in one becomes `_`; a digit does not come first in a whole name.
pub fn push_label_name(key: &str, out: &mut String) {
    let key = key.trim();
    if out.is_empty() && key.starts_with(|first: char| first.is_ascii_digit()) {
        out.push('_');
    }
    out.extend(key.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }));
}

/// The label that a parser makes of a field with this dotted name; `None` where that depends on where the keys on its path begin and end:
/// blanks around a key are not part of its name, and a key without a name has no label.
pub fn label_of_field(name: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(name).ok()?;
    let mut is_edge = true;
    for character in name.chars() {
        let is_dot = character == '.';
        if is_edge && (is_dot || character.is_whitespace()) {
            return None;
        }
        is_edge = is_dot;
    }
    let ends_badly = is_edge || name.ends_with(char::is_whitespace);
    let has_blank_before_dot = name.split('.').any(|key| key.ends_with(char::is_whitespace));
    if ends_badly || has_blank_before_dot {
        return None;
    }
    let mut label = String::with_capacity(name.len() + 1);
    push_label_name(name, &mut label);
    Some(label)
}

/// Whether an attribute of this key may have one of these labels, or a member that has, in any case.
pub fn may_have_label(key: &str, labels: &[String]) -> bool {
    let mut own = String::with_capacity(key.len() + 1);
    push_label_name(key, &mut own);
    labels.iter().any(|label| {
        let Some((head, rest)) = label.as_bytes().split_at_checked(own.len()) else { return false };
        head.eq_ignore_ascii_case(own.as_bytes()) && matches!(rest.first(), None | Some(b'_'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_labels() {
        let rows = [
            ("a", Some("a")),
            ("user.id", Some("user_id")),
            ("9.x", Some("_9_x")),
            ("x y.z-w", Some("x_y_z_w")),
            ("\u{e9}", Some("_")),
            ("", None),
            (".a", None),
            ("a.", None),
            ("a..b", None),
            (" a", None),
            ("a .b", None),
            ("a. b", None),
            ("a\u{a0}", None),
        ];
        for (name, expected) in rows {
            assert_eq!(label_of_field(name.as_bytes()).as_deref(), expected, "{name:?}");
        }
        assert_eq!(label_of_field(b"\xff"), None);
    }

    #[test]
    fn attributes_lead_to_labels() {
        let labels = ["user_id".to_owned(), "level".to_owned()];
        for (key, expected) in
            [("user", true), ("user.id", true), ("use", false), ("user.id.x", false), ("LEVEL", true), ("", false)]
        {
            assert_eq!(may_have_label(key, &labels), expected, "{key}");
        }
    }
}
