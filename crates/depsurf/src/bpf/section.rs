//! What a program attaches to, from the name of its section, as libbpf reads it (`section_defs` and the `attach_*`
//! functions of `libbpf.c`).

use super::uapi::{AttachType as A, ProgramType as P};

/// One row of libbpf's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The name, without what follows a `/`.
    pub name: &'static str,
    /// Whether `name/anything` matches as well. Where it does not, a `/` may be part of the name.
    pub takes_target: bool,
    /// Program type.
    pub program: P,
    /// Expected attach type; `None` where the program type needs none, or where it is chosen on attaching.
    pub attach: Option<A>,
    /// Whether the program may sleep.
    pub sleepable: bool,
    shape: Shape,
}

/// How the part behind the `/` is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Kprobe { ret: bool, multi: bool, session: bool },
    Uprobe { ret: bool, multi: bool, session: bool },
    Ksyscall { ret: bool },
    Usdt,
    Tracepoint,
    RawTracepoint { writable: bool },
    TpBtf,
    Trace { at: TraceAt, multi: bool },
    Freplace,
    Lsm { cgroup: bool },
    Iter,
    StructOps,
    Syscall,
    Other,
}

/// When a tracing program of a function runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TraceAt {
    /// Before the function.
    Fentry,
    /// Behind it.
    Fexit,
    /// Before it, and its result may replace the function's.
    FmodRet,
    /// Before and behind it, with a value that both runs share.
    Fsession,
}

/// What a program attaches to. `None` in the place of a target means that the section names none, so that the
/// loader chooses it at run time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hook<'a> {
    /// A kprobe on a function of the kernel.
    Kprobe {
        /// Symbol; with `multi` it may be a pattern with `*` and `?`.
        function: Option<&'a str>,
        /// Bytes behind its start.
        offset: i64,
        /// On return.
        ret: bool,
        /// On all functions of the pattern, through one link.
        multi: bool,
        /// On entry and return.
        session: bool,
    },
    /// A uprobe on a function of a program or library.
    Uprobe {
        /// Where.
        target: Option<UserFunction<'a>>,
        /// On return.
        ret: bool,
        /// On all functions of the pattern, through one link.
        multi: bool,
        /// On entry and return.
        session: bool,
    },
    /// A statically defined probe of a program or library.
    Usdt {
        /// Which.
        target: Option<UserProbe<'a>>,
    },
    /// A kprobe on the function of a system call, whose symbol depends on the kernel.
    Ksyscall {
        /// The call's name without any prefix.
        name: Option<&'a str>,
        /// On return.
        ret: bool,
    },
    /// A tracepoint, with the record that it writes as context.
    Tracepoint {
        /// Which.
        target: Option<Tracepoint<'a>>,
    },
    /// A tracepoint, with its raw arguments as context.
    RawTracepoint {
        /// Name of the event.
        name: Option<&'a str>,
        /// Whether the program may write to the arguments.
        writable: bool,
    },
    /// A tracepoint, with arguments of known types: needs the typedef `btf_trace_NAME`.
    TpBtf {
        /// Name of the event.
        name: Option<&'a str>,
    },
    /// A trampoline of a function of the kernel.
    Trace {
        /// When it runs.
        at: TraceAt,
        /// The module that must have the function; `None` for the first of kernel and modules that has it.
        module: Option<&'a str>,
        /// The function; with `multi` it may be a pattern with `*` and `?`.
        function: Option<&'a str>,
        /// On all functions of the pattern, through one link.
        multi: bool,
    },
    /// A function of another eBPF program that this one replaces.
    Freplace {
        /// The function.
        function: Option<&'a str>,
    },
    /// A hook of the Linux security modules: needs the function `bpf_lsm_NAME`.
    Lsm {
        /// Name of the hook.
        hook: Option<&'a str>,
        /// For the processes of a control group.
        cgroup: bool,
    },
    /// An iterator over objects of the kernel: needs the function `bpf_iter_NAME`.
    Iter {
        /// What is iterated.
        target: Option<&'a str>,
    },
    /// A member of a `struct_ops` map, which refers to the program.
    StructOps {
        /// What the section says, for people only: the map decides.
        name: Option<&'a str>,
    },
    /// Nothing: user space runs it.
    Syscall,
    /// What the program type stands for: a network device, a socket, a control group, a perf event.
    Other,
    /// Something that libbpf does not attach to, because the target is not in the form that the prefix asks for.
    Malformed {
        /// What is wrong.
        why: &'static str,
    },
    /// Unknown: no row of the table has this name.
    Unknown,
}

