//! What the names of kernel packages tell.
//!
//! Fedora and its relatives have `kernel-core`, `kernel-modules-core`, `kernel-modules`, `kernel-modules-extra` and
//! `kernel-debuginfo`, and of each flavour `kernel-rt-core` and so on; up to Fedora 37 there is no `kernel-modules-core`, up to
//! 20 all is in `kernel`. SUSE has `kernel-default`, which has modules, `kernel-default-extra` and `kernel-default-optional`, each
//! with a debug package of its own.

use super::packages::Package;

/// Debug packages with one of these words are of something else.
const OTHERS: [&str; 15] = [
    "tools",
    "libs",
    "perf",
    "common",
    "headers",
    "devel",
    "modules",
    "extra",
    "optional",
    "base",
    "internal",
    "livepatch",
    "firmware",
    "syms",
    "obs",
];

/// Architectures in RPM's words.
const ARCHS: [&str; 12] = [
    "x86_64",
    "aarch64",
    "ppc64le",
    "s390x",
    "i686",
    "i586",
    "armv7hl",
    "armv6hl",
    "riscv64",
    "loongarch64",
    "mips64el",
    "ppc64",
];

/// The architecture that what is asked for ends in, as `6.11.4-301.fc41.x86_64+rt`, `rt-x86_64` and `*x86_64` do.
pub fn arch(wanted: &str) -> Option<&'static str> {
    let text = wanted.split('+').next().unwrap_or_default();
    ARCHS.into_iter().find(|arch| text.ends_with(arch))
}

/// The kernel whose vmlinux a debug package has, as the names of its packages begin: `kernel`, `kernel-rt`, `kernel6.12`,
/// `kernel-default`.
pub fn of_debug_package(package: &str) -> Option<&str> {
    let kernel = package.strip_suffix("-debuginfo").filter(|kernel| kernel.starts_with("kernel"))?;
    (!kernel.split('-').any(|word| OTHERS.contains(&word))).then_some(kernel)
}

/// What a flavour is asked for by: `x86_64`, `rt-x86_64`.
pub fn flavour(kernel: &str, arch: &str) -> String {
    match kernel.split_once('-') {
        Some((_, flavour)) => format!("{flavour}-{arch}"),
        None => arch.to_owned(),
    }
}

/// What `uname -r` says.
pub fn release(kernel: &str, debug: &Package) -> String {
    let flavour = kernel.split_once('-').map(|(_, flavour)| flavour);
    let vendor = debug.vendor.to_ascii_lowercase();
    match flavour {
        // `150600.23.7.4` without the number of the build.
        Some(flavour) if vendor.contains("suse") => {
            let counted = |(_, build): &(&str, &str)| build.bytes().all(|byte| byte.is_ascii_digit());
            let release = debug.release.rsplit_once('.').filter(counted);
            let release = release.map_or(debug.release.as_str(), |(release, _)| release);
            format!("{}-{release}-{flavour}", debug.version)
        }
        Some(flavour) => format!("{}.{}+{flavour}", debug.version(), debug.arch),
        None => format!("{}.{}", debug.version(), debug.arch),
    }
}

/// Whether a package beside those of the vmlinux and the configuration has modules of a kernel, or their debug information.
/// SUSE's `kernel-default-base` is left out: it has some of those in `kernel-default` again.
pub fn may_have_modules(kernel: &str, package: &str) -> bool {
    let Some(rest) = package.strip_prefix(kernel) else { return false };
    let rest = rest.strip_suffix("-debuginfo").unwrap_or(rest);
    rest.starts_with("-modules") || matches!(rest, "-extra" | "-optional")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_told_from_what_else_has_debug_packages() {
        for (package, kernel) in [
            ("kernel-debuginfo", Some("kernel")),
            ("kernel-rt-debuginfo", Some("kernel-rt")),
            ("kernel-64k-debuginfo", Some("kernel-64k")),
            ("kernel-rt-debug-debuginfo", Some("kernel-rt-debug")),
            ("kernel-default-debuginfo", Some("kernel-default")),
            ("kernel6.12-debuginfo", Some("kernel6.12")),
            ("kernel-debuginfo-common-x86_64", None),
            ("kernel-tools-debuginfo", None),
            ("kernel-default-extra-debuginfo", None),
            ("kernel-default-base-debuginfo", None),
            ("kernel-selftests-internal-debuginfo", None),
            ("kernel-core", None),
            ("bash-debuginfo", None),
        ] {
            assert_eq!(of_debug_package(package), kernel, "{package}");
        }
    }

    #[test]
    fn releases_are_those_of_the_running_kernel() {
        let package = |version: &str, release: &str, vendor: &str| Package {
            version: version.into(),
            release: release.into(),
            arch: "x86_64".into(),
            vendor: vendor.into(),
            ..Package::default()
        };
        let fedora = package("6.11.4", "301.fc41", "Fedora Project");
        assert_eq!(release("kernel", &fedora), "6.11.4-301.fc41.x86_64");
        assert_eq!(release("kernel-rt", &fedora), "6.11.4-301.fc41.x86_64+rt");
        assert_eq!(
            release("kernel-default", &package("6.4.0", "150600.23.7.4", "SUSE LLC")),
            "6.4.0-150600.23.7-default"
        );
        assert_eq!(release("kernel-default", &package("6.11.3", "1.1", "openSUSE")), "6.11.3-1-default");
        assert_eq!(
            release("kernel-default", &package("6.11.3", "1.g12", "openSUSE")),
            "6.11.3-1.g12-default"
        );
        assert_eq!(
            (flavour("kernel", "x86_64"), flavour("kernel-rt", "x86_64")),
            ("x86_64".into(), "rt-x86_64".into())
        );
    }

    #[test]
    fn what_is_asked_for_may_tell_the_architecture() {
        for wanted in
            ["x86_64", "rt-x86_64", "*x86_64", "6.11.4-301.fc41.x86_64", "6.11.4-301.fc41.x86_64+rt"]
        {
            assert_eq!(arch(wanted), Some("x86_64"), "{wanted}");
        }
        assert_eq!((arch("64k-aarch64"), arch("ppc64le")), (Some("aarch64"), Some("ppc64le")));
        assert_eq!((arch("*"), arch("6.4.0-150600.23.7-default")), (None, None));
    }

    #[test]
    fn modules_are_in_several_packages() {
        let having = |kernel: &str, packages: &[&str]| -> Vec<String> {
            packages
                .iter()
                .filter(|package| may_have_modules(kernel, package))
                .map(|&package| package.into())
                .collect()
        };
        let fedora =
            ["kernel-modules-core", "kernel-modules", "kernel-modules-extra", "kernel-modules-internal"];
        let others = [
            "kernel",
            "kernel-core",
            "kernel-devel",
            "kernel-debuginfo",
            "kernel-rt-modules",
            "kernel-tools",
        ];
        assert_eq!(having("kernel", &[&fedora[..], &others].concat()), fedora);
        assert_eq!(having("kernel-rt", &[&fedora[..], &others].concat()), ["kernel-rt-modules"]);
        let suse = ["kernel-default-extra", "kernel-default-extra-debuginfo", "kernel-default-optional"];
        let others =
            ["kernel-default", "kernel-default-base", "kernel-default-devel", "kernel-default-debuginfo"];
        assert_eq!(having("kernel-default", &[&suse[..], &others].concat()), suse);
    }
}
