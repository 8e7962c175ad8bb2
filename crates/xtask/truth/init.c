/*
 * The only program of the machine that `cargo xtask truth` boots: tries what the library has predicted, tells what
 * the kernel made of it, and switches the machine off. Linked statically against libbpf.
 *
 * In: /truth/objects (eBPF objects), /truth/probe.o (an object with a program `kprobe`, `kretprobe` and `tp` each,
 * whose targets are chosen here), /truth/names (names of functions, one a line), /truth/hooks (`KIND NAME`, one a line),
 * /truth/lists (`KIND PATH`, one a line: files of which each line is told).
 * Out, on the console, one line for each attempt, fields separated by tabs:
 *
 *     truth  WHAT  SUBJECT  PROGRAM  STAGE  ERRNO  MESSAGE
 *
 * STAGE is the one that was reached last: where ERRNO is 0, it worked.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

/* Seconds that one object, or one list of names, may take under emulation. */
#define PATIENCE 850

/* What libbpf and the kernel said since the last line: its beginning, and its end where the verifier gives its reason. */
static char said[1 << 16];
static size_t said_length;
static int kmsg = -1;

static void say(const char *text, size_t length)
{
	if (length > sizeof(said) / 4)
		text += length - sizeof(said) / 4, length = sizeof(said) / 4;
	if (said_length + length > sizeof(said)) {
		/* The beginning names the step; what comes between is the verifier's trace. */
		size_t keep = sizeof(said) / 2;

		memmove(said + 400, said + said_length - keep, keep);
		said_length = 400 + keep;
	}
	memcpy(said + said_length, text, length);
	said_length += length;
}

static int hear(enum libbpf_print_level level, const char *format, va_list arguments)
{
	static char text[1 << 18];
	int length;

	if (level != LIBBPF_WARN)
		return 0;
	length = vsnprintf(text, sizeof(text), format, arguments);
	if (length > 0)
		say(text, (size_t)length < sizeof(text) ? (size_t)length : sizeof(text) - 1);
	return 0;
}

/* Takes what the kernel's log has got since the last time. */
static void hear_kernel(void)
{
	char record[2048];
	ssize_t length;

	for (;;) {
		length = kmsg < 0 ? -1 : read(kmsg, record, sizeof(record) - 1);
		if (length < 0 && errno == EPIPE)
			continue;
		if (length <= 0)
			return;
		record[length] = 0;
		char *text = strchr(record, ';');
		char *end = text ? strchr(text, '\n') : NULL;

		if (text && end) {
			say("kernel: ", 8);
			say(text + 1, end - text);
		}
	}
}

/* `error` is 0 or a negative errno. */
static void tell(const char *what, const char *subject, const char *program, const char *stage, int error)
{
	static char line[4096];
	size_t out = 0;

	hear_kernel();
	for (size_t i = 0; error && i < said_length && out < sizeof(line) - 8; i++) {
		unsigned char c = said[i];

		if (i == 400 && said_length > 1800) {
			i = said_length - 1400;
			out += sprintf(line + out, " ... ");
		}
		if (c == '\n') {
			line[out++] = '\\';
			line[out++] = 'n';
		} else {
			line[out++] = isprint(c) ? c : ' ';
		}
	}
	line[out] = 0;
	printf("truth\t%s\t%s\t%s\t%s\t%d\t%s\n", what, subject, program, stage, -error, line);
	fflush(stdout);
	said_length = 0;
}

static void *read_file(const char *path, size_t *size)
{
	int file = open(path, O_RDONLY);
	struct stat about;
	char *bytes;
	size_t done = 0;

	if (file < 0 || fstat(file, &about) < 0)
		return NULL;
	bytes = malloc(about.st_size + 1);
	while (bytes && done < (size_t)about.st_size) {
		ssize_t got = read(file, bytes + done, about.st_size - done);

		if (got <= 0)
			break;
		done += got;
	}
	close(file);
	if (bytes)
		bytes[done] = 0;
	*size = done;
	return bytes;
}

