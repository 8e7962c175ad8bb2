//! Tells what files are, and which of them belong to the same kernel.

use std::path::{Path, PathBuf};

use super::archive::Archive;
use super::deb::{Deb, Package, release_of};
use super::{
    Bytes, Options, ar, boot, btf, carrier, compressed, deb, describe, elf, file_name, halves, plain_config,
    rpm, tar,
};
use crate::error::{Error, Result};

/// What a file is, by its contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// An ELF file; whether it is a kernel shows when it is read.
    Elf,
    /// A Debian or Ubuntu package.
    Package(Package),
    /// The types of a kernel alone.
    Btf,
    /// A bootable image, or what boot loaders take with one inside: `vmlinuz`, `bzImage`, `Image`, `boot.img`, `uImage`.
    Boot,
    /// A tar archive, under whatever compression.
    Archive,
    /// A file that is compressed as a whole and holds one of the others.
    Compressed,
    /// A directory: an unpacked package or the place of a build.
    Directory,
    /// A kernel configuration as text.
    Config,
    /// Something else: what it looks like.
    Unknown(String),
}

/// One kernel to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// The vmlinux, or the package that should have it.
    pub image: PathBuf,
    /// The image package or file with its config.
    pub config: Option<PathBuf>,
    /// What may have its modules, or halves of them, or of the vmlinux.
    pub modules: Vec<PathBuf>,
}

impl Input {
    /// The options to open it with.
    #[must_use]
    pub fn options(&self) -> Options {
        Options { config: self.config.clone(), modules: self.modules.clone() }
    }
}

/// Tells what a file or directory is.
///
/// # Errors
/// When it cannot be read, or is a package that is cut or damaged.
pub fn identify(path: &Path) -> Result<Kind> {
    if path.is_dir() {
        return Ok(Kind::Directory);
    }
    let bytes = Bytes::map(path)?;
    kind(&bytes).map_err(|e| e.at(path.to_string_lossy()))
}

fn kind(bytes: &[u8]) -> Result<Kind> {
    if bytes.starts_with(elf::MAGIC) {
        Ok(Kind::Elf)
    } else if bytes.starts_with(ar::MAGIC) {
        Ok(Kind::Package(Deb::parse(bytes)?.package))
    } else if bytes.starts_with(rpm::MAGIC) {
        Ok(Kind::Package(rpm::Rpm::parse(bytes)?.package))
    } else if btf::is_btf(bytes) {
        Ok(Kind::Btf)
    } else if boot::is_bootable(bytes) || carrier::is_carrier(bytes) {
        Ok(Kind::Boot)
    } else if tar::begins(&mut Archive::new(bytes)?)? {
        Ok(Kind::Archive)
    } else if plain_config(bytes).ok().flatten().is_some() {
        Ok(Kind::Config)
    } else if compressed::holds_kernel(bytes) {
        Ok(Kind::Compressed)
    } else {
        Ok(Kind::Unknown(describe(bytes).into()))
    }
}

/// What is known about a file without looking for the vmlinux in it.
struct Candidate {
    path: PathBuf,
    kind: Kind,
    release: Option<String>,
}

impl Candidate {
    /// Whether the file has a config at best. Packages are told apart by name, because looking inside
    /// takes seconds: those with debug information end in `-dbg` or `-dbgsym`.
    fn only_config(&self) -> bool {
        match &self.kind {
            Kind::Config => true,
            Kind::Elf
            | Kind::Btf
            | Kind::Boot
            | Kind::Archive
            | Kind::Compressed
            | Kind::Directory
            | Kind::Unknown(_) => false,
            Kind::Package(package) => {
                self.release.is_some()
                    && !package.name.ends_with("-dbg")
                    && !package.name.ends_with("-dbgsym")
                    && !package.name.contains("-debuginfo")
            }
        }
    }

    /// Whether it is a package that may have modules, or their code where the debug package has the rest.
    fn may_have_modules(&self) -> bool {
        let Kind::Package(package) = &self.kind else { return false };
        !["linux-base-", "linux-headers-"].iter().any(|prefix| package.name.starts_with(prefix))
            && !package.name.starts_with("kernel-devel")
    }

    /// Whether both are of the same kernel: same release, and if both are packages of the same build.
    fn belongs_to(&self, image: &Self) -> bool {
        let same_build = match (&self.kind, &image.kind) {
            (Kind::Package(a), Kind::Package(b)) => {
                (&a.version, &a.architecture) == (&b.version, &b.architecture)
            }
            _ => true,
        };
        same_build && self.release.is_some() && self.release == image.release
    }

