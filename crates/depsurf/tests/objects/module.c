/* A module as small as one can be: what the kernel's build adds is written by hand. */

struct file;

struct tiny_state {
    int number;
    struct file *file;
};

extern long vfs_read(struct file *file, char *buffer, unsigned long count, long long *position);
extern int printk_like(const char *text);

static struct tiny_state state;

static inline int tiny_inlined(int number)
{
    return number * 3 + 1;
}

static __attribute__((noinline)) int tiny_static(struct tiny_state *of, int number)
{
    of->number += tiny_inlined(number);
    return of->number;
}

long tiny_read(struct file *file, char *buffer, unsigned long count)
{
    long long position = tiny_static(&state, (int)count);

    state.file = file;
    if (position > 100)
        printk_like("far");
    return vfs_read(file, buffer, count, &position) + position;
}

#ifndef RELEASE
#define RELEASE "6.1.0-50-test"
#endif

static const char info[] __attribute__((section(".modinfo"), used)) =
    "license=GPL\0name=tiny_one\0vermagic=" RELEASE " SMP preempt mod_unload";
static const void *const site __attribute__((section("__mcount_loc"), used)) = (const void *)tiny_read;
