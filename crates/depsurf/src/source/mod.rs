//! Gets a kernel's vmlinux, its config and its package's identity out of their wrapping.
//!
//! In comes a path (or bytes in memory): a vmlinux, a package of Debian's or RPM's kind, a tar archive, a directory, each
//! under any compression, a bootable image, alone or in what boot loaders take, or bare BTF.
//! Out comes a [`Kernel`]. What a file is, is told from its contents, never from its name. Nothing is
//! written anywhere: a vmlinux is mapped, and a package is decoded into memory, only as far as needed.
//! [`live`] reads what a running kernel tells of itself.
//!
//! | wrapping | walked by | what is inside is found by |
//! |---|---|---|
//! | `.deb`, `.ddeb` | `ar`, `tar` | `members`, `search` |
//! | `.rpm` | `rpm`, `cpio` | `members` |
//! | `.tar.*` | `tar` | `members` |
//! | directory | `directory` | `members` |
//! | `vmlinux.xz`, `.zst`, `.gz`, `.bz2`, `.lz4`, `.lzma`, `.lzo` | `compressed`, `codec` | its first bytes |
//! | unified kernel image, Android's `boot.img`, `uImage`, FIT image | `carrier` | its headers |
//! | `vmlinuz`, `Image` | `boot` | its headers, else by search |
//! | `vmlinux.xz` with `vmlinux.debug` | `halves` | what each of them has |
//! | vmlinux with `.dwo` files or a `.dwp` package | `beside` | names in its debug information |
//!
//! ```text
//! .deb:  ar -> control.tar.* -> control                    -> Package
//!           -> data.tar.*    -> xz blocks or a byte stream -> tar -> vmlinux -> Bytes
//! ```
//!
//! A package may still be on its way while it is read ([`fetched`]).

mod ar;
mod archive;
mod beside;
mod boot;
mod btf;
mod bytes;
mod carrier;
mod codec;
mod compressed;
mod cpio;
mod deb;
mod decode;
mod directory;
mod elf;
mod find;
#[cfg(test)]
mod fixture;
mod halves;
mod input;
pub mod live;
mod members;
mod modules;
mod pair;
mod remote;
mod rpm;
mod search;
mod tar;
mod tarball;
#[cfg(test)]
mod tests;
mod xz;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use beside::{BesideFile, BuildPlace};
pub use bytes::Bytes;
pub use deb::Package;
pub(crate) use deb::debug_package;
pub use halves::{Part, complete, part};
pub use input::Ranges;
pub use modules::{Arriving, Batches, Choice as ModuleChoice, ModuleFile, ModulePackage};
pub use pair::{Input, Kind, identify, pair};
pub use remote::{can_arrive, fetched, fetched_config};
pub use rpm::Rpm;

use crate::error::{Error, Result};
use crate::kernel::Arch;
use crate::progress::Progress;
use archive::Archive;
use deb::Deb;

/// What to take besides the image.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Image package or plain file with the kernel's config.
    /// Without it a config is taken from the package of the vmlinux, if it has one.
    pub config: Option<PathBuf>,
    /// Packages, archives and directories that may have modules, or the other halves of those that the package of the
    /// vmlinux has; or the other half of the vmlinux, which may also be a plain file.
    pub modules: Vec<PathBuf>,
}

/// What the bytes of a [`Kernel`] are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// An ELF file with symbols: what a build leaves as `vmlinux`.
    Vmlinux,
    /// The kernel's types alone, as `/sys/kernel/btf/vmlinux` and BTFHub's archives have them.
    Btf,
    /// What a bootable image has inside: an ELF file without symbols, or flat memory as it is loaded.
    Boot {
        /// The architecture, where the wrapping or the memory's header tells it; an ELF file tells its own.
        arch: Option<Arch>,
    },
}

/// A kernel, out of its wrapping.
#[derive(Debug)]
pub struct Kernel {
    /// The image with its debug information, or what [`Kernel::form`] says.
    pub vmlinux: Bytes,
    /// What the bytes are.
    pub form: Form,
    /// Its build configuration; `None` when neither the package nor the options have one.
    pub config: Option<Config>,
    /// Where the image came from.
    pub origin: Origin,
    /// Packages that may have the config, the likeliest first; empty when the image came from no package.
    pub config_packages: Vec<String>,
    /// Where it is on this machine, for files that a build leaves beside it; `None` for what was in a package or an archive.
    pub place: Option<BuildPlace>,
    /// What may have its modules: first where the image came from, then what was given besides.
    pub modules: Vec<ModulePackage>,
}

