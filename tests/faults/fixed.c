/* Randomness of the process that is none: hash maps are walked in the same order each time, so that a seed replays.
   Rust's standard library and its crates look getrandom up by name, so that it can be replaced like this. */
#include <string.h>
#include <sys/types.h>

ssize_t getrandom(void *buffer, size_t length, unsigned int flags) {
    (void)flags;
    memset(buffer, 42, length);
    return (ssize_t)length;
}