    /// How likely the file is to have the config, when several are of the same kernel: least is likeliest; `None` where it
    /// has none. Debian since 7.2 has it in `linux-base-R`, Ubuntu in `linux-modules-R`, and older Debian
    /// in `linux-image-R`; where a more likely one exists, the less likely ones have none. Of RPM packages `kernel-core` has it, or
    /// the one with the bootable image.
    fn rank(&self) -> Option<usize> {
        let Kind::Package(package) = &self.kind else { return Some(0) };
        let name = package.name.as_str();
        if name.starts_with("linux-modules-extra-") || is_rpm(name) && name.contains("-modules") {
            return None;
        }
        let known = ["linux-base-", "linux-modules-", "linux-image-", "linux-headers-", ""];
        known.iter().position(|prefix| name.starts_with(prefix)).map(|rank| rank + 1)
    }
}

/// Whether a package is one of RPM's kind that is about a kernel.
fn is_rpm(name: &str) -> bool {
    name == "kernel" || name.starts_with("kernel-")
}

/// What a package is about: the same for all packages of a kernel.
fn release(package: &Package) -> Option<String> {
    let Package { name, version, architecture, .. } = package;
    if !is_rpm(name) {
        return release_of(name).map(str::to_owned);
    }
    // Kernels of several flavours are built from one source, so the version is not enough.
    let debug = if name.contains("-debuginfo") { Some(name.clone()) } else { rpm::debug_package(name) };
    debug.map(|debug| format!("{debug}-{version}.{architecture}"))
}

/// Sorts a list of files into kernels: every image with the config that belongs to it.
///
/// They are matched by the kernel release in the names of packages, and of other files if they are named
/// like `vmlinux-6.1.0-50-cloud-amd64` and `config-6.1.0-50-cloud-amd64`. A single config goes with a single
/// image if one of them has no such name. Of several packages of a kernel the one that is known to have the
/// config is taken, so that all packages of a kernel can be given. A file with debug information alone goes with the one of
/// the same release that has the code. The order of the images is kept.
///
/// # Errors
/// When a file cannot be read or is of no known kind, a config belongs to none of the images, or there are
/// two for one. All packages of a kernel may have its modules.
pub fn pair(paths: &[PathBuf]) -> Result<Vec<Input>> {
    let mut images = Vec::new();
    let mut configs = Vec::new();
    for path in paths {
        let kind = identify(path)?;
        let name = file_name(path);
        let release = match &kind {
            Kind::Unknown(found) => {
                return Err(Error::UnknownFormat { found: found.clone() }.at(path.to_string_lossy()));
            }
            Kind::Package(package) => release(package),
            Kind::Directory => None,
            Kind::Elf | Kind::Btf | Kind::Boot | Kind::Archive | Kind::Compressed | Kind::Config => {
                deb::release_in(&name).map(str::to_owned)
            }
        };
        let candidate = Candidate { path: path.clone(), kind, release };
        if candidate.only_config() { configs.push(candidate) } else { images.push(candidate) }
    }
    let halves = split_halves(&mut images);
    // Packages without debug information alone: the bootable image is in one of them. Since 7.2 Debian has it in
    // linux-binary-RELEASE, before in linux-image-RELEASE.
    if images.is_empty() && !configs.is_empty() {
        let name = |config: &Candidate| match &config.kind {
            Kind::Package(package) => package.name.clone(),
            _ => String::new(),
        };
        let releases = |prefix: &str| -> Vec<Option<String>> {
            let named = configs.iter().filter(|config| name(config).starts_with(prefix));
            named.map(|config| config.release.clone()).collect()
        };
        let (binaries, all) = (releases("linux-binary-"), releases("linux-image-"));
        let has_image = |config: &Candidate| {
            name(config).starts_with("linux-binary-")
                || name(config).starts_with("linux-image-") && !binaries.contains(&config.release)
        };
        let any = !binaries.is_empty() || !all.is_empty();
        let is_package =
            |config: &Candidate| matches!(config.kind, Kind::Package(_)) && config.rank().is_some();
        let chosen: Vec<bool> =
            configs.iter().map(|config| if any { has_image(config) } else { is_package(config) }).collect();
        let mut chosen = chosen.into_iter();
        images = configs.extract_if(.., |_| chosen.next() == Some(true)).collect();
    }
    configs.sort_by_key(|config| config.rank().unwrap_or(usize::MAX));
    let single = images.len() == 1 && configs.len() == 1;
    let mut inputs: Vec<(&Candidate, Option<&Candidate>, Vec<PathBuf>)> =
        images.iter().map(|image| (image, None, halves_of(&halves, image))).collect();
    for config in &configs {
        let nameless = |image: &Candidate| single && (config.release.is_none() || image.release.is_none());
        let path = config.path.display();
        let mut matching =
            inputs.iter_mut().filter(|(image, ..)| config.belongs_to(image) || nameless(image)).peekable();
        if matching.peek().is_none() {
            return Err(Error::Usage {
                what: format!("`{path}` belongs to none of the images given"),
                help: Some("give the debug package of the same kernel and version".into()),
            });
        }
        for (_, taken, modules) in matching {
            if config.may_have_modules() {
                modules.push(config.path.clone());
            }
            match taken {
                _ if config.rank().is_none() => {}
                Some(other) if other.rank() == config.rank() => {
                    return Err(Error::Usage {
                        what: format!("`{}` and `{path}` are for the same image", other.path.display()),
                        help: Some("give one of them".into()),
                    });
                }
                Some(_) => {}
                None => *taken = Some(config),
            }
        }
    }
    let path = |candidate: &Candidate| candidate.path.clone();
    Ok(inputs
        .into_iter()
        .map(|(image, config, modules)| Input { image: path(image), config: config.map(path), modules })
        .collect())
}

