//! Repositories of RPM packages.

use testkit::Target;
use testkit::elf::Machine;
use testkit::kernel::Kernel;
use testkit::key::Key;
use testkit::mirror;
use testkit::rpm::{self, Rpm};
use testkit::server::Server;

use super::common::{Home, Ran};
use super::{CONFIG, NAME, RELEASE, fetched, halves, in_cache, module, pages, pages_of_whole, vmlinux};

const SPEC: &str = "fedora:40/x86_64";

/// A repository with debug packages, and one with the others.
fn repositories(debug: &[Rpm], others: &[Rpm]) -> Server {
    let mut files = rpm::repository("/debug", debug);
    files.extend(rpm::repository("/os", others));
    Server::start(files)
}

/// In xz blocks of 256 KiB, so that something can be left out.
fn xz(bytes: &[u8]) -> Vec<u8> {
    mirror::xz(bytes, 256 << 10)
}

/// A package of the sample kernel as Fedora has it, but for what its banner says.
fn package(name: &str, files: &[(&str, &[u8])]) -> Rpm {
    Rpm::new(name, "6.1.176", "1.fc40", files, xz)
}

/// A debug package in which 3 MB follow the vmlinux.
fn debuginfo() -> Rpm {
    let (path, noise) = (format!("./usr/lib/debug/lib/modules/{RELEASE}/vmlinux"), mirror::noise(3 << 20));
    package("kernel-debuginfo", &[(&path, &vmlinux()), ("./usr/lib/debug/z", &noise)])
}

/// A package with the configuration, and 3 MB behind it.
fn core() -> Rpm {
    let (place, noise) = (format!("./lib/modules/{RELEASE}"), mirror::noise(3 << 20));
    package(
        "kernel-core",
        &[(&format!("{place}/config"), CONFIG.as_bytes()), (&format!("{place}/vmlinuz"), &noise)],
    )
}

fn pull(home: &Home, server: &Server, arguments: &[&str]) -> Ran {
    let mirrors = ["debug", "os"].map(|name| format!("{}/{name}", server.url()));
    let mut command = home.command();
    command.args(["pull", "--timeout", "5", "--mirror", &mirrors[0], "--mirror", &mirrors[1]]);
    command.args(arguments).arg(SPEC).output().unwrap().into()
}

#[test]
fn what_follows_the_kernel_is_not_fetched() {
    let (home, server) = (Home::new(), repositories(&[debuginfo()], &[core()]));
    assert_eq!(pull(&home, &server, &["--unsigned"]).fine(), format!("{NAME}\n"));
    assert!(home.run(&["show", "config", "CONFIG_BPF_SYSCALL"]).fine().contains('y'));
    let sent: usize = server.asked().iter().map(|asked| asked.sent).sum();
    assert!(sent < 4 << 20, "{sent}");
    let provenance = serde_json::json!({"place": "fedora", "suite": "40", "checked": "index"});
    assert_eq!(fetched(&home), provenance);
    pull(&home, &server, &["--unsigned", "--verify"]).fine();
    assert_eq!(fetched(&home)["checked"], "whole");
    assert_eq!(in_cache(&home), [""; 0]);
}

#[test]
fn nobody_vouching_for_packages_is_told() {
    let (home, server) = (Home::new(), repositories(&[debuginfo()], &[core()]));
    let ran = pull(&home, &server, &[]);
    assert_eq!(ran.stdout, format!("{NAME}\n"));
    // The first where the system has no keys, the second where it has some.
    let told =
        ["signatures of RPM packages are not checked: ", "nobody vouches for the contents of `kernel-core-"];
    assert!(told.iter().any(|told| ran.stderr.contains(told)), "{ran:?}");
    assert!(fetched(&home).get("signed").is_none());
}

