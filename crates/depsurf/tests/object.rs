//! eBPF objects as this library reads them, against libbpf, bpftool and LLVM: the objects in the tools of Debian's
//! package `libbpf-tools`, and objects compiled from `objects/*.bpf.c` in both byte orders.
//!
//! What is not installed is skipped, with a line that says so.
#![allow(clippy::print_stdout, reason = "tests say what they compared and what they left out")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use common::{Compiled, PLACE, build_with_libbpf, compile, installed, output, skip, source};
use depsurf::bpf::core::Step;
use depsurf::bpf::{
    self, AttachType, Definition, Helper, Hook, MapType, Object, ProgramType, Reference, Sec, SlotValue,
};
use depsurf::store::pack::unpack;
use depsurf::surface::{Surface, TypeKind};
use testkit::Endian;
use testkit::btf::{Btf, Encoding};

/// The program that says what libbpf makes of an object.
static LIBBPF: LazyLock<Result<PathBuf, String>> = LazyLock::new(|| build_with_libbpf("object"));

/// Compares an object with libbpf's view of it; gives how many programs and instructions it has.
fn same_as_libbpf(libbpf: &Path, file: &Path, offset: usize, bytes: &[u8]) -> (usize, usize) {
    let mut command = Command::new(libbpf);
    command.arg(file).arg(offset.to_string()).arg(bytes.len().to_string());
    let said = output(&mut command).expect("it was just built");
    let object = Object::parse(bytes).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let lines = |kind: &str| -> Vec<Vec<String>> {
        let rows = said.lines().map(|line| line.split('\t').map(str::to_owned).collect::<Vec<_>>());
        rows.filter(|row| row[0] == kind).map(|row| row[1..].to_vec()).collect()
    };
    let programs: Vec<Vec<String>> = object
        .programs()
        .map(|program| {
            let Sec { written, autoload, .. } = program.sec;
            let section = written.strip_prefix('?').unwrap_or(written);
            let attach = program.sec.entry.and_then(|entry| entry.attach).map_or(0, |attach| attach.0);
            let kind = program.sec.program_type().0;
            let numbers = [kind, attach, autoload.into(), program.len() as u32];
            let names = [program.name, section].map(str::to_owned);
            names.into_iter().chain(numbers.map(|number| number.to_string())).collect()
        })
        .collect();
    let mut theirs = lines("program");
    // libbpf 1.1 sets the flag of sleepable programs only when they are loaded.
    theirs.iter_mut().for_each(|row| drop(row.remove(5)));
    assert_eq!(programs, theirs, "{}", file.display());

    let maps: Vec<Vec<String>> = object
        .maps()
        .iter()
        .map(|map| {
            let internal = matches!(map.definition, Definition::Data(_) | Definition::Kconfig);
            // libbpf puts the object's name in front of the usual sections.
            let usual = [".rodata", ".data", ".bss", ".kconfig"].contains(&map.name.as_str());
            let name = format!("{}{}", if usual { "object" } else { "" }, map.name);
            let shape = map.shape;
            let inner = if map.inner.is_some() { "inner" } else { "" };
            let numbers = [shape.kind.0, shape.key_size, shape.value_size, shape.max_entries, shape.flags];
            let numbers = numbers.iter().map(u32::to_string);
            let rest = [u8::from(internal).to_string(), inner.to_owned()];
            std::iter::once(name).chain(numbers).chain(rest).collect()
        })
        .collect();
    assert_eq!(maps, lines("map"), "{}", file.display());

    let theirs = lines("insns");
    let mut count = 0;
    for (program, theirs) in object.programs().zip(&theirs) {
        assert_eq!(program.name, theirs[0]);
        let text = theirs[1].as_bytes().chunks_exact(2);
        let theirs: Vec<u8> = text
            .map(|pair| u8::from_str_radix(str::from_utf8(pair).expect("ASCII"), 16).expect("hexadecimal"))
            .collect();
        let theirs: Vec<bpf::Insn> =
            theirs.as_chunks().0.iter().map(|slot| bpf::Insn::decode(*slot, false)).collect();
        let ours = for_loader(&object, program);
        assert_eq!(ours.len(), theirs.len(), "{}, program `{}`", file.display(), program.name);
        for (number, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
            let place = || format!("{}, program `{}`, instruction {number}", file.display(), program.name);
            match ours {
                Expected::Same(ours) => assert_eq!(ours, theirs, "{}", place()),
                Expected::Any => {}
            }
        }
        count += theirs.len();
    }
    (programs.len(), count)
}

