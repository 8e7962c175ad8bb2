//! The number that a relocation gives (`bpf_core_calc_relo`).

use super::spec::{BPF_POINTER, Spec};
use crate::bpf::core::RelocationKind;
use crate::surface::types::{Type, TypeKind};

/// What libbpf writes into the instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Patch {
    /// The number: an offset or size in bytes, a bit count, 0 or 1, a type id, an enumerator.
    pub value: u64,
    /// What becomes of the size of a load or store.
    pub access: Access,
}

/// What becomes of the size of a load or store that is relocated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// It stays.
    Same,
    /// It takes this many bytes from then on.
    Resized(u32),
    /// The field has another size, and is neither a pointer nor an unsigned integer: the wrong bytes would be read, so
    /// libbpf makes a load or store one that the verifier refuses. Address arithmetic goes on.
    Unfit {
        /// Bytes as the object knows it.
        object: u32,
        /// Bytes in the kernel.
        kernel: u32,
    },
}

/// The kernel has nothing that a relocation could mean: libbpf makes the instruction one that the verifier refuses,
/// should it be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Missing;

/// What one side, the object or the kernel, says of a field.
#[derive(Debug, Clone, Copy)]
struct Field<'a> {
    value: u64,
    /// Size and type, where a load or store may have to be adjusted to them.
    access: Option<(u32, Type<'a>)>,
}

/// A field that is no bits libbpf could tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooWide;

/// The number on this candidate; `None` stands for no candidate at all.
pub(super) fn of(
    kind: RelocationKind,
    local: &Spec<'_>,
    kernel: Option<&Spec<'_>>,
    kernel_is: Machine,
) -> Result<Result<Patch, Missing>, TooWide> {
    let plain = |value| Ok(Patch { value, access: Access::Same });
    let Some(found) = kernel else {
        let answers_no = matches!(kind, RelocationKind::FieldExists | RelocationKind::EnumvalExists);
        return Ok(if answers_no || is_about_type(kind) { plain(0) } else { Err(Missing) });
    };
    Ok(match kind {
        RelocationKind::FieldExists
        | RelocationKind::TypeExists
        | RelocationKind::TypeMatches
        | RelocationKind::EnumvalExists => plain(1),
        RelocationKind::TypeIdLocal => plain(u64::from(local.root.id().0)),
        RelocationKind::TypeIdTarget => plain(u64::from(found.root.id().0)),
        RelocationKind::TypeSize => plain(found.root.byte_size(kernel_is.address_size).ok_or(TooWide)?),
        RelocationKind::EnumvalValue => {
            let step = found.steps.first().ok_or(TooWide)?;
            let value = step.of.enumerators().nth(step.index as usize).ok_or(TooWide)?.value;
            plain(value as u64)
        }
        _ => {
            // The object's own side must make sense as well, for its old size.
            let before =
                field(kind, local, Machine { address_size: BPF_POINTER, big_endian: kernel_is.big_endian })?;
            let after = field(kind, found, kernel_is)?;
            match before.access.zip(after.access) {
                Some(((old, old_type), (new, new_type))) if old != new => {
                    let access = if adjusts(old_type, new_type) {
                        Access::Resized(new)
                    } else {
                        Access::Unfit { object: old, kernel: new }
                    };
                    Ok(Patch { value: after.value, access })
                }
                _ => plain(after.value),
            }
        }
    })
}

/// What the sizes and bits of a machine's types depend on.
#[derive(Debug, Clone, Copy)]
pub struct Machine {
    /// Bytes of a pointer.
    pub address_size: u8,
    /// Order of bytes.
    pub big_endian: bool,
}

/// Whether a load of another size reads the same value: pointers, and integers without a sign.
fn adjusts(old: Type<'_>, new: Type<'_>) -> bool {
    let is = |found: Type<'_>, kind| found.kind() == kind;
    let unsigned = |found: Type<'_>| is(found, TypeKind::Int) && !found.is_signed();
    is(old, TypeKind::Ptr) && is(new, TypeKind::Ptr) || unsigned(old) && unsigned(new)
}

/// Offset, size, sign or shifts of the field that a path ends at (`bpf_core_calc_field_relo`).
fn field<'a>(kind: RelocationKind, spec: &Spec<'a>, machine: Machine) -> Result<Field<'a>, TooWide> {
    let bits = spec.bit_offset;
    let Some(member) = spec.member() else {
        // An element of an array, or the root itself.
        let of = spec.steps.last().ok_or(TooWide)?.of;
        let size =
            of.byte_size(machine.address_size).and_then(|size| u32::try_from(size).ok()).ok_or(TooWide)?;
        return match kind {
            RelocationKind::FieldByteOffset => Ok(Field { value: bits / 8, access: Some((size, of)) }),
            RelocationKind::FieldByteSize => Ok(Field { value: u64::from(size), access: None }),
            _ => Err(TooWide),
        };
    };
    let of = spec.steps.last().ok_or(TooWide)?.of;
    let ty = of.types().get(member.type_id).ok_or(TooWide)?.stripped(true);
    let whole = ty.byte_size(machine.address_size).ok_or(TooWide)?;
    // The bytes around a bitfield that a load has to take.
    let (byte_size, byte_offset, bit_size) = match member.bitfield_size {
        Some(width) => {
            let width = u64::from(width);
            let mut size = whole.max(1);
            let mut offset = bits / 8 / size * size;
            while bits + width - offset * 8 > size * 8 {
                if size >= 8 {
                    return Err(TooWide);
                }
                size *= 2;
                offset = bits / 8 / size * size;
            }
            (size, offset, width)
        }
        None => (whole, bits / 8, whole.saturating_mul(8)),
    };
    let value = match kind {
        RelocationKind::FieldByteOffset => {
            let size = u32::try_from(byte_size).map_err(|_| TooWide)?;
            let access = member.bitfield_size.is_none().then_some((size, ty));
            return Ok(Field { value: byte_offset, access });
        }
        RelocationKind::FieldByteSize => byte_size,
        RelocationKind::FieldSigned => {
            let is_enum = matches!(ty.kind(), TypeKind::Enum | TypeKind::Enum64);
            u64::from(if is_enum { ty.kind_flag() } else { ty.is_signed() })
        }
        // As libbpf computes them: in 32 bits, whatever the size of the field.
        RelocationKind::FieldLshiftU64 if machine.big_endian => {
            let shift = 8u64.wrapping_sub(byte_size).wrapping_mul(8).wrapping_add(bits - byte_offset * 8);
            u64::from(shift as u32)
        }
        RelocationKind::FieldLshiftU64 => {
            u64::from(64u64.wrapping_sub(bits + bit_size - byte_offset * 8) as u32)
        }
        RelocationKind::FieldRshiftU64 => u64::from(64u64.wrapping_sub(bit_size) as u32),
        _ => return Err(TooWide),
    };
    Ok(Field { value, access: None })
}

/// Whether a relocation asks of a type as a whole.
pub(super) fn is_about_type(kind: RelocationKind) -> bool {
    !kind.is_field() && !kind.is_enumerator()
}
