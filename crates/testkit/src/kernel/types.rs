//! The structs that the image's tables consist of, with the members that readers look at and enough of
//! the others to put these where they are in Linux 6.1.

use crate::Target;
use crate::c::Types;

pub(super) fn kernel_types(target: Target) -> Types {
    let mut types = Types::new(target);
    types
        .structure("<atomic_t>", &[("counter", "int")])
        .typedef("atomic_t", "struct <atomic_t>")
        .structure("list_head", &[("next", "struct list_head *"), ("prev", "struct list_head *")])
        .structure("hlist_node", &[("next", "struct hlist_node *"), ("pprev", "struct hlist_node **")])
        .structure("hlist_head", &[("first", "struct hlist_node *")]);
    tracing(&mut types);
    types
        .structure(
            "syscall_metadata",
            &[
                ("name", "const char *"),
                ("syscall_nr", "int"),
                ("nb_args", "int"),
                ("types", "const char **"),
                ("args", "const char **"),
                ("enter_fields", "struct list_head"),
                ("enter_event", "struct trace_event_call *"),
                ("exit_event", "struct trace_event_call *"),
            ],
        )
        .structure(
            "syscall_trace_enter",
            &[("ent", "struct trace_entry"), ("nr", "int"), ("args", "unsigned long[]")],
        )
        .structure("syscall_trace_exit", &[("ent", "struct trace_entry"), ("nr", "int"), ("ret", "long")])
        .structure("<pair>", &[("id", "u32"), ("flags", "u32")])
        .structure("btf_id_set8", &[("cnt", "u32"), ("flags", "u32"), ("pairs", "struct <pair>[]")]);
    types
}

fn tracing(types: &mut Types) {
    types
        .structure("static_key", &[("enabled", "atomic_t"), ("type", "unsigned long")])
        .structure(
            "tracepoint",
            &[
                ("name", "const char *"),
                ("key", "struct static_key"),
                ("static_call_key", "struct static_call_key *"),
                ("static_call_tramp", "void *"),
                ("iterator", "void *"),
                ("regfunc", "int (void) *"),
                ("unregfunc", "void (void) *"),
                ("funcs", "struct tracepoint_func *"),
            ],
        )
        .structure_aligned(
            "bpf_raw_event_map",
            32,
            &[
                ("tp", "struct tracepoint *"),
                ("bpf_func", "void *"),
                ("num_args", "u32"),
                ("writable_size", "u32"),
            ],
        )
        .structure(
            "trace_entry",
            &[
                ("type", "unsigned short"),
                ("flags", "unsigned char"),
                ("preempt_count", "unsigned char"),
                ("pid", "int"),
            ],
        )
        .structure(
            "trace_event",
            &[
                ("node", "struct hlist_node"),
                ("list", "struct list_head"),
                ("type", "int"),
                ("funcs", "struct trace_event_functions *"),
            ],
        )
        .structure(
            "trace_event_class",
            &[
                ("system", "const char *"),
                ("probe", "void *"),
                ("perf_probe", "void *"),
                ("reg", "int (struct trace_event_call *, int, void *) *"),
                ("fields_array", "struct trace_event_fields *"),
                ("get_fields", "struct list_head * (struct trace_event_call *) *"),
                ("fields", "struct list_head"),
                ("raw_init", "int (struct trace_event_call *) *"),
            ],
        )
        .union("<name or tp>", &[("name", "const char *"), ("tp", "struct tracepoint *")])
        .union("<module or refcnt>", &[("module", "void *"), ("refcnt", "atomic_t")])
        .structure(
            "trace_event_call",
            &[
                ("list", "struct list_head"),
                ("class", "struct trace_event_class *"),
                ("", "union <name or tp>"),
                ("event", "struct trace_event"),
                ("print_fmt", "char *"),
                ("filter", "struct event_filter *"),
                ("", "union <module or refcnt>"),
                ("data", "void *"),
                ("flags", "int"),
                ("perf_refcount", "int"),
                ("perf_events", "struct hlist_head *"),
                ("prog_array", "struct bpf_prog_array *"),
                ("perf_perm", "int (struct trace_event_call *, struct perf_event *) *"),
            ],
        )
        .enumeration(
            "<event flags>",
            &[
                ("TRACE_EVENT_FL_FILTERED", 1),
                ("TRACE_EVENT_FL_CAP_ANY", 2),
                ("TRACE_EVENT_FL_NO_SET_FILTER", 4),
                ("TRACE_EVENT_FL_IGNORE_ENABLE", 8),
                ("TRACE_EVENT_FL_TRACEPOINT", 16),
                ("TRACE_EVENT_FL_DYNAMIC", 32),
            ],
        );
}
