/* Something of everything that an object can have, without the kernel's types. For tests/object.rs. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <stdbool.h>

#define related __attribute__((preserve_access_index))

char LICENSE[] SEC("license") = "GPL";

enum pid_kind { KIND_PID, KIND_TGID = 7 };

struct inner {
	int pad;
	union {
		long word;
		struct {
			int low;
			int high;
		};
	};
} related;

struct task_struct {
	int pid;
	char comm[16];
	struct inner nested[4];
	struct task_struct *parent;
	unsigned int flag_a : 3;
	unsigned int flag_b : 5;
	int tail[];
} related;

struct task_struct___old {
	long state;
} related;

typedef struct {
	int counter;
} related atomic_like_t;

struct pair {
	__u64 a, b;
};

/* Maps */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 128);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct pair);
} counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

struct inner_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, int);
	__type(value, __u64);
} first SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__array(values, struct inner_map);
} outer SEC(".maps") = { .values = { &first } };

int raw_second(void *context);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__uint(key_size, 4);
	__array(values, int(void *));
} jumps SEC(".maps") = { .values = { [1] = (void *)&raw_second } };

/* Variables */
const volatile int limit = 5;
const volatile bool enabled = true;
const int table[4] SEC(".rodata.custom") = { 1, 2, 3, 4 };
int counter = 42;
long zeroes[3];
static volatile int hidden_state;

/* Expected from elsewhere */
extern int LINUX_KERNEL_VERSION __kconfig;
extern bool CONFIG_BPF_LSM __kconfig __weak;
extern void linux_banner_of_nobody __ksym __weak;
extern const struct inner typed_variable __ksym __weak;
extern int kfunc_strong(struct task_struct *task) __ksym;
extern int kfunc_weak(int number) __ksym __weak;

static __noinline int add(int a, int b)
{
	return a + b * limit + hidden_state;
}

__noinline int twice(int number)
{
	return add(number, number) + add(number, 2);
}

static int visit(void *map, __u32 *key, void *value, long *sum)
{
	*sum += *key + twice(*key);
	return 0;
}

SEC("raw_tp/first")
int raw_first(void *context)
{
	long sum = 0;

	bpf_for_each_map_elem(&counts, visit, &sum, 0);
	counter += sum + add(sum, counter);
	return twice(sum);
}

SEC("raw_tp/first")
int raw_second(void *context)
{
	int key = LINUX_KERNEL_VERSION + CONFIG_BPF_LSM + table[counter & 3];

	zeroes[1] += key;
	bpf_map_lookup_elem(&counts, &key);
	bpf_map_lookup_elem(&outer, &key);
	bpf_tail_call(context, &jumps, 1);
	return 0;
}

SEC("?kprobe/vfs_read+0x10")
int probe(struct task_struct *task)
{
	int sum = task->pid + task->parent->pid + task->nested[2].high + task->nested[1].word + task->tail[3];
	struct task_struct___old *old = (void *)task;
	char comm[16];

	if (bpf_core_field_exists(old->state))
		sum += old->state;
	sum += BPF_CORE_READ_BITFIELD(task, flag_b);
	sum += bpf_core_field_size(task->comm);
	sum += bpf_core_type_exists(struct inner) + bpf_core_type_size(atomic_like_t);
	sum += bpf_core_type_id_kernel(struct task_struct) + bpf_core_type_id_local(struct inner);
	sum += bpf_core_enum_value_exists(enum pid_kind, KIND_TGID) + bpf_core_enum_value(enum pid_kind, KIND_TGID);
	sum += ((atomic_like_t *)old)->counter;
	bpf_core_read_str(comm, sizeof(comm), &task->comm);
	bpf_printk("%d %s", sum, comm);
	return sum;
}

SEC("fentry.s/vfs_open")
int trace(unsigned long long *context)
{
	int sum = 0;

	if (&linux_banner_of_nobody)
		sum += *(int *)&typed_variable;
	if (kfunc_weak)
		sum += kfunc_weak(3);
	return sum + kfunc_strong((void *)context[0]);
}
