//! Goes past the modules of a package without decoding them.
//!
//! In Debian since 7.2, and in packages made by the kernel's own rules, the vmlinux comes behind the modules
//! in its directory, which are three quarters of the package. A walk has to decode all of them, for
//! the tar headers between them. But packages are sorted by path, and a tar header is recognized by its
//! checksum wherever decoding begins, so the end of the modules can be found by bisection over blocks.

use super::archive::{Archive, Blocks};
use super::members::Files as _;
use super::tar::{self, Member, Tar};
use crate::error::Result;

/// How much of a block to decode in search of a tar header. Most modules are smaller; when a larger one is
/// taken for the vmlinux the search ends in front of it and begins again behind it.
const FAR: u64 = 8 << 20;
const STEP: usize = 64 << 10;
/// How often to search in one package: once, and again behind every large module that was misjudged.
const MOST_SEARCHES: u32 = 16;

/// The directory of a kernel's modules, if `path` is one of them.
///
/// Only these are worth jumping over: a config in the same directory comes before `kernel/`.
#[must_use]
pub fn modules(path: &str) -> Option<&str> {
    const PARENT: &str = "lib/modules/";
    let parent = path.find(PARENT)? + PARENT.len();
    let directory = parent + path[parent..].find('/')? + 1;
    path[directory..].starts_with("kernel/").then_some(&path[..directory])
}

/// Whether `path` is in the directory, and sorts before a `vmlinux` there.
fn precedes(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory).is_some_and(|name| name < "vmlinux")
}

/// The searches of one walk.
#[derive(Default)]
pub struct Search {
    /// Where the walk was before it moved for the first time.
    origin: Option<u64>,
    /// Index of the block where the last search ended.
    landed: Option<usize>,
    searches: u32,
}

impl Search {
    /// Where the walk was before it moved for the first time, if it did. A vmlinux that is not found
    /// behind the modules can still be between this and them, when the package is not sorted.
    #[must_use]
    pub fn origin(&self) -> Option<u64> {
        self.origin
    }

    /// Moves a walk that is at the module `path` closer to where a `vmlinux` would be, trusting that the paths
    /// are sorted. Returns whether it moved.
    ///
    /// # Errors
    /// When a block is damaged.
    pub fn ahead(&mut self, files: &mut Tar<'_>, path: &str) -> Result<bool> {
        let Some(directory) = modules(path) else { return Ok(false) };
        let origin = files.position();
        let Archive::Blocks(blocks) = files.archive() else { return Ok(false) };
        let (here, count) = (blocks.index(origin), blocks.blocks().len());
        // The vmlinux should begin in the block where a search ended.
        if self.landed.is_some_and(|landed| here <= landed) || self.searches == MOST_SEARCHES {
            return Ok(false);
        }
        self.searches += 1;
        let (mut before, mut behind) = (here, count);
        let mut nearest = None;
        while behind - before > 1 {
            let middle = before + (behind - before) / 2;
            match first_member(files, middle)? {
                Some((position, member)) if precedes(&member.path, directory) => {
                    before = middle;
                    nearest = Some(position);
                }
                _ => behind = middle,
            }
        }
        self.landed = Some(before);
        files.jump(nearest.unwrap_or(origin));
        if nearest.is_some() {
            self.origin.get_or_insert(origin);
        }
        Ok(nearest.is_some())
    }
}

/// The first member whose header is in a block, and where that is.
fn first_member(files: &mut Tar<'_>, index: usize) -> Result<Option<(u64, Member)>> {
    let Archive::Blocks(blocks) = files.archive() else { return Ok(None) };
    let Some(position) = first_header(blocks, index)? else { return Ok(None) };
    files.jump(position);
    // A header that was none after all leads nowhere: as if there was none.
    Ok(files.next().ok().flatten().map(|member| (position, member)))
}

