//! SQL texts: the guard answers for any of them, however deep, and leaves no stack and no parser broken.

/// Admitted or refused, by the same verdict each time.
pub fn sql_guard(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    assert_eq!(weir_query::admits_sql(text), weir_query::admits_sql(text));
}