#[test]
fn packages_are_signed_by_who_is_known() {
    let Some(key) = Key::new("packages@example.org") else { return };
    let Some(other) = Key::new("somebody@example.org") else { return };
    let ring = key.ring.to_str().unwrap();
    let server = repositories(&[debuginfo().signed(&key)], &[core().signed(&key)]);
    let home = Home::new();
    let ran = pull(&home, &server, &["--keyring", ring]);
    assert_eq!(
        (ran.stdout.as_str(), ran.stderr.contains("warning")),
        (&*format!("{NAME}\n"), false),
        "{ran:?}"
    );
    let signed = |checked: &str, signed: &str| serde_json::json!({"place": "fedora", "suite": "40", "checked": checked, "signed": [signed]});
    assert_eq!(fetched(&home), signed("index", "header"));
    let info = home.run(&["info", NAME]).fine();
    assert!(info.contains("the package's header has a good signature"), "{info}");
    pull(&home, &server, &["--keyring", ring, "--verify"]).fine();
    assert_eq!(fetched(&home), signed("whole", "package"));

    let home = Home::new();
    let told = pull(&home, &server, &["--keyring", other.ring.to_str().unwrap()]).failed();
    assert!(told.contains("it is signed by a key that is not in the keyring"), "{told}");
    assert!(told.contains("--unsigned"), "{told}");
    assert_eq!((in_cache(&home).len(), home.dataset().exists()), (0, false));
    let server = repositories(&[debuginfo()], &[core().signed(&key)]);
    let told = pull(&home, &server, &["--keyring", ring]).failed();
    assert!(
        told.contains("kernel-debuginfo-6.1.176-1.fc40.x86_64.rpm` cannot be trusted: it is not signed"),
        "{told}"
    );

    // Behind what is read, so that all of it has to be there before anybody can tell.
    let mut changed = debuginfo().signed(&key);
    let at = changed.payload.len() - 1_000_000;
    changed.payload[at] ^= 1;
    let server = repositories(&[changed], &[core().signed(&key)]);
    let told = pull(&home, &server, &["--keyring", ring, "--verify"]).failed();
    assert!(told.contains("cannot be trusted: the SHA-256 of its contents is"), "{told}");
    assert_eq!((in_cache(&home).len(), home.dataset().exists()), (0, false));
}

#[test]
fn modules_come_from_packages_of_their_own() {
    let Some([whole, code, debug]) = module() else { return };
    let path = |place: &str| format!("./{place}lib/modules/{RELEASE}/kernel/fs/tiny-one.ko");
    let image = |module: &[u8], name: &str| {
        let vmlinux_path = format!("./usr/lib/debug/lib/modules/{RELEASE}/vmlinux");
        let files: [(&str, &[u8]); 2] =
            [(&(path("usr/lib/debug/") + name), module), (&vmlinux_path, &vmlinux())];
        package("kernel-debuginfo", &files)
    };
    let page = |home: &Home| home.run(&["show", "function", "tiny_read"]).fine();
    let (home, server) = (Home::new(), repositories(&[image(&whole, "")], &[core()]));
    pull(&home, &server, &["--unsigned", "--modules", "all"]).fine();
    let expected = page(&home);
    assert!(expected.contains("while loaded       module tiny_one"), "{expected}");

    let modules = package("kernel-modules-core", &[(&(path("") + ".xz"), &xz(&code))]);
    let internal = package("kernel-modules-internal", &[("./a", b"no module")]);
    let serve = || repositories(&[image(&debug, ".debug")], &[core(), modules.clone(), internal.clone()]);
    let (home, server) = (Home::new(), serve());
    let noise = package("kernel-modules-extra", &[("./a", &mirror::noise(900_000))]);
    let server_with_more = repositories(&[image(&debug, ".debug")], &[core(), modules.clone(), noise]);
    let listed = |arguments: &[&str]| -> f64 {
        let arguments = [&["--unsigned", "--list"], arguments].concat();
        let table = pull(&home, &server_with_more, &arguments).fine();
        table.lines().last().unwrap().split(' ').nth(4).unwrap().parse().unwrap()
    };
    assert!((0.8..1.1).contains(&(listed(&["--modules", "all"]) - listed(&[]))));
    pull(&home, &server, &["--unsigned", "--modules", "all"]).fine();
    assert_eq!(page(&home), expected);
    assert_eq!(in_cache(&home), [""; 0]);

    // Nobody asks for them without modules.
    let (home, server) = (Home::new(), serve());
    pull(&home, &server, &["--unsigned"]).fine();
    assert!(!server.asked().iter().any(|asked| asked.path.contains("modules")));

    // What is gone is done without, and said; what breaks is not.
    let (home, server) = (Home::new(), serve());
    server.change(&format!("/os/{}", internal.path()), |file| file.refusals = (usize::MAX, 404));
    let ran = pull(&home, &server, &["--unsigned", "--modules", "all"]);
    assert!(ran.stderr.contains("the server says 404: modules are read without it"), "{ran:?}");
    assert_eq!((ran.status, page(&home)), (Some(0), expected));
    let (home, server) = (Home::new(), serve());
    server.change(&format!("/os/{}", internal.path()), |file| file.refusals = (usize::MAX, 403));
    let told = pull(&home, &server, &["--unsigned", "--modules", "all"]).failed();
    assert!(told.contains("the server says 403"), "{told}");
    assert!(!home.dataset().exists());
    // What had arrived is there for the next run.
    assert!(in_cache(&home).iter().any(|name| name.starts_with("kernel-core-")), "{:?}", in_cache(&home));
}

