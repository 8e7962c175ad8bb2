use super::*;

fn probes(script: &Script) -> Vec<(&str, &str, usize, bool)> {
    let of = |probe: &'_ Probe| (probe.line, probe.optional);
    let names = script.probes.iter().map(|probe| (probe.name.as_str(), probe.sections[0].as_str()));
    names
        .zip(script.probes.iter().map(of))
        .map(|((name, section), (line, optional))| (name, section, line, optional))
        .collect()
}

fn fields(script: &Script) -> Vec<&str> {
    script.fields.iter().map(|field| field.path.as_str()).collect()
}

#[test]
fn scripts_are_known_by_their_text_and_their_names() {
    for (name, text, expected) in [
        ("x", "#!/usr/bin/env bpftrace\n", Some(Language::Bpftrace)),
        ("x.bt", "BEGIN {}", Some(Language::Bpftrace)),
        ("x", "#!/usr/bin/python3\nfrom bcc import BPF\n", Some(Language::Bcc)),
        ("x.py", "import bcc\n", Some(Language::Bcc)),
        ("x.py", "import os\n", None),
        ("x", "#!/bin/sh\n", None),
        ("x", "\x7fELF", None),
    ] {
        assert_eq!(Language::of(name, text.as_bytes()), expected, "{name} {text:?}");
    }
    assert_eq!(Language::of("x.bt", b"\xff"), None);
}

const TRACE: &str = r#"#!/usr/bin/env bpftrace
/* kprobe:not_this { } */
#ifndef BPFTRACE_HAVE_BTF
#include <linux/fs.h>
#endif
struct own { int number; };
BEGIN { printf("kprobe:nor_this { %d", 1); }
kprobe:vfs_read, // a comment, with a comma
kprobe:vfs_write+0x10
/pid == 1 && @["{"] == 0/
{
    $file = (struct file *)arg0;
    @[$file->f_path.dentry->d_name.name] = count();
    @b = ((struct request *)arg1)->q;
    @c = ((struct own *)arg1)->number;
    @d = curtask->tgid;
}
kretprobe:tcp_* { }
tracepoint:sched:sched_switch { @ = args->prev_pid + args.next_pid; }
tracepoint:syscalls:sys_enter_* { }
kfunc:vmlinux:vfs_open, fexit:kvm:kvm_x { }
rawtracepoint:sched_wakeup { }
uprobe:/bin/bash:readline /pid/ { }
usdt:/bin/x:provider:name { }
profile:hz:99, interval:s:1 { }
kprobe:$1 { }
iter:task { }
END { clear(@); }
"#;

#[test]
fn probes_of_bpftrace_are_sections() {
    let script = Script::parse(Language::Bpftrace, TRACE);
    let expected = [
        ("kprobe:vfs_read", "kprobe/vfs_read", 8, false),
        ("kprobe:vfs_write+0x10", "kprobe/vfs_write+0x10", 9, false),
        ("kretprobe:tcp_*", "kretprobe.multi/tcp_*", 18, false),
        ("tracepoint:sched:sched_switch", "tracepoint/sched/sched_switch", 19, false),
        ("tracepoint:syscalls:sys_enter_*", "tracepoint/syscalls/sys_enter_*", 20, false),
        ("kfunc:vmlinux:vfs_open", "fentry/vfs_open", 21, false),
        ("fexit:kvm:kvm_x", "fexit/kvm:kvm_x", 21, false),
        ("rawtracepoint:sched_wakeup", "raw_tp/sched_wakeup", 22, false),
        ("uprobe:/bin/bash:readline", "uprobe//bin/bash:readline", 23, false),
        ("usdt:/bin/x:provider:name", "usdt", 24, false),
        ("profile:hz:99", "perf_event", 25, false),
        ("interval:s:1", "perf_event", 25, false),
        ("iter:task", "iter/task", 27, false),
    ];
    assert_eq!(probes(&script), expected);
    assert_eq!(script.groups, [[[0], [1]], [[5], [6]], [[10], [11]]]);
    let computed = script.notes.iter().find(|note| note.id == "script-computed").unwrap();
    assert_eq!((computed.count, computed.first.as_deref()), (1, Some("line 26: probe `kprobe:$1`")));
}

#[test]
fn fields_of_bpftrace_are_those_of_written_types() {
    let script = Script::parse(Language::Bpftrace, TRACE);
    let mut found = fields(&script);
    found.sort_unstable();
    let expected = [
        "file::f_path.dentry",
        "request::q",
        "sched:sched_switch::next_pid",
        "sched:sched_switch::prev_pid",
        "task_struct::tgid",
    ];
    assert_eq!(found, expected);
    assert!(script.notes.iter().any(|note| note.id == "script-field-behind-pointer"));
    assert!(script.is_compiled_as_written);
    let conditional = Script::parse(Language::Bpftrace, "#if A\nkprobe:a { }\n#endif\n");
    assert!(!conditional.is_compiled_as_written);
}