/// Takes the files that have the code of a vmlinux out of the images, where its debug information is a file beside them.
fn split_halves(images: &mut Vec<Candidate>) -> Vec<Candidate> {
    let is_debug = |image: &Candidate| {
        image.kind == Kind::Elf
            && Bytes::map(&image.path).is_ok_and(|bytes| halves::part(&bytes) == halves::Part::Debug)
    };
    let debug: Vec<Option<String>> =
        images.iter().filter(|image| is_debug(image)).map(|image| image.release.clone()).collect();
    if debug.is_empty() {
        return Vec::new();
    }
    let is_code = |image: &mut Candidate| {
        matches!(image.kind, Kind::Elf | Kind::Compressed)
            && debug.contains(&image.release)
            && !is_debug(image)
    };
    images.extract_if(.., is_code).collect()
}

/// The files with the code of an image.
fn halves_of(halves: &[Candidate], image: &Candidate) -> Vec<PathBuf> {
    let fits = |half: &&Candidate| image.kind == Kind::Elf && half.release == image.release;
    halves.iter().filter(fits).map(|half| half.path.clone()).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::fixture::{CONFIG, control, elf, package, tar};
    use super::*;

    struct Files(tempfile::TempDir);

    impl Files {
        fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
            let path = self.0.path().join(name);
            fs::write(&path, bytes).unwrap();
            path
        }

        /// A package whose file name says nothing about it.
        fn package(&self, name: &str, version: &str) -> PathBuf {
            let control = control(&[("Package", name), ("Version", version)]);
            let count = fs::read_dir(self.0.path()).unwrap().count();
            self.file(&format!("download-{count}"), &package(&control, &tar(&[])))
        }

        /// Pairs as indexes into the list.
        fn pairs(paths: &[&PathBuf]) -> Result<Vec<(usize, Option<usize>)>> {
            let paths: Vec<PathBuf> = paths.iter().map(|path| (*path).clone()).collect();
            let index = |path: &PathBuf| paths.iter().position(|one| one == path).unwrap();
            let inputs = pair(&paths)?;
            Ok(inputs.iter().map(|input| (index(&input.image), input.config.as_ref().map(index))).collect())
        }
    }

    fn files() -> Files {
        Files(tempfile::tempdir().unwrap())
    }

    #[test]
    fn files_are_told_apart_by_contents() {
        let files = files();
        assert_eq!(identify(&files.file("a.deb", &elf(&[]))).unwrap(), Kind::Elf);
        assert_eq!(identify(&files.file("vmlinux", CONFIG.as_bytes())).unwrap(), Kind::Config);
        assert_eq!(
            identify(&files.file("config", b"Hello, world")).unwrap(),
            Kind::Unknown("a text file".into())
        );
        let package = files.package("linux-image-6.1.0-50-amd64-dbg", "6.1.176-1");
        assert!(
            matches!(identify(&package).unwrap(), Kind::Package(package) if package.version == "6.1.176-1")
        );
        assert!(identify(&files.file("empty", b"")).is_err());
        assert_eq!(identify(files.0.path()).unwrap(), Kind::Directory);
        assert!(identify(&files.file("cut", b"!<arch>\ndebian-binary")).is_err());
    }

    #[test]
    fn packages_of_the_same_kernel_belong_together() {
        let files = files();
        let [cloud, generic, cloud_image, ubuntu, modules, lonely] = [
            ("linux-image-6.1.0-50-cloud-amd64-dbg", "6.1.176-1"),
            ("linux-image-6.1.0-50-amd64-dbg", "6.1.176-1"),
            ("linux-image-6.1.0-50-cloud-amd64", "6.1.176-1"),
            ("linux-image-unsigned-5.4.0-26-generic-dbgsym", "5.4.0-26.30"),
            ("linux-modules-5.4.0-26-generic", "5.4.0-26.30"),
            ("linux-image-6.1.0-50-cloud-amd64", "6.1.176-2"),
        ]
        .map(|(name, version)| files.package(name, version));
        assert_eq!(
            Files::pairs(&[&cloud_image, &generic, &modules, &cloud, &ubuntu]).unwrap(),
            [(1, None), (3, Some(0)), (4, Some(2))]
        );
        let error = Files::pairs(&[&cloud, &generic, &lonely]).unwrap_err();
        assert!(error.to_string().ends_with("belongs to none of the images given"), "{error}");
        assert!(Files::pairs(&[&cloud, &lonely]).is_err());
        let error = Files::pairs(&[&cloud, &cloud_image, &cloud_image]).unwrap_err();
        assert!(error.to_string().ends_with("are for the same image"), "{error}");
        // On its own it is opened, for the error that says which package to take.
        assert_eq!(Files::pairs(&[&cloud_image]).unwrap(), [(0, None)]);
        assert_eq!(Files::pairs(&[]).unwrap(), []);
        // Where the image is in a package of its own, that is opened.
        let [image, binary, base] = ["linux-image", "linux-binary", "linux-base"]
            .map(|kind| files.package(&format!("{kind}-7.2.12+deb14-cloud-amd64"), "7.2.12-1"));
        assert_eq!(Files::pairs(&[&image, &binary, &base, &cloud_image]).unwrap(), [(1, Some(2)), (3, None)]);
    }

    #[test]
    fn of_all_packages_of_a_kernel_the_one_with_the_config_is_taken() {
        let files = files();
        let [image, modules, base, debug] = [
            "linux-image-7.2.12+deb14-cloud-amd64",
            "linux-modules-7.2.12+deb14-cloud-amd64",
            "linux-base-7.2.12+deb14-cloud-amd64",
            "linux-image-7.2.12+deb14-cloud-amd64-dbg",
        ]
        .map(|name| files.package(name, "7.2.12-1"));
        assert_eq!(Files::pairs(&[&image, &modules, &base, &debug]).unwrap(), [(3, Some(2))]);
        let config = files.file("config-7.2.12+deb14-cloud-amd64", CONFIG.as_bytes());
        assert_eq!(Files::pairs(&[&image, &debug, &config]).unwrap(), [(1, Some(2))]);
    }

    #[test]
    fn plain_files_belong_together_by_name() {
        let files = files();
        let image = |name| files.file(name, &elf(&[]));
        let config = |name| files.file(name, CONFIG.as_bytes());
        let (a, b) = (image("vmlinux-6.1.0-50-amd64"), image("vmlinux-6.1.0-50-cloud-amd64"));
        let (a_config, b_config) = (config("config-6.1.0-50-amd64"), config("config-6.1.0-50-cloud-amd64"));
        assert_eq!(Files::pairs(&[&a, &b, &b_config, &a_config]).unwrap(), [(0, Some(3)), (1, Some(2))]);
        let (nameless, nameless_config) = (image("vmlinux"), config(".config"));
        assert_eq!(Files::pairs(&[&nameless_config, &a]).unwrap(), [(1, Some(0))]);
        assert_eq!(Files::pairs(&[&a_config, &nameless]).unwrap(), [(1, Some(0))]);
        assert!(Files::pairs(&[&a_config, &b]).is_err());
        assert!(Files::pairs(&[&nameless_config, &a, &b]).is_err());
    }

    #[test]
    fn names_of_packages() {
        for (package, release) in [
            ("linux-image-6.1.0-50-cloud-amd64-dbg", Some("6.1.0-50-cloud-amd64")),
            ("linux-image-6.1.0-50-amd64-unsigned", Some("6.1.0-50-amd64")),
            ("linux-image-unsigned-5.4.0-26-generic-dbgsym", Some("5.4.0-26-generic")),
            ("linux-modules-extra-5.4.0-26-generic", Some("5.4.0-26-generic")),
            ("linux-base-7.2.12+deb14-cloud-amd64", Some("7.2.12+deb14-cloud-amd64")),
            ("linux-image-amd64-dbg", None),
            ("linux-base", None),
            ("linux-", None),
            ("bash", None),
            ("", None),
        ] {
            assert_eq!(release_of(package), release, "{package}");
        }
    }
}
