//! `functions`, `instances`, `call_edges`, `inline_sites`.

use super::column::ColumnKind::{Bool, Text, Texts, U32, U64};
use super::column::{Column, VMLINUX};
use super::rows::{Row, Rows};
use crate::error::Result;
use crate::surface::attach::Answer;
use crate::surface::record::NONE;
use crate::surface::{Fact, Function, Instance, Surface, c};

const NO_SYMBOLS: &str = "fact `symbols` is unknown";
const NO_PROTOTYPE: &str = "neither BTF nor DWARF has a prototype, as for assembly";
const NO_DECLARATION: &str = "a declaration without definition: assembly, built-ins";
const ANSWER: &str = "`yes`, `no`, or `unknown` where a fact that decides it was not read";
const OBSTACLE: &str = "stable id of what refuses it: `no-symbol`, `no-ftrace-site` ...";
const NOT_NO: &str = "the answer is not `no`";
const REASON: &str = "the same in words; for `unknown` which fact is missing and why";
const YES: &str = "the answer is `yes`";

/// Columns of `functions`.
pub(super) const FUNCTIONS: &[Column] = &[
    Column::new("function_id", U32, "place in the order of names").ascending(),
    Column::new("name", Text, "name, without compiler suffixes"),
    Column::new(
        "collision",
        Text,
        "`Unique Global`, `Unique Static`, `Static Duplication` (one definition in several units), \
         `Static-Static Collision`, `Static-Global Collision`",
    ),
    Column::nullable(
        "inline_kind",
        Text,
        "`Full`: no symbol carries the name; `Selective`: a symbol, and copies in other functions; `No`: no copies",
        NO_SYMBOLS,
    ),
    Column::nullable("transformed", Bool, "whether some symbol has a compiler suffix", NO_SYMBOLS),
    Column::new("instance_count", U32, "number of rows in `instances`"),
    Column::nullable("symbol_count", U32, "number of rows in `symbols`", NO_SYMBOLS),
    Column::new("inline_site_count", U32, "number of rows in `inline_sites` with it as callee"),
    Column::new("call_count", U32, "number of rows in `call_edges` with it as callee"),
    Column::nullable("prototype_id", U32, "FUNC_PROTO that is shown for it: `types.type_id`", NO_PROTOTYPE),
    Column::nullable("prototype", Text, "that prototype in C", NO_PROTOTYPE),
    Column::nullable(
        "btf_func_id",
        U32,
        "FUNC of the name in the kernel's BTF: `types.type_id`",
        "BTF has none, or fact `btf` is unknown",
    ),
    Column::new("kprobe", Text, ANSWER),
    Column::nullable("kprobe_obstacle", Text, OBSTACLE, NOT_NO),
    Column::nullable("kprobe_reason", Text, REASON, YES),
    Column::new("kretprobe", Text, ANSWER),
    Column::nullable("kretprobe_obstacle", Text, OBSTACLE, NOT_NO),
    Column::nullable("kretprobe_reason", Text, REASON, YES),
    Column::new("fentry", Text, ANSWER),
    Column::nullable("fentry_obstacle", Text, OBSTACLE, NOT_NO),
    Column::nullable("fentry_reason", Text, REASON, YES),
    Column::new("fexit", Text, ANSWER),
    Column::nullable("fexit_obstacle", Text, OBSTACLE, NOT_NO),
    Column::nullable("fexit_reason", Text, REASON, YES),
    Column::new("fmod_ret", Text, ANSWER),
    Column::nullable("fmod_ret_obstacle", Text, OBSTACLE, NOT_NO),
    Column::nullable("fmod_ret_reason", Text, REASON, YES),
    Column::new("sleepable", Text, "the same for sleepable programs: `fentry.s`, `fexit.s`"),
    Column::nullable("sleepable_obstacle", Text, OBSTACLE, NOT_NO),
    Column::nullable("sleepable_reason", Text, REASON, YES),
    Column::new("misses", Texts, "what an attached program does not see all the same"),
    Column::nullable("module", Text, "module that the answers are of: they hold while it is loaded", VMLINUX),
];

