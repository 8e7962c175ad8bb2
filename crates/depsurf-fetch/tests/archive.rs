//! Kernels of a small archive of Debian packages, with and without signatures.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use depsurf_fetch::{
    Archive, Cache, Client, Debuginfod, Distribution, Error, Found, Mirror, Options, Place, Spec, Trust,
};
use tempfile::TempDir;
use testkit::key::Key;
use testkit::mirror::{self, Package, Suite};
use testkit::server::{File, Server};

fn client() -> Client {
    let (patience, pause) = (Duration::from_secs(5), Duration::from_millis(5));
    Client::new(Options { connect: patience, idle: patience, retries: 2, pause, connections: 2 })
}

fn suite(codename: &str, suite: &str, kernels: &[(&str, &str, &str)]) -> Suite {
    let packages = kernels.iter().flat_map(|(release, version, arch)| {
        [
            Package::debug(release, version, arch, b"\x7fELF", 10),
            Package::image(release, version, arch, "CONFIG_X=y\n"),
        ]
    });
    Suite { codename: codename.into(), suite: suite.into(), packages: packages.collect() }
}

/// An archive with several suites, and its security updates.
fn server() -> Server {
    let mut trixie = suite(
        "trixie",
        "stable",
        &[
            ("6.12.90+deb13-cloud-amd64", "6.12.90-1", "amd64"),
            ("6.12.90+deb13-amd64", "6.12.90-1", "amd64"),
            ("6.12.90+deb13-rt-amd64", "6.12.90-1", "amd64"),
            ("6.12.9+deb13-cloud-amd64", "6.12.9-1", "amd64"),
            ("6.12.90+deb13-cloud-arm64", "6.12.90-1", "arm64"),
        ],
    );
    // As since 7.2: the configuration is in a package of its own.
    let base = Package {
        name: "linux-base-6.12.90+deb13-rt-amd64".into(),
        source: "linux".into(),
        version: "6.12.90-1".into(),
        arch: "amd64".into(),
        bytes: b"base".to_vec(),
    };
    trixie.packages.push(base);
    let mut suites = [
        trixie,
        suite(
            "trixie-backports",
            "stable-backports",
            &[("6.16.3+deb13-cloud-amd64", "6.16.3-1~bpo13+1", "amd64")],
        ),
        suite(
            "bookworm",
            "oldstable",
            &[("6.1.0-50-cloud-amd64", "6.1.176-1", "amd64"), ("6.1.0-50-rt-amd64", "6.1.176-1", "amd64")],
        ),
    ];
    // An older suite may have the kernel of a newer one.
    let mut newer = Package::debug("6.12.90+deb12-cloud-amd64", "6.12.90-1~deb12u1", "amd64", b"", 10);
    newer.source = "linux-6.12".into();
    suites[2].packages.push(newer);
    let security =
        suite("trixie-security", "stable-security", &[("6.12.100+deb13-cloud-amd64", "6.12.100-1", "amd64")]);
    let mut files = mirror::archive("/debian", &suites);
    files.extend(mirror::archive("/debian-security", &[security]));
    Server::start(files)
}

struct Places {
    server: Server,
    directory: TempDir,
}

impl Places {
    fn new() -> Self {
        Self { server: server(), directory: tempfile::tempdir().unwrap() }
    }

    fn archive(&self, trust: Trust) -> Archive {
        let mirrors =
            ["/debian", "/debian-security/"].map(|path| Mirror::new(&(self.server.url() + path)).unwrap());
        let cache = Cache::new(self.directory.path().join("cache"));
        Archive::new(Distribution::Debian, mirrors.into(), trust, &client(), &cache)
    }

    fn find(&self, spec: &str) -> Result<Found, Error> {
        self.archive(Trust::Unsigned).find(&spec.parse::<Spec>().unwrap().wanted)
    }

    /// Release, version, suite, and the package with the configuration.
    fn found(&self, spec: &str) -> Vec<String> {
        let found = self.find(spec).unwrap();
        assert!(found.warnings.is_empty(), "{:?}", found.warnings);
        found
            .kernels
            .iter()
            .map(|kernel| {
                let config = kernel.config.as_ref().map_or("none", |config| &config.name);
                format!("{} {} {} {config}", kernel.release, kernel.image.version, kernel.suite)
            })
            .collect()
    }
}

