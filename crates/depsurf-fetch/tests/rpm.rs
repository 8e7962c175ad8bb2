//! Kernels of small repositories of RPM packages, with and without signatures.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use depsurf_fetch::{
    Amount, Cache, Client, Download, Error, Fedora, Found, Kernel, Options, Own, Place, Spec, Trust,
};
use tempfile::TempDir;
use testkit::key::Key;
use testkit::rpm::{self, Rpm};
use testkit::server::{File, Server};

fn client() -> Client {
    let (patience, pause) = (Duration::from_secs(5), Duration::from_millis(5));
    Client::new(Options { connect: patience, idle: patience, retries: 2, pause, connections: 2 })
}

fn package(name: &str, release: &str) -> Rpm {
    Rpm::new(name, "6.11.4", release, &[("./a", name.as_bytes())], <[u8]>::to_vec)
}

struct Places {
    server: Server,
    directory: TempDir,
}

impl Places {
    fn new(debug: &[Rpm], others: &[Rpm]) -> Self {
        let mut files = rpm::repository("/41/x86_64/debug", debug);
        files.extend(rpm::repository("/41/x86_64/os", others));
        Self { server: Server::start(files), directory: tempfile::tempdir().unwrap() }
    }

    fn with(&self, trust: Trust, spec: &str) -> Result<Found, Error> {
        let urls = ["debug", "os"].map(|kind| format!("{}/{{suite}}/{{arch}}/{kind}", self.server.url()));
        let cache = Cache::new(self.directory.path());
        Fedora::new(&urls, trust, &client(), &cache).find(&spec.parse::<Spec>().unwrap().wanted)
    }

    fn find(&self, spec: &str) -> Vec<Kernel> {
        let found = self.with(Trust::Unsigned, spec).unwrap();
        assert!(found.warnings.is_empty(), "{:?}", found.warnings);
        found.kernels
    }

    fn packages(&self) -> PathBuf {
        self.directory.path().join("packages")
    }
}

#[test]
fn kernels_are_put_together_from_several_packages() {
    let debug = [
        package("kernel-debuginfo", "300.fc41"),
        package("kernel-debuginfo", "301.fc41"),
        package("kernel-debuginfo-common-x86_64", "301.fc41"),
        package("kernel-tools-debuginfo", "301.fc41"),
        package("kernel-rt-debuginfo", "301.fc41"),
        package("kernel-default-debuginfo", "1.1"),
        package("kernel-default-extra-debuginfo", "1.1"),
    ];
    let others = [
        package("kernel", "301.fc41"),
        package("kernel-core", "301.fc41"),
        package("kernel-core", "300.fc41"),
        package("kernel-modules-core", "301.fc41"),
        package("kernel-modules", "301.fc41"),
        package("kernel-modules-extra", "300.fc41"),
        package("kernel-rt-core", "301.fc41"),
        package("kernel-rt-modules", "301.fc41"),
        package("kernel-default", "1.1"),
        package("kernel-default-base", "1.1"),
        package("kernel-default-extra", "1.1"),
    ];
    let places = Places::new(&debug, &others);
    let parts = |spec: &str| -> (String, String, Vec<String>) {
        let kernels = places.find(spec);
        let [kernel] = kernels.as_slice() else { panic!("{kernels:?}") };
        let modules = kernel.modules.iter().map(|package| package.name.clone()).collect();
        (kernel.release.clone(), kernel.config.as_ref().unwrap().name.clone(), modules)
    };
    let (release, config, modules) = parts("fedora:41/x86_64");
    assert_eq!((release.as_str(), config.as_str()), ("6.11.4-301.fc41.x86_64", "kernel-core"));
    assert_eq!(modules, ["kernel-modules", "kernel-modules-core"]);
    let image = &places.find("fedora:41/x86_64")[0].image;
    assert!(image.url.ends_with("/41/x86_64/debug/Packages/k/kernel-debuginfo-6.11.4-301.fc41.x86_64.rpm"));
    let (release, config, modules) = parts("fedora:41/rt-x86_64");
    assert_eq!((release.as_str(), config.as_str()), ("6.11.4-301.fc41.x86_64+rt", "kernel-rt-core"));
    assert_eq!(modules, ["kernel-rt-modules"]);
    let (_, config, modules) = parts("fedora:41/default-x86_64");
    assert_eq!(config, "kernel-default");
    assert_eq!(modules, ["kernel-default-extra", "kernel-default-extra-debuginfo"]);
    let mut flavours: Vec<String> =
        places.find("fedora:41/*x86_64").into_iter().map(|kernel| kernel.release).collect();
    flavours.sort();
    assert_eq!(flavours.len(), 3, "{flavours:?}");
    assert!(places.with(Trust::Unsigned, "fedora:41/64k-x86_64").is_err());
    let error = places.with(Trust::Unsigned, "fedora:41/*").unwrap_err();
    assert!(error.to_string().contains("does not tell the architecture"), "{error}");
}

