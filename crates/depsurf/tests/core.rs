//! CO-RE relocations as this library carries them out, against libbpf's own log and bpftool's `gen min_core_btf`: the objects
//! in the tools of Debian's package `libbpf-tools` and those compiled from `objects/*.bpf.c`, on the types of the running
//! kernel and of the one that `DEPSURF_VMLINUX` names.
//!
//! What is not installed is skipped, with a line that says so.
#![allow(clippy::print_stdout, reason = "tests say what they compared and what they left out")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use common::{Compiled, PLACE, build_with_libbpf, compile, installed, output, skip};
use depsurf::bpf::Object;
use depsurf::bpf::core::{self, Step};
use depsurf::btf;
use depsurf::check::core::{Access, Candidates, Outcome};
use depsurf::image::Image;
use depsurf::note::Notes;
use depsurf::surface::strings::Strings;
use depsurf::surface::types::TypeTable;
use depsurf::surface::{Type, TypeId, TypeKind, Types};

/// Types of a kernel, as a file of their own.
struct Kernel {
    what: &'static str,
    path: PathBuf,
    bytes: Vec<u8>,
}

/// The running kernel's types, and those of a real one in a file. Says which are missing.
fn kernels() -> Vec<Kernel> {
    let mut found = Vec::new();
    let running = "/sys/kernel/btf/vmlinux";
    match std::fs::read(running) {
        Ok(bytes) => found.push(Kernel { what: "the running kernel", path: running.into(), bytes }),
        Err(error) => skip("CO-RE on the running kernel", &format!("cannot read `{running}`: {error}")),
    }
    let name = "DEPSURF_VMLINUX";
    let Some(path) = std::env::var_os(name) else {
        skip("CO-RE on a real kernel's types in a file", &format!("{name} does not name a vmlinux"));
        return found;
    };
    let image = std::fs::read(&path).expect("the file can be read");
    let image = Image::parse(&image).expect("it is a vmlinux");
    let bytes = image.section_data(".BTF").expect("it can be read").expect("it has BTF").into_owned();
    let thread = std::thread::current().id();
    let path = PLACE.path().join(format!("vmlinux.{thread:?}.btf"));
    std::fs::write(&path, &bytes).expect("it can be written");
    found.push(Kernel { what: "a real kernel's types in a file", path, bytes });
    found
}

/// All objects that are at hand, as files, each once.
fn objects() -> Vec<(PathBuf, Vec<u8>)> {
    let thread = std::thread::current().id();
    let alone = |(number, (_, _, bytes)): (usize, (PathBuf, usize, Vec<u8>))| {
        let path = PLACE.path().join(format!("{number}.{thread:?}.o"));
        std::fs::write(&path, &bytes).expect("it can be written");
        (path, bytes)
    };
    let mut found: Vec<_> = installed().into_iter().enumerate().map(alone).collect();
    match compile("core", "bpfel") {
        Some(Compiled { path, bytes }) => found.push((path, bytes)),
        None => skip("CO-RE relocations of a compiled object", "clang or libbpf-dev is not installed"),
    }
    if found.len() < 2 {
        skip("CO-RE relocations of installed objects", "libbpf-tools is not installed");
    }
    found
}

/// What becomes of a relocation: a number, or poison; and the type of the kernel that was taken for it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Result {
    value: Option<u64>,
    candidate: Option<u32>,
    /// Bytes that a load or store takes from then on, where that changes.
    size: Option<u32>,
}

/// What libbpf's log says, by section and number in it; and whether it got to the end of the relocations.
fn of_log(log: &str) -> (BTreeMap<(String, usize), Result>, bool) {
    let mut found = BTreeMap::new();
    let mut section = "";
    let mut is_done = false;
    for line in log.lines() {
        let line = line.strip_prefix("libbpf: ").unwrap_or(line);
        // Programs come after all relocations.
        is_done |= line == "done 0" || line.ends_with("': failed to prepare load attributes: -3");
        if let Some((name, rest)) = line.strip_prefix("sec '").and_then(|rest| rest.split_once("': found ")) {
            if rest.ends_with("CO-RE relocations") {
                section = name;
            }
            continue;
        }
        let Some((number, said)) = line
            .strip_prefix("prog '")
            .and_then(|rest| rest.split_once("': relo #"))
            .and_then(|(_, rest)| rest.split_once(": "))
        else {
            continue;
        };
        let number = number.parse().expect("a number");
        let entry = || Result { value: None, candidate: None, size: None };
        if let Some(rest) = said.strip_prefix("matching candidate #") {
            let id = rest.split_once('[').and_then(|(_, rest)| rest.split_once(']')).expect("a type").0;
            let entry = found.entry((section.to_owned(), number)).or_insert_with(entry);
            // The first that fits is taken, and the others must agree.
            entry.candidate = entry.candidate.or(Some(id.parse().expect("a number")));
        } else if let Some((_, value)) =
            said.strip_prefix("patched insn #").and_then(|rest| rest.split_once(" -> "))
        {
            let entry = found.entry((section.to_owned(), number)).or_insert_with(entry);
            let value: u64 = value.parse().expect("a number");
            match said.contains(" mem_sz ") {
                true => entry.size = Some(value as u32),
                false => entry.value = Some(value),
            }
        } else if said.starts_with("substituting insn #") {
            found.entry((section.to_owned(), number)).or_insert_with(entry).value = None;
        }
    }
    (found, is_done)
}

