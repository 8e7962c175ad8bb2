//! Kernel packages for the chores: found on this machine, or fetched from the mirrors that the system's
//! apt is set up with.
//!
//! Packages are looked for in the directory that `DEPSURF_PACKAGES` names, then in `target/packages`, then
//! on the mirrors ([`apt`]). When a version is gone, the nearest one that is still there is taken, and that
//! is said. `DEPSURF_OFFLINE` keeps away from the network.

mod apt;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, ensure};

/// A line of Debian kernels, and the version of it that documents speak of.
#[derive(Debug, Clone, Copy)]
pub struct Line {
    /// Debian suite.
    pub suite: &'static str,
    /// Upstream series: `6.1`.
    pub series: &'static str,
    /// Flavour part of the package name with its dash: `cloud-`; empty for the plain kernel.
    pub flavour: &'static str,
    /// Debian architecture.
    pub arch: &'static str,
    /// Release in the package name: `6.1.0-50`.
    pub release: &'static str,
    /// Package version.
    pub version: &'static str,
}

/// The kernel that the golden data was extracted from.
pub const ORACLE: Line = Line {
    suite: "bookworm",
    series: "6.1",
    flavour: "cloud-",
    arch: "amd64",
    release: "6.1.0-50",
    version: "6.1.176-1",
};

/// The kernels of the starter dataset.
pub const STARTER: [Line; 5] = [
    Line {
        suite: "bullseye",
        series: "5.10",
        flavour: "cloud-",
        arch: "amd64",
        release: "5.10.0-32",
        version: "5.10.223-1",
    },
    ORACLE,
    Line { arch: "arm64", ..ORACLE },
    Line {
        suite: "trixie",
        series: "6.12",
        flavour: "cloud-",
        arch: "amd64",
        release: "6.12.107+deb13",
        version: "6.12.107-1",
    },
    Line {
        suite: "forky",
        series: "7.2",
        flavour: "cloud-",
        arch: "amd64",
        release: "7.2.12+deb14",
        version: "7.2.12-1",
    },
];

/// The large kernel that measurements include: all drivers of a plain Debian kernel.
pub const GENERIC: Line = Line { flavour: "", ..ORACLE };

/// The kernels that documents compare: of several versions, architectures and flavours.
pub const DATASET: [Line; 8] = [
    STARTER[0],
    STARTER[1],
    STARTER[2],
    STARTER[3],
    STARTER[4],
    GENERIC,
    Line { flavour: "rt-", ..ORACLE },
    Line { flavour: "", arch: "s390x", ..ORACLE },
];

impl Line {
    /// Name of the package with debug information.
    pub fn package(&self) -> String {
        format!("linux-image-{}-{}{}-dbg", self.release, self.flavour, self.arch)
    }

    /// Whether a package is of this line: its series, its flavour, any release.
    fn has(&self, package: &str) -> bool {
        let release = package
            .strip_prefix("linux-image-")
            .and_then(|rest| rest.strip_suffix("-dbg"))
            .and_then(|rest| rest.strip_suffix(self.arch))
            .and_then(|rest| rest.strip_suffix(self.flavour))
            .and_then(|rest| rest.strip_suffix('-'));
        release.is_some_and(|release| {
            let patch = release.strip_prefix(self.series).and_then(|rest| rest.strip_prefix('.'));
            // What follows a dash is an ABI number, or this is another flavour.
            patch.is_some_and(|patch| patch.split('-').skip(1).all(|part| part.parse::<u32>().is_ok()))
        })
    }
}

/// Why a package cannot be had.
#[derive(Debug)]
pub enum Unavailable {
    /// This machine is not set up for it, which is nobody's fault.
    Here(String),
    /// It should have worked.
    Failed(anyhow::Error),
}

impl From<anyhow::Error> for Unavailable {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Unavailable> for anyhow::Error {
    fn from(unavailable: Unavailable) -> Self {
        match unavailable {
            Unavailable::Here(reason) => anyhow!(reason),
            Unavailable::Failed(error) => error,
        }
    }
}

/// A package of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Candidate {
    package: String,
    version: String,
    /// Where it is; `None` on the mirrors.
    path: Option<PathBuf>,
}

/// The debug package of a line of kernels, of the version the documents speak of or the nearest one.
pub fn debug_package(line: &Line) -> Result<PathBuf, Unavailable> {
    let wanted = (line.package(), line.version);
    find(line, &|package| line.has(package), &wanted.0, wanted.1)
}

