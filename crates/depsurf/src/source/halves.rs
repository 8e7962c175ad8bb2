//! A vmlinux in two files: one has the code, the other the debug information, as SUSE's packages have it and as
//! `eu-strip -f` and `objcopy --only-keep-debug` make it.
//!
//! The two are put together to one file in memory, of which the rest knows nothing. Both have the headers of all sections
//! that are loaded, so that a section without bytes in one is found in the other by name, address and size. What belongs
//! together shows in the build ids, and in these sizes.

use std::borrow::Cow;
use std::ops::{Deref, Range};

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use object::Endianness;

use super::bytes::reserve;
use super::elf::{self, HEADER, Section, Table};
use super::members::{Files, is_debug_half, is_vmlinux};
use super::modules::Place;
use super::{Bytes, Form, Kernel, ModulePackage, compressed, deb, decode};
use crate::error::{Error, Result};
use crate::image::build_id;
use crate::progress::Progress;

const SHF_EXECINSTR: u64 = 4;
const SHT_SYMTAB: u32 = 2;
const SHT_NOTE: u32 = 7;
/// Sections that are added begin at multiples of this.
const ALIGNMENT: u64 = 16;
/// The largest compressed file in a package that is taken for a half; they are below 32 MiB.
const LARGEST_PACKED: u64 = 512 << 20;
/// As many sections as have a number of 16 bits of their own (gABI, "ELF Header").
const MOST_SECTIONS: usize = 0xff00;
/// More is not held in memory of both halves together.
const MOST_BYTES: u64 = 4 << 30;

/// What a file has of a vmlinux.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Code and debug information, or nobody can tell.
    Whole,
    /// Code, and no debug information.
    Code,
    /// Debug information, and no code.
    Debug,
}

/// Finds the other half of a kernel's vmlinux, where it has one, among [`Kernel::modules`]: in the place it came from, and in
/// what was given besides. Puts both together. Without code there is no kernel; without debug information it stays as it is.
///
/// [`super::open`] does it itself; [`super::fetched`] cannot, because it knows of one package.
///
/// # Errors
/// When the code is missing, or the other half is damaged or of another build.
pub fn complete(mut kernel: Kernel, progress: &dyn Progress) -> Result<Kernel> {
    if kernel.form != Form::Vmlinux {
        return Ok(kernel);
    }
    let part = part(&kernel.vmlinux);
    let wanted = match part {
        Part::Whole => return Ok(kernel),
        Part::Code => Part::Debug,
        Part::Debug => Part::Code,
    };
    let release = kernel.origin.release();
    // A package has one half only, and to walk through all of its modules would take seconds.
    let own = usize::from(kernel.origin.package.is_some());
    for place in kernel.modules.iter().skip(own) {
        let Some(other) = find(place, wanted, release, progress)? else { continue };
        progress.step("join the halves", None);
        let joined = match part {
            Part::Debug => join(&other, &kernel.vmlinux)?,
            _ => join(&kernel.vmlinux, &other)?,
        };
        drop(other);
        kernel.vmlinux = joined;
        return Ok(kernel);
    }
    if part == Part::Debug {
        let debug = kernel.origin.package.as_ref().map_or("", |package| &package.name);
        let code = debug.strip_suffix("-debuginfo").unwrap_or("kernel-default");
        return Err(Error::Usage {
            what: "the vmlinux has debug information and no code, which is in a file of its own".into(),
            help: Some(format!("give the package with it too, as `{code}` of the same version")),
        });
    }
    Ok(kernel)
}

/// Tells what a file has.
pub fn part(bytes: &Bytes) -> Part {
    let Ok(Some(table)) = table(bytes) else { return Part::Whole };
    let is_code = |section: &&Section| section.is_allocated() && section.flags & SHF_EXECINSTR != 0;
    let mut code = table.sections.iter().filter(is_code).peekable();
    let has_code = code.peek().is_none() || code.any(Section::has_bytes);
    let is_debug_info = |section: &Section| {
        section.has_bytes() && [&b".debug_info"[..], b".zdebug_info"].contains(&&*section.name)
    };
    match (has_code, table.sections.iter().any(is_debug_info)) {
        (true, false) => Part::Code,
        (false, true) => Part::Debug,
        _ => Part::Whole,
    }
}

