use proptest::prelude::*;

use super::*;

/// Name, name of ours, distribution; `?` in the place of the architecture where the name does not tell it.
const NAMES: &[(&str, &str, &str)] = &[
    // Debian: the ABI number, since 6.12 the release; plain kernels are called after the architecture.
    ("6.1.0-50-cloud-amd64", "6.1.0-50-cloud-amd64", "debian"),
    ("6.1.0-50-amd64", "6.1.0-50-generic-amd64", "debian"),
    ("6.1.0-50-rt-amd64", "6.1.0-50-rt-amd64", "debian"),
    ("6.1.0-50-rt-686-pae", "6.1.0-50-rt_pae-i386", "debian"),
    ("6.1.0-50-686-pae", "6.1.0-50-pae-i386", "debian"),
    ("6.1.0-50-686", "6.1.0-50-generic-i386", "debian"),
    ("6.1.0-50-armmp", "6.1.0-50-generic-armhf", "debian"),
    ("6.1.0-50-armmp-lpae", "6.1.0-50-lpae-armhf", "debian"),
    ("6.1.0-50-marvell", "6.1.0-50-marvell-armhf", "debian"),
    ("6.1.0-50-rpi", "6.1.0-50-rpi-armhf", "debian"),
    ("6.1.0-50-powerpc64le", "6.1.0-50-generic-ppc64el", "debian"),
    ("6.1.0-50-s390x", "6.1.0-50-generic-s390x", "debian"),
    ("6.1.0-50-octeon", "6.1.0-50-octeon-mips64el", "debian"),
    ("6.1.0-50-loongson-3", "6.1.0-50-loongson_3-mips64el", "debian"),
    ("6.1.0-50-5kc-malta", "6.1.0-50-5kc_malta-mips64el", "debian"),
    ("6.1.0-0.deb11.6-cloud-amd64", "6.1.0-0.deb11.6-cloud-amd64", "debian"),
    ("5.10.0-0.bpo.9-amd64", "5.10.0-0.bpo.9-generic-amd64", "debian"),
    ("5.10.0-32-cloud-arm64", "5.10.0-32-cloud-arm64", "debian"),
    ("6.10.11-amd64", "6.10.11-generic-amd64", "debian"),
    ("6.12.9+bpo-amd64", "6.12.9-bpo-generic-amd64", "debian"),
    ("6.12.9+bpo-cloud-arm64", "6.12.9-bpo-cloud-arm64", "debian"),
    ("6.12-rc6-amd64", "6.12.0-rc6-generic-amd64", "debian"),
    ("6.12.107+deb13-cloud-amd64", "6.12.107-deb13-cloud-amd64", "debian"),
    ("6.12.107+deb13-arm64-16k", "6.12.107-deb13-16k-arm64", "debian"),
    ("6.12.107+deb13-rt-arm64", "6.12.107-deb13-rt-arm64", "debian"),
    ("6.12.107+deb13-riscv64", "6.12.107-deb13-generic-riscv64", "debian"),
    ("6.12.107+deb13-mips64r2el", "6.12.107-deb13-generic-mips64el", "debian"),
    ("7.2.12+deb14-amd64", "7.2.12-deb14-generic-amd64", "debian"),
    ("7.2.12+deb14-loong64", "7.2.12-deb14-generic-loong64", "debian"),
    ("6.6.31+rpt-rpi-v8", "6.6.31-rpt-rpi_v8-arm64", "debian"),
    // Ubuntu: the ABI number, then the flavour; not the architecture, which lists of kernels put behind.
    ("5.4.0-26-generic", "5.4.0-26-generic-?", "ubuntu"),
    ("5.4.0-26-lowlatency", "5.4.0-26-lowlatency-?", "ubuntu"),
    ("6.8.0-1009-aws", "6.8.0-1009-aws-?", "ubuntu"),
    ("6.8.0-1010-azure", "6.8.0-1010-azure-?", "ubuntu"),
    ("6.8.0-1009-gcp", "6.8.0-1009-gcp-?", "ubuntu"),
    ("5.4.0-1009-kvm", "5.4.0-1009-kvm-?", "ubuntu"),
    ("6.8.0-1003-oem", "6.8.0-1003-oem-?", "ubuntu"),
    ("6.8.0-31-generic-64k", "6.8.0-31-generic_64k-?", "ubuntu"),
    ("6.8.0-31-generic-amd64", "6.8.0-31-generic-amd64", "ubuntu"),
    ("6.8.0-31-generic-aarch64", "6.8.0-31-generic-arm64", "ubuntu"),
    ("6.9.0-060900rc3-generic", "6.9.0-060900rc3-generic-?", "ubuntu"),
    // Fedora, Red Hat and who builds from their sources: release and architecture of the package, then the flavour.
    ("6.8.5-301.fc40.x86_64", "6.8.5-301.fc40-generic-amd64", "fedora"),
    ("6.8.5-301.fc40.s390x", "6.8.5-301.fc40-generic-s390x", "fedora"),
    ("6.8.5-301.fc40.ppc64le+debug", "6.8.5-301.fc40-debug-ppc64el", "fedora"),
    ("6.9.0-0.rc3.31.fc41.aarch64", "6.9.0-0.rc3.31.fc41-generic-arm64", "fedora"),
    ("5.14.0-427.13.1.el9_4.x86_64", "5.14.0-427.13.1.el9_4-generic-amd64", "rhel"),
    ("5.14.0-427.el9.x86_64+rt", "5.14.0-427.el9-rt-amd64", "rhel"),
    ("5.14.0-427.el9.aarch64+64k", "5.14.0-427.el9-64k-arm64", "rhel"),
    ("5.14.0-427.el9.aarch64+64k-debug", "5.14.0-427.el9-64k_debug-arm64", "rhel"),
    ("4.18.0-553.el8_10.x86_64", "4.18.0-553.el8_10-generic-amd64", "rhel"),
    ("4.18.0-553.el8_10.x86_64+debug", "4.18.0-553.el8_10-debug-amd64", "rhel"),
    ("4.18.0-553.rt7.342.el8_10.x86_64", "4.18.0-553.rt7.342.el8_10-rt-amd64", "rhel"),
    ("3.10.0-1160.el7.x86_64", "3.10.0-1160.el7-generic-amd64", "rhel"),
    ("3.10.0-1160.el7.x86_64.debug", "3.10.0-1160.el7-debug-amd64", "rhel"),
    ("5.15.0-206.153.7.el9uek.x86_64", "5.15.0-206.153.7.el9uek-uek-amd64", "oracle"),
    ("6.1.79-99.167.amzn2023.x86_64", "6.1.79-99.167.amzn2023-generic-amd64", "amazon"),
    ("4.14.336-257.562.amzn2.aarch64", "4.14.336-257.562.amzn2-generic-arm64", "amazon"),
    // SUSE: the release of the package, then the flavour, which is never left out.
    ("6.4.0-150600.21-default", "6.4.0-150600.21-default-?", "suse"),
    ("5.14.21-150500.55.52-azure", "5.14.21-150500.55.52-azure-?", "suse"),
    ("5.14.21-150500.13.35-rt", "5.14.21-150500.13.35-rt-?", "suse"),
    ("6.8.1-1-default", "6.8.1-1-default-?", "suse"),
    ("6.9.0-rc3-1-default", "6.9.0-rc3-1-default-?", "suse"),
    // Others.
    ("6.8.1-arch1-1", "6.8.1-arch1-1-generic-?", "archlinux"),
    ("6.6.22-1-lts", "6.6.22-1-lts-?", "-"),
    ("6.8.1-zen1-1-zen", "6.8.1-zen1-1-zen-?", "-"),
    (
        "5.15.41-android13-8-00055-g4f5025129fe8-ab8949913",
        "5.15.41-android13-8-00055-g4f5025129fe8-ab8949913-generic-?",
        "android",
    ),
    ("5.15.153.1-microsoft-standard-WSL2", "5.15.153.1-microsoft-standard-WSL2-?", "wsl"),
    ("6.6.51.1-5.azl3", "6.6.51.1-5.azl3-generic-?", "-"),
    // Upstream, and whatever a builder's CONFIG_LOCALVERSION says.
    ("6.9.0", "6.9.0-generic-?", "-"),
    ("6.9", "6.9.0-generic-?", "-"),
    ("2.6.32.71", "2.6.32.71-generic-?", "-"),
    ("6.9.0-rc3", "6.9.0-rc3-generic-?", "-"),
    ("6.9.0-rc3+", "6.9.0-rc3+-generic-?", "-"),
    ("6.9.0-rc3-g4cece7649650", "6.9.0-rc3-g4cece7649650-generic-?", "-"),
    ("6.9.0-rc3-00123-gabcdef-dirty", "6.9.0-rc3-00123-gabcdef-dirty-generic-?", "-"),
    ("6.6.22-rt27", "6.6.22-rt27-rt-?", "-"),
    ("6.9.0-mine", "6.9.0-mine-generic-?", "-"),
    ("6.9.0-mine-x86_64", "6.9.0-mine-generic-amd64", "-"),
];