/// A kernel's types, read.
struct Table {
    strings: Strings,
    table: TypeTable,
}

impl Table {
    fn read(bytes: &[u8]) -> Self {
        let mut strings = Strings::new();
        let table = btf::read(bytes, &mut strings, &mut Notes::new()).expect("it is BTF");
        Self { strings, table }
    }

    fn with<T>(&self, work: impl FnOnce(Types<'_>) -> T) -> T {
        let by_name = self.table.by_name(&self.strings);
        work(self.table.view(&self.strings, &by_name))
    }
}

/// The libbpf that tells what it does.
static LIBBPF: LazyLock<std::result::Result<PathBuf, String>> = LazyLock::new(|| build_with_libbpf("core"));

/// What becomes of all relocations of an object, in its order, by section and number in it.
fn ours(object: &Object<'_>, types: Types<'_>) -> Vec<((String, usize), Outcome)> {
    let mut candidates = Candidates::new(types, types.len(), 8, object.is_big_endian());
    let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
    let relocations = object.relocations().iter().map(|relocation| {
        let count = counts.entry(relocation.section).or_default();
        let number = *count;
        *count += 1;
        let section = object.sections()[relocation.section as usize].name.to_owned();
        let path = object.path(relocation).expect("compilers write what can be followed");
        ((section, number), candidates.relocate(&path))
    });
    relocations.collect()
}

/// Compares the relocations of an object with libbpf's; gives how many were, and whether libbpf got to the end.
fn same_as_libbpf(
    libbpf: &Path,
    kernel: &Kernel,
    types: Types<'_>,
    file: &Path,
    bytes: &[u8],
) -> (usize, bool) {
    let log = output(Command::new(libbpf).arg(file).arg(&kernel.path)).expect("it was just built");
    let (theirs, is_done) = of_log(&log);
    let object = Object::parse(bytes).expect("libbpf takes it");
    let mut count = 0;
    for ((section, number), outcome) in ours(&object, types) {
        let Some(theirs) = theirs.get(&(section.clone(), number)) else {
            assert!(!is_done, "libbpf says nothing of {section}, relocation {number} of {}", file.display());
            continue;
        };
        let ours = match &outcome {
            // What does not fit is poison for loads and stores, and a number for arithmetic; sizes are theirs alone.
            Outcome::Patched { patch, candidate } => {
                let (refused, size) = match patch.access {
                    Access::Unfit { .. } => (theirs.value.is_none(), None),
                    Access::Resized(size) => (false, theirs.size.map(|_| size)),
                    Access::Same => (false, None),
                };
                let value = if refused { None } else { Some(patch.value) };
                Result { value, candidate: candidate.map(|id| id.0), size }
            }
            _ => Result { value: None, candidate: None, size: None },
        };
        assert_eq!(ours, *theirs, "{section}, relocation {number} of {}: {outcome:?}\n{log}", file.display());
        count += 1;
    }
    assert!(!is_done || count == theirs.len());
    (count, is_done)
}

#[test]
fn results_are_those_of_libbpfs_log() {
    let what = "CO-RE relocations against libbpf's log";
    let libbpf = match &*LIBBPF {
        Ok(path) => path,
        Err(why) => return skip(what, why),
    };
    let objects = objects();
    for kernel in kernels() {
        let table = Table::read(&kernel.bytes);
        let (mut count, mut ended) = (0, 0);
        table.with(|types| {
            for (file, bytes) in &objects {
                let (more, is_done) = same_as_libbpf(libbpf, &kernel, types, file, bytes);
                (count, ended) = (count + more, ended + usize::from(is_done));
            }
        });
        println!(
            "on {}: {count} relocations are as libbpf has them; it got to the end of {ended} of {} objects",
            kernel.what,
            objects.len()
        );
        // Objects with externs that the kernel lacks are given up before they are relocated.
        assert!(ended * 10 >= objects.len() * 9, "libbpf gives up on many objects");
        assert!(count >= objects.len() && count > 10);
    }
}

/// Names that types of a kernel keep: of types, and of members under the type that has them.
#[derive(Debug, Default, PartialEq, Eq)]
struct Kept {
    types: BTreeSet<String>,
    members: BTreeSet<(String, String)>,
}

fn is_composite(ty: Type<'_>) -> bool {
    matches!(ty.kind(), TypeKind::Struct | TypeKind::Union)
}

/// The type behind typedefs, qualifiers and arrays.
fn behind<'a>(mut ty: Type<'a>) -> Type<'a> {
    loop {
        ty = ty.stripped(true);
        match ty.array().and_then(|(element, _)| ty.types().get(element)) {
            Some(element) => ty = element,
            None => return ty,
        }
    }
}

