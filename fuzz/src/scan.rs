//! Target `scan`: files that have eBPF objects somewhere.
//!
//! The input is the file, with bytes 0xfe and 0xff standing for a whole object of either byte order.

use std::sync::LazyLock;

use depsurf::bpf::{Object, scan};
use testkit::Endian;

use crate::object;

static SAMPLES: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| [Endian::Little, Endian::Big].map(object::sample));

pub fn seeds() -> Vec<Vec<u8>> {
    let [little, big] = &*SAMPLES;
    vec![
        b"\x7fELF".to_vec(),
        b"text\xfetext\xff".to_vec(),
        little[..64].to_vec(),
        [&little[..64], b"\xfe"].concat(),
        [&big[..], b"\x7fELF"].concat(),
    ]
}

pub fn run(data: &[u8]) {
    let mut file = Vec::with_capacity(data.len());
    for &byte in data {
        match byte {
            // A few are enough to go wrong, and many take long to read.
            0xfe if file.len() < 1 << 14 => file.extend(&SAMPLES[0]),
            0xff if file.len() < 1 << 14 => file.extend(&SAMPLES[1]),
            _ => file.push(byte),
        }
    }
    let mut last = None;
    for range in scan(&file) {
        assert!(last < Some(range.start), "each start is found once");
        last = Some(range.start);
        let image = &file[range.clone()];
        let alone = Object::parse(image);
        let inside = Object::parse(&file[range.start..]);
        assert_eq!(alone.is_ok(), inside.is_ok(), "what is behind its end does not matter");
        if let Ok(object) = alone {
            object::read(&object);
        }
    }
}