/*
 * Objects leave some sizes to their loaders, which set them from the command line or the number of processors. Any
 * will do.
 */
static void set_sizes(struct bpf_object *object)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object) {
		enum bpf_map_type type = bpf_map__type(map);

		if (type == BPF_MAP_TYPE_STACK_TRACE && !bpf_map__value_size(map))
			bpf_map__set_value_size(map, 127 * sizeof(__u64));
		if (bpf_map__max_entries(map))
			continue;
		switch (type) {
		case BPF_MAP_TYPE_HASH:
		case BPF_MAP_TYPE_ARRAY:
		case BPF_MAP_TYPE_PERCPU_HASH:
		case BPF_MAP_TYPE_PERCPU_ARRAY:
		case BPF_MAP_TYPE_LRU_HASH:
		case BPF_MAP_TYPE_LRU_PERCPU_HASH:
		case BPF_MAP_TYPE_STACK_TRACE:
		case BPF_MAP_TYPE_QUEUE:
		case BPF_MAP_TYPE_STACK:
			bpf_map__set_max_entries(map, 1024);
			break;
		case BPF_MAP_TYPE_RINGBUF:
			bpf_map__set_max_entries(map, 1 << 16);
			break;
		default:
			break;
		}
	}
}

static struct bpf_object *open_object(const char *name, const void *bytes, size_t size)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = name);
	struct bpf_object *object = bpf_object__open_mem(bytes, size, &options);

	if (object)
		set_sizes(object);
	return object;
}

/* One program of an object; gives whether there is one of this number. */
static int try_program(const char *name, const void *bytes, size_t size, int number)
{
	struct bpf_object *object = open_object(name, bytes, size);
	struct bpf_program *program, *chosen = NULL;
	const char *stage = "load";
	struct bpf_link *link;
	int error, at = 0;

	if (!object) {
		tell("program", name, "-", "open", -errno);
		return 0;
	}
	bpf_object__for_each_program(program, object) {
		if (at == number)
			chosen = program;
		bpf_program__set_autoload(program, at == number);
		at++;
	}
	if (!chosen) {
		bpf_object__close(object);
		return 0;
	}
	error = bpf_object__load(object);
	if (!error) {
		stage = "attach";
		link = bpf_program__attach(chosen);
		error = link ? 0 : -errno;
		bpf_link__destroy(link);
	}
	tell("program", name, bpf_program__name(chosen), stage, error);
	bpf_object__close(object);
	return 1;
}

/* An object as the skeletons of libbpf take it: what fails first fails all. */
static void try_whole(const char *name, const void *bytes, size_t size)
{
	struct bpf_object *object = open_object(name, bytes, size);
	struct bpf_program *program;
	int error;

	if (!object) {
		tell("whole", name, "-", "open", -errno);
		return;
	}
	error = bpf_object__load(object);
	if (error) {
		tell("whole", name, "-", "load", error);
		bpf_object__close(object);
		return;
	}
	bpf_object__for_each_program(program, object) {
		if (!bpf_program__autoload(program))
			continue;
		/* Links stay until the process ends. */
		if (bpf_program__attach(program) || errno == EOPNOTSUPP)
			continue;
		error = -errno;
		tell("whole", name, bpf_program__name(program), "attach", error);
		return;
	}
	tell("whole", name, "-", "attach", 0);
}

static void try_object(const char *path, const char *name)
{
	size_t size;
	void *bytes = read_file(path, &size);

	if (!bytes)
		return;
	for (int number = 0; try_program(name, bytes, size, number); number++)
		;
	try_whole(name, bytes, size);
}

/* A program that does nothing. */
static const struct bpf_insn nothing[] = {
	{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0 },
	{ .code = BPF_JMP | BPF_EXIT },
};

