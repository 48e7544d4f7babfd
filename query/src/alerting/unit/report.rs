//! What unit tests came to.

use crate::gotemplate::builtins::html;

/// How differences are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style {
    /// All that is expected, and all that is there, as promtool does.
    #[default]
    Lists,
    /// What differs.
    Differences,
}

/// What one test came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupReport {
    /// Its name, or its number.
    pub name: String,
    /// What went wrong.
    pub failures: Vec<String>,
}

/// The reports of files in JUnit's XML. An error of a whole file is a test of its own without a name.
pub fn junit(files: &[(String, Vec<GroupReport>)]) -> String {
    let mut out = String::from("<testsuites>\n");
    for (path, groups) in files {
        let failed = groups.iter().filter(|group| !group.failures.is_empty()).count();
        out.push_str(&format!(
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failed}\" errors=\"0\">\n",
            html(path),
            groups.len()
        ));
        for group in groups {
            out.push_str(&format!("    <testcase name=\"{}\">\n", html(&group.name)));
            for failure in &group.failures {
                // No control characters in XML.
                let text: String = failure.chars().filter(|c| !c.is_control() || *c == '\n').collect();
                out.push_str(&format!("      <failure>{}</failure>\n", html(&text)));
            }
            out.push_str("    </testcase>\n");
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}
