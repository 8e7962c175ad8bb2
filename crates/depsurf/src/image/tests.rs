use testkit::Target;
use testkit::elf::{Compression, Elf, FileType, Machine, Relocation, Section, Symbol, note};

use super::Image;

const TEXT: u64 = 0x8100_0000;
const RODATA: u64 = 0x8200_0000;
const DATA: u64 = 0x8300_0000;
const BANNER: &str = "Linux version 6.1.0-test (x@y) (gcc) #1 SMP\n";

/// A machine for each layout that a known architecture has.
const KERNELS: [(Machine, Target); 5] = [
    (Machine::X86_64, Target::LE64),
    (Machine::AARCH64, Target::LE64),
    (Machine::I386, Target::LE32),
    (Machine::ARM, Target::LE32),
    (Machine::S390, Target::BE64),
];

/// Banner at the start of `.rodata`, a NUL-terminated `hello` behind it, and a table of three pointers in
/// `.data`: one in the file, one zero, one to be relocated where `relocate`.
fn kernel(machine: Machine, target: Target, relocate: bool) -> Elf {
    let mut elf = Elf::new(machine, target);
    let mut rodata = target.bytes();
    rodata.cstr(BANNER).cstr("hello");
    let mut data = target.bytes();
    data.word(TEXT + 4).word(0).word(0).u32(0x0102_0304).u16(0x0506);
    elf.section(Section::code(".text", TEXT, [0x90; 64]))
        .section(Section::rodata(".rodata", RODATA, rodata.into_vec()))
        .section(Section::data(".data", DATA, data.into_vec()))
        .section(Section::bss(".bss", DATA + 0x1000, 0x100))
        .section(Section::debug(".comment", *b"GCC: (Debian 12) 12.2.0\0more\0"))
        .section(Section::notes(".notes", RODATA + 0x1000, note(target, "Linux", 0x100, b"x")))
        .section(Section::notes(".note.id", RODATA + 0x2000, note(target, "GNU", 3, &[1, 2, 3, 0xff])));
    if relocate {
        let at = DATA + 2 * u64::from(target.width.bytes());
        let relocation = Relocation::relative(machine, at, TEXT + 16);
        elf.section(Section::rela_dyn(target, 0x8400_0000, &[relocation]));
    }
    elf.symbol(Symbol::file("a.c"))
        .symbol(Symbol::func("first", TEXT, 16))
        .symbol(Symbol::func("twin", TEXT + 16, 8))
        .symbol(Symbol::func("twin", TEXT + 32, 8).global())
        .symbol(Symbol::notype("asm_entry", TEXT + 48))
        .symbol(Symbol::func("twin", TEXT + 56, 4))
        .symbol(Symbol::notype("twin_alias", TEXT + 32))
        .symbol(Symbol::notype("__crc_x", 0x1234).absolute())
        .symbol(Symbol::object("linux_banner", RODATA, 0).global())
        .symbol(Symbol::notype("__start_table", DATA))
        .symbol(Symbol::notype("__stop_table", DATA + 3 * u64::from(target.width.bytes())));
    elf
}

fn error_of(bytes: &[u8]) -> String {
    Image::parse(bytes).expect_err("not a kernel image").to_string()
}

#[test]
fn reads_every_layout() {
    for (machine, target) in KERNELS {
        let bytes = kernel(machine, target, false).build();
        let image = Image::parse(&bytes).unwrap_or_else(|error| panic!("{machine:?}: {error}"));
        assert_eq!(image.banner(), BANNER.trim_end());
        assert_eq!(image.comment(), Some("GCC: (Debian 12) 12.2.0"));
        assert_eq!(image.build_id(), Some([1, 2, 3, 0xff].as_slice()));
        assert_eq!(image.address_size(), target.width.bytes());
        assert_eq!(image.is_big_endian(), target.endian == testkit::Endian::Big);
        assert_eq!(image.text_start(), Some(TEXT));
        let table = image.between("__start_table", "__stop_table").unwrap();
        assert_eq!(image.pointers(table).unwrap(), [TEXT + 4, 0, 0]);
        assert_eq!(image.pointer_at(DATA).unwrap(), TEXT + 4);
        let numbers = DATA + 3 * u64::from(target.width.bytes());
        assert_eq!(image.uint_at(numbers, 4).unwrap(), 0x0102_0304);
        assert_eq!(image.uint_at(numbers + 4, 2).unwrap(), 0x0506);
        assert_eq!(image.c_string_at(RODATA + BANNER.len() as u64 + 1).unwrap(), b"hello");
        assert!(image.between("__stop_table", "__start_table").is_none());
    }
}

