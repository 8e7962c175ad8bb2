//! A small archive of Debian packages with a kernel in it, as files of a [`crate::server::Server`].

use std::collections::BTreeMap;
use std::fmt::Write;

use liblzma::stream::{Action, Check, Status, Stream};
use sha2::{Digest, Sha256};

use crate::package::{ar, member, tar};
use crate::server::File;

/// A package of an archive.
#[derive(Debug, Clone)]
pub struct Package {
    /// `linux-image-6.1.0-50-cloud-amd64-dbg`.
    pub name: String,
    /// `linux`: what it was built from.
    pub source: String,
    /// `6.1.176-1`.
    pub version: String,
    /// `amd64`.
    pub arch: String,
    /// The file.
    pub bytes: Vec<u8>,
}

/// A suite of an archive.
#[derive(Debug, Clone)]
pub struct Suite {
    /// `bookworm-security`.
    pub codename: String,
    /// `oldstable-security`.
    pub suite: String,
    /// What it has.
    pub packages: Vec<Package>,
}

impl Package {
    /// A package of these members of its tar archive, in xz blocks of `block` bytes.
    pub fn new(name: &str, version: &str, arch: &str, members: &[Vec<u8>], block: usize) -> Self {
        let control =
            format!("Package: {name}\nVersion: {version}\nArchitecture: {arch}\nMaintainer: Somebody\n");
        let control = xz(&tar(&[member("./control", b'0', control.as_bytes())]), usize::MAX);
        let data = xz(&tar(members), block);
        let bytes = ar(&[("debian-binary", b"2.0\n"), ("control.tar.xz", &control), ("data.tar.xz", &data)]);
        Package {
            name: name.into(),
            source: "linux".into(),
            version: version.into(),
            arch: arch.into(),
            bytes,
        }
    }

    /// A debug package: a vmlinux, and behind it modules that nobody reads, as Debian has them up to 6.12.
    pub fn debug(release: &str, version: &str, arch: &str, vmlinux: &[u8], modules: usize) -> Self {
        let members = [
            member(&format!("./usr/lib/debug/boot/vmlinux-{release}"), b'0', vmlinux),
            member(&format!("./usr/lib/debug/lib/modules/{release}/kernel/x.ko"), b'0', &noise(modules)),
        ];
        Package::new(&format!("linux-image-{release}-dbg"), version, arch, &members, 1 << 20)
    }

    /// The package of the image, with its configuration.
    pub fn image(release: &str, version: &str, arch: &str, config: &str) -> Self {
        let members = [
            member(&format!("./boot/config-{release}"), b'0', config.as_bytes()),
            member(&format!("./boot/vmlinuz-{release}"), b'0', &noise(100 << 10)),
        ];
        Package::new(&format!("linux-image-{release}"), version, arch, &members, usize::MAX)
    }

    /// Path below the archive.
    pub fn path(&self) -> String {
        format!("pool/main/l/linux/{}_{}_{}.deb", self.name, self.version, self.arch)
    }
}

/// All files of an archive below `base`, as `/debian`, without signatures: `Release` and `InRelease` are the same.
pub fn archive(base: &str, suites: &[Suite]) -> BTreeMap<String, File> {
    let mut files = BTreeMap::new();
    let mut put = |path: String, bytes: Vec<u8>| {
        files.insert(
            format!("{base}/{path}"),
            File { tag: Some(format!("\"{}\"", sum(&bytes))), ..File::new(bytes) },
        );
    };
    for suite in suites {
        let mut archs: Vec<&str> = suite.packages.iter().map(|package| package.arch.as_str()).collect();
        archs.sort_unstable();
        archs.dedup();
        let mut release = format!(
            "Origin: Test\nSuite: {}\nCodename: {}\nArchitectures: all {}\nComponents: main contrib\n\
             Acquire-By-Hash: yes\nSHA256:\n",
            suite.suite,
            suite.codename,
            archs.join(" ")
        );
        let mut names = vec![suite.codename.clone(), suite.suite.clone()];
        names.dedup();
        for arch in archs {
            let mut index =
                String::from("Package: bash\nVersion: 1\nArchitecture: amd64\nFilename: pool/bash.deb\n\n");
            for package in suite.packages.iter().filter(|package| package.arch == arch) {
                let Package { name, source, version, bytes, .. } = package;
                writeln!(
                    index,
                    "Package: {name}\nSource: {source}\nVersion: {version}\nArchitecture: {arch}\nFilename: {}\nSize: {}\nSHA256: {}\n",
                    package.path(),
                    bytes.len(),
                    sum(bytes)
                )
                .expect("strings take all");
            }
            let packed = xz(index.as_bytes(), usize::MAX);
            for (suffix, bytes) in [("", index.as_bytes()), (".xz", &packed)] {
                let path = format!("main/binary-{arch}/Packages{suffix}");
                writeln!(release, " {} {} {path}", sum(bytes), bytes.len()).expect("strings take all");
            }
            for name in &names {
                put(format!("dists/{name}/main/binary-{arch}/Packages.xz"), packed.clone());
            }
        }
        for name in &names {
            for file in ["InRelease", "Release"] {
                put(format!("dists/{name}/{file}"), release.clone().into_bytes());
            }
        }
        for package in &suite.packages {
            put(package.path(), package.bytes.clone());
        }
    }
    files
}

/// SHA-256 in hex.
pub fn sum(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes that do not compress.
pub fn noise(count: usize) -> Vec<u8> {
    let mut state = 1u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as u8
    };
    (0..count).map(|_| next()).collect()
}

/// xz data in blocks of this many bytes.
pub fn xz(data: &[u8], block: usize) -> Vec<u8> {
    let mut stream = Stream::new_easy_encoder(0, Check::Crc64).expect("there is memory for an encoder");
    let mut out = Vec::with_capacity(data.len() + (64 << 10));
    let mut push = |mut input: &[u8], action| {
        loop {
            let before = stream.total_in();
            let status = stream.process_vec(input, &mut out, action).expect("encoding does not fail");
            input = &input[(stream.total_in() - before) as usize..];
            if status == Status::StreamEnd {
                return;
            }
            out.reserve(64 << 10);
        }
    };
    let mut rest = data;
    while rest.len() > block {
        let (first, behind) = rest.split_at(block);
        push(first, Action::FullFlush);
        rest = behind;
    }
    push(rest, Action::Finish);
    out
}