#[test]
fn distributions_names_are_read() {
    for (name, expected, distribution) in NAMES {
        let read = Uname::parse(name, None, None).unwrap_or_else(|why| panic!("{name}: {why}"));
        assert_eq!(read.distribution.map_or("-", Distribution::name), *distribution, "{name}");
        assert_eq!(read.arch.is_none(), expected.ends_with('?'), "{name}");
        let expected = expected.replace('?', "amd64");
        // Where the name does not tell the architecture, the image does.
        let arch = read.arch.unwrap_or(Arch::Amd64);
        let kernel = Uname { arch: Some(arch), ..read.clone() }.kernel().unwrap();
        assert_eq!(kernel.to_string(), expected, "{name}");
        assert_eq!(kernel, expected.parse().unwrap(), "{name}: the name of ours reads back");
        // What is known already is not guessed again.
        let again = Uname::parse(name, read.distribution, Some(arch)).unwrap();
        assert_eq!(again.kernel().unwrap(), kernel, "{name}");
    }
}

#[test]
fn a_name_of_either_kind_is_read() {
    for (name, expected, _) in NAMES.iter().filter(|it| !it.1.ends_with('?')) {
        assert_eq!(KernelId::of_any_name(name).unwrap().to_string(), *expected, "{name}");
        assert_eq!(KernelId::of_any_name(expected).unwrap().to_string(), *expected);
    }
    let error = KernelId::of_any_name("5.4.0-26-generic").unwrap_err();
    assert!(error.help().is_some_and(|help| help.contains("VERSION-RELEASE-FLAVOUR-ARCH")));
}