/// A function of a program or library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UserFunction<'a> {
    /// The file, as written: perhaps only the name of a library.
    pub path: &'a str,
    /// Symbol.
    pub function: &'a str,
    /// Bytes behind its start.
    pub offset: i64,
}

/// A statically defined probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UserProbe<'a> {
    /// The file.
    pub path: &'a str,
    /// Provider.
    pub provider: &'a str,
    /// Name.
    pub name: &'a str,
}

/// A tracepoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tracepoint<'a> {
    /// System, as in `sched`.
    pub category: &'a str,
    /// Event, as in `sched_switch`.
    pub name: &'a str,
}

/// A section's name, read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sec<'a> {
    /// As written.
    pub written: &'a str,
    /// Whether it is loaded unless the loader says otherwise: the name has no `?` in front.
    pub autoload: bool,
    /// The row of the table; `None` where libbpf says "missing BPF prog type, check ELF section name".
    pub entry: Option<&'static Entry>,
    /// What it attaches to.
    pub hook: Hook<'a>,
}

impl<'a> Sec<'a> {
    /// Reads a section's name.
    #[must_use]
    pub fn parse(written: &'a str) -> Self {
        let (name, autoload) = match written.strip_prefix('?') {
            Some(name) => (name, false),
            None => (written, true),
        };
        let entry = find(name);
        let target = name.split_once('/').map(|(_, target)| target);
        let hook = entry.map_or(Hook::Unknown, |entry| {
            entry.shape.hook(target).unwrap_or_else(|why| Hook::Malformed { why })
        });
        Self { written, autoload, entry, hook }
    }

    /// Program type; `UNSPEC` where the section is unknown.
    #[must_use]
    pub fn program_type(&self) -> P {
        self.entry.map_or(P::UNSPEC, |entry| entry.program)
    }

    /// Whether the program may sleep.
    #[must_use]
    pub fn is_sleepable(&self) -> bool {
        self.entry.is_some_and(|entry| entry.sleepable)
    }
}

/// The row of a name without `?`.
fn find(name: &str) -> Option<&'static Entry> {
    let first = name.split_once('/').map_or(name, |(first, _)| first);
    TABLE.iter().find(|entry| entry.name == if entry.takes_target { first } else { name })
}