const TOOL: &str = r##"#!/usr/bin/env python3
# b.attach_kprobe(event="not_this")
from bcc import BPF
text = """
// int kprobe__not_this(void *ctx)
struct own { int number; };
int kprobe__vfs_read(struct pt_regs *ctx, struct file *file) {
    bpf_probe_read(&x, 8, &file->f_path.dentry);
    return 0;
}
int kprobe__sys_sync(void *ctx) { return 0; }
int raw_tracepoint__sched_wakeup(void *ctx) { return 0; }
TRACEPOINT_PROBE(sched, sched_switch) { return 0; }
int trace(struct pt_regs *ctx, struct own *own) { return own->number + 'a'; }
"""
fast = """
KFUNC_PROBE(vfs_open, struct path *path) { return path->mnt != 0; }
KRETFUNC_PROBE(FUNCTION) { return 0; }
"""
if BPF.support_kfunc():
    text += fast
b = BPF(text=text)
b.attach_kprobe(event="tcp_connect", fn_name="trace")
if BPF.get_kprobe_functions(b"blk_start_request"):
    b.attach_kprobe(
        event=b"blk_start_request",
        fn_name="trace")
b.attach_kretprobe(event=b.get_syscall_fnname("execve"), fn_name="trace")
name = b.get_syscall_fnname("kill")
b.attach_kprobe(event=name, fn_name="trace")
b.attach_kprobe(event_re=r"^finish_task_switch$|^finish_task_switch\.isra\.\d$", fn_name="trace")
b.attach_tracepoint(tp="block:block_rq_issue", fn_name="trace")
b.attach_uprobe(name="c", sym="getaddrinfo", fn_name="trace")
b.attach_kprobe(event="prefix_" + sys.argv[1], fn_name="trace")
b.attach_kprobe(event=f"{prefix}_x", fn_name="trace")
for fn in ["a", "b"]:
    b.attach_kprobe(event=fn, fn_name="trace")
"##;

#[test]
fn probes_of_bcc_are_sections() {
    let script = Script::parse(Language::Bcc, TOOL);
    let expected = [
        ("kprobe__vfs_read", "kprobe/vfs_read", 7, false),
        ("kprobe__sys_sync", "ksyscall/sync", 11, false),
        ("raw_tracepoint__sched_wakeup", "raw_tp/sched_wakeup", 12, false),
        ("TRACEPOINT_PROBE(sched, sched_switch)", "tracepoint/sched/sched_switch", 13, false),
        ("KFUNC_PROBE(vfs_open)", "fentry/vfs_open", 17, true),
        ("kprobe:tcp_connect", "kprobe/tcp_connect", 23, false),
        ("kprobe:blk_start_request", "kprobe/blk_start_request", 25, true),
        ("kretprobe:execve", "kretsyscall/execve", 28, false),
        ("kprobe:kill", "ksyscall/kill", 30, false),
        ("kprobe:finish_task_switch|finish_task_switch.isra.?", "kprobe.multi/finish_task_switch", 31, false),
        ("tracepoint:block:block_rq_issue", "tracepoint/block/block_rq_issue", 32, false),
        ("uprobe:c:getaddrinfo", "uprobe/c:getaddrinfo", 33, false),
    ];
    assert_eq!(probes(&script), expected);
    let when: Vec<&str> = script.probes.iter().filter_map(|probe| probe.when.as_deref()).collect();
    assert_eq!(when, ["if BPF.support_kfunc()", "if BPF.get_kprobe_functions(b\"blk_start_request\")"]);
    assert_eq!(script.probes[9].sections.len(), 2);
    let computed = script.notes.iter().find(|note| note.id == "script-computed").unwrap();
    assert_eq!((computed.count, computed.first.as_deref()), (4, Some("line 18: KRETFUNC_PROBE(FUNCTION)")));
    assert_eq!(fields(&script), ["file::f_path.dentry", "path::mnt"]);
}

#[test]
fn every_section_is_one_that_is_judged() {
    for (language, text) in [(Language::Bpftrace, TRACE), (Language::Bcc, TOOL)] {
        for probe in Script::parse(language, text).probes {
            for section in &probe.sections {
                assert!(Sec::parse(section).entry.is_some(), "{section}");
            }
        }
    }
}

