//! Target `script`: scripts of bpftrace and BCC, and side files. The first byte says which; the rest is the text.

use std::hint::black_box;

use depsurf::bpf::{Choices, Sec};
use depsurf::script::{Language, Script};

const BPFTRACE: &str = "#!/usr/bin/env bpftrace\n/* { */\nstruct s { int a; };\nBEGIN { printf(\"{\"); }\n\
    kprobe:vfs_read, // x\nkretprobe:vfs_*\n/@a[\"/\"]/ { $f = (struct file *)arg0; @ = $f->f_path.dentry->d_name; }\n\
    tracepoint:sched:sched_switch { @ = args->prev_pid; }\nuprobe:/bin/bash:readline /pid/ { }\n";

const BCC: &str = "from bcc import BPF\ntext = \"\"\"\nint kprobe__vfs_read(struct pt_regs *ctx, struct file *f) {\n\
    return f->f_flags; }\nTRACEPOINT_PROBE(sched, sched_switch) { }\n\"\"\"\nname = b.get_syscall_fnname('kill')\n\
    if x:\n    b.attach_kprobe(event=name)\nb.attach_kprobe(event_re=r'^a$|^b.*\\.\\d')\nb.attach_tracepoint(tp='a:b')\n";

const SIDE: &str = "[program.a]\ntarget = [\"kprobe/a\", \"fentry/b\"]\nwhen = \"x\"\n[[any_of]]\nprograms = [\"b\", [\"c\"]]\n";

pub fn seeds() -> Vec<Vec<u8>> {
    (0..)
        .zip([BPFTRACE, BCC, SIDE])
        .map(|(mode, text): (u8, _)| [&[mode][..], text.as_bytes()].concat())
        .collect()
}

pub fn run(data: &[u8]) {
    let Some((&mode, rest)) = data.split_first() else { return };
    black_box(Language::of("x", rest));
    let Ok(text) = str::from_utf8(rest) else { return };
    let language = match mode % 3 {
        0 => Language::Bpftrace,
        1 => Language::Bcc,
        _ => {
            if let Ok(choices) = Choices::parse(text) {
                black_box(choices.unknown(|_| false));
            }
            return;
        }
    };
    let script = Script::parse(language, text);
    let lines = text.bytes().filter(|byte| *byte == b'\n').count() + 1;
    for probe in &script.probes {
        assert!((1..=lines).contains(&probe.line));
        assert!(!probe.sections.is_empty());
        assert!(probe.sections.iter().all(|section| Sec::parse(section).entry.is_some()));
    }
    assert!(script.groups.iter().flatten().flatten().all(|number| *number < script.probes.len()));
    black_box(script.dependencies("x"));
}
