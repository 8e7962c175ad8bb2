//! What is told from first bytes, and the formats that have a room here.

use testkit::carrier::{lz4_legacy, lzma, lzop};

use super::*;
use crate::source::fixture::noise;

fn decoded(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut contents = Vec::new();
    Codec::of(bytes).expect("it is compressed").reader(bytes).unwrap().read_to_end(&mut contents)?;
    Ok(contents)
}

#[test]
fn what_kernels_are_compressed_with_is_decompressed() {
    for contents in [vec![], noise(1, 1), noise(300_000, 2), vec![7; 9 << 20]] {
        for (codec, packed) in [
            (Codec::Lz4Legacy, lz4_legacy(&contents)),
            (Codec::Lzma, lzma(&contents)),
            (Codec::Lzo, lzop(&contents)),
        ] {
            assert_eq!(Codec::of(&packed), Some(codec));
            assert!(decoded(&packed).unwrap() == contents, "{codec:?} of {} bytes", contents.len());
            // Builds append the size.
            let sized = [&packed[..], &(contents.len() as u32).to_le_bytes()].concat();
            assert!(decoded(&sized).unwrap() == contents, "{codec:?} of {} bytes", contents.len());
        }
    }
    // Two files one behind the other, as lz4 allows.
    let two = [lz4_legacy(b"one "), lz4_legacy(b"two")].concat();
    assert_eq!(decoded(&two).unwrap(), b"one two");
}

#[test]
fn what_is_cut_is_an_error() {
    let contents = noise(3000, 1);
    for packed in [lz4_legacy(&contents), lzma(&contents), lzop(&contents)] {
        let codec = Codec::of(&packed).unwrap();
        for cut in HEAD..packed.len() {
            assert!(decoded(&packed[..cut]).is_err(), "{codec:?} cut at {cut}");
        }
    }
}

#[test]
fn hostile_blocks_are_refused() {
    let error = |bytes: &[u8]| decoded(bytes).unwrap_err().to_string();
    let blocks = 9 + 8 + 4 + 12 + 6 + 4;
    let with = |at: usize, word: u32| {
        let mut file = lzop(&[7; 5000]);
        file[at..at + 4].copy_from_slice(&word.to_be_bytes());
        error(&file)
    };
    assert_eq!(
        with(blocks, u32::MAX),
        format!("a block of {} bytes in {} compressed ones", u32::MAX, lzop(&[7; 5000]).len() - blocks - 20)
    );
    assert_eq!(with(blocks + 4, 0), "a block of 5000 bytes in 0 compressed ones");
    assert_eq!(with(blocks, 4999), "output overrun");
    assert_eq!(with(blocks, 5001), "a block of 5000 bytes that should have 5001");
    assert_eq!(with(blocks + 8, 1), "a block with another checksum");
    assert_eq!(with(17, 0x800), "contents that went through a filter");
    let mut lz4 = lz4_legacy(&[7; 5000]);
    lz4[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(error(&lz4), "a block of 4294967295 bytes");
}

#[test]
fn an_lzma_file_is_told_by_all_of_its_header() {
    let file = lzma(b"contents");
    assert_eq!(Codec::of(&file), Some(Codec::Lzma));
    // Properties, dictionary, size, the range coder's first byte.
    for (at, byte) in [(0, 0x5c), (1, 1), (4, 0x77), (12, 0x7f), (13, 1)] {
        let mut other = file.clone();
        other[at] = byte;
        assert_eq!(Codec::of(&other), None, "byte {at}");
    }
    assert_eq!(Codec::of(&file[..HEAD - 1]), None);
}
