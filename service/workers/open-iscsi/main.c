/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* iscsi-backend-open-iscsi: serves org.iscsi.Backend on one connection and ends with it. systemd starts one per connection
 * (Accept=yes). */

#include <stdio.h>
#include <stdlib.h>

#include "common/log.h"
#include "workers/base/options.h"
#include "workers/base/serve.h"
#include "workers/open-iscsi/database.h"
#include "workers/open-iscsi/open-iscsi.h"

typedef struct Options {
        OpenIscsi engine;
        WorkerOptions worker;
} Options;

static void help(void) {
        (void) printf(
                "iscsi-backend-open-iscsi [OPTION…]\n\n"
                "Makes and removes iSCSI initiator ports, interface records of open-iscsi, on behalf of iscsi-configd.\n"
                "Started by systemd, one process per connection; not meant to be started by hand.\n\n"
                "  --database=DIR        where open-iscsi keeps ifaces/ and nodes/ (default: /etc/iscsi or /var/lib/iscsi,\n"
                "                        whichever has ifaces/)\n"
                "  --host-name=FILE      the file with the host's initiator name\n"
                "                        (default: /etc/iscsi/initiatorname.iscsi)\n"
                "  --open-iscsi-lock=DIR where open-iscsi has its lock (default: /run/lock/iscsi)\n"
                "  --sysfs=DIR           (default: /sys)\n"
                "  --iscsiadm=PATH       (default: /usr/sbin/iscsiadm)\n"
                "  --allow-user=NAME     who may connect, besides root (default: %s)\n"
                "  --lock-file=FILE      the lock between workers (default: /run/lock/iscsi/iscsi-configd)\n"
                "  --lock-timeout=SEC    how long to wait for each of the locks (default: 2)\n"
                "  --help, --version\n",
                SERVICE_USER);
}

/* Returns 1 to go on, 0 when all is done, or a negative errno. */
static int parse_options(int argc, char **argv, Options *o) {
        enum {
                OPTION_DATABASE = _WORKER_OPTION_MAX,
                OPTION_HOST_NAME,
                OPTION_LOCK,
                OPTION_SYSFS,
                OPTION_ISCSIADM,
        };
        static const struct option options[] = {
                { "database", required_argument, NULL, OPTION_DATABASE },
                { "host-name", required_argument, NULL, OPTION_HOST_NAME },
                { "open-iscsi-lock", required_argument, NULL, OPTION_LOCK },
                { "sysfs", required_argument, NULL, OPTION_SYSFS },
                { "iscsiadm", required_argument, NULL, OPTION_ISCSIADM },
                WORKER_OPTIONS,
                {},
        };
        int c, r = 1;

        while (r > 0 && (c = getopt_long(argc, argv, "", options, NULL)) >= 0)
                switch (c) {
                case OPTION_DATABASE:
                        o->engine.at.directory = optarg;
                        break;
                case OPTION_HOST_NAME:
                        o->engine.at.host_name = optarg;
                        break;
                case OPTION_LOCK:
                        o->engine.at.lock_directory = optarg;
                        break;
                case OPTION_SYSFS:
                        o->engine.at.sysfs = optarg;
                        break;
                case OPTION_ISCSIADM:
                        o->engine.at.iscsiadm = optarg;
                        break;
                case WORKER_OPTION_HELP:
                        help();
                        return 0;
                default:
                        r = worker_option(c, optarg, &o->worker);
                }

        return r > 0 ? worker_options_end(argc, argv) : r;
}

int main(int argc, char **argv) {
        Options o = {
                .engine.at = {
                        .lock_directory = "/run/lock/iscsi",
                        .host_name = "/etc/iscsi/initiatorname.iscsi",
                        .sysfs = "/sys",
                        .iscsiadm = "/usr/sbin/iscsiadm",
                        .iscsiadm_msec = 7000, /* the service waits for ten seconds in all */
                        .proc = "/proc",
                },
                .worker = {
                        .allow_user = SERVICE_USER,
                        .lock = { .path = "/run/lock/iscsi/iscsi-configd", .timeout = 2, .other = "an administrator" },
                },
        };
        int fd, r;

        r = parse_options(argc, argv, &o);
        if (r <= 0)
                return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;

        fd = worker_accept(&o.worker);
        if (fd < 0)
                return EXIT_FAILURE;

        if (!o.engine.at.directory)
                o.engine.at.directory = database_find();
        o.engine.at.lock_timeout = o.worker.lock.timeout;
        database_clean(&o.engine.at);

        r = worker_serve(fd, &o.worker, &open_iscsi_engine, &o.engine);
        open_iscsi_done(&o.engine);
        if (r < 0) {
                (void) log_error_errno(r, "The connection failed");
                return EXIT_FAILURE;
        }

        return EXIT_SUCCESS;
}
