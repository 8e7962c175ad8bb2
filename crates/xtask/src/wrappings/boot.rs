//! Bootable images and bare BTF: a part of the surface.

use super::tool;
use super::{Expected, Make, Wrapping};

const IMAGE: Expected = Expected::Partial("no debug information");

pub fn wrappings() -> Vec<Wrapping> {
    vec![
        wrapping(
            "`vmlinuz`, a bzImage",
            &["cp"],
            false,
            IMAGE,
            Box::new(|build, _| Ok(vec![build.vmlinuz.clone()])),
        ),
        wrapping(
            "Debian's package of the image, as it is",
            &["dpkg-deb"],
            true,
            IMAGE,
            Box::new(|build, _| Ok(vec![build.image_package.clone()])),
        ),
        wrapping(
            "the kernel of the bzImage in gzip",
            &["gzip", "objcopy"],
            false,
            IMAGE,
            Box::new(|build, place| {
                // What `arch/x86/boot/compressed/Makefile` compresses into the bzImage.
                let file = place.join("vmlinux.bin.gz");
                let line = "objcopy -R .comment -S $1 vmlinux.bin && gzip -1 -c vmlinux.bin > $2";
                tool::shell(place, line, &[&build.vmlinux, &file])?;
                Ok(vec![file])
            }),
        ),
        wrapping(
            "stripped by `strip`",
            &["strip"],
            false,
            IMAGE,
            Box::new(|build, place| {
                let file = place.join("vmlinux");
                tool::shell(place, "strip -o $2 $1", &[&build.vmlinux, &file])?;
                Ok(vec![file])
            }),
        ),
        wrapping(
            "without debug information, with symbols",
            &["objcopy"],
            false,
            Expected::Partial("no DWARF"),
            Box::new(|build, place| {
                let file = place.join("vmlinux");
                tool::shell(place, "objcopy --strip-debug $1 $2", &[&build.vmlinux, &file])?;
                Ok(vec![file])
            }),
        ),
        wrapping(
            "bare BTF, as BTFHub packs it",
            &["objcopy", "tar", "xz"],
            false,
            Expected::Types("types alone"),
            Box::new(|build, place| {
                let name = format!("{}.btf", build.release);
                let line = format!(
                    "objcopy --dump-section .BTF={name} $1 scratch && rm scratch
                    tar -cJf {name}.tar.xz {name}"
                );
                tool::shell(place, &line, &[&build.vmlinux])?;
                Ok(vec![place.join(format!("{name}.tar.xz"))])
            }),
        ),
    ]
}

fn wrapping(
    name: &str,
    tools: &'static [&'static str],
    has_config: bool,
    expected: Expected,
    make: Make,
) -> Wrapping {
    let group = "A part of a kernel";
    Wrapping { group, name: name.into(), tools, has_modules: false, has_config, expected, make }
}
