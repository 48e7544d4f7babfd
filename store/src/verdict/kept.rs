//! What a verdict leaves on the spans that it keeps: how many each stands for, by whom, and how likely that was.

use weir_proto::tracestate::{self, Threshold};

/// The attribute of a kept span that names the policy which kept it.
pub const POLICY_ATTRIBUTE: &str = "weir.sampling.policy";

/// A verdict that keeps, as readers of spans need it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KeptBy<'a> {
    /// The policy that said so.
    pub policy: &'a str,
    /// How many arrived spans each kept one stands for.
    pub adjusted_count: f64,
    /// Whether chance decided: then the tracestate says how likely it was.
    pub is_probabilistic: bool,
}

impl KeptBy<'_> {
    /// How many spans one with this tracestate stands for: somebody may have sampled it before it got here.
    #[inline]
    pub fn adjusted_count_of(kept_by: Option<&Self>, trace_state: &[u8]) -> f64 {
        tracestate::adjusted_count(trace_state) * kept_by.map_or(1.0, |kept_by| kept_by.adjusted_count)
    }

    /// The tracestate of a kept span in `text`, when it is not the one that the span came with.
    pub fn rewrite_trace_state(&self, trace_state: &[u8], text: &mut Vec<u8>) -> bool {
        if !self.is_probabilistic {
            return false;
        }
        let probability = 1.0 / Self::adjusted_count_of(Some(self), trace_state);
        let Some(threshold) = Threshold::of_probability(probability) else { return false };
        text.clear();
        tracestate::write(trace_state, Some(threshold), None, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_multiply_and_the_threshold_says_so() {
        let kept_by = KeptBy { policy: "some", adjusted_count: 4.0, is_probabilistic: true };
        let mut text = b"left over".to_vec();
        for (before, count, after) in [
            ("", 4.0, "ot=th:c"),
            ("ot=th:8,a=1", 8.0, "ot=th:e,a=1"),
            ("ot=rv:00000000000001", 4.0, "ot=th:c;rv:00000000000001"),
        ] {
            assert_eq!(KeptBy::adjusted_count_of(Some(&kept_by), before.as_bytes()), count);
            assert!(kept_by.rewrite_trace_state(before.as_bytes(), &mut text));
            assert_eq!(String::from_utf8_lossy(&text), after);
        }
        assert!(!kept_by.rewrite_trace_state(b"not a tracestate", &mut text));
        let certain = KeptBy { is_probabilistic: false, ..kept_by };
        assert!(!certain.rewrite_trace_state(b"", &mut text));
        assert_eq!(KeptBy::adjusted_count_of(None, b"ot=th:8"), 2.0);
    }
}