#[test]
fn the_newest_of_a_suite_and_its_updates_is_meant() {
    let places = Places::new();
    let newest =
        "6.12.100+deb13-cloud-amd64 6.12.100-1 trixie-security linux-image-6.12.100+deb13-cloud-amd64";
    assert_eq!(places.found("debian:trixie/cloud-amd64"), [newest]);
    assert_eq!(places.found("debian:stable/cloud-amd64"), [newest]);
    let rt = "6.12.90+deb13-rt-amd64 6.12.90-1 trixie linux-base-6.12.90+deb13-rt-amd64";
    assert_eq!(places.found("debian:trixie/rt-amd64"), [rt]);
    let generic = "6.12.90+deb13-amd64 6.12.90-1 trixie linux-image-6.12.90+deb13-amd64";
    assert_eq!(places.found("debian:trixie/generic-amd64"), [generic]);
    assert_eq!(places.found("debian:trixie/amd64"), [generic]);
    let backport =
        "6.16.3+deb13-cloud-amd64 6.16.3-1~bpo13+1 trixie-backports linux-image-6.16.3+deb13-cloud-amd64";
    assert_eq!(places.found("debian:trixie-backports/cloud-amd64"), [backport]);
}

#[test]
fn a_suites_own_kernel_is_meant_and_others_can_be() {
    let places = Places::new();
    let own = "6.1.0-50-cloud-amd64 6.1.176-1 bookworm linux-image-6.1.0-50-cloud-amd64";
    assert_eq!(places.found("debian:bookworm/cloud-amd64"), [own]);
    let other = "6.12.90+deb12-cloud-amd64 6.12.90-1~deb12u1 bookworm none";
    assert_eq!(places.found("debian:6.12.90+deb12-cloud-amd64"), [other]);
}

#[test]
fn a_mirror_may_lack_architectures() {
    let places = Places::new();
    let path = "/debian/dists/trixie/main/binary-arm64/Packages.xz";
    places.server.change(path, |file| file.refusals = (usize::MAX, 404));
    let found = places.find("debian:trixie/*").unwrap();
    assert_eq!(found.kernels.len(), 3);
    assert_eq!(found.warnings.len(), 1);
    assert!(found.warnings[0].contains("has no index of main for arm64"), "{:?}", found.warnings);
}

#[test]
fn a_mirror_between_two_states_has_what_it_has() {
    let places = Places::new();
    let path = "/debian/dists/trixie/main/binary-arm64/Packages.xz";
    places.server.change(path, |file| file.bytes[70] ^= 1);
    let found = places.find("debian:trixie/*").unwrap();
    assert_eq!((found.kernels.len(), found.warnings.len()), (3, 1), "{:?}", found.warnings);
    let what =
        "has another index of main than the one that is signed for arm64, so its packages are left out";
    assert!(found.warnings[0].contains(what), "{:?}", found.warnings);
    let error = places.find("debian:trixie/cloud-arm64").unwrap_err();
    assert!(matches!(error, Error::Differs { .. }), "{error}");
}

#[test]
fn patterns_go_over_suites_flavours_and_releases() {
    let places = Places::new();
    let names = |spec: &str| -> Vec<String> {
        places.found(spec).iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect()
    };
    assert_eq!(names("debian:*/rt-amd64"), ["6.1.0-50-rt-amd64", "6.12.90+deb13-rt-amd64"]);
    assert_eq!(names("debian:*/cloud-arm64"), ["6.12.90+deb13-cloud-arm64"]);
    assert_eq!(names("debian:trixie/*").len(), 4);
    assert_eq!(names("debian:6.12.90+deb13-cloud-amd64"), ["6.12.90+deb13-cloud-amd64"]);
    assert_eq!(
        names("debian:6.12.*-cloud-amd64"),
        [
            "6.12.90+deb12-cloud-amd64",
            "6.12.90+deb13-cloud-amd64",
            "6.12.9+deb13-cloud-amd64",
            "6.12.100+deb13-cloud-amd64"
        ]
    );
}

#[test]
fn what_is_not_there_is_told() {
    let places = Places::new();
    let error = places.find("debian:sarge/amd64").unwrap_err();
    assert!(error.to_string().starts_with("no suite `sarge` at http:"), "{error}");
    let error = places.find("debian:trixie/cloud-s390x").unwrap_err();
    assert_eq!(error.to_string(), "no kernel `cloud-s390x` with debug information in `trixie`");
    assert!(error.help().unwrap().contains("depsurf pull --list 'debian:trixie/*'"));
    let error = places.find("debian:9.9-amd64").unwrap_err();
    assert_eq!(error.to_string(), "no kernel `9.9-amd64` with debug information in any suite");
}

