//! ELF files built here are read back with `object`, and with `readelf` where it is installed.

mod tools;

use object::read::elf::{ElfFile, FileHeader, SectionHeader};
use object::{Endianness, Object, ObjectSection, ObjectSegment, ObjectSymbol, SymbolKind, SymbolSection};
use testkit::elf::{Compression, Elf, FileType, Machine, Relocation, Section, Symbol, note};
use testkit::{Endian, Target, Width};

const BASE: u64 = 0x8100_0000;

fn sample(target: Target) -> Elf {
    let mut elf = Elf::new(Machine::X86_64, target);
    elf.section(Section::code(".text", BASE, vec![0x90; 64]));
    elf.section(Section::data(".data", BASE + 0x1000, target.bytes().word(BASE + 16).take()));
    elf.section(Section::bss(".bss", BASE + 0x2000, 0x400));
    elf.section(Section::notes(".notes", BASE + 0x3000, note(target, "GNU", 3, &[0xab; 20])));
    elf.section(Section::debug(".comment", *b"GCC: 12.2.0\0"));
    elf.symbol(Symbol::file("read_write.c"));
    elf.symbol(Symbol::func("vfs_read", BASE + 16, 32).global());
    elf.symbol(Symbol::object("counter", BASE + 0x2008, 8).weak().hidden());
    elf.symbol(Symbol::notype("__stop_text", BASE + 64));
    elf.symbol(Symbol::notype("loops_per_jiffy", 0).global().undefined());
    elf.symbol(Symbol::notype("__crc_vfs_read", 0x1234).absolute());
    elf
}

#[test]
fn sections_come_back_in_order_with_their_contents() {
    for target in Target::ALL {
        let image = sample(target).build();
        let file = object::File::parse(&*image).expect("a well-formed file");
        assert_eq!(file.is_64(), target.width == Width::W64);
        assert_eq!(file.is_little_endian(), target.endian == Endian::Little);
        let names: Vec<&str> = file.sections().map(|section| section.name().unwrap()).collect();
        let expected = [".text", ".data", ".bss", ".notes", ".comment", ".symtab", ".strtab", ".shstrtab"];
        assert_eq!(names[names.len() - 8..], expected);

        let text = file.section_by_name(".text").unwrap();
        assert_eq!((text.address(), text.size()), (BASE, 64));
        assert_eq!(text.data().unwrap(), [0x90; 64]);
        let bss = file.section_by_name(".bss").unwrap();
        assert_eq!((bss.size(), bss.data().unwrap().len()), (0x400, 0));
        assert_eq!(file.build_id().unwrap(), Some(&[0xab; 20][..]));
    }
}

#[test]
fn symbols_keep_their_order_and_find_their_section() {
    for target in Target::ALL {
        let image = sample(target).build();
        let file = object::File::parse(&*image).unwrap();
        let symbols: Vec<_> = file.symbols().filter(|symbol| symbol.index().0 != 0).collect();
        let names: Vec<&str> = symbols.iter().map(|symbol| symbol.name().unwrap()).collect();
        let expected =
            ["read_write.c", "vfs_read", "counter", "__stop_text", "loops_per_jiffy", "__crc_vfs_read"];
        assert_eq!(names, expected);

        let in_section = |name: &str| SymbolSection::Section(file.section_by_name(name).unwrap().index());
        let [source, function, counter, bound, undefined, absolute] = &symbols[..] else { panic!() };
        assert_eq!(source.kind(), SymbolKind::File);
        assert_eq!((function.kind(), function.size()), (SymbolKind::Text, 32));
        assert!(function.is_global() && !function.is_weak());
        assert_eq!(function.section(), in_section(".text"));
        assert!(counter.is_weak());
        assert_eq!((counter.kind(), counter.section()), (SymbolKind::Data, in_section(".bss")));
        assert_eq!((bound.is_local(), bound.section()), (true, in_section(".text")));
        assert_eq!(undefined.section(), SymbolSection::Undefined);
        assert_eq!((absolute.section(), absolute.address()), (SymbolSection::Absolute, 0x1234));
    }
}