/// The section headers; what was not decoded in front of them reads as zeros.
fn table(bytes: &Bytes) -> Result<Option<Table>> {
    let head = &bytes[..bytes.len().min(HEADER as usize)];
    Table::read(head, bytes.len() as u64, |offset, length| {
        Ok(bytes[offset as usize..offset as usize + length].to_vec())
    })
}

/// A half that was found.
enum Half<'a> {
    /// In memory or mapped already.
    Here(&'a Bytes),
    /// Out of its wrapping.
    Unpacked(Bytes),
}

impl Deref for Half<'_> {
    type Target = Bytes;

    fn deref(&self) -> &Bytes {
        match self {
            Self::Here(bytes) => bytes,
            Self::Unpacked(bytes) => bytes,
        }
    }
}

/// Looks for a half in a place.
fn find<'a>(
    place: &'a ModulePackage,
    wanted: Part,
    release: Option<&str>,
    progress: &dyn Progress,
) -> Result<Option<Half<'a>>> {
    let is_wanted = |path: &str| {
        let other = deb::release_in(path);
        is_vmlinux(path)
            && is_debug_half(path) == (wanted == Part::Debug)
            && (release.is_none() || other.is_none() || release == other)
    };
    let fits = |half: &Half<'_>| part(half) == wanted;
    match place.place()? {
        Place::Nothing => {}
        Place::File(bytes) => return Ok(unpacked(bytes, progress)?.filter(fits)),
        Place::Directory(paths) => {
            for path in paths.iter().filter(|path| is_wanted(&path.to_string_lossy())) {
                let bytes = Bytes::map(path)?;
                let half = match compressed::open(&bytes, progress)? {
                    Some(inside) => Half::Unpacked(inside),
                    None => Half::Unpacked(bytes),
                };
                if fits(&half) {
                    return Ok(Some(half));
                }
            }
        }
        Place::Files(mut files) => {
            while let Some(member) = files.next()? {
                if !member.regular || !is_wanted(&member.path) {
                    continue;
                }
                let half = of_member(&mut *files, member.size, progress);
                let half = half.map_err(|error| error.at(format!("`{}`", member.path)))?;
                if let Some(half) = half.map(Half::Unpacked).filter(fits) {
                    return Ok(Some(half));
                }
            }
        }
    }
    Ok(None)
}

/// A file that may be compressed; `None` where it is no ELF file.
fn unpacked<'a>(bytes: &'a Bytes, progress: &dyn Progress) -> Result<Option<Half<'a>>> {
    let half = match compressed::open(bytes, progress)? {
        Some(inside) => Half::Unpacked(inside),
        None => Half::Here(bytes),
    };
    Ok(Some(half).filter(|half| half.starts_with(elf::MAGIC)))
}

/// The same of the current member of an archive.
fn of_member(files: &mut dyn Files<'_>, size: u64, progress: &dyn Progress) -> Result<Option<Bytes>> {
    let mut head = vec![0; size.min(HEADER) as usize];
    files.archive().read_exact(&mut head, "vmlinux")?;
    if head.starts_with(elf::MAGIC) {
        return decode::vmlinux(files.archive(), size, &head, progress).map(Some);
    }
    if !compressed::is_compressed(&head) {
        return Ok(None);
    }
    let rest = files.data(size - head.len() as u64, LARGEST_PACKED, "vmlinux")?;
    let inside = compressed::open(&[head, rest].concat(), progress)?;
    Ok(inside.filter(|inside| inside.starts_with(elf::MAGIC)))
}

/// One file of both halves.
///
/// The one with the symbol table is the base, because symbols name sections by number; where both have one, it is that with
/// the debug information, of which nothing was left out. What the other has besides comes behind it, then new
/// section headers.
///
/// # Errors
/// When one is damaged, they are of different builds, or too large.
fn join(code: &Bytes, debug: &Bytes) -> Result<Bytes> {
    let headers = |bytes| table(bytes)?.ok_or_else(|| malformed("it has no section headers"));
    let (of_code, of_debug) = (headers(code)?, headers(debug)?);
    same_build(code, &of_code, debug, &of_debug)?;
    let has_symbols = |table: &Table| {
        table.sections.iter().any(|section| section.kind == SHT_SYMTAB && section.has_bytes())
    };
    if has_symbols(&of_debug) || !has_symbols(&of_code) {
        Joined::new(debug, &of_debug)?.with(code, &of_code)
    } else {
        Joined::new(code, &of_code)?.with(debug, &of_debug)
    }
}

