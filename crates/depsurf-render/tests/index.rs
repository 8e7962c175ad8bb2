//! Index pages.

mod kernel;

use depsurf::names;
use depsurf::surface::function::Inline;
use depsurf::surface::{Fact, Surface};
use depsurf_render::index::{self, Shelf, Table};
use depsurf_render::{Group, Kernel as Labelled, Kind, Page, path};
use kernel::{Instance, Kernel};
use testkit::Target;
use testkit::c::Types;

/// A kernel with functions of every issue; `newer` has some more.
fn kernel(id: &str, newer: bool) -> Surface {
    let mut kernel = Kernel::new(id);
    let instance = |file: &str, line: u32| Instance {
        file: file.into(),
        location: format!("{file}:{line}"),
        inline: Inline::SeenUnknown,
        ..Instance::default()
    };
    let plain = |name: &str| Instance { external: true, ..instance(&format!("fs/{name}.c"), 1) };
    for name in ["vfs_read", "SyS_read", "sys_read", "___", "0day", "a|b"] {
        kernel.symbol(name, 0x1000, 16, 1, 0);
        kernel.function(name, [plain(name)]);
    }
    kernel.symbol("__vfs_fsync", 0x2000, 16, 1, 0);
    let inlined_into = vec![("fs/vfs_read.c:vfs_read".into(), 7)];
    kernel.function("__vfs_fsync", [Instance { inlined_into, ..plain("sync") }]);
    kernel.symbol("vfs_clone.isra.0", 0x3000, 16, 0, 0);
    kernel.function("vfs_clone", [instance("fs/a.c", 1), instance("fs/b.c", 2)]);
    let header = Instance { location: "include/linux/fs.h:9".into(), ..instance("fs/a.c", 9) };
    kernel.function("vfs_min", [header.clone(), Instance { file: "fs/b.c".into(), ..header }]);
    let mut types = Types::new(Target::LE64);
    types.structure("file", &[("f_mode", if newer { "unsigned int" } else { "int" })]);
    types.structure("inode", &[("i_mode", "int")]);
    kernel.types(&types);
    if newer {
        kernel.function("vfs_new", [plain("new")]);
        kernel.unknown(Fact::Config, "no config was given");
    } else {
        kernel.config("CONFIG_BPF", "y");
    }
    kernel.build()
}

fn groups<'a>(surfaces: &[&'a Surface]) -> Vec<Group<'a>> {
    let labelled = |(label, surface): (&str, &&'a Surface)| Labelled { label: label.into(), surface };
    let regular: Vec<Labelled<'a>> = ["5.10", "6.1"].into_iter().zip(surfaces).map(labelled).collect();
    let base = regular.last().cloned();
    let arch = vec![Labelled { label: "arm64".into(), surface: surfaces[2] }];
    vec![
        Group { title: "Regular".into(), kernels: regular, base: None },
        Group { title: "Arch".into(), kernels: arch, base },
    ]
}

/// All index pages of a kind, and where each row leads to.
fn indexes(kind: Kind, surfaces: &[&Surface]) -> Vec<(String, String)> {
    let groups = groups(surfaces);
    let names = names::all(kind, surfaces);
    let files = path::file_names(&names);
    let columns = index::columns(&groups);
    let pages: Vec<Page<'_>> = names.iter().map(|name| Page::decide(kind, name, &groups)).collect();
    let cells: Vec<index::Cell> = pages.iter().flat_map(index::cells).collect();
    let table = Table { kind, columns: &columns, names: &names, files: &files, cells: &cells };
    let parts = index::parts(kind, &names);
    let pages: Vec<_> = parts.iter().map(|part| (part.file(kind), table.page(part))).collect();
    let text: String = pages.iter().map(|(_, text)| text.as_str()).collect();
    for file in files {
        assert_eq!(text.matches(&format!("(../{}/{file})", kind.heading())).count(), 1, "{file}");
    }
    pages
}

#[test]
fn every_name_stands_in_an_index() {
    let (old, new) = (kernel("5.10.1-1-generic-amd64", false), kernel("6.1.1-1-generic-amd64", true));
    let arm = kernel("6.1.1-1-generic-arm64", false);
    let surfaces = [&old, &new, &arm];
    let mut text = String::new();
    for kind in [Kind::Function, Kind::Config, Kind::Struct] {
        for (file, page) in indexes(kind, &surfaces) {
            text += &format!("-- {file}\n{page}");
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn one_page_leads_to_all_others() {
    let (old, new) = (kernel("5.10.1-1-generic-amd64", false), kernel("6.1.1-1-generic-amd64", true));
    let arm = kernel("6.1.1-1-generic-arm64", true);
    let mut files: Vec<String> = [
        "Index/Function-a.md",
        "Index/Function-0-9.md",
        "Index/Function-other.md",
        "Index/Struct.md",
        "README.md",
    ]
    .map(str::to_owned)
    .into();
    files.extend((0..1234).map(|number| format!("Function/f{number}.md")));
    files.push("Struct/file.md".into());
    let shelves = Shelf::of(&files);
    insta::assert_snapshot!(index::readme(&shelves, &groups(&[&old, &new, &arm])));
}

#[test]
fn files_belong_to_kinds() {
    for (file, kind) in [
        ("Struct/x.md", Some(Kind::Struct)),
        ("Index/Struct.md", Some(Kind::Struct)),
        ("Index/Function-a.md", Some(Kind::Function)),
        ("LSM/file_open.md", Some(Kind::Lsm)),
        ("Index/Structure.md", None),
        ("README.md", None),
        ("other/x.md", None),
    ] {
        assert_eq!(index::kind_of(file), kind, "{file}");
    }
}

#[test]
fn numbers_are_grouped() {
    assert_eq!(
        [0, 12, 999, 1000, 152_301, 1_000_000].map(index::thousands),
        ["0", "12", "999", "1,000", "152,301", "1,000,000"]
    );
}
