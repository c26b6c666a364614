/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Not a test of the target but of the tests, see test-clear: cases that fail and leave behind all that other tests make, each
 * followed by one that must not find any of it. Two of these cases fail. */

#include <net/if.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lio-fixture.h"

#define PORT NODE_A "/tpgt_1"
#define INITIATOR "iqn.2026-11.org.iscsi:initiator"

static void make_port(void) {
        if (access(ISCSI, F_OK) < 0)
                g_assert_cmpint(mkdir(ISCSI, 0755), ==, 0);
        tree_mkdir(NODE_A);
        tree_mkdir(PORT);
        tree_mkdir(PORT "/np/127.0.0.1:3260");
        tree_mkdir(PORT "/acls/" INITIATOR);
        disk_make();
        lun_make(PORT, 0, INITIATOR);
        tree_write(PORT "/enable", "1");
        g_assert_true(portal_accepts("127.0.0.1:3260"));
}

static void test_leave_target(void) {
        make_port();
        g_error("this case fails, and leaves a port with a disk and an access list");
}

static void test_leave_host(void) {
        make_port();
        g_assert_cmpint(shell("ip link add d0 type dummy && ip address add 192.0.2.7/32 dev lo"), ==, 0);
        file_write("/proc/sys/net/ipv6/bindv6only", "1");
        g_assert_cmpint(shell("echo 'install tcp_diag /bin/false' >/etc/modprobe.d/test-lio.conf"), ==, 0);
        g_assert_cmpstr("this case fails", ==, "and leaves more");
}

static void test_clean(void) {
        g_assert_cmpint(access(ISCSI "/" NODE_A, F_OK), <, 0);
        g_assert_cmpint(access(TARGET "/core/fileio_7", F_OK), <, 0);
        g_assert_cmpint(access(ISCSI, F_OK), ==, 0);
        g_assert_false(portal_accepts("127.0.0.1:3260"));
        g_assert_cmpuint(if_nametoindex("d0"), ==, 0);
        g_assert_cmpint(shell("ip address show dev lo | grep 192.0.2.7"), !=, 0);
        g_assert_cmpint(shell("grep -x 0 /proc/sys/net/ipv6/bindv6only"), ==, 0);
        g_assert_cmpint(access("/etc/modprobe.d/test-lio.conf", F_OK), <, 0);
}

static void add_tests(void) {
        g_test_add_func("/leave/target", test_leave_target);
        g_test_add_func("/leave/clean-after-target", test_clean);
        g_test_add_func("/leave/host", test_leave_host);
        g_test_add_func("/leave/clean-after-host", test_clean);
}

int main(int argc, char *argv[]) {
        return lio_test_main(argc, argv, add_tests);
}