fn malformed(what: &str) -> Error {
    Error::malformed("ELF", "a half of the vmlinux", what)
}

/// Refuses halves of different builds.
fn same_build(code: &Bytes, of_code: &Table, debug: &Bytes, of_debug: &Table) -> Result<()> {
    let differs = |what: String| {
        let help = "give both packages of the same version".into();
        Error::Usage {
            what: format!("the code is of another build than the debug information: {what}"),
            help: Some(help),
        }
    };
    if (of_code.layout.wide, of_code.layout.big) != (of_debug.layout.wide, of_debug.layout.big) {
        return Err(differs("they are of different machines".into()));
    }
    let id = |bytes: &Bytes, table: &Table| -> Option<Vec<u8>> {
        let endian = if table.layout.big { Endianness::Big } else { Endianness::Little };
        let mut notes = table.sections.iter().filter(|section| section.kind == SHT_NOTE);
        notes.find_map(|section| Some(build_id(bytes.get(range(section)?).ok()?, endian)?.to_vec()))
    };
    if let (Some(here), Some(there)) = (id(code, of_code), id(debug, of_debug))
        && here != there
    {
        return Err(differs("the build ids differ".into()));
    }
    let known = by_place(of_code);
    for section in of_debug.sections.iter().filter(|section| section.is_allocated()) {
        if let Some(other) = known.get(&place_of(section)).map(|index| &of_code.sections[*index])
            && other.size != section.size
        {
            let name = String::from_utf8_lossy(&section.name);
            return Err(differs(format!("section `{name}` has {} and {} bytes", other.size, section.size)));
        }
    }
    Ok(())
}

/// By what a section is known in both halves: name, address, whether it is loaded.
fn place_of(section: &Section) -> (&[u8], u64, bool) {
    (&section.name, section.address, section.is_allocated())
}

/// The first section of each place.
fn by_place(table: &Table) -> HashMap<(&[u8], u64, bool), usize, FixedState> {
    let sections = table.sections.iter().enumerate().rev();
    sections.map(|(index, section)| (place_of(section), index)).collect()
}

fn range(section: &Section) -> Option<Range<u64>> {
    Some(section.offset..section.offset.checked_add(section.size)?)
}

/// A file that is put together.
struct Joined<'a> {
    base: &'a Bytes,
    table: &'a Table,
    /// What is kept of the base.
    kept: Vec<Range<u64>>,
    /// Section headers, as they are written.
    headers: Vec<u8>,
    /// The names of sections.
    names: Vec<u8>,
    /// What comes behind the base: where, and which bytes.
    added: Vec<(u64, Cow<'a, [u8]>)>,
    end: u64,
}

impl<'a> Joined<'a> {
    fn new(base: &'a Bytes, table: &'a Table) -> Result<Self> {
        let size = base.len() as u64;
        let slice = |offset: u64, length: usize| base[offset as usize..offset as usize + length].to_vec();
        let kept = elf::needed(&slice(0, base.len().min(HEADER as usize)), size, |offset, length| {
            Ok(slice(offset, length))
        })?;
        let length = table.sections.len() * table.layout.shentsize as usize;
        let headers = slice(table.layout.shoff, length);
        let names =
            table.sections.get(table.names).and_then(range).ok_or_else(|| malformed("it has no names"))?;
        let names = base.get(names)?.to_vec();
        Ok(Self { base, table, kept, headers, names, added: Vec::new(), end: size })
    }

