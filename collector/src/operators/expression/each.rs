//! What is made of the items of a list by a predicate.

use std::borrow::Cow;

use super::{
    evaluate::{Asked, Operand, Scope, evaluate, member, truth},
    functions::{sorted, total},
    parser::{Each, Node},
};

/// Asks `predicate` about each item of `list`. `with` is what `reduce` begins with, or the order of `sortBy`.
pub(super) fn each<'e>(
    what: Each,
    list: Operand<'e>,
    predicate: Option<&'e Node>,
    with: Option<Operand<'e>>,
    scope: &mut Scope<'e>,
) -> Result<Operand<'e>, String> {
    let items = match &list {
        Operand::List(_) | Operand::Items(_) => list.items(),
        other => return Err(format!("expected a list, not {}", other.kind())),
    };
    let mut asking = Asking { predicate, scope };
    match what {
        Each::All => asking.first(&items, false).map(|first| Operand::Bool(first.is_none())),
        Each::Any => asking.first(&items, true).map(|first| Operand::Bool(first.is_some())),
        Each::None => asking.first(&items, true).map(|first| Operand::Bool(first.is_none())),
        Each::One => asking.those(&items).map(|those| Operand::Bool(those.len() == 1)),
        Each::Count => asking.those(&items).map(|those| Operand::Int(those.len() as i64)),
        Each::Filter => {
            let those = asking.those(&items)?;
            Ok(Operand::List(those.into_iter().map(|at| items[at].clone()).collect()))
        }
        Each::Find | Each::FindIndex => {
            let first = asking.first(&items, true)?;
            Ok(found(what == Each::Find, first, &items))
        }
        Each::FindLast | Each::FindLastIndex => {
            let last = asking.those(&items)?.last().copied();
            Ok(found(what == Each::FindLast, last, &items))
        }
        Each::Map => asking.values(&items).map(Operand::List),
        Each::Sum => total(&asking.values(&items)?),
        Each::GroupBy => group(&items, asking.values(&items)?),
        Each::SortBy => {
            let mut keys = asking.values(&items)?;
            if let Some(Node::Text(key)) = predicate {
                let key = Operand::Text(Cow::Borrowed(key));
                keys = items.iter().map(|item| member(item.clone(), &key)).collect::<Result<Vec<_>, _>>()?;
            }
            sorted(keys.into_iter().zip(items).collect(), with.as_ref())
        }
        Each::Reduce => asking.reduced(items, with),
    }
}

struct Asking<'a, 'e> {
    predicate: Option<&'e Node>,
    scope: &'a mut Scope<'e>,
}

impl<'e> Asking<'_, 'e> {
    /// What the predicate gives for an item; without one, the item.
    fn ask(&mut self, item: &Operand<'e>, at: usize, sum: Operand<'e>) -> Result<Operand<'e>, String> {
        let Some(predicate) = self.predicate else { return Ok(item.clone()) };
        self.scope.items.push(Asked { item: item.clone(), index: at as i64, sum });
        let given = evaluate(predicate, self.scope);
        self.scope.items.pop();
        given
    }

    /// The place of the first item of which it is so.
    fn first(&mut self, items: &[Operand<'e>], is_true: bool) -> Result<Option<usize>, String> {
        for (at, item) in items.iter().enumerate() {
            if truth(self.ask(item, at, Operand::Null)?)? == is_true {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    /// The places of those that it is true of.
    fn those(&mut self, items: &[Operand<'e>]) -> Result<Vec<usize>, String> {
        let mut those = Vec::new();
        for (at, item) in items.iter().enumerate() {
            if truth(self.ask(item, at, Operand::Null)?)? {
                those.push(at);
            }
        }
        Ok(those)
    }

    fn values(&mut self, items: &[Operand<'e>]) -> Result<Vec<Operand<'e>>, String> {
        items.iter().enumerate().map(|(at, item)| self.ask(item, at, Operand::Null)).collect()
    }

    fn reduced(&mut self, items: Vec<Operand<'e>>, with: Option<Operand<'e>>) -> Result<Operand<'e>, String> {
        let skipped = usize::from(with.is_none());
        let mut sum = match with {
            Some(with) => with,
            None => items.first().cloned().ok_or("nothing to reduce")?,
        };
        for (at, item) in items.iter().enumerate().skip(skipped) {
            sum = self.ask(item, at, sum)?;
        }
        Ok(sum)
    }
}

fn found<'e>(is_item: bool, place: Option<usize>, items: &[Operand<'e>]) -> Operand<'e> {
    match place {
        None => Operand::Null,
        Some(at) if is_item => items[at].clone(),
        Some(at) => Operand::Int(at as i64),
    }
}

/// Items by what the predicate gives for them, as text.
fn group<'e>(items: &[Operand<'e>], keys: Vec<Operand<'e>>) -> Result<Operand<'e>, String> {
    let mut groups: Vec<(Cow<'e, str>, Operand<'e>)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for (item, key) in items.iter().zip(keys) {
        let name = key.shown();
        let at = *places.entry(name.clone()).or_insert_with(|| {
            groups.push((Cow::Owned(name), Operand::List(Vec::new())));
            groups.len() - 1
        });
        if let Operand::List(group) = &mut groups[at].1 {
            group.push(item.clone());
        }
    }
    Ok(Operand::Pairs(groups))
}
