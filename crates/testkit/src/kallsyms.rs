//! The kernel's own symbol table, as `scripts/kallsyms.c` writes it, and the files that boot a kernel.
//!
//! Names are not compressed: every byte is a token of itself, which is a table like any other to a reader.

use crate::Target;

/// Where the tables of addresses are, and what they hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Before 4.6: a word for each symbol, in front of the names.
    Absolute,
    /// Before 6.4: offsets and their base in front of the names; negative ones for all but absolute symbols.
    BeforeNames,
    /// 6.2: as before, and the numbers of the names in order between markers and tokens.
    WithNumbers,
    /// Since 6.4: offsets and their base behind the tokens.
    BehindTokens,
    /// Since 7.0: offsets from their own place, aligned to four bytes; with 32 bits the addresses themselves.
    FromPlace,
}

impl Order {
    /// All of them.
    pub const ALL: [Order; 5] =
        [Order::Absolute, Order::BeforeNames, Order::WithNumbers, Order::BehindTokens, Order::FromPlace];
}

/// The tables of some symbols: address, letter and name, by address. `place` is the address of the first byte, and
/// `base` that of the first symbol that is not absolute.
pub fn tables(target: Target, order: Order, symbols: &[(u64, char, &str)], place: u64, base: u64) -> Vec<u8> {
    let word = usize::from(target.width.bytes());
    let align = if order == Order::FromPlace { 4 } else { word };
    let mut out = target.bytes();
    let before = matches!(order, Order::BeforeNames | Order::WithNumbers);
    if order == Order::Absolute {
        for (address, ..) in symbols {
            out.word(*address);
        }
    } else if before {
        for (address, letter, _) in symbols {
            let relative =
                if *letter == 'A' { *address } else { (base.wrapping_sub(1)).wrapping_sub(*address) };
            out.u32(relative as u32);
        }
        out.align(align);
        out.word(base);
    }
    out.u32(symbols.len() as u32);
    out.align(align);
    let mut markers = Vec::new();
    let start = out.len();
    for (index, (_, letter, name)) in symbols.iter().enumerate() {
        if index % 256 == 0 {
            markers.push((out.len() - start) as u32);
        }
        let length = name.len() + 1;
        if length > 127 {
            out.u8(length as u8 & 0x7f | 0x80);
            out.u8((length >> 7) as u8);
        } else {
            out.u8(length as u8);
        }
        out.u8(*letter as u8);
        out.raw(name.as_bytes());
    }
    out.align(align);
    for marker in markers {
        out.u32(marker);
    }
    out.align(align);
    if order == Order::WithNumbers {
        for index in 0..symbols.len() {
            out.raw(&(index as u32).to_be_bytes()[1..]);
        }
        out.align(align);
    }
    let mut index = Vec::new();
    let start = out.len();
    for token in 0..=255 {
        index.push((out.len() - start) as u16);
        if token != 0 {
            out.u8(token);
        }
        out.u8(0);
    }
    out.align(align);
    for offset in index {
        out.u16(offset);
    }
    out.align(align);
    match order {
        Order::BehindTokens => {
            for (address, ..) in symbols {
                out.u32(address.wrapping_sub(base) as u32);
            }
            out.align(align);
            out.word(base);
        }
        Order::FromPlace => {
            for (address, ..) in symbols {
                let at = if word == 4 { 0 } else { place.wrapping_add(out.len() as u64) };
                out.u32(address.wrapping_sub(at) as u32);
            }
        }
        _ => {}
    }
    out.into_vec()
}

/// An x86 `bzImage` with a compressed kernel: two sectors of setup, some code, the kernel and its size.
pub fn bz_image(compressed: &[u8], size: u32) -> Vec<u8> {
    const OFFSET: u32 = 64;
    let mut image = vec![0; 3 * 512 + OFFSET as usize];
    image[0x1f1] = 2;
    image[0x202..0x206].copy_from_slice(b"HdrS");
    image[0x206..0x208].copy_from_slice(&0x20fu16.to_le_bytes());
    image[0x248..0x24c].copy_from_slice(&OFFSET.to_le_bytes());
    image[0x24c..0x250].copy_from_slice(&(compressed.len() as u32 + 4).to_le_bytes());
    image.extend_from_slice(compressed);
    image.extend_from_slice(&size.to_le_bytes());
    image
}

/// An EFI zboot image with a compressed kernel.
pub fn zboot(compressed: &[u8], kind: &str) -> Vec<u8> {
    let mut image = vec![0; 512];
    image[..2].copy_from_slice(b"MZ");
    image[4..8].copy_from_slice(b"zimg");
    image[8..12].copy_from_slice(&512u32.to_le_bytes());
    image[12..16].copy_from_slice(&(compressed.len() as u32).to_le_bytes());
    image[24..24 + kind.len()].copy_from_slice(kind.as_bytes());
    image[56..60].copy_from_slice(&0x8182_23cdu32.to_le_bytes());
    image.extend_from_slice(compressed);
    image
}
