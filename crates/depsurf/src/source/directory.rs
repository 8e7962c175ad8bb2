//! A directory with a kernel in it: an unpacked package, the place of a build, a root file system.

use std::fs;
use std::path::{Path, PathBuf};

use super::members::{is_carrier, is_config, is_image, is_other, is_vmlinux, split, without_ending};
use super::{BuildPlace, Bytes, Kernel, ModulePackage, Origin, codec, compressed, elf, read_config, unwrap};
use crate::error::{Error, Result};
use crate::progress::Progress;

/// How many directories deep a kernel and its modules are looked for; those of debug packages are up to 13 deep.
const DEEPEST: usize = 24;
/// More files than a kernel's sources and modules have together.
const MOST_FILES: usize = 1 << 20;

/// Opens the kernel in a directory: the vmlinux that is the least deep, else such a bootable image. A build leaves
/// others deeper, among them the vmlinux of its decompressor.
///
/// # Errors
/// When there is none, or it cannot be read.
pub fn open(directory: &Path, progress: &dyn Progress) -> Result<Kernel> {
    progress.step("find vmlinux", None);
    let mut tree = Tree::of(directory)?;
    let place = directory.to_string_lossy();
    let config = tree.config.take();
    let other = tree.other.take();
    let files = tree.files();
    // A half with debug information is completed by the other, whichever is read first.
    let found = files.vmlinux.first().cloned().or_else(|| Some(other?.1));
    let path = found.ok_or_else(|| Error::NoVmlinux { suggestion: None }.at(place.clone()))?;
    let file = super::file_name(directory);
    let member = |path: &str| Origin { file: file.clone(), package: None, member: Some(path.to_owned()) };
    let bytes = Bytes::map(&directory.join(&path))?;
    let mut kernel = unwrap(file.clone(), bytes, progress).map_err(|e| e.at(format!("{place}/{path}")))?;
    kernel.origin = member(&path);
    if let Some((_, path)) = config {
        let mut config = read_config(&directory.join(&path))?;
        config.origin = member(&path);
        kernel.config = Some(config);
    }
    kernel.place = Some(BuildPlace::new(directory.join(&path)));
    kernel.modules = vec![ModulePackage::in_directory(directory, files, kernel.origin.release())];
    Ok(kernel)
}

/// The files of a directory that may be of use besides its kernel.
///
/// # Errors
/// When it cannot be read.
pub fn files(directory: &Path) -> Result<Files> {
    Ok(Tree::of(directory)?.files())
}

/// Files by their paths in a directory.
pub struct Files {
    /// Everything with the name of a module.
    pub modules: Vec<String>,
    /// Everything with the name of a vmlinux, the least deep first.
    pub vmlinux: Vec<String>,
}

/// A file that was found, with how deep it is.
type Candidate = Option<(usize, String)>;

struct Tree<'a> {
    root: &'a Path,
    count: usize,
    /// ELF files and compressed ones, with how deep they are.
    vmlinux: Vec<(usize, String)>,
    other: Candidate,
    config: Candidate,
    /// Everything with the name of a module.
    modules: Vec<String>,
}

impl<'a> Tree<'a> {
    fn of(root: &'a Path) -> Result<Self> {
        let (vmlinux, modules) = (Vec::new(), Vec::new());
        let mut tree = Self { root, count: 0, vmlinux, other: None, config: None, modules };
        tree.walk(root, 0)?;
        Ok(tree)
    }

    fn files(mut self) -> Files {
        // Of one depth a file as it is before one that is compressed, as distributions have beside each other.
        self.vmlinux.sort_by_key(|(depth, path)| (*depth, without_ending(path) != path));
        let vmlinux = self.vmlinux.into_iter().map(|(_, path)| path).collect();
        Files { modules: self.modules, vmlinux }
    }

    /// Looks at everything in a directory, in the order of the names. Links are not followed.
    fn walk(&mut self, directory: &Path, depth: usize) -> Result<()> {
        let failed = |e| Error::io("cannot read", directory, e);
        let mut entries: Vec<(PathBuf, fs::FileType)> = Vec::new();
        for entry in fs::read_dir(directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            entries.push((entry.path(), entry.file_type().map_err(failed)?));
        }
        self.count += entries.len();
        if self.count > MOST_FILES {
            return Err(Error::Limit {
                what: format!("number of files in `{}`", self.root.display()),
                limit: MOST_FILES.to_string(),
            });
        }
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        for (path, kind) in entries {
            if kind.is_dir() {
                if depth < DEEPEST {
                    self.walk(&path, depth + 1)?;
                }
            } else if kind.is_file() {
                self.file(&path, depth);
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, depth: usize) {
        let Ok(relative) = path.strip_prefix(self.root) else { return };
        let relative = relative.to_string_lossy().into_owned();
        if split(&relative).1.contains(".ko") {
            self.modules.push(relative);
            return;
        }
        let head = if is_vmlinux(&relative) { head(path) } else { Vec::new() };
        if head.starts_with(elf::MAGIC)
            || compressed::is_compressed(&head) && without_ending(&relative) != relative
        {
            self.vmlinux.push((depth, relative));
            return;
        }
        // Boot loaders have such names, too.
        let has_kernel = || Bytes::map(path).is_ok_and(|bytes| is_image(&bytes));
        let place = if is_other(&relative) || is_vmlinux(&relative) || is_carrier(&relative) && has_kernel() {
            &mut self.other
        } else if is_config(&relative) || split(&relative).1 == ".config" {
            &mut self.config
        } else {
            return;
        };
        if place.as_ref().is_none_or(|(other, _)| depth < *other) {
            *place = Some((depth, relative));
        }
    }
}

/// The first bytes of a file; none where it cannot be read.
fn head(path: &Path) -> Vec<u8> {
    use std::io::Read as _;
    let mut head = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(codec::HEAD as u64).read_to_end(&mut head));
    if read.is_err() {
        head.clear();
    }
    head
}
