/* What libbpf's log says of the CO-RE relocations of an object, for comparison.
 *
 *   core FILE [BTF]     loads FILE against the types in BTF, else those of the running kernel
 *
 * Nothing gets to the kernel: libbpf calls bpf(2) through syscall(3), which is replaced here by one that answers as a kernel
 * that takes everything. So it needs no privileges, and relocations are carried out for any kernel.
 *
 * Built by tests/core.rs with `cc core.c -lbpf`. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

long syscall(long number, ...)
{
	va_list args;
	int command;

	if (number != __NR_bpf) {
		errno = ENOSYS;
		return -1;
	}
	va_start(args, number);
	command = va_arg(args, int);
	va_end(args);
	switch (command) {
	case BPF_MAP_CREATE:
	case BPF_PROG_LOAD:
	case BPF_BTF_LOAD:
	case BPF_LINK_CREATE:
		return open("/dev/null", O_RDONLY | O_CLOEXEC);
	case BPF_OBJ_GET_INFO_BY_FD:
		errno = EINVAL;
		return -1;
	default:
		return 0;
	}
}

static int print(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	return vprintf(format, args);
}

int main(int argc, char **argv)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "object",
		    .btf_custom_path = argc > 2 ? argv[2] : NULL);
	struct bpf_program *program;
	struct bpf_object *object;

	if (argc < 2)
		return 2;
	libbpf_set_print(print);
	object = bpf_object__open_file(argv[1], &options);
	if (!object) {
		printf("refused %d\n", errno);
		return 0;
	}
	bpf_object__for_each_program(program, object)
		bpf_program__set_autoload(program, true);
	printf("done %d\n", bpf_object__load(object));
	return 0;
}
