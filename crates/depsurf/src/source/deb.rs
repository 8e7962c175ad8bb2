//! A Debian or Ubuntu package: what it says about itself, and the kernel files in it.

use serde::{Deserialize, Serialize};

use super::ar;
use super::archive::Archive;
use super::input::Input;
use super::members::{Files as _, split, without_ending};
use super::tar::Tar;
use crate::error::{Error, Result};

/// The largest `control` file that is read.
const LARGEST_CONTROL: u64 = 4 << 20;

/// What a package says about itself in its `control` file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// `linux-image-6.1.0-50-cloud-amd64-dbg`.
    pub name: String,
    /// `6.1.176-1`: the version of the package, not of the kernel's ABI.
    pub version: String,
    /// `amd64`, in the distribution's words.
    pub architecture: String,
    /// Source package, without the version that may follow it; when missing it has the package's name.
    pub source: Option<String>,
}

/// An opened package.
pub struct Deb<'a> {
    /// Its identity.
    pub package: Package,
    /// Names of the packages it depends on, alternatives included, versions not.
    pub depends: Vec<String>,
    /// Whether it was built by Ubuntu, whose packages have other names than Debian's.
    ubuntu: bool,
    data: Input<'a>,
}

impl<'a> Deb<'a> {
    /// Reads the `control` file of a package.
    ///
    /// # Errors
    /// When the archive is cut or damaged, or is no Debian package.
    pub fn parse(bytes: impl Into<Input<'a>>) -> Result<Self> {
        let bytes = bytes.into();
        let members = ar::members(bytes)?;
        // deb(5): this member comes first and holds the format version.
        match members.first() {
            Some(first) if first.name == "debian-binary" && first.data.starts_with(b"2.")? => {}
            _ => {
                return Err(Error::UnknownFormat {
                    found: "an ar archive that does not begin with `debian-binary` 2.x".into(),
                });
            }
        }
        let member = |name: &str| {
            members.iter().find(|member| {
                member.name.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            })
        };
        let missing = |name: &str| Error::Truncated {
            what: format!("package without `{name}`: it"),
            needed: bytes.len() as u64 + 1,
            available: bytes.len() as u64,
        };
        let control = member("control.tar").ok_or_else(|| missing("control.tar"))?;
        let data = member("data.tar").ok_or_else(|| missing("data.tar"))?.data;
        let control = read_control(control.data).map_err(|e| e.at(control.name))?;
        let field = |name| field(&control, name);
        let required = |name: &'static str| {
            field(name).ok_or_else(|| Error::malformed("package", "`control`", format!("no field `{name}`")))
        };
        Ok(Self {
            package: Package {
                name: required("Package")?,
                version: required("Version")?,
                architecture: required("Architecture")?,
                source: field("Source").map(|source| first_word(&source).to_owned()),
            },
            depends: field("Depends").map(|text| names(&text)).unwrap_or_default(),
            ubuntu: field("Maintainer").is_some_and(|maintainer| maintainer.contains("ubuntu")),
            data,
        })
    }

    /// Walks the package's files.
    ///
    /// # Errors
    /// When the compressed data is damaged.
    pub fn files(&self) -> Result<Tar<'a>> {
        Ok(Tar::new(Archive::new(self.data)?))
    }

    /// The package that has the vmlinux with debug information of the kernel this one belongs to.
    #[must_use]
    pub fn debug_package(&self) -> Option<String> {
        let release = release_of(&self.package.name)
            .or_else(|| self.depends.iter().find_map(|name| release_of(name)))?;
        let name = debug_package(release, self.ubuntu);
        (name != self.package.name).then_some(name)
    }

    /// The packages that may have the config of the kernel this one belongs to, the likeliest first.
    #[must_use]
    pub fn config_packages(&self) -> Vec<String> {
        // Since 7.2 Debian's image is split, with the config in linux-base-RELEASE. Ubuntu's is in
        // linux-modules-RELEASE. Both are dependencies of the image.
        let mut packages: Vec<String> = ["linux-base-", "linux-modules-"]
            .iter()
            .flat_map(|prefix| self.depends.iter().filter(move |name| name.starts_with(prefix)))
            .filter(|name| release_of(name).is_some())
            .cloned()
            .collect();
        if packages.is_empty()
            && let Some(release) = release_of(&self.package.name)
        {
            let kind = if self.ubuntu { "modules" } else { "image" };
            packages.push(format!("linux-{kind}-{release}"));
        }
        packages.retain(|name| *name != self.package.name);
        packages.dedup();
        packages
    }
}

