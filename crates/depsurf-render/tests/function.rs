//! Function pages in every form.

mod kernel;

use depsurf::surface::function::Inline;
use depsurf::surface::{Fact, Surface, record};
use depsurf_render::{Group, Kernel as Labelled, Kind, Look, Page, json, markdown, terminal};
use kernel::{Instance, Kernel};
use testkit::Target;
use testkit::c::Types;

/// `vfs_read` with plain code, inlined copies and a cold part; `fput` as `.isra` only; `min` in a header.
fn kernel(id: &str, line: u32) -> Kernel {
    let mut types = Types::new(Target::LE64);
    types.typedef("ssize_t", "long").typedef("loff_t", "long long");
    types.function(
        "vfs_read",
        "ssize_t",
        &[("file", "struct file *"), ("buf", "char *"), ("count", "size_t"), ("pos", "loff_t *")],
    );
    types.function("fput", "void", &[("", "struct file *")]);
    let mut kernel = Kernel::new(id);
    kernel.types(&types);
    kernel.symbol("vfs_read.cold", 0xffff_ffff_8170_0000, 16, 0, 0);
    let traceable = record::ATTACH_FTRACE | record::ATTACH_EXPORTED_GPL;
    kernel.symbol("vfs_read", 0xffff_ffff_8130_0000, 358, 1, traceable);
    kernel.symbol("fput.isra.0", 0xffff_ffff_8131_0000, 40, 0, record::ATTACH_FTRACE);
    kernel.symbol("register_ftrace_direct", 0xffff_ffff_8110_0000, 90, 1, 0);
    kernel.symbol("arch_prepare_bpf_trampoline", 0xffff_ffff_8110_1000, 90, 1, 0);
    kernel.function(
        "vfs_read",
        [Instance {
            file: "fs/read_write.c".into(),
            location: format!("fs/read_write.c:{line}"),
            address: Some(0xffff_ffff_8130_0000),
            external: true,
            inline: Inline::Inlined,
            inlined_into: vec![
                ("fs/read_write.c:ksys_read".into(), line + 100),
                ("fs/read_write.c:ksys_read".into(), line + 103),
                ("fs/read_write.c:ksys_pread64".into(), line + 150),
            ],
            called_by: (0..12).flat_map(|n| vec![format!("fs/exec.c:reader_{n:02}"); 1 + n / 10]).collect(),
        }],
    );
    kernel.function(
        "fput",
        [Instance {
            file: "fs/file_table.c".into(),
            location: "fs/file_table.c:330".into(),
            address: Some(0xffff_ffff_8131_0000),
            inline: Inline::SeenUnknown,
            ..Instance::default()
        }],
    );
    let copy = |file: &str| Instance {
        file: file.into(),
        location: "include/linux/minmax.h:7".into(),
        inline: Inline::DeclaredInlined,
        inlined_into: vec![(format!("{file}:user"), 0)],
        ..Instance::default()
    };
    kernel.function("min", ["a.c", "b.c", "c.c", "d.c", "e.c"].map(copy));
    kernel
}

fn page<'a>(surfaces: &'a [Surface], name: &'a str) -> Page<'a> {
    let kernels =
        surfaces.iter().map(|surface| Labelled { label: surface.kernel().to_string(), surface }).collect();
    Page::decide(Kind::Function, name, &[Group { title: "Kernels".into(), kernels, base: None }])
}

fn several() -> Vec<Surface> {
    let mut arm = kernel("6.1.176-50-cloud-arm64", 450);
    arm.unknown(Fact::FtraceSites, "no `__start_mcount_loc`");
    arm.parts.symbols.iter_mut().for_each(|symbol| symbol.attach = 0.into());
    let mut old = Kernel::new("4.19.0-1-generic-amd64");
    old.unknown(Fact::Functions, "no `.debug_info`");
    vec![
        old.build(),
        Kernel::new("5.10.223-32-cloud-amd64").build(),
        kernel("6.1.176-50-cloud-amd64", 450).build(),
        kernel("6.12.107-deb13-cloud-amd64", 470).build(),
        kernel("7.2.12-cloud-amd64", 470).build(),
        arm.build(),
    ]
}

#[test]
fn one_kernel_in_a_terminal() {
    let surfaces = [kernel("6.1.176-50-cloud-amd64", 450).build()];
    insta::assert_snapshot!(terminal::page(&page(&surfaces, "vfs_read"), &Look::default()));
}

#[test]
fn several_kernels_in_a_terminal() {
    insta::assert_snapshot!(terminal::page(&page(&several(), "vfs_read"), &Look::default()));
}

#[test]
fn a_function_without_its_plain_symbol() {
    let surfaces = [kernel("6.1.176-50-cloud-amd64", 450).build()];
    insta::assert_snapshot!(terminal::page(&page(&surfaces, "fput"), &Look::default()));
}

#[test]
fn a_function_of_a_header() {
    let surfaces = [kernel("6.1.176-50-cloud-amd64", 450).build()];
    insta::assert_snapshot!(terminal::page(&page(&surfaces, "min"), &Look::default()));
}

#[test]
fn verbose_leaves_nothing_out() {
    let surfaces = [kernel("6.1.176-50-cloud-amd64", 450).build()];
    let look = Look { verbose: true, ..Look::default() };
    let text = terminal::page(&page(&surfaces, "vfs_read"), &look);
    assert!(text.contains("fs/exec.c:reader_11 ×2"), "{text}");
    assert!(!text.contains("more functions"), "{text}");
    assert!(terminal::page(&page(&surfaces, "min"), &look).contains("in e.c"));
}

#[test]
fn colour_changes_no_word() {
    let surfaces = several();
    let page = page(&surfaces, "vfs_read");
    let plain = terminal::page(&page, &Look::default());
    let coloured = terminal::page(&page, &Look { colour: true, ..Look::default() });
    assert_ne!(coloured, plain);
    let mut stripped = String::new();
    for (index, part) in coloured.split("\u{1b}[").enumerate() {
        stripped.push_str(if index == 0 { part } else { part.split_once('m').expect("a colour code").1 });
    }
    assert_eq!(stripped, plain);
}

#[test]
fn lines_fit_where_they_can() {
    let surfaces = several();
    let text = terminal::page(&page(&surfaces, "vfs_read"), &Look { width: 80, ..Look::default() });
    let long: Vec<&str> = text.lines().filter(|line| line.chars().count() > 80).collect();
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn markdown_has_the_published_form() {
    insta::assert_snapshot!(markdown::page(&page(&several()[..3], "vfs_read")));
}

#[test]
fn json_has_all_facts() {
    let surfaces = several();
    insta::assert_snapshot!(json::page(&page(&surfaces[..3], "vfs_read")));
}