/// An instruction as libbpf is expected to have it.
enum Expected {
    Same(bpf::Insn),
    /// What only the kernel that runs it knows.
    Any,
}

/// A program's instructions as libbpf writes them for a loader program (`bpf_object__relocate_data`).
fn for_loader(object: &Object<'_>, program: &bpf::Program<'_>) -> Vec<Expected> {
    const MAP_INDEX: u8 = 5;
    const MAP_INDEX_VALUE: u8 = 6;
    let linked = object.linked(program).expect("libbpf links it");
    assert_eq!(linked.insns.len(), linked.marks.len());
    let mut second = None;
    let both = linked.insns.iter().zip(&linked.marks);
    both.map(|(&insn, mark)| {
        let mut insn = insn;
        if let Some(value) = second.take() {
            match value {
                Some(value) => insn.imm = value,
                None => return Expected::Any,
            }
        }
        match mark.reference {
            Some(Reference::Map(map)) => (insn.src, insn.imm) = (MAP_INDEX, map as i32),
            Some(Reference::Data { map, offset }) => {
                (insn.src, insn.imm) = (MAP_INDEX_VALUE, map as i32);
                second = Some(Some(offset as i32));
            }
            Some(Reference::External(_)) => {
                if insn.is_ld_imm64() {
                    second = Some(None);
                }
                return Expected::Any;
            }
            Some(Reference::Part(_)) | None => {}
            Some(Reference::Unknown { section }) => panic!("unknown reference to section {section:?}"),
        }
        Expected::Same(insn)
    })
    .collect()
}

#[test]
fn installed_objects_are_what_libbpf_says() {
    let libbpf = match &*LIBBPF {
        Ok(path) => path,
        Err(why) => return skip("installed eBPF objects against libbpf", why),
    };
    let objects = installed();
    if objects.is_empty() {
        return skip("installed eBPF objects against libbpf", "libbpf-tools is not installed");
    }
    let (mut programs, mut insns) = (0, 0);
    for (file, offset, bytes) in &objects {
        let (more, many) = same_as_libbpf(libbpf, file, *offset, bytes);
        (programs, insns) = (programs + more, insns + many);
    }
    println!("{} objects, {programs} programs, {insns} instructions are as libbpf has them", objects.len());
    assert!(programs > objects.len() && insns > 100 * objects.len());
}

#[test]
fn compiled_objects_are_what_libbpf_says() {
    let what = "compiled eBPF objects against libbpf";
    let libbpf = match &*LIBBPF {
        Ok(path) => path,
        Err(why) => return skip(what, why),
    };
    let sources = ["parts", "ops", "other"];
    let compiled: Option<Vec<Compiled>> = sources.iter().map(|name| compile(name, "bpfel")).collect();
    let Some(compiled) = compiled else { return skip(what, "clang is not installed") };
    // The last one needs the first, so libbpf refuses it alone.
    for Compiled { path, bytes } in &compiled[..2] {
        same_as_libbpf(libbpf, path, 0, bytes);
    }
    let linked = PLACE.path().join("linked.o");
    let mut command = Command::new("bpftool");
    command.args(["gen", "object"]).arg(&linked).arg(&compiled[0].path).arg(&compiled[2].path);
    if output(&mut command).is_none() {
        return skip("statically linked eBPF objects", "bpftool is not installed");
    }
    let bytes = std::fs::read(&linked).expect("bpftool has written it");
    same_as_libbpf(libbpf, &linked, 0, &bytes);
    let object = Object::parse(&bytes).unwrap();
    let other = object.programs().find(|program| program.name == "other").unwrap();
    let parts: Vec<&str> = {
        let linked = object.linked(other).unwrap();
        linked.parts.iter().map(|part| object.functions()[part.function as usize].name).collect()
    };
    // Each unit has a static `add` of its own.
    assert_eq!(parts, ["other", "add", "twice", "add"]);
}

