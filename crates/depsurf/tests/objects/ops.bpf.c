/* Functions for the kernel to call. For tests/object.rs. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct ops_like {
	int (*init)(void *context);
	void (*release)(void *context);
	int flags;
};

SEC("struct_ops/init")
int ops_init(unsigned long long *context)
{
	return 0;
}

SEC(".struct_ops")
struct ops_like ops = { .init = (void *)ops_init, .flags = 3 };
