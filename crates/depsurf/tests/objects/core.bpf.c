// Every kind of CO-RE relocation, on types that all kernels have.
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#define KERNEL __attribute__((preserve_access_index))

typedef unsigned long long u64;

struct list_head {
	struct list_head *next, *prev;
} KERNEL;

struct sched_entity {
	u64 vruntime;
} KERNEL;

struct task_struct {
	int pid;
	unsigned int flags;
	struct sched_entity se;
	struct list_head tasks;
	char comm[16];
	unsigned sched_reset_on_fork : 1;
	unsigned in_execve : 1;
} KERNEL;

struct task_struct___gone {
	long state_of_old;
} KERNEL;

// Of another size in the kernel: unsigned, so that a load can be adjusted, and signed, so that it cannot.
struct sock_common {
	unsigned long long skc_state;
	long skc_bound_dev_if;
} KERNEL;

struct nowhere {
	int x;
} KERNEL;

enum pid_type {
	PIDTYPE_PID,
	PIDTYPE_TGID,
	PIDTYPE_NOWHERE = 77,
};

u64 sink;

SEC("raw_tp/sched_switch")
int fields(u64 *ctx)
{
	struct task_struct *task = (void *)ctx[1];
	struct sock_common *sock = (void *)ctx[2];

	sink += BPF_CORE_READ(task, pid);
	sink += BPF_CORE_READ(task, se.vruntime);
	sink += (u64)BPF_CORE_READ(task, tasks.next, prev);
	sink += BPF_CORE_READ(task, comm[3]);
	sink += BPF_CORE_READ_BITFIELD_PROBED(task, sched_reset_on_fork);
	sink += BPF_CORE_READ_BITFIELD(task, in_execve);
	sink += bpf_core_field_size(task->comm) + bpf_core_field_exists(task->flags);
	sink += bpf_core_field_exists(((struct task_struct___gone *)task)->state_of_old);
	if (bpf_core_field_exists(((struct task_struct___gone *)task)->state_of_old))
		sink += BPF_CORE_READ((struct task_struct___gone *)task, state_of_old);
	sink += task->flags;
	sink += sock->skc_state;
	sink += sock->skc_bound_dev_if;
	return 0;
}

SEC("raw_tp/sched_wakeup")
int wholes(u64 *ctx)
{
	sink += bpf_core_type_exists(struct task_struct) + bpf_core_type_exists(struct nowhere);
	sink += bpf_core_type_size(struct list_head) + bpf_core_type_size(struct nowhere);
	sink += bpf_core_type_id_local(struct task_struct) + bpf_core_type_id_kernel(struct task_struct);
	sink += bpf_core_type_id_kernel(struct nowhere);
	sink += bpf_core_enum_value(enum pid_type, PIDTYPE_TGID);
	sink += bpf_core_enum_value_exists(enum pid_type, PIDTYPE_TGID);
	sink += bpf_core_enum_value_exists(enum pid_type, PIDTYPE_NOWHERE);
	if (bpf_core_enum_value_exists(enum pid_type, PIDTYPE_NOWHERE))
		sink += bpf_core_enum_value(enum pid_type, PIDTYPE_NOWHERE);
	return 0;
}

char _license[] SEC("license") = "GPL";
