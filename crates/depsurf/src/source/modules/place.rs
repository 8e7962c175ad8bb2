//! Where modules are: a package, an archive, a directory.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::archive::Archive;
use super::super::deb::Deb;
use super::super::input::Input;
use super::super::members::Files;
use super::super::rpm::{self, Rpm};
use super::super::tar::{self, Tar};
use super::super::{Bytes, Ranges, ar, directory};
use super::{Choice, LARGEST, Packed, module_path};
use crate::error::{Error, Result};

/// A package that may still be on its way; see [`super::super::fetched`].
pub trait Arriving: Ranges + Send + Sync {
    /// All bytes; which of them may be read, [`Ranges`] tells.
    fn bytes(&self) -> &[u8];
}

/// Something that may have modules. It is not looked into before they are asked for.
pub struct ModulePackage {
    contents: Contents,
    /// The directories below `lib/modules/` that are of this kernel; all of them where that is not known.
    release: Option<String>,
}

enum Contents {
    Package(Bytes),
    Arriving(Arc<dyn Arriving>),
    Directory(Directory),
}

/// What of a directory may be of use.
struct Directory {
    /// Files by path of the module, each of which may be a half.
    modules: BTreeMap<String, Vec<PathBuf>>,
    /// Files with the name of a vmlinux, the least deep first.
    vmlinux: Vec<PathBuf>,
}

/// What a place has besides modules.
pub enum Place<'a> {
    /// The members of a package or an archive.
    Files(Box<dyn Files<'a> + 'a>),
    /// A file that is neither.
    File(&'a Bytes),
    /// Files with the name of a vmlinux, the least deep first.
    Directory(&'a [PathBuf]),
    /// Nothing that can be looked into.
    Nothing,
}

impl fmt::Debug for ModulePackage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModulePackage").field("release", &self.release).finish_non_exhaustive()
    }
}

impl ModulePackage {
    /// A package or an archive.
    pub(in super::super) fn new(bytes: Bytes, release: Option<&str>) -> Self {
        Self { contents: Contents::Package(bytes), release: release.map(str::to_owned) }
    }

    /// A package that may still be on its way.
    #[must_use]
    pub fn arriving(package: Arc<dyn Arriving>) -> Self {
        Self { contents: Contents::Arriving(package), release: None }
    }

    /// Files in a directory, by their paths in it.
    pub(in super::super) fn in_directory(
        root: &Path,
        files: directory::Files,
        release: Option<&str>,
    ) -> Self {
        let mut modules: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
        for path in files.modules {
            let Some(place) = module_path(&path, true) else { continue };
            if release.is_none() || place.release.is_none() || place.release == release {
                modules.entry(place.path).or_default().push(root.join(path));
            }
        }
        let vmlinux = files.vmlinux.into_iter().map(|path| root.join(path)).collect();
        Self { contents: Contents::Directory(Directory { modules, vmlinux }), release: None }
    }

    /// Opens what somebody named: a package, an archive or a directory.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(path: &Path) -> Result<Self> {
        if path.is_dir() {
            return Ok(Self::in_directory(path, directory::files(path)?, None));
        }
        Ok(Self::new(Bytes::map(path)?, None))
    }

    /// What is in it besides modules.
    ///
    /// # Errors
    /// When the package is damaged.
    pub(in super::super) fn place(&self) -> Result<Place<'_>> {
        let (input, bytes) = match &self.contents {
            Contents::Directory(directory) => return Ok(Place::Directory(&directory.vmlinux)),
            Contents::Arriving(package) => (Input::fetched(package.bytes(), &**package), None),
            Contents::Package(bytes) => (Input::from(&**bytes), Some(bytes)),
        };
        Ok(match (members(input)?, bytes) {
            (Some(Members { files, .. }), _) => Place::Files(files),
            (None, Some(bytes)) => Place::File(bytes),
            // Only packages are read while they arrive.
            (None, None) => Place::Nothing,
        })
    }

    /// The modules that are chosen, in the order of the package.
    ///
    /// # Errors
    /// When the package is damaged.
    pub(super) fn walk<'a>(&'a self, choice: &'a Choice) -> Result<Walk<'a>> {
        let input = match &self.contents {
            Contents::Directory(directory) => {
                return Ok(Walk::Directory { files: directory.modules.iter(), choice });
            }
            Contents::Package(bytes) => Input::from(&**bytes),
            Contents::Arriving(package) => Input::fetched(package.bytes(), &**package),
        };
        let mut twice = HashSet::new();
        let Some(Members { mut files, again }) = members(input)? else {
            return Ok(Walk::Directory { files: NOTHING.iter(), choice });
        };
        if let Some(mut tar) = again {
            // A package has modules once. An archive of a whole system has them with code and with debug information.
            let mut seen = HashSet::new();
            while let Some(member) = tar.next()? {
                if let Some(path) = self.path(&member.path, choice).filter(|_| member.regular)
                    && let Some(again) = seen.replace(path)
                {
                    twice.insert(again);
                }
            }
        }
        files.archive().read_ahead(2 * rayon::current_num_threads());
        Ok(Walk::Package { package: self, files, choice, twice })
    }

    /// The path of a module that is chosen and is of this kernel.
    fn path(&self, path: &str, choice: &Choice) -> Option<String> {
        let place = module_path(path, false)?;
        let is_ours = self.release.is_none() || place.release == self.release.as_deref();
        (is_ours && choice.takes(&place.path)).then_some(place.path)
    }
}

