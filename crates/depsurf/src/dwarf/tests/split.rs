//! Units of which the image has the skeletons: what they tell is the same as if they had never been split, or they are noted.

use std::path::Path;

use gimli::SectionId;
use object::{Object, ObjectSection};
use testkit::Width;
use testkit::dwarf::*;

use super::super::{IN_FILE, IN_PACKAGE, Located, Sections, Skeleton, skeletons};
use super::clang::{output, write_sources};
use super::*;

/// The files `NAME.dwo` of an image that were found.
type Files<'a> = Vec<(&'a str, &'a DebugSections)>;

fn is_big(target: Target) -> bool {
    target.endian == Endian::Big
}

fn wanted(image: &DebugSections, target: Target) -> Vec<Skeleton<'_>> {
    skeletons(is_big(target), |id| image.get(id.name()))
}

fn others<'a>(image: &'a DebugSections, files: &Files<'a>, target: Target) -> Others<'a> {
    let place = |skeleton: &Skeleton<'_>| {
        let name = skeleton.name;
        files.iter().position(|(file, _)| file.as_bytes() == name).into_iter().collect()
    };
    let located = |skeleton| Located { files: place(&skeleton), skeleton };
    let sections = |file: &'a DebugSections| Sections(IN_FILE.map(|id| (id, file.get(id.name()))).into());
    Others {
        located: wanted(image, target).into_iter().map(located).collect(),
        files: files.iter().map(|(_, file)| Ok(sections(file))).collect(),
        package: None,
    }
}

fn read_with<'a>(image: &'a DebugSections, files: &Files<'a>, target: Target) -> Facts<'a> {
    let others = others(image, files, target);
    read(is_big(target), |id| image.get(id.name()), &others, &Silent).unwrap()
}

/// Two units with all that refers to other sections, and one between them that was never split.
fn units() -> [Unit; 3] {
    let shared = || {
        [
            base_type("int", 4, DW_ATE_signed),
            base_type("long int", 8, DW_ATE_signed),
            structure(
                "file",
                16,
                "include/linux/fs.h",
                12,
                [member("f_mode", "int", 0), member("f_pos", "long int", 8)],
            ),
            pointer("struct file"),
        ]
    };
    let first = Unit::new("fs/a.c").low_pc(0x1000).children(shared()).children([
        subprogram("helper").decl("include/linux/fs.h", 30).inline(DW_INL_inlined).returns("int"),
        subprogram("vfs_read")
            .external()
            .decl("fs/a.c", 45)
            .returns("long int")
            .low_pc(0x1010)
            .size(0x20)
            .parameter("file", "struct file *")
            .child(inlined_subroutine("helper", "fs/a.c", 47, 0x1014))
            .child(call_site("cold")),
        subprogram("cold").decl("fs/a.c", 60).inline(DW_INL_not_inlined),
        out_of_line("cold").attr(
            DW_AT_ranges,
            Value::Ranges(vec![Range::Offsets(0x100, 0x110), Range::StartEnd(0x8000, 0x8010)]),
        ),
    ]);
    let assembly = Unit::new("arch/x86/entry.S")
        .language(DW_LANG_Mips_Assembler)
        .child(subprogram("entry").external().low_pc(0x2000).size(4));
    let second = Unit::new("fs/b.c").children(shared()).children([
        subprogram("vfs_write")
            .external()
            .decl("fs/b.c", 7)
            .returns("int")
            .parameter("file", "struct file *")
            .attr(DW_AT_ranges, Value::Ranges(vec![Range::StartLength(0x3000, 0x10)]))
            .child(call_site("vfs_read")),
        subprogram("vfs_read").external().declaration().decl("include/linux/fs.h", 50),
    ]);
    [first, assembly, second]
}

/// The same with the first and the last in files of their own.
fn split_units() -> [Unit; 3] {
    let [first, assembly, second] = units();
    [first.split("fs/a.dwo", 0x1234_5678_9abc_def0), assembly, second.split("fs/b.dwo", 7)]
}

