/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The options that every worker program has. */

#include <getopt.h>

#include "workers/base/lock.h"

typedef struct WorkerOptions {
        const char *allow_user; /* who may call, besides root */
        LockFile lock;
} WorkerOptions;

/* getopt_long()'s values; a program's own ones begin at _WORKER_OPTION_MAX. */
enum {
        WORKER_OPTION_ALLOW_USER = 0x100,
        WORKER_OPTION_LOCK_FILE,
        WORKER_OPTION_LOCK_TIMEOUT,
        WORKER_OPTION_HELP,
        WORKER_OPTION_VERSION,
        _WORKER_OPTION_MAX,
};

/* Their rows for getopt_long(). */
#define WORKER_OPTIONS                                                                   \
        { "allow-user", required_argument, NULL, WORKER_OPTION_ALLOW_USER },             \
                { "lock-file", required_argument, NULL, WORKER_OPTION_LOCK_FILE },       \
                { "lock-timeout", required_argument, NULL, WORKER_OPTION_LOCK_TIMEOUT }, \
                { "help", no_argument, NULL, WORKER_OPTION_HELP }, {                     \
                "version", no_argument, NULL, WORKER_OPTION_VERSION                      \
        }

/* Takes the option VALUE with its ARGUMENT, which O keeps. Returns 1 to go on, 0 when all is done (the version is printed), or
 * -EINVAL with a log line where getopt_long() has not written one. --help is the program's own: it knows what it has besides. */
int worker_option(int value, const char *argument, WorkerOptions *o);

/* No arguments are taken beside options. Returns 1, or -EINVAL with a log line. */
int worker_options_end(int argc, char **argv);
