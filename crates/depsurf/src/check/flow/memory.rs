//! Memory that helpers get to through their arguments, and what becomes of the stack there.
//!
//! The verifier looks at such an argument byte by byte (`kernel/bpf/verifier.c: check_stack_range_initialized`), and where the
//! helper might write it makes of an address that is kept there a number of which nothing is known.

use super::state::State;
use super::{Lent, Spoils, Value};
use crate::bpf::Helper;

/// An argument that is the address of memory.
#[derive(Debug, Clone, Copy)]
struct Memory {
    /// The register with the address.
    register: u8,
    size: Size,
    access: Access,
}

#[derive(Debug, Clone, Copy)]
enum Size {
    /// A key of the map in `r1`.
    Key,
    /// A value of the map in `r1`.
    Value,
    /// What the next register says.
    Next,
    /// This many bytes.
    Bytes(u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    /// Written; kernels that do not tell reading from writing want it to have been initialized.
    Write,
    /// Written, whatever was there before: `ARG_PTR_TO_UNINIT_MEM` in every kernel.
    Fill,
}

const fn read(register: u8, size: Size) -> Memory {
    Memory { register, size, access: Access::Read }
}

const fn write(register: u8, size: Size) -> Memory {
    Memory { register, size, access: Access::Write }
}

const fn fill(register: u8, size: Size) -> Memory {
    Memory { register, size, access: Access::Fill }
}

/// The memory that a helper gets to; nothing for those that are not known. From `struct bpf_func_proto` of the helpers of tracing
/// programs and of those for all kinds of programs, in kernels from 5.10 to 7.2 (`kernel/trace/bpf_trace.c`, `kernel/bpf`). An
/// argument that some kernel does not look at is left out.
#[rustfmt::skip]
fn of(helper: Helper) -> &'static [Memory] {
    use Size::{Bytes, Key, Next, Value};
    match helper.name().unwrap_or_default() {
        "map_lookup_elem" | "map_delete_elem" | "map_lookup_percpu_elem" => const { &[read(2, Key)] },
        "map_update_elem" => const { &[read(2, Key), read(3, Value)] },
        "map_push_elem" => const { &[read(2, Value)] },
        "map_pop_elem" | "map_peek_elem" => const { &[fill(2, Value)] },
        "inode_storage_get" | "task_storage_get" | "cgrp_storage_get" => const { &[read(3, Value)] },
        "probe_read" | "probe_read_str" | "probe_read_user" | "probe_read_user_str" | "probe_read_kernel"
        | "probe_read_kernel_str" | "copy_from_user" | "copy_from_user_task" | "get_current_comm"
        | "get_branch_snapshot" | "dynptr_read" => const { &[fill(1, Next)] },
        "get_task_stack" | "perf_prog_read_value" | "ima_inode_hash" | "ima_file_hash" =>
            const { &[fill(2, Next)] },
        "perf_event_read_value" | "get_ns_current_pid_tgid" => const { &[fill(3, Next)] },
        // That of raw tracepoints read it up to 6.1, for what its declaration says.
        "get_stack" => const { &[write(2, Next)] },
        "d_path" | "read_branch_records" => const { &[write(2, Next)] },
        "trace_printk" | "strncmp" | "btf_find_by_name_kind" => const { &[read(1, Next)] },
        "trace_vprintk" => const { &[read(1, Next), read(3, Next)] },
        "ringbuf_output" | "seq_write" | "seq_printf_btf" | "probe_write_user" | "sys_bpf" => const { &[read(2, Next)] },
        "dynptr_write" => const { &[read(3, Next)] },
        "perf_event_output" => const { &[read(4, Next)] },
        "seq_printf" => const { &[read(2, Next), read(4, Next)] },
        "snprintf" => const { &[write(1, Next), read(4, Next)] },
        "snprintf_btf" => const { &[write(1, Next), read(3, Next)] },
        "strtol" | "strtoul" | "kallsyms_lookup_name" => const { &[read(1, Next), fill(4, Bytes(8))] },
        "get_func_arg" => const { &[fill(3, Bytes(8))] },
        "get_func_ret" => const { &[fill(2, Bytes(8))] },
        _ => &[],
    }
}

/// What becomes of the stack where a helper is called, before registers are forgotten.
pub(super) fn lend(state: &mut State, helper: Helper, lent: Lent<'_>) {
    for memory in of(helper) {
        let place = state.get(memory.register);
        if !matches!(place, Value::Stack { .. }) {
            continue;
        }
        let of_map = |of: fn((u32, u32)) -> u32| match state.get(1) {
            Value::Map(number) => of((lent.sizes)(number)),
            _ => 0,
        };
        let size = match memory.size {
            // Keys and values have at least one byte.
            Size::Key => of_map(|sizes| sizes.0).max(1),
            Size::Value => of_map(|sizes| sizes.1).max(1),
            Size::Bytes(bytes) => bytes,
            Size::Next => match state.get(memory.register + 1) {
                Value::Number(size) => u32::try_from(size).unwrap_or(0),
                // It may be 0.
                _ => continue,
            },
        };
        let (is_spoiled, are_kept) = match (lent.spoils, memory.access) {
            (_, Access::Fill) | (Spoils::All, _) | (Spoils::Written, Access::Write) => (true, false),
            (Spoils::AllButObjects, _) => (true, true),
            (Spoils::Written, Access::Read) => (false, false),
        };
        if is_spoiled && size > 0 {
            state.spoil(place, size, helper, are_kept);
        }
    }
}