fn forms() -> impl Iterator<Item = Form> {
    Form::all().into_iter().filter(|form| form.style == Style::Gcc)
}

#[test]
fn units_in_other_files_are_read_as_if_they_were_in_the_image() {
    for form in forms() {
        let whole = form.build(&units());
        let image = form.build(&split_units());
        let files = vec![("fs/b.dwo", image.dwo("fs/b.dwo")), ("fs/a.dwo", image.dwo("fs/a.dwo"))];
        let facts = read_with(&image, &files, form.target);
        assert_eq!(note_counts(&facts), [], "{form:?}");
        assert_eq!(everything(&facts), everything(&self::facts(&whole, form.target)), "{form:?}");
        let functions = functions(&facts);
        let read = "fs/a.c: extern vfs_read fs/a.c:45 @0x1010 (file: * struct file) -> long int";
        assert!(functions.iter().any(|line| line == read), "{functions:#?}");
        let edges = edges(&facts);
        for edge in ["vfs_read inlines helper at fs/a.c:47 @0x1014", "vfs_read calls cold", "cold @0x1100"] {
            assert!(edges.iter().any(|line| line == edge), "{edges:#?}");
        }
    }
}

#[test]
fn skeletons_tell_the_files_that_are_wanted() {
    for form in forms() {
        let image = form.build(&split_units());
        let found = wanted(&image, form.target);
        let of = |unit: &Skeleton<'_>| {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            (text(unit.directory), text(unit.name), unit.id)
        };
        let expected = |name: &str, id| ("/build/linux".to_owned(), name.to_owned(), id);
        assert_eq!(
            found.iter().map(of).collect::<Vec<_>>(),
            [expected("fs/a.dwo", 0x1234_5678_9abc_def0), expected("fs/b.dwo", 7)]
        );
        assert!(wanted(&form.build(&units()), form.target).is_empty());
    }
}

/// What is left of the three units when the file of the first is not what it should be.
#[track_caller]
fn expect_loss(form: Form, image: &DebugSections, first: &DebugSections, note: &str) {
    let files = vec![("fs/a.dwo", first), ("fs/b.dwo", image.dwo("fs/b.dwo"))];
    let facts = read_with(image, &files, form.target);
    assert_eq!(note_counts(&facts), [(note.to_owned(), 1)], "{form:?}");
    let [note] = notes(&facts).try_into().unwrap();
    assert!(note.lossy);
    assert!(note.first.unwrap().contains("fs/a.dwo"));
    let [_, assembly, second] = units();
    let rest = form.build(&[assembly, second]);
    let rest = self::facts(&rest, form.target);
    assert_eq!(functions(&facts), functions(&rest));
    assert_eq!(definitions(&facts), definitions(&rest));
}

#[test]
fn a_unit_whose_file_is_missing_is_noted() {
    for form in forms() {
        let image = form.build(&split_units());
        let facts = read_with(&image, &vec![("fs/b.dwo", image.dwo("fs/b.dwo"))], form.target);
        assert_eq!(note_counts(&facts), [("dwarf-split-unit".to_owned(), 1)]);
        let [note] = notes(&facts).try_into().unwrap();
        assert!(note.lossy && note.message.contains("CONFIG_DEBUG_INFO_SPLIT"));
        assert_eq!(note.first.as_deref(), Some("fs/a.dwo"));
        assert_eq!(facts.units.len(), 2);
    }
}

#[test]
fn a_file_of_another_build_is_not_taken() {
    for form in forms() {
        let image = form.build(&split_units());
        let [first, ..] = units();
        let other = form.build(&[first.split("fs/a.dwo", 8)]);
        expect_loss(form, &image, other.dwo("fs/a.dwo"), "dwarf-split-id");
        expect_loss(form, &image, &DebugSections::default(), "dwarf-split-id");
    }
}

