/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A stand-in for the kernel's target and its worker, for tests. All workers of one directory share it; a test looks into it
 * and changes it with these functions at any time:
 *
 * ROOT/target/iscsi/…    what is in force, in the shape of configfs; see kernel.h ROOT/plan              what goes wrong; read
 * at each call and operation; absent is nothing ROOT/log               a line per call and per operation, written when it
 * begins: Apply NODE create-port NODE 1 127.0.0.1:3260 127.0.0.1:3261 Observe NODE ROOT/released          see `wait`
 *
 * A line of the plan is "WORD BEHAVIOUR". WORD is an operation ("create-port") or a call ("Apply", "Check", "Observe",
 * "ListNodes"), or "*" for any operation, Observe and ListNodes. The first line that fits counts. With "once " before it, it
 * is taken out when it has done its work; with "after N " it lets N pass first. Empty lines and those that begin with "#" are
 * skipped. Behaviours:
 *
 *      fail NAME [TEXT]        fails with the error NAME ("AddressInUse", or a complete name) and TEXT (escapes as in C);
 *                              nothing
 *      is done
 *      fail-half NAME [TEXT]   the same after half of the work, which stays (see worker.h). With NAME Degraded nothing is
 *                              undone
 *      at all
 *      unknown-error           fails with an error that no service knows; nothing is done
 *      hang                    does nothing and never answers. The process ends once its peer has hung up, so that none is left
 *      behind
 *      hang-half, hang-after   the same after half of the work, or all of it
 *      hang-forever            hang, until the process is killed: other workers answer Busy for the node, and Stuck once the
 *                              peer has hung up
 *      crash-before            ends without having done anything
 *      crash-half, crash-after the same after half of the work, or all of it
 *      slow MSEC               waits, then does its work; if its peer hangs up meanwhile, it takes the call back
 *      wait                    the same until the number in ROOT/released exceeds the Identifier
 *      lie                     succeeds, or tells of nothing, and does nothing
 *      garbage                 does its work and answers with arguments that the interface does not have
 *      answer TEXT             of a call: does nothing and answers with these arguments, a GVariant's text: ([('', ''), ('',
 *      '')],)
 *      noise                   of a call: writes what is not D-Bus
 *      exit                    does its work, answers, and ends
 *      many N, many-portals N  of Observe: tells of N ports, or of a port with N portals; of ListNodes: of N nodes
 *
 * A plan or a state that cannot be understood ends the process with a line on standard error. */

#include <glib.h>
#include <stdbool.h>

/* Writes the plan, lines separated by "\n"; "" for nothing that goes wrong. */
void fake_plan(const char *root, const char *text);

/* What is in force as text: nodes and ports sorted, portals of a port sorted.
 *      NODE
 *      NODE TAG enabled 127.0.0.1:3260 127.0.0.1:3261 deaf
 *      NODE TAG disabled
 * "deaf" is a portal that does not listen. A directory with another name than its tag's is told: "NODE 1(tpgt_01) …". */
char *fake_state(const char *root);

/* The part of another program: with the kernel's rules, so that it may end as an errno. PORTALS are separated by blanks or
 * newlines; with " deaf" behind one it gets no socket (lines). fake_make_port() replaces a port that is there, and makes the
 * node. */
void fake_make_node(const char *root, const char *node);
void fake_make_port(const char *root, const char *node, unsigned tag, bool enabled, const char *portals);
void fake_remove_port(const char *root, const char *node, unsigned tag);
void fake_remove_node(const char *root, const char *node); /* with all that is in it */
void fake_remove_all(const char *root);
void fake_enable_port(const char *root, const char *node, unsigned tag, bool enabled);
void fake_set_sessions(const char *root, const char *node, unsigned tag, bool sessions);
void fake_add_lun(const char *root, const char *node, unsigned tag);
void fake_add_acl(const char *root, const char *node, unsigned tag, const char *initiator, const char *password);

bool fake_has_contents(const char *root, const char *node, unsigned tag); /* LUNs or ACLs */

/* The interfaces of the host, "eth0 2\neth1 3\n"; NULL: every one exists. And the sockets of other programs:
 * "127.0.0.1:3260\n". */
void fake_set_interfaces(const char *root, const char *text);
void fake_set_listeners(const char *root, const char *text);

/* Lets those go on that `wait` with an Identifier below N. */
void fake_release(const char *root, unsigned n);

/* The operations and looks since the log was cleared, a line each, without the lines of Apply and Check. */
char *fake_log(const char *root);
void fake_log_clear(const char *root);

/* How many lines of the log begin with WORD; also of Apply and Check. */
unsigned fake_log_count(const char *root, const char *word);
