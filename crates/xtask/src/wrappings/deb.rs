//! Debian's and Ubuntu's packages, by `dpkg-deb`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::build::Build;
use super::tool;
use super::{Expected, Wrapping};

const TOOLS: &[&str] = &["dpkg-deb"];

pub fn wrappings() -> Vec<Wrapping> {
    let mut all = Vec::new();
    for (kind, level) in [("xz", "0"), ("zstd", "1"), ("gzip", "1"), ("none", "0")] {
        all.push(Wrapping {
            group: "Debian: a package of the debug information, one of the image",
            name: format!("`data.tar` compressed as {kind}"),
            tools: TOOLS,
            has_modules: true,
            has_config: true,
            expected: Expected::Same,
            make: Box::new(move |build, place| debian(build, place, kind, level)),
        });
    }
    all.push(Wrapping {
        group: "Ubuntu: `.ddeb`, image, modules",
        name: "all compressed as zstd, modules stripped and whole".into(),
        tools: TOOLS,
        has_modules: true,
        has_config: true,
        expected: Expected::Same,
        make: Box::new(ubuntu),
    });
    all
}

/// Whole modules beside the vmlinux; the image package has stripped ones, which nobody needs then.
fn debian(build: &Build, place: &Path, kind: &str, level: &str) -> Result<Vec<PathBuf>> {
    let release = &build.release;
    let (debug, image) = (place.join("debug"), place.join("image"));
    build.put(&build.vmlinux, &debug, &format!("usr/lib/debug/boot/vmlinux-{release}"))?;
    build.put_all(&build.modules, &debug, &format!("usr/lib/debug/lib/modules/{release}"))?;
    build.put(&build.config, &image, &format!("boot/config-{release}"))?;
    build.put(&build.vmlinuz, &image, &format!("boot/vmlinuz-{release}"))?;
    build.put_all(&build.stripped, &image, &format!("usr/lib/modules/{release}"))?;
    tool::shell(&image, "find . -name '*.ko' -exec xz -0 -f {} +", &[])?;
    let debug = package(&debug, &build.package, &build.version, "Debian Kernel Team", "deb", (kind, level))?;
    let name = format!("linux-image-{release}");
    let image = package(&image, &name, &build.version, "Debian Kernel Team", "deb", (kind, level))?;
    Ok(vec![debug, image])
}

/// The vmlinux and whole modules in one package, the bootable image, the configuration with stripped modules, and further
/// modules in others.
fn ubuntu(build: &Build, place: &Path) -> Result<Vec<PathBuf>> {
    let release = &build.release;
    let root = |name: &str| place.join(name);
    build.put(&build.vmlinux, &root("debug"), &format!("usr/lib/debug/boot/vmlinux-{release}"))?;
    build.put_all(&build.modules, &root("debug"), &format!("usr/lib/debug/lib/modules/{release}"))?;
    build.put(&build.vmlinuz, &root("image"), &format!("boot/vmlinuz-{release}"))?;
    build.put(&build.config, &root("modules"), &format!("boot/config-{release}"))?;
    for (package, directory) in [("modules", "drivers"), ("extra", "fs")] {
        let from = build.stripped.join("kernel").join(directory);
        build.put_all(&from, &root(package), &format!("lib/modules/{release}/kernel/{directory}"))?;
        tool::shell(&root(package), "find . -name '*.ko' -exec zstd -q --rm {} +", &[])?;
    }
    [
        ("debug", format!("linux-image-unsigned-{release}-dbgsym"), "ddeb"),
        ("image", format!("linux-image-unsigned-{release}"), "deb"),
        ("modules", format!("linux-modules-{release}"), "deb"),
        ("extra", format!("linux-modules-extra-{release}"), "deb"),
    ]
    .into_iter()
    .map(|(directory, name, ending)| {
        package(
            &root(directory),
            &name,
            &build.version,
            "Kernel Team <nobody@lists.ubuntu.com>",
            ending,
            ("zstd", "1"),
        )
    })
    .collect()
}

/// Packs a tree.
fn package(
    root: &Path,
    name: &str,
    version: &str,
    maintainer: &str,
    ending: &str,
    (kind, level): (&str, &str),
) -> Result<PathBuf> {
    let control = format!(
        "Package: {name}\nSource: linux\nVersion: {version}\nArchitecture: amd64\nMaintainer: {maintainer}\n\
         Description: a kernel\n"
    );
    let directory = root.join("DEBIAN");
    fs::create_dir_all(&directory).with_context(|| format!("cannot create `{}`", directory.display()))?;
    fs::write(directory.join("control"), control).context("cannot write a control file")?;
    let file = root.with_file_name(format!("{name}_{version}_amd64.{ending}"));
    let line = format!("dpkg-deb --root-owner-group -Z{kind} -z{level} --build . $1");
    tool::shell(root, &line, &[&file])?;
    fs::remove_dir_all(root).with_context(|| format!("cannot remove `{}`", root.display()))?;
    Ok(file)
}
