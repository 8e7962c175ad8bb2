use proptest::prelude::*;

use super::*;

/// Name, distribution, `uname -r`.
const KERNELS: [(&str, Option<&str>, &str); 9] = [
    ("5.4.0-26-generic-amd64", Some("ubuntu"), "5.4.0-26-generic"),
    ("5.10.223-32-cloud-amd64", Some("debian"), "5.10.0-32-cloud-amd64"),
    ("6.1.170-49-cloud-amd64", Some("debian"), "6.1.0-49-cloud-amd64"),
    ("6.1.176-50-cloud-amd64", Some("debian"), "6.1.0-50-cloud-amd64"),
    ("6.1.176-50-cloud-arm64", Some("debian"), "6.1.0-50-cloud-arm64"),
    ("6.1.176-50-rt-amd64", Some("debian"), "6.1.0-50-rt-amd64"),
    ("6.8.0-31-generic_64k-arm64", Some("ubuntu"), "6.8.0-31-generic-64k"),
    ("6.12.107-deb13-cloud-amd64", Some("debian"), "6.12.107+deb13-cloud-amd64"),
    ("7.2.0-rc3-generic-amd64", None, "7.2.0-rc3"),
];

fn with_kernels<T>(work: impl FnOnce(&[Candidate<'_>]) -> T) -> T {
    let ids: Vec<KernelId> = KERNELS.iter().map(|it| it.0.parse().unwrap()).collect();
    let candidates: Vec<Candidate<'_>> = ids
        .iter()
        .zip(KERNELS)
        .map(|(kernel, (_, distribution, uname))| Candidate { kernel, distribution, uname: Some(uname) })
        .collect();
    work(&candidates)
}

fn choose(texts: &[&str]) -> Result<Vec<usize>> {
    with_kernels(|kernels| Selection::parse(texts)?.choose(kernels, None))
}

/// The error, and below it what to do.
fn refused(text: &str) -> String {
    let error = choose(&[text]).unwrap_err();
    format!("{error}\n{}", error.help().unwrap_or_default())
}

#[test]
fn every_form_chooses() {
    for (text, expected) in [
        // globs
        ("6.1*", &[2, 3, 4, 5, 7][..]),
        ("6.1.*", &[2, 3, 4, 5]),
        ("*-cloud-*", &[1, 2, 3, 4, 7]),
        ("{5.4,5.10}.*", &[0, 1]),
        ("name=*arm64", &[4, 6]),
        // ranges
        ("6.1..6.12", &[2, 3, 4, 5, 6, 7]),
        ("..6.1", &[0, 1, 2, 3, 4, 5]),
        ("6.8..", &[6, 7, 8]),
        ("v6.8..v7", &[6, 7, 8]),
        ("6.1.171..6.1.176", &[3, 4, 5]),
        ("..", &[0, 1, 2, 3, 4, 5, 6, 7, 8]),
        ("version=..5", &[0, 1]),
        // versions
        ("6", &[2, 3, 4, 5, 6, 7]),
        ("6.1", &[2, 3, 4, 5]),
        ("6.1.176", &[3, 4, 5]),
        ("7.2", &[8]),
        ("version=6.8", &[6]),
        // architectures
        ("arm64", &[4, 6]),
        ("aarch64", &[4, 6]),
        ("arch=arm64", &[4, 6]),
        ("arch=x86_64", &[0, 1, 2, 3, 5, 7, 8]),
        // flavours
        ("rt", &[5]),
        ("flavour=rt", &[5]),
        ("flavor=generic", &[0, 8]),
        ("generic-64k", &[6]),
        // names
        ("6.1.176-50-rt-amd64", &[5]),
        ("6.1.176-50-rt", &[5]),
        ("6.1.0-50-cloud-amd64", &[3]),
        ("6.8.0-31-generic-64k", &[6]),
        // distributions
        ("debian", &[1, 2, 3, 4, 5, 7]),
        ("Ubuntu", &[0, 6]),
        ("dist=ubuntu", &[0, 6]),
        ("debian:*", &[1, 2, 3, 4, 5, 7]),
        ("ubuntu:6.8*", &[6]),
        ("debian:6.1..:arm64", &[4]),
        ("arm64:6.1", &[4]),
        // groups, around 6.1.176-50-cloud-amd64
        ("regular", &[1, 3, 7]),
        ("lts", &[1, 3, 7]),
        ("arch", &[3, 4]),
        ("flavor", &[3, 5]),
        ("group=flavour", &[3, 5]),
        ("Revision", &[2, 3]),
        ("other", &[0, 6, 8]),
        ("other:arm64", &[6]),
        // several, and without
        ("5.4,arm64", &[0, 4, 6]),
        ("6.1,!rt", &[2, 3, 4]),
        ("6.1,-rt", &[2, 3, 4]),
        ("!rt,6.1", &[2, 3, 4]),
        ("!6", &[0, 1, 8]),
        ("!arch", &[0, 1, 2, 3, 5, 6, 7, 8]),
        ("!6.1:cloud", &[0, 1, 5, 6, 7, 8]),
        ("6.1, arm64", &[2, 3, 4, 5, 6]),
    ] {
        let chosen = choose(&[text]).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(chosen, expected, "{text}");
    }
    assert_eq!(choose(&[]).unwrap().len(), KERNELS.len());
    assert_eq!(choose(&["5.4", "arm64", "!6.8"]).unwrap(), [0, 4]);
}

#[test]
fn groups_are_around_the_default() {
    with_kernels(|kernels| {
        let choose = |text: &str, default| Selection::parse(&[text]).unwrap().choose(kernels, default);
        assert_eq!(choose("regular", Some(0)).unwrap(), [0, 8]);
        assert_eq!(choose("arch", Some(4)).unwrap(), [3, 4]);
        assert!(choose("flavor", Some(0)).is_err());
    });
}

#[test]
fn one_kernel_is_asked_for() {
    with_kernels(|kernels| {
        let one = |text: &str| Selection::parse(&[text]).unwrap().one(kernels, None);
        assert_eq!(one("6.12").unwrap(), 7);
        assert_eq!(one("6.1.0-50-rt-amd64").unwrap(), 5);
        let error = one("rt,6.12").unwrap_err();
        assert_eq!(error.to_string(), "`rt,6.12` is 2 kernels where one is needed");
        assert_eq!(error.help().unwrap(), "there are 6.1.176-50-rt-amd64, 6.12.107-deb13-cloud-amd64");
    });
}

#[test]
fn what_chooses_nothing_tells_what_there_is() {
    let parts = "versions are 5.4, 5.10, 6.1, 6.8, 6.12, 7.2; architectures amd64, arm64; \
                 flavours generic, cloud, rt, generic_64k; distributions ubuntu, debian";
    assert_eq!(refused("7.9"), format!("no kernel matches `7.9`\n{parts}"));
    assert_eq!(refused("6.1,7.9.."), format!("no kernel matches `7.9..`\n{parts}"));
    assert_eq!(refused("ubuntu:6.1"), format!("no kernel matches `ubuntu:6.1`\n{parts}"));
    assert_eq!(refused("fedora"), format!("no kernel matches `fedora`\n{parts}"));
    assert_eq!(refused("s390x"), format!("no kernel matches `s390x`\n{parts}"));
    assert_eq!(
        refused("8.*"),
        "no kernel matches `8.*`\nthere are 5.4.0-26-generic-amd64, 5.10.223-32-cloud-amd64, \
         6.1.170-49-cloud-amd64, 6.1.176-50-cloud-amd64, 6.1.176-50-cloud-arm64, 6.1.176-50-rt-amd64, \
         6.8.0-31-generic_64k-arm64, 6.12.107-deb13-cloud-amd64, 1 more"
    );
    assert!(refused("5.4,!5.4").starts_with("`5.4,!5.4` excludes every kernel that was chosen\nthere are "));
}

#[test]
fn what_means_nothing_is_refused() {
    assert!(refused("cluod").starts_with("`cluod` is no kernel, version, architecture, flavour"));
    assert!(refused("cluod").contains("\ngroups are regular, lts, arch, flavor, revision, other\n"));
    assert!(refused("!cluod").starts_with("`cluod` is no kernel"), "nor can it be excluded");
    assert_eq!(
        refused("6.1.176-50-c"),
        "`6.1.176-50-c` is how the names of 2 kernels start\nwrite `6.1.176-50-c*` for all of them; \
         there are 6.1.176-50-cloud-amd64, 6.1.176-50-cloud-arm64"
    );
    assert!(refused("[7").starts_with("`[7`: unclosed character class"));
    assert!(refused("6.1..x").starts_with("`x` in `6.1..x` is not a version\n"));
    assert_eq!(refused("7.2..6.1"), "`7.2..6.1` ends before it starts\nwrite it as 6.1..7.2");
    assert!(refused("colour=red").starts_with("kernels cannot be chosen by `colour`\nknown are name, "));
    assert!(refused("arch=vax").starts_with("unknown architecture `vax`\nknown are amd64, "));
    assert!(refused("group=daily").starts_with("unknown group `daily`\n"));
    for text in ["", "6.1,", "!", ":", "debian:"] {
        assert!(refused(text).starts_with("an empty selection"), "{text}");
    }
}

#[test]
fn names_alone_are_enough_where_nothing_else_is_asked() {
    let ids: Vec<KernelId> = KERNELS.iter().map(|it| it.0.parse().unwrap()).collect();
    let names: Vec<Candidate<'_>> = ids.iter().map(Candidate::from).collect();
    let is_by_name = |text: &str| Selection::parse(&[text]).unwrap().is_by_name(&names);
    for text in ["6.1*", "..6.1", "7.9", "arm64", "rt", "lts", "6.12.107-deb13", "arch=arm64", "6.1.176-50-c"]
    {
        assert!(is_by_name(text), "{text}");
    }
    for text in ["debian", "ubuntu:6.8*", "dist=debian", "6.1.0-50-rt-amd64", "cluod", "6.1,!fedora"] {
        assert!(!is_by_name(text), "{text}");
    }
}

proptest! {
    /// Whatever is written, it is refused or chooses some of the kernels, each once and in order.
    #[test]
    fn anything_may_be_written(text in "([!\\-:,.=*0-9]|6\\.1|rt|lts|arch|debian|[\\[\\]{}?]|cloud|é){0,8}") {
        if let Ok(chosen) = choose(&[&text]) {
            prop_assert!(!chosen.is_empty() && chosen.is_sorted_by(|a, b| a < b));
            prop_assert!(chosen.iter().all(|place| *place < KERNELS.len()));
        }
    }
}