#[test]
fn what_tells_no_version_is_unclear() {
    for name in ["", "next-20240315", "6", "6.x", "v6.1"] {
        assert_eq!(Uname::parse(name, None, None), Err(Unclear::Version), "{name}");
    }
    assert_eq!(Uname::parse("6.1.0-a/b", None, None), Err(Unclear::Characters));
}

#[test]
fn builders_tell_distributions() {
    for (builder, expected) in [
        ("linux-lts@archlinux", Some(Distribution::Archlinux)),
        ("geeko@buildhost", Some(Distribution::Suse)),
        ("mockbuild@x86-05.stream.rdu2.redhat.com", Some(Distribution::Rhel)),
        ("mockbuild@kbuilder.bsys.centos.org", Some(Distribution::Centos)),
        ("debian-kernel@lists.debian.org", None),
    ] {
        assert_eq!(Distribution::of_builder(builder), expected, "{builder}");
    }
}

#[test]
fn words_of_architectures_are_their_own() {
    for arch in Arch::ALL {
        assert_eq!(arch.name().parse::<Arch>().unwrap(), arch);
        for word in arch.words() {
            assert_eq!(Arch::of(&word.to_uppercase()), Some(arch), "{word}");
        }
    }
    assert!("x86_64".parse::<Arch>().is_err(), "a name of ours has one spelling");
}