/// The package of Debian or Ubuntu that has the vmlinux of a release, which is what `uname -r` says.
pub fn debug_package(release: &str, ubuntu: bool) -> String {
    if ubuntu {
        format!("linux-image-unsigned-{release}-dbgsym")
    } else {
        format!("linux-image-{release}-dbg")
    }
}

/// The kernel release in the path of a vmlinux or a config, as `uname -r` would print it.
#[must_use]
pub fn release_in(path: &str) -> Option<&str> {
    let (directory, file) = split(path);
    let (above, directory) = split(directory);
    let name = without_ending(file);
    let release = match name {
        ".config" => directory.strip_prefix("linux-headers-"),
        "config" | "vmlinux" | "vmlinuz" => (split(above).1 == "modules").then_some(directory),
        // BTFHub's archives are named `5.4.0-1010-aws.btf`, or `5.4.0-1010-aws.btf.tar.xz`.
        _ => match file.split_once(".btf") {
            Some((release, "" | ".tar.xz")) => Some(release.strip_prefix("vmlinux-").unwrap_or(release)),
            _ => ["vmlinux-", "vmlinuz-", "config-"].iter().find_map(|prefix| name.strip_prefix(prefix)),
        },
    };
    release.filter(|release| release.starts_with(|c: char| c.is_ascii_digit()))
}

/// The kernel release in the name of a package, as `uname -r` would print it;
/// `None` when the package is not about one kernel.
#[must_use]
pub fn release_of(package: &str) -> Option<&str> {
    let mut rest = package.strip_prefix("linux-")?;
    // In `linux-image-unsigned-R` and `linux-modules-extra-R` there are two words in front.
    for _ in 0..2 {
        if let Some((word, behind)) = rest.split_once('-')
            && word.chars().all(|c| c.is_ascii_lowercase())
        {
            rest = behind;
        }
    }
    for suffix in ["-dbgsym", "-dbg", "-unsigned"] {
        rest = rest.strip_suffix(suffix).unwrap_or(rest);
    }
    (rest.starts_with(|c: char| c.is_ascii_digit()) && rest.contains('.')).then_some(rest)
}

fn read_control(data: Input<'_>) -> Result<String> {
    let mut files = Tar::new(Archive::new(data)?);
    while let Some(member) = files.next()? {
        if member.path == "control" && member.regular {
            let text = files.data(member.size, LARGEST_CONTROL, "`control`")?;
            return Ok(String::from_utf8_lossy(&text).into_owned());
        }
    }
    Err(Error::malformed("package", "control.tar", "no file `control`"))
}

/// A field of a control file (deb822(5)), with its continuation lines.
fn field(control: &str, name: &str) -> Option<String> {
    let mut lines = control.lines();
    let first = lines.by_ref().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then_some(value)
    })?;
    let mut value = first.trim().to_owned();
    for line in lines.take_while(|line| line.starts_with([' ', '\t'])) {
        value.push(' ');
        value.push_str(line.trim());
    }
    (!value.is_empty()).then_some(value)
}

/// The package names in a dependency field, without versions and architectures.
fn names(depends: &str) -> Vec<String> {
    depends
        .split([',', '|'])
        .map(|one| first_word(one.trim_start()).to_owned())
        .filter(|n| !n.is_empty())
        .collect()
}

fn first_word(text: &str) -> &str {
    text.split([' ', '(', ':', '\t']).next().unwrap_or_default()
}
