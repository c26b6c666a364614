/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/base/serve.h"

#include <errno.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-id128.h>

#include "common/log.h"
#include "workers/base/peer.h"

int worker_accept(const char *allow_user) {
        int r;

        r = sd_listen_fds(true);
        if (r != 1 || sd_is_socket_unix(SD_LISTEN_FDS_START, SOCK_STREAM, 0, NULL, 0) <= 0) {
                log_error("This program is started by systemd with one connected unix socket");
                return -EINVAL;
        }

        r = peer_check(SD_LISTEN_FDS_START, allow_user);
        return r < 0 ? r : SD_LISTEN_FDS_START;
}

int worker_serve(int fd, worker_add_t add, void *userdata) {
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
        r = add(bus, userdata);
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
