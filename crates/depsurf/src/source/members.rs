//! The kernel files among the members of a package or an archive, by name and contents.

use super::archive::Archive;
use super::search::Search;
use super::tar::Member;
use super::{boot, btf, carrier, compressed, elf};
use crate::error::{Error, Result};

/// The largest kernel configuration that is read; they are below 1 MiB.
pub const LARGEST_CONFIG: u64 = 16 << 20;
/// The largest bootable image, and the largest BTF, that is read; they are below 64 MiB.
const LARGEST_OTHER: u64 = 512 << 20;

/// Enough to tell whether a file that may be a carrier is worth reading.
const HEAD: u64 = 64 << 10;

/// Something with members one behind the other: a tar archive, or the payload of an RPM package.
pub trait Files<'a> {
    /// Goes to the next member; `None` at the end.
    ///
    /// # Errors
    /// When the archive is cut or damaged.
    fn next(&mut self) -> Result<Option<Member>>;

    /// The archive, which after [`Files::next`] is at the first byte of the member's data.
    fn archive(&mut self) -> &mut Archive<'a>;

    /// The data of the current member.
    ///
    /// # Errors
    /// When it is larger than `limit`, cut or damaged.
    fn data(&mut self, size: u64, limit: u64, what: &str) -> Result<Vec<u8>> {
        if size > limit {
            return Err(Error::Limit {
                what: format!("{what} of {size} bytes"),
                limit: format!("{limit} bytes"),
            });
        }
        // The size is a promise only: memory follows the bytes that are really there.
        let mut data = Vec::new();
        let mut left = size as usize;
        while left > 0 {
            let (have, now) = (data.len(), left.min(1 << 20));
            data.resize(have + now, 0);
            self.archive().read_exact(&mut data[have..], what)?;
            left -= now;
        }
        Ok(data)
    }

    /// Goes past modules, where that is possible without looking at each; returns whether it went.
    ///
    /// # Errors
    /// When a block is damaged.
    fn ahead(&mut self, _search: &mut Search, _path: &str) -> Result<bool> {
        Ok(false)
    }

    /// Goes back to where a search began.
    fn jump(&mut self, _position: u64) {}
}

/// Where a walk to the vmlinux ended.
pub enum Found {
    /// At a vmlinux.
    Vmlinux {
        /// The member.
        member: Member,
        /// Its first bytes: all of the ELF header. The archive is behind them.
        head: Vec<u8>,
    },
    /// At something else that tells of a kernel, where there is no vmlinux.
    Other(Other),
    /// At the end of the package.
    Nothing {
        /// A member that has the name of a vmlinux and is no ELF file.
        not_elf: Option<String>,
    },
}

/// A bootable image, a compressed vmlinux or one with the name of a bootable image, or bare BTF.
pub struct Other {
    /// Its path.
    pub path: String,
    /// Its contents.
    pub data: Vec<u8>,
}

/// Walks to the vmlinux, and picks up a config that comes before; without a vmlinux, to the first bootable image or
/// BTF. `both` says that there may be a vmlinux behind a bootable image: no package has both, and to walk through
/// all of its modules would take seconds.
///
/// # Errors
/// When the archive is cut or damaged.
pub fn find_vmlinux<'a>(files: &mut impl Files<'a>, both: bool) -> Result<(Found, Option<Text>)> {
    let mut walk = Walk { config: None, other: None, not_elf: None, both };
    let mut search = Search::default();
    let found = walk.go(files, Some(&mut search));
    let found = match (search.origin(), &found) {
        // Nothing is missed by jumping when the package is sorted, as they all should be.
        (Some(origin), Ok(None) | Err(_)) if walk.other.is_none() => {
            files.jump(origin);
            walk.go(files, None)
        }
        _ => found,
    }?;
    let found = match (found, walk.other) {
        (Some((member, head)), _) => Found::Vmlinux { member, head },
        (None, Some(other)) => Found::Other(other),
        (None, None) => Found::Nothing { not_elf: walk.not_elf },
    };
    Ok((found, walk.config))
}

/// What was met on the way.
struct Walk {
    config: Option<Text>,
    other: Option<Other>,
    not_elf: Option<String>,
    both: bool,
}

