/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The clock for deadlines: CLOCK_MONOTONIC, which nobody sets. */

#include <stdint.h>
#include <time.h>

#define USEC_PER_MSEC UINT64_C(1000)
#define USEC_PER_SEC UINT64_C(1000000)

static inline uint64_t monotonic_usec(void) {
        struct timespec ts;

        (void) clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t) ts.tv_sec * USEC_PER_SEC + (uint64_t) ts.tv_nsec / 1000;
}

static inline uint64_t monotonic_msec(void) {
        return monotonic_usec() / USEC_PER_MSEC;
}
