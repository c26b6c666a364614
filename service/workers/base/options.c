/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/base/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

#define LOCK_TIMEOUT_MAX 3600ul /* seconds */

int worker_option(int value, const char *argument, WorkerOptions *o) {
        unsigned long seconds;
        char *end;

        switch (value) {
        case WORKER_OPTION_ALLOW_USER:
                o->allow_user = argument;
                return 1;
        case WORKER_OPTION_LOCK_FILE:
                o->lock.path = argument;
                return 1;
        case WORKER_OPTION_LOCK_TIMEOUT:
                seconds = strtoul(argument, &end, 10);
                if (strspn(argument, "0123456789") != strlen(argument) || end == argument || seconds > LOCK_TIMEOUT_MAX) {
                        log_error("--lock-timeout takes seconds, 0 to %lu, not \"%s\"", LOCK_TIMEOUT_MAX, argument);
                        return -EINVAL;
                }
                o->lock.timeout = (unsigned) seconds;
                return 1;
        case WORKER_OPTION_VERSION:
                (void) puts(PROJECT_VERSION);
                return 0;
        default:
                return -EINVAL;
        }
}

int worker_options_end(int argc, char **argv) {
        if (optind >= argc)
                return 1;

        log_error("Unexpected argument \"%s\"", argv[optind]);
        return -EINVAL;
}