/// Columns of `instances`.
pub(super) const INSTANCES: &[Column] = &[
    Column::new("instance_id", U32, "place among all instances: by function, then by compile unit")
        .ascending(),
    Column::new("function_id", U32, "its function: `functions.function_id`").ascending(),
    Column::nullable("file", Text, "source file of its compile unit", NO_DECLARATION),
    Column::nullable("decl_file", Text, "file of the declaration", NO_DECLARATION),
    Column::nullable(
        "decl_line",
        U32,
        "line of the declaration",
        "assembly, or a declaration without definition",
    ),
    Column::nullable("address", U64, "address of its code", "it has no code of its own"),
    Column::new("external", Bool, "`DW_AT_external`: visible outside of its compile unit"),
    Column::new("inline", Text, "`DW_AT_inline` in words, as in the original dataset"),
    Column::nullable(
        "prototype_id",
        U32,
        "its FUNC_PROTO in DWARF: `types.type_id`",
        "DWARF has none (assembly)",
    ),
    Column::nullable("module", Text, "module it is compiled into", "it is in vmlinux, or only declared"),
];

/// Columns of `call_edges`.
pub(super) const CALL_EDGES: &[Column] = &[
    Column::new("callee", Text, "name of the function that is called"),
    Column::new("caller", Text, "name of the function that calls"),
    Column::new("callee_id", U32, "function that is called: `functions.function_id`").ascending(),
    Column::new("callee_instance_id", U32, "the instance of it: `instances.instance_id`").ascending(),
    Column::new("caller_id", U32, "function that calls: `functions.function_id`"),
    Column::new("caller_instance_id", U32, "the instance of it: `instances.instance_id`"),
];

/// Columns of `inline_sites`.
pub(super) const INLINE_SITES: &[Column] = &[
    Column::new("callee", Text, "name of the function that is inlined"),
    Column::new("caller", Text, "name of the function that contains the copy"),
    Column::new("callee_id", U32, "function that is inlined: `functions.function_id`").ascending(),
    Column::new("callee_instance_id", U32, "the instance of it: `instances.instance_id`").ascending(),
    Column::new("caller_id", U32, "function that contains the copy: `functions.function_id`"),
    Column::new("caller_instance_id", U32, "the instance of it: `instances.instance_id`"),
    Column::nullable("call_file", Text, "file of the call", "DWARF does not tell"),
    Column::nullable("call_line", U32, "line of the call", "DWARF does not tell"),
    Column::nullable("address", U64, "first byte of the copy", "all of it was optimised away"),
];