#[test]
fn indexes_are_fetched_once_and_compared() {
    let places = Places::new();
    places.found("debian:trixie/cloud-amd64");
    let asked = |places: &Places| {
        let asked = places.server.asked();
        asked.iter().filter(|asked| asked.path.contains("/binary-amd64/") && asked.sent > 0).count()
    };
    assert_eq!(asked(&places), 2);
    places.found("debian:trixie/cloud-amd64");
    assert_eq!(asked(&places), 0);
    fs::remove_dir_all(places.directory.path().join("cache")).unwrap();
    for suite in ["debian/dists/trixie", "debian-security/dists/trixie-security"] {
        let path = format!("/{suite}/main/binary-amd64/Packages.xz");
        places.server.change(&path, |file| file.bytes[70] ^= 1);
    }
    let error = places.find("debian:trixie/cloud-amd64").unwrap_err();
    assert!(matches!(&error, Error::Differs { .. }) && error.to_string().contains("Packages"), "{error}");
}

#[test]
fn without_security_updates_that_is_said() {
    let places = Places::new();
    let mirror = Mirror::new(&format!("{}/debian", places.server.url())).unwrap();
    let cache = Cache::new(places.directory.path());
    let archive = Archive::new(Distribution::Debian, vec![mirror], Trust::Unsigned, &client(), &cache);
    let found = archive.find(&"debian:trixie/cloud-amd64".parse::<Spec>().unwrap().wanted).unwrap();
    assert_eq!(found.kernels[0].release, "6.12.90+deb13-cloud-amd64");
    assert_eq!(found.warnings, ["no mirror of debian-security is known, so security updates are left out"]);
}

/// Signs all suites of a server.
fn sign(key: &Key, server: &Server) {
    for path in server.paths().into_iter().filter(|path| path.ends_with("/InRelease")) {
        server.change(&path, |file| file.bytes = key.clear_sign(&file.bytes));
    }
}

#[test]
fn indexes_must_be_signed_by_who_is_known() {
    let Some(key) = Key::new("archive@example.org") else { return };
    let Some(other) = Key::new("somebody@example.org") else { return };
    let places = Places::new();
    sign(&key, &places.server);
    let find = |ring: &Path| {
        let archive = places.archive(Trust::Keyring(ring.to_owned()));
        archive.find(&"debian:trixie/cloud-amd64".parse::<Spec>().unwrap().wanted)
    };
    assert_eq!(find(&key.ring).unwrap().kernels[0].image.version, "6.12.100-1");
    assert!(places.find("debian:trixie/cloud-amd64").is_ok());

    // Keys may be armoured.
    let armored = places.directory.path().join("key.asc");
    fs::write(&armored, key.armored()).unwrap();
    assert!(find(&armored).unwrap().kernels[0].image.signatures.index);
    let unsigned = places.find("debian:trixie/cloud-amd64").unwrap();
    assert!(!unsigned.kernels[0].image.signatures.index);

    let error = find(&other.ring).unwrap_err();
    assert!(error.to_string().contains("signed by a key that is not in the keyring"), "{error}");
    assert!(error.help().unwrap().contains("--unsigned"));
    let error = find(Path::new("/nonexistent")).unwrap_err();
    assert!(error.to_string().contains("no keyring"), "{error}");

    let path = "/debian/dists/trixie/InRelease";
    let signed = |change: &dyn Fn(&mut File)| places.server.change(path, change);
    // Words behind the signature are not signed, and not used.
    signed(&|file| file.bytes.extend(b"Codename: evil\n"));
    assert!(find(&key.ring).map_or(true, |found| found.kernels[0].suite == "trixie-security"));
    signed(&|file| {
        let text = String::from_utf8(file.bytes.clone()).unwrap();
        file.bytes = text.replacen("Codename: trixie", "Codename: trixiE", 1).into();
    });
    let error = find(&key.ring).unwrap_err();
    assert!(error.to_string().contains("the signature is bad"), "{error}");
    signed(&|file| file.bytes = b"Codename: trixie\n".to_vec());
    let error = find(&key.ring).unwrap_err();
    assert!(error.to_string().contains("it is not signed"), "{error}");
}

