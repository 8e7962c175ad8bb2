//! Bootable images: the kernel inside a `vmlinuz`, `bzImage`, `Image.gz`, `zImage` or EFI image, decompressed.
//!
//! | file | told by | the kernel is |
//! |---|---|---|
//! | x86 `bzImage` | `HdrS` (`Documentation/arch/x86/boot.rst`) | where the header says, an ELF file |
//! | EFI zboot (arm64, riscv64, loong64) | `zimg` (`drivers/firmware/efi/libstub/zboot-header.S`) | where the header says, flat memory |
//! | arm64, riscv64 `Image` | `ARM\x64`, `RSC\x05` | the file itself, flat memory |
//! | armhf `zImage`, s390x `bzImage` | a magic number | searched for, flat memory |
//! | mips64el `vmlinuz` | an ELF file with nothing of a kernel but its decompressor (`arch/mips/boot/compressed`) | searched for, flat memory |
//!
//! A kernel is known by its banner. What boot loaders take around these is taken off before (`carrier`).

use std::borrow::Cow;
use std::io::Read as _;

use memchr::memmem;

use super::codec::{self, Codec};
use super::{Bytes, Config, Form, Kernel, Origin, elf, members, plain_config, xz};
use crate::error::{Error, Result};
use crate::image::boot::arch_of_header;
use crate::kernel::Arch;

/// The largest kernel that is decompressed; they have below 128 MiB.
const LARGEST: u64 = 1 << 30;
/// How much larger than its compressed form a kernel may be; they shrink three- to sixfold, but zeros in them more.
const MOST_RATIO: u64 = 256;
/// Places that are tried in a file that does not say where its kernel is.
const MOST_PLACES: usize = 64;

/// A kernel that was found in a bootable image.
pub struct Found<'a> {
    /// The kernel: an ELF file or flat memory.
    pub kernel: Cow<'a, [u8]>,
    /// The architecture, where the file or the kernel's header tells it.
    pub arch: Option<Arch>,
}

/// Whether a file is a bootable image, by its headers.
#[must_use]
pub fn is_bootable(bytes: &[u8]) -> bool {
    let at = |offset: usize, magic: &[u8]| bytes.get(offset..).is_some_and(|rest| rest.starts_with(magic));
    // Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header".
    at(0x202, b"HdrS") || at(4, b"zimg") || arch_of_header(bytes).is_some() || of_magic(bytes).is_some()
}

/// The architecture of files whose headers do not say where the kernel is.
fn of_magic(bytes: &[u8]) -> Option<Arch> {
    // Documentation/arch/arm/booting.rst; the ELF entry stub of s390 (arch/s390/boot/head.S).
    if bytes.get(0x24..0x28) == Some(&[0x18, 0x28, 0x6f, 0x01]) {
        return Some(Arch::Armhf);
    }
    if is_mips_decompressor(bytes) {
        return Some(Arch::Mips64el);
    }
    (bytes.get(0x10008..0x1000e) == Some(b"S390EP")).then_some(Arch::S390x)
}

/// Whether an ELF file for MIPS is the code that decompresses a kernel: it exports nothing, as every kernel does.
fn is_mips_decompressor(bytes: &[u8]) -> bool {
    const EM_MIPS: &[u8] = &[8, 0];
    const SHT_SYMTAB: u32 = 2;
    if !bytes.starts_with(b"\x7fELF\x02\x01") || bytes.get(18..20) != Some(EM_MIPS) {
        return false;
    }
    let read = |offset: u64, length: usize| {
        let at = offset as usize;
        let part = at.checked_add(length).and_then(|end| bytes.get(at..end));
        part.map(<[u8]>::to_vec).ok_or_else(|| cut("section headers", offset + length as u64, bytes))
    };
    let Ok(Some(table)) = elf::Table::read(bytes, bytes.len() as u64, read) else { return false };
    let of_kernel =
        |section: &elf::Section| section.kind == SHT_SYMTAB || section.name.starts_with(b"__ksymtab");
    !table.sections.iter().any(of_kernel)
}

/// A kernel's parts as a source gives them: its memory, and its configuration where it has one inside.
///
/// # Errors
/// When the file is cut or damaged, or has no kernel inside.
pub fn kernel(origin: Origin, bytes: Bytes) -> Result<Kernel> {
    let found = find(&bytes)?;
    let arch = found.arch;
    let unpacked = match found.kernel {
        Cow::Owned(kernel) => Some(kernel),
        Cow::Borrowed(_) => None,
    };
    let vmlinux = unpacked.map_or(bytes, Bytes::owned);
    let config = embedded_config(&vmlinux)?.map(|text| Config { text, origin: origin.clone() });
    Ok(Kernel {
        vmlinux,
        form: Form::Boot { arch },
        config,
        origin,
        config_packages: Vec::new(),
        place: None,
        modules: Vec::new(),
    })
}

