/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* For tests of initiator ports: the running service and the real worker of open-iscsi, on a database of their own at the place
 * where the real iscsiadm looks for it, /etc/iscsi. The worker has no capability. Two network interfaces, v0 with 192.0.2.1 and
 * 192.0.2.2, v1 with 198.51.100.1. */

#include "calls.h"

#define IFACES "/etc/iscsi/ifaces"
#define HOST_NAME_FILE "/etc/iscsi/initiatorname.iscsi"
#define HOST_NAME "iqn.2026-11.org.example:host"
#define NODE_NAME "iqn.2026-11.org.example:ini"
#define NODE_PATH ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3aini"
#define IP_A ROOT_PATH "/ip/_3192_2e0_2e2_2e1"
#define IP_A2 ROOT_PATH "/ip/_3192_2e0_2e2_2e2"
#define IP_B ROOT_PATH "/ip/_3198_2e51_2e100_2e1"
/* What is in this file stands before the next worker that is started, as "strace …"; then the file is removed. */
#define INITIATOR_WRAPPER "/run/initiator-wrapper"
/* The same for all workers that are started, as long as the file is there. */
#define INITIATOR_WRAPPER_OF_ALL "/run/initiator-wrapper-of-all"

#define PORT_INTERFACE "org.iscsi.ProtocolEndpoint"

typedef struct Initiator {
        Service *service;
        sd_bus *bus; /* as root */
} Initiator;

/* As a GLib fixture; the service is started, and the node made. */
void initiator_set_up(Initiator *i, gconstpointer data);
void initiator_tear_down(Initiator *i, gconstpointer data);

#define INITIATOR_TEST(path, f) g_test_add(path, Initiator, NULL, initiator_set_up, f, initiator_tear_down)

void initiator_connect(Initiator *i);
void initiator_disconnect(Initiator *i);

/* Creates a port of NODE_PATH on 192.0.2.1; g_free it. */
char *initiator_create(Initiator *i);

/* The files in the directory of records, sorted, with blanks between them; g_free it. */
char *initiator_records(void);

/* Runs a command by the shell and returns what it prints, both outputs; STATUS may be NULL. */
char *initiator_shell(int *ret_status, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* SIGKILL for all workers that are there. */
void initiator_kill_workers(Initiator *i);

/* The same, but not for the one that waits for changes: its loss would have the service look at nodes, with new workers. */
void initiator_kill_idle_workers(Initiator *i);

/* Waits until the property has the value. */
void initiator_wait_property(Initiator *i, const char *path, const char *interface, const char *property, const char *value);

/* Waits until the object is there, or not. */
void initiator_wait_object(Initiator *i, const char *path, bool there);
