//! Tables of every order, width and byte order, whole and damaged.

use proptest::prelude::*;
use testkit::kallsyms::{Order, tables};
use testkit::{Endian, Target};

use super::*;

const BASE: u64 = 0x8000_1000;

/// Symbols by address: some absolute ones, then some of one address, and a long name.
fn symbols(count: usize) -> Vec<(u64, char, String)> {
    let mut list = vec![(0, 'A', "fixed_percpu_data".to_owned()), (0x40, 'A', "current_task".to_owned())];
    list.push((BASE, 'T', "_text".into()));
    list.push((BASE, 'T', "_stext".into()));
    list.push((BASE + 8, 't', "a_long_name_".repeat(16)));
    list.extend((0..count).map(|index| (BASE + 16 * index as u64 + 16, 't', format!("function_{index}"))));
    list.push((BASE + 0x10_0000, 'D', "jiffies".into()));
    list
}

fn image(target: Target, order: Order, symbols: &[(u64, char, String)]) -> Vec<u8> {
    let symbols: Vec<_> = symbols.iter().map(|(at, letter, name)| (*at, *letter, name.as_str())).collect();
    let mut memory = vec![0x5a; 0x400];
    let table = tables(target, order, &symbols, BASE + 0x20_0000 + memory.len() as u64, BASE);
    memory.extend(table);
    memory.extend([0xa5; 64]);
    memory
}

fn find(target: Target, memory: &[u8]) -> Option<Kallsyms> {
    let endian = if target.endian == Endian::Big { Endianness::Big } else { Endianness::Little };
    Kallsyms::find(memory, endian, target.width.bytes().into())
}

#[test]
fn every_order_is_read() {
    for target in Target::ALL {
        for order in Order::ALL {
            // Without absolute symbols where offsets cannot tell them, as in kernels that have none.
            let mut symbols = symbols(700);
            if matches!(order, Order::BehindTokens | Order::FromPlace) {
                symbols.retain(|(_, letter, _)| *letter != 'A');
            }
            let memory = image(target, order, &symbols);
            let found = find(target, &memory).unwrap_or_else(|| panic!("{target:?} {order:?}"));
            let base = match found.kind {
                Addresses::Place => BASE + 0x20_0000,
                _ => found.base.map_or(0, |(_, base)| base),
            };
            let read: Vec<_> = found
                .entries
                .iter()
                .map(|&entry| {
                    let name = String::from_utf8(found.name(entry).to_vec()).unwrap();
                    (found.address(entry, base), char::from(entry.letter), name)
                })
                .collect();
            // 32 bits have no more.
            let mask = if target.width.bytes() == 4 { u64::from(u32::MAX) } else { u64::MAX };
            let read: Vec<_> = read.into_iter().map(|(at, letter, name)| (at & mask, letter, name)).collect();
            assert!(read == symbols, "{target:?} {order:?} {:?}: {:?}", found.kind, &read[..4]);
            assert!(found.named("jiffies").is_some() && found.named("nobody").is_none());
        }
    }
}

#[test]
fn data_symbols_are_counted() {
    let memory = image(Target::LE64, Order::BeforeNames, &symbols(700));
    assert!(!find(Target::LE64, &memory).unwrap().has_data());
    let mut all = symbols(300);
    all.extend((0..100).map(|index| (BASE + 0x11_0000 + index, 'd', format!("variable_{index}"))));
    let memory = image(Target::LE64, Order::BeforeNames, &all);
    assert!(find(Target::LE64, &memory).unwrap().has_data());
}

#[test]
fn cut_tables_are_none() {
    for order in Order::ALL {
        let mut symbols = symbols(600);
        symbols.retain(|(_, letter, _)| *letter != 'A');
        let memory = image(Target::LE64, order, &symbols);
        // From behind, and from the front: either way a part of the tables is missing.
        for cut in [0x500, memory.len() / 2, memory.len() - 900] {
            assert!(find(Target::LE64, &memory[..cut]).is_none(), "{order:?} {cut:#x}");
            assert!(find(Target::LE64, &memory[cut..]).is_none(), "{order:?} {cut:#x}");
        }
    }
    assert!(find(Target::LE64, b"0\x001\x002\x003\x004\x005\x006\x007\x008\x009\0").is_none());
}

/// Memory that is nothing but beginnings of tables must not take long.
#[test]
fn what_only_looks_like_tables_is_left_soon() {
    let digits = b"0\x001\x002\x003\x004\x005\x006\x007\x008\x009\0".repeat(100_000);
    assert!(find(Target::LE64, &digits).is_none());
    let mut memory: Vec<u8> = (0..1_000_000u32).flat_map(|index| (index % 2 * 600).to_le_bytes()).collect();
    let tokens = image(Target::LE64, Order::FromPlace, &symbols(600));
    let at = memmem::find(&tokens, b"0\x001\x002").unwrap();
    memory.extend_from_slice(&tokens[at - 0x80..]);
    assert!(find(Target::LE64, &memory).is_none());
}

proptest! {
    /// Damage is told or does not matter; nothing panics.
    #[test]
    fn damaged_tables_do_not_panic(
        changes in prop::collection::vec((0usize..30_000, any::<u8>()), 1..20),
        order in 0usize..5,
    ) {
        let mut memory = image(Target::LE64, Order::ALL[order], &symbols(600));
        for (at, byte) in changes {
            let at = at % memory.len();
            memory[at] = byte;
        }
        if let Some(found) = find(Target::LE64, &memory) {
            let length: usize = found.entries.iter().map(|entry| found.name(*entry).len()).sum();
            prop_assert!(length <= found.text.len());
        }
    }
}
