//! Each kind of reference, wrong once, in files whose checksums are right.

use super::*;
use crate::surface::build::Parts;
use crate::surface::fixture;
use crate::surface::strings::StrId;
use crate::surface::types::Child;

/// A surface with two of most things.
fn parts() -> Parts {
    let mut parts = Parts::new(fixture::meta("6.1.176-50-cloud-amd64"));
    let [a, b] = ["a", "b"].map(|name| parts.strings.intern(name.as_bytes()));
    parts.files.extend([a, b]);
    parts.units.push(record::Unit { file: 0.into(), module: 0.into() });
    let int = parts.types.push(TypeKind::Int, false, a, 4, []);
    parts.types.push(TypeKind::Ptr, false, StrId::EMPTY, int.0, []);
    parts.types.push(TypeKind::Struct, false, b, 4, [Child { name: a, a: int.0, b: 0 }]);
    for name in [a, b] {
        parts.symbols.push(record::Symbol {
            name: name.0.into(),
            address: 0.into(),
            size: 0.into(),
            section: 0.into(),
            attach: 0.into(),
            info: 0x12,
            other: 0,
            special: 0.into(),
        });
        parts.functions.push(record::Function {
            name: name.0.into(),
            first_instance: 0.into(),
            first_symbol: 0.into(),
            btf_func: NONE.into(),
        });
        parts.configs.push(record::Config { name: name.0.into(), value: a.0.into() });
    }
    parts.sections.push(record::ElfSection { name: a.0.into(), module: 0.into() });
    parts.function_symbols.push(1);
    parts.instances.push(record::Instance {
        unit: 0.into(),
        decl_file: 1.into(),
        ..record::Instance::UNKNOWN
    });
    parts.call_sites.push(record::CallSite { caller: 0.into() });
    parts.inline_sites.push(record::InlineSite {
        caller: 0.into(),
        call_file: 0.into(),
        call_line: 0.into(),
        address: NONE.into(),
    });
    parts
}

fn check(parts: &Parts) -> Result<()> {
    let surface = Surface::from_bytes(parts.encode()).unwrap();
    surface.verify().unwrap();
    surface.check_records()
}

#[test]
fn what_refers_to_something_is_fine() {
    check(&parts()).unwrap();
}

#[test]
fn what_refers_to_nothing_is_told() {
    type Change = fn(&mut Parts);
    let wrong: [(&str, Change); 13] = [
        ("Files", |parts| parts.files[1] = StrId(2)),
        ("Units", |parts| parts.units[0].file = 2.into()),
        ("Functions", |parts| parts.functions[1].first_instance = 2.into()),
        ("Functions", |parts| parts.functions[0].btf_func = 99.into()),
        ("Functions", |parts| parts.functions.swap(0, 1)),
        ("Instances", |parts| parts.instances[0].prototype = 99.into()),
        ("InlineSites", |parts| parts.inline_sites[0].call_file = 2.into()),
        ("CallSites", |parts| parts.call_sites[0].caller = 1.into()),
        ("Symbols", |parts| parts.symbols[0].name = 99.into()),
        ("Symbols", |parts| parts.symbols[0].section = 1.into()),
        ("FunctionSymbols", |parts| parts.function_symbols[0] = 2),
        ("Configs", |parts| parts.configs[0].value = 99.into()),
        ("Types", |parts| _ = parts.types.push(TypeKind::Typedef, false, StrId::EMPTY, 99, [])),
    ];
    for (section, change) in wrong {
        let mut parts = parts();
        change(&mut parts);
        let error = check(&parts).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("malformed surface file at section {section}: record ")),
            "{error}"
        );
    }
    let mut parts = parts();
    let child = Child { name: StrId::EMPTY, a: 99, b: 0 };
    parts.types.push(TypeKind::Struct, false, StrId::EMPTY, 4, [child]);
    let error = check(&parts).unwrap_err().to_string();
    assert!(error.ends_with("record 4: a part of it is of a type that is not there"), "{error}");
}