#[test]
fn sections_are_read_as_libbpf_reads_them() {
    let libbpf = match &*LIBBPF {
        Ok(path) => path,
        Err(why) => return skip("names of sections against libbpf", why),
    };
    let mut names: BTreeSet<String> = BTreeSet::new();
    for entry in bpf::TABLE {
        let name = entry.name;
        for tail in ["", "/", "/x", "/x/y", "x", ".x", ".s", ".s/x", ".multi", ".w", "/ingress", "+", "+/x"] {
            names.insert(format!("{name}{tail}"));
        }
        names.insert(name[1..].to_owned());
        names.insert(name[..name.len() - 1].to_owned());
    }
    names.remove("");
    let mut child = Command::new(libbpf)
        .arg("--sections")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it was just built");
    let mut stdin = child.stdin.take().expect("it is piped");
    let input: String = names.iter().map(|name| format!("{name}\n")).collect();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let said = child.wait_with_output().expect("it runs");
    writer.join().expect("it does not panic").expect("it reads all");
    let said = String::from_utf8(said.stdout).expect("ASCII");
    let theirs: BTreeMap<&str, Option<(u32, u32)>> = said
        .lines()
        .map(|line| {
            let row: Vec<&str> = line.split('\t').collect();
            let numbers = (row.len() == 3).then(|| (row[1].parse().unwrap(), row[2].parse().unwrap()));
            (row[0], numbers)
        })
        .collect();
    assert_eq!(theirs.len(), names.len());
    // An older libbpf does not know every row; a name differs only where a row is new.
    let new: BTreeSet<&str> =
        bpf::TABLE.iter().map(|entry| entry.name).filter(|name| theirs[name].is_none()).collect();
    let mut same = 0;
    for (name, theirs) in &theirs {
        let entry = Sec::parse(name).entry;
        if entry.is_some_and(|entry| new.contains(entry.name)) {
            assert_eq!(*theirs, None, "`{name}` is of a row that libbpf does not have");
            continue;
        }
        let ours = entry.map(|entry| (entry.program.0, entry.attach.map_or(0, |attach| attach.0)));
        assert_eq!(ours, *theirs, "`{name}`");
        same += 1;
    }
    println!("{same} of {} names are as libbpf has them; rows that it does not know: {new:?}", names.len());
    assert!(new.len() < bpf::TABLE.len() / 2, "libbpf knows most rows");
}

/// A relocation as libbpf's messages have it (`bpf_core_format_spec`).
fn message(object: &Object<'_>, relocation: &bpf::core::Relocation) -> String {
    let path = object.path(relocation).expect("compilers write what can be followed");
    let keyword = match path.root.kind() {
        TypeKind::Struct => "struct",
        TypeKind::Union => "union",
        TypeKind::Enum | TypeKind::Enum64 => "enum",
        TypeKind::Typedef => "typedef",
        other => panic!("a root of kind {}", other.name()),
    };
    let name = Some(path.root.name()).filter(|name| !name.is_empty()).unwrap_or("<anon>");
    let id = relocation.type_id.0;
    let mut text = format!("<{}> [{id}] {keyword} {name}", relocation.kind.name());
    for step in &path.steps {
        match *step {
            Step::Root { index: 0 } | Step::Member { name: "", .. } => {}
            Step::Root { index } | Step::Element { index, .. } => text += &format!("[{index}]"),
            Step::Member { name, .. } => text += &format!(".{name}"),
            Step::Enumerator { name, value } => text += &format!("::{name} = {value}"),
        }
    }
    if relocation.kind.is_field() {
        text += &format!(" ({}", object.access(relocation));
    }
    text
}

