/*
 * A plugin of qemu's user emulation that counts the guest's instructions, and writes the count down each time that the guest reads the clock that
 * programs measure with:
 *
 *     qemu-aarch64 -plugin ./instructions.so,out=FILE[,of=NAME] PROGRAM…
 *
 * FILE gets a line each time the guest calls clock_gettime(CLOCK_MONOTONIC): under qemu that is always a system call. What a program times, it
 * so counts as well. With of=NAME only instructions of files are counted whose path has NAME in it, such as libonnxruntime. A block of instructions is counted when it is entered, by one addition in the emulated code; the addition is not
 * atomic, so the work to be counted should be that of one thread.
 *
 * Debian's qemu-user has no qemu-plugin.h: below are those declarations of version 1 of the interface that are used here, as qemu's documentation
 * ("QEMU TCG Plugins") has them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_info { /* Its beginning. */
    const char *target_name;
};
typedef void (*translated_cb)(plugin_id, struct qemu_plugin_tb *);
typedef void (*called_cb)(plugin_id, unsigned int, int64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);
typedef void (*ended_cb)(plugin_id, void *);
extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, translated_cb);
extern void qemu_plugin_register_vcpu_syscall_cb(plugin_id, called_cb);
extern void qemu_plugin_register_atexit_cb(plugin_id, ended_cb, void *);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);
/* The operation 0 adds the number to the place. */
extern void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, int, void *, uint64_t);

#define EXPORTED __attribute__((visibility("default")))
enum { MONOTONIC = 1 };

EXPORTED int qemu_plugin_version = 1;
static uint64_t count;
static int64_t clock_gettime_number;
static FILE *out;
static const char *of;

/* Whether an address is of a file that is counted: guest and host addresses are the same for 64 bits on 64. */
static int is_counted(uint64_t address) {
    static uint64_t first, last;
    static int counted;
    if (of == NULL) return 1;
    if (address >= first && address < last) return counted;
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[1024];
    first = last = 0;
    counted = 0;
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL)
        if (sscanf(line, "%" SCNx64 "-%" SCNx64, &first, &last) == 2 && address >= first && address < last) {
            counted = strstr(line, of) != NULL;
            break;
        }
    if (maps != NULL) fclose(maps);
    return counted;
}

static void translated(plugin_id id, struct qemu_plugin_tb *block) {
    (void)id;
    if (is_counted(qemu_plugin_tb_vaddr(block))) qemu_plugin_register_vcpu_tb_exec_inline(block, 0, &count, qemu_plugin_tb_n_insns(block));
}

static void called(plugin_id id, unsigned int cpu, int64_t number, uint64_t clock, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f,
                   uint64_t g, uint64_t h) {
    (void)id, (void)cpu, (void)b, (void)c, (void)d, (void)e, (void)f, (void)g, (void)h;
    if (number == clock_gettime_number && clock == MONOTONIC) fprintf(out, "%" PRIu64 "\n", count);
}

static void ended(plugin_id id, void *nothing) {
    (void)id, (void)nothing;
    if (fclose(out) != 0) perror("instructions.so");
}

EXPORTED int qemu_plugin_install(plugin_id id, const struct qemu_info *info, int arguments, char **argument) {
    if (strcmp(info->target_name, "aarch64") == 0) clock_gettime_number = 113;
    else if (strcmp(info->target_name, "x86_64") == 0) clock_gettime_number = 228;
    else return fprintf(stderr, "instructions.so: the guest is %s, expected aarch64 or x86_64\n", info->target_name), -1;
    if (arguments < 1 || arguments > 2 || strncmp(argument[0], "out=", 4) != 0 || (arguments == 2 && strncmp(argument[1], "of=", 3) != 0))
        return fputs("instructions.so: expected out=FILE and, perhaps, of=NAME\n", stderr), -1;
    if (arguments == 2) of = strdup(argument[1] + 3);
    out = fopen(argument[0] + 4, "w");
    if (out == NULL) return perror(argument[0] + 4), -1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_vcpu_syscall_cb(id, called);
    qemu_plugin_register_atexit_cb(id, ended, NULL);
    return 0;
}