/// A kernel's build configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Lines like `CONFIG_BPF=y`.
    pub text: String,
    /// Where it came from.
    pub origin: Origin,
}

/// Where something came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// File name, without the directories.
    pub file: String,
    /// The package, when the file is one.
    pub package: Option<Package>,
    /// Path in the package, when the file is one.
    pub member: Option<String>,
}

impl Origin {
    /// The kernel release (`uname -r`) that the name of the vmlinux or config contains:
    /// `6.1.0-50-cloud-amd64`. `None` when it contains none, as a plain `vmlinux`.
    #[must_use]
    pub fn release(&self) -> Option<&str> {
        deb::release_in(self.member.as_deref().unwrap_or(&self.file))
    }
}

/// Opens a vmlinux, or a package with one.
///
/// Packages are decoded by as many threads as the current rayon pool has.
///
/// # Errors
/// When the file is neither, is cut or damaged, has no vmlinux, or the config is of another kernel.
pub fn open(path: &Path, options: &Options, progress: &dyn Progress) -> Result<Kernel> {
    // First, because it is quick and decoding is not.
    let config = options.config.as_deref().map(read_config).transpose()?;
    let file = file_name(path);
    let mut kernel = if path.is_dir() {
        directory::open(path, progress)?
    } else {
        let bytes = Bytes::map(path)?;
        let mut kernel = unwrap(file, bytes, progress).map_err(|e| e.at(path.to_string_lossy()))?;
        kernel.place = kernel.origin.member.is_none().then(|| BuildPlace::new(path.to_owned()));
        kernel
    };
    if let Some(config) = config {
        if let (Some(image), Some(other)) = (kernel.origin.release(), config.origin.release())
            && image != other
        {
            return Err(Error::Usage {
                what: format!(
                    "the config in `{}` is for `{other}`, the image for `{image}`",
                    config.origin.file
                ),
                help: Some("give the config, or the image package, of the same kernel".into()),
            });
        }
        kernel.config = Some(config);
    }
    for path in &options.modules {
        let place = ModulePackage::open(path).map_err(|e| e.at(path.to_string_lossy()))?;
        kernel.modules.push(place);
    }
    complete(kernel, progress).map_err(|e| e.at(path.to_string_lossy()))
}

/// As [`open`], from bytes in memory; `name` takes the place of the file name.
///
/// # Errors
/// As [`open`].
pub fn open_bytes(name: &str, bytes: &[u8], progress: &dyn Progress) -> Result<Kernel> {
    let kernel = unwrap(name.into(), Bytes::owned(bytes.to_vec()), progress);
    kernel.and_then(|kernel| complete(kernel, progress)).map_err(|e| e.at(name))
}

/// Takes the wrapping off, whatever it is.
fn unwrap(file: String, bytes: Bytes, progress: &dyn Progress) -> Result<Kernel> {
    if bytes.starts_with(ar::MAGIC) {
        let kernel = from_package(&file, &bytes, progress)?;
        return Ok(Kernel { modules: vec![ModulePackage::new(bytes, None)], ..kernel });
    }
    if bytes.starts_with(rpm::MAGIC) {
        let kernel = rpm::open(&file, &*bytes, progress)?;
        return Ok(Kernel { modules: vec![ModulePackage::new(bytes, None)], ..kernel });
    }
    // First, because an archive has nothing behind its compressed data, and a kernel may have.
    if !carrier::is_carrier(&bytes)
        && let Some(kernel) = tarball::open(&file, &bytes, progress)?
    {
        let modules = vec![ModulePackage::new(bytes, kernel.origin.release())];
        return Ok(Kernel { modules, ..kernel });
    }
    find::inside(bytes, Origin { file, package: None, member: None }, progress)
}

/// Reads a kernel's config from a package, or from a plain file, which may be gzipped
/// as `/proc/config.gz` is.
///
/// # Errors
/// When the file has no config, or is cut or damaged. If another package has it, the error names that.
pub fn read_config(path: &Path) -> Result<Config> {
    let bytes = Bytes::map(path)?;
    config_bytes(&file_name(path), &bytes).map_err(|e| e.at(path.to_string_lossy()))
}

