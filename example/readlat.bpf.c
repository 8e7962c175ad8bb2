// SPDX-License-Identifier: MIT OR Apache-2.0
//
// A small tool as many are: how long reads take, how much block I/O is begun, and which tasks wait. Written for one
// kernel, it does not work on the next; `depsurf check example/readlat.bpf.o` tells where, and why.
//
// `cargo xtask example` builds the object.

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

// The kernel's types, as far as they are used. CO-RE finds the members by name on each kernel.
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct task_struct {
	int pid;
	unsigned int __state;
};

// Linux 2f064a59a11f ("sched: Change task_struct::state") renamed the member, in v5.14.
struct task_struct___before_5_14 {
	long state;
};

struct request {
	unsigned int __data_len;
	struct gendisk *rq_disk;
};

struct gendisk {
	int major;
};

// Registers of x86-64 that hold the first arguments of a function.
struct pt_regs {
	unsigned long si;
	unsigned long di;
};

#pragma clang attribute pop

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 10240);
	__type(key, __u32);
	__type(value, __u64);
} began SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 16);
} events SEC(".maps");

struct event {
	__u32 pid;
	__u32 what;
	__u64 number;
};

// Set by the loader: whether tasks that wait are reported.
const volatile _Bool with_waiting = 0;

static __always_inline void report(__u32 what, __u64 number)
{
	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event)
		return;
	event->pid = bpf_get_current_pid_tgid() >> 32;
	event->what = what;
	event->number = number;
	bpf_ringbuf_submit(event, 0);
}

SEC("fentry/vfs_read")
int read_begins(__u64 *ctx)
{
	__u32 task = bpf_get_current_pid_tgid();
	__u64 now = bpf_ktime_get_ns();

	bpf_map_update_elem(&began, &task, &now, BPF_ANY);
	return 0;
}

SEC("fexit/vfs_read")
int read_ends(__u64 *ctx)
{
	__u32 task = bpf_get_current_pid_tgid();
	__u64 *start = bpf_map_lookup_elem(&began, &task);

	if (start)
		report(1, bpf_ktime_get_ns() - *start);
	return 0;
}

// Gone since it was inlined, and not to be traced where it came back.
SEC("kprobe/blk_account_io_start")
int io_begins(struct pt_regs *ctx)
{
	struct request *request = (struct request *)ctx->di;

	report(2, BPF_CORE_READ(request, __data_len));
	return 0;
}

// Linux f3fa33acca9f ("block: remove the ->rq_disk field in struct request"), in v5.17. Nothing here tests for it.
SEC("tp_btf/block_rq_complete")
int io_ends(__u64 *ctx)
{
	struct request *request = (struct request *)ctx[0];

	report(3, BPF_CORE_READ(request, rq_disk, major));
	return 0;
}

// The right way: each kernel has one of the two, and the verifier never sees the other.
static __always_inline long state_of(struct task_struct *task)
{
	struct task_struct___before_5_14 *before = (void *)task;

	if (bpf_core_field_exists(task->__state))
		return BPF_CORE_READ(task, __state);
	return BPF_CORE_READ(before, state);
}

SEC("tp_btf/sched_switch")
int task_waits(__u64 *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx[1];

	if (with_waiting && state_of(task))
		report(4, BPF_CORE_READ(task, pid));
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
