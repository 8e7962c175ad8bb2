//! The modules of a kernel, out of the package that has them.
//!
//! A generic kernel has four thousand of them, with five gigabytes of debug information, so they come in batches: as
//! many as fit a bound on memory, decoded by all threads, in the order of the package.

use globset::GlobMatcher;
use rayon::prelude::*;

use super::Bytes;
use super::archive::{Archive, ZSTD};
use super::deb::Deb;
use super::members::Files as _;
use super::tar::Tar;
use super::{ar, archive, xz};
use crate::error::{Error, Result};

/// The largest module that is read; the largest real one has 0.4 GiB.
const LARGEST: u64 = 2 << 30;
/// Bytes of modules in one batch, unless one alone has more.
const BATCH: u64 = 96 << 20;
/// Modules in one batch.
const MOST_IN_BATCH: usize = 512;

/// Which modules of a kernel are read.
#[derive(Debug, Clone, Default)]
pub enum Choice {
    /// None of them.
    #[default]
    None,
    /// All of them.
    All,
    /// Those whose name, or whose path below `lib/modules/RELEASE/`, matches a pattern.
    Matching(Box<GlobMatcher>),
}

impl Choice {
    /// Reads `all`, `none`, or a pattern like `ext4` or `kernel/fs/*`.
    ///
    /// # Errors
    /// When the pattern is none.
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "all" => Ok(Self::All),
            "none" => Ok(Self::None),
            pattern => {
                let glob = globset::Glob::new(pattern).map_err(|error| Error::Usage {
                    what: format!("`{pattern}` is no pattern of modules: {}", error.kind()),
                    help: Some("say all, none, a name like ext4, or a pattern like 'kernel/fs/*'".into()),
                })?;
                Ok(Self::Matching(Box::new(glob.compile_matcher())))
            }
        }
    }

    /// Whether any module is read.
    #[must_use]
    pub fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    fn takes(&self, path: &str) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Matching(pattern) => pattern.is_match(path) || pattern.is_match(name_of(path)),
        }
    }
}

/// A module's file.
#[derive(Debug)]
pub struct ModuleFile {
    /// Path below `lib/modules/RELEASE/`, without the ending of a compression: `kernel/fs/ext4/ext4.ko`.
    pub path: String,
    /// The object file.
    pub bytes: Vec<u8>,
}

impl ModuleFile {
    /// The module's name by its file: `-` and `_` are the same, and kernels write `_`.
    #[must_use]
    pub fn name(&self) -> String {
        name_of(&self.path)
    }
}

/// The name of a module by the path of its file.
fn name_of(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.strip_suffix(".ko").unwrap_or(file).replace('-', "_")
}

/// Something that has modules.
#[derive(Debug)]
pub struct ModulePackage {
    bytes: Bytes,
}

impl ModulePackage {
    /// A package, which is not looked into yet.
    pub(super) fn new(bytes: Bytes) -> Self {
        Self { bytes }
    }

    /// The modules that are chosen, in batches.
    ///
    /// # Errors
    /// When the package is damaged.
    pub fn batches<'a>(&'a self, choice: &'a Choice) -> Result<Batches<'a>> {
        let mut files = if self.bytes.starts_with(ar::MAGIC) {
            Deb::parse(&*self.bytes)?.files()?
        } else {
            Tar::new(Archive::new(&*self.bytes)?)
        };
        files.archive().read_ahead(2 * rayon::current_num_threads());
        Ok(Batches { files, choice, next: None })
    }
}

/// A walk over the modules of a package.
pub struct Batches<'a> {
    files: Tar<'a>,
    choice: &'a Choice,
    /// A module that was read and did not fit into the batch before.
    next: Option<Packed>,
}

/// A module's file as the package has it, which may be compressed once more.
struct Packed {
    path: String,
    bytes: Vec<u8>,
}