/// Another package of a line's source, by its exact name.
pub fn package(line: &Line, name: &str, version: &str) -> Result<PathBuf, Unavailable> {
    find(line, &|package| package == name, name, version)
}

/// Release, which is what `uname -r` says, and package version of the kernel that [`debug_package`] gives.
pub fn release(line: &Line) -> Result<(String, String)> {
    let package = debug_package(line)?;
    let (name, version, _) = parts(&package).context("debug packages are found by their names")?;
    let release = name.strip_prefix("linux-image-").and_then(|rest| rest.strip_suffix("-dbg"));
    Ok((release.context("a line has debug packages only")?.to_owned(), version))
}

/// A kernel image that a release has for an architecture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Released {
    /// Debian suite.
    pub suite: &'static str,
    /// Debian architecture.
    pub arch: &'static str,
    /// `6.1.0-50-cloud-amd64`: what is between `linux-image-` and `-dbg`.
    pub release: String,
    /// `cloud-amd64`: the release without versions.
    pub flavour: String,
    /// Package version.
    pub version: String,
    /// The package that holds its configuration.
    config: String,
    /// The package that holds its bootable image.
    image: String,
}

/// Packages that are here for a while.
#[derive(Debug)]
pub struct Fetched {
    /// Where they are.
    pub paths: Vec<PathBuf>,
    /// Those that were not here before.
    new: Vec<PathBuf>,
}