#[test]
fn a_variable_that_is_sometimes_computed_is_not_seen() {
    let text = "name = 'vfs_read'\nif x:\n    name = compute()\nb.attach_kprobe(event=name)\n";
    let script = Script::parse(Language::Bcc, text);
    assert_eq!(probes(&script), []);
    assert_eq!(script.notes[0].first.as_deref(), Some("line 4: attach_kprobe(event=name)"));
    let either = text.replace("compute()", "'vfs_write'");
    let script = Script::parse(Language::Bcc, &either);
    let expected =
        [("kprobe:vfs_read", "kprobe/vfs_read", 4, true), ("kprobe:vfs_write", "kprobe/vfs_write", 4, true)];
    assert_eq!(probes(&script), expected);
}

/// Guards that ask the kernel, in Python: an `else` makes one of several, nothing else does.
const GUARDED: &str = r#"
if BPF.get_kprobe_functions(b"__a"):
    b.attach_kprobe(event="__a", fn_name="x")
    b.attach_kretprobe(event="__a", fn_name="x")
elif BPF.ksymname(b"a2") != -1:
    b.attach_kprobe(event="a2", fn_name="x")
else:
    b.attach_kprobe(event="a", fn_name="x")

if BPF.tracepoint_exists("block", "start"):
    b.attach_tracepoint(tp="block:start", fn_name="x")
else:
    print("no such event")
    exit()

try:
    b.attach_kprobe(event="new", fn_name="x")
except Exception:
    b.attach_kprobe(event="old", fn_name="x")

if BPF.get_kprobe_functions(b"more"):
    b.attach_kprobe(event="more", fn_name="x")

if args.read:
    b.attach_kprobe(event="reads", fn_name="x")
else:
    b.attach_kprobe(event="writes", fn_name="x")

def main():
    if args.all:
        if BPF.support_kfunc():
            b.attach_kprobe(event="inner", fn_name="x")
        else:
            b.attach_kprobe(event="other", fn_name="x")
    if platform.release() >= "5.11":
        b.attach_kprobe(event="late", fn_name="x")
    else:
        b.attach_kprobe(event="early", fn_name="x")
"#;

#[test]
fn guards_that_ask_the_kernel_make_one_of_several() {
    let script = Script::parse(Language::Bcc, GUARDED);
    let name = |number: &usize| script.probes[*number].name.trim_start_matches("kprobe:").to_owned();
    let groups: Vec<Vec<Vec<String>>> = script
        .groups
        .iter()
        .map(|group| group.iter().map(|list| list.iter().map(name).collect()).collect())
        .collect();
    let expected: [&[&[&str]]; 4] = [
        &[&["__a", "kretprobe:__a"], &["a2"], &["a"]],
        &[&["tracepoint:block:start"]],
        &[&["new"], &["old"]],
        &[&["late"], &["early"]],
    ];
    assert_eq!(groups, expected);
    let optional: Vec<String> =
        (0..script.probes.len()).filter(|it| script.probes[*it].optional).map(|it| name(&it)).collect();
    assert_eq!(optional, ["more", "reads", "writes", "inner", "other"]);
    // Which of them it takes is not what is there.
    let by_version = script.notes.iter().find(|note| note.id == "script-version-guard").unwrap();
    let first = by_version.first.as_deref();
    assert_eq!((by_version.count, first), (1, Some("line 35: if platform.release() >= \"5.11\"")));
}

#[test]
fn fields_without_a_type_are_said_to_be_there() {
    let text = "b = BPF(text=\"\"\"\ntypedef struct { int x; } val_t;\nint f(struct file *a, void *p) {\n\
                val_t *v = get(); v->x = a->f_mode + p->secret;\nreturn ctx->di; }\n\"\"\")\n";
    let script = Script::parse(Language::Bcc, text);
    assert_eq!(fields(&script), ["file::f_mode"]);
    let untyped = script.notes.iter().find(|note| note.id == "script-field-untyped").unwrap();
    assert_eq!((untyped.count, untyped.first.as_deref()), (1, Some("line 4: p->secret")));
}

#[test]
fn damaged_scripts_do_no_harm() {
    let read = |language, text: &str| {
        let script = Script::parse(language, text);
        let lines = 1 + text.matches('\n').count();
        assert!(script.probes.iter().all(|probe| (1..=lines).contains(&probe.line)), "{text:?}");
    };
    for language in [Language::Bpftrace, Language::Bcc] {
        for text in [
            "",
            "\"",
            "'''",
            "{",
            "}",
            "/*",
            "#\\",
            "kprobe:ä /é/ {",
            "b.attach_kprobe(",
            "x.attach_kprobe(event=\"é",
            "é /ä{",
        ] {
            read(language, text);
            read(language, &format!("{text}\n  {text}"));
        }
        for (text, number) in [TRACE, TOOL].iter().flat_map(|text| (0..text.len()).map(move |at| (text, at)))
        {
            if text.is_char_boundary(number) && number % 7 == 0 {
                read(language, &text[..number]);
                read(language, &text[number..]);
            }
        }
    }
}
