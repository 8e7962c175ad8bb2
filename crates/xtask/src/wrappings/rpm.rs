//! Packages of Fedora, Red Hat and SUSE, by `rpmbuild`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::build::Build;
use super::half::{ELFUTILS, OBJCOPY, Splitter};
use super::tool;
use super::{Expected, Wrapping};

const FEDORA: &str = "Fedora and Red Hat: `kernel-debuginfo`, `kernel-core`, `kernel-modules-core`";
const SUSE: &str = "SUSE: `kernel-default-debuginfo`, `kernel-default`";

pub fn wrappings() -> Vec<Wrapping> {
    let mut all = Vec::new();
    for (name, payload) in [
        ("payload in zstd, as Fedora has it", "w1.zstdio"),
        ("payload in xz, as Red Hat 8 has it", "w0T2.xzdio"),
        ("payload in gzip", "w1.gzdio"),
        ("payload in bzip2", "w1.bzdio"),
    ] {
        all.push(Wrapping {
            group: FEDORA,
            name: name.into(),
            tools: &["rpmbuild", "objcopy"],
            has_modules: true,
            has_config: true,
            expected: Expected::Same,
            make: Box::new(move |build, place| fedora(build, place, payload)),
        });
    }
    all.push(Wrapping {
        group: SUSE,
        name: "`boot/vmlinux-*.xz`, split by `eu-strip`, payload in xz".into(),
        tools: &["rpmbuild", "eu-strip"],
        has_modules: true,
        has_config: true,
        expected: ELFUTILS.expected,
        make: Box::new(|build, place| {
            suse(build, place, "w0T2.xzdio", ELFUTILS, &Places::boot(&build.release))
        }),
    });
    all.push(Wrapping {
        group: SUSE,
        name: "`usr/lib/modules/*/vmlinux.xz`, split by `objcopy`, payload in zstd".into(),
        tools: &["rpmbuild", "objcopy"],
        has_modules: true,
        has_config: true,
        expected: Expected::Same,
        make: Box::new(|build, place| suse(build, place, "w1.zstdio", OBJCOPY, &Places::usr(&build.release))),
    });
    all
}

/// A whole vmlinux; modules in halves, those with code in xz.
fn fedora(build: &Build, place: &Path, payload: &str) -> Result<Vec<PathBuf>> {
    let release = &build.release;
    let mut source = Source::new(place, payload);
    let debug = source.root("kernel-debuginfo");
    build.put(&build.vmlinux, &debug, &format!("usr/lib/debug/lib/modules/{release}/vmlinux"))?;
    let core = source.root("kernel-core");
    build.put(&build.config, &core, &format!("lib/modules/{release}/config"))?;
    build.put(&build.vmlinuz, &core, &format!("lib/modules/{release}/vmlinuz"))?;
    let code = source.root("kernel-modules-core").join(format!("lib/modules/{release}"));
    OBJCOPY.split_all(&build.modules, &code, &debug.join(format!("usr/lib/debug/lib/modules/{release}")))?;
    tool::shell(&code, "find . -name '*.ko' -exec xz -0 -f {} +", &[])?;
    source.build()
}

/// Where SUSE's packages have the vmlinux and modules.
struct Places {
    code: String,
    debug: String,
    config: String,
    modules: String,
}

impl Places {
    /// Leap and SLE.
    fn boot(release: &str) -> Self {
        Self {
            code: format!("boot/vmlinux-{release}.xz"),
            debug: format!("usr/lib/debug/boot/vmlinux-{release}.debug"),
            config: format!("boot/config-{release}"),
            modules: format!("lib/modules/{release}"),
        }
    }

    /// Since everything is below `/usr`.
    fn usr(release: &str) -> Self {
        let modules = format!("usr/lib/modules/{release}");
        Self {
            code: format!("{modules}/vmlinux.xz"),
            debug: format!("usr/lib/debug/{modules}/vmlinux.debug"),
            config: format!("{modules}/config"),
            modules,
        }
    }
}

/// Everything in halves: the code of the vmlinux in xz, that of modules in zstd.
fn suse(
    build: &Build,
    place: &Path,
    payload: &str,
    splitter: Splitter,
    places: &Places,
) -> Result<Vec<PathBuf>> {
    let mut source = Source::new(place, payload);
    let (default, debug) = (source.root("kernel-default"), source.root("kernel-default-debuginfo"));
    let halves = splitter.split(&build.vmlinux, place)?;
    tool::shell(place, "xz -0 -T2 $1", &[&halves.0])?;
    build.put(&halves.0.with_extension("xz"), &default, &places.code)?;
    build.put(&halves.1, &debug, &places.debug)?;
    build.put(&build.config, &default, &places.config)?;
    build.put(&build.vmlinuz, &default, &format!("boot/vmlinuz-{}", build.release))?;
    let code = default.join(&places.modules);
    splitter.split_all(&build.modules, &code, &debug.join(format!("usr/lib/debug/{}", places.modules)))?;
    tool::shell(&code, "find . -name '*.ko' -exec zstd -q --rm {} +", &[])?;
    source.build()
}

/// A source package: the trees of the packages it makes.
struct Source<'a> {
    place: &'a Path,
    payload: &'a str,
    roots: BTreeMap<&'static str, PathBuf>,
}

impl<'a> Source<'a> {
    fn new(place: &'a Path, payload: &'a str) -> Self {
        Self { place, payload, roots: BTreeMap::new() }
    }

    /// The tree of a package.
    fn root(&mut self, package: &'static str) -> PathBuf {
        self.roots.entry(package).or_insert_with(|| self.place.join("roots").join(package)).clone()
    }

    /// Builds all packages. The scripts that would strip and compress files again are left out.
    fn build(self) -> Result<Vec<PathBuf>> {
        let mut spec = String::from(
            "Name: kernel\nVersion: 6.12.107\nRelease: 1\nSummary: a kernel\nLicense: GPL-2.0-only\nAutoReqProv: no\n\
             %global debug_package %{nil}\n%global __os_install_post %{nil}\n%global _build_id_links none\n\
             %global _missing_build_ids_terminate_build 0\n\
             %description\na kernel\n",
        );
        let mut install = String::from("%install\nmkdir -p %{buildroot}\n");
        for (name, root) in &self.roots {
            let list = self.place.join(format!("{name}.list"));
            tool::shell(root, "find . -type f | sed 's/^[.]//' | sort > $1", &[&list])?;
            writeln!(spec, "%package -n {name}\nSummary: a kernel\n%description -n {name}\na kernel")?;
            writeln!(spec, "%files -n {name} -f {}", list.display())?;
            writeln!(install, "cp -al {}/. %{{buildroot}}", root.display())?;
        }
        spec += &install;
        let file = self.place.join("kernel.spec");
        fs::write(&file, spec).context("cannot write a spec file")?;
        let line = format!(
            "rpmbuild -bb --quiet --target x86_64 --define \"_topdir $PWD/rpm\" --define '_binary_payload {}' $1",
            self.payload
        );
        tool::shell(self.place, &line, &[&file])?;
        let mut packages = Vec::new();
        for name in self.roots.keys() {
            let package = self.place.join(format!("rpm/RPMS/x86_64/{name}-6.12.107-1.x86_64.rpm"));
            ensure!(package.is_file(), "rpmbuild made no `{}`", package.display());
            packages.push(package);
        }
        Ok(packages)
    }
}