/// Compares paths with what bpftool says when it looks for them; gives how many there are.
fn same_paths(file: &Path, bytes: &[u8]) -> Option<usize> {
    let object = Object::parse(bytes).unwrap();
    // A kernel without any of the types: nothing is found, and nothing is ambiguous.
    let types = PLACE.path().join("kernel.btf");
    let mut kernel = Btf::new(Endian::Little);
    kernel.int("int", 4, Encoding::Signed);
    std::fs::write(&types, kernel.build()).expect("it can be written");
    let alone = types.with_extension("o");
    std::fs::write(&alone, bytes).expect("it can be written");
    let mut command = Command::new("bpftool");
    command.args(["-d", "gen", "min_core_btf"]).args([&types, &types.with_extension("out"), &alone]);
    let said = command.output().ok()?;
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    let mut theirs: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for line in said.lines().filter(|line| !line.contains("candidate") && line.contains("': relo #")) {
        let (section, rest) = line.split_once("prog '").unwrap().1.split_once("': relo #").unwrap();
        let spec = rest.split_once(": ").unwrap().1.split(" @ offset").next().unwrap();
        if spec.starts_with('<') {
            theirs.entry(section).or_default().push(spec.to_owned());
        }
    }
    let mut ours: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for relocation in object.relocations() {
        let section = object.sections()[relocation.section as usize].name;
        ours.entry(section).or_default().push(message(&object, relocation));
    }
    let sort = |mut lists: BTreeMap<&str, Vec<String>>| {
        lists.values_mut().for_each(|list| list.sort());
        lists.into_iter().map(|(name, list)| (name.to_owned(), list)).collect::<Vec<_>>()
    };
    assert_eq!(sort(ours), sort(theirs), "{}", file.display());
    Some(object.relocations().len())
}

#[test]
fn paths_are_what_bpftool_says() {
    let what = "paths of CO-RE relocations against bpftool";
    let mut objects = installed();
    match compile("parts", "bpfel") {
        Some(Compiled { path, bytes }) => objects.push((path, 0, bytes)),
        None => skip("paths of a compiled object", "clang or libbpf-dev is not installed"),
    }
    if objects.is_empty() {
        return skip(what, "neither libbpf-tools nor clang is installed");
    }
    let mut count = 0;
    for (file, _, bytes) in &objects {
        match same_paths(file, bytes) {
            Some(more) => count += more,
            None => return skip(what, "bpftool is not installed"),
        }
    }
    println!("{count} paths of {} objects are as bpftool has them", objects.len());
    assert!(count > 20);
}

#[test]
fn headers_are_what_readelf_says() {
    let what = "sections of eBPF objects against llvm-readelf";
    let mut objects = installed();
    for target in ["bpfel", "bpfeb"] {
        objects.extend(compile("parts", target).map(|compiled| (compiled.path, 0, compiled.bytes)));
    }
    if objects.is_empty() {
        return skip(what, "neither libbpf-tools nor clang is installed");
    }
    let alone = PLACE.path().join("readelf.o");
    for (file, _, bytes) in &objects {
        std::fs::write(&alone, bytes).expect("it can be written");
        let mut command = Command::new("llvm-readelf");
        let Some(said) = output(command.args(["-SW", "-rW"]).arg(&alone)) else {
            return skip(what, "llvm is not installed");
        };
        let object = Object::parse(bytes).unwrap();
        let mut theirs = Vec::new();
        for line in said.lines().filter(|line| line.starts_with("  [") && !line.contains("[Nr]")) {
            let (_, rest) = line.split_once("] ").unwrap();
            let words: Vec<&str> = rest.split_whitespace().collect();
            // The first section has no name.
            let (name, words) = if words[0] == "NULL" { ("", &words[..]) } else { (words[0], &words[1..]) };
            let number = |word: &str| u64::from_str_radix(word, 16).unwrap();
            theirs.push((name.to_owned(), number(words[2]), number(words[3])));
        }
        let ours: Vec<(String, u64, u64)> = object
            .sections()
            .iter()
            .map(|section| (section.name.to_owned(), section.offset, section.size))
            .collect();
        assert_eq!(ours, theirs, "{}", file.display());

        // Every relocation of an instruction is one that some function has.
        let mut loads = BTreeSet::new();
        for function in object.functions() {
            let linked = object.linked(function).unwrap();
            for number in 0..function.len() {
                if linked.marks[number].reference.is_some() && linked.insns[number].is_ld_imm64() {
                    loads.insert((function.section, function.offset + 8 * number as u64));
                }
            }
        }
        let mut inside = false;
        let mut count = 0;
        for line in said.lines() {
            if let Some(rest) = line.strip_prefix("Relocation section '.rel") {
                let name = rest.split('\'').next().unwrap();
                let section = object.sections().iter().find(|section| section.name == name);
                inside = section.is_some_and(|section| section.is_executable());
            }
            count += usize::from(inside && line.contains("R_BPF_64_64"));
        }
        assert_eq!(loads.len(), count, "{}", file.display());
    }
    println!("{} objects have the sections and relocations that llvm-readelf says", objects.len());
}

