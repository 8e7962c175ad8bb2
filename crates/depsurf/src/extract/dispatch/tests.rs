use std::fmt::Write as _;

use testkit::Target;
use testkit::elf::{Elf, Machine, Section, Symbol};

use super::*;
use crate::dwarf::tests::output;

const TEXT: u64 = 0xffff_ffff_8100_0000;
/// Entries lie here, 16 bytes apart.
const ENTRIES: u64 = TEXT + 0x1000;

/// Little pieces of machine code, placed one behind the other.
struct Code(Vec<u8>);

impl Code {
    fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    /// `opcode rel32` to an absolute address.
    fn to(mut self, opcode: &[u8], address: u64) -> Self {
        self.0.extend(opcode);
        let next = TEXT + self.0.len() as u64 + 4;
        self.0.extend((address.wrapping_sub(next) as u32).to_le_bytes());
        self
    }
}

fn entry(index: u64) -> u64 {
    ENTRIES + 16 * index
}

/// An image of the code, with addresses at `TEXT + 0x1f00`.
fn image_of(code: Code, leaves: &[u64]) -> Vec<u8> {
    let mut text = code.0;
    let size = text.len() as u64;
    text.resize(0x1f00, 0xcc);
    text.extend(leaves.iter().flat_map(|leaf| leaf.to_le_bytes()));
    text.resize(0x2000, 0xcc);
    let mut elf = Elf::new(Machine::X86_64, Target::LE64);
    elf.section(Section::code(".text", TEXT, text))
        .section(Section::rodata(".rodata", TEXT + 0x10_0000, *b"Linux version 6.12.0\0"))
        .symbol(Symbol::object("linux_banner", TEXT + 0x10_0000, 0))
        .symbol(Symbol::func("ia32_sys_call", TEXT, size));
    elf.build()
}

fn follow(code: Code) -> Result<Vec<u64>> {
    follow_with(code, &[])
}

fn follow_with(code: Code, leaves: &[u64]) -> Result<Vec<u64>> {
    let bytes = image_of(code, leaves);
    let image = Image::parse(&bytes).unwrap();
    entries(&image, "ia32_sys_call", |address| (entry(0)..=entry(9)).contains(&address))
}

#[test]
fn follows_a_tree_of_comparisons() {
    // if (nr == 2) e2; if (nr > 2) { if (nr != 5) e9; e5 } if (nr == 0) e0 by call; e9
    let code = Code(vec![])
        .raw(&[0xf3, 0x0f, 0x1e, 0xfa]) // endbr64
        .to(&[0xe8], TEXT + 0x1800) // call __fentry__
        .raw(&[0x83, 0xfe, 2]) // cmp esi, 2
        .to(&[0x0f, 0x84], entry(2)) // je
        .raw(&[0x77, 9]) // ja to the comparison with 5
        .raw(&[0x85, 0xf6]) // test esi, esi
        .raw(&[0x74, 0x15]) // je to the call at the end
        .to(&[0xe9], entry(9))
        .raw(&[0x81, 0xfe, 5, 0, 0, 0]) // cmp esi, 5
        .to(&[0x2e, 0x0f, 0x85], entry(9)) // jne, hinted
        .to(&[0xe9], entry(5))
        .raw(&[0x66, 0x90]);
    let at_call = code.0.len() as i64;
    let je = 4 + 5 + 3 + 6 + 2 + 2;
    let mut code = code.to(&[0xe8], entry(0));
    code.0[je + 1] = (at_call - (je as i64 + 2)) as u8;
    let found = follow(code).unwrap();
    assert_eq!(found, [entry(0), entry(9), entry(2), entry(9), entry(9), entry(5)]);
}

#[test]
fn a_subtraction_is_a_comparison_and_changes_the_number() {
    // if ((nr -= 3) == 0) e3; if (nr == 1) e4; e9
    let code = Code(vec![])
        .raw(&[0x83, 0xee, 3]) // sub esi, 3
        .to(&[0x0f, 0x84], entry(3)) // je
        .raw(&[0x83, 0xfe, 1]) // cmp esi, 1
        .to(&[0x0f, 0x84], entry(4)) // je
        .to(&[0xe9], entry(9));
    assert_eq!(follow(code).unwrap(), [entry(9), entry(9), entry(9), entry(3), entry(4)]);
    let code = Code(vec![])
        .raw(&[0x81, 0xee, 1, 0, 0, 0]) // sub esi, 1
        .to(&[0x0f, 0x86], entry(1)) // jbe
        .to(&[0xe9], entry(9));
    assert_eq!(follow(code).unwrap(), [entry(1), entry(1)]);
}

/// As GCC and Clang make them of a `switch` with an entry that does not return.
#[test]
fn follows_a_table() {
    // The table is in the last bytes of the text, which are no code of the function.
    let table = TEXT + 0x1f00;
    let (gcc, clang) = ([0x89, 0xf6, 0x48, 0x83, 0xec, 8], [0x89, 0xf0, 0x50, 0x90, 0x66, 0x90]);
    let (to_gcc, to_clang) = ([0xff, 0x24, 0xf5], [0xff, 0x24, 0xc5]);
    let (end_gcc, end_clang) = ([0x48, 0x83, 0xc4, 8], [0x59, 0x90, 0x66, 0x90]);
    for (before, jump, end) in [(gcc, to_gcc, end_gcc), (clang, to_clang, end_clang)] {
        let code = Code(vec![])
            .raw(&[0x83, 0xfe, 2]) // cmp esi, 2
            .to(&[0x0f, 0x87], entry(9)) // ja
            .raw(&before)
            .raw(&jump)
            .raw(&(table as u32).to_le_bytes());
        let leaf = TEXT + code.0.len() as u64;
        let code = code.raw(&end).to(&[0xe9], entry(4));
        let leaves = [entry(7), leaf, entry(2)];
        assert_eq!(follow_with(code, &leaves).unwrap(), [entry(7), entry(4), entry(2)]);
    }
}

