/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* How the coming and going of sessions is heard of. The kernel's messages are real: an interface of the network that is called
 * like a session comes and goes. */

#include <errno.h>
#include <linux/netlink.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/kernel-events.h"
#include "session-watch-fixture.h"

static int no_events(void) {
        return -EPROTONOSUPPORT;
}

/* Without the kernel's messages: looked for, and said so. */
static void test_deaf(Fixture *f, gconstpointer data) {
        f->tuning.open_events = no_events;
        start(f);
        await(f,
              "complete The kernel's messages about iSCSI sessions cannot be received (Protocol not supported): what changes is "
              "seen after up to 0 s");
        sysfs_add_logged_in(f->tree, 1, INITIATOR, RECORD);
        await(f, "*1 LOGGED_IN " RECORD);
        sysfs_remove_session(f->tree, 1);
        await(f, "-1");
}

/* In a network of its own, so that nobody else's messages come. */
static void new_network(void) {
        g_assert_cmpint(unshare(CLONE_NEWNET), ==, 0);
}

static void run_ip(const char *arguments) {
        g_autofree char *command = g_strconcat("ip ", arguments, NULL);
        g_autoptr(GError) error = NULL;
        int status;

        g_spawn_command_line_sync(command, NULL, NULL, &status, &error);
        g_assert_no_error(error);
        g_assert_cmpint(status, ==, 0);
}

/* The kernel's own messages, of a device that has a session's name. */
static void test_events(Fixture *f, gconstpointer data) {
        new_network();
        f->tuning.open_events = kernel_events_open;
        f->tuning.poll_usec = NEVER_USEC;
        start(f);
        await(f, "complete ");

        sysfs_add_logged_in(f->tree, 7, INITIATOR, RECORD);
        run_ip("link add session8 type veth peer name peer8"); /* there is no such session */
        run_for(f, 100000);
        g_assert_cmpstr(f->told->str, ==, "");
        run_ip("link add session7 type veth peer name peer");
        await(f, "*7 LOGGED_IN " RECORD);
        sysfs_set(f->tree, 7, "session", "max_burst_len", "512"); /* a look would not find that */
        run_ip("link del session7");
        await(f, "*7 LOGGED_IN " RECORD);
        g_assert_cmpuint(session(f, 7)->reading.info.values[SESSION_MAX_BURST].number, ==, 512);

        sysfs_remove_session(f->tree, 7);
        run_ip("link add session7 type veth peer name peer");
        await(f, "-7");
        g_assert_null(session_watch_first(f->watch));
}

/* What root's programs send to the kernel's group is no message of the kernel. */
static void test_forgeries(Fixture *f, gconstpointer data) {
        static const char message[] = "add@/devices/platform/host1/session7\0ACTION=add\0SUBSYSTEM=iscsi_session";
        struct sockaddr_nl group = { .nl_family = AF_NETLINK, .nl_groups = 1 };
        char buf[KERNEL_EVENT_MAX];
        const char *path;
        int fd, theirs;

        new_network();
        fd = kernel_events_open();
        g_assert_cmpint(fd, >=, 0);
        theirs = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
        g_assert_cmpint(theirs, >=, 0);
        g_assert_cmpint(kernel_events_receive(fd, buf, &path), ==, -EAGAIN);
        g_assert_cmpint(sendto(theirs, message, sizeof(message), 0, (struct sockaddr *) &group, sizeof(group)), ==,
                        sizeof(message));
        g_assert_cmpint(kernel_events_receive(fd, buf, &path), ==, 0);
        g_assert_cmpint(kernel_events_receive(fd, buf, &path), ==, -EAGAIN);

        run_ip("link add session7 type veth peer name peer");
        do
                g_assert_cmpint(kernel_events_receive(fd, buf, &path), ==, 1);
        while (!g_str_equal(path, "/devices/virtual/net/session7"));
        (void) close(theirs);
        (void) close(fd);
}

/* More messages than the socket holds: all is looked at. */
static int small_events(void) {
        int fd = kernel_events_open(), size = 1;

        g_assert_cmpint(fd, >=, 0);
        g_assert_cmpint(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), ==, 0);
        return fd;
}

static void test_overrun(Fixture *f, gconstpointer data) {
        new_network();
        f->tuning.open_events = small_events;
        f->tuning.poll_usec = NEVER_USEC;
        start(f);
        await(f, "complete ");
        for (unsigned i = 0; i < 20; i++) {
                run_ip("link add other type veth peer name peer");
                run_ip("link del other");
        }
        sysfs_add_logged_in(f->tree, 7, INITIATOR, RECORD);
        await(f, "*7 LOGGED_IN " RECORD);
}

/* A socket that breaks is opened again. */
static int broken_once(void) {
        static unsigned n;
        int fds[2];

        if (n++ > 0)
                return silent_events();
        g_assert_cmpint(pipe(fds), ==, 0); /* what is no socket cannot be received from */
        g_assert_cmpint(write(fds[1], "", 1), ==, 1);
        return fds[0];
}

static void test_broken_socket(Fixture *f, gconstpointer data) {
        f->tuning.open_events = broken_once;
        start(f);
        await(f, "complete The kernel's messages about iSCSI sessions cannot be received (Socket operation on non-socket): what "
                 "changes is seen after up to 0 s");
        await(f, "complete ");
        g_assert_null(session_watch_text(f->watch));
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);

        fixture_test("/session-events/deaf", test_deaf);
        fixture_test("/session-events/broken-socket", test_broken_socket);
        fixture_test("/session-events/events", test_events);
        fixture_test("/session-events/forgeries", test_forgeries);
        fixture_test("/session-events/overrun", test_overrun);
        return g_test_run();
}