/// The second place is asked where the first has a file of another build.
#[test]
fn all_places_of_a_file_are_asked() {
    for form in forms() {
        let image = form.build(&split_units());
        let [first, ..] = units();
        let stale = form.build(&[first.split("fs/a.dwo", 8)]);
        let files = vec![
            ("stale", stale.dwo("fs/a.dwo")),
            ("fs/a.dwo", image.dwo("fs/a.dwo")),
            ("fs/b.dwo", image.dwo("fs/b.dwo")),
        ];
        let mut others = others(&image, &files, form.target);
        others.located[0].files = vec![0, 1];
        let facts = read(is_big(form.target), |id| image.get(id.name()), &others, &Silent).unwrap();
        assert_eq!(note_counts(&facts), []);
        assert_eq!(facts.units.len(), 3);
    }
}

#[test]
fn a_file_that_cannot_be_opened_is_noted() {
    for form in forms() {
        let image = form.build(&split_units());
        let files = vec![("fs/a.dwo", image.dwo("fs/a.dwo")), ("fs/b.dwo", image.dwo("fs/b.dwo"))];
        let mut others = others(&image, &files, form.target);
        others.files[0] = Err("it is no regular file".to_owned());
        let facts = read(is_big(form.target), |id| image.get(id.name()), &others, &Silent).unwrap();
        let [note] = notes(&facts).try_into().unwrap();
        assert_eq!((note.id.as_str(), note.count, note.lossy), ("dwarf-split-file", 1, true));
        assert!(note.message.ends_with("it is no regular file"), "{}", note.message);
    }
}

/// A hostile image could have one large unit read as often as it has skeletons.
#[test]
fn a_unit_is_in_one_place_only() {
    for form in forms() {
        let [first, assembly, second] = units();
        let image = form.build(&[first.split("fs/a.dwo", 7), assembly, second.split("fs/b.dwo", 7)]);
        let both = image.dwo("fs/a.dwo");
        let files = vec![("fs/a.dwo", both)];
        let mut others = others(&image, &files, form.target);
        others.located[1].files = vec![0];
        let facts = read(is_big(form.target), |id| image.get(id.name()), &others, &Silent).unwrap();
        assert_eq!(note_counts(&facts), [("dwarf-split-taken".to_owned(), 1)]);
        assert_eq!(facts.units.len(), 2);
    }
}

/// Places in the image and places in another file have nothing to do with each other.
#[test]
fn references_do_not_lead_from_one_file_to_another() {
    for form in forms() {
        let build = |offset| {
            let mut own = unit([
                subprogram("caller").decl("fs/a.c", 1).child(
                    Die::new(DW_TAG_GNU_call_site).attr(DW_AT_abstract_origin, Value::RefAddrOffset(offset)),
                ),
                Die::new(DW_TAG_variable),
            ]);
            own = own
                .child(subprogram("taker").decl("fs/a.c", 2).attr(DW_AT_type, Value::RefAddrOffset(offset)));
            form.build(&[own.clone(), Unit::new("fs/b.c").child(function_at_start()).split("fs/b.dwo", 7)])
        };
        // The place in the skeleton at which the file has a function.
        let skeleton = build(0).unit_offset(1);
        let inner = build(0).dwo("fs/b.dwo").offset("target");
        let image = build((skeleton + inner) as u32);
        let files = vec![("fs/b.dwo", image.dwo("fs/b.dwo"))];
        let facts = read_with(&image, &files, form.target);
        assert_eq!(edges(&facts), ["caller calls elsewhere?"], "{form:?}");
        let functions = functions(&facts);
        assert!(
            functions.iter().any(|line| line.ends_with("taker fs/a.c:2 () -> <damaged>")),
            "{functions:?}"
        );

        // And back: an offset of the image means nothing in the file.
        let target = unit([subprogram("target").decl("fs/a.c", 1)]);
        let offset = form.build(std::slice::from_ref(&target)).offset("target") as u32;
        let pad = (0..200).map(|_| Die::new(DW_TAG_label));
        let other = Unit::new("fs/b.c").children([subprogram("caller").decl("fs/b.c", 1).child(
            Die::new(DW_TAG_GNU_call_site)
                .attr(DW_AT_abstract_origin, Value::RefAddrOffset(offset + 0x1_0000)),
        )]);
        let image = form.build(&[target, other.children(pad).split("fs/b.dwo", 7)]);
        let facts = read_with(&image, &vec![("fs/b.dwo", image.dwo("fs/b.dwo"))], form.target);
        assert_eq!(note_counts(&facts), []);
        assert_eq!(edges(&facts), ["caller calls nowhere"]);
    }
}

