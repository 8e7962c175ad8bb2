//! Target `dwarf`: debug sections, of an image and of `.dwo` files, to facts, to the types and functions of a surface.
//!
//! The first byte chooses the kernel whose sections the patches change; the second, the section to leave out.

use std::hint::black_box;
use std::sync::LazyLock;

use depsurf::dwarf::{self, Facts, IN_FILE, IN_IMAGE, Located, Others, Sections};
use depsurf::extract::function::functions;
use depsurf::extract::types::{KnownTypes, TypeMapper};
use depsurf::note::Notes;
use depsurf::progress::Silent;
use depsurf::surface::strings::Strings;
use depsurf::surface::types::TypeTable;
use testkit::Target;
use testkit::dwarf::{
    DW_AT_import, DW_ATE_signed, DW_INL_inlined, DW_TAG_imported_unit, DebugSections, Die, Dwarf, Style,
    Unit, Value, base_type, call_site, inlined_subroutine, subprogram,
};

use crate::patch::{Patches, write_at};
use crate::{kernels, walk};

struct Base {
    big_endian: bool,
    /// Those of the image, then those of each file.
    sections: Vec<Vec<u8>>,
    /// Names of the files.
    files: Vec<String>,
}

impl Base {
    fn new(big_endian: bool, debug: &DebugSections) -> Self {
        let files: Vec<String> = debug.dwo_names().map(str::to_owned).collect();
        let image = IN_IMAGE.iter().map(|id| debug.get(id.name()).to_vec());
        let in_files =
            files.iter().flat_map(|file| IN_FILE.map(|id| debug.dwo(file).get(id.name()).to_vec()));
        Self { big_endian, sections: image.chain(in_files).collect(), files }
    }
}

static BASES: LazyLock<Vec<Base>> = LazyLock::new(|| {
    let kernels = kernels::all().into_iter().chain(kernels::split());
    let mut bases: Vec<Base> = kernels
        .map(|kernel| Base::new(kernel.elf.target().endian == testkit::Endian::Big, &kernel.debug))
        .collect();
    bases.push(Base::new(false, &with_imports()));
    bases
});

/// What `dwz` leaves: partial units that others import, one of them through another.
fn with_imports() -> DebugSections {
    let import =
        |label: &str| Die::new(DW_TAG_imported_unit).attr(DW_AT_import, Value::RefAddr(label.into()));
    let inline =
        subprogram("get_order").label("get_order").decl("include/order.h", 29).inline(DW_INL_inlined);
    let types = Unit::partial("").label("types").child(base_type("int", 4, DW_ATE_signed));
    let shared = Unit::partial("").label("shared").children([
        import("types"),
        inline,
        subprogram("kfree").label("kfree").external().declaration().parameter("p", "int"),
    ]);
    let user = |file: &str, address: u64| {
        let copy = inlined_subroutine("get_order", file, 2, address + 4);
        let caller = subprogram("f").external().decl(file, 1).low_pc(address).size(16);
        Unit::new(file).children([import("shared"), caller.children([copy, call_site("kfree")])])
    };
    let units = [types, shared, user("fs/a.c", 0x1000), user("fs/b.c", 0x2000)];
    Dwarf::new(Target::LE64, 5).style(Style::Gcc).units(units).build()
}

pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (number, base) in (0..).zip(BASES.iter()) {
        seeds.push(vec![number, 0xff]);
        for (section, bytes) in (0..).zip(&base.sections) {
            for at in (0..bytes.len().min(4096)).step_by(64) {
                seeds.push(
                    [&[number, 0xff][..], &write_at(section, at, &bytes[at..bytes.len().min(at + 16)])]
                        .concat(),
                );
            }
        }
    }
    seeds
}

pub fn run(data: &[u8]) {
    let [number, absent, patches @ ..] = data else { return };
    let base = &BASES[usize::from(*number) % BASES.len()];
    let mut sections = base.sections.clone();
    for patch in Patches::new(patches) {
        // Half of all patches are for .debug_info and its abbreviations, whatever the number of the buffer.
        if patch.buffer & 0x80 != 0 {
            let last = patch.buffer & 1;
            patch.apply(&mut sections[last..=last]);
        } else {
            patch.apply(&mut sections);
        }
    }
    if let Some(section) = sections.get_mut(usize::from(*absent)) {
        section.clear();
    }
    let section = |id| IN_IMAGE.iter().position(|other| *other == id).map_or(&[][..], |at| &sections[at]);
    let (_, in_files) = sections.split_at(IN_IMAGE.len());
    let located = dwarf::skeletons(base.big_endian, section).into_iter().map(|skeleton| {
        let found = base.files.iter().position(|file| file.as_bytes() == skeleton.name);
        Located { skeleton, files: found.into_iter().collect() }
    });
    let others = Others {
        located: located.collect(),
        files: in_files
            .chunks(IN_FILE.len())
            .map(|file| Ok(Sections(IN_FILE.into_iter().zip(file.iter().map(Vec::as_slice)).collect())))
            .collect(),
        package: None,
    };
    if let Ok(facts) = dwarf::read(base.big_endian, section, &others, &Silent) {
        join(&facts);
    }
}

/// What extraction does with facts.
fn join(facts: &Facts<'_>) {
    assert_eq!(facts.unit_offsets.len().min(facts.units.len()), facts.units.len());
    let (mut strings, mut notes, mut mapped) = (Strings::new(), Notes::new(), Notes::new());
    let mut mapper = TypeMapper::new(facts, KnownTypes::new(TypeTable::new()), &mut strings, &mut mapped);
    let tables =
        functions(facts, &mut mapper, 0xffff_ffff_8100_0000, |_, address| address % 2 == 0, &mut notes);
    let types = mapper.finish().into_table();
    black_box((tables.functions.len(), tables.instances.len()));
    let by_name = types.by_name(&strings);
    walk::types(types.view(&strings, &by_name));
}
