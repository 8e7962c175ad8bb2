//! The vmlinux in two files: code in one, debug information in the other.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::build::Build;
use super::tool;
use super::{Expected, Wrapping};

/// What `eu-strip` leaves out of a symbol table.
pub const EU_STRIP: Expected = Expected::Explained(
    "`eu-strip` leaves the symbol table with the code, without the symbols of the sections that it moves away.",
    &["symbols of sections"],
);

/// A program that splits, and what it makes of a file: code in `$2`, debug information in `$3`.
#[derive(Clone, Copy)]
pub struct Splitter {
    pub program: &'static str,
    command: &'static str,
    pub expected: Expected,
}

/// What Debian's rules and many others use.
pub const OBJCOPY: Splitter = Splitter {
    program: "objcopy",
    command: "objcopy --strip-debug $1 $2 && objcopy --only-keep-debug $1 $3",
    expected: Expected::Same,
};

/// The same, without a symbol table where the code is.
const OBJCOPY_ALL: Splitter = Splitter {
    program: "objcopy",
    command: "objcopy --strip-all $1 $2 && objcopy --only-keep-debug $1 $3",
    expected: Expected::Same,
};

/// What `find-debuginfo` of RPM runs.
pub const ELFUTILS: Splitter =
    Splitter { program: "eu-strip", command: "eu-strip --remove-comment -f $3 -o $2 $1", expected: EU_STRIP };

impl Splitter {
    pub fn split(self, file: &Path, place: &Path) -> Result<(PathBuf, PathBuf)> {
        let (code, debug) = (place.join("code"), place.join("debug"));
        tool::shell(place, self.command, &[file, &code, &debug])?;
        Ok((code, debug))
    }

    /// Splits each module of a tree: the files with debug information end in `.debug`.
    pub fn split_all(self, modules: &Path, code: &Path, debug: &Path) -> Result<()> {
        let each = format!(
            "one() {{ {}; }}
            (cd $1 && find . -name '*.ko') | while read -r path; do
                mkdir -p $(dirname $2/$path) $(dirname $3/$path)
                one $1/$path $2/$path $3/$path.debug
            done",
            self.command
        );
        tool::shell(modules, &each, &[modules, code, debug])
    }
}

pub fn wrappings() -> Vec<Wrapping> {
    let mut all = Vec::new();
    for (name, splitter) in [
        ("`objcopy --strip-debug` and `--only-keep-debug`", OBJCOPY),
        ("`objcopy --strip-all` and `--only-keep-debug`", OBJCOPY_ALL),
        ("`eu-strip -f`", ELFUTILS),
    ] {
        all.push(wrapping(name, splitter, |build, (code, debug), place| {
            let names = ["", ".debug"].map(|ending| format!("vmlinux-{}{ending}", build.release));
            build.put(&code, place, &names[0])?;
            build.put(&debug, place, &names[1])?;
            Ok(names.iter().map(|name| place.join(name)).collect())
        }));
    }
    all.push(wrapping("the same in a directory, `vmlinux.xz` and `vmlinux.debug`", OBJCOPY, |_, (code, debug), place| {
        let root = place.join("root");
        let line = "mkdir -p $3/boot $3/usr/lib/debug/boot && xz -0 -T2 -c $1 > $3/boot/vmlinux.xz && ln $2 $3/usr/lib/debug/boot/vmlinux.debug";
        tool::shell(place, line, &[&code, &debug, &root])?;
        Ok(vec![root])
    }));
    all
}

fn wrapping(
    name: &str,
    splitter: Splitter,
    make: impl Fn(&Build, (PathBuf, PathBuf), &Path) -> Result<Vec<PathBuf>> + 'static,
) -> Wrapping {
    Wrapping {
        group: "Code and debug information apart",
        name: name.into(),
        tools: if splitter.program == "objcopy" { &["objcopy"] } else { &["eu-strip"] },
        has_modules: false,
        has_config: false,
        expected: splitter.expected,
        make: Box::new(move |build, place| make(build, splitter.split(&build.vmlinux, place)?, place)),
    }
}