impl Shape {
    /// Reads the target; `Err` tells what is wrong with it.
    fn hook(self, target: Option<&str>) -> Result<Hook<'_>, &'static str> {
        Ok(match self {
            Self::Kprobe { ret, multi, session } => {
                let is_part =
                    |c: char| c.is_ascii_alphanumeric() || "_.".contains(c) || multi && "*?".contains(c);
                let (mut function, mut offset) = (None, 0);
                if let Some(target) = target {
                    let (name, rest) = target.split_at(target.find(|c| !is_part(c)).unwrap_or(target.len()));
                    if name.is_empty() {
                        return Err("it names no function");
                    }
                    function = Some(name);
                    offset = if multi { 0 } else { integer(rest).map_or(0, |(number, _)| number) };
                }
                if ret && offset != 0 {
                    return Err("a probe on return takes no offset");
                }
                Hook::Kprobe { function, offset, ret, multi, session }
            }
            Self::Uprobe { ret, multi, session } => {
                let target = target.map(|target| user_function(target, multi)).transpose()?;
                if ret && target.is_some_and(|target| target.offset != 0) {
                    return Err("a probe on return takes no offset");
                }
                Hook::Uprobe { target, ret, multi, session }
            }
            Self::Usdt => Hook::Usdt { target: target.map(user_probe).transpose()? },
            Self::Ksyscall { ret } => Hook::Ksyscall { name: named(target, "it names no system call")?, ret },
            Self::Tracepoint => {
                let why = "it names no event: CATEGORY/NAME";
                let parts = target.map(|target| target.split_once('/').ok_or(why)).transpose()?;
                Hook::Tracepoint { target: parts.map(|(category, name)| Tracepoint { category, name }) }
            }
            Self::RawTracepoint { writable } => {
                Hook::RawTracepoint { name: named(target, "it names no event")?, writable }
            }
            Self::TpBtf => Hook::TpBtf { name: named(target, "it names no event")? },
            Self::Trace { at, multi } => {
                let (module, function) = match target.and_then(|target| target.split_once(':')) {
                    Some((module, function)) => (Some(module), Some(function)),
                    None => (None, target),
                };
                Hook::Trace { at, module, function: named(function, "it names no function")?, multi }
            }
            Self::Freplace => Hook::Freplace { function: named(target, "it names no function")? },
            Self::Lsm { cgroup } => Hook::Lsm { hook: named(target, "it names no hook")?, cgroup },
            Self::Iter => Hook::Iter { target: named(target, "it names nothing to iterate")? },
            Self::StructOps => Hook::StructOps { name: target },
            Self::Syscall => Hook::Syscall,
            Self::Other => Hook::Other,
        })
    }
}

/// A target that must not be empty where there is one.
fn named<'a>(target: Option<&'a str>, why: &'static str) -> Result<Option<&'a str>, &'static str> {
    if target == Some("") { Err(why) } else { Ok(target) }
}

/// `PATH:FUNCTION[+OFFSET]`.
fn user_function(target: &str, multi: bool) -> Result<UserFunction<'_>, &'static str> {
    let why = "it names no function: PATH:FUNCTION";
    let (path, function) = target.split_once(':').ok_or(why)?;
    if path.is_empty() || function.is_empty() {
        return Err(why);
    }
    let offset = function.rfind('+').filter(|_| !multi);
    let offset = offset.and_then(|at| integer(&function[at..]).map(|(number, rest)| (at, number, rest)));
    Ok(match offset {
        Some((at, offset, "")) => UserFunction { path, function: &function[..at], offset },
        _ => UserFunction { path, function, offset: 0 },
    })
}

/// `PATH:PROVIDER:NAME`.
fn user_probe(target: &str) -> Result<UserProbe<'_>, &'static str> {
    let mut parts = target.split(':').filter(|part| !part.is_empty());
    match (parts.next(), parts.next(), parts.next()) {
        (Some(path), Some(provider), Some(name)) => Ok(UserProbe { path, provider, name }),
        _ => Err("it names no probe: PATH:PROVIDER:NAME"),
    }
}

/// An integer as C's `%li` reads it, and what is behind it.
fn integer(text: &str) -> Option<(i64, &str)> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let hexadecimal = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
    let (radix, digits) = match hexadecimal {
        Some(digits) => (16, digits),
        None if digits.starts_with('0') => (8, digits),
        None => (10, digits),
    };
    let (digits, rest) = digits.split_at(digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len()));
    let number = i64::from_str_radix(digits, radix).ok()?;
    Some((if negative { -number } else { number }, rest))
}

/// A row whose name may be followed by `/` and a target.
const fn open(name: &'static str, program: P, attach: Option<A>, shape: Shape) -> Entry {
    Entry { name, takes_target: true, program, attach, sleepable: false, shape }
}

