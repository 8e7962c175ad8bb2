//! Everything that a surface can be asked.

use std::hint::black_box;

use depsurf::surface::types::{Type, Types};
use depsurf::surface::{Surface, c, field, meaning};

/// Types that are looked at in one run, so that one run takes no seconds.
const TYPES: usize = 400;
/// Types that are compared: one comparison of damaged types may take milliseconds.
const COMPARED: usize = 64;
/// Names that are searched in one run.
const NAMES: usize = 400;
/// Bytes of text that are printed in one run.
const TEXT: usize = 1 << 22;

/// Calls every accessor of every noun.
pub fn surface(surface: &Surface) {
    black_box((
        surface.verify().is_ok(),
        surface.notes().is_ok(),
        surface.kernel().to_string(),
        surface.meta(),
    ));
    functions(surface);
    symbols(surface);
    tables(surface);
    types(surface.types());
    let names = surface.types().named().take(NAMES);
    black_box(names.map(|ty| surface.types().find_all(ty.kind(), ty.name()).count()).sum::<usize>());
}

fn functions(surface: &Surface) {
    for function in surface.functions().take(NAMES) {
        black_box((function.verdict().issues().count(), function.attach(), function.symbols().count()));
        black_box((function.btf_func(), surface.function(function.name())));
        black_box(function.prototype().map(|ty| c::prototype(ty, function.name())));
        for instance in function.instances().take(NAMES) {
            black_box((
                instance.function().map(|function| function.name()),
                instance.name(),
                instance.file(),
            ));
            black_box((
                instance.declaration(),
                instance.address(),
                instance.address_elsewhere(),
                instance.has_code(),
                instance.inline(),
                instance.is_external(),
            ));
            black_box((instance.prototype(), instance.is_inlined_elsewhere()));
            for site in instance.inline_sites().take(NAMES) {
                black_box(site.caller.name());
            }
            black_box(instance.callers().take(NAMES).map(|caller| caller.name().len()).sum::<usize>());
        }
    }
}

fn symbols(surface: &Surface) {
    for symbol in surface.symbols().take(NAMES) {
        black_box((
            symbol.index(),
            symbol.address(),
            symbol.size(),
            symbol.section(),
            symbol.special_section(),
        ));
        black_box((symbol.binding(), symbol.elf_type(), symbol.other(), symbol.attach(), symbol.has(1)));
        black_box((surface.symbols_named(symbol.name()).count(), surface.attach(symbol.name())));
    }
    black_box(surface.symbol(u32::MAX));
}

fn tables(surface: &Surface) {
    for point in surface.tracepoints().take(NAMES) {
        black_box((
            surface.tracepoints_named(point.name()).count(),
            point.system(),
            point.class(),
            point.format(),
        ));
        black_box((
            point.record().map(c::definition),
            point.prototype(),
            point.btf_trace(),
            point.has_event(),
        ));
        black_box((point.is_raw(), point.writable_size(), point.raw_args()));
    }
    for hook in surface.lsm_hooks().take(NAMES) {
        black_box((surface.lsm_hook(hook.name()), hook.prototype(), hook.flags()));
        black_box((hook.is_attachable(), hook.is_sleepable()));
    }
    for kfunc in surface.kfuncs().take(NAMES) {
        black_box((surface.kfunc(kfunc.name()), kfunc.prototype(), kfunc.flags(), kfunc.evidence()));
        black_box(kfunc.sets().count());
    }
    for syscall in surface.syscalls().take(NAMES) {
        black_box((
            syscall.abi(),
            syscall.number(),
            syscall.name(),
            syscall.symbol(),
            syscall.is_implemented(),
        ));
        black_box(syscall.args());
    }
    for config in surface.configs().take(NAMES) {
        black_box(surface.config(config.name));
    }
    for set in surface.sets().take(NAMES) {
        let members = set.members().take(NAMES);
        black_box(members.map(|member| surface.set_contains(set.name(), member.name)).count());
        black_box(set.is_kfunc_set());
    }
}

/// Prints, flattens, hashes and compares types.
pub fn types(types: Types<'_>) {
    let hashes = meaning::Hashes::new(types);
    let (mut printed, mut compared) = (0, 0);
    let mut before: Option<Type<'_>> = None;
    for ty in types.iter().take(TYPES) {
        black_box((
            ty.size(),
            ty.target(),
            ty.stripped(true),
            ty.stripped(false),
            ty.byte_size(8),
            ty.is_signed(),
        ));
        black_box((ty.members().count(), ty.params().count(), ty.enumerators().count(), ty.array()));
        if printed < TEXT {
            let text = c::definition(ty);
            printed += text.len() + c::declaration(ty, "name").len() + c::prototype(ty, "name").len();
            black_box(field::fields(ty).len());
        }
        compared += 1;
        if let Some(before) = before.replace(ty)
            && compared <= COMPARED
        {
            let same = meaning::same(before, ty);
            assert_eq!(same, meaning::same(ty, before), "sameness is not symmetric");
            let hash = |ty: Type<'_>| hashes.meaning.get(ty.id().0 as usize).copied();
            assert!(!same || hash(before) == hash(ty), "types are the same and hash differently");
            black_box((meaning::layout_same(before, ty), meaning::hash(ty), meaning::layout_hash(ty)));
        }
    }
}
