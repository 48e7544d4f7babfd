//! Texts as PromQL: refused, or read as something that is printed and read again as the same.

/// What is printed is read again as the same.
pub fn promql(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some(printed) = weir_query::printed_promql(text) {
        assert_eq!(weir_query::printed_promql(&printed).as_ref(), Some(&printed), "{text}");
    }
}
