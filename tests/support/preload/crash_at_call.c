/* For LD_PRELOAD: kills the process at its n-th call that changes a file or sends a message.
 *
 * BETATUNE_CRASH_PROGRAM  only programs of this name; others run as they are
 * BETATUNE_CRASH_AT       n, from 1; 0 or none: never
 * BETATUNE_CRASH_HALF     set: where the call writes bytes, half of them are written first
 * BETATUNE_CRASH_COUNT    a file, to which the number of calls is written at the end
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long calls;
static long crash_at;
static int is_ours;

__attribute__((constructor)) static void begin(void) {
  const char *program = getenv("BETATUNE_CRASH_PROGRAM"), *at = getenv("BETATUNE_CRASH_AT");
  is_ours = program != NULL && strcmp(program, program_invocation_short_name) == 0;
  crash_at = at != NULL ? strtol(at, NULL, 10) : 0;
}

__attribute__((destructor)) static void end(void) {
  const char *name = getenv("BETATUNE_CRASH_COUNT");
  FILE *file = is_ours && name != NULL ? fopen(name, "w") : NULL;
  if (file == NULL) return;
  fprintf(file, "%ld\n", atomic_load(&calls));
  fclose(file);
}

/* Whether the call at hand is the one. */
static int is_the_call(void) {
  return is_ours && atomic_fetch_add(&calls, 1) + 1 == crash_at;
}

static void die(void) {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* before: what happens first where half of the bytes shall be written. */
#define HOOK(result, name, parameters, arguments, before)                   \
  result name parameters {                                                  \
    if (is_the_call()) {                                                    \
      if (getenv("BETATUNE_CRASH_HALF") != NULL) { before; }                \
      die();                                                                \
    }                                                                       \
    return NEXT(name) arguments;                                            \
  }
/* Some descriptors take no halves (eventfd): then nothing is written. */
#define HALF_WRITTEN(call) if ((call) < 0) errno = 0

HOOK(ssize_t, write, (int fd, const void *data, size_t size), (fd, data, size),
     HALF_WRITTEN(NEXT(write)(fd, data, size / 2)))
HOOK(ssize_t, pwrite64, (int fd, const void *data, size_t size, off64_t at), (fd, data, size, at),
     HALF_WRITTEN(NEXT(pwrite64)(fd, data, size / 2, at)))
HOOK(ssize_t, pwrite, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at),
     HALF_WRITTEN(NEXT(pwrite)(fd, data, size / 2, at)))
HOOK(ssize_t, writev, (int fd, const struct iovec *parts, int count), (fd, parts, count), )
HOOK(ssize_t, send, (int fd, const void *data, size_t size, int flags), (fd, data, size, flags),
     HALF_WRITTEN(NEXT(send)(fd, data, size / 2, flags)))
HOOK(int, fsync, (int fd), (fd), )
HOOK(int, fdatasync, (int fd), (fd), )
HOOK(int, ftruncate, (int fd, off_t size), (fd, size), )
HOOK(int, ftruncate64, (int fd, off64_t size), (fd, size), )
HOOK(int, rename, (const char *from, const char *to), (from, to), )
HOOK(int, link, (const char *from, const char *to), (from, to), )
HOOK(int, unlink, (const char *path), (path), )
HOOK(int, mkdir, (const char *path, mode_t mode), (path, mode), )