#[test]
fn suse_has_code_and_debug_information_in_two_packages() {
    let [code, debug] = halves();
    let noise = mirror::noise(3 << 20);
    let debuginfo = || {
        let path = format!("./usr/lib/debug/boot/vmlinux-{RELEASE}.debug");
        package("kernel-default-debuginfo", &[(&path, &debug), ("./usr/lib/debug/z", &noise)])
    };
    let default = |code: &[u8]| {
        let [config, vmlinux] = ["config", "vmlinux"].map(|name| format!("./boot/{name}-{RELEASE}"));
        let code = xz(code);
        let files = [(&*config, CONFIG.as_bytes()), (&(vmlinux + ".xz"), &code), ("./lib/z", &noise)];
        package("kernel-default", &files)
    };
    let pull = |home: &Home, server: &Server, arguments: &[&str]| -> Ran {
        let mut command = home.command();
        command.args(["pull", "--unsigned", "--timeout", "5"]);
        for name in ["debug", "os"] {
            command.args(["--mirror", &format!("{}/{name}", server.url())]);
        }
        command.args(arguments).arg("fedora:40/default-x86_64").output().unwrap().into()
    };
    let whole = pages_of_whole();
    for (arguments, checked) in [(&[][..], "index"), (&["--verify"], "whole")] {
        let (home, server) = (Home::new(), repositories(&[debuginfo()], &[default(&code)]));
        assert_eq!(pull(&home, &server, arguments).fine(), format!("{NAME}\n"));
        assert_eq!((pages(&home), in_cache(&home)), (whole.clone(), vec![]));
        assert_eq!(fetched(&home)["checked"], checked);
        let sent: usize = server.asked().iter().map(|asked| asked.sent).sum();
        assert_eq!(sent < 5 << 20, checked == "index", "{sent}");
    }

    // One half alone, and one of another build, change nothing.
    let other =
        Kernel::sample(Machine::X86_64, Target::LE64).build_id(&[7; 20]).build().elf.without_debug().build();
    for (others, why) in [
        (vec![], "no code, which is in a file of its own"),
        (vec![default(&other)], "the code is of another build than the debug information"),
    ] {
        let (home, server) = (Home::new(), repositories(&[debuginfo()], &others));
        let told = pull(&home, &server, &[]).failed();
        assert!(told.contains(why), "{told}");
        assert_eq!((in_cache(&home).len(), home.dataset().exists()), (0, false));
    }
}
