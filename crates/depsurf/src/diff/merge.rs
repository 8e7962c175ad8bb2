//! Merging the sorted names of two kernels.

use std::cmp::Ordering;

/// The things of a kind on one kernel, by name. Several may share one.
pub(super) struct Names<'a, T> {
    /// Sorted by name.
    items: Vec<T>,
    /// Each name once, and the place of its first item.
    names: Vec<(&'a str, usize)>,
}

/// One name on two kernels, with the things that each has under it.
pub(super) struct Entry<'n, 'a, T> {
    pub name: &'a str,
    pub old: &'n [T],
    pub new: &'n [T],
}

impl<'a, T> Names<'a, T> {
    /// Of a list that is sorted by name. Of one that is not, which only a damaged file gives, some names do not meet.
    pub(super) fn new(sorted: Vec<(&'a str, T)>) -> Self {
        let mut names: Vec<(&'a str, usize)> = Vec::with_capacity(sorted.len());
        let mut items = Vec::with_capacity(sorted.len());
        for (name, item) in sorted {
            if names.last().is_none_or(|(last, _)| *last != name) {
                names.push((name, items.len()));
            }
            items.push(item);
        }
        Self { items, names }
    }

    /// Number of names.
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    /// The things of the name at a place.
    fn items(&self, place: usize) -> &[T] {
        let end = self.names.get(place + 1).map_or(self.items.len(), |(_, first)| *first);
        &self.items[self.names[place].1..end]
    }

    /// All names of this kernel and a new one, sorted.
    pub(super) fn merge<'n>(&'n self, new: &'n Self) -> Vec<Entry<'n, 'a, T>> {
        let mut entries = Vec::with_capacity(self.len().max(new.len()));
        let (mut from, mut to) = (0, 0);
        loop {
            let order = match (self.names.get(from), new.names.get(to)) {
                (Some((old, _)), Some((new, _))) => old.cmp(new),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => return entries,
            };
            let name = if order.is_le() { self.names[from].0 } else { new.names[to].0 };
            let mut entry = Entry { name, old: &[][..], new: &[][..] };
            if order.is_le() {
                entry.old = self.items(from);
                from += 1;
            }
            if order.is_ge() {
                entry.new = new.items(to);
                to += 1;
            }
            entries.push(entry);
        }
    }
}

/// Things under one name that are compared each with each. Real names have some tens at most.
const FEW: usize = 256;

/// The first ones of a list, so that damaged tables cannot make work grow with their square.
pub(super) fn few<T>(items: &[T]) -> &[T] {
    &items[..items.len().min(FEW)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_meet() {
        let old = Names::new(vec![("a", 1), ("b", 2), ("b", 3), ("d", 4)]);
        let new = Names::new(vec![("b", 5), ("c", 6), ("d", 7), ("d", 8)]);
        let merged: Vec<_> =
            old.merge(&new).iter().map(|it| (it.name, it.old.to_vec(), it.new.to_vec())).collect();
        assert_eq!(
            merged,
            [
                ("a", vec![1], vec![]),
                ("b", vec![2, 3], vec![5]),
                ("c", vec![], vec![6]),
                ("d", vec![4], vec![7, 8]),
            ]
        );
        assert_eq!((old.len(), Names::<i32>::new(Vec::new()).merge(&new).len()), (3, 3));
    }
}
