//! The table of everything that can be wrong with a program on a kernel: id, title, consequence, explanation, source.
//!
//! An id names what was found, and stays what it is: baselines and configurations hold ids.
// house: long file because of its tables

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::error::Error;

/// What happens, the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Consequence {
    /// Nothing: it loads, attaches and sees what it should, as far as is judged here.
    Fine,
    /// It cannot be told, because a fact was not read from the image or is decided elsewhere.
    Unknown,
    /// It runs and reads wrong or shifted data.
    ReadsWrong,
    /// It attaches and misses events.
    MissesEvents,
    /// It loads and does not attach.
    AttachFails,
    /// The program does not load.
    LoadFails,
    /// The object does not load, with all its programs.
    ObjectFails,
}

impl Consequence {
    /// All, the worst last.
    pub const ALL: [Self; 7] = [
        Self::Fine,
        Self::Unknown,
        Self::ReadsWrong,
        Self::MissesEvents,
        Self::AttachFails,
        Self::LoadFails,
        Self::ObjectFails,
    ];

    /// The word in JSON and on a command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Unknown => "unknown",
            Self::ReadsWrong => "reads-wrong",
            Self::MissesEvents => "misses-events",
            Self::AttachFails => "attach-fails",
            Self::LoadFails => "load-fails",
            Self::ObjectFails => "object-fails",
        }
    }
}

impl fmt::Display for Consequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Consequence {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|it| it.name() == text).ok_or_else(|| Error::Usage {
            what: format!("unknown level `{text}`"),
            help: Some(format!("known are {}", Self::ALL.map(Self::name).join(", "))),
        })
    }
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The id.
    pub id: &'static str,
    /// What is wrong, in a line.
    pub title: &'static str,
    /// What happens, unless a finding says otherwise.
    pub consequence: Consequence,
    /// Why that is, and what can be done.
    pub explanation: &'static str,
    /// Where the kernel or libbpf decides it.
    pub reference: &'static str,
}

macro_rules! rules {
    ($($rule:ident = $id:literal, $consequence:ident, $title:literal, $explanation:literal, $reference:literal;)*) => {
        /// A rule.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs, reason = "the table below says what each is")]
        pub enum Rule { $($rule,)* }

        impl Rule {
            /// All rules, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$rule,)*];

            /// The row of the table.
            #[must_use]
            pub fn entry(self) -> &'static Entry {
                match self {
                    $(Self::$rule => &Entry {
                        id: $id,
                        title: $title,
                        consequence: Consequence::$consequence,
                        explanation: $explanation,
                        reference: $reference,
                    },)*
                }
            }
        }
    };
}

