//! Builds packages in memory, small enough to be cut at every byte.

use std::io::Write;

use liblzma::stream::{Action, Check, Status, Stream};
pub use testkit::package::{ar, cpio, member, rpm, seal, tar};

/// A 64-bit little-endian ELF file with these sections: name, type, flags, contents.
pub fn elf(sections: &[(&str, u32, u64, &[u8])]) -> Vec<u8> {
    let mut names = vec![0];
    let mut file = vec![0; 64];
    let mut headers = vec![[0u8; 64]];
    let header = |name: usize, kind: u32, flags: u64, offset: usize, size: usize| {
        let mut header = [0; 64];
        header[0..4].copy_from_slice(&(name as u32).to_le_bytes());
        header[4..8].copy_from_slice(&kind.to_le_bytes());
        header[8..16].copy_from_slice(&flags.to_le_bytes());
        header[24..32].copy_from_slice(&(offset as u64).to_le_bytes());
        header[32..40].copy_from_slice(&(size as u64).to_le_bytes());
        header
    };
    for (name, kind, flags, data) in sections {
        headers.push(header(names.len(), *kind, *flags, file.len(), data.len()));
        names.extend(name.bytes().chain([0]));
        file.extend_from_slice(data);
    }
    headers.push(header(names.len(), 3, 0, file.len(), names.len() + 10));
    file.extend(names.into_iter().chain(*b".shstrtab\0"));
    let table = file.len() as u64;
    file[..6].copy_from_slice(b"\x7fELF\x02\x01");
    file[40..48].copy_from_slice(&table.to_le_bytes());
    file[58..60].copy_from_slice(&64u16.to_le_bytes());
    file[60..62].copy_from_slice(&(headers.len() as u16).to_le_bytes());
    file[62..64].copy_from_slice(&(headers.len() as u16 - 1).to_le_bytes());
    file.extend(headers.into_iter().flatten());
    file
}

/// Bytes that do not compress to nothing, so that blocks are not all alike.
pub fn noise(length: usize, mut seed: u32) -> Vec<u8> {
    std::iter::repeat_with(|| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 28) as u8
    })
    .take(length)
    .collect()
}

pub fn vmlinux() -> Vec<u8> {
    elf(&[
        (".text", 1, 2, &noise(3000, 1)),
        (".rela.text", 4, 0, &noise(9000, 2)),
        (".rela.dyn", 4, 2, &noise(500, 3)),
        (".debug_info", 1, 0, &noise(5000, 4)),
        (".debug_loclists", 1, 0, &noise(8000, 5)),
        (".debug_str", 1, 0, &noise(700, 6)),
    ])
}

/// xz data whose blocks have these sizes, and a last one for the rest.
pub fn xz_blocks(data: &[u8], sizes: impl IntoIterator<Item = usize>) -> Vec<u8> {
    let mut stream = Stream::new_easy_encoder(0, Check::Crc64).unwrap();
    let mut out = Vec::with_capacity(data.len() + (64 << 10));
    let mut rest = data;
    let mut push = |mut input: &[u8], action| loop {
        let before = stream.total_in();
        let status = stream.process_vec(input, &mut out, action).unwrap();
        input = &input[(stream.total_in() - before) as usize..];
        if status == Status::StreamEnd {
            break;
        }
        out.reserve(64 << 10);
    };
    for size in sizes {
        let (block, behind) = rest.split_at(size.min(rest.len()));
        rest = behind;
        push(block, Action::FullFlush);
    }
    push(rest, Action::Finish);
    out
}

pub fn xz_even(data: &[u8], block: usize) -> Vec<u8> {
    xz_blocks(data, std::iter::repeat_n(block, data.len() / block))
}

pub fn gzip(data: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(data).unwrap();
    writer.finish().unwrap()
}

pub fn zst(data: &[u8]) -> Vec<u8> {
    zstd::encode_all(data, 1).unwrap()
}

pub const CONTROL: &str = "Package: linux-image-6.1.0-50-cloud-amd64-dbg\nSource: linux (6.1.176-1)\n\
    Version: 6.1.176-1\nArchitecture: amd64\nMaintainer: Somebody\nDescription: words\n more words\n";

/// A package with this control file and this data archive, packed already.
pub fn package(control: &str, data: &[u8]) -> Vec<u8> {
    let control = tar(&[member("./", b'5', b""), member("./control", b'0', control.as_bytes())]);
    ar(&[
        ("debian-binary", b"2.0\n"),
        ("control.tar", &xz_blocks(&control, [])),
        // The name lies about the compression on purpose: only the contents count.
        ("data.tar.bz2", data),
    ])
}

pub const PATH: &str = "usr/lib/debug/boot/vmlinux-6.1.0-50-cloud-amd64";

pub fn debug_tar() -> Vec<u8> {
    tar(&[
        member("./", b'5', b""),
        member("./usr/lib/debug/boot/System.map-6.1.0-50-cloud-amd64", b'0', &noise(2000, 7)),
        member("./vmlinux-link", b'2', b""),
        member("./usr/share/vmlinux-gdb.py", b'0', b"print()"),
        member(&format!("./{PATH}"), b'0', &vmlinux()),
        member(
            "./usr/lib/debug/lib/modules/6.1.0-50-cloud-amd64/kernel/fs/ext4/ext4.ko",
            b'0',
            &noise(4000, 8),
        ),
    ])
}

/// A member of a size that is not there: header only.
pub fn promise(path: &str, size: u64) -> Vec<u8> {
    let mut header = <[u8; 512]>::try_from(member(path, b'0', b"")).unwrap();
    header[124..136].copy_from_slice(&(1u128 << 95 | u128::from(size)).to_be_bytes()[4..]);
    seal(&mut header);
    header.to_vec()
}

/// The lines a config begins with.
pub const CONFIG: &str =
    "#\n# Linux/x86 6.1.176 Kernel Configuration\n#\nCONFIG_BPF=y\n# CONFIG_KCSAN is not set\n";

/// A control file with these fields replaced or added.
pub fn control(fields: &[(&str, &str)]) -> String {
    let mut text: String = CONTROL
        .lines()
        .filter(|line| !fields.iter().any(|(name, _)| line.starts_with(&format!("{name}:"))))
        .map(|line| format!("{line}\n"))
        .collect();
    for (name, value) in fields {
        text.insert_str(0, &format!("{name}: {value}\n"));
    }
    text
}
