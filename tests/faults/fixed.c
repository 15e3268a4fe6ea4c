/* Chance of the process that is none, so that a seed replays to the last line. Rust's standard library and its crates look these
   functions up by name, so that they can be replaced like this. */
#define _GNU_SOURCE
#include <stdatomic.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

/* Keys of hash maps: they are walked in the same order each time. */
ssize_t getrandom(void *buffer, size_t length, unsigned int flags) {
    (void)flags;
    memset(buffer, 42, length);
    return (ssize_t)length;
}

/* The wall clock stands still at 2026-03-01, but never tells the same time twice. Clocks that measure go on. */
int clock_gettime(clockid_t clock, struct timespec *now) {
    static atomic_long told;
    if (clock != CLOCK_REALTIME) {
        return (int)syscall(SYS_clock_gettime, clock, now);
    }
    long micros = atomic_fetch_add(&told, 1);
    now->tv_sec = 1772323200 + micros / 1000000;
    now->tv_nsec = micros % 1000000 * 1000;
    return 0;
}

/* Some hash maps take their keys from addresses: without the kernel's chance in those, they are the same each time, too. Where the
   kernel does not allow it, the process goes on as it is. */
__attribute__((constructor)) static void without_chance(int count, char **words, char **environment) {
    (void)count;
    int now = personality(0xffffffff);
    if (now != -1 && !(now & ADDR_NO_RANDOMIZE) && personality((unsigned long)now | ADDR_NO_RANDOMIZE) != -1) {
        execve("/proc/self/exe", words, environment);
    }
}
