//! The vmlinux as a file: plain, compressed, with compressed debug sections, after `dwz`; and in directories.

use std::fs;
use std::path::Path;

use anyhow::Result;
use testkit::Target;
use testkit::elf::Machine;
use testkit::kernel::Kernel;

use super::build::Build;
use super::tool::{self, COMPRESSIONS};
use super::{Expected, Wrapping};

const GROUP: &str = "A file or a directory";

/// What the older way to compress sections changes.
const ZDEBUG: Expected = Expected::Explained(
    "The older way to compress `.debug_info` calls it `.zdebug_info`, and so the symbols of sections.",
    &["symbols of sections"],
);

pub fn wrappings() -> Vec<Wrapping> {
    let mut all = Vec::new();
    for compression in COMPRESSIONS {
        let (ending, command) = (compression.ending, compression.command);
        all.push(Wrapping {
            group: GROUP,
            name: format!("`vmlinux.{ending}`"),
            tools: match ending {
                "gz" => &["gzip"],
                "xz" => &["xz"],
                "zst" => &["zstd"],
                "bz2" => &["bzip2"],
                _ => &["lz4"],
            },
            has_modules: false,
            has_config: false,
            expected: Expected::Same,
            make: Box::new(move |build, place| {
                let file = place.join(format!("vmlinux.{ending}"));
                tool::shell(place, &format!("{command} $1 > $2"), &[&build.vmlinux, &file])?;
                Ok(vec![file])
            }),
        });
    }
    for (kind, expected) in [("zlib-gnu", ZDEBUG), ("zlib-gabi", Expected::Same), ("zstd", Expected::Same)] {
        all.push(section(
            format!("debug sections compressed as {kind}"),
            &["objcopy"],
            expected,
            move |build, place| {
                tool::shell(
                    place,
                    &format!("objcopy --compress-debug-sections={kind} $1 vmlinux"),
                    &[&build.vmlinux],
                )
            },
        ));
    }
    all.push(section("after `dwz`: partial units".into(), &["dwz"], Expected::Same, |build, place| {
        tool::shell(place, "dwz -o vmlinux $1", &[&build.vmlinux])
    }));
    all.push(Wrapping {
        group: GROUP,
        name: "the place of a build".into(),
        tools: &["cp"],
        has_modules: true,
        has_config: true,
        expected: Expected::Same,
        make: Box::new(|build, place| {
            build.put_all(&build.modules.join("kernel"), place, "")?;
            build.put(&build.vmlinux, place, "vmlinux")?;
            build.put(&build.config, place, ".config")?;
            build.put(&build.vmlinuz, place, "arch/x86/boot/bzImage")?;
            // The decompressor has the same name; here it is even a kernel, of which nothing may be read.
            let other = Kernel::sample(Machine::X86_64, Target::LE64).build().bytes();
            let directory = place.join("arch/x86/boot/compressed");
            fs::create_dir_all(&directory).and_then(|()| fs::write(directory.join("vmlinux"), other))?;
            Ok(vec![place.to_owned()])
        }),
    });
    all.push(Wrapping {
        group: GROUP,
        name: "an unpacked debug package".into(),
        tools: &["cp"],
        has_modules: true,
        has_config: true,
        expected: Expected::Same,
        make: Box::new(|build, place| {
            let release = &build.release;
            build.put(&build.vmlinux, place, &format!("usr/lib/debug/boot/vmlinux-{release}"))?;
            build.put(&build.config, place, &format!("boot/config-{release}"))?;
            build.put_all(&build.modules, place, &format!("usr/lib/debug/lib/modules/{release}"))?;
            Ok(vec![place.to_owned()])
        }),
    });
    all
}

/// A vmlinux that a program made of the vmlinux.
fn section(
    name: String,
    tools: &'static [&'static str],
    expected: Expected,
    make: impl Fn(&Build, &Path) -> Result<()> + 'static,
) -> Wrapping {
    Wrapping {
        group: GROUP,
        name,
        tools,
        has_modules: false,
        has_config: false,
        expected,
        make: Box::new(move |build, place| {
            make(build, place)?;
            Ok(vec![place.join("vmlinux")])
        }),
    }
}
