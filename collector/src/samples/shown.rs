//! Label sets as Prometheus shows them in errors.

/// `{__name__="a", x="1"}`
pub(crate) fn in_braces<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{{{}}}", pairs.join(", "))
}
