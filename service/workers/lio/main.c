/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* iscsi-backend-lio: serves org.iscsi.Backend on one connection and ends with it. systemd starts one per connection (Accept=yes).
 * */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "workers/base/options.h"
#include "workers/base/serve.h"
#include "workers/lio/lio.h"

typedef struct Options {
        const char *target_dir;
        WorkerOptions worker;
} Options;

static void help(void) {
        (void) printf("iscsi-backend-lio [OPTION…]\n\n"
                      "Makes and removes iSCSI target ports in the Linux kernel (LIO), on behalf of iscsi-configd.\n"
                      "Started by systemd, one process per connection; not meant to be started by hand.\n\n"
                      "  --configfs=DIR      the kernel's target, if it is mounted elsewhere than at\n"
                      "                      /sys/kernel/config/target\n"
                      "  --allow-user=NAME   who may connect, besides root (default: %s)\n"
                      "  --lock-file=FILE    the lock that is shared with targetcli (default: /run/targetcli.lock)\n"
                      "  --lock-timeout=SEC  how long to wait for it (default: 2)\n"
                      "  --help, --version\n",
                      SERVICE_USER);
}

/* Returns 1 to go on, 0 when all is done, or a negative errno. */
static int parse_options(int argc, char **argv, Options *o) {
        enum { OPTION_CONFIGFS = _WORKER_OPTION_MAX };
        static const struct option options[] = {
                { "configfs", required_argument, NULL, OPTION_CONFIGFS },
                WORKER_OPTIONS,
                {},
        };
        int c, r = 1;

        while (r > 0 && (c = getopt_long(argc, argv, "", options, NULL)) >= 0)
                switch (c) {
                case OPTION_CONFIGFS:
                        o->target_dir = optarg;
                        break;
                case WORKER_OPTION_HELP:
                        help();
                        return 0;
                default:
                        r = worker_option(c, optarg, &o->worker);
                }

        return r > 0 ? worker_options_end(argc, argv) : r;
}

/* targetcli takes the lock file exclusively before it does anything and waits for it without limit; an interactive targetcli
 * keeps it until its user leaves. targetclid, targetctl and programs that use rtslib directly take no lock. */
int main(int argc, char **argv) {
        Options o = {
                .target_dir = "/sys/kernel/config/target",
                .worker = {
                        .allow_user = SERVICE_USER,
                        .lock = { .path = "/run/targetcli.lock", .timeout = 2, .other = "an open targetcli session" },
                },
        };
        _cleanup_free_ char *iscsi_dir = NULL, *target_dir = NULL;
        Lio lio;
        int fd, r;

        r = parse_options(argc, argv, &o);
        if (r <= 0)
                return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;

        fd = worker_accept(&o.worker);
        if (fd < 0)
                return EXIT_FAILURE;

        target_dir = strdup(o.target_dir);
        iscsi_dir = target_dir ? lio_path(target_dir, "iscsi", NULL) : NULL;
        if (!iscsi_dir) {
                (void) log_oom();
                return EXIT_FAILURE;
        }
        lio = (Lio){ .target_dir = target_dir, .iscsi_dir = iscsi_dir };

        r = worker_serve(fd, &o.worker, &lio_engine, &lio);
        if (r < 0) {
                (void) log_error_errno(r, "The connection failed");
                return EXIT_FAILURE;
        }

        return EXIT_SUCCESS;
}