/* A program that is attached by the id of something in the kernel's BTF. */
static void try_by_id(const char *what, const char *name, int id, enum bpf_prog_type type,
		      enum bpf_attach_type attach, int flags)
{
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = attach, .prog_flags = flags,
		    .attach_btf_id = id);
	static char log[1 << 16];
	int program, link;

	if (id < 0) {
		/* What libbpf's own search says. */
		tell(what, name, "-", "load", -ESRCH);
		return;
	}
	program = bpf_prog_load(type, NULL, "GPL", nothing, 2, &options);
	if (program < 0) {
		int error = -errno;

		options.log_buf = log;
		options.log_size = sizeof(log);
		options.log_level = 1;
		log[0] = 0;
		program = bpf_prog_load(type, NULL, "GPL", nothing, 2, &options);
		if (program >= 0)
			close(program);
		say(log, strlen(log));
		tell(what, name, "-", "load", error);
		return;
	}
	link = bpf_raw_tracepoint_open(NULL, program);
	tell(what, name, "-", "attach", link < 0 ? -errno : 0);
	if (link >= 0)
		close(link);
	close(program);
}

static void try_link(const char *what, const char *name, struct bpf_link *link)
{
	tell(what, name, "-", "attach", link ? 0 : -errno);
	bpf_link__destroy(link);
}

static struct bpf_object *probes(void)
{
	size_t size;
	void *bytes = read_file("/truth/probe.o", &size);
	struct bpf_object *object = bytes ? bpf_object__open_mem(bytes, size, NULL) : NULL;
	int error = object ? bpf_object__load(object) : -errno;

	if (error) {
		tell("trouble", "/truth/probe.o", "-", "load", error);
		return NULL;
	}
	return object;
}

static void try_names(char *text)
{
	struct bpf_object *object = probes();
	struct btf *kernel = btf__load_vmlinux_btf();
	struct bpf_program *kprobe, *kretprobe;

	if (!object)
		return;
	kprobe = bpf_object__find_program_by_name(object, "kprobe");
	kretprobe = bpf_object__find_program_by_name(object, "kretprobe");
	for (char *name = strtok(text, "\n"); name; name = strtok(NULL, "\n")) {
		int id;

		try_link("kprobe", name, bpf_program__attach_kprobe(kprobe, false, name));
		try_link("kretprobe", name, bpf_program__attach_kprobe(kretprobe, true, name));
		if (!kernel)
			continue;
		id = btf__find_by_name_kind(kernel, name, BTF_KIND_FUNC);
		try_by_id("fentry", name, id, BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY, 0);
		try_by_id("fexit", name, id, BPF_PROG_TYPE_TRACING, BPF_TRACE_FEXIT, 0);
		try_by_id("fmod_ret", name, id, BPF_PROG_TYPE_TRACING, BPF_MODIFY_RETURN, 0);
		try_by_id("sleepable", name, id, BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY, BPF_F_SLEEPABLE);
	}
}

static void try_hooks(char *text)
{
	struct bpf_object *object = probes();
	struct btf *kernel = btf__load_vmlinux_btf();
	struct bpf_program *tp;

	if (!object)
		return;
	tp = bpf_object__find_program_by_name(object, "tp");
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		char kind[16], name[256], symbol[300];

		if (sscanf(line, "%15s %255s", kind, name) != 2)
			continue;
		if (!strcmp(kind, "event")) {
			char *colon = strchr(name, ':');

			if (!colon)
				continue;
			*colon = 0;
			struct bpf_link *link = bpf_program__attach_tracepoint(tp, name, colon + 1);

			*colon = ':';
			try_link("event", name, link);
		} else if (!strcmp(kind, "raw_tp")) {
			LIBBPF_OPTS(bpf_prog_load_opts, options);
			int program = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, NULL, "GPL", nothing, 2, &options);
			int link = bpf_raw_tracepoint_open(name, program);

			tell("raw_tp", name, "-", "attach", link < 0 ? -errno : 0);
			if (link >= 0)
				close(link);
			close(program);
		} else if (!strcmp(kind, "tp_btf") && kernel) {
			snprintf(symbol, sizeof(symbol), "btf_trace_%s", name);
			try_by_id("tp_btf", name, btf__find_by_name_kind(kernel, symbol, BTF_KIND_TYPEDEF),
				  BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, 0);
		} else if (!strncmp(kind, "lsm", 3) && kernel) {
			snprintf(symbol, sizeof(symbol), "bpf_lsm_%s", name);
			try_by_id(kind, name, btf__find_by_name_kind(kernel, symbol, BTF_KIND_FUNC),
				  BPF_PROG_TYPE_LSM, BPF_LSM_MAC, kind[3] ? BPF_F_SLEEPABLE : 0);
		}
	}
}

