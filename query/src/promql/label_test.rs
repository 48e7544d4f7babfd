//! Tells of label sets whether a selector takes them.

use weir_proto::metrics::Labels;

use super::syntax::{self, ast::Node, regex::Matcher};

/// A selector's matchers, ready to be asked.
#[derive(Debug)]
pub struct LabelTest(Vec<(String, Matcher)>);

impl LabelTest {
    /// Reads a selector like `{job="node"}`; the error is in Prometheus' words.
    pub fn parse(selector: &str) -> Result<Self, String> {
        let expr = syntax::parse_selector(selector).map_err(|error| error.to_string())?;
        let Node::Selector(selector) = &expr.node else { return Err("a selector is expected".to_owned()) };
        let matchers = selector.matchers.iter().map(|matcher| Ok((matcher.name.clone(), Matcher::new(matcher)?)));
        matchers.collect::<Result<_, String>>().map(Self)
    }

    /// Whether all its matchers do; a label that is not there has the empty value.
    pub fn takes(&self, labels: &Labels) -> bool {
        self.0.iter().all(|(name, matcher)| matcher.matches(labels.get(name).unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_matchers_must_take_it() {
        let labels = Labels::new([("job", "node"), ("instance", "a:9100")]).expect("a set");
        for (selector, taken) in [
            (r#"{job="node"}"#, true),
            (r#"{job=~"no.*", instance!="b:9100"}"#, true),
            (r#"{job="node", zone!=""}"#, false),
            (r#"{job!~"no", instance=~".+"}"#, true),
        ] {
            assert_eq!(LabelTest::parse(selector).expect(selector).takes(&labels), taken, "{selector}");
        }
        assert!(LabelTest::parse("{job=").expect_err("broken").contains("parse error"));
    }
}