impl Walk {
    /// Walks to the vmlinux, with a search over modules and else through them.
    fn go<'a>(
        &mut self,
        files: &mut impl Files<'a>,
        mut search: Option<&mut Search>,
    ) -> Result<Option<(Member, Vec<u8>)>> {
        while let Some(member) = files.next()? {
            if let Some(search) = &mut search
                && files.ahead(search, &member.path)?
            {
                continue;
            }
            if !member.regular {
                continue;
            }
            if self.config.is_none() && is_config(&member.path) {
                self.config = text(files, member)?;
            } else if is_vmlinux(&member.path) {
                let mut head = vec![0; member.size.min(elf::HEADER) as usize];
                files.archive().read_exact(&mut head, "vmlinux")?;
                if head.starts_with(elf::MAGIC) {
                    return Ok(Some((member, head)));
                }
                // Debian's riscv64 has its bootable image under this name, SUSE a compressed vmlinux.
                let rest = member.size.saturating_sub(head.len() as u64);
                if self.other.is_none() && (boot::is_bootable(&head) || compressed::is_compressed(&head)) {
                    let rest = files.data(rest, LARGEST_OTHER, "vmlinux")?;
                    let data = [head, rest].concat();
                    if boot::is_bootable(&data) || compressed::holds_kernel(&data) {
                        self.other = Some(Other { path: member.path, data });
                        if !self.both {
                            break;
                        }
                        continue;
                    }
                }
                self.not_elf.get_or_insert(member.path);
            } else if self.other.is_none() && is_other(&member.path) {
                let data = files.data(member.size, LARGEST_OTHER, "bootable image")?;
                // Debian's ppc64el has a vmlinux under this name since 7.2.
                if is_image(&data)
                    || compressed::is_compressed(&data)
                    || btf::is_btf(&data)
                    || data.starts_with(elf::MAGIC)
                {
                    self.other = Some(Other { path: member.path, data });
                    if !self.both {
                        break;
                    }
                }
            } else if self.other.is_none() && is_carrier(&member.path) {
                // Boot loaders and file systems have such names, too, and are not read.
                let mut head = vec![0; member.size.min(HEAD) as usize];
                files.archive().read_exact(&mut head, "image")?;
                if !is_image(&head) {
                    continue;
                }
                let rest = files.data(member.size - head.len() as u64, LARGEST_OTHER, "bootable image")?;
                let data = [head, rest].concat();
                if is_image(&data) {
                    self.other = Some(Other { path: member.path, data });
                    if !self.both {
                        break;
                    }
                }
            }
        }
        Ok(None)
    }
}

/// `boot/vmlinuz-R`, `lib/modules/R/vmlinuz`, the names that the kernel's build gives, and those of BTFHub.
pub fn is_other(path: &str) -> bool {
    let name = split(path).1;
    let is_named = |name: &str| {
        ["vmlinuz", "bzImage", "zImage", "Image", "uImage", "fitImage"].iter().any(|image| {
            name.strip_prefix(image).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '.']))
        })
    };
    is_named(name) || name.ends_with(".btf")
}

/// Whether a file is a bootable image, or a carrier that has a kernel or is damaged.
pub fn is_image(bytes: &[u8]) -> bool {
    boot::is_bootable(bytes) || carrier::may_have_kernel(bytes)
}

/// Names that what boot loaders take has, and others, too: `EFI/Linux/*.efi`, `boot.img`, `boot-R.img`, `*.itb`.
pub fn is_carrier(path: &str) -> bool {
    // The file systems of boot partitions keep no case.
    let name = split(path).1.to_ascii_lowercase();
    name.ends_with(".efi") || name.ends_with(".itb") || name.starts_with("boot") && name.ends_with(".img")
}

/// A text file of a package.
pub struct Text {
    /// Its path.
    pub path: String,
    /// Its contents.
    pub text: String,
}

/// Walks to the config.
///
/// # Errors
/// When the archive is cut or damaged.
pub fn find_config<'a>(files: &mut impl Files<'a>) -> Result<Option<Text>> {
    while let Some(member) = files.next()? {
        if member.regular
            && is_config(&member.path)
            && let Some(text) = text(files, member)?
        {
            return Ok(Some(text));
        }
    }
    Ok(None)
}

/// The contents of a member that has the name of a config, if it is one.
fn text<'a>(files: &mut impl Files<'a>, member: Member) -> Result<Option<Text>> {
    let data = files.data(member.size, LARGEST_CONFIG, "kernel config")?;
    let text = String::from_utf8(data).ok().filter(|text| is_config_text(text));
    Ok(text.map(|text| Text { path: member.path, text }))
}

/// Whether a text is a kernel configuration: it sets an option or says that one is not set.
#[must_use]
pub fn is_config_text(text: &str) -> bool {
    text.lines().any(|line| line.strip_prefix("# ").unwrap_or(line).starts_with("CONFIG_"))
}

/// Debian up to 6.12 and Ubuntu have it at `boot/config-R`, Debian since 7.2 at `usr/lib/modules/R/config`,
/// and header packages at `usr/src/linux-headers-R/.config`.
pub fn is_config(path: &str) -> bool {
    let (directory, name) = split(path);
    let parent = split(directory);
    (name.starts_with("config-") && parent.1 == "boot")
        || (name == "config" && split(parent.0).1 == "modules")
        || (name == ".config" && parent.1.starts_with("linux-headers-"))
}

/// Debian up to 6.12 and Ubuntu have it at `usr/lib/debug/boot/vmlinux-R`, Debian since 7.2, Fedora and packages
/// made by the kernel's own rules at `usr/lib/debug/lib/modules/R/vmlinux`. SUSE has its code at `boot/vmlinux-R.xz` or
/// `usr/lib/modules/R/vmlinux.xz`, and the rest at the same place below `usr/lib/debug` with the ending `.debug`.
pub fn is_vmlinux(path: &str) -> bool {
    let name = split(path).1;
    name.starts_with("vmlinux-") || without_ending(name) == "vmlinux"
}

/// Whether a file is named as a half with debug information.
pub fn is_debug_half(path: &str) -> bool {
    is_vmlinux(path) && path.ends_with(DEBUG)
}

/// What the names of files with debug information end in.
const DEBUG: &str = ".debug";

/// A name without what says how a file is packed.
pub fn without_ending(name: &str) -> &str {
    let mut endings = [".xz", ".zst", ".gz", ".bz2", ".lz4", ".lzma", ".lzo", DEBUG].iter();
    endings.find_map(|ending| name.strip_suffix(ending)).unwrap_or(name)
}

/// Directory and name of a path.
pub fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}
