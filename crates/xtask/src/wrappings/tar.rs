//! Tar archives, as `make tar-pkg` leaves them.

use anyhow::Result;

use super::build::Build;
use super::tool::{self, COMPRESSIONS, Compression};
use super::{Expected, Wrapping};

pub fn wrappings() -> Vec<Wrapping> {
    let plain = Compression { ending: "", command: "cat" };
    let all = std::iter::once(plain).chain(COMPRESSIONS);
    all.map(|Compression { ending, command, .. }| Wrapping {
        group: "`make tar-pkg`: `boot` and `lib/modules`",
        name: if ending.is_empty() { "plain".into() } else { format!("`.tar.{ending}`") },
        tools: match ending {
            "gz" => &["tar", "gzip"],
            "xz" => &["tar", "xz"],
            "zst" => &["tar", "zstd"],
            "bz2" => &["tar", "bzip2"],
            "lz4" => &["tar", "lz4"],
            _ => &["tar"],
        },
        has_modules: true,
        has_config: true,
        expected: Expected::Same,
        make: Box::new(move |build, place| {
            let root = place.join("root");
            tree(build, &root)?;
            let file = place.join(format!("linux.tar.{ending}"));
            tool::shell(&root, &format!("tar --sort=name -cf - boot lib | {command} > $1"), &[&file])?;
            Ok(vec![file])
        }),
    })
    .collect()
}

fn tree(build: &Build, root: &std::path::Path) -> Result<()> {
    let release = &build.release;
    build.put(&build.vmlinux, root, &format!("boot/vmlinux-{release}"))?;
    build.put(&build.vmlinuz, root, &format!("boot/vmlinuz-{release}"))?;
    build.put(&build.config, root, &format!("boot/config-{release}"))?;
    build.put_all(&build.modules, root, &format!("lib/modules/{release}"))
}
