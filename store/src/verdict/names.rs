//! The names of policies that this process has met, numbered.

use super::outcome::PolicyNo;
use crate::ledger::UNKNOWN_POLICY;

/// Grows only: names come from configurations and from verdicts of earlier ones.
#[derive(Debug, Default)]
pub(crate) struct PolicyNames(boxcar::Vec<Box<str>>);

impl PolicyNames {
    /// The number of a name, a new one if need be. One thread adds at a time. Beyond 65,535 names all are the last one.
    pub(crate) fn number(&self, name: &str) -> PolicyNo {
        let known = self.0.iter().find(|(_, known)| ***known == *name).map(|(index, _)| index);
        let index = known.unwrap_or_else(|| {
            if self.0.count() > usize::from(u16::MAX) { usize::from(u16::MAX) } else { self.0.push(name.into()) }
        });
        PolicyNo(index as u16)
    }

    /// The name behind a number.
    pub(crate) fn name(&self, number: PolicyNo) -> &str {
        self.0.get(usize::from(number.0)).map_or(UNKNOWN_POLICY, |name| &**name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_number() {
        let names = PolicyNames::default();
        assert_eq!(names.number("errors"), PolicyNo(0));
        assert_eq!(names.number("slow"), PolicyNo(1));
        assert_eq!(names.number("errors"), PolicyNo(0));
        assert_eq!(names.name(PolicyNo(1)), "slow");
        assert_eq!(names.name(PolicyNo(9)), "unknown");
    }
}