rules! {
    NoSymbol = "no-symbol", AttachFails,
        "the kernel has no symbol of that name",
        "A kprobe is put where a symbol is, found by its exact name. The function does not exist in this kernel, or it is in \
         a module that is not loaded. Hook a tracepoint or an LSM hook instead, which are looked for by name too but change \
         less, or choose among several names when the program is loaded (bpf_program__set_autoload).",
        "kernel/trace/trace_kprobe.c: validate_probe_symbol";
    FullyInlined = "fully-inlined", AttachFails,
        "the compiler inlined the function everywhere",
        "The function is in the source, but no symbol and no code of its own are left: each caller holds a copy. Hook the \
         callers, or a tracepoint in the function.",
        "kernel/trace/trace_kprobe.c: validate_probe_symbol";
    OnlySuffixedSymbols = "only-suffixed-symbols", AttachFails,
        "the function is there only under names with a compiler suffix",
        "The compiler made a copy with another signature (.isra, .constprop) or of a part of it (.part), and left no symbol of \
         the plain name. A kprobe on the suffixed name works, but arguments may have moved or gone, and suffixes change \
         from build to build.",
        "kernel/kallsyms.c: kallsyms_lookup_name";
    SeveralSymbols = "several-symbols", AttachFails,
        "several functions have the name, and the kernel refuses to choose",
        "Static functions of different files may share a name. Since Linux b022f0c7e404 (in v6.7 and stable updates) a kprobe on such \
         a name is refused with EADDRNOTAVAIL. Use an address, kprobe.multi, or another function.",
        "kernel/trace/trace_kprobe.c: number_of_same_symbols";
    Blacklisted = "blacklisted", AttachFails,
        "the kernel forbids kprobes there",
        "The function is on the kprobe blacklist, or in a section that probes must keep away from (.noinstr.text, .kprobes.text, \
         .entry.text), because a probe there could recurse. Hook a function that it calls or is called by.",
        "kernel/kprobes.c: within_kprobe_blacklist";
    InitText = "init-text", AttachFails,
        "the function is only there while the kernel boots",
        "The function is in init text, whose memory is freed after booting.",
        "kernel/kprobes.c: check_kprobe_address_safe";
    NoFtraceSite = "no-ftrace-site", AttachFails,
        "the function cannot be traced",
        "No ftrace site was compiled into the function: it is in a file that is built without tracing, is marked notrace, or is \
         declared inline (which in the kernel implies notrace) and got code of its own all the same. kprobe events refuse \
         it unless CONFIG_KPROBE_EVENTS_ON_NOTRACE is set; fentry cannot attach either. Hook a function that calls it.",
        "kernel/trace/trace_kprobe.c: within_notrace_func";
    NoKretprobe = "no-kretprobe", AttachFails,
        "the kernel forbids return probes there",
        "The architecture lists the function as one that return probes break.",
        "kernel/kprobes.c: register_kretprobe";
    NoBtfFunc = "no-btf-func", LoadFails,
        "the kernel's BTF does not have the function",
        "fentry, fexit, fmod_ret and LSM programs are attached by BTF id. The function does not exist, or pahole left it out because \
         its arguments could not be told (optimized, or several functions of one name). A kprobe may work where fentry \
         does not.",
        "tools/lib/bpf/libbpf.c: libbpf_find_attach_btf_id";
    NoFuncAddress = "no-func-address", LoadFails,
        "the kernel's BTF has the function, but no symbol has its name",
        "The verifier looks up the address of the function by its exact name and finds none: it exists only with a compiler suffix.",
        "kernel/bpf/verifier.c: bpf_check_attach_target";
    NoTrampoline = "no-trampoline", AttachFails,
        "the kernel cannot make BPF trampolines",
        "fentry, fexit and LSM programs need a trampoline of the architecture and ftrace's direct calls, and this kernel lacks one \
         of them. Use a kprobe.",
        "kernel/bpf/trampoline.c: arch_prepare_bpf_trampoline";
    SignatureNotTraceable = "signature-not-traceable", AttachFails,
        "the function's arguments cannot be passed to a trampoline",
        "Trampolines pass a limited number of arguments, no variable ones, and on older kernels no structs. Use a kprobe.",
        "kernel/bpf/btf.c: btf_distill_func_proto";
    DenyListed = "deny-listed", LoadFails,
        "the kernel forbids tracing programs there",
        "The function is in a set that the verifier refuses for tracing programs (btf_id_deny).",
        "kernel/bpf/verifier.c: btf_id_deny";
    NoReturn = "no-return", LoadFails,
        "the function does not return",
        "Programs at the exit of a function that never returns are refused (noreturn_deny).",
        "kernel/bpf/verifier.c: noreturn_deny";
    NotModifiable = "not-modifiable", LoadFails,
        "the function's return value may not be changed",
        "fmod_ret works on functions that allow error injection and on security_* only.",
        "kernel/bpf/verifier.c: check_attach_modify_return";
    NotSleepable = "not-sleepable", LoadFails,
        "a program there may not sleep",
        "Sleepable programs attach to functions that allow error injection, to system calls, and to the LSM hooks of a list.",
        "kernel/bpf/verifier.c: bpf_check_attach_target";
    InlinedCopies = "inlined-copies", MissesEvents,
        "calls that were inlined are not seen",
        "The function has code of its own, which is hooked, and copies in other functions, which are not.",
        "SPEC 2: Selective inline";
    PartialClone = "partial-clone", MissesEvents,
        "calls that enter at a clone of the function are not seen",
        "The compiler made a second entry (.part, .constprop, .isra) beside the plain function. Calls that it could specialise go \
         there.",
        "SPEC 2: transformation";
    OtherFunctions = "other-functions", MissesEvents,
        "several functions have the name, and only one is hooked",
        "Which of them is not defined. The others run unseen.",
        "kernel/kallsyms.c: kallsyms_lookup_name";
    NoEvent = "no-event", AttachFails,
        "the kernel has no such trace event",
        "There is no events/CATEGORY/NAME: it was renamed, removed, or is switched off in the configuration.",
        "tools/lib/bpf/libbpf.c: perf_event_open_tracepoint";
    NoRawTracepoint = "no-raw-tracepoint", AttachFails,
        "the kernel has no such raw tracepoint",
        "The name is not among the kernel's raw tracepoints.",
        "kernel/trace/bpf_trace.c: bpf_get_raw_tracepoint";
    NotWritable = "not-writable", LoadFails,
        "the tracepoint's argument may not be written",
        "raw_tp.w programs need a tracepoint that declares a writable size.",
        "kernel/bpf/syscall.c: bpf_raw_tp_link_attach";
    NoBtfTrace = "no-btf-trace", LoadFails,
        "the kernel's BTF has no typedef of the tracepoint",
        "tp_btf programs are attached through the typedef btf_trace_NAME: the tracepoint does not exist or was renamed.",
        "tools/lib/bpf/libbpf.c: find_kernel_btf_id";
    NoLsmHook = "no-lsm-hook", LoadFails,
        "the kernel has no such LSM hook for programs",
        "LSM programs are attached to the function bpf_lsm_NAME; this kernel has none, or no BPF LSM at all.",
        "kernel/bpf/bpf_lsm.c: bpf_lsm_verify_prog";
    LsmHookDisabled = "lsm-hook-disabled", LoadFails,
        "the kernel does not let programs attach to this LSM hook",
        "The hook exists, and the kernel lists it among those that programs must not use (bpf_lsm_disabled_hooks).",
        "kernel/bpf/bpf_lsm.c: bpf_lsm_verify_prog";
    BpfLsmOff = "bpf-lsm-off", LoadFails,
        "the kernel is built without BPF LSM",
        "CONFIG_BPF_LSM is not set.",
        "security/bpf/hooks.c";
    BpfLsmInactive = "bpf-lsm-inactive", MissesEvents,
        "BPF is not among the security modules that are active by default",
        "LSM programs load and attach, but are not called unless `bpf` is in the list that the kernel boots with: lsm=...,bpf on \
         its command line, or CONFIG_LSM.",
        "security/security.c: ordered_lsm_parse";
    NoIterator = "no-iterator", LoadFails,
        "the kernel has no such iterator",
        "Iterators are attached to the function bpf_iter_NAME.",
        "tools/lib/bpf/libbpf.c: find_kernel_btf_id";
    NoStructOps = "no-struct-ops", ObjectFails,
        "the kernel does not take these operations from programs",
        "A struct_ops map needs the kernel's type of the same name and a bpf_struct_ops_NAME around it.",
        "tools/lib/bpf/libbpf.c: find_struct_ops_kern_types";
    NoKernelBtf = "no-kernel-btf", ObjectFails,
        "the kernel has no BTF",
        "CO-RE relocations and tracing programs need /sys/kernel/btf/vmlinux (CONFIG_DEBUG_INFO_BTF). Give libbpf the types of the \
         kernel in a file (btf_custom_path); tracing programs do not load even then.",
        "tools/lib/bpf/libbpf.c: bpf_object__load_vmlinux_btf";
    FieldAbsent = "field-absent", LoadFails,
        "the program reads a field that the kernel's type does not have",
        "libbpf replaces the instruction by one that the verifier refuses, and the verifier gets there. Test for the field first: \
         if (bpf_core_field_exists(...)). A renamed field is read through a second definition of the struct with a flavour \
         (struct task_struct___old { ... } __attribute__((preserve_access_index))).",
        "tools/lib/bpf/relo_core.c: bpf_core_calc_relo_insn";
    TypeAbsent = "type-absent", LoadFails,
        "the program reads a type that the kernel does not have",
        "No type of that name and kind is in the kernel's BTF, so no field of it can be found. Test for it first: \
         if (bpf_core_type_exists(...)).",
        "tools/lib/bpf/relo_core.c: bpf_core_calc_relo_insn";
    EnumeratorAbsent = "enumerator-absent", LoadFails,
        "the program uses an enumerator that the kernel does not have",
        "Test for it first: if (bpf_core_enum_value_exists(...)).",
        "tools/lib/bpf/relo_core.c: bpf_core_calc_relo_insn";
    FieldSizeChanged = "field-size-changed", LoadFails,
        "the field has another size in the kernel, and a load cannot be adjusted to it",
        "libbpf adjusts loads of pointers and unsigned integers only. Read the field with bpf_core_read or BPF_CORE_READ_INTO, by \
         its size on the running kernel.",
        "tools/lib/bpf/relo_core.c: bpf_core_patch_insn";
    RelocationAmbiguous = "relocation-ambiguous", ObjectFails,
        "types of the same name in the kernel lead to different results",
        "libbpf wants all types of the name to give one result. ebpf-go takes the one that fits best.",
        "tools/lib/bpf/relo_core.c: bpf_core_calc_relo_insn";
    RelocationRefused = "relocation-refused", ObjectFails,
        "libbpf cannot carry out a relocation",
        "The access leads to something that libbpf does not follow: types nested too deeply, offsets too large for the \
         instruction, a type without a name.",
        "tools/lib/bpf/relo_core.c";
    SpilledPointerLost = "spilled-pointer-lost", LoadFails,
        "the verifier forgets an address on the stack that a helper gets to, and the program reads through it",
        "The program keeps a pointer on the stack, hands a helper the address of where it is (as a map's key, for example), and uses \
         it afterwards. Kernels that take all that a helper gets to for written make a number of it, and refuse to read through a \
         number; others do so only where the helper writes, or leave pointers to the kernel's objects alone. Hand out the address \
         of a copy, or read the argument from the context again.",
        "kernel/bpf/verifier.c: check_stack_range_initialized";
    NoHelper = "no-helper", LoadFails,
        "the program calls a helper that the kernel does not have",
        "The helper is not in the kernel's enum bpf_func_id. Test for it: \
         if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_...)).",
        "kernel/bpf/verifier.c: check_helper_call";
    NoMapType = "no-map-type", ObjectFails,
        "the kernel does not have the type of a map",
        "libbpf creates all maps before it loads programs. Leave the map out on such kernels (bpf_map__set_autocreate).",
        "kernel/bpf/syscall.c: map_create";
    NoProgramType = "no-program-type", LoadFails,
        "the kernel does not have the type of the program",
        "The type is not in the kernel's enum bpf_prog_type.",
        "kernel/bpf/syscall.c: find_prog_type";
    NoAttachType = "no-attach-type", AttachFails,
        "the kernel does not know this way to attach",
        "The attach type is not in the kernel's enum bpf_attach_type.",
        "kernel/bpf/syscall.c: link_create";
    NoKfunc = "no-kfunc", ObjectFails,
        "the kernel does not have a kfunc that the program calls",
        "A kfunc that is not declared __weak must be in the BTF of the kernel or of a module. Declare it __weak and test with \
         bpf_ksym_exists(...).",
        "tools/lib/bpf/libbpf.c: bpf_object__resolve_ksym_func_btf_id";
    KfuncPrototype = "kfunc-prototype", ObjectFails,
        "the kfunc has another prototype in the kernel",
        "libbpf compares the declaration with the kernel's. A __weak one of another prototype counts as absent.",
        "tools/lib/bpf/libbpf.c: bpf_object__resolve_ksym_func_btf_id";
    NoKsym = "no-ksym", ObjectFails,
        "the kernel does not have a variable that the program uses",
        "A ksym that is not declared __weak must be found: by type in BTF, or by name in kallsyms where it is declared void.",
        "tools/lib/bpf/libbpf.c: bpf_object__resolve_externs";
    KsymAmbiguous = "ksym-ambiguous", ObjectFails,
        "several symbols of the kernel have the name",
        "libbpf refuses a ksym that kallsyms has at two addresses.",
        "tools/lib/bpf/libbpf.c: kallsyms_cb";
    NoKconfigOption = "no-kconfig-option", ObjectFails,
        "the kernel's configuration does not set an option that the program asks for",
        "An option that is not declared __weak must be set.",
        "tools/lib/bpf/libbpf.c: bpf_object__resolve_externs";
    UnresolvedCall = "unresolved-call", LoadFails,
        "the program calls a __weak kfunc that the kernel does not have, without a test",
        "The call is reached. Test with bpf_ksym_exists(...) first.",
        "tools/lib/bpf/libbpf.c: poison_kfunc_call";
    ArgumentAbsent = "argument-absent", LoadFails,
        "the program reads an argument that the function or tracepoint does not have",
        "The verifier knows how many arguments there are, and refuses to read further.",
        "kernel/bpf/btf.c: btf_ctx_access";
    ArgumentGone = "argument-gone", ReadsWrong,
        "the program reads an argument register that the function does not use",
        "A kprobe reads registers, whatever they hold. The function has fewer parameters here.",
        "SPEC 8";
    ArgumentChanged = "argument-changed", ReadsWrong,
        "an argument that the program reads is another one here",
        "The parameter at this place has another name and type than on the kernel that the program is compared with.",
        "SPEC 5";
    ReturnGone = "return-gone", ReadsWrong,
        "the program reads what the function returns, and it returns nothing",
        "The function is `void` here. A kretprobe reads what happens to be in the register; the verifier refuses to load an fexit \
         program that reads behind the arguments.",
        "kernel/bpf/btf.c: btf_ctx_access";
    ReturnChanged = "return-changed", ReadsWrong,
        "what the function returns is of another type here",
        "The program reads what the function returns, which has another type than on the kernel that the program is compared with: \
         its size, sign or meaning may differ. For fexit programs an argument that came or went moves it, too.",
        "SPEC 5";
    RecordTooShort = "record-too-short", AttachFails,
        "the program reads behind the event's record",
        "Attaching is refused with EACCES when the program reads further than the event's record reaches.",
        "kernel/events/core.c: perf_event_set_bpf_prog";
    RecordMoved = "record-moved", ReadsWrong,
        "fields of the event's record are at other places",
        "The program reads the record at fixed offsets, and another field, or parts of one, are there on this kernel.",
        "SPEC 5";
    UnknownSection = "unknown-section", ObjectFails,
        "libbpf does not know the section",
        "The program type is told by the section's name, and this is none of libbpf's: a loader of its own must set it.",
        "tools/lib/bpf/libbpf.c: section_defs";
    BadTarget = "bad-target", AttachFails,
        "the section names no target that libbpf can attach to",
        "The part behind the prefix is not in the form that the prefix asks for.",
        "tools/lib/bpf/libbpf.c: section_defs";
    NoSyscall = "no-syscall", AttachFails,
        "the kernel has no function of that system call",
        "ksyscall programs attach to the function of the call, whose name depends on the architecture.",
        "tools/lib/bpf/libbpf.c: bpf_program__attach_ksyscall";
    NoSyscallEvent = "no-syscall-event", AttachFails,
        "the kernel has no trace event of that system call",
        "Events of system calls are made for each call that the kernel has with metadata (CONFIG_FTRACE_SYSCALLS).",
        "kernel/trace/trace_syscalls.c: init_ftrace_syscalls";
    TargetChosenByLoader = "target-chosen-by-loader", Unknown,
        "the section names no target; the loader chooses it when it runs",
        "What is hooked cannot be seen in the object. Tell it: --program NAME=TARGET, or a deps.toml beside the object.",
        "tools/lib/bpf/libbpf.c: bpf_program__set_attach_target";
    WrongMachine = "wrong-machine", Unknown,
        "the object is for another byte order or architecture",
        "The kernel does not take an object of the other byte order.",
        "tools/lib/bpf/libbpf.c: bpf_object__check_endianness";
    NeedsModule = "needs-module", Unknown,
        "what it uses is in a module",
        "It works while the module is loaded, and fails as if it was absent while it is not. Load the module first, or let the \
         loader do without the program. Which modules are loaded is the system's business, no image tells.",
        "kernel/module/kallsyms.c: module_kallsyms_lookup_name; tools/lib/bpf/libbpf.c: load_module_btfs";
    EvidenceMissing = "evidence-missing", Unknown,
        "a fact that decides was not read from the kernel's image",
        "The surface of this kernel was made from something that does not tell, for example BTF alone.",
        "SPEC 3: evidence";
}

impl Rule {
    /// The id.
    #[must_use]
    pub fn id(self) -> &'static str {
        self.entry().id
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}

impl FromStr for Rule {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL.iter().copied().find(|rule| rule.id() == text).ok_or_else(|| Error::Usage {
            what: format!("unknown rule `{text}`"),
            help: Some("`depsurf explain` lists all rules".into()),
        })
    }
}