impl Fetched {
    /// Removes what was not here before.
    pub fn remove(self) -> Result<()> {
        for path in self.new {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("cannot remove `{}`", path.display()));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl Released {
    /// The debug package and the one with the configuration.
    pub fn fetch(&self) -> Result<Fetched> {
        self.get(&[&format!("linux-image-{}-dbg", self.release), &self.config])
    }

    /// The package with the bootable image.
    pub fn fetch_image(&self) -> Result<Fetched> {
        self.get(&[&self.image])
    }

    fn get(&self, names: &[&str]) -> Result<Fetched> {
        let mut fetched = Fetched { paths: Vec::new(), new: Vec::new() };
        for name in names {
            if let Some(path) = local_of(self.arch, name, &self.version) {
                fetched.paths.push(path);
            } else {
                let path = of_release(self.suite, self.arch, name, &self.version)?;
                fetched.new.push(path.clone());
                fetched.paths.push(path);
            }
        }
        Ok(fetched)
    }
}

/// The newest kernels of a series, of all flavours, that a release has for an architecture.
pub fn released(suite: &'static str, series: &str, arch: &'static str) -> Result<Vec<Released>> {
    let mirror = apt::Mirror::open_release(suite, arch, &cache()).map_err(anyhow::Error::from)?;
    let start = format!("linux-image-{series}.");
    let all = mirror.packages(&|package| {
        let beside = ["linux-base", "linux-binary"].map(|kind| format!("{kind}-{series}."));
        package.starts_with(&start) || beside.iter().any(|start| package.starts_with(start))
    })?;
    let has =
        |name: &str, version: &str| all.iter().any(|found| found.package == name && found.version == version);
    let mut newest: Vec<Released> = Vec::new();
    for found in &all {
        let Some(release) =
            found.package.strip_prefix("linux-image-").and_then(|rest| rest.strip_suffix("-dbg"))
        else {
            continue;
        };
        // What follows the version and the ABI number, or the suffix of the release, is the flavour.
        let flavour = release.split('-').skip(1).skip_while(|part| part.parse::<u32>().is_ok());
        let flavour = flavour.collect::<Vec<_>>().join("-");
        // Newer packages have configuration and image apart.
        let named = |kind: &str| {
            let name = format!("{kind}-{release}");
            if has(&name, &found.version) { name } else { format!("linux-image-{release}") }
        };
        let released = Released {
            suite,
            arch,
            release: release.into(),
            flavour,
            version: found.version.clone(),
            config: named("linux-base"),
            image: named("linux-binary"),
        };
        match newest.iter_mut().find(|other| other.flavour == released.flavour) {
            Some(other) if numbers(&other.version) < numbers(&released.version) => *other = released,
            Some(_) => {}
            None => newest.push(released),
        }
    }
    newest.sort_by(|a, b| a.flavour.cmp(&b.flavour));
    Ok(newest)
}

/// A package of a release, by its exact name and version.
pub fn of_release(suite: &str, arch: &'static str, name: &str, version: &str) -> Result<PathBuf> {
    match local_of(arch, name, version) {
        Some(path) => Ok(path),
        None => apt::Mirror::open_release(suite, arch, &cache())
            .map_err(anyhow::Error::from)?
            .download(name, version),
    }
}

/// A package on this machine, by its exact name and version.
fn local_of(arch: &str, name: &str, version: &str) -> Option<PathBuf> {
    let here = local(arch, &|package| package == name);
    here.into_iter().find(|found| found.version == version).and_then(|found| found.path)
}

/// The vmlinux of a line's package as a file of its own, for tools that read no packages.
pub fn vmlinux(line: &Line) -> Result<PathBuf, Unavailable> {
    Ok(unpacked(&debug_package(line)?)?)
}

/// The vmlinux of a debug package as a file of its own.
pub fn unpacked(package: &Path) -> Result<PathBuf> {
    let stem = package.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let path = cache().join(format!("{stem}.vmlinux"));
    if !path.is_file() {
        eprintln!("unpacking the vmlinux of {}", package.display());
        unpack_vmlinux(package, &path)?;
    }
    Ok(path)
}

/// `packages`: gets the debug packages that the other chores read, and prints where they are.
pub fn run() -> Result<()> {
    for line in STARTER.iter().chain([&GENERIC]) {
        println!("{}", debug_package(line)?.display());
    }
    Ok(())
}

/// Where fetched packages are kept.
fn cache() -> PathBuf {
    crate::target().join("packages")
}

fn find(
    line: &Line,
    fits: &dyn Fn(&str) -> bool,
    package: &str,
    version: &str,
) -> Result<PathBuf, Unavailable> {
    let local = local(line.arch, fits);
    let is_exact = |found: &&Candidate| found.package == package && found.version == version;
    if let Some(path) = local.iter().find(is_exact).and_then(|found| found.path.clone()) {
        return Ok(path);
    }
    let remote = if std::env::var_os("DEPSURF_OFFLINE").is_some() {
        Err(Unavailable::Here("DEPSURF_OFFLINE is set".into()))
    } else {
        apt::Mirror::open(line.suite, line.arch, &cache()).and_then(|mirror| {
            let found = mirror.packages(fits)?;
            Ok((mirror, found))
        })
    };
    let (mirror, remote) = match remote {
        Ok((mirror, found)) => (Some(mirror), found),
        Err(error) if local.is_empty() => return Err(error),
        Err(error) => {
            eprintln!("cannot use the mirrors: {:#}", anyhow::Error::from(error));
            (None, Vec::new())
        }
    };
    let all: Vec<Candidate> = local.into_iter().chain(remote).collect();
    let Some(chosen) = nearest(&all, package, version) else {
        return Err(Unavailable::Failed(anyhow!("no package like `{package}` in {}", line.suite)));
    };
    if (chosen.package.as_str(), chosen.version.as_str()) != (package, version) {
        eprintln!(
            "NOTE: `{package}` {version} cannot be had, taking the nearest: `{}` {}",
            chosen.package, chosen.version
        );
    }
    match (&chosen.path, mirror) {
        (Some(path), _) => Ok(path.clone()),
        (None, Some(mirror)) => Ok(mirror.download(&chosen.package, &chosen.version)?),
        (None, None) => unreachable!("a package without path is on a mirror"),
    }
}

/// Packages on this machine.
fn local(arch: &str, fits: &dyn Fn(&str) -> bool) -> Vec<Candidate> {
    let named = std::env::var_os("DEPSURF_PACKAGES").map(PathBuf::from);
    let files = named.into_iter().chain([cache()]).filter_map(|dir| fs::read_dir(dir).ok()).flatten();
    let mut found: Vec<Candidate> = files
        .filter_map(|file| {
            let path = file.ok()?.path();
            let (package, version, file_arch) = parts(&path)?;
            ((file_arch == arch || file_arch == "all") && fits(&package)).then_some(Candidate {
                package,
                version,
                path: Some(path),
            })
        })
        .collect();
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// Package, version and architecture of a file `PACKAGE_VERSION_ARCH.deb`.
fn parts(path: &Path) -> Option<(String, String, String)> {
    let name = path.file_name()?.to_str()?.strip_suffix(".deb")?;
    let mut parts = name.split('_');
    let (package, version, arch) = (parts.next()?, parts.next()?, parts.next()?);
    // The epoch's colon is escaped in file names.
    parts.next().is_none().then(|| (package.into(), version.replace("%3a", ":"), arch.into()))
}

/// The wanted package, else the next newer one, else the newest.
fn nearest<'a>(all: &'a [Candidate], package: &str, version: &str) -> Option<&'a Candidate> {
    let wanted = (numbers(package), numbers(version));
    let key = |found: &&Candidate| (numbers(&found.package), numbers(&found.version), found.path.is_none());
    let newer = |found: &&Candidate| (numbers(&found.package), numbers(&found.version)) >= wanted;
    let exact = |found: &&Candidate| found.package == package && found.version == version;
    all.iter()
        .find(exact)
        .or_else(|| all.iter().filter(newer).min_by_key(key))
        .or_else(|| all.iter().max_by_key(key))
}

/// The runs of digits of a name or version, by value: enough to order one line's releases.
fn numbers(text: &str) -> Vec<u64> {
    text.split(|c: char| !c.is_ascii_digit()).filter_map(|run| run.parse().ok()).collect()
}

/// Copies the first vmlinux of a package into a file, which appears when it is complete.
fn unpack_vmlinux(package: &Path, path: &Path) -> Result<()> {
    let directory = path.parent().context("the file is in a directory")?;
    fs::create_dir_all(directory).with_context(|| format!("cannot create `{}`", directory.display()))?;
    let temporary = path.with_extension("tmp");
    // dpkg-deb, not our own reader: this file feeds the oracles that the reader is compared with.
    // The two places are those of Debian's packages before and since 7.2, where a link is at the first.
    let script = r#"dpkg-deb --fsys-tarfile "$1" |
        tar -xO --wildcards --occurrence=1 --no-wildcards-match-slash \
            './usr/lib/debug/boot/vmlinux-*' > "$2" 2>/dev/null
        [ -s "$2" ] || dpkg-deb --fsys-tarfile "$1" |
        tar -xO --wildcards --occurrence=1 './usr/lib/debug/lib/modules/*/vmlinux' > "$2""#;
    let output = Command::new("sh").args(["-c", script, "sh"]).arg(package).arg(&temporary).output();
    let output = output.context("cannot run sh")?;
    let size = fs::metadata(&temporary).map_or(0, |meta| meta.len());
    ensure!(size > 0, "no vmlinux in `{}`: {}", package.display(), String::from_utf8_lossy(&output.stderr));
    fs::rename(&temporary, path).with_context(|| format!("cannot write `{}`", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_own_flavour_only() {
        assert!(ORACLE.has("linux-image-6.1.0-49-cloud-amd64-dbg"));
        assert!(STARTER[3].has("linux-image-6.12.110+deb13-cloud-amd64-dbg"));
        assert!(GENERIC.has("linux-image-6.1.0-50-amd64-dbg"));
        assert!(GENERIC.has(&GENERIC.package()));
        for other in [
            "linux-image-6.1.0-50-cloud-amd64",
            "linux-image-6.1.0-50-amd64-dbg",
            "linux-image-6.12.1-cloud-amd64-dbg",
            "linux-image-6.1.0-50-cloud-arm64-dbg",
            "linux-image-cloud-amd64-dbg",
        ] {
            assert!(!ORACLE.has(other), "{other}");
        }
        assert!(!GENERIC.has("linux-image-6.1.0-50-rt-amd64-dbg"));
        assert!(!GENERIC.has("linux-image-6.1.0-50-cloud-amd64-dbg"));
    }

    #[test]
    fn the_nearest_version_is_the_next_newer_one() {
        let candidate = |release: &str, version: &str| Candidate {
            package: format!("linux-image-{release}-cloud-amd64-dbg"),
            version: version.into(),
            path: None,
        };
        let all = [
            candidate("6.1.0-9", "6.1.27-1"),
            candidate("6.1.0-51", "6.1.180-1"),
            candidate("6.1.0-52", "6.1.181-1"),
        ];
        let name = ORACLE.package();
        assert_eq!(nearest(&all, &name, "6.1.176-1"), Some(&all[1]));
        assert_eq!(nearest(&all[..1], &name, "6.1.176-1"), Some(&all[0]));
        assert_eq!(nearest(&all, &all[0].package, "6.1.27-1"), Some(&all[0]));
        assert_eq!(nearest(&[], &name, "6.1.176-1"), None);
    }

    #[test]
    fn file_names_tell_package_and_version() {
        let found = parts(Path::new("x/linux-image-6.12.107+deb13-cloud-amd64-dbg_1%3a6.12.107-1_amd64.deb"));
        let (package, version, arch) = found.unwrap();
        assert_eq!(package, "linux-image-6.12.107+deb13-cloud-amd64-dbg");
        assert_eq!((version.as_str(), arch.as_str()), ("1:6.12.107-1", "amd64"));
        assert_eq!(parts(Path::new("x_1_2_3.deb")), None);
    }
}
