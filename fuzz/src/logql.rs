//! Texts as LogQL: refused, or read as something that is printed and read again as the same.

/// What is printed is read again as the same.
pub fn logql(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some(printed) = weir_query::printed_logql(text) {
        assert_eq!(weir_query::printed_logql(&printed).as_ref(), Some(&printed), "{text}");
    }
}
