//! What the names of kernel packages tell.

/// The release of the kernel whose debug information a package has: `6.1.0-50-cloud-amd64`.
pub fn debug_release(package: &str) -> Option<&str> {
    let rest = package.strip_prefix("linux-image-")?;
    let release = match rest.strip_suffix("-dbgsym") {
        Some(rest) => rest.strip_prefix("unsigned-").unwrap_or(rest),
        None => rest.strip_suffix("-dbg")?,
    };
    release.starts_with(|c: char| c.is_ascii_digit()).then_some(release)
}

/// What follows version and ABI number in a release: `cloud-amd64`, `686-pae`, `generic`.
pub fn flavour(release: &str) -> Option<&str> {
    let (version, rest) = release.split_once('-')?;
    if version.contains('+') {
        // Since 6.12.30 or so: `6.12.107+deb13-cloud-amd64` has no ABI number.
        return Some(rest);
    }
    // `6.1.0-50-686-pae`, `6.1.0-0.deb11.13-amd64`, `6.8.0-31-generic`.
    match rest.split_once('-') {
        Some((abi, flavour)) if abi.starts_with(|c: char| c.is_ascii_digit()) => Some(flavour),
        _ => Some(rest),
    }
}

/// Names that a flavour of an architecture can be asked for by: its own, with the architecture where it does not end
/// in it, and `generic-ARCH` for the one without a name of its own.
pub fn flavours(flavour: &str, arch: &str) -> Vec<String> {
    // The kernel of ppc64el has another word for the architecture than the packages.
    let own_words = [arch, "powerpc64le", "686", "armmp"];
    let mut names = vec![flavour.to_owned()];
    if !flavour.ends_with(arch) {
        names.push(format!("{flavour}-{arch}"));
    }
    if own_words.contains(&flavour) {
        names.push(format!("generic-{arch}"));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_with_debug_information() {
        for (package, release) in [
            ("linux-image-6.1.0-50-cloud-amd64-dbg", Some("6.1.0-50-cloud-amd64")),
            ("linux-image-unsigned-6.8.0-31-generic-dbgsym", Some("6.8.0-31-generic")),
            ("linux-image-6.8.0-31-generic-dbgsym", Some("6.8.0-31-generic")),
            ("linux-image-6.1.0-50-cloud-amd64", None),
            ("linux-image-cloud-amd64-dbg", None),
            ("linux-image-unsigned-generic-dbgsym", None),
            ("bash-dbgsym", None),
        ] {
            assert_eq!(debug_release(package), release, "{package}");
        }
    }

    #[test]
    fn flavours_follow_the_version() {
        for (release, expected) in [
            ("6.1.0-50-cloud-amd64", "cloud-amd64"),
            ("6.1.0-50-amd64", "amd64"),
            ("6.1.0-50-686-pae", "686-pae"),
            ("6.1.0-50-4kc-malta", "4kc-malta"),
            ("6.12.107+deb13-rt-686-pae", "rt-686-pae"),
            ("6.12.107+deb13-686", "686"),
            ("6.1.0-0.deb11.13-armmp-lpae", "armmp-lpae"),
            ("6.8.0-31-generic", "generic"),
            ("6.17-amd64", "amd64"),
        ] {
            assert_eq!(flavour(release), Some(expected), "{release}");
        }
        assert_eq!(flavour("6.1"), None);
    }

    #[test]
    fn flavours_can_be_asked_for_in_several_ways() {
        assert_eq!(flavours("cloud-amd64", "amd64"), ["cloud-amd64"]);
        assert_eq!(flavours("amd64", "amd64"), ["amd64", "generic-amd64"]);
        assert_eq!(flavours("generic", "amd64"), ["generic", "generic-amd64"]);
        assert_eq!(
            flavours("powerpc64le", "ppc64el"),
            ["powerpc64le", "powerpc64le-ppc64el", "generic-ppc64el"]
        );
    }
}
