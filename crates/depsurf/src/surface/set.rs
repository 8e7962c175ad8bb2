//! Sets of functions that the image keeps for its verifier: `.BTF_ids` and similar tables.

use super::record::{self, Section};
use super::{Surface, run};

/// A set.
#[derive(Debug, Clone, Copy)]
pub struct Set<'a> {
    surface: &'a Surface,
    index: usize,
    record: &'a record::Set,
}

/// A member of a set.
#[derive(Debug, Clone, Copy)]
pub struct Member<'a> {
    /// Name of the function or type.
    pub name: &'a str,
    /// Flags of the member in a SET8, else 0.
    pub flags: u32,
}

impl Surface {
    /// All sets, sorted by name. Static sets of different files may share a name.
    pub fn sets(&self) -> impl ExactSizeIterator<Item = Set<'_>> {
        let records: &[record::Set] = self.table(Section::Sets);
        records.iter().enumerate().map(|(index, record)| Set { surface: self, index, record })
    }

    /// Whether some set of this name has this member; `None` when there is no set of this name.
    #[must_use]
    pub fn set_contains(&self, set: &str, member: &str) -> Option<bool> {
        let records: &[record::Set] = self.table(Section::Sets);
        let start = records.partition_point(|record| self.text(record.name) < set);
        let mut found = None;
        for candidate in self.sets().skip(start).take_while(|candidate| candidate.name() == set) {
            found = Some(found.unwrap_or(false) || candidate.members().any(|other| other.name == member));
        }
        found
    }
}

impl<'a> Set<'a> {
    /// Name, as in `BTF_SET_START(NAME)`.
    #[must_use]
    pub fn name(self) -> &'a str {
        self.surface.text(self.record.name)
    }

    /// Whether the image marks it as a set of kfuncs.
    #[must_use]
    pub fn is_kfunc_set(self) -> bool {
        self.record.flags.get() & record::SET_KFUNCS != 0
    }

    /// Members, in the order of the image.
    pub fn members(self) -> impl ExactSizeIterator<Item = Member<'a>> {
        let surface = self.surface;
        let sets: &[record::Set] = surface.table(Section::Sets);
        let members: &[record::SetMember] = surface.table(Section::SetMembers);
        run(sets, self.index, |set| set.first_member, members)
            .iter()
            .map(move |member| Member { name: surface.text(member.name), flags: member.flags.get() })
    }
}
