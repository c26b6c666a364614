/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The calls of service/host/configfs-*.c and directory-reader.c that can fail, hang or be overtaken: linked into a test, this
 * takes their place. */

#include <stdatomic.h>
#include <stdbool.h>

typedef struct Faults {
        const char *place;           /* end of the paths that are meant; NULL: all */
        int add_watch_error;         /* errno of each inotify_add_watch() at PLACE; 0: none */
        int opendir_error;           /* of each opendir() at PLACE */
        int init_error;              /* of inotify_init1() */
        int thread_error;            /* of pthread_create() */
        int read_error;              /* of the next read() of events */
        bool read_overflow;          /* the next read() of events says that some were lost */
        atomic_int allocations_left; /* then there is no memory; negative: no limit */

        /* Called once, in the thread, after a watch was put on PLACE; LATE: after it was read, and so that the events come to
         * the loop before the end of the job. */
        void (*overtake)(const char *path);
        bool overtake_late;
} Faults;

extern Faults faults;

/* From now on opendir() at PLACE comes back only once this is called with false. */
void faults_hang(bool on);
bool faults_is_hanging(void);

/* Nothing fails any more. */
void faults_end(void);
