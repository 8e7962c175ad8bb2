//! A path through types, from the object's side and from the kernel's (`struct bpf_core_spec`).

use crate::bpf::core::{self, Path};
use crate::surface::types::{Member, Type};

/// A path that starts at a type: `task_struct`, then `se`, then `vruntime`.
#[derive(Debug, Clone)]
pub struct Spec<'a> {
    /// The type that the relocation names, typedefs and all.
    pub root: Type<'a>,
    /// The first is the index into an array of the root type, mostly 0. For kinds about an enumerator it is that;
    /// for kinds about a type there is only the first.
    pub steps: Vec<Step<'a>>,
    /// Bits from the start of the root to the end of the path.
    pub bit_offset: u64,
}

/// A step of a path: a member or enumerator with a name, or an element of an array.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    /// The type that is stepped into, without typedefs and qualifiers.
    pub of: Type<'a>,
    /// Number of the member, enumerator or element.
    pub index: u32,
    /// Name of the member or enumerator; `None` for an element.
    pub name: Option<&'a str>,
}

/// Why a path cannot be followed, so that libbpf gives up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Broken {
    /// Types are nested deeper than libbpf follows.
    TooDeep,
    /// A type refers to one that does not exist.
    NoType,
    /// The size of an array's elements is not known.
    NoSize,
    /// Offsets beyond what 32 bits of bits can tell.
    TooFar,
}

impl<'a> Spec<'a> {
    /// The object's side.
    ///
    /// # Errors
    /// When the object's types are beyond what libbpf follows.
    pub(super) fn of_object(path: &Path<'a>) -> Result<Self, Broken> {
        let mut spec = Self { root: path.root, steps: Vec::new(), bit_offset: 0 };
        for step in &path.steps {
            match *step {
                core::Step::Root { index } => spec.element(path.resolved, index, BPF_POINTER)?,
                core::Step::Element { of, index, .. } => {
                    let element = of.array().and_then(|(element, _)| of.types().get(element));
                    spec.element(element.ok_or(Broken::NoType)?.stripped(true), index, BPF_POINTER)?;
                }
                core::Step::Member { of, index, name, .. } => {
                    let member = of.members().nth(index as usize).ok_or(Broken::NoType)?;
                    spec.advance(member.bit_offset.unwrap_or(0).into())?;
                    // Members without a name are not steps of their own: they are looked through in the kernel.
                    if !name.is_empty() {
                        spec.steps.push(Step { of, index, name: Some(name) });
                    }
                }
                core::Step::Enumerator { name, .. } => {
                    spec.steps.push(Step { of: path.resolved, index: 0, name: Some(name) });
                }
            }
        }
        Ok(spec)
    }

    /// Goes on by some bits; gives where it was before.
    pub(super) fn advance(&mut self, bits: u64) -> Result<u64, Broken> {
        let before = self.bit_offset;
        let sum = before.checked_add(bits).filter(|sum| u32::try_from(*sum).is_ok());
        self.bit_offset = sum.ok_or(Broken::TooFar)?;
        Ok(before)
    }

    /// Steps to an element of an array of this type.
    pub(super) fn element(&mut self, of: Type<'a>, index: u32, address_size: u8) -> Result<(), Broken> {
        let size = of.byte_size(address_size).ok_or(Broken::NoSize)?;
        let bits = u64::from(index).checked_mul(size).and_then(|bytes| bytes.checked_mul(8));
        self.advance(bits.ok_or(Broken::TooFar)?)?;
        self.steps.push(Step { of, index, name: None });
        Ok(())
    }

    /// The member that the path ends at; `None` where it ends at an element, or at the root itself.
    pub(super) fn member(&self) -> Option<Member<'a>> {
        let step = self.steps.last().filter(|step| step.name.is_some())?;
        step.of.members().nth(step.index as usize)
    }
}

/// Whether an array member stands for any number of elements (`is_flex_arr`).
pub(super) fn is_flexible(of: Type<'_>, index: u32, count: u32) -> bool {
    count == 0 && index as usize + 1 == of.members().len()
}

/// Bytes of a pointer in an eBPF object.
pub(super) const BPF_POINTER: u8 = 8;
