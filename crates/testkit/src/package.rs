//! Packages in memory: the `ar` archive of Debian's (deb(5)) and the tar archives in it, and RPM's with the cpio archive
//! in it, uncompressed. Compressing is up to the test, which knows which formats its readers should meet.

use crate::rpm::{Rpm, Value};

/// An `ar` archive of these names and contents.
pub fn ar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = b"!<arch>\n".to_vec();
    for (name, data) in members {
        let header = format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 100_644, data.len());
        archive.extend_from_slice(header.as_bytes());
        archive.extend_from_slice(data);
        if data.len() % 2 == 1 {
            archive.push(b'\n');
        }
    }
    archive
}

/// A tar archive of these [`member`]s.
pub fn tar(members: &[Vec<u8>]) -> Vec<u8> {
    let mut tar = members.concat();
    tar.resize(tar.len() + 1024, 0);
    tar
}

/// A member of a tar archive: its header and contents. `kind` is `b'0'` for a file and `b'5'` for a directory.
pub fn member(path: &str, kind: u8, data: &[u8]) -> Vec<u8> {
    let mut header = [0; 512];
    header[..path.len()].copy_from_slice(path.as_bytes());
    octal(&mut header[124..136], data.len() as u64);
    header[156] = kind;
    header[257..265].copy_from_slice(b"ustar  \0");
    seal(&mut header);
    let mut member = header.to_vec();
    member.extend_from_slice(data);
    member.resize(member.len().next_multiple_of(512), 0);
    member
}

/// Writes a number as tar headers have them.
fn octal(field: &mut [u8], value: u64) {
    let digits = field.len() - 1;
    field[..digits].copy_from_slice(format!("{value:0digits$o}").as_bytes());
}

/// Writes the checksum of a tar header.
pub fn seal(header: &mut [u8; 512]) {
    header[148..156].fill(b' ');
    let sum: u64 = header.iter().map(|byte| u64::from(*byte)).sum();
    octal(&mut header[148..155], sum);
    header[154] = 0;
}

/// An RPM package: lead, an empty signature, a header of these tags and strings, and the payload.
pub fn rpm(fields: &[(u32, &str)], payload: &[u8]) -> Vec<u8> {
    let fields = fields.iter().map(|(tag, text)| (*tag, Value::Text((*text).into()))).collect();
    Rpm { signature: Vec::new(), fields, payload: payload.to_vec() }.bytes()
}

/// A cpio archive of the "new ASCII" format with these files.
pub fn cpio(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (path, data) in files.iter().copied().chain([("TRAILER!!!", &[][..])]) {
        archive.extend_from_slice(b"070701");
        let size = data.len() as u32;
        for number in [0, 0o100_644, 0, 0, 1, 0, size, 0, 0, 0, 0, path.len() as u32 + 1, 0] {
            archive.extend_from_slice(format!("{number:08x}").as_bytes());
        }
        archive.extend(path.bytes().chain([0]));
        archive.resize(archive.len().next_multiple_of(4), 0);
        archive.extend_from_slice(data);
        archive.resize(archive.len().next_multiple_of(4), 0);
    }
    archive
}