#[test]
fn indexes_may_be_signed() {
    let Some(key) = Key::new("repository@example.org") else { return };
    let Some(other) = Key::new("somebody@example.org") else { return };
    let places = Places::new(&[package("kernel-debuginfo", "1.fc41")], &[package("kernel-core", "1.fc41")]);
    let repomd = "/41/x86_64/debug/repodata/repomd.xml";
    let mut bytes = Vec::new();
    places.server.change(repomd, |file| bytes.clone_from(&file.bytes));
    places.server.put(&format!("{repomd}.asc"), File::new(key.sign_armored(&bytes)));
    let find = |key: &Key| places.with(Trust::Keyring(key.ring.clone()), "fedora:41/x86_64");
    let found = find(&key).unwrap();
    let kernel = &found.kernels[0];
    assert!(kernel.image.signatures.index && !kernel.config.as_ref().unwrap().signatures.index);
    assert!(found.warnings.is_empty(), "{:?}", found.warnings);
    let error = find(&other).unwrap_err().to_string();
    assert!(error.contains("repomd.xml` cannot be trusted: it is signed by a key that is not in"), "{error}");
    assert!(places.with(Trust::Unsigned, "fedora:41/x86_64").is_ok());
    places.server.change(repomd, |file| file.bytes.push(b'\n'));
    let error = find(&key).unwrap_err().to_string();
    assert!(error.contains("the signature is bad"), "{error}");
    let asc = format!("{repomd}.asc");
    places.server.change(&asc, |file| file.refusals = (usize::MAX, 403));
    assert!(matches!(find(&key), Err(Error::Status { status: 403, .. })));
}

#[test]
fn packages_by_others_are_thrown_away() {
    let Some(key) = Key::new("packages@example.org") else { return };
    let Some(other) = Key::new("somebody@example.org") else { return };
    let changed = {
        let mut package = package("kernel-core", "1.fc41").signed(&key);
        *package.payload.last_mut().unwrap() ^= 1;
        package
    };
    let places = Places::new(&[package("kernel-debuginfo", "1.fc41").signed(&key)], &[changed]);
    let find = |key: &Key| places.with(Trust::Keyring(key.ring.clone()), "fedora:41/x86_64").unwrap();
    let begin = |remote| Download::begin(&client(), remote, &places.packages(), Amount::Whole).unwrap();
    let left = || fs::read_dir(places.packages()).map_or(0, |files| files.count());

    let kernel = &find(&other).kernels[0];
    let error = begin(&kernel.image).signature().unwrap_err().to_string();
    assert!(error.contains("a key that is not in the keyring"), "{error}");
    assert_eq!(left(), 0);
    let error = begin(&kernel.image).finish(true).unwrap_err().to_string();
    assert!(error.contains("a key that is not in the keyring"), "{error}");
    assert_eq!(left(), 0);

    let kernel = &find(&key).kernels[0];
    // The index says the same of the changed package, so that only the signed checksum tells.
    let config = begin(kernel.config.as_ref().unwrap());
    assert!(matches!(config.signature(), Ok(Own::Good(_))));
    let error = config.finish(true).unwrap_err().to_string();
    assert!(error.contains("the SHA-256 of its contents"), "{error}");
    assert_eq!(left(), 0);
    let finished = begin(&kernel.image).finish(true).unwrap();
    assert!(finished.verified && left() == 1);
    // What was kept is looked at again.
    let error = begin(&find(&other).kernels[0].image).signature().unwrap_err().to_string();
    assert!(error.contains("a key that is not in the keyring"), "{error}");
}

#[test]
fn a_connection_that_breaks_is_not_a_bad_signature() {
    let Some(key) = Key::new("packages@example.org") else { return };
    let places = Places::new(&[package("kernel-debuginfo", "1.fc41").signed(&key)], &[]);
    let kernel = &places.with(Trust::Keyring(key.ring.clone()), "fedora:41/x86_64").unwrap().kernels[0];
    let path = kernel.image.url.strip_prefix(&places.server.url()).unwrap();
    places.server.change(path, |file| file.refusals = (usize::MAX, 404));
    let download = Download::begin(&client(), &kernel.image, &places.packages(), Amount::Whole).unwrap();
    assert!(download.signature().unwrap_err().is_missing());
}
