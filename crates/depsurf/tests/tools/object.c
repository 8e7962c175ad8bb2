/* What libbpf makes of an object, for comparison. Nothing is loaded: the object is opened, and then linked for a
 * loader program ("light skeleton"), which needs neither privileges nor support by the running kernel.
 *
 *   object FILE OFFSET SIZE     programs, maps and linked instructions of the object at that place
 *   object --sections           program type and attach type of each section name on standard input
 *
 * Built by tests/object.rs with `cc object.c -lbpf`. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static FILE *log_file;

static int print(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	return vfprintf(log_file, format, args);
}

static int sections(void)
{
	char name[256];

	libbpf_set_print(NULL);
	while (fgets(name, sizeof(name), stdin)) {
		enum bpf_prog_type type = 0;
		enum bpf_attach_type attach = 0;

		name[strcspn(name, "\n")] = 0;
		if (libbpf_prog_type_by_name(name, &type, &attach))
			printf("%s\tunknown\n", name);
		else
			printf("%s\t%d\t%d\n", name, type, attach);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct bpf_object *object;
	struct bpf_program *program;
	struct bpf_map *map;
	LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "object");
	LIBBPF_OPTS(gen_loader_opts, loader);
	FILE *file;
	long offset, size;
	char *bytes;
	int error;

	if (argc == 2 && !strcmp(argv[1], "--sections"))
		return sections();
	if (argc != 4)
		return 2;
	log_file = stderr;
	libbpf_set_print(print);
	offset = atol(argv[2]);
	size = atol(argv[3]);
	bytes = malloc(size);
	file = fopen(argv[1], "rb");
	if (!file || fseek(file, offset, SEEK_SET) || fread(bytes, 1, size, file) != (size_t)size)
		return 2;
	object = bpf_object__open_mem(bytes, size, &options);
	if (!object) {
		printf("refused\t%d\n", errno);
		return 0;
	}
	bpf_object__for_each_program(program, object)
		printf("program\t%s\t%s\t%d\t%d\t%d\t%d\t%zu\n", bpf_program__name(program),
		       bpf_program__section_name(program), bpf_program__type(program),
		       bpf_program__expected_attach_type(program), bpf_program__autoload(program),
		       !!(bpf_program__flags(program) & BPF_F_SLEEPABLE), bpf_program__insn_cnt(program));
	bpf_object__for_each_map(map, object) {
		printf("map\t%s\t%d\t%u\t%u\t%u\t%u\t%d\t%s\n", bpf_map__name(map), bpf_map__type(map),
		       bpf_map__key_size(map), bpf_map__value_size(map), bpf_map__max_entries(map),
		       bpf_map__map_flags(map), bpf_map__is_internal(map),
		       bpf_map__inner_map(map) ? "inner" : "");
	}
	/* The linker of libbpf 1.1 falls over struct_ops. */
	bpf_object__for_each_map(map, object)
		if (bpf_map__type(map) == BPF_MAP_TYPE_STRUCT_OPS)
			return 0;
	bpf_object__for_each_program(program, object)
		bpf_program__set_autoload(program, true);
	error = bpf_object__gen_loader(object, &loader);
	if (!error)
		error = bpf_object__load(object);
	printf("linked\t%d\n", error);
	bpf_object__for_each_program(program, object) {
		const unsigned char *insns = (const unsigned char *)bpf_program__insns(program);
		size_t length = bpf_program__insn_cnt(program) * 8;

		printf("insns\t%s\t", bpf_program__name(program));
		for (size_t at = 0; at < length; at++)
			printf("%02x", insns[at]);
		printf("\n");
	}
	return 0;
}
