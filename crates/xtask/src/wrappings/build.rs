//! The kernel that is wrapped: what its build left, out of Debian's packages.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::tool;
use crate::packages::{self, Line, STARTER};

/// The kernel: its image has a complete symbol table and BTF.
const KERNEL: Line = STARTER[3];

/// Modules that go with it, by their paths without the ending; small ones and large ones, some of which use others.
pub const MODULES: [&str; 12] = [
    "kernel/drivers/block/virtio_blk",
    "kernel/drivers/net/virtio_net",
    "kernel/fs/btrfs/btrfs",
    "kernel/fs/fuse/cuse",
    "kernel/fs/nfs/blocklayout/blocklayoutdriver",
    "kernel/fs/nfs/flexfilelayout/nfs_layout_flexfiles",
    "kernel/fs/nfs/nfs",
    "kernel/fs/nfs/nfsv4",
    "kernel/fs/nfs_common/nfs_acl",
    "kernel/fs/nfsd/nfsd",
    "kernel/fs/overlayfs/overlay",
    "kernel/fs/xfs/xfs",
];

/// What there is to wrap.
pub struct Build {
    /// What `uname -r` says.
    pub release: String,
    /// Version of Debian's package.
    pub version: String,
    /// Name of Debian's debug package.
    pub package: String,
    pub vmlinux: PathBuf,
    pub config: PathBuf,
    pub vmlinuz: PathBuf,
    /// The package with the image, as it is.
    pub image_package: PathBuf,
    /// Whole modules, below `kernel`.
    pub modules: PathBuf,
    /// The same as Debian strips them.
    pub stripped: PathBuf,
    /// `vmlinux` and the whole modules, as a build has them: what modules are compared with.
    pub tree: PathBuf,
}

impl Build {
    /// Takes a kernel apart, by `dpkg-deb` and `tar`; what is there already is used again.
    pub fn unpack(place: &Path) -> Result<Self> {
        let debug = packages::debug_package(&KERNEL)?;
        let (release, version) = packages::release(&KERNEL)?;
        let image = packages::package(&KERNEL, &format!("linux-image-{release}"), &version)?;
        let build = Self {
            package: format!("linux-image-{release}-dbg"),
            vmlinux: place.join("vmlinux"),
            config: place.join("config"),
            vmlinuz: place.join("vmlinuz"),
            image_package: image.clone(),
            modules: place.join("modules"),
            stripped: place.join("stripped"),
            tree: place.join("tree"),
            release,
            version,
        };
        if build.tree.is_dir() {
            return Ok(build);
        }
        let temporary = place.with_extension("tmp");
        let _ = fs::remove_dir_all(&temporary);
        fs::create_dir_all(&temporary).with_context(|| format!("cannot create `{}`", temporary.display()))?;
        eprintln!("unpacking {}", debug.display());
        let mut list: Vec<String> = MODULES.iter().map(|module| format!("*/{module}.ko*")).collect();
        list.extend(["*/vmlinux*", "*/vmlinuz*", "*/config-*"].map(str::to_owned));
        let wanted = temporary.join("wanted");
        fs::write(&wanted, list.join("\n")).context("cannot write a list of files")?;
        let take =
            "mkdir $1 && dpkg-deb --fsys-tarfile $2 | tar -C $1 --wildcards -xf - -T $3 2>/dev/null || true";
        tool::shell(&temporary, take, &[Path::new("debug"), &debug, &wanted])?;
        tool::shell(&temporary, take, &[Path::new("image"), &image, &wanted])?;
        let sort = "mv $(find debug -type f -name 'vmlinux*' ! -name '*.py' -size +1M) vmlinux
            mv $(find image -type f -name 'config-*') config
            mv $(find image -type f -name 'vmlinuz*') vmlinuz
            mkdir modules stripped tree
            mv $(find debug -type d -path '*/lib/modules/*/kernel' | head -n 1) modules/kernel
            mv $(find image -type d -path '*/lib/modules/*/kernel' | head -n 1) stripped/kernel
            find stripped -name '*.xz' -exec xz -d {} +
            cp -al modules/kernel/. tree && ln vmlinux tree/vmlinux && ln config tree/.config
            rm -r debug image wanted";
        tool::shell(&temporary, sort, &[])?;
        fs::rename(&temporary, place).with_context(|| format!("cannot create `{}`", place.display()))?;
        Ok(build)
    }

    /// Links a file into a tree.
    pub fn put(&self, file: &Path, root: &Path, path: &str) -> Result<()> {
        let to = root.join(path);
        let parent = to.parent().context("a path in a tree has a parent")?;
        fs::create_dir_all(parent).with_context(|| format!("cannot create `{}`", parent.display()))?;
        fs::hard_link(file, &to).with_context(|| format!("cannot link `{}`", to.display()))
    }

    /// Links all files of a directory into a tree.
    pub fn put_all(&self, files: &Path, root: &Path, path: &str) -> Result<()> {
        let to = root.join(path);
        fs::create_dir_all(&to).with_context(|| format!("cannot create `{}`", to.display()))?;
        tool::shell(root, "cp -al $1/. $2", &[files, &to])
    }
}
