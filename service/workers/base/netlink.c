/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/base/netlink.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "common/macro.h"

/* A dump comes in parts of up to 32 KiB when the reader offers that much. As a rule there are two, the second of which only says
 * that it is the end; the kernel makes it while the first is read, so one call can fetch both. */
#define PART_SIZE 32768u
#define PARTS 4u

#define TRIES 5u

static struct mnl_socket *sockets[NETLINK_SOCK_DIAG + 1];
static unsigned sequence;

static int on_error(const struct nlmsghdr *nlh, void *userdata _unused_) {
        const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);

        errno = mnl_nlmsg_get_payload_len(nlh) < sizeof(*e) ? EBADMSG : -e->error;
        return errno == 0 ? MNL_CB_STOP : MNL_CB_ERROR;
}

/* A dump that failed ends like any other, only that a negative errno comes with its end; libmnl's own handler does not look. */
static int on_done(const struct nlmsghdr *nlh, void *userdata _unused_) {
        int error = 0;

        if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(error))
                memcpy(&error, mnl_nlmsg_get_payload(nlh), sizeof(error));

        errno = error < 0 ? -error : 0;
        return error < 0 ? MNL_CB_ERROR : MNL_CB_STOP;
}

/* Takes some parts. Returns 1 if more are to come, 0 at the end, or a negative errno. */
static int take_parts(struct mnl_socket *socket, mnl_cb_t callback, void *userdata) {
        static char buffers[PARTS][PART_SIZE];
        static mnl_cb_t control[] = { [NLMSG_ERROR] = on_error, [NLMSG_DONE] = on_done };
        struct iovec vectors[PARTS];
        struct mmsghdr parts[PARTS] = {};
        int n;

        for (size_t i = 0; i < PARTS; i++) {
                vectors[i] = (struct iovec){ buffers[i], PART_SIZE };
                parts[i].msg_hdr.msg_iov = vectors + i;
                parts[i].msg_hdr.msg_iovlen = 1;
        }

        n = recvmmsg(mnl_socket_get_fd(socket), parts, PARTS, MSG_WAITFORONE, NULL);
        if (n < 0)
                return errno == EINTR ? 1 : -errno;

        for (int i = 0; i < n; i++) {
                int r;

                if (parts[i].msg_hdr.msg_flags & MSG_TRUNC)
                        return -ENOBUFS;
                r = mnl_cb_run2(buffers[i], parts[i].msg_len, sequence, mnl_socket_get_portid(socket), callback, userdata,
                                control, ELEMENTSOF(control));
                if (r < MNL_CB_STOP)
                        return -errno;
                if (r == MNL_CB_STOP)
                        return 0;
        }

        return 1;
}

static int dump_once(int protocol, struct nlmsghdr *request, mnl_cb_t callback, void *userdata) {
        int r;

        if (!sockets[protocol]) {
                struct mnl_socket *socket = mnl_socket_open2(protocol, SOCK_CLOEXEC);

                if (!socket)
                        return -errno;
                if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0) {
                        r = -errno;
                        (void) mnl_socket_close(socket);
                        return r;
                }
                sockets[protocol] = socket;
        }

        request->nlmsg_seq = ++sequence;
        if (mnl_socket_sendto(sockets[protocol], request, request->nlmsg_len) < 0)
                return -errno;

        do
                r = take_parts(sockets[protocol], callback, userdata);
        while (r > 0);

        return r;
}

int netlink_dump(int protocol, struct nlmsghdr *request, mnl_cb_t callback, void (*restart)(void *userdata), void *userdata) {
        int r = -EINTR;

        for (unsigned i = 0; i < TRIES && r == -EINTR; i++) {
                restart(userdata);
                r = dump_once(protocol, request, callback, userdata);

                /* What is left of a dump that failed must not be taken for the next one. */
                if (r < 0 && sockets[protocol]) {
                        (void) mnl_socket_close(sockets[protocol]);
                        sockets[protocol] = NULL;
                }
        }

        return r;
}