#[test]
fn applies_relocations_where_the_file_holds_zeros() {
    // i386 has no relocations with addends, and its kernel is not relocated this way.
    for (machine, target) in [(Machine::AARCH64, Target::LE64), (Machine::S390, Target::BE64)] {
        let bytes = kernel(machine, target, true).build();
        let image = Image::parse(&bytes).unwrap();
        let table = image.between("__start_table", "__stop_table").unwrap();
        assert_eq!(image.pointers(table).unwrap(), [TEXT + 4, 0, TEXT + 16]);
        assert_eq!(image.pointer_at(DATA + 16).unwrap(), TEXT + 16);
        assert_eq!(image.uint_at(DATA + 16, 8).unwrap(), TEXT + 16);
        // Half of a relocated word keeps the file's bytes.
        assert_eq!(image.uint_at(DATA + 16, 4).unwrap(), 0);
    }
}

#[test]
fn ignores_the_relocations_of_emit_relocs() {
    let mut elf = kernel(Machine::X86_64, Target::LE64, false);
    let relocation = Relocation { offset: DATA, symbol: 1, kind: 1, addend: 99 };
    elf.section(Section::rela(Target::LE64, ".data", &[relocation]));
    let bytes = elf.build();
    assert_eq!(Image::parse(&bytes).unwrap().pointer_at(DATA).unwrap(), TEXT + 4);
}

#[test]
fn finds_symbols_by_name_and_address() {
    let bytes = kernel(Machine::X86_64, Target::LE64, false).build();
    let image = Image::parse(&bytes).unwrap();
    assert_eq!(image.symbols().len(), 12);
    assert_eq!(image.symbols()[1].name, b"a.c");
    let twins: Vec<_> = image.symbols_named("twin").map(|(index, symbol)| (index, symbol.address)).collect();
    assert_eq!(twins, [(3, TEXT + 16), (4, TEXT + 32), (6, TEXT + 56)]);
    assert_eq!(image.address_of("twin"), Some(TEXT + 32), "the global one");
    assert!(image.symbol("twi").is_none());
    let at: Vec<_> = image.symbols_at(TEXT + 32).map(|(_, symbol)| symbol.text()).collect();
    assert_eq!(at, ["twin", "twin_alias"]);
    let end_of = |name| image.symbol_end(image.symbol(name).unwrap());
    assert_eq!(end_of("first"), TEXT + 16);
    assert_eq!(end_of("asm_entry"), TEXT + 56, "up to the next symbol");
    let crc = image.symbol("__crc_x").unwrap();
    assert_eq!((crc.section, crc.special), (0, 0xfff1));
    assert!(
        image
            .symbols_by_address()
            .indices()
            .iter()
            .all(|&index| image.symbols()[index as usize].name != b"__crc_x")
    );
}

#[test]
fn refuses_addresses_without_bytes() {
    let bytes = kernel(Machine::X86_64, Target::LE64, false).build();
    let image = Image::parse(&bytes).unwrap();
    for (address, len) in [(0, 1), (TEXT - 1, 1), (TEXT + 64, 1), (DATA + 0x1000, 4), (u64::MAX, 8)] {
        let error = image.bytes_at(address, len).unwrap_err().to_string();
        assert!(error.contains("no section has bytes there"), "{address:#x}: {error}");
    }
    let error = image.bytes_at(TEXT + 60, 8).unwrap_err().to_string();
    assert_eq!(error, "malformed image at address 0x8100003c: 8 bytes reach behind section `.text`");
    assert!(image.bytes_at(TEXT, u64::MAX).is_err());
    let error = image.c_string_at(TEXT).unwrap_err().to_string();
    assert!(error.contains("no string ends within 64 bytes"), "{error}");
}

