/* A second unit, to be linked with parts.bpf.c. For tests/object.rs. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct inner_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, int);
	__type(value, __u64);
};

extern struct inner_map first SEC(".maps");
extern int counter;

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 64);
	__type(key, __u64);
	__type(value, __u64);
} recent SEC(".maps");

int twice(int number);

static int own = 3;

static __noinline int add(int a, int b)
{
	return a * b + own++;
}

SEC("tp/sched/sched_switch")
int other(void *context)
{
	int key = add(counter, 3);

	bpf_map_lookup_elem(&first, &key);
	bpf_map_lookup_elem(&recent, &key);
	return twice(add(key, 4));
}
