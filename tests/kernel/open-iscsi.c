/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "open-iscsi.h"

#include <glib.h>

#define PID_FILE "/run/test-iscsid.pid"
#define FORGET "rm -rf /etc/iscsi/ifaces /etc/iscsi/nodes /etc/iscsi/send_targets /run/lock/iscsi"

/* Of the fixture that the test is linked with. */
int shell(const char *format, ...) G_GNUC_PRINTF(1, 2);

bool open_iscsi_start(const char *initiator) {
        if (shell("command -v iscsid && command -v iscsiadm && { modprobe iscsi_tcp || test -d /sys/module/iscsi_tcp; }") != 0) {
                g_test_skip("open-iscsi, or its kernel module, is not here");
                return false;
        }

        g_assert_cmpint(shell(FORGET " && mkdir -p -m 0700 /run/lock/iscsi /etc/iscsi && echo InitiatorName=%s "
                                     ">/etc/iscsi/initiatorname.iscsi && iscsid -p " PID_FILE " && "
                                     "for i in $(seq 100); do test -s " PID_FILE " && break; sleep 0.1; done",
                              initiator),
                        ==, 0);
        return true;
}

void open_iscsi_stop(void) {
        (void) shell("iscsiadm -m session -u");
        g_assert_cmpint(shell("p=$(cat " PID_FILE ") && kill $p && while kill -0 $p 2>/dev/null; do sleep 0.05; done; "
                              "rm -f " PID_FILE "; " FORGET "; test -z \"$(ls /sys/class/iscsi_session 2>/dev/null)\""),
                        ==, 0);
}
