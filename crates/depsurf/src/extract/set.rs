//! The sets of `.BTF_ids`: which functions the verifier allows, denies, lets sleep, or lets be called.
//!
//! A symbol `__BTF_ID__set__NAME` (or `set8`) lies on a set: `u32 cnt`, then the members' BTF ids; a SET8 has
//! `u32 flags` behind the count, and a word of flags behind each id (`include/linux/btf_ids.h`). At build time
//! `resolve_btfids` writes the ids and sorts them; before, and in images without `.BTF`, the ids are zero and each
//! member's place has a symbol `__BTF_ID__func__NAME__NUMBER`.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::image::{Image, Symbol};
use crate::note::Notes;
use crate::surface::build::Parts;
use crate::surface::meta::{Evidence, Fact, Meta};
use crate::surface::record::{self, SET_8, SET_KFUNCS};
use crate::surface::types::{TypeId, Types};

const SET: &[u8] = b"__BTF_ID__set__";
const SET8: &[u8] = b"__BTF_ID__set8__";
const MEMBER: &[u8] = b"__BTF_ID__";
/// `BTF_SET8_KFUNCS` in the flags of a SET8.
const SET8_KFUNCS: u64 = 1;

/// Bytes that the names of all members may have together; those of a real kernel have some tens of KiB.
const MAX_TEXT: usize = 8 << 20;

/// A set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    /// Name, as in `BTF_SET_START(NAME)`; static sets of several files may share one.
    pub name: String,
    /// `record::SET_*` bits.
    pub flags: u32,
    /// Names of the members with their flags, in the order of the image.
    pub members: Vec<(String, u32)>,
}

/// All sets, sorted by name.
#[derive(Debug)]
pub struct Sets {
    /// The sets.
    pub list: Vec<Set>,
    /// Whether the sets could be read.
    pub evidence: Evidence,
}

impl Sets {
    /// Whether the sets of the image are known.
    #[must_use]
    pub fn are_known(&self) -> bool {
        matches!(self.evidence, Evidence::Known { .. })
    }

    /// The members of all sets of a name.
    pub fn members<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.list
            .iter()
            .filter(move |set| set.name == name)
            .flat_map(|set| set.members.iter().map(|(name, _)| name.as_str()))
    }

    /// Moves the sets into the surface.
    pub fn store(self, parts: &mut Parts) {
        for set in &self.list {
            parts.sets.push(record::Set {
                name: parts.strings.intern(set.name.as_bytes()).0.into(),
                first_member: (parts.set_members.len() as u32).into(),
                flags: set.flags.into(),
            });
            for (name, flags) in &set.members {
                let name = parts.strings.intern(name.as_bytes()).0.into();
                parts.set_members.push(record::SetMember { name, flags: (*flags).into() });
            }
        }
        parts.meta.evidence.insert(Fact::BtfIds, self.evidence);
    }
}

/// What the ids in the sets of an image mean.
#[derive(Debug, Clone)]
struct Ids {
    /// [`Meta::btf_types`]: ids below it are those of the kernel's `.BTF`.
    kernel: u32,
    /// Of a module: where its own types are in the table. Their ids in its BTF follow those of the kernel.
    own: Range<u32>,
}

impl Ids {
    /// The type with an id of the image's BTF; `None` where it has none.
    fn get(&self, id: u32) -> Option<TypeId> {
        let id = match id.checked_sub(self.kernel) {
            None => id,
            Some(index) => self.own.start.checked_add(index).filter(|id| self.own.contains(id))?,
        };
        (id != 0).then_some(TypeId(id))
    }
}

/// Reads all sets. Their ids are those of `.BTF`, of which `meta` says whether the kernel has it. `own` is where the types
/// of a module's own BTF are; empty for the kernel.
pub fn read(image: &Image<'_>, types: Types<'_>, meta: &Meta, own: Range<u32>, notes: &mut Notes) -> Sets {
    let Some(section) = image.section(".BTF_ids") else {
        // Without BTF the macros of `include/linux/btf_ids.h` make empty sets, and no section.
        let evidence = match meta.has_btf() {
            Some(false) => Evidence::known("no `.BTF_ids`: built without BTF"),
            _ => Evidence::unknown("the image has no `.BTF_ids` section"),
        };
        return Sets { list: Vec::new(), evidence };
    };
    let mut reader = Reader {
        image,
        types,
        ids: Ids { kernel: meta.btf_types, own },
        section_end: section.addresses().end,
        members_left: section.size / 4,
        text_left: MAX_TEXT,
    };
    let mut list = Vec::new();
    for &index in image.symbols_by_address().within(&section.addresses()) {
        let symbol = &image.symbols()[index as usize];
        let (name, is_set8) = match (symbol.name.strip_prefix(SET), symbol.name.strip_prefix(SET8)) {
            (Some(name), _) => (name, false),
            (_, Some(name)) => (name, true),
            _ => continue,
        };
        let name = String::from_utf8_lossy(name).into_owned();
        match reader.set(symbol, is_set8, notes) {
            Ok((flags, members)) => list.push(Set { name, flags, members }),
            Err(error) => notes.lost(
                "btf-id-set",
                || format!("a set of `.BTF_ids` cannot be read: {error}"),
                || format!("set `{name}`"),
            ),
        }
    }
    mark_kfunc_sets(&mut list);
    list.sort_by(|a, b| a.name.cmp(&b.name));
    Sets { list, evidence: Evidence::known(".BTF_ids") }
}