#[test]
fn segments_cover_the_allocated_sections() {
    for target in Target::ALL {
        let image = sample(target).with_segments().build();
        let file = object::File::parse(&*image).unwrap();
        let segments: Vec<(u64, u64, usize)> = file
            .segments()
            .map(|segment| (segment.address(), segment.size(), segment.data().unwrap().len()))
            .collect();
        let word = target.width.bytes().into();
        assert_eq!(segments[0], (BASE, 64, 64));
        assert_eq!(segments[1], (BASE + 0x1000, word, word as usize));
        assert_eq!(segments[2], (BASE + 0x2000, 0x400, 0));
        assert_eq!(segments.len(), 4);
    }
}

#[test]
fn compressed_sections_unpack_to_what_was_put_in() {
    // More than one block, and the empty section.
    let large: Vec<u8> = (0..200_000u32).map(|index| ((index * 7) >> 3) as u8).collect();
    for target in Target::ALL {
        for how in [Compression::Zlib, Compression::Zstd] {
            for data in [&large[..], b"abc", b""] {
                let mut elf = Elf::new(Machine::S390, target);
                elf.section(Section::debug(".debug_info", data).compressed(how));
                let image = elf.build();
                let file = object::File::parse(&*image).unwrap();
                let section = file.section_by_name(".debug_info").unwrap();
                assert_eq!(section.uncompressed_data().unwrap(), data, "{target:?} {how:?}");
                assert_ne!(section.data().unwrap(), data);
            }
        }
    }
}

#[test]
fn relative_relocations_carry_the_pointer() {
    let relocation = Relocation::relative(Machine::AARCH64, BASE + 8, 0xffff_8000_0801_0000);
    assert_eq!(relocation.kind, 1027);
    let target = Target::LE64;
    let mut elf = Elf::new(Machine::AARCH64, target);
    elf.file_type(FileType::Dynamic);
    elf.section(Section::data(".data", BASE, vec![0; 16]));
    elf.section(Section::rela_dyn(target, BASE + 0x100, &[relocation]));
    let image = elf.build();
    let file = ElfFile::<object::elf::FileHeader64<Endianness>>::parse(&*image).unwrap();
    let section = file.section_by_name(".rela.dyn").unwrap();
    let (entries, _) = section.elf_section_header().rela(Endianness::Little, &*image).unwrap().unwrap();
    let [entry] = entries else { panic!("one entry") };
    assert_eq!(entry.r_offset.get(Endianness::Little), BASE + 8);
    assert_eq!(entry.r_info.get(Endianness::Little), 1027);
    assert_eq!(entry.r_addend.get(Endianness::Little), 0xffff_8000_0801_0000_u64.cast_signed());
}

fn read_relr<H: FileHeader<Endian = Endianness>>(image: &[u8]) -> Vec<u64> {
    let header = H::parse(image).unwrap();
    let endian = header.endian().unwrap();
    let sections = header.sections(endian, image).unwrap();
    let (_, section) = sections.section_by_name(endian, b".relr.dyn").unwrap();
    let relocations = section.relr(endian, image).unwrap().unwrap();
    relocations.map(Into::into).collect()
}

#[test]
fn relr_reaches_every_pointer() {
    for target in Target::ALL {
        let width = u64::from(target.width.bytes());
        // Neighbours, a gap inside one bitmap, one that needs a second bitmap, and one far away.
        let words = [0, 1, 2, 20, 40, 70, 5000];
        let pointers: Vec<u64> = words.iter().map(|word| BASE + word * width).collect();
        let mut elf = Elf::new(Machine::AARCH64, target);
        elf.section(Section::relr_dyn(target, BASE, &pointers));
        let image = elf.build();
        let read = match target.width {
            Width::W32 => read_relr::<object::elf::FileHeader32<Endianness>>(&image),
            Width::W64 => read_relr::<object::elf::FileHeader64<Endianness>>(&image),
        };
        assert_eq!(read, pointers, "{target:?}");
    }
}