/// As [`read_config`], from bytes in memory; `name` takes the place of the file name.
///
/// # Errors
/// As [`read_config`].
pub fn read_config_bytes(name: &str, bytes: &[u8]) -> Result<Config> {
    config_bytes(name, bytes).map_err(|e| e.at(name))
}

/// A file that was taken out of its wrapping.
fn plain(form: Form, origin: Origin, vmlinux: Bytes) -> Kernel {
    Kernel {
        vmlinux,
        form,
        config: None,
        origin,
        config_packages: Vec::new(),
        place: None,
        modules: Vec::new(),
    }
}

fn from_package(file: &str, bytes: &[u8], progress: &dyn Progress) -> Result<Kernel> {
    from_deb(file, Deb::parse(bytes)?, progress)
}

fn from_deb(file: &str, deb: Deb<'_>, progress: &dyn Progress) -> Result<Kernel> {
    progress.step("find vmlinux", None);
    let origin =
        |member| Origin { file: file.into(), package: Some(deb.package.clone()), member: Some(member) };
    let mut files = deb.files()?;
    let found = members::find_vmlinux(&mut files, false)?;
    let kernel = find::kernel(&mut files, found, &origin, progress)?;
    let kernel = kernel.ok_or_else(|| Error::NoVmlinux { suggestion: deb.debug_package() })?;
    Ok(Kernel { config_packages: deb.config_packages(), ..kernel })
}

fn config_bytes(file: &str, bytes: &[u8]) -> Result<Config> {
    if bytes.starts_with(ar::MAGIC) {
        return config_of(file, Deb::parse(bytes)?);
    }
    if bytes.starts_with(rpm::MAGIC) {
        return rpm::config(file, bytes);
    }
    let text = plain_config(bytes)?.ok_or_else(|| Error::Usage {
        what: format!("not a kernel config: {}", describe(bytes)),
        help: Some("give the image package, or a file of lines like `CONFIG_BPF=y`".into()),
    })?;
    Ok(Config { text, origin: Origin { file: file.into(), package: None, member: None } })
}

fn config_of(file: &str, deb: Deb<'_>) -> Result<Config> {
    let Some(config) = members::find_config(&mut deb.files()?)? else {
        let others = deb.config_packages();
        return Err(Error::Usage {
            what: format!("no kernel config in package `{}`", deb.package.name),
            help: (!others.is_empty()).then(|| format!("look in `{}`", others.join("` or `"))),
        });
    };
    let origin = Origin { file: file.into(), package: Some(deb.package), member: Some(config.path) };
    Ok(Config { text: config.text, origin })
}

/// The text of a plain or gzipped config file; `None` when it is none.
fn plain_config(bytes: &[u8]) -> Result<Option<String>> {
    let limit = members::LARGEST_CONFIG as usize;
    let mut text = vec![0; limit + 1];
    let length = Archive::stream(bytes)?.read(&mut text)?;
    if length > limit {
        return Err(Error::Limit { what: "kernel config".into(), limit: format!("{} MiB", limit >> 20) });
    }
    text.truncate(length);
    Ok(String::from_utf8(text).ok().filter(|text| members::is_config_text(text)))
}

/// What bytes look like that are no kernel image and no package.
fn describe(bytes: &[u8]) -> &'static str {
    const KNOWN: [(usize, &[u8], &str); 9] = [
        (0, elf::MAGIC, "an ELF file"),
        (0, ar::MAGIC, "an ar archive"),
        (0, xz::MAGIC, "xz data"),
        (0, codec::ZSTD, "zstd data"),
        (0, codec::GZIP, "gzip data"),
        (0, codec::BZIP2, "bzip2 data"),
        (0, codec::LZ4, "lz4 data"),
        (0, b"PK\x03\x04", "a zip archive"),
        (257, b"ustar", "a tar archive"),
    ];
    match KNOWN.iter().find(|(at, magic, _)| bytes.get(*at..).is_some_and(|rest| rest.starts_with(magic))) {
        Some((_, _, name)) => name,
        None if bytes.is_empty() => "an empty file",
        None if bytes.len() < 8 => "a file of a few bytes",
        None if bytes.iter().take(4096).all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()) => {
            "a text file"
        }
        None => "bytes of an unknown format",
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
