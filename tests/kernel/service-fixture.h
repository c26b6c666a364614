/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* For tests of the whole service on the real kernel, inside a throw-away machine: see tests/kernel/run. All functions end the
 * test on failure. */

#include "calls.h"
#include "mirror.h"

#define TARGET "/sys/kernel/config/target"
#define FABRIC TARGET "/iscsi"
#define NODE_A "iqn.2026-11.org.example:a"
#define NODE_B "iqn.2026-11.org.example:b"
#define NODE_A_PATH ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3aa"
#define NODE_B_PATH ROOT_PATH "/node/iqn_2e2026_2d11_2eorg_2eexample_3ab"
#define PORT_1 NODE_A_PATH "/endpoint/000000000001"
#define V6_PORTAL ROOT_PATH "/tcp/_5b_3a_3a1_5d_3a3260"
#define ANY_PORTAL ROOT_PATH "/tcp/_5b_3a_3a_5d_3a3260"

/* What other programs change is to be seen, shown and told within this time. */
#define SEEN_USEC G_USEC_PER_SEC

/* Runs a shell command; returns its wait status. What a failed one printed is a diagnostic of the test. */
int shell(const char *format, ...) G_GNUC_PRINTF(1, 2);

/* The same, and it must succeed. */
void must_shell(const char *format, ...) G_GNUC_PRINTF(1, 2);

/* What a shell command prints. It must succeed. g_free it. */
char *shell_output(const char *format, ...) G_GNUC_PRINTF(1, 2);

/* The nodes in the target, and "NODE/tpgt_TAG ENABLE PORTAL…" of each of their portal groups, one a line. */
void assert_tree(const char *expected);

/* Prepares a service with the real worker, run by WRAPPER (NULL-terminated; may be NULL). It watches the target. OPTION (may be
 * NULL) is one more. There may be nothing in the target. */
Service *service_on_target(const char *option, const char *const *wrapper);

/* Waits until a property has a value: "=VALUE", or one that holds PART, as get_property() gives it; at most SEEN_USEC, or USEC.
 * */
void await_seen(sd_bus *bus, const char *path, const char *interface, const char *property, const char *part);
void await_value(sd_bus *bus, const char *path, const char *interface, const char *property, const char *part, gint64 usec);
void assert_value(sd_bus *bus, const char *path, const char *interface, const char *property, const char *part);

/* Waits at most SEEN_USEC until the object is there, or is not. */
void await_exists(sd_bus *bus, const char *path, bool exists);

/* Waits at most SEEN_USEC until the service has said TEXT. */
void await_logged(Service *s, const char *text);

/* EnabledState 2, OperationalStatus [2]; waits SEEN_USEC. */
void await_in_force(sd_bus *bus, const char *port);

/* Whether somebody accepts connections there. ADDRESS may have a zone. */
bool accepts(const char *address, unsigned port);

/* Another program that listens there; closed by the caller. */
int listen_on(const char *address, unsigned port);

void delete_node(sd_bus *bus, const char *node);
