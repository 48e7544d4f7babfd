//! How large a file may be: one story each.

use crate::source::files;

/// Lines of code in a file, without comments, blank lines and tests.
const CODE_LINES_MAX: usize = 600;

/// Lines of tests within the file that they test; longer ones go to `x/tests.rs`.
const INLINE_TEST_LINES_MAX: usize = 200;

/// Larger files, each with the reason. Empty is best.
const LARGER: [(&str, usize, &str); 0] = [];

#[test]
fn a_file_tells_one_story() {
    for file in files() {
        let lines = file.code().len();
        let listed = LARGER.iter().find(|(path, ..)| *path == file.path);
        let max = listed.map_or(CODE_LINES_MAX, |(_, max, _)| *max);
        assert!(lines <= max, "{}: {lines} lines of code, {max} allowed: split it by noun", file.path);
    }
}

#[test]
fn long_tests_have_a_file_of_their_own() {
    for file in files() {
        let Some(at) = file.text.find("\n#[cfg(test)]\nmod tests {") else { continue };
        let lines = file.text[at..].lines().count();
        assert!(lines <= INLINE_TEST_LINES_MAX + 5, "{}: {lines} lines of tests: move them to tests.rs", file.path);
    }
}
