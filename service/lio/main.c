/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* iscsi-backend-lio: serves org.iscsi.Backend on one connection and ends with it. systemd starts one per connection (Accept=yes). */

#include <errno.h>
#include <getopt.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-id128.h>

#include "common/log.h"
#include "lio/lio-bus.h"

typedef struct Options {
        const char *target_dir, *allow_user, *lock_path;
        unsigned lock_timeout;
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
        enum { OPTION_CONFIGFS = 256, OPTION_ALLOW_USER, OPTION_LOCK_FILE, OPTION_LOCK_TIMEOUT, OPTION_HELP, OPTION_VERSION };
        static const struct option options[] = {
                { "configfs", required_argument, NULL, OPTION_CONFIGFS },
                { "allow-user", required_argument, NULL, OPTION_ALLOW_USER },
                { "lock-file", required_argument, NULL, OPTION_LOCK_FILE },
                { "lock-timeout", required_argument, NULL, OPTION_LOCK_TIMEOUT },
                { "help", no_argument, NULL, OPTION_HELP },
                { "version", no_argument, NULL, OPTION_VERSION },
                {},
        };
        unsigned long seconds;
        char *end;
        int c;

        while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0)
                switch (c) {
                case OPTION_CONFIGFS:
                        o->target_dir = optarg;
                        break;
                case OPTION_ALLOW_USER:
                        o->allow_user = optarg;
                        break;
                case OPTION_LOCK_FILE:
                        o->lock_path = optarg;
                        break;
                case OPTION_LOCK_TIMEOUT:
                        seconds = strtoul(optarg, &end, 10);
                        if (strspn(optarg, "0123456789") != strlen(optarg) || end == optarg || seconds > 3600) {
                                log_error("--lock-timeout takes seconds, 0 to 3600, not \"%s\"", optarg);
                                return -EINVAL;
                        }
                        o->lock_timeout = (unsigned) seconds;
                        break;
                case OPTION_HELP:
                        help();
                        return 0;
                case OPTION_VERSION:
                        (void) puts(PROJECT_VERSION);
                        return 0;
                default:
                        return -EINVAL;
                }

        if (optind < argc) {
                log_error("Unexpected argument \"%s\"", argv[optind]);
                return -EINVAL;
        }

        return 1;
}

/* Only root and the service's user may call. The socket's mode says the same; this holds where the mode was changed. */
static int check_peer(int fd, const char *allow_user) {
        struct ucred peer;
        socklen_t size = sizeof(peer);
        const struct passwd *pw;

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
                return log_error_errno(errno, "Cannot tell who has connected");
        if (peer.uid == 0)
                return 0;

        pw = getpwnam(allow_user);
        if (pw && pw->pw_uid == peer.uid)
                return 0;

        return log_error_errno(EPERM, "User id %u is neither root nor %s", peer.uid, allow_user);
}

/* Takes calls, one at a time, until the peer hangs up. */
static int serve(int fd, const Lio *lio) {
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        sd_id128_t id;
        int r;

        r = sd_id128_randomize(&id);
        if (r < 0)
                return r;
        r = sd_bus_new(&bus);
        if (r < 0)
                return r;
        r = sd_bus_set_description(bus, "peer");
        if (r < 0)
                return r;
        r = sd_bus_set_fd(bus, fd, fd);
        if (r < 0)
                return r;
        r = sd_bus_set_server(bus, true, id);
        if (r < 0)
                return r;
        r = sd_bus_start(bus);
        if (r < 0)
                return r;
        r = lio_bus_add(bus, lio);
        if (r < 0)
                return r;

        for (;;) {
                r = sd_bus_process(bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(bus, UINT64_MAX);
                if (r == -ECONNRESET || r == -ENOTCONN || r == -EPIPE)
                        return 0;
                if (r < 0 && r != -EINTR)
                        return r;
        }
}

int main(int argc, char **argv) {
        Options o = {
                .target_dir = "/sys/kernel/config/target",
                .allow_user = SERVICE_USER,
                .lock_path = "/run/targetcli.lock",
                .lock_timeout = 2,
        };
        _cleanup_free_ char *iscsi_dir = NULL, *target_dir = NULL;
        Lio lio;
        int r;

        r = parse_options(argc, argv, &o);
        if (r <= 0)
                return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;

        r = sd_listen_fds(true);
        if (r != 1 || sd_is_socket_unix(SD_LISTEN_FDS_START, SOCK_STREAM, 0, NULL, 0) <= 0) {
                log_error("This program is started by systemd with one connected unix socket");
                return EXIT_FAILURE;
        }
        if (check_peer(SD_LISTEN_FDS_START, o.allow_user) < 0)
                return EXIT_FAILURE;

        target_dir = strdup(o.target_dir);
        iscsi_dir = target_dir ? lio_path(target_dir, "iscsi", NULL) : NULL;
        if (!iscsi_dir) {
                (void) log_oom();
                return EXIT_FAILURE;
        }
        lio = (Lio){
                .target_dir = target_dir,
                .iscsi_dir = iscsi_dir,
                .lock_path = o.lock_path,
                .lock_timeout = o.lock_timeout,
                .peer_fd = SD_LISTEN_FDS_START,
        };

        r = serve(SD_LISTEN_FDS_START, &lio);
        if (r < 0) {
                (void) log_error_errno(r, "The connection failed");
                return EXIT_FAILURE;
        }

        return EXIT_SUCCESS;
}