/// The members of a package or an archive.
struct Members<'a> {
    files: Box<dyn Files<'a> + 'a>,
    /// Once more, of an archive that is no package.
    again: Option<Tar<'a>>,
}

/// Opens a package or an archive; `None` where the bytes are neither.
fn members(input: Input<'_>) -> Result<Option<Members<'_>>> {
    let files: Box<dyn Files<'_> + '_> = if input.starts_with(ar::MAGIC)? {
        Box::new(Deb::parse(input)?.files()?)
    } else if input.starts_with(rpm::MAGIC)? {
        Box::new(Rpm::parse(input)?.files()?)
    } else if tar::begins(&mut Archive::new(input)?)? {
        let again = Some(Tar::new(Archive::new(input)?));
        return Ok(Some(Members { files: Box::new(Tar::new(Archive::new(input)?)), again }));
    } else {
        return Ok(None);
    };
    Ok(Some(Members { files, again: None }))
}

/// What something without modules has.
static NOTHING: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();

/// A walk over the modules of one place.
pub(super) enum Walk<'a> {
    Package {
        package: &'a ModulePackage,
        files: Box<dyn Files<'a> + 'a>,
        choice: &'a Choice,
        /// Paths that come again, with the other half of the module.
        twice: HashSet<String>,
    },
    Directory {
        files: std::collections::btree_map::Iter<'a, String, Vec<PathBuf>>,
        choice: &'a Choice,
    },
}

/// What a walk met.
pub(super) struct Met {
    /// A module.
    pub packed: Packed,
    /// Whether the same module comes again in this place.
    pub comes_again: bool,
}

impl Walk<'_> {
    /// The next module; `None` at the end.
    pub fn next(&mut self) -> Result<Option<Met>> {
        match self {
            Self::Package { package, files, choice, twice } => {
                while let Some(member) = files.next()? {
                    let Some(path) = package.path(&member.path, choice).filter(|_| member.regular) else {
                        continue;
                    };
                    let comes_again = twice.remove(&path);
                    let bytes = files.data(member.size, LARGEST, "module")?;
                    return Ok(Some(Met { packed: Packed { path, files: vec![bytes] }, comes_again }));
                }
                Ok(None)
            }
            Self::Directory { files, choice } => {
                let Some((path, places)) = files.find(|(path, _)| choice.takes(path)) else {
                    return Ok(None);
                };
                let files = places.iter().map(|place| read(place)).collect::<Result<_>>()?;
                Ok(Some(Met { packed: Packed { path: path.clone(), files }, comes_again: false }))
            }
        }
    }
}

/// The contents of a file.
fn read(path: &Path) -> Result<Vec<u8>> {
    let bytes = Bytes::map(path)?;
    if bytes.len() as u64 > LARGEST {
        let limit = format!("{} GiB", LARGEST >> 30);
        return Err(Error::Limit { what: format!("module `{}`", path.display()), limit });
    }
    Ok(bytes.to_vec())
}