#[test]
fn a_signature_may_be_in_a_file_of_its_own() {
    let Some(key) = Key::new("archive@example.org") else { return };
    let places = Places::new();
    for path in places.server.paths() {
        if let Some(suite) = path.strip_suffix("/InRelease") {
            places.server.change(&path, |file| file.refusals = (usize::MAX, 404));
            let release = format!("{suite}/Release");
            let mut bytes = Vec::new();
            places.server.change(&release, |file| bytes.clone_from(&file.bytes));
            let signature = key.sign(&bytes);
            places.server.put(&format!("{release}.gpg"), File::new(signature));
        }
    }
    let find = || {
        let archive = places.archive(Trust::Keyring(key.ring.clone()));
        archive.find(&"debian:trixie/cloud-amd64".parse::<Spec>().unwrap().wanted)
    };
    assert_eq!(find().unwrap().kernels.len(), 1);
    places.server.change("/debian/dists/trixie/Release", |file| file.bytes.push(b'\n'));
    assert!(find().unwrap_err().to_string().contains("the signature is bad"));
    places.server.change("/debian/dists/trixie/Release.gpg", |file| file.refusals = (usize::MAX, 404));
    assert!(find().unwrap_err().to_string().contains("it is not signed"));
}

#[test]
fn ubuntu_has_modules_in_two_packages() {
    let package = |name: &str, version: &str| Package {
        name: name.into(),
        source: "linux".into(),
        version: version.into(),
        arch: "amd64".into(),
        bytes: b"package".to_vec(),
    };
    let packages = vec![
        package("linux-image-unsigned-6.8.0-31-generic-dbgsym", "6.8.0-31.31"),
        package("linux-modules-6.8.0-31-generic", "6.8.0-31.31"),
        package("linux-modules-extra-6.8.0-31-generic", "6.8.0-31.31"),
        package("linux-image-unsigned-6.8.0-31-lowlatency-dbgsym", "6.8.0-31.31"),
        package("linux-modules-extra-6.8.0-31-lowlatency", "6.8.0-31.30"),
    ];
    let suite = Suite { codename: "noble".into(), suite: "noble".into(), packages };
    let server = Server::start(mirror::archive("/ubuntu", &[suite]));
    let mirror = Mirror::new(&format!("{}/ubuntu", server.url())).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let cache = Cache::new(directory.path());
    let archive = Archive::new(Distribution::Ubuntu, vec![mirror], Trust::Unsigned, &client(), &cache);
    let found = archive.find(&"ubuntu:noble/*".parse::<Spec>().unwrap().wanted).unwrap();
    let names = |at: usize| {
        let kernel = &found.kernels[at];
        let modules: Vec<&str> = kernel.modules.iter().map(|package| package.name.as_str()).collect();
        (kernel.release.as_str(), kernel.config.as_ref().map(|config| config.name.as_str()), modules)
    };
    let config = Some("linux-modules-6.8.0-31-generic");
    assert_eq!(names(0), ("6.8.0-31-generic", config, vec!["linux-modules-extra-6.8.0-31-generic"]));
    // Of another version.
    assert_eq!(names(1), ("6.8.0-31-lowlatency", None, vec![]));
}

#[test]
fn debuginfod_servers_are_asked_in_their_order() {
    let id = "0123456789abcdef0123456789abcdef01234567";
    let first = Server::start(BTreeMap::new());
    let second =
        Server::start(BTreeMap::from([(format!("/buildid/{id}/debuginfo"), File::new(b"image".to_vec()))]));
    let wanted = format!("debuginfod:{}", id.to_uppercase()).parse::<Spec>().unwrap().wanted;
    let urls = format!("{}/ {}", first.url(), second.url());
    let found = Debuginfod::new(&urls, &client()).find(&wanted).unwrap();
    assert_eq!((found.kernels[0].image.size, found.kernels[0].image.sha256), (5, None));
    assert_eq!(first.asked().len(), 1);
    let error = Debuginfod::new(&first.url(), &client()).find(&wanted).unwrap_err();
    assert_eq!(error.to_string(), format!("no server has build id `{id}`"));
    assert!(
        Debuginfod::new("", &client()).find(&wanted).unwrap_err().help().unwrap().contains("DEBUGINFOD_URLS")
    );
}