static void apart(const char *what, void (*work)(const char *, const char *), const char *path, const char *name)
{
	pid_t child = fork();
	int status = 0;

	if (!child) {
		alarm(PATIENCE);
		work(path, name);
		_exit(0);
	}
	waitpid(child, &status, 0);
	if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		printf("truth\ttrouble\t%s\t%s\tended\t%d\tstatus of the process\n", name, what, status);
		fflush(stdout);
	}
}

static void names(const char *path, const char *name)
{
	size_t size;
	char *text = read_file(path, &size);

	if (!text)
		return;
	if (!strcmp(name, "names"))
		try_names(text);
	else
		try_hooks(text);
}

/* Tells a file line by line: the last column, without what is in brackets or behind a blank. */
static void tell_list(const char *path, const char *kind)
{
	FILE *file = fopen(path, "r");
	char *line = NULL;
	size_t room = 0;

	if (!file) {
		tell("listed", "-", kind, "open", errno);
		return;
	}
	while (getline(&line, &room, file) > 0) {
		char *name = strrchr(line, '\t');

		name = name ? name + 1 : line;
		name[strcspn(name, " \n")] = 0;
		if (*name)
			printf("truth\tlisted\t%s\t%s\tlist\t0\t\n", name, kind);
	}
	fflush(stdout);
	free(line);
	fclose(file);
}

static void lists(const char *path, const char *name)
{
	size_t size;
	char *text = read_file(path, &size);
	char *next = text;

	(void)name;
	while (next && *next) {
		char *line = strsep(&next, "\n");
		char *place = strchr(line, ' ');

		if (!place)
			continue;
		*place++ = 0;
		tell_list(place, line);
	}
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_object(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

int main(void)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	struct dirent **entries;
	struct utsname about;
	int console, count;

	mkdir("/proc", 0755), mkdir("/sys", 0755), mkdir("/dev", 0755);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL);
	mount("bpffs", "/sys/fs/bpf", "bpf", 0, NULL);
	mkdir("/sys/fs/cgroup", 0755);
	mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL);
	console = open("/dev/console", O_RDWR);
	if (console >= 0)
		dup2(console, 0), dup2(console, 1), dup2(console, 2);
	setrlimit(RLIMIT_MEMLOCK, &all);
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	if (kmsg >= 0)
		lseek(kmsg, 0, SEEK_END);
	libbpf_set_print(hear);
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);

	uname(&about);
	printf("\ntruth\tkernel\t%s\t%s\tboot\t0\tlibbpf %s\n", about.release, about.machine,
	       libbpf_version_string());
	apart("names", names, "/truth/names", "names");
	apart("hooks", names, "/truth/hooks", "hooks");
	apart("lists", lists, "/truth/lists", "lists");
	count = scandir("/truth/objects", &entries, is_object, by_name);
	for (int i = 0; i < count; i++) {
		char path[512], name[256];

		snprintf(path, sizeof(path), "/truth/objects/%s", entries[i]->d_name);
		snprintf(name, sizeof(name), "%s", entries[i]->d_name);
		apart("object", try_object, path, name);
	}
	printf("truth\tend\t-\t-\tend\t0\t\n");
	fflush(stdout);
	sleep(1);
	reboot(RB_POWER_OFF);
	/* Where nothing can switch it off; the emulator was told not to boot again. */
	reboot(RB_AUTOBOOT);
	return 0;
}