#[test]
fn prints_what_it_parses() {
    for name in [
        "5.4.0-26-generic-amd64",
        "5.4.0-1009-aws-amd64",
        "6.12.107-deb13-cloud-amd64",
        "7.2.12-cloud-arm64",
        "6.1.176-50-rt-armhf",
        "6.9.0-rc3-00123-gabcdef-dirty-generic-amd64",
        "5.15.153.1-microsoft-standard-WSL2-amd64",
    ] {
        assert_eq!(name.parse::<KernelId>().unwrap().to_string(), name);
    }
}

#[test]
fn refuses_what_is_no_name() {
    for name in [
        "",
        "6.1",
        "6.1-cloud",
        "a.b-cloud-amd64",
        "6.1.+2-cloud-amd64",
        "6.1.2.3.4-cloud-amd64",
        "6.1.0-cloud-vax",
        "6.1.0-cloud-x86_64",
        "6.1.0--cloud-amd64",
        "../6.1.0-cloud-amd64",
    ] {
        assert!(name.parse::<KernelId>().is_err(), "{name}");
    }
}

#[test]
fn orders_as_they_were_released() {
    let sorted = [
        "5.10.0-9-cloud-amd64",
        "5.15.153-generic-amd64",
        "5.15.153.1-microsoft-standard-WSL2-amd64",
        "5.15.153.2-microsoft-standard-WSL2-amd64",
        "6.1.0-9-cloud-amd64",
        "6.1.0-26-cloud-amd64",
        "6.1.0-26-cloud-arm64",
        "6.1.0-26-generic-amd64",
        "6.9.0-0.rc3.31.fc41-generic-amd64",
        "6.9.0-060900rc3-generic-amd64",
        "6.9.0-rc3-generic-amd64",
        "6.9.0-rc3+-generic-amd64",
        "6.9.0-rc10-generic-amd64",
        "6.9.0-generic-amd64",
        "6.9.0-64.fc41-generic-amd64",
        "6.9.0-060900-generic-amd64",
        "6.9.0-arc1-generic-amd64",
        "6.9.1-generic-amd64",
    ];
    let mut ids: Vec<KernelId> = sorted.iter().rev().map(|name| name.parse().unwrap()).collect();
    ids.sort();
    assert_eq!(ids.iter().map(ToString::to_string).collect::<Vec<_>>(), sorted);
}

fn any_id() -> impl Strategy<Value = KernelId> {
    let version = (0..3u32, 0..3u32, 0..3u32, 0..2u32);
    let version = version.prop_map(|(major, minor, patch, fourth)| Version { major, minor, patch, fourth });
    // Few different characters, so that there are equal starts and equal values with unequal zeros.
    let parts =
        (version, "((0?[19]|rc0?[19]|[.a]|[+~]){1,3}(-(rc1|0?1|a))?)?", "[a_1]{1,3}", 0..Arch::ALL.len());
    parts.prop_map(|(version, release, flavour, arch)| KernelId {
        version,
        release,
        flavour,
        arch: Arch::ALL[arch],
    })
}

proptest! {
    #[test]
    fn what_is_printed_is_parsed(id in any_id()) {
        prop_assert_eq!(id.to_string().parse::<KernelId>().unwrap(), id);
    }

    #[test]
    fn any_uname_gives_a_name_of_ours(text in "[0-9]{1,2}\\.[0-9]{1,2}[-.+~_0-9a-z]{0,20}") {
        let read = Uname::parse(&text, None, Some(Arch::Amd64)).unwrap().kernel().unwrap();
        prop_assert_eq!(read.to_string().parse::<KernelId>().unwrap(), read);
    }

    #[test]
    fn the_order_is_total(a in any_id(), b in any_id(), c in any_id()) {
        prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
        prop_assert_eq!(a.cmp(&b) == Ordering::Equal, a == b);
        if a <= b && b <= c {
            prop_assert!(a <= c);
        }
    }
}