#[test]
fn lines_are_those_of_dwarf() {
    let what = "lines of `.BTF.ext` against DWARF";
    let mut count = 0;
    for target in ["bpfel", "bpfeb"] {
        let Some(Compiled { path, bytes }) = compile("parts", target) else {
            return skip(what, "clang or libbpf-dev is not installed");
        };
        let mut command = Command::new("llvm-objdump");
        let Some(said) = output(command.args(["-d", "-l", "--no-show-raw-insn"]).arg(&path)) else {
            return skip(what, "llvm is not installed");
        };
        let object = Object::parse(&bytes).unwrap();
        let (mut section, mut current) = (0, None);
        for line in said.lines() {
            if let Some(name) = line.strip_prefix("Disassembly of section ") {
                let name = name.trim_end_matches(':');
                section = object.sections().iter().position(|section| section.name == name).unwrap() as u32;
            } else if let Some((_, number)) =
                line.strip_prefix("; ").and_then(|place| place.rsplit_once(".c:"))
            {
                current = Some(number.parse::<u32>().unwrap());
            } else if let Some((number, _)) = line.trim_start().split_once(":\t") {
                let Ok(number) = number.parse::<u64>() else { continue };
                let ours = object.line_at(section, number * 8).unwrap();
                // The compiler gives a function's first instructions to the line of its name, DWARF to that of its
                // brace; and what it made up itself to line 0, where llvm-objdump goes on with the line before.
                if ours.column == 0 {
                    assert!(Some(ours.line) <= current);
                    continue;
                }
                assert_eq!(Some(ours.line), current, "section {section}, instruction {number}");
                assert!(ours.file.ends_with("parts.bpf.c") || ours.file.ends_with(".h"), "{}", ours.file);
                let text = std::fs::read_to_string(source("objects/parts.bpf.c")).unwrap();
                let text = text.lines().nth(ours.line as usize - 1).unwrap();
                assert_eq!(ours.text, text.trim());
                count += 1;
            }
        }
    }
    println!("{count} instructions are on the lines that DWARF says");
    assert!(count > 200);
}

#[test]
fn both_byte_orders_hold_the_same() {
    let (Some(little), Some(big)) = (compile("parts", "bpfel"), compile("parts", "bpfeb")) else {
        return skip("eBPF objects of both byte orders", "clang or libbpf-dev is not installed");
    };
    let (little, big) = (Object::parse(&little.bytes).unwrap(), Object::parse(&big.bytes).unwrap());
    assert!(!little.is_big_endian() && big.is_big_endian());
    assert_eq!(little.maps(), big.maps());
    assert_eq!(little.externals(), big.externals());
    assert_eq!(little.functions(), big.functions());
    let paths = |object: &Object<'_>| -> Vec<String> {
        object.relocations().iter().map(|relocation| message(object, relocation)).collect()
    };
    assert_eq!(paths(&little), paths(&big));
    for (one, other) in little.programs().zip(big.programs()) {
        let (one, other) = (little.linked(one).unwrap(), big.linked(other).unwrap());
        assert_eq!(one.marks, other.marks);
        let plain = |insn: &bpf::Insn| (insn.opcode, insn.dst, insn.src);
        // Bit-fields are elsewhere, so offsets and immediates differ.
        let same =
            one.insns.iter().zip(&other.insns).filter(|(one, other)| plain(one) == plain(other)).count();
        assert!(same * 10 > one.insns.len() * 9, "{same} of {}", one.insns.len());
    }
    for object in [&little, &big] {
        let sections: Vec<Hook<'_>> = object.programs().map(|program| program.sec.hook).collect();
        assert!(sections.iter().any(|hook| matches!(hook, Hook::Kprobe { offset: 16, .. })));
        assert_eq!(object.license(), Some("GPL"));
        assert_eq!(object.notes(), []);
        let limit = object.variables().into_iter().find(|variable| variable.name == "limit").unwrap();
        let bytes = limit.bytes.unwrap().try_into().unwrap();
        let value =
            if object.is_big_endian() { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) };
        assert_eq!(value, 5);
    }
}