/// One row per name, sorted by name.
pub(super) fn functions(surface: &Surface, rows: &mut Rows<'_>) -> Result<()> {
    let symbols_known = surface.meta().knows(Fact::Symbols);
    surface.functions().try_for_each(|function| {
        let verdict = function.verdict();
        let prototype = function.prototype();
        let sum = |count: fn(Instance<'_>) -> usize| function.instances().map(count).sum::<usize>() as u32;
        let attach = function.attach();
        rows.row(|row| {
            row.put("function_id", function.index());
            row.put("name", function.name());
            row.put("collision", verdict.collision.words());
            row.put("inline_kind", symbols_known.then(|| verdict.inline.words()));
            row.put("transformed", symbols_known.then_some(verdict.transformed));
            row.put("instance_count", function.instances().len() as u32);
            row.put("symbol_count", symbols_known.then(|| function.symbols().count() as u32));
            row.put("inline_site_count", sum(|instance| instance.inline_sites().len()));
            row.put("call_count", sum(|instance| instance.callers().len()));
            row.put("prototype_id", prototype.map(|proto| proto.id().0));
            row.put("prototype", prototype.map(|proto| c::prototype(proto, function.name())).as_ref());
            row.put("btf_func_id", function.btf_func().map(|func| func.id().0));
            answer(row, ["kprobe", "kprobe_obstacle", "kprobe_reason"], &attach.kprobe);
            answer(row, ["kretprobe", "kretprobe_obstacle", "kretprobe_reason"], &attach.kretprobe);
            answer(row, ["fentry", "fentry_obstacle", "fentry_reason"], &attach.fentry);
            answer(row, ["fexit", "fexit_obstacle", "fexit_reason"], &attach.fexit);
            answer(row, ["fmod_ret", "fmod_ret_obstacle", "fmod_ret_reason"], &attach.fmod_ret);
            answer(row, ["sleepable", "sleepable_obstacle", "sleepable_reason"], &attach.sleepable);
            row.texts("misses", Some(attach.misses.iter().map(ToString::to_string)));
            row.put("module", attach.module);
        })
    })
}

fn answer(row: &mut Row<'_>, [word, obstacle, reason]: [&str; 3], answer: &Answer<'_>) {
    let (text, id, why) = match answer {
        Answer::Yes => ("yes", None, None),
        Answer::No { reason } => ("no", Some(reason.id()), Some(reason.to_string())),
        Answer::Unknown { fact, reason } => {
            ("unknown", None, Some(format!("{} could not be read ({reason})", fact.words())))
        }
    };
    row.put(word, text);
    row.put(obstacle, id);
    row.put(reason, why.as_ref());
}

/// One row per instance.
pub(super) fn instances(surface: &Surface, rows: &mut Rows<'_>) -> Result<()> {
    each(surface, |function, instance| {
        let declaration = instance.declaration();
        rows.row(|row| {
            row.put("instance_id", instance.index());
            row.put("function_id", function.index());
            row.put("file", instance.file());
            row.put("decl_file", declaration.map(|(file, _)| file));
            row.put("decl_line", declaration.and_then(|(_, line)| line));
            row.put("address", instance.address());
            row.put("external", instance.is_external());
            row.put("inline", instance.inline().words());
            row.put("prototype_id", instance.prototype().map(|proto| proto.id().0));
            row.put("module", instance.module());
        })
    })
}

/// One row per direct call: by callee, then in DIE order.
pub(super) fn call_edges(surface: &Surface, rows: &mut Rows<'_>) -> Result<()> {
    let function_of = of_instances(surface);
    each(surface, |function, instance| {
        instance.callers().try_for_each(|caller| {
            rows.row(|row| {
                let from = function_of(caller);
                row.put("callee", function.name());
                row.put("caller", from.map_or("", Function::name));
                row.put("callee_id", function.index());
                row.put("callee_instance_id", instance.index());
                row.put("caller_id", from.map_or(NONE, Function::index));
                row.put("caller_instance_id", caller.index());
            })
        })
    })
}

/// One row per inlined copy: by callee, then in DIE order.
pub(super) fn inline_sites(surface: &Surface, rows: &mut Rows<'_>) -> Result<()> {
    let function_of = of_instances(surface);
    each(surface, |function, instance| {
        instance.inline_sites().try_for_each(|site| {
            rows.row(|row| {
                let from = function_of(site.caller);
                row.put("callee", function.name());
                row.put("caller", from.map_or("", Function::name));
                row.put("callee_id", function.index());
                row.put("callee_instance_id", instance.index());
                row.put("caller_id", from.map_or(NONE, Function::index));
                row.put("caller_instance_id", site.caller.index());
                row.put("call_file", site.call_file);
                row.put("call_line", site.call_line);
                row.put("address", site.address);
            })
        })
    })
}

fn each<'a>(
    surface: &'a Surface,
    mut visit: impl FnMut(Function<'a>, Instance<'a>) -> Result<()>,
) -> Result<()> {
    surface
        .functions()
        .try_for_each(|function| function.instances().try_for_each(|instance| visit(function, instance)))
}

/// The function of every instance; `None` only in a damaged file, whose functions may leave instances out.
fn of_instances<'a>(surface: &'a Surface) -> impl Fn(Instance<'a>) -> Option<Function<'a>> {
    let mut functions = Vec::new();
    for function in surface.functions() {
        for instance in function.instances() {
            let place = instance.index() as usize;
            functions.resize(functions.len().max(place + 1), None);
            functions[place] = Some(function);
        }
    }
    move |instance| functions.get(instance.index() as usize).copied().flatten()
}