    /// Adds what another file has besides, and writes all.
    fn with(mut self, other: &'a Bytes, table: &Table) -> Result<Bytes> {
        let known = by_place(self.table);
        for section in table.sections.iter().filter(|section| section.has_bytes() && section.is_read()) {
            let place = match known.get(&place_of(section)).copied() {
                Some(own) if self.table.sections[own].has_bytes() => continue,
                // A symbol table that was moved is of another size than what was left in its place; that of the base counts.
                Some(own) if self.table.sections[own].size != section.size => continue,
                Some(own) => own,
                // The link is of no use: what has one, as a symbol table, is of the base.
                None if section.is_allocated() || !section.name.starts_with(b".") => continue,
                None => self.header(section),
            };
            let bytes = range(section).ok_or_else(|| malformed("a section ends nowhere"))?;
            let at = self.push(Cow::Borrowed(other.get(bytes)?));
            self.set(place, section.kind, at, section.size);
        }
        // Sections of a file that is whole do not overlap, so that they take no more than it has.
        let bytes: usize = self.added.iter().map(|(_, bytes)| bytes.len()).sum();
        if bytes > other.len() {
            return Err(malformed("its sections overlap"));
        }
        let (size, names) = (self.names.len() as u64, std::mem::take(&mut self.names));
        let at = self.push(Cow::Owned(names));
        self.set(self.table.names, 3, at, size);
        let headers = std::mem::take(&mut self.headers);
        let count = headers.len() / self.table.layout.shentsize as usize;
        let at = self.push(Cow::Owned(headers));
        self.write(at, count)
    }

    /// Puts bytes behind everything, and tells where.
    fn push(&mut self, bytes: Cow<'a, [u8]>) -> u64 {
        let at = self.end.next_multiple_of(ALIGNMENT);
        self.end = at + bytes.len() as u64;
        self.added.push((at, bytes));
        at
    }

    /// A header for a section that the base does not have; its number.
    fn header(&mut self, section: &Section) -> usize {
        let size = self.table.layout.shentsize as usize;
        let index = self.headers.len() / size;
        self.headers.resize(self.headers.len() + size, 0);
        let name = self.names.len() as u64;
        self.names.extend_from_slice(&section.name);
        self.names.push(0);
        self.number(index * size, 4, name);
        let (at, width) = if self.table.layout.wide { (8, 8) } else { (8, 4) };
        self.number(index * size + at, width, section.flags);
        index
    }

    /// Says where the bytes of a section are.
    fn set(&mut self, index: usize, kind: u32, offset: u64, size: u64) {
        let start = index * self.table.layout.shentsize as usize;
        self.number(start + 4, 4, kind.into());
        let (offset_at, size_at, width) = if self.table.layout.wide { (24, 32, 8) } else { (16, 20, 4) };
        self.number(start + offset_at, width, offset);
        self.number(start + size_at, width, size);
    }

    fn number(&mut self, at: usize, width: usize, value: u64) {
        put(&mut self.headers[at..at + width], value, self.table.layout.big);
    }

    fn write(self, headers: u64, count: usize) -> Result<Bytes> {
        let Self { base, table, kept, added, end, .. } = self;
        let bytes: u64 = kept.iter().map(|range| range.end - range.start).sum::<u64>()
            + added.iter().map(|(_, bytes)| bytes.len() as u64).sum::<u64>();
        if bytes > MOST_BYTES || count >= MOST_SECTIONS {
            return Err(Error::Limit {
                what: format!("a vmlinux in two halves with {bytes} bytes in {count} sections"),
                limit: format!("{} GiB in {MOST_SECTIONS} sections", MOST_BYTES >> 30),
            });
        }
        let mut memory = reserve(end)?;
        for range in &kept {
            let bytes = base.get(range.clone())?;
            memory[range.start as usize..range.end as usize].copy_from_slice(bytes);
        }
        let mut present = kept;
        for (at, bytes) in added {
            let end = at + bytes.len() as u64;
            memory[at as usize..end as usize].copy_from_slice(&bytes);
            present.push(at..end);
        }
        let (shoff, width, shnum) = if table.layout.wide { (40, 8, 60) } else { (32, 4, 48) };
        put(&mut memory[shoff..shoff + width], headers, table.layout.big);
        put(&mut memory[shnum..shnum + 2], count as u64, table.layout.big);
        Bytes::decoded(memory, present)
    }
}

/// Writes a number into all bytes of a field.
fn put(field: &mut [u8], value: u64, big: bool) {
    let width = field.len();
    if big {
        field.copy_from_slice(&value.to_be_bytes()[8 - width..]);
    } else {
        field.copy_from_slice(&value.to_le_bytes()[..width]);
    }
}

#[cfg(test)]
mod tests;