impl Kept {
    /// All of some types.
    fn all(types: Types<'_>) -> Self {
        let mut kept = Self::default();
        for ty in types.named() {
            kept.types.insert(label(ty));
            if is_composite(ty) {
                kept.under(ty, &label(ty), 0);
            }
        }
        kept
    }

    /// The members of a type, and those of types without a name in it.
    fn under(&mut self, ty: Type<'_>, owner: &str, depth: u32) {
        assert!(depth < 32, "types nest in {owner}");
        for member in ty.members() {
            let of = behind(ty.types().get(member.type_id).expect("members have types"));
            let nameless = is_composite(of) && of.name().is_empty();
            if member.name.is_empty() {
                self.under(of, owner, depth + 1);
                continue;
            }
            self.members.insert((owner.to_owned(), member.name.to_owned()));
            if nameless {
                self.under(of, &format!("{owner}.{}", member.name), depth + 1);
            }
        }
    }

    /// A type, and the types that it is made of; behind pointers only where `follow` says so (`btfgen_mark_type`).
    fn mark(&mut self, ty: Type<'_>, follow: bool, seen: &mut BTreeSet<TypeId>) {
        if !seen.insert(ty.id()) {
            return;
        }
        if !ty.name().is_empty() {
            self.types.insert(label(ty));
        }
        match ty.kind() {
            TypeKind::Ptr if !follow => {}
            TypeKind::Array => {
                let (element, _) = ty.array().expect("an array has elements");
                self.mark(ty.types().get(element).expect("they have a type"), follow, seen);
            }
            TypeKind::FuncProto => {
                for param in ty.params() {
                    self.types.extend(ty.types().get(param.type_id).map(label));
                }
            }
            _ => {
                if let Some(target) = ty.target() {
                    self.mark(target, follow, seen);
                }
            }
        }
    }

    /// What a path leads through, from the type that was taken for its root.
    fn walk(&mut self, path: &core::Path<'_>, root: Type<'_>) {
        self.mark(root, !path.kind().is_field() && !path.kind().is_enumerator(), &mut BTreeSet::new());
        let (mut ty, mut owner) = (behind(root), label(root));
        for step in &path.steps {
            match *step {
                Step::Member { name: "", .. }
                | Step::Root { .. }
                | Step::Enumerator { .. }
                | Step::Element { .. } => {}
                Step::Member { name, .. } => {
                    let of = member(ty, name).unwrap_or_else(|| panic!("no `{name}` in {owner}"));
                    self.members.insert((owner.clone(), name.to_owned()));
                    self.mark(of, false, &mut BTreeSet::new());
                    ty = behind(of);
                    owner = if ty.name().is_empty() { format!("{owner}.{name}") } else { label(ty) };
                }
            }
        }
    }
}

/// The type of a member, which may be in a member without a name.
fn member<'a>(of: Type<'a>, name: &str) -> Option<Type<'a>> {
    of.members().find_map(|it| {
        let ty = of.types().get(it.type_id)?;
        if it.name == name {
            return Some(ty);
        }
        if it.name.is_empty() { member(ty.stripped(true), name) } else { None }
    })
}

fn label(ty: Type<'_>) -> String {
    format!("{} {}", ty.kind().name(), ty.name())
}

#[test]
fn types_are_those_that_bpftool_keeps() {
    let what = "CO-RE relocations against bpftool's `gen min_core_btf`";
    let objects = objects();
    let place = PLACE.path().join("min_core.btf");
    for kernel in kernels() {
        let table = Table::read(&kernel.bytes);
        let (mut members, mut types, mut same) = (0, 0, 0);
        for (file, bytes) in &objects {
            let mut command = Command::new("bpftool");
            command.args(["gen", "min_core_btf"]).args([&kernel.path, &place, file]);
            let Ok(said) = command.output() else { return skip(what, "bpftool is not installed") };
            let object = Object::parse(bytes).expect("it was written");
            let relocations = table.with(|types| ours(&object, types));
            if !said.status.success() {
                let said = String::from_utf8_lossy(&said.stderr);
                assert!(relocations.is_empty(), "{}: {said}", file.display());
                continue;
            }
            let mut theirs =
                Table::read(&std::fs::read(&place).expect("bpftool has written it")).with(Kept::all);
            let mut found = Kept::default();
            table.with(|types| {
                for (relocation, (_, outcome)) in object.relocations().iter().zip(&relocations) {
                    let Outcome::Patched { candidate: Some(id), .. } = outcome else { continue };
                    let path = object.path(relocation).expect("it was followed");
                    found.walk(&path, types.get(*id).expect("it is of the kernel"));
                }
            });
            // Which integer an array is indexed by is not kept by us.
            for kept in [&mut found, &mut theirs] {
                kept.types.retain(|name| !name.starts_with("INT "));
            }
            assert_eq!(found.members, theirs.members, "{} on {}", file.display(), kernel.what);
            assert_eq!(found.types, theirs.types, "{} on {}", file.display(), kernel.what);
            members += found.members.len();
            types += found.types.len();
            same += 1;
        }
        println!(
            "on {}: {members} members and {types} types of {same} objects are those that bpftool keeps",
            kernel.what
        );
        assert!(same > 0 && members > 5);
    }
}