#[test]
fn relocations_of_an_object_name_symbol_and_section() {
    for target in Target::ALL {
        let mut elf = Elf::new(Machine::I386, target);
        elf.file_type(FileType::Relocatable);
        elf.section(Section::code("kprobe/vfs_read", 0, vec![0; 16]));
        let relocation = Relocation { offset: 8, symbol: 1, kind: 1, addend: 0 };
        elf.section(Section::rel(target, "kprobe/vfs_read", &[relocation]));
        elf.symbol(Symbol::notype("events", 0).global().undefined());
        let image = elf.build();
        let file = object::File::parse(&*image).unwrap();
        let section = file.section_by_name("kprobe/vfs_read").unwrap();
        let relocations: Vec<_> = section.relocations().collect();
        let [(8, relocation)] = &relocations[..] else { panic!("one relocation at 8") };
        let object::RelocationTarget::Symbol(index) = relocation.target() else { panic!("a symbol") };
        assert_eq!(file.symbol_by_index(index).unwrap().name(), Ok("events"));
    }
}

#[test]
fn faults_reach_the_reader() {
    let target = Target::LE64;
    let text = || Section::code(".text", BASE, vec![0x90; 64]);
    let parse = |elf: &Elf| {
        let image = elf.build();
        object::File::parse(&*image)
            .is_ok_and(|file| file.section_by_name(".text").is_some_and(|section| section.data().is_ok()))
    };
    let new = || Elf::new(Machine::X86_64, target);
    assert!(parse(new().section(text())));
    assert!(!parse(new().section(text().claim_size(1 << 40))));
    assert!(!parse(new().section(text().claim_offset(u64::MAX))));
    assert!(!parse(new().section(text()).claim_section_count(9000)));
    assert!(!parse(new().section(text()).claim_section_table(u64::MAX - 8)));
    assert!(!parse(new().section(text()).claim_name_table(77)));

    let mut elf = new();
    elf.section(text()).symbol(Symbol::func("a", BASE, 1).claim_name(u32::MAX).section_index(0x700));
    let image = elf.build();
    let file = object::File::parse(&*image).unwrap();
    let symbol = file.symbols().last().unwrap();
    assert!(symbol.name().is_err());
    assert_eq!(symbol.section_index(), Some(object::SectionIndex(0x700)));

    let mut elf = new();
    elf.section(Section::debug(".debug_info", *b"abc").compressed(Compression::Zlib).claim_content_size(5));
    let image = elf.build();
    let file = object::File::parse(&*image).unwrap();
    assert!(file.section_by_name(".debug_info").unwrap().uncompressed_data().is_err());
}

#[test]
#[should_panic(expected = "no section `.nowhere`")]
fn a_symbol_in_an_unknown_section_is_a_bug_in_the_test() {
    Elf::new(Machine::X86_64, Target::LE64).symbol(Symbol::notype("x", 0).in_section(".nowhere")).build();
}

#[test]
fn readelf_has_no_complaints() {
    for target in Target::ALL {
        let mut elf = sample(target);
        elf.with_segments();
        elf.section(Section::debug(".debug_str", *b"x\0").compressed(Compression::Zlib));
        let Some(output) = tools::run("readelf", &["-aW", "FILE"], &elf.build()) else { return };
        // The sample puts a local symbol behind a global one on purpose.
        let complaints: Vec<&str> =
            output.stderr.lines().filter(|line| !line.contains("local symbol")).collect();
        assert!(complaints.is_empty(), "{target:?}: {complaints:?}");
        assert!(output.stdout.contains("vfs_read"), "{}", output.stdout);
        assert!(output.stdout.contains("Build ID: abababab"), "{}", output.stdout);
    }
}