/// A row whose name must be all there is.
const fn exact(name: &'static str, program: P, attach: Option<A>, shape: Shape) -> Entry {
    Entry { name, takes_target: false, program, attach, sleepable: false, shape }
}

impl Entry {
    const fn sleepable(mut self) -> Self {
        self.sleepable = true;
        self
    }
}

/// libbpf's table, as of version 1.8.
#[rustfmt::skip]
pub const TABLE: &[Entry] = &[
    open("kprobe", P::KPROBE, None, Shape::Kprobe { ret: false, multi: false, session: false }),
    open("kretprobe", P::KPROBE, None, Shape::Kprobe { ret: true, multi: false, session: false }),
    open("kprobe.multi", P::KPROBE, Some(A::TRACE_KPROBE_MULTI), Shape::Kprobe { ret: false, multi: true, session: false }),
    open("kretprobe.multi", P::KPROBE, Some(A::TRACE_KPROBE_MULTI), Shape::Kprobe { ret: true, multi: true, session: false }),
    open("kprobe.session", P::KPROBE, Some(A::TRACE_KPROBE_SESSION), Shape::Kprobe { ret: false, multi: true, session: true }),
    open("uprobe", P::KPROBE, None, Shape::Uprobe { ret: false, multi: false, session: false }),
    open("uretprobe", P::KPROBE, None, Shape::Uprobe { ret: true, multi: false, session: false }),
    open("uprobe.s", P::KPROBE, None, Shape::Uprobe { ret: false, multi: false, session: false }).sleepable(),
    open("uretprobe.s", P::KPROBE, None, Shape::Uprobe { ret: true, multi: false, session: false }).sleepable(),
    open("uprobe.multi", P::KPROBE, Some(A::TRACE_UPROBE_MULTI), Shape::Uprobe { ret: false, multi: true, session: false }),
    open("uretprobe.multi", P::KPROBE, Some(A::TRACE_UPROBE_MULTI), Shape::Uprobe { ret: true, multi: true, session: false }),
    open("uprobe.session", P::KPROBE, Some(A::TRACE_UPROBE_SESSION), Shape::Uprobe { ret: false, multi: true, session: true }),
    open("uprobe.multi.s", P::KPROBE, Some(A::TRACE_UPROBE_MULTI), Shape::Uprobe { ret: false, multi: true, session: false }).sleepable(),
    open("uretprobe.multi.s", P::KPROBE, Some(A::TRACE_UPROBE_MULTI), Shape::Uprobe { ret: true, multi: true, session: false }).sleepable(),
    open("uprobe.session.s", P::KPROBE, Some(A::TRACE_UPROBE_SESSION), Shape::Uprobe { ret: false, multi: true, session: true }).sleepable(),
    open("ksyscall", P::KPROBE, None, Shape::Ksyscall { ret: false }),
    open("kretsyscall", P::KPROBE, None, Shape::Ksyscall { ret: true }),
    open("usdt", P::KPROBE, None, Shape::Usdt),
    open("usdt.s", P::KPROBE, None, Shape::Usdt).sleepable(),
    open("tracepoint", P::TRACEPOINT, None, Shape::Tracepoint),
    open("tracepoint.s", P::TRACEPOINT, None, Shape::Tracepoint).sleepable(),
    open("tp", P::TRACEPOINT, None, Shape::Tracepoint),
    open("tp.s", P::TRACEPOINT, None, Shape::Tracepoint).sleepable(),
    open("raw_tracepoint", P::RAW_TRACEPOINT, None, Shape::RawTracepoint { writable: false }),
    open("raw_tracepoint.s", P::RAW_TRACEPOINT, None, Shape::RawTracepoint { writable: false }).sleepable(),
    open("raw_tracepoint.w", P::RAW_TRACEPOINT_WRITABLE, None, Shape::RawTracepoint { writable: true }),
    open("raw_tp", P::RAW_TRACEPOINT, None, Shape::RawTracepoint { writable: false }),
    open("raw_tp.s", P::RAW_TRACEPOINT, None, Shape::RawTracepoint { writable: false }).sleepable(),
    open("raw_tp.w", P::RAW_TRACEPOINT_WRITABLE, None, Shape::RawTracepoint { writable: true }),
    open("tp_btf", P::TRACING, Some(A::TRACE_RAW_TP), Shape::TpBtf),
    open("tp_btf.s", P::TRACING, Some(A::TRACE_RAW_TP), Shape::TpBtf).sleepable(),
    open("fentry", P::TRACING, Some(A::TRACE_FENTRY), Shape::Trace { at: TraceAt::Fentry, multi: false }),
    open("fexit", P::TRACING, Some(A::TRACE_FEXIT), Shape::Trace { at: TraceAt::Fexit, multi: false }),
    open("fmod_ret", P::TRACING, Some(A::MODIFY_RETURN), Shape::Trace { at: TraceAt::FmodRet, multi: false }),
    open("fsession", P::TRACING, Some(A::TRACE_FSESSION), Shape::Trace { at: TraceAt::Fsession, multi: false }),
    open("fentry.s", P::TRACING, Some(A::TRACE_FENTRY), Shape::Trace { at: TraceAt::Fentry, multi: false }).sleepable(),
    open("fexit.s", P::TRACING, Some(A::TRACE_FEXIT), Shape::Trace { at: TraceAt::Fexit, multi: false }).sleepable(),
    open("fmod_ret.s", P::TRACING, Some(A::MODIFY_RETURN), Shape::Trace { at: TraceAt::FmodRet, multi: false }).sleepable(),
    open("fsession.s", P::TRACING, Some(A::TRACE_FSESSION), Shape::Trace { at: TraceAt::Fsession, multi: false }).sleepable(),
    open("fentry.multi", P::TRACING, Some(A::TRACE_FENTRY_MULTI), Shape::Trace { at: TraceAt::Fentry, multi: true }),
    open("fexit.multi", P::TRACING, Some(A::TRACE_FEXIT_MULTI), Shape::Trace { at: TraceAt::Fexit, multi: true }),
    open("fsession.multi", P::TRACING, Some(A::TRACE_FSESSION_MULTI), Shape::Trace { at: TraceAt::Fsession, multi: true }),
    open("fentry.multi.s", P::TRACING, Some(A::TRACE_FENTRY_MULTI), Shape::Trace { at: TraceAt::Fentry, multi: true }).sleepable(),
    open("fexit.multi.s", P::TRACING, Some(A::TRACE_FEXIT_MULTI), Shape::Trace { at: TraceAt::Fexit, multi: true }).sleepable(),
    open("fsession.multi.s", P::TRACING, Some(A::TRACE_FSESSION_MULTI), Shape::Trace { at: TraceAt::Fsession, multi: true }).sleepable(),
    open("freplace", P::EXT, None, Shape::Freplace),
    open("lsm", P::LSM, Some(A::LSM_MAC), Shape::Lsm { cgroup: false }),
    open("lsm.s", P::LSM, Some(A::LSM_MAC), Shape::Lsm { cgroup: false }).sleepable(),
    open("lsm_cgroup", P::LSM, Some(A::LSM_CGROUP), Shape::Lsm { cgroup: true }),
    open("iter", P::TRACING, Some(A::TRACE_ITER), Shape::Iter),
    open("iter.s", P::TRACING, Some(A::TRACE_ITER), Shape::Iter).sleepable(),
    open("struct_ops", P::STRUCT_OPS, None, Shape::StructOps),
    open("struct_ops.s", P::STRUCT_OPS, None, Shape::StructOps).sleepable(),
    exact("syscall", P::SYSCALL, None, Shape::Syscall).sleepable(),
    exact("socket", P::SOCKET_FILTER, None, Shape::Other),
    exact("sk_reuseport/migrate", P::SK_REUSEPORT, Some(A::SK_REUSEPORT_SELECT_OR_MIGRATE), Shape::Other),
    exact("sk_reuseport", P::SK_REUSEPORT, Some(A::SK_REUSEPORT_SELECT), Shape::Other),
    exact("tc/ingress", P::SCHED_CLS, Some(A::TCX_INGRESS), Shape::Other),
    exact("tc/egress", P::SCHED_CLS, Some(A::TCX_EGRESS), Shape::Other),
    exact("tcx/ingress", P::SCHED_CLS, Some(A::TCX_INGRESS), Shape::Other),
    exact("tcx/egress", P::SCHED_CLS, Some(A::TCX_EGRESS), Shape::Other),
    exact("tc", P::SCHED_CLS, None, Shape::Other),
    exact("classifier", P::SCHED_CLS, None, Shape::Other),
    exact("action", P::SCHED_ACT, None, Shape::Other),
    exact("netkit/primary", P::SCHED_CLS, Some(A::NETKIT_PRIMARY), Shape::Other),
    exact("netkit/peer", P::SCHED_CLS, Some(A::NETKIT_PEER), Shape::Other),
    exact("xdp.frags/devmap", P::XDP, Some(A::XDP_DEVMAP), Shape::Other),
    exact("xdp.frags/cpumap", P::XDP, Some(A::XDP_CPUMAP), Shape::Other),
    exact("xdp.frags", P::XDP, Some(A::XDP), Shape::Other),
    exact("xdp/devmap", P::XDP, Some(A::XDP_DEVMAP), Shape::Other),
    exact("xdp/cpumap", P::XDP, Some(A::XDP_CPUMAP), Shape::Other),
    exact("xdp", P::XDP, Some(A::XDP), Shape::Other),
    exact("perf_event", P::PERF_EVENT, None, Shape::Other),
    exact("lwt_in", P::LWT_IN, None, Shape::Other),
    exact("lwt_out", P::LWT_OUT, None, Shape::Other),
    exact("lwt_xmit", P::LWT_XMIT, None, Shape::Other),
    exact("lwt_seg6local", P::LWT_SEG6LOCAL, None, Shape::Other),
    exact("sockops", P::SOCK_OPS, Some(A::CGROUP_SOCK_OPS), Shape::Other),
    exact("sk_skb/stream_parser", P::SK_SKB, Some(A::SK_SKB_STREAM_PARSER), Shape::Other),
    exact("sk_skb/stream_verdict", P::SK_SKB, Some(A::SK_SKB_STREAM_VERDICT), Shape::Other),
    exact("sk_skb/verdict", P::SK_SKB, Some(A::SK_SKB_VERDICT), Shape::Other),
    exact("sk_skb", P::SK_SKB, None, Shape::Other),
    exact("sk_msg", P::SK_MSG, Some(A::SK_MSG_VERDICT), Shape::Other),
    exact("lirc_mode2", P::LIRC_MODE2, Some(A::LIRC_MODE2), Shape::Other),
    exact("flow_dissector", P::FLOW_DISSECTOR, Some(A::FLOW_DISSECTOR), Shape::Other),
    exact("sk_lookup", P::SK_LOOKUP, Some(A::SK_LOOKUP), Shape::Other),
    exact("netfilter", P::NETFILTER, Some(A::NETFILTER), Shape::Other),
    exact("cgroup_skb/ingress", P::CGROUP_SKB, Some(A::CGROUP_INET_INGRESS), Shape::Other),
    exact("cgroup_skb/egress", P::CGROUP_SKB, Some(A::CGROUP_INET_EGRESS), Shape::Other),
    exact("cgroup/skb", P::CGROUP_SKB, None, Shape::Other),
    exact("cgroup/sock_create", P::CGROUP_SOCK, Some(A::CGROUP_INET_SOCK_CREATE), Shape::Other),
    exact("cgroup/sock_release", P::CGROUP_SOCK, Some(A::CGROUP_INET_SOCK_RELEASE), Shape::Other),
    exact("cgroup/sock", P::CGROUP_SOCK, Some(A::CGROUP_INET_SOCK_CREATE), Shape::Other),
    exact("cgroup/post_bind4", P::CGROUP_SOCK, Some(A::CGROUP_INET4_POST_BIND), Shape::Other),
    exact("cgroup/post_bind6", P::CGROUP_SOCK, Some(A::CGROUP_INET6_POST_BIND), Shape::Other),
    exact("cgroup/bind4", P::CGROUP_SOCK_ADDR, Some(A::CGROUP_INET4_BIND), Shape::Other),
    exact("cgroup/bind6", P::CGROUP_SOCK_ADDR, Some(A::CGROUP_INET6_BIND), Shape::Other),
    exact("cgroup/connect4", P::CGROUP_SOCK_ADDR, Some(A::CGROUP_INET4_CONNECT), Shape::Other),
    exact("cgroup/connect6", P::CGROUP_SOCK_ADDR, Some(A::CGROUP_INET6_CONNECT), Shape::Other),
    exact("cgroup/connect_unix", P::CGROUP_SOCK_ADDR, Some(A::CGROUP_UNIX_CONNECT), Shape::Other),
    exact("cgroup/sendmsg4", P::CGROUP_SOCK_ADDR, Some(A::CGROUP_UDP4_SENDMSG), Shape::Other),
    exact("cgroup/sendmsg6", P::CGROUP_SOCK_ADDR, Some(A::CGROUP_UDP6_SENDMSG), Shape::Other),
    exact("cgroup/sendmsg_unix", P::CGROUP_SOCK_ADDR, Some(A::CGROUP_UNIX_SENDMSG), Shape::Other),
    exact("cgroup/recvmsg4", P::CGROUP_SOCK_ADDR, Some(A::CGROUP_UDP4_RECVMSG), Shape::Other),
    exact("cgroup/recvmsg6", P::CGROUP_SOCK_ADDR, Some(A::CGROUP_UDP6_RECVMSG), Shape::Other),
    exact("cgroup/recvmsg_unix", P::CGROUP_SOCK_ADDR, Some(A::CGROUP_UNIX_RECVMSG), Shape::Other),
    exact("cgroup/getpeername4", P::CGROUP_SOCK_ADDR, Some(A::CGROUP_INET4_GETPEERNAME), Shape::Other),
    exact("cgroup/getpeername6", P::CGROUP_SOCK_ADDR, Some(A::CGROUP_INET6_GETPEERNAME), Shape::Other),
    exact("cgroup/getpeername_unix", P::CGROUP_SOCK_ADDR, Some(A::CGROUP_UNIX_GETPEERNAME), Shape::Other),
    exact("cgroup/getsockname4", P::CGROUP_SOCK_ADDR, Some(A::CGROUP_INET4_GETSOCKNAME), Shape::Other),
    exact("cgroup/getsockname6", P::CGROUP_SOCK_ADDR, Some(A::CGROUP_INET6_GETSOCKNAME), Shape::Other),
    exact("cgroup/getsockname_unix", P::CGROUP_SOCK_ADDR, Some(A::CGROUP_UNIX_GETSOCKNAME), Shape::Other),
    exact("cgroup/sysctl", P::CGROUP_SYSCTL, Some(A::CGROUP_SYSCTL), Shape::Other),
    exact("cgroup/getsockopt", P::CGROUP_SOCKOPT, Some(A::CGROUP_GETSOCKOPT), Shape::Other),
    exact("cgroup/setsockopt", P::CGROUP_SOCKOPT, Some(A::CGROUP_SETSOCKOPT), Shape::Other),
    exact("cgroup/dev", P::CGROUP_DEVICE, Some(A::CGROUP_DEVICE), Shape::Other),
];