#[test]
fn maps_hold_programs_and_maps() {
    for target in ["bpfel", "bpfeb"] {
        let (Some(parts), Some(ops)) = (compile("parts", target), compile("ops", target)) else {
            return skip("contents of maps", "clang or libbpf-dev is not installed");
        };
        let slots = |object: &Object<'_>, name: &str| -> Vec<(u64, String)> {
            let map = object.maps().iter().find(|map| map.name == name).unwrap();
            let slots = object.slots(map).into_iter();
            let name = |value| match value {
                SlotValue::Map(map) => object.maps()[map as usize].name.clone(),
                SlotValue::Function(function) => object.functions()[function as usize].name.to_owned(),
                SlotValue::Unknown => "?".to_owned(),
            };
            slots.map(|slot| (slot.offset, name(slot.value))).collect()
        };
        let (parts, ops) = (Object::parse(&parts.bytes).unwrap(), Object::parse(&ops.bytes).unwrap());
        assert_eq!(slots(&ops, "ops"), [(0, "ops_init".to_owned())]);
        // Behind three members: the pointers of type, number of entries and size of a key.
        assert_eq!(slots(&parts, "jumps"), [(32, "raw_second".to_owned())]);
        assert_eq!(slots(&parts, "outer"), [(24, "first".to_owned())]);
        assert_eq!(slots(&parts, "counts"), []);
    }
}

/// The names of numbers against a kernel of the starter dataset, the newest one.
#[test]
fn numbers_are_named_as_in_a_kernel() {
    let starter = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../starter/7.2.12-deb14-cloud-amd64.packed");
    let surface = Surface::from_bytes(unpack(&std::fs::read(starter).unwrap()).unwrap()).unwrap();
    let types = surface.types();
    let numbers = |name: &str| -> BTreeMap<u32, BTreeSet<String>> {
        let mut numbers: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
        let found = types.find(TypeKind::Enum, name).unwrap();
        for value in found.enumerators().filter(|value| !value.name.starts_with("__")) {
            numbers.entry(value.value as u32).or_default().insert(value.name.to_owned());
        }
        numbers
    };
    let check = |of: &str, name: &dyn Fn(u32) -> Option<String>| {
        let theirs = numbers(of);
        assert!(theirs.len() > 30, "{of}");
        for (number, names) in &theirs {
            let ours = name(*number).unwrap_or_else(|| panic!("{of} {number} has no name"));
            assert!(names.contains(&ours), "{of} {number} is `{ours}`, the kernel has {names:?}");
        }
        assert_eq!(name(theirs.len() as u32), None, "{of}");
    };
    check("bpf_prog_type", &|number| ProgramType(number).name().map(str::to_owned));
    check("bpf_attach_type", &|number| AttachType(number).name().map(str::to_owned));
    check("bpf_map_type", &|number| MapType(number).name().map(str::to_owned));
    check("bpf_func_id", &|number| match number {
        0 => Some("BPF_FUNC_unspec".into()),
        _ => Helper(number).name().map(|name| format!("BPF_FUNC_{name}")),
    });
}
