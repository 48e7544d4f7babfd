//! An expression as an automaton that walks a map of values: what cannot match any more is not visited.

use fst::Automaton;
use regex_automata::{
    Anchored,
    dfa::{
        Automaton as _,
        dense::{Config, DFA},
    },
    nfa::thompson,
    util::{primitives::StateID, start, syntax},
};

/// Memory of an automaton, and for making it. An expression that needs more is asked about every value.
const BYTES_MAX: usize = 1 << 20;

/// Takes the whole values that an expression matches.
#[derive(Debug)]
pub(crate) struct ValueAutomaton {
    dfa: DFA<Vec<u32>>,
    start: StateID,
}

impl ValueAutomaton {
    /// Of an expression that is anchored at both ends; `None` where it would be too large.
    pub(super) fn new(whole: &str) -> Option<Self> {
        let limits = Config::new().dfa_size_limit(Some(BYTES_MAX)).determinize_size_limit(Some(BYTES_MAX));
        let dfa = DFA::builder()
            .configure(limits.start_kind(regex_automata::dfa::StartKind::Anchored))
            .thompson(thompson::Config::new().nfa_size_limit(Some(BYTES_MAX)))
            .syntax(syntax::Config::new())
            .build(whole)
            .ok()?;
        let start = dfa.start_state(&start::Config::new().anchored(Anchored::Yes)).ok()?;
        Some(Self { dfa, start })
    }
}

impl Automaton for ValueAutomaton {
    type State = StateID;

    fn start(&self) -> StateID {
        self.start
    }

    fn is_match(&self, state: &StateID) -> bool {
        self.dfa.is_match_state(self.dfa.next_eoi_state(*state))
    }

    fn can_match(&self, state: &StateID) -> bool {
        !self.dfa.is_dead_state(*state)
    }

    fn accept(&self, state: &StateID, byte: u8) -> StateID {
        self.dfa.next_state(*state, byte)
    }
}

#[cfg(test)]
mod tests {
    use fst::{IntoStreamer, Set};

    use super::*;

    fn found(pattern: &str, values: &[&str]) -> Option<Vec<String>> {
        let automaton = ValueAutomaton::new(&format!(r"\A(?:{pattern})\z"))?;
        let set = Set::from_iter(values).expect("sorted");
        Some(set.search(&automaton).into_stream().into_strs().expect("UTF-8"))
    }

    #[test]
    fn whole_values_are_taken() {
        let values = ["", "a", "ab", "abc", "b", "node_cpu", "node_load1", "\u{e9}t\u{e9}", "\u{1f980}"];
        for (pattern, expected) in [
            ("a|ab", &["a", "ab"][..]),
            ("(?s:.+)", &values[1..]),
            ("(?s:.*)", &values[..]),
            ("node_.*", &["node_cpu", "node_load1"][..]),
            (".*[a-c]", &["a", "ab", "abc", "b"][..]),
            ("[^a]", &["b", "\u{1f980}"][..]),
            (".t.", &["\u{e9}t\u{e9}"][..]),
            ("x", &[][..]),
        ] {
            assert_eq!(found(pattern, &values).expect("small"), expected, "{pattern}");
        }
    }

    #[test]
    fn what_would_be_too_large_is_none() {
        assert_eq!(found(r"(\w{1,60}[ab]){20}x", &["a"]), None);
    }
}
