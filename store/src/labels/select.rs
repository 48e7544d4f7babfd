//! Selects series by matchers, over any index of labels.

use weir_proto::metrics::{LabelMatcher, Labels};

use super::{
    SeriesSet,
    pattern::{InvalidPattern, ValueTest, Values},
};

/// Which series have which value of a label. Series are numbered from 0.
pub(crate) trait LabelIndex {
    /// Why it cannot be read.
    type Error;

    /// Numbers are below.
    fn bound(&self) -> u32;

    /// Adds the series that have one of the values of the label. The empty value is none.
    fn insert(&self, name: &str, values: &Values, into: &mut SeriesSet) -> Result<(), Self::Error>;
}

/// Matchers, made ready to be asked of one index after the other.
#[derive(Debug)]
pub(crate) struct Selection(Vec<(String, ValueTest)>);

impl Selection {
    /// Makes matchers ready.
    pub(crate) fn new(matchers: &[LabelMatcher]) -> Result<Self, InvalidPattern> {
        let tests = matchers.iter().map(|matcher| Ok((matcher.name.clone(), ValueTest::new(matcher)?)));
        Ok(Self(tests.collect::<Result<_, _>>()?))
    }

    /// Whether a label set passes all.
    pub(crate) fn takes(&self, labels: &Labels) -> bool {
        self.0.iter().all(|(name, test)| test.takes(labels.get(name).unwrap_or_default()))
    }
}

/// The series that pass all matchers.
pub(crate) fn select<I: LabelIndex>(index: &I, selection: &Selection) -> Result<SeriesSet, I::Error> {
    let mut selected: Option<SeriesSet> = None;
    // Those that a series must have a value for narrow it down; the others take out.
    let (taking_out, narrowing): (Vec<_>, Vec<_>) = selection.0.iter().partition(|(_, test)| test.takes_absent());
    for (name, test) in narrowing {
        if selected.as_ref().is_some_and(SeriesSet::is_empty) {
            break;
        }
        let mut having = SeriesSet::none(index.bound());
        if test.is_negated {
            // It must have the label, and none of the values.
            index.insert(name, &Values::All, &mut having)?;
            let mut excluded = SeriesSet::none(index.bound());
            index.insert(name, test.values(), &mut excluded)?;
            having.subtract(&excluded);
        } else {
            index.insert(name, test.values(), &mut having)?;
        }
        match &mut selected {
            Some(selected) => selected.intersect(&having),
            None => selected = Some(having),
        }
    }
    let mut selected = selected.unwrap_or_else(|| SeriesSet::all(index.bound()));
    for (name, test) in taking_out {
        if selected.is_empty() {
            break;
        }
        let mut excluded = SeriesSet::none(index.bound());
        if test.is_negated {
            index.insert(name, test.values(), &mut excluded)?;
        } else if !matches!(test.values(), Values::All) {
            index.insert(name, &Values::All, &mut excluded)?;
            let mut taken = SeriesSet::none(index.bound());
            index.insert(name, test.values(), &mut taken)?;
            excluded.subtract(&taken);
        }
        selected.subtract(&excluded);
    }
    Ok(selected)
}

#[cfg(test)]
mod tests {
    use weir_proto::metrics::MatchOp::{self, Equal, Matches, MatchesNot, NotEqual};

    use super::*;

    /// The value of `a` by series.
    struct Plain(&'static [&'static str]);

    impl LabelIndex for Plain {
        type Error = ();

        fn bound(&self) -> u32 {
            self.0.len() as u32
        }

        fn insert(&self, name: &str, values: &Values, into: &mut SeriesSet) -> Result<(), ()> {
            let values_of_name = (0..).zip(self.0).filter(|(_, value)| name == "a" && !value.is_empty());
            values_of_name.filter(|(_, value)| values.contain(value)).for_each(|(number, _)| into.insert(number));
            Ok(())
        }
    }

    fn selected(matchers: &[(&str, MatchOp, &str)]) -> Vec<u32> {
        let matchers: Vec<_> = matchers
            .iter()
            .map(|&(name, op, value)| LabelMatcher { name: name.into(), op, value: value.into() })
            .collect();
        let selection = Selection::new(&matchers).expect("valid");
        select(&Plain(&["", "x", "xy", "z"]), &selection).expect("plain").iter().collect()
    }

    #[test]
    fn each_matcher_takes_what_it_says() {
        let of_a = |op, value| selected(&[("a", op, value)]);
        assert_eq!(of_a(Equal, "x"), [1]);
        assert_eq!(of_a(Equal, ""), [0]);
        assert_eq!(of_a(NotEqual, "x"), [0, 2, 3]);
        assert_eq!(of_a(NotEqual, ""), [1, 2, 3]);
        assert_eq!(of_a(Matches, "x.*"), [1, 2]);
        assert_eq!(of_a(Matches, "x|"), [0, 1]);
        assert_eq!(of_a(Matches, ".*"), [0, 1, 2, 3]);
        assert_eq!(of_a(Matches, "(?s:.*)"), [0, 1, 2, 3]);
        assert_eq!(of_a(Matches, ".+"), [1, 2, 3]);
        assert_eq!(of_a(MatchesNot, "x.*"), [0, 3]);
        assert_eq!(of_a(MatchesNot, ".*"), [0; 0]);
        assert_eq!(of_a(MatchesNot, "(?s:.*)"), [0; 0]);
        assert_eq!(of_a(MatchesNot, ".+"), [0]);
        assert_eq!(of_a(MatchesNot, "x|"), [2, 3]);
        assert_eq!(selected(&[]), [0, 1, 2, 3]);
        assert_eq!(selected(&[("a", Matches, "x.*"), ("a", NotEqual, "x"), ("b", Equal, "")]), [2]);
        assert_eq!(selected(&[("b", Equal, "x")]), [0; 0]);
        assert_eq!(selected(&[("b", NotEqual, "x")]), [0, 1, 2, 3]);
    }
}
