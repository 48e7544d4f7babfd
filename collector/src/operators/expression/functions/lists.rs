//! Functions of an expression that work on lists and maps.

use std::{borrow::Cow, cmp::Ordering};

use super::{Operand, items, text};

pub(super) fn len<'e>(given: &[Operand<'e>]) -> Result<Operand<'e>, String> {
    let len = given[0].len().ok_or_else(|| format!("{} has no length", given[0].kind()))?;
    Ok(Operand::Int(len as i64))
}

pub(super) fn at_end<'e>(
    given: &[Operand<'e>],
    choose: impl Fn(&[Operand<'e>]) -> Option<Operand<'e>>,
) -> Result<Operand<'e>, String> {
    Ok(choose(&items(&given[0])?).unwrap_or(Operand::Null))
}

pub(super) fn take<'e>(given: &[Operand<'e>]) -> Result<Operand<'e>, String> {
    let most = usize::try_from(super::numbers::whole(&given[1])?).map_err(|_| "less than nothing cannot be taken")?;
    let mut taken = items(&given[0])?;
    taken.truncate(most);
    Ok(Operand::List(taken))
}

/// What is there, or nothing.
pub(super) fn get<'e>(given: &[Operand<'e>]) -> Result<Operand<'e>, String> {
    Ok(match (&given[0], &given[1]) {
        (map, Operand::Text(name)) if map.is_map() => map.get(name).unwrap_or(Operand::Null),
        (list @ (Operand::List(_) | Operand::Items(_)), Operand::Int(at)) => {
            let items = list.items();
            let at = if *at < 0 { at + items.len() as i64 } else { *at };
            usize::try_from(at).ok().and_then(|at| items.get(at).cloned()).unwrap_or(Operand::Null)
        }
        _ => Operand::Null,
    })
}

pub(super) fn of_map<'e>(
    given: &[Operand<'e>],
    make: impl Fn(Cow<'e, str>, Operand<'e>) -> Operand<'e>,
) -> Result<Operand<'e>, String> {
    if !given[0].is_map() {
        return Err(format!("expected a map, not {}", given[0].kind()));
    }
    Ok(Operand::List(given[0].pairs().into_iter().map(|(name, value)| make(name, value)).collect()))
}

pub(super) fn from_pairs<'e>(given: &[Operand<'e>]) -> Result<Operand<'e>, String> {
    let mut pairs: Vec<(Cow<'e, str>, Operand<'e>)> = Vec::new();
    for pair in items(&given[0])? {
        let [name, value] = &items(&pair)?[..] else { return Err("a pair has two".into()) };
        let name = Cow::Owned(text(name)?.to_owned());
        pairs.retain(|(known, _)| *known != name);
        pairs.push((name, value.clone()));
    }
    Ok(Operand::Pairs(pairs))
}

pub(super) fn concat<'e>(given: &[Operand<'e>]) -> Result<Operand<'e>, String> {
    Ok(Operand::List(given.iter().map(items).collect::<Result<Vec<_>, _>>()?.concat()))
}

pub(super) fn flatten<'e>(given: &[Operand<'e>]) -> Result<Operand<'e>, String> {
    fn add<'e>(list: Vec<Operand<'e>>, flat: &mut Vec<Operand<'e>>) {
        for item in list {
            match item {
                Operand::List(_) | Operand::Items(_) => add(item.items(), flat),
                item => flat.push(item),
            }
        }
    }
    let mut flat = Vec::new();
    add(items(&given[0])?, &mut flat);
    Ok(Operand::List(flat))
}

/// So many different items are looked through for each.
const DIFFERENT_MAX: usize = 1000;

pub(super) fn uniq<'e>(given: &[Operand<'e>]) -> Result<Operand<'e>, String> {
    let mut different: Vec<Operand<'e>> = Vec::new();
    for item in items(&given[0])? {
        if !different.iter().any(|known| known.is_equal(&item)) {
            if different.len() == DIFFERENT_MAX {
                return Err(format!("more than {DIFFERENT_MAX} different items"));
            }
            different.push(item);
        }
    }
    Ok(Operand::List(different))
}

pub(super) fn reverse<'e>(given: &[Operand<'e>]) -> Result<Operand<'e>, String> {
    let mut reversed = items(&given[0])?;
    reversed.reverse();
    Ok(Operand::List(reversed))
}

pub(super) fn sort<'e>(given: &[Operand<'e>]) -> Result<Operand<'e>, String> {
    sorted(items(&given[0])?.into_iter().map(|item| (item.clone(), item)).collect(), given.get(1))
}

/// What stands behind each key, by the keys; the order is `asc` or `desc`.
pub(in crate::operators::expression) fn sorted<'e>(
    mut keyed: Vec<(Operand<'e>, Operand<'e>)>,
    order: Option<&Operand<'_>>,
) -> Result<Operand<'e>, String> {
    let is_down = match order.map(text).transpose()? {
        None | Some("asc") => false,
        Some("desc") => true,
        Some(other) => return Err(format!("`{other}` is no order: asc, desc")),
    };
    // The first two that cannot be compared say why.
    for pair in keyed.windows(2) {
        pair[0].0.compare(&pair[1].0)?;
    }
    keyed.sort_by(|(one, _), (other, _)| {
        let order = one.compare(other).ok().flatten().unwrap_or(Ordering::Equal);
        if is_down { order.reverse() } else { order }
    });
    Ok(Operand::List(keyed.into_iter().map(|(_, item)| item).collect()))
}