impl Batches<'_> {
    /// The next modules, in the order of the package; none at the end.
    ///
    /// # Errors
    /// When the package or the compression of a module is damaged, or a module is too large.
    pub fn next_batch(&mut self) -> Result<Vec<ModuleFile>> {
        let mut batch: Vec<Packed> = self.next.take().into_iter().collect();
        let mut size: u64 = batch.iter().map(|packed| packed.bytes.len() as u64).sum();
        while size < BATCH && batch.len() < MOST_IN_BATCH {
            let Some(member) = self.files.next()? else { break };
            let Some(path) = module_path(&member.path).filter(|_| member.regular) else { continue };
            if !self.choice.takes(path) {
                continue;
            }
            let path = path.to_owned();
            let bytes = self.files.data(member.size, LARGEST, "module")?;
            size += member.size;
            batch.push(Packed { path, bytes });
            // A large one is better alone than together with as much again.
            if size > BATCH && batch.len() > 1 {
                self.next = batch.pop();
                break;
            }
        }
        batch.into_par_iter().map(Packed::unpack).collect()
    }
}

impl Packed {
    fn unpack(self) -> Result<ModuleFile> {
        let Self { path, bytes } = self;
        if ![xz::MAGIC, ZSTD, archive::GZIP].iter().any(|magic| bytes.starts_with(magic)) {
            return Ok(ModuleFile { path, bytes });
        }
        let mut stream = Archive::stream(&bytes)?;
        let mut contents = Vec::new();
        const STEP: usize = 1 << 20;
        loop {
            let start = contents.len();
            if start as u64 > LARGEST {
                let limit = format!("{} GiB", LARGEST >> 30);
                return Err(Error::Limit { what: format!("module `{path}`"), limit });
            }
            contents.resize(start + STEP, 0);
            let read = stream.read(&mut contents[start..]).map_err(|error| error.at(format!("`{path}`")))?;
            contents.truncate(start + read);
            if read < STEP {
                return Ok(ModuleFile { path, bytes: contents });
            }
        }
    }
}

/// The path of a module below `lib/modules/RELEASE/`; `None` for what is none.
fn module_path(path: &str) -> Option<&str> {
    const PARENT: &str = "lib/modules/";
    let inside = &path[path.find(PARENT)? + PARENT.len()..];
    let inside = inside.split_once('/')?.1;
    let plain = [".xz", ".zst", ".gz", ".debug"].iter().find_map(|ending| inside.strip_suffix(ending));
    let plain = plain.unwrap_or(inside);
    plain.ends_with(".ko").then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{CONTROL, member, noise, package, tar, xz_even};
    use super::*;

    fn names(choice: &str, bytes: Vec<u8>) -> Vec<String> {
        let choice = Choice::parse(choice).unwrap();
        let package = ModulePackage::new(Bytes::owned(bytes));
        let mut batches = package.batches(&choice).unwrap();
        let mut names = Vec::new();
        loop {
            let batch = batches.next_batch().unwrap();
            if batch.is_empty() {
                return names;
            }
            names.extend(batch.iter().map(|file| format!("{} {}", file.name(), file.bytes.len())));
        }
    }

    #[test]
    fn modules_come_out_of_a_package_by_choice_and_without_their_compression() {
        let mut compressed = Vec::new();
        let stream = liblzma::stream::Stream::new_easy_encoder(1, liblzma::stream::Check::Crc64).unwrap();
        let mut encoder = liblzma::write::XzEncoder::new_stream(&mut compressed, stream);
        std::io::Write::write_all(&mut encoder, &[7; 5000]).unwrap();
        encoder.finish().unwrap();
        let files = [
            member("./boot/vmlinux-6.1", b'0', &noise(9000, 1)),
            member("./usr/lib/debug/lib/modules/6.1/kernel/fs/ext4/ext4.ko", b'0', &noise(3000, 2)),
            member("./lib/modules/6.1/kernel/net/nf-nat.ko.xz", b'0', &compressed),
            member("./lib/modules/6.1/modules.dep", b'0', b"x"),
            member("./lib/modules/6.1/kernel/net/", b'5', b""),
        ];
        let bytes = package(CONTROL, &xz_even(&tar(&files), 1000));
        assert_eq!(names("all", bytes.clone()), ["ext4 3000", "nf_nat 5000"]);
        assert_eq!(names("ext4", bytes.clone()), ["ext4 3000"]);
        assert_eq!(names("kernel/net/**", bytes.clone()), ["nf_nat 5000"]);
        assert!(names("none", bytes.clone()).is_empty());
        assert!(names("xfs", bytes).is_empty());
    }

    #[test]
    fn a_pattern_that_is_none_is_an_error() {
        let error = Choice::parse("[").unwrap_err().to_string();
        assert!(error.starts_with("`[` is no pattern of modules"), "{error}");
    }
}
