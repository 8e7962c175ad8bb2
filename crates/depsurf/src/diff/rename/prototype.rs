//! Prototypes as hashes: whether two are the same, and in how many places they differ.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::surface::meaning;
use crate::surface::types::{Type, TypeId, Types};

/// Parameters that are compared; the rest of a longer list counts as equal.
const PARAMS: usize = 16;

/// A prototype: hashes of what its types mean. Names of parameters are not part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Prototype {
    /// Return type first, then the parameters.
    types: Vec<u64>,
    /// Hash of all.
    pub hash: u64,
}

/// Hashes of types by id, filled when they are asked for.
pub(super) struct Memo<'a> {
    types: Types<'a>,
    /// 0 where not asked for yet. Threads may fill a slot twice, with the same value.
    hashes: Vec<AtomicU64>,
}

impl<'a> Memo<'a> {
    pub fn new(types: Types<'a>) -> Self {
        Self { types, hashes: (0..types.len()).map(|_| AtomicU64::new(0)).collect() }
    }

    /// Hash of what a type means.
    pub fn hash(&self, id: TypeId) -> u64 {
        let Some(slot) = self.hashes.get(id.0 as usize) else { return 0 };
        match slot.load(Ordering::Relaxed) {
            0 => {
                let hash = self.types.get(id).map_or(0, meaning::hash);
                slot.store(hash, Ordering::Relaxed);
                hash
            }
            known => known,
        }
    }

    /// The prototype of a FUNC_PROTO.
    pub fn prototype(&self, proto: Type<'a>) -> Prototype {
        let parts = proto.target_id().into_iter().chain(proto.params().map(|param| param.type_id));
        Prototype::new(parts.take(PARAMS).map(|id| self.hash(id)).collect())
    }
}

impl Prototype {
    pub fn new(types: Vec<u64>) -> Self {
        let hash = types.iter().fold(types.len() as u64, |hash, part| {
            (hash.rotate_left(23) ^ part).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        });
        Self { types, hash }
    }

    /// Number of parameters.
    pub fn params(&self) -> usize {
        self.types.len().saturating_sub(1)
    }

    /// In how many places two prototypes differ: the return type, and parameters added, removed or of another type.
    pub fn differences(&self, other: &Self) -> usize {
        if self == other {
            return 0;
        }
        let (Some((left, a)), Some((right, b))) = (self.types.split_first(), other.types.split_first())
        else {
            return self.types.len().max(other.types.len());
        };
        usize::from(left != right) + edits(a, b)
    }
}

/// Edit distance of two short lists.
fn edits(a: &[u64], b: &[u64]) -> usize {
    let mut row = [0; PARAMS + 1];
    for (at, slot) in row.iter_mut().enumerate() {
        *slot = at;
    }
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let next = (diagonal + usize::from(x != y)).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = row[j + 1];
            row[j + 1] = next;
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::Prototype;

    #[test]
    fn differences_are_counted() {
        let proto = |types: &[u64]| Prototype::new(types.to_vec());
        let differences = |a: &[u64], b: &[u64]| proto(a).differences(&proto(b));
        assert_eq!(differences(&[1, 2, 3], &[1, 2, 3]), 0);
        assert_eq!(differences(&[1, 2, 3], &[9, 2, 3]), 1);
        assert_eq!(differences(&[1, 2, 3], &[1, 3]), 1);
        assert_eq!(differences(&[1, 2, 3, 4], &[1, 3, 4, 5]), 2);
        assert_eq!(differences(&[1], &[]), 1);
        assert_eq!(differences(&[], &[]), 0);
        assert_eq!(proto(&[1, 2]).params(), 1);
    }
}