/// So near to the start of its unit that its offset is one of the skeleton, too.
fn function_at_start() -> Die {
    subprogram("target").decl("fs/b.c", 1)
}

/// Names, which may be any bytes, and addresses of all functions.
fn names(facts: &Facts<'_>) -> Vec<(Vec<u8>, Option<u64>)> {
    let functions = facts.units.iter().flat_map(|unit| &unit.functions);
    functions.map(|function| (facts.name(function.name).to_vec(), function.address)).collect()
}

/// Damage is a loss of the unit or of some of its types, the other units stay as they are, and nothing panics.
#[test]
fn damage_stays_in_the_file() {
    for form in forms().filter(|form| form.target.width == Width::W64) {
        let image = form.build(&split_units());
        let [_, assembly, second] = units();
        let rest = form.build(&[assembly, second]);
        let rest = names(&facts(&rest, form.target));
        let check = |first: &DebugSections| {
            let files = vec![("fs/a.dwo", first), ("fs/b.dwo", image.dwo("fs/b.dwo"))];
            let facts = read_with(&image, &files, form.target);
            let names = names(&facts);
            assert!(names.ends_with(&rest), "{names:#?}");
            note_counts(&facts).len()
        };
        for id in IN_FILE {
            let length = image.dwo("fs/a.dwo").get(id.name()).len();
            for at in 0..length {
                let mut cut = image.dwo("fs/a.dwo").clone();
                cut.get_mut(id.name()).truncate(at);
                if id == SectionId::DebugInfo {
                    assert!(check(&cut) > 0, "{form:?}: cut at {at}");
                } else {
                    check(&cut);
                }
                let mut changed = image.dwo("fs/a.dwo").clone();
                changed.get_mut(id.name())[at] ^= 0xff;
                check(&changed);
            }
        }
        // A skeleton that promises more addresses than there are.
        let mut cut = image.clone();
        cut.get_mut(".debug_addr").truncate(9);
        let files = vec![("fs/a.dwo", image.dwo("fs/a.dwo")), ("fs/b.dwo", image.dwo("fs/b.dwo"))];
        let facts = read_with(&cut, &files, form.target);
        assert!(!note_counts(&facts).is_empty());
    }
}

#[test]
fn one_thread_and_many_find_the_same() {
    for form in forms() {
        let image = form.build(&split_units());
        let files = vec![("fs/b.dwo", image.dwo("fs/b.dwo")), ("fs/a.dwo", image.dwo("fs/a.dwo"))];
        let others = others(&image, &files, form.target);
        let one = super::super::read_here(is_big(form.target), |id| image.get(id.name()), &others).unwrap();
        assert_eq!(everything(&one), everything(&read_with(&image, &files, form.target)));
    }
}

/// Sections by the names they have in an image, of a real file.
type Owned = Vec<(SectionId, Vec<u8>)>;

fn sections_of(path: &Path, ids: &[SectionId], name: impl Fn(SectionId) -> Option<&'static str>) -> Owned {
    let bytes = std::fs::read(path).unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    let data = |id| Some((id, file.section_by_name(name(id)?)?.data().unwrap().to_vec()));
    ids.iter().filter_map(|id| data(*id)).collect()
}

fn borrowed(sections: &Owned) -> Sections<'_> {
    Sections(sections.iter().map(|(id, bytes)| (*id, &**bytes)).collect())
}