#[test]
fn refuses_what_is_no_tree() {
    for (code, want) in [
        (Code(vec![]).raw(&[0xff, 0xe0]), "an instruction that no comparison tree has"), // jmp rax
        (Code(vec![]).raw(&[0x83, 0xfe]), "an instruction that no comparison tree has"),
        (Code(vec![]).raw(&[0xeb, 0xfe]), "no end"),
        (Code(vec![]).raw(&[0x74, 0]), "a jump before any comparison"),
        (Code(vec![]).to(&[0xe9], TEXT + 0x1fff), "a jump to what is no entry"),
        (Code(vec![]).raw(&[0x83, 0xfe, 1, 0x83, 0xfa, 1]), "a comparison of another register"),
        (Code(vec![]).raw(&[0x5e, 0x83, 0xfe, 1]), "a comparison of another register"), // pop rsi
        (Code(vec![]).raw(&[0xff, 0x24, 0xc5, 0, 0, 0, 0]), "a table for another register"),
        (Code(vec![]).raw(&[0xff, 0x24, 0xf5, 0, 0, 0, 0x10]), "a table that is not in the image"),
        (Code(vec![]).raw(&[0x83, 0xfe, 1, 0x78, 0]), "a jump on another condition"), // js
        (Code(vec![]).raw(&[0x2e, 0x3e, 0x74, 0]), "an instruction that no comparison tree has"),
    ] {
        let error = follow(code).unwrap_err().to_string();
        assert!(error.contains(want), "{want}: {error}");
    }
}

#[test]
fn conditions_compare_as_the_processor_does() {
    let minus_one = u32::MAX;
    for (condition, number, with, want) in [
        (0x2, 1, 2, true),          // jb
        (0x3, 1, 2, false),         // jae
        (0x4, 7, 7, true),          // je
        (0x5, 7, 7, false),         // jne
        (0x6, 7, 7, true),          // jbe
        (0x7, 8, 7, true),          // ja
        (0x2, 1, minus_one, true),  // jb: unsigned
        (0xc, 1, minus_one, false), // jl: signed
        (0xd, 1, minus_one, true),  // jge
        (0xe, 7, 7, true),          // jle
        (0xf, 7, 7, false),         // jg
    ] {
        assert_eq!(Compared { number, with }.meets(condition), Some(want), "{condition:#x} {number} {with}");
    }
}

/// A `switch` like the kernel's, with gaps, and two entries that do not return.
fn source(numbers: &[u32]) -> String {
    let mut text =
        "const char linux_banner[] = \"Linux version 6.12.0\\n\"; void __fentry__(void) {}\n".to_owned();
    let gone = [1, 252];
    for number in numbers.iter().copied().chain([9999]) {
        let (before, body) = match gone.contains(&number) {
            true => ("__attribute__((noreturn))", "for (;;) ;"),
            false => ("", "return *(long *)regs;"),
        };
        // What is there is not seen by who calls, as in another file.
        let function = format!("long sys_{number}(const void *regs)");
        writeln!(text, "__attribute__((noipa_or_not)) {before} {function} {{ {body} }}").unwrap();
    }
    text += "long ia32_sys_call(const void *regs, unsigned int nr) { switch (nr) {\n";
    for number in numbers {
        writeln!(text, "case {number}: return sys_{number}(regs);").unwrap();
    }
    text + "default: return sys_9999(regs); } }\n"
}

#[test]
fn switches_of_real_compilers_are_followed() {
    let place = tempfile::tempdir().unwrap();
    let numbers: Vec<u32> = (0..460).filter(|number| number % 17 != 3).collect();
    let common =
        ["-O2", "-mcmodel=kernel", "-mno-red-zone", "-fno-pic", "-fcf-protection=none", "-ffreestanding"];
    for (compiler, apart) in [("gcc", "noipa"), ("clang", "noinline, optnone")] {
        std::fs::write(place.path().join("a.c"), source(&numbers).replace("noipa_or_not", apart)).unwrap();
        for tables in [&[][..], &["-fno-jump-tables"]] {
            let link =
                ["-nostdlib", "-static", "-no-pie", "-Wl,-e,ia32_sys_call", "-Wl,-Ttext=0xffffffff81000000"];
            let files = ["a.c", "-o", "image"];
            let arguments = [&common[..], &["-w", "-pg", "-mfentry"], tables, &link, &files].concat();
            let Some(_) = output(compiler, &arguments, place.path()) else { continue };
            let bytes = std::fs::read(place.path().join("image")).unwrap();
            let image = Image::parse(&bytes).unwrap();
            let address = |number: u32| image.symbol(&format!("sys_{number}")).unwrap().address;
            let all: Vec<u64> = numbers.iter().chain([&9999]).map(|number| address(*number)).collect();
            let found = entries(&image, "ia32_sys_call", |address| all.contains(&address)).unwrap();
            let expected: Vec<u64> =
                (0..460).map(|number| address(if number % 17 == 3 { 9999 } else { number })).collect();
            assert_eq!(found, expected, "{compiler} {tables:?}");
        }
    }
}
