/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The few macros that make ownership visible: a variable marked with a cleanup attribute frees itself, TAKE_PTR() hands it
 * over. */

#include <dirent.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _printf_(a, b) __attribute__((format(printf, a, b)))
#define _unused_ __attribute__((unused))

#define ELEMENTSOF(a) (sizeof(a) / sizeof((a)[0]))
#define MIN2(a, b) ((a) < (b) ? (a) : (b))
#define MAX2(a, b) ((a) > (b) ? (a) : (b))

/* Yields a pointer and forgets it, so that its cleanup attribute frees nothing. */
#define TAKE_PTR(p)                      \
        ({                               \
                typeof(p) *_pp = &(p);   \
                typeof(p) _taken = *_pp; \
                *_pp = NULL;             \
                _taken;                  \
        })

#define TAKE_FD(fd)                 \
        ({                          \
                int *_pfd = &(fd);  \
                int _taken = *_pfd; \
                *_pfd = -1;         \
                _taken;             \
        })

/* Defines FUNCp() for use with _cleanup_: calls FUNC on the variable's value unless that is NULL. */
#define DEFINE_TRIVIAL_CLEANUP(type, func)    \
        static inline void func##p(type *p) { \
                if (*p)                       \
                        (void) func(*p);      \
        }

static inline void freep(void *p) {
        free(*(void **) p);
}

static inline void closep(int *fd) {
        if (*fd >= 0)
                (void) close(*fd);
}

static inline void closedirp(DIR **d) {
        if (*d)
                (void) closedir(*d);
}

#define _cleanup_free_ _cleanup_(freep)
#define _cleanup_close_ _cleanup_(closep)
#define _cleanup_closedir_ _cleanup_(closedirp)
