//! A directory with a kernel in it: an unpacked package, the place of a build, a root file system.

use std::fs;
use std::path::{Path, PathBuf};

use super::members::{is_config, is_other, is_vmlinux, split};
use super::{Bytes, Kernel, ModulePackage, Origin, elf, read_config, unwrap};
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
    let tree = Tree::of(directory)?;
    let place = directory.to_string_lossy();
    let found = tree.vmlinux.or(tree.other);
    let (_, path) = found.ok_or_else(|| Error::NoVmlinux { suggestion: None }.at(place.clone()))?;
    let file = super::file_name(directory);
    let member = |path: &str| Origin { file: file.clone(), package: None, member: Some(path.to_owned()) };
    let bytes = Bytes::map(&directory.join(&path))?;
    let mut kernel = unwrap(file.clone(), bytes, progress).map_err(|e| e.at(format!("{place}/{path}")))?;
    kernel.origin = member(&path);
    if let Some((_, path)) = tree.config {
        let mut config = read_config(&directory.join(&path))?;
        config.origin = member(&path);
        kernel.config = Some(config);
    }
    kernel.modules = vec![ModulePackage::in_directory(directory, tree.modules, kernel.origin.release())];
    Ok(kernel)
}

/// The files of modules in a directory, by their paths in it.
///
/// # Errors
/// When it cannot be read.
pub fn modules(directory: &Path) -> Result<Vec<String>> {
    Ok(Tree::of(directory)?.modules)
}

/// A file that was found, with how deep it is.
type Candidate = Option<(usize, String)>;

struct Tree<'a> {
    root: &'a Path,
    files: usize,
    vmlinux: Candidate,
    other: Candidate,
    config: Candidate,
    /// Everything with the name of a module.
    modules: Vec<String>,
}

impl<'a> Tree<'a> {
    fn of(root: &'a Path) -> Result<Self> {
        let mut tree = Self { root, files: 0, vmlinux: None, other: None, config: None, modules: Vec::new() };
        tree.walk(root, 0)?;
        Ok(tree)
    }

    /// Looks at everything in a directory, in the order of the names. Links are not followed.
    fn walk(&mut self, directory: &Path, depth: usize) -> Result<()> {
        let failed = |e| Error::io("cannot read", directory, e);
        let mut entries: Vec<(PathBuf, fs::FileType)> = Vec::new();
        for entry in fs::read_dir(directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            entries.push((entry.path(), entry.file_type().map_err(failed)?));
        }
        self.files += entries.len();
        if self.files > MOST_FILES {
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
        let place = if is_vmlinux(&relative) && begins_as_elf(path) {
            &mut self.vmlinux
        } else if is_other(&relative) || is_vmlinux(&relative) {
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

fn begins_as_elf(path: &Path) -> bool {
    use std::io::Read as _;
    let mut magic = [0; 4];
    fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok() && magic == *elf::MAGIC
}
