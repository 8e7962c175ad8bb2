//! Where a member or an enumerator stands among its siblings.

use foldhash::fast::FixedState;
use hashbrown::HashSet;

use super::Evidence;

/// The place of one sibling, told by those that did not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Place<'a> {
    /// The sibling before the run of changed ones that this one is in; empty where the run is at the start.
    before: &'a str,
    /// The sibling after the run; empty where the run is at the end.
    after: &'a str,
    /// Its number in the run.
    number: usize,
    /// Length of the run.
    run: usize,
}

/// The places of all siblings. A sibling changed where the other surface has none of its name.
pub(super) fn places<'a>(siblings: &[&'a str], others: &[&str]) -> Vec<Place<'a>> {
    let others: HashSet<&str, FixedState> = others.iter().copied().collect();
    let mut places = vec![Place::default(); siblings.len()];
    let mut start = 0;
    while start < siblings.len() {
        let stays = |at: &usize| others.contains(siblings[*at]);
        let end = (start..siblings.len()).find(stays).unwrap_or(siblings.len());
        let run = Place {
            before: start.checked_sub(1).map_or("", |at| siblings[at]),
            after: siblings.get(end).copied().unwrap_or_default(),
            number: 0,
            run: end - start,
        };
        for (number, place) in places[start..end].iter_mut().enumerate() {
            *place = Place { number, ..run };
        }
        start = end + 1;
    }
    places
}

impl Place<'_> {
    /// What the place says for two being one: its weight, and in words.
    pub fn evidence(&self, other: &Self) -> Option<(f32, Evidence)> {
        let same = |a: &str, b: &str| (a == b && !a.is_empty()).then(|| a.to_owned());
        let (before, after) = (same(self.before, other.before), same(self.after, other.after));
        let weight = match (self.before == other.before, self.after == other.after) {
            // Without an unchanged sibling any place is like any other.
            _ if before.is_none() && after.is_none() => 0.0,
            (true, true) if (self.number, self.run) == (other.number, other.run) => 3.0,
            (true, true) => 1.5,
            (true, false) if before.is_some() && self.number == other.number => 1.2,
            (false, true) if after.is_some() && self.run - self.number == other.run - other.number => 1.2,
            _ => 0.0,
        };
        (weight > 0.0).then_some((weight, Evidence::SamePosition { before, after }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place<'a>(siblings: &[&'a str], others: &[&str], of: &str) -> Place<'a> {
        let at = siblings.iter().position(|name| *name == of).unwrap();
        places(siblings, others)[at]
    }

    #[test]
    fn a_renamed_sibling_keeps_its_place() {
        let (old, new) = (["a", "b", "c"], ["a", "x", "c"]);
        let (b, x) = (place(&old, &new, "b"), place(&new, &old, "x"));
        let (weight, evidence) = b.evidence(&x).unwrap();
        assert_eq!(weight, 3.0);
        assert_eq!(evidence, Evidence::SamePosition { before: Some("a".into()), after: Some("c".into()) });
    }

    #[test]
    fn a_run_is_told_by_number() {
        let (old, new) = (["a", "b", "c", "d"], ["a", "x", "y", "d"]);
        let (b, x, y) = (place(&old, &new, "b"), place(&new, &old, "x"), place(&new, &old, "y"));
        assert_eq!(b.evidence(&x).unwrap().0, 3.0);
        assert_eq!(b.evidence(&y).unwrap().0, 1.5);
    }

    #[test]
    fn another_place_says_nothing() {
        let (old, new) = (["a", "b", "c", "d"], ["a", "c", "x", "d"]);
        assert_eq!(place(&old, &new, "b").evidence(&place(&new, &old, "x")), None);
    }

    #[test]
    fn the_ends_are_places_too() {
        let (old, new) = (["a", "b"], ["a", "x"]);
        let evidence = place(&old, &new, "b").evidence(&place(&new, &old, "x")).unwrap().1;
        assert_eq!(evidence, Evidence::SamePosition { before: Some("a".into()), after: None });
    }
}