/// Finds the kernel in a bootable image.
///
/// # Errors
/// When the file is cut or damaged, or has no kernel inside.
pub fn find(bytes: &[u8]) -> Result<Found<'_>> {
    if let Some(payload) = x86_payload(bytes)? {
        return Ok(Found { kernel: decompressed(payload)?.into(), arch: None });
    }
    if let Some(payload) = zboot_payload(bytes)? {
        let kernel = decompressed(payload)?;
        let arch = arch_of_header(&kernel);
        return Ok(Found { kernel: kernel.into(), arch });
    }
    if has_banner(bytes) {
        return Ok(Found { kernel: bytes.into(), arch: arch_of_header(bytes) });
    }
    let searched = search(bytes).ok_or_else(|| Error::NotKernel {
        why: "no compressed kernel was found in the bootable image".into(),
    })?;
    let arch = of_magic(bytes).or_else(|| arch_of_header(&searched));
    Ok(Found { kernel: searched.into(), arch })
}

fn has_banner(bytes: &[u8]) -> bool {
    memmem::find_iter(bytes, b"Linux version ").any(|at| bytes.get(at + 14).is_some_and(u8::is_ascii_digit))
}

/// `payload_offset` and `payload_length` of the x86 boot protocol, since 2.08: counted from the protected-mode code.
fn x86_payload(bytes: &[u8]) -> Result<Option<&[u8]>> {
    if bytes.get(0x202..0x206) != Some(b"HdrS") {
        return Ok(None);
    }
    let (Some(version), Some(offset), Some(length)) =
        (u32_at(bytes, 0x206), u32_at(bytes, 0x248), u32_at(bytes, 0x24c))
    else {
        return Err(cut("setup header", 0x250, bytes));
    };
    if version & 0xffff < 0x208 {
        let what = "the boot protocol is older than 2.08 and does not say where the kernel is";
        return Err(Error::malformed("bzImage", "offset 0x206", what));
    }
    let sectors = match bytes[0x1f1] {
        0 => 4,
        sectors => u64::from(sectors),
    };
    range(bytes, (sectors + 1) * 512 + u64::from(offset), length.into()).map(Some)
}

/// Offset and size of the payload in the header of an EFI zboot image.
fn zboot_payload(bytes: &[u8]) -> Result<Option<&[u8]>> {
    if !bytes.starts_with(b"MZ") || bytes.get(4..8) != Some(b"zimg") {
        return Ok(None);
    }
    let (Some(offset), Some(size)) = (u32_at(bytes, 8), u32_at(bytes, 12)) else {
        return Err(cut("header", 16, bytes));
    };
    range(bytes, offset.into(), size.into()).map(Some)
}

fn range(bytes: &[u8], offset: u64, length: u64) -> Result<&[u8]> {
    let end = offset + length;
    bytes.get(offset as usize..end as usize).ok_or_else(|| cut("compressed kernel", end, bytes))
}

fn cut(what: &str, needed: u64, bytes: &[u8]) -> Error {
    Error::Truncated { what: what.into(), needed, available: bytes.len() as u64 }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// The first place where something decompresses to a kernel.
fn search(bytes: &[u8]) -> Option<Vec<u8>> {
    let magics =
        [codec::GZIP, xz::MAGIC, codec::ZSTD, codec::LZ4_LEGACY, codec::BZIP2, codec::LZMA, codec::LZO];
    let of_magic = |magic| {
        let places = memmem::find_iter(bytes, magic).filter(|at| Codec::of(&bytes[*at..]).is_some());
        places.take(MOST_PLACES)
    };
    let mut places: Vec<usize> = magics.into_iter().flat_map(of_magic).collect();
    places.sort_unstable();
    places.into_iter().take(MOST_PLACES).find_map(|at| {
        let kernel = decompressed(&bytes[at..]).ok()?;
        has_banner(&kernel).then_some(kernel)
    })
}

/// Decompresses what begins here. What is behind its end, as the size that the build appends, is no matter.
///
/// # Errors
/// When it is damaged, too large, or compressed in an unknown way.
pub fn decompressed(data: &[u8]) -> Result<Vec<u8>> {
    let Some(codec) = Codec::of(data) else {
        let start: Vec<String> = data.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        return Err(Error::UnknownFormat {
            found: format!("a kernel compressed in an unknown way, it starts with {}", start.join(" ")),
        });
    };
    let limit = (data.len() as u64).saturating_mul(MOST_RATIO).min(LARGEST);
    let mut kernel = Vec::new();
    codec.first(data)?.take(limit + 1).read_to_end(&mut kernel).map_err(|e| {
        let at = format!("byte {:#x} of the contents", kernel.len());
        Error::malformed(codec.name(), at, e.to_string())
    })?;
    if kernel.len() as u64 > limit {
        return Err(Error::Limit {
            what: format!("a kernel of more than {limit} bytes in {} compressed ones", data.len()),
            limit: format!("{MOST_RATIO} bytes for each, and {} MiB", LARGEST >> 20),
        });
    }
    Ok(kernel)
}

/// The configuration that a kernel built with CONFIG_IKCONFIG has inside: gzip between two marks.
fn embedded_config(kernel: &[u8]) -> Result<Option<String>> {
    let Some(start) = memmem::find_iter(kernel, b"IKCFG_ST")
        .map(|at| at + 8)
        .find(|&at| kernel[at..].starts_with(codec::GZIP))
    else {
        return Ok(None);
    };
    let limit = start.saturating_add(members::LARGEST_CONFIG as usize).min(kernel.len());
    let rest = &kernel[start..limit];
    let length = memmem::find(rest, b"IKCFG_ED").unwrap_or(rest.len());
    plain_config(&rest[..length]).map_err(|e| e.at("IKCONFIG"))
}
