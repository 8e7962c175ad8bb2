//! Files that a build leaves beside a vmlinux, with debug information that the linker did not take: `.dwo`, one for each
//! object, and `.dwp`, all of them together (split DWARF, `CONFIG_DEBUG_INFO_SPLIT`).
//!
//! The debug information names them by paths of the machine that built the kernel. Whether a file is the one that is
//! meant, its id tells; here is only looked where it may be. Nothing is opened that is no regular file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Bytes;

/// The largest `.dwo` file that is opened.
const LARGEST: u64 = 1 << 30;
/// As many files are mapped at a time. A process may have twice as many mappings (`vm.max_map_count`), and needs some itself.
const MOST_OPEN: usize = 1 << 15;

/// Where a vmlinux is on this machine.
#[derive(Debug)]
pub struct BuildPlace {
    vmlinux: PathBuf,
    open: Arc<AtomicUsize>,
}

/// A file that was found, mapped.
#[derive(Debug)]
pub struct BesideFile {
    /// Its contents.
    pub bytes: Bytes,
    open: Arc<AtomicUsize>,
}

impl Drop for BesideFile {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl BuildPlace {
    /// The place of a vmlinux that is a plain file.
    pub(super) fn new(vmlinux: PathBuf) -> Self {
        Self { vmlinux, open: Arc::default() }
    }

    /// Where a file may be that debug information names by a path relative to a directory: below the directory of the
    /// vmlinux, since trees are moved, and where the build wrote it.
    #[must_use]
    pub fn paths(&self, directory: &str, name: &str) -> Vec<PathBuf> {
        let root = self.vmlinux.parent().unwrap_or(Path::new(""));
        let name = Path::new(name);
        let inside = if name.is_absolute() { name.strip_prefix(directory).ok() } else { Some(name) };
        // A directory may be relative itself, to that of the vmlinux, where a build leaves its own paths out.
        let written = root.join(directory).join(name);
        let mut paths: Vec<PathBuf> = inside.map(|inside| root.join(inside)).into_iter().collect();
        if !paths.contains(&written) {
            paths.push(written);
        }
        paths
    }

    /// The package of all `.dwo` files; `None` where there is none.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn package(&self) -> Option<Result<BesideFile, String>> {
        let mut path = self.vmlinux.clone().into_os_string();
        path.push(".dwp");
        self.map(Path::new(&path), u64::MAX)
    }

    /// Opens a file; `None` where there is none.
    ///
    /// # Errors
    /// Why it cannot be read, without its path, which is of this machine alone.
    pub fn open(&self, path: &Path) -> Option<Result<BesideFile, String>> {
        self.map(path, LARGEST)
    }

    fn map(&self, path: &Path, largest: u64) -> Option<Result<BesideFile, String>> {
        // Before it is opened: that waits for ever where a pipe has no writer, and so does a file of the kernel without a size.
        let meta = match fs::metadata(path) {
            Ok(meta) => meta,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return None;
            }
            Err(error) => return Some(Err(error.kind().to_string())),
        };
        let refused = match meta.len() {
            _ if !meta.is_file() => Some("it is no regular file".to_owned()),
            0 => Some("it is empty".to_owned()),
            length if length > largest => {
                Some(format!("it has {length} bytes, of which at most {largest} are read"))
            }
            _ => None,
        };
        if let Some(why) = refused {
            return Some(Err(why));
        }
        if self.open.fetch_add(1, Ordering::Relaxed) >= MOST_OPEN {
            self.open.fetch_sub(1, Ordering::Relaxed);
            return Some(Err(format!("more than {MOST_OPEN} files are open")));
        }
        let bytes = Bytes::map(path);
        // Counted also where it fails: this is taken back when it is dropped.
        let beside = |bytes| BesideFile { bytes, open: Arc::clone(&self.open) };
        Some(bytes.map(beside).map_err(|_| {
            self.open.fetch_sub(1, Ordering::Relaxed);
            "it cannot be opened".to_owned()
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(vmlinux: &str) -> BuildPlace {
        BuildPlace::new(vmlinux.into())
    }

    #[test]
    fn files_are_looked_for_below_the_vmlinux_and_where_they_were_written() {
        let paths = |vmlinux: &str, directory, name| {
            let paths = place(vmlinux).paths(directory, name);
            paths.iter().map(|path| path.to_string_lossy().into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(paths("/b/vmlinux", "/b", "fs/open.dwo"), ["/b/fs/open.dwo"]);
        assert_eq!(paths("/m/vmlinux", "/b", "fs/open.dwo"), ["/m/fs/open.dwo", "/b/fs/open.dwo"]);
        assert_eq!(paths("/m/vmlinux", "/b", "/b/fs/open.dwo"), ["/m/fs/open.dwo", "/b/fs/open.dwo"]);
        assert_eq!(paths("/m/vmlinux", "/b", "/o/open.dwo"), ["/o/open.dwo"]);
        assert_eq!(paths("vmlinux", "", "fs/open.dwo"), ["fs/open.dwo"]);
        assert_eq!(paths("vmlinux", "/b", "fs/open.dwo"), ["fs/open.dwo", "/b/fs/open.dwo"]);
        assert_eq!(paths("/m/vmlinux", "out", "a.dwo"), ["/m/a.dwo", "/m/out/a.dwo"]);
    }

    #[test]
    fn only_regular_files_with_contents_are_opened() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::write(at("a.dwo"), b"contents").unwrap();
        fs::write(at("empty.dwo"), b"").unwrap();
        let place = BuildPlace::new(at("vmlinux"));
        assert!(place.open(&at("none.dwo")).is_none());
        assert!(place.open(&at("a.dwo/b.dwo")).is_none());
        assert_eq!(place.open(directory.path()).unwrap().unwrap_err(), "it is no regular file");
        assert_eq!(place.open(&at("empty.dwo")).unwrap().unwrap_err(), "it is empty");
        let open = place.open(&at("a.dwo")).unwrap().unwrap();
        assert_eq!(&*open.bytes, b"contents");
        assert_eq!(place.open.load(Ordering::Relaxed), 1);
        drop(open);
        assert_eq!(place.open.load(Ordering::Relaxed), 0);
        assert!(place.map(&at("a.dwo"), 7).unwrap().unwrap_err().contains("8 bytes"));
        assert!(place.package().is_none());
        fs::write(at("vmlinux.dwp"), b"package").unwrap();
        assert_eq!(&*place.package().unwrap().unwrap().bytes, b"package");
    }

    #[test]
    #[cfg(unix)]
    fn pipes_and_devices_are_not_opened() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("a.dwo");
        std::os::unix::fs::symlink("/dev/zero", &link).unwrap();
        let place = BuildPlace::new(directory.path().join("vmlinux"));
        assert_eq!(place.open(&link).unwrap().unwrap_err(), "it is no regular file");
    }

    #[test]
    fn so_many_files_are_open_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.dwo");
        fs::write(&path, b"contents").unwrap();
        let place = BuildPlace::new(directory.path().join("vmlinux"));
        place.open.store(MOST_OPEN - 1, Ordering::Relaxed);
        let last = place.open(&path).unwrap().unwrap();
        assert!(place.open(&path).unwrap().unwrap_err().contains("files are open"));
        drop(last);
        assert!(place.open(&path).unwrap().is_ok());
    }
}