/// Where the first tar header of a block is.
fn first_header(blocks: &mut Blocks<'_>, index: usize) -> Result<Option<u64>> {
    let Some(block) = blocks.blocks().get(index) else { return Ok(None) };
    let end = block.end().min(block.offset.saturating_add(FAR));
    let mut at = block.offset.next_multiple_of(tar::BLOCK as u64);
    let mut bytes = vec![0; STEP];
    while at < end {
        blocks.seek(at);
        let length = blocks.read(&mut bytes)? / tar::BLOCK * tar::BLOCK;
        if length == 0 {
            break;
        }
        if let Some(header) = bytes[..length].chunks_exact(tar::BLOCK).position(tar::is_header) {
            return Ok(Some(at + (header * tar::BLOCK) as u64));
        }
        at += length as u64;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{CONTROL, member, noise, package, tar, vmlinux, xz_blocks, xz_even};
    use super::super::open_bytes;
    use super::*;
    use crate::progress::Silent;

    const DIRECTORY: &str = "usr/lib/debug/lib/modules/7.2.12+deb14-cloud-amd64/";

    fn module(number: usize) -> Vec<u8> {
        member(
            &format!("./{DIRECTORY}kernel/fs/{number:03}.ko"),
            b'0',
            &noise(3000 + 97 * number, number as u32),
        )
    }

    fn files(name: &str) -> Vec<Vec<u8>> {
        let mut files = vec![member(&format!("./{DIRECTORY}System.map"), b'0', &noise(500, 1))];
        files.extend((0..50).map(module));
        files.push(member(&format!("./{DIRECTORY}{name}"), b'0', &vmlinux()));
        files.push(member("./usr/share/doc/linux/copyright", b'0', b"GPL-2"));
        files
    }

    fn opens(files: &[Vec<u8>]) -> bool {
        let bytes = package(CONTROL, &xz_even(&tar(files), 1000));
        match open_bytes("x.deb", &bytes, &Silent) {
            Ok(kernel) => {
                assert_eq!(kernel.vmlinux.get(64..3064).unwrap(), &vmlinux()[64..3064]);
                true
            }
            Err(e) => {
                assert_eq!(e.to_string(), "x.deb: no vmlinux in the package");
                false
            }
        }
    }

    #[test]
    fn only_modules_are_jumped_over() {
        assert_eq!(
            modules("usr/lib/debug/lib/modules/6.1/kernel/a.ko"),
            Some("usr/lib/debug/lib/modules/6.1/")
        );
        assert_eq!(modules("lib/modules/6.1/kernel/a.ko"), Some("lib/modules/6.1/"));
        for path in ["lib/modules/6.1/config", "lib/modules/6.1", "lib/modules/", "boot/vmlinuz", ""] {
            assert_eq!(modules(path), None, "{path}");
        }
    }

    #[test]
    fn jumps_to_the_last_block_of_modules() {
        let data = xz_even(&tar(&files("vmlinux")), 1000);
        let mut files = Tar::new(Archive::new(&data).unwrap());
        let mut search = Search::default();
        let member = files.next().unwrap().unwrap();
        assert!(!search.ahead(&mut files, &member.path).unwrap());
        let member = files.next().unwrap().unwrap();
        let origin = files.position();
        assert!(search.ahead(&mut files, &member.path).unwrap());
        assert_eq!(search.origin(), Some(origin));
        let member = files.next().unwrap().unwrap();
        assert!(member.path.ends_with("049.ko"), "{}", member.path);
        // Its data goes on in the next block, so there may be more; but there is not, and the walk must go
        // on where it was.
        let end = files.position();
        assert!(!search.ahead(&mut files, &member.path).unwrap());
        assert_eq!(files.position(), end);
        assert!(files.next().unwrap().unwrap().path.ends_with("vmlinux"));
    }

    #[test]
    fn behind_a_module_without_headers_in_reach_the_search_begins_again() {
        let mut files = files("vmlinux");
        let name = format!("./{DIRECTORY}kernel/fs/024.ko");
        files[25] = member(&name, b'0', &vec![0; 3 * FAR as usize]);
        // Few small blocks in front of and many behind it, so that the first middle is in the module.
        let front = files[..25].concat().len();
        let behind = files[26..].concat().len();
        let sizes = [front].into_iter().chain([FAR as usize / 8; 24]).chain(vec![4000; behind / 4000]);
        let data = xz_blocks(&tar(&files), sizes);
        let mut files = Tar::new(Archive::new(&data).unwrap());
        let mut search = Search::default();
        let (mut walked, mut moved) = (0, 0);
        loop {
            let member = files.next().unwrap().unwrap();
            walked += 1;
            moved += u32::from(search.ahead(&mut files, &member.path).unwrap());
            if member.path.ends_with("vmlinux") {
                break;
            }
        }
        assert!(search.searches > 1 && moved == 1 && walked < 40, "{} {moved} {walked}", search.searches);
    }

    #[test]
    fn a_vmlinux_behind_the_modules_is_found() {
        assert!(opens(&files("vmlinux")));
        assert!(!opens(&files("System.map")));
    }

    #[test]
    fn a_vmlinux_in_an_unsorted_package_is_found() {
        for at in [0, 5, 20, 40, 51] {
            let mut files = files("zImage");
            files.insert(at, member(&format!("./{DIRECTORY}vmlinux"), b'0', &vmlinux()));
            assert!(opens(&files), "{at}");
        }
    }

    #[test]
    fn headers_inside_of_files_lead_nowhere() {
        // A module that consists of a tar archive, with a path that sorts behind everything.
        let mut files = files("vmlinux");
        let nested = tar(&[member("zzz", b'0', &noise(5000, 9)), member(DIRECTORY, b'0', b"")]);
        files[30] = member(&format!("./{DIRECTORY}kernel/fs/029.ko"), b'0', &nested.repeat(4));
        assert!(opens(&files));
    }
}
