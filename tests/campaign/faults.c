/* Faults for a program that does not know of them: preloaded, it lets calls of the C library fail, hang, or be the last ones.
 *
 * CAMPAIGN_RULES  rules, separated by `;`: CALL:PATH:FROM:TO:ACTION. CALL is sync, write, open, rename, send or clock; PATH is a part of
 *                 the file's path, empty for any; the rule holds from the FROM-th such call on to the TO-th, counted from 1 (for clock:
 *                 milliseconds since the start). ACTION is kill, hang, an error's name (ENOSPC, EIO, EACCES), or for clock the seconds
 *                 that the clock was set by.
 * CAMPAIGN_LOG    a file that gets a line for each rule that was reached first: CALL ACTION PATH MILLISECONDS, since the start.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 16, PATH = 512 };

struct rule {
  char call[16], path[64], action[16];
  long from, to, count;
  int said;
};

static struct rule rules[MOST];
static int known;
static struct timespec began;

static void *next(const char *name) { return dlsym(RTLD_NEXT, name); }

static long milliseconds(void) {
  struct timespec now;
  syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
  return (now.tv_sec - began.tv_sec) * 1000 + (now.tv_nsec - began.tv_nsec) / 1000000;
}

__attribute__((constructor)) static void read_rules(void) {
  syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &began);
  const char *text = getenv("CAMPAIGN_RULES");
  if (!text) return;
  char copy[2048], *rest = copy, *one;
  snprintf(copy, sizeof copy, "%s", text);
  while ((one = strsep(&rest, ";")) && known < MOST) {
    struct rule *rule = &rules[known];
    char *call = strsep(&one, ":"), *path = strsep(&one, ":"), *from = strsep(&one, ":"), *to = strsep(&one, ":");
    if (!call || !path || !from || !to || !one) continue;
    snprintf(rule->call, sizeof rule->call, "%s", call);
    snprintf(rule->path, sizeof rule->path, "%s", path);
    snprintf(rule->action, sizeof rule->action, "%s", one);
    rule->from = atol(from);
    rule->to = atol(to);
    known++;
  }
}

static void say(struct rule *rule, const char *path) {
  const char *log = getenv("CAMPAIGN_LOG");
  if (__sync_lock_test_and_set(&rule->said, 1) || !log) return;
  char line[PATH + 64];
  int length = snprintf(line, sizeof line, "%s %s %s %ld\n", rule->call, rule->action, path, milliseconds());
  int file = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  if (file < 0) return;
  syscall(SYS_write, file, line, (size_t)length);
  syscall(SYS_close, file);
}

/* What a call is to fail with, 0 where it is not to; does not come back from the other actions. */
static int fate(const char *call, const char *path) {
  for (int i = 0; i < known; i++) {
    struct rule *rule = &rules[i];
    if (strcmp(rule->call, call) || !strstr(path, rule->path)) continue;
    long count = __sync_add_and_fetch(&rule->count, 1);
    if (count < rule->from || count > rule->to) continue;
    say(rule, path);
    if (!strcmp(rule->action, "kill")) syscall(SYS_kill, getpid(), SIGKILL);
    if (!strcmp(rule->action, "hang")) for (;;) pause();
    if (!strcmp(rule->action, "ENOSPC")) return ENOSPC;
    if (!strcmp(rule->action, "EIO")) return EIO;
    if (!strcmp(rule->action, "EACCES")) return EACCES;
  }
  return 0;
}

static const char *path_of(int file, char *path) {
  char link[32];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  long length = syscall(SYS_readlink, link, path, PATH - 1);
  path[length > 0 ? length : 0] = 0;
  return path;
}

#define OR_FAIL(call, path) \
  do { int why = fate(call, path); if (why) { errno = why; return -1; } } while (0)

int fsync(int file) {
  char path[PATH];
  OR_FAIL("sync", path_of(file, path));
  return ((int (*)(int))next("fsync"))(file);
}

int fdatasync(int file) {
  char path[PATH];
  OR_FAIL("sync", path_of(file, path));
  return ((int (*)(int))next("fdatasync"))(file);
}

ssize_t write(int file, const void *bytes, size_t length) {
  char path[PATH];
  if (known && file > 2) OR_FAIL("write", path_of(file, path));
  return ((ssize_t (*)(int, const void *, size_t))next("write"))(file, bytes, length);
}

ssize_t pwrite64(int file, const void *bytes, size_t length, off64_t at) {
  char path[PATH];
  OR_FAIL("write", path_of(file, path));
  return ((ssize_t (*)(int, const void *, size_t, off64_t))next("pwrite64"))(file, bytes, length, at);
}

int open64(const char *path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  int mode = va_arg(more, int);
  va_end(more);
  OR_FAIL("open", path);
  return ((int (*)(const char *, int, ...))next("open64"))(path, flags, mode);
}

int rename(const char *from, const char *to) {
  OR_FAIL("rename", to);
  return ((int (*)(const char *, const char *))next("rename"))(from, to);
}

ssize_t send(int socket, const void *bytes, size_t length, int flags) {
  OR_FAIL("send", "");
  return ((ssize_t (*)(int, const void *, size_t, int))next("send"))(socket, bytes, length, flags);
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  int result = syscall(SYS_clock_gettime, clock, time);
  if (result || clock != CLOCK_REALTIME) return result;
  for (int i = 0; i < known; i++) {
    struct rule *rule = &rules[i];
    long now = milliseconds();
    if (strcmp(rule->call, "clock") || now < rule->from || now > rule->to) continue;
    say(rule, "");
    time->tv_sec += atol(rule->action);
  }
  return 0;
}