struct Reader<'a, 'i, 't> {
    image: &'a Image<'i>,
    types: Types<'t>,
    ids: Ids,
    section_end: u64,
    /// Members that the section has room for. Sets do not overlap, but damaged symbols may.
    members_left: u64,
    text_left: usize,
}

impl Reader<'_, '_, '_> {
    /// Flags and members of the set at a symbol.
    fn set(
        &mut self,
        symbol: &Symbol<'_>,
        is_set8: bool,
        notes: &mut Notes,
    ) -> Result<(u32, Vec<(String, u32)>)> {
        let (header, step) = if is_set8 { (8, 8) } else { (4, 4) };
        // Unresolved sets have no count, and symbols of old assembly no size: take the room there is for the members.
        let room = if symbol.size != 0 {
            symbol.size.saturating_sub(header) / step
        } else {
            self.image.uint_at(symbol.address, 4)?
        };
        let room = room.min(self.section_end.saturating_sub(symbol.address) / step);
        self.members_left = self.members_left.checked_sub(room).ok_or_else(|| overlap(symbol))?;
        let mut flags = if is_set8 { SET_8 } else { 0 };
        if is_set8 && self.image.uint_at(symbol.address.saturating_add(4), 4)? & SET8_KFUNCS != 0 {
            flags |= SET_KFUNCS;
        }
        let mut members = Vec::with_capacity(room as usize);
        for index in 0..room {
            let place = symbol.address.saturating_add(header + index * step);
            let id = self.image.uint_at(place, 4)? as u32;
            let member_flags =
                if is_set8 { self.image.uint_at(place.saturating_add(4), 4)? as u32 } else { 0 };
            match self.member(id, place).filter(|name| !name.is_empty()) {
                Some(name) => {
                    self.text_left = self.text_left.checked_sub(name.len()).ok_or_else(|| overlap(symbol))?;
                    members.push((name, member_flags));
                }
                // `resolve_btfids` warns and leaves the id 0: the function is not in BTF, so the set does not
                // work for it and the kernel behaves as if it were not there.
                None if id == 0 => notes.skipped(
                    "btf-id-unresolved",
                    || "a set names a function that is not in BTF".into(),
                    || format!("set `{}` at {place:#x}", symbol.text()),
                ),
                None => notes.lost(
                    "btf-id-unknown",
                    || "a set holds an id that is not in BTF".into(),
                    || format!("id {id} at {place:#x}"),
                ),
            }
        }
        Ok((flags, members))
    }

    /// The name of a member: of the type with its id, or, where there is no BTF, of the symbol at its place.
    fn member(&self, id: u32, place: u64) -> Option<String> {
        if self.ids.kernel > 1 {
            self.types.get(self.ids.get(id)?).map(|ty| ty.name().to_owned())
        } else {
            member_name(self.image, place)
        }
    }
}

fn overlap(symbol: &Symbol<'_>) -> Error {
    let at = format!("`{}`", symbol.text());
    Error::malformed("image", at, "the sets have more members than `.BTF_ids` has room for")
}

/// The name in the symbol `__BTF_ID__func__NAME__NUMBER` on a member.
fn member_name(image: &Image<'_>, place: u64) -> Option<String> {
    image.symbols_at(place).find_map(|(_, symbol)| {
        let rest = std::str::from_utf8(symbol.name.strip_prefix(MEMBER)?).ok()?;
        let (_kind, rest) = rest.split_once("__")?;
        let (name, number) = rest.rsplit_once("__")?;
        number.bytes().all(|byte| byte.is_ascii_digit()).then(|| name.to_owned())
    })
}

/// The kernels before `BTF_SET8_KFUNCS` (6.9) mark nothing: there every SET8 was a set of kfuncs but the few for
/// `fmod_ret`, and before SET8 came (6.0), plain sets named `*_kfunc_ids`.
fn mark_kfunc_sets(sets: &mut [Set]) {
    if sets.iter().any(|set| set.flags & SET_KFUNCS != 0) {
        return;
    }
    let any_set8 = sets.iter().any(|set| set.flags & SET_8 != 0);
    for set in sets {
        let is_kfuncs = if any_set8 {
            let modifies_return = set.name.contains("fmodret") || set.name.contains("modify_return");
            set.flags & SET_8 != 0 && !modifies_return
        } else {
            set.name.ends_with("kfunc_ids")
        };
        if is_kfuncs {
            set.flags |= SET_KFUNCS;
        }
    }
}