#[test]
fn never_reads_bytes_that_were_not_decoded() {
    let bytes = kernel(Machine::X86_64, Target::LE64, false).build();
    let data = Image::parse(&bytes).unwrap().section(".data").unwrap().file_range();
    let present = |range: std::ops::Range<u64>| range.end <= data.start || range.start >= data.end;
    let image = Image::parse_sparse(&bytes, &present).unwrap();
    assert_eq!(image.banner(), BANNER.trim_end());
    let error = image.pointer_at(DATA).unwrap_err().to_string();
    assert!(error.contains("section `.data`") && error.contains("were not decoded"), "{error}");
    let error = Image::parse_sparse(&bytes, &|_| false).unwrap_err().to_string();
    assert!(error.contains("were not decoded"), "{error}");
}

#[test]
fn decompresses_sections() {
    let text: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();
    for (machine, target) in KERNELS {
        let mut elf = kernel(machine, target, false);
        // "ZLIB", the size, and a stream of one stored block (RFC 1950, RFC 1951 §3.2.4).
        let mut legacy = b"ZLIB\0\0\0\0\0\0\0\x02".to_vec();
        legacy.extend(b"\x78\x01\x01\x02\x00\xfd\xffhi\x01\x3b\x00\xd2");
        elf.section(Section::debug(".debug_info", text.clone()).compressed(Compression::Zlib))
            .section(Section::debug(".debug_str", text.clone()).compressed(Compression::Zstd))
            .section(Section::debug(".debug_abbrev", *b"plain"))
            .section(Section::debug(".zdebug_line", legacy));
        let bytes = elf.build();
        let image = Image::parse(&bytes).unwrap();
        let data = |name| image.section_data(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(data(".debug_info").as_deref(), Some(text.as_slice()));
        assert_eq!(data(".debug_str").as_deref(), Some(text.as_slice()));
        assert_eq!(data(".debug_abbrev").as_deref(), Some(b"plain".as_slice()));
        assert_eq!(data(".debug_line").as_deref(), Some(b"hi".as_slice()));
        assert_eq!(data(".debug_loc"), None);
        assert_eq!(data(".bss"), None);
    }
}

#[test]
fn refuses_compressed_sizes_that_are_not_credible() {
    for (size, want) in [(1 << 62, "exceeds the limit"), (5 << 20, "malformed ELF")] {
        let mut elf = kernel(Machine::X86_64, Target::LE64, false);
        elf.section(
            Section::debug(".debug_info", [7; 1000]).compressed(Compression::Zlib).claim_content_size(size),
        );
        let bytes = elf.build();
        let error = Image::parse(&bytes).unwrap().section_data(".debug_info").unwrap_err().to_string();
        assert!(error.starts_with("section `.debug_info`: ") && error.contains(want), "{size}: {error}");
    }
}

#[test]
fn says_what_a_file_is_instead() {
    assert_eq!(error_of(b""), "not a kernel image or package: the file is empty");
    assert_eq!(
        error_of(b"!<arch>\ndebian-binary"),
        "not a kernel image or package: not an ELF file, it starts with 21 3c 61 72 63 68 3e 0a"
    );
    let mut boot = vec![0; 0x300];
    boot[0x202..0x206].copy_from_slice(b"HdrS");
    assert!(error_of(&boot).contains("bzImage"), "{}", error_of(&boot));
    assert_eq!(error_of(b"\x7fELF\x09"), "malformed ELF at offset 0x4: class 9 is neither 32 nor 64 bit");

    let mut module = kernel(Machine::X86_64, Target::LE64, false);
    assert_eq!(
        error_of(&module.file_type(FileType::Relocatable).build()),
        "not a Linux kernel: it is an object file that was not linked (a module?)"
    );
    let sparc = kernel(Machine(43), Target::BE64, false).build();
    assert!(
        error_of(&sparc)
            .starts_with("unsupported machine: ELF machine 43, 64 bit, big-endian (known are amd64,")
    );
    let big_arm = kernel(Machine::AARCH64, Target::BE64, false).build();
    assert!(error_of(&big_arm).starts_with("unsupported machine: ELF machine 183, 64 bit, big-endian"));
    let program = Elf::new(Machine::BPF, Target::LE64).file_type(FileType::Relocatable).build();
    assert_eq!(error_of(&program), "unsupported machine: an eBPF object, not a kernel");

    let mut stripped = Elf::new(Machine::X86_64, Target::LE64);
    stripped.section(Section::code(".text", TEXT, [0; 8]));
    assert_eq!(error_of(&stripped.build()), "not a Linux kernel: the file has no symbol table (`.symtab`)");
    stripped.symbol(Symbol::func("main", TEXT, 8));
    assert_eq!(error_of(&stripped.build()), "not a Linux kernel: there is no symbol `linux_banner`");
    stripped.symbol(Symbol::object("linux_banner", TEXT, 8));
    assert_eq!(
        error_of(&stripped.build()),
        "not a Linux kernel: `linux_banner` does not start with `Linux version `"
    );
}

#[test]
fn a_cut_file_is_an_error_at_every_length() {
    for (machine, target) in KERNELS {
        let bytes = kernel(machine, target, machine == Machine::AARCH64).build();
        for len in 0..bytes.len() {
            let error = Image::parse(&bytes[..len]).expect_err("cut").to_string();
            assert!(len == 0 || error.contains("truncated"), "{machine:?} cut to {len}: {error}");
        }
    }
}

/// Whatever one byte says, reading ends with a value or an error.
#[test]
fn wrong_bytes_never_panic() {
    for (machine, target) in KERNELS {
        let good = kernel(machine, target, machine == Machine::AARCH64).build();
        for at in 0..good.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut bytes = good.clone();
                bytes[at] = value;
                let Ok(image) = Image::parse(&bytes) else { continue };
                let _ = (image.comment(), image.build_id(), image.text_start());
                for section in image.sections() {
                    let _ = image.section_data(&section.display_name());
                    let _ = image.bytes_at(section.address, section.size);
                }
                for symbol in image.symbols() {
                    let _ = (image.symbol_end(symbol), image.pointer_at(symbol.address));
                    let _ = (image.c_string_at(symbol.address), image.symbols_at(symbol.address).count());
                    assert_eq!(image.symbol(symbol.text()).is_some(), !symbol.text().is_empty());
                }
            }
        }
    }
}

#[test]
fn header_fields_that_lie_are_errors() {
    let good = kernel(Machine::X86_64, Target::LE64, false);
    let error = |elf: &mut Elf| error_of(&elf.build());
    assert!(error(good.clone().claim_section_count(9999)).starts_with("truncated: section headers"));
    assert!(error(good.clone().claim_section_table(1 << 40)).starts_with("truncated: section headers"));
    assert!(error(good.clone().claim_name_table(77)).starts_with("malformed ELF"));
    let long = Section::debug(".debug_info", [0; 4]).claim_size(1 << 50);
    assert!(error(good.clone().section(long)).starts_with("truncated: section 8"));
}

/// Many names that share one long string would cost the square of the file's size.
#[test]
fn names_that_overlap_beyond_reason_are_refused() {
    let mut elf = kernel(Machine::X86_64, Target::LE64, false);
    elf.symbol(Symbol::func("x".repeat(100_000), TEXT, 1));
    assert!(Image::parse(&elf.build()).is_ok());
    for index in 0..1000 {
        elf.symbol(Symbol::func("y", TEXT, 1).claim_name(1000 + index));
    }
    assert_eq!(error_of(&elf.build()), "malformed ELF at names: they overlap beyond reason");
}