/// A program of two units, compiled and linked.
fn program(compiler: &str, options: &[&str], directory: &Path, name: &str) -> Option<Owned> {
    let common = ["-O2", "-g", "-ffreestanding", "-fno-pic", "-c"];
    for (source, object) in [("fs/a.c", "a.o"), ("fs/b.c", "b.o")] {
        output(compiler, &[&common, options, &[source, "-o", object]].concat(), directory)?;
    }
    let link = ["-nostdlib", "-static", "-no-pie", "-Wl,-e,entry"];
    output(compiler, &[&link[..], &["a.o", "b.o", "-o", name]].concat(), directory)?;
    let in_image =
        [SectionId::DebugLineStr, SectionId::DebugLine, SectionId::DebugRanges, SectionId::DebugAddr];
    Some(sections_of(&directory.join(name), &[&IN_FILE[..], &in_image].concat(), |id| Some(id.name())))
}

/// Real compilers write what is read here, and a real tool packs it.
#[test]
fn programs_of_real_compilers_are_the_same_split_and_whole() {
    for compiler in ["gcc", "clang"] {
        for version in ["-gdwarf-4", "-gdwarf-5"] {
            let directory = tempfile::tempdir().unwrap();
            let place = directory.path();
            write_sources(place);
            let Some(whole) = program(compiler, &[version], place, "whole") else { continue };
            let Some(image) = program(compiler, &[version, "-gsplit-dwarf"], place, "image") else {
                continue;
            };
            let (whole, image_sections) = (borrowed(&whole), borrowed(&image));
            let expected = read(false, |id| whole.get(id), &Others::default(), &Silent).unwrap();
            assert!(functions(&expected).len() > 8, "{compiler} {version}");

            let found = skeletons(false, |id| image_sections.get(id));
            let names: Vec<&[u8]> = found.iter().map(|skeleton| skeleton.name).collect();
            assert_eq!(names, [b"a.dwo", b"b.dwo"], "{compiler} {version}");
            let files =
                ["a.dwo", "b.dwo"].map(|file| sections_of(&place.join(file), &IN_FILE, SectionId::dwo_name));
            let located = |in_files: bool| {
                let files = |number| if in_files { vec![number] } else { Vec::new() };
                (0..)
                    .zip(&found)
                    .map(|(number, skeleton)| Located { skeleton: *skeleton, files: files(number) })
                    .collect()
            };
            let others = Others {
                located: located(true),
                files: files.iter().map(|file| Ok(borrowed(file))).collect(),
                package: None,
            };
            let facts = read(false, |id| image_sections.get(id), &others, &Silent).unwrap();
            assert_eq!(everything(&facts), everything(&expected), "{compiler} {version}");

            let tool = match (compiler, version) {
                ("clang", _) => "llvm-dwp",
                (_, "-gdwarf-4") => "dwp",
                // That of binutils leaves such units out, and LLVM 14's does not end.
                _ => continue,
            };
            if output(tool, &["a.dwo", "b.dwo", "-o", "image.dwp"], place).is_none() {
                continue;
            }
            let package = sections_of(&place.join("image.dwp"), &IN_PACKAGE, SectionId::dwo_name);
            let others =
                Others { located: located(false), files: Vec::new(), package: Some(Ok(borrowed(&package))) };
            let facts = read(false, |id| image_sections.get(id), &others, &Silent).unwrap();
            assert_eq!(everything(&facts), everything(&expected), "{compiler} {version}, packed");

            // The other build has other ids.
            let without = Others { package: Some(Ok(Sections::default())), ..others };
            let facts = read(false, |id| image_sections.get(id), &without, &Silent).unwrap();
            assert_eq!(note_counts(&facts), [("dwarf-split-unit".to_owned(), 2)]);
            // Damage is a loss, never a panic.
            for at in 0..package.iter().map(|(_, bytes)| bytes.len()).max().unwrap() {
                let mut damaged = package.clone();
                for (_, bytes) in &mut damaged {
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte ^= 0xff;
                    }
                }
                let others = Others {
                    located: located(false),
                    files: Vec::new(),
                    package: Some(Ok(borrowed(&damaged))),
                };
                assert!(read(false, |id| image_sections.get(id), &others, &Silent).unwrap().units.len() <= 2);
            }
        }
    }
}
