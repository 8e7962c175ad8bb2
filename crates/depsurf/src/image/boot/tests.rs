//! Where flat memory begins, by what is in it.

use testkit::Target;
use testkit::kallsyms::{Order, tables};

use super::*;

const LENGTH: usize = 0x20_0000;
const FUNCTIONS: u64 = 600;

/// Memory of a kernel for arm64 whose symbols tell offsets from their own places, and whose table of ftrace sites begins with those of
/// weak functions that others replace: zeros.
fn flat(start: u64, zeros: u64) -> Vec<u8> {
    let (text, banner, sites, table) = (0x1_0000, 0x8_0000, 0x9_0000, 0x10_0000_usize);
    let stop = sites + 8 * (zeros + FUNCTIONS);
    let function = |index: u64| start + text + 0x40 * index;
    let mut symbols = vec![(start, 'T', "_text".to_owned()), (start + text, 'T', "_stext".into())];
    symbols.extend((0..FUNCTIONS).map(|index| (function(index), 't', format!("function_{index}"))));
    symbols.push((start + banner, 'D', "linux_banner".into()));
    symbols.push((start + sites, 'D', "__start_mcount_loc".into()));
    symbols.push((start + stop, 'D', "__stop_mcount_loc".into()));
    symbols.extend((0..100).map(|index| (start + stop + 8 * index, 'd', format!("variable_{index}"))));
    let symbols: Vec<_> = symbols.iter().map(|(at, letter, name)| (*at, *letter, name.as_str())).collect();

    let mut memory = vec![0; LENGTH];
    let mut put = |at: usize, bytes: &[u8]| memory[at..at + bytes.len()].copy_from_slice(bytes);
    put(56, b"ARM\x64");
    put(banner as usize, b"Linux version 7.2.12+deb14-cloud-arm64 (a@b) (gcc) #1 SMP Debian 7.2.12-1\n");
    for index in 0..FUNCTIONS {
        put((sites + 8 * (zeros + index)) as usize, &(function(index) + 8).to_le_bytes());
    }
    put(table, &tables(Target::LE64, Order::FromPlace, &symbols, start + table as u64, start));
    memory
}

#[test]
fn the_start_is_where_most_ftrace_sites_are_in_functions() {
    for start in [0xffff_8000_8000_0000, 0xffff_8000_8020_8000] {
        for zeros in [0, 1, 300] {
            let memory = flat(start, zeros);
            let boot = Boot::read(&memory, Some(Arch::Arm64)).unwrap();
            let image = boot.image().unwrap();
            let address = |name| image.symbol(name).map(|symbol| symbol.address);
            assert_eq!(address("function_7"), Some(start + 0x1_0000 + 7 * 0x40), "{start:#x} {zeros}");
            assert_eq!(boot.no_tables_because(), None);
        }
    }
    // Without a single site nothing tells.
    let mut memory = flat(0xffff_8000_8000_0000, 0);
    memory[0x9_0000..0x9_0000 + 8 * FUNCTIONS as usize].fill(0);
    assert!(!Boot::read(&memory, Some(Arch::Arm64)).unwrap().has_symbols());
}
