/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* For tests of iscsi-backend-lio inside a throw-away machine with the real target in its kernel: workers, and looks at the tree.
 * */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>

#include "common/macro.h"
#include "common/refusal.h"

#define TARGET "/sys/kernel/config/target"
#define ISCSI TARGET "/iscsi"
#define LOCK_FILE "/run/targetcli.lock"

#define NODE_A "iqn.2026-11.org.iscsi:a"
#define NODE_B "iqn.2026-11.org.iscsi:b"

typedef struct Worker {
        pid_t pid;
        sd_bus *bus;
} Worker;

/* How a worker ended a call: with its answer, or by ending itself. */
typedef struct Answer {
        bool lost;       /* the connection broke before the answer came */
        Refusal refusal; /* REFUSAL_NONE: success */
        char *message;
} Answer;

/* From the command line (--worker=PATH) or the environment (ISCSI_BACKEND_LIO). */
extern const char *worker_path;

/* Starts a worker on one end of a socket pair, as systemd would. INJECT (may be NULL) are strace's expressions that spoil some of
 * its system calls, separated by blanks: "inject=mkdir:error=EIO:when=2"; or a command that runs the worker with fewer rights.
 * OPTION (may be NULL) is one more option for the worker. */
Worker *worker_new(const char *inject, const char *option);

/* Hangs up and waits for the worker's end; returns what waitpid() says. */
int worker_end(Worker *w);
/* As worker_end(), and asserts that it ended by itself and well. */
void worker_free(Worker *w);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Worker, worker_free)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(sd_bus_error, sd_bus_error_free)

/* Calls a method; TYPES (may be NULL) are as for sd_bus_message_append(). Of Apply and Check the answer is that of the first
 * operation that was not done, by a reason of its own. */
Answer worker_call(Worker *w, const char *member, const char *types, ...);
void answer_done(Answer *a);

/* One operation of a request. PORTALS (may be NULL) are texts like "127.0.0.1:3260 [::1]:3260", OPTIONS (may be NULL) like "Force
 * Enabled=0". */
typedef struct Item {
        const char *verb; /* NULL: the end */
        uint64_t tag;
        const char *portals, *options;
        GBytes *snapshot; /* the option Snapshot */
} Item;

/* The answers to a request. CALL: to the request as a whole. */
typedef struct Results {
        Answer call;
        Answer *items;
        bool *not_done; /* of each: undone or not begun because of another one */
        size_t n;
        char *warnings; /* of Check, one a line */
} Results;

/* Calls MEMBER, "Apply" or "Check". PRECONDITIONS (may be NULL) are like "Atomic=0 Expected=1,2 NodeExists=1". */
Results *request(Worker *w, const char *member, const char *node, const char *preconditions, const Item *items);
void results_free(Results *r);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Results, results_free)

/* The answer that says why the request failed, or success. Frees R. */
Answer results_answer(Results *r);

/* Apply with one operation. */
Answer call_node(Worker *w, const char *verb, const char *node);
Answer call_port(Worker *w, const char *verb, const char *node, uint64_t tag);
Answer call_portals(Worker *w, const char *verb, const char *node, uint64_t tag, const char *portals);
Answer call_force(Worker *w, const char *verb, const char *node, uint64_t tag);
Answer check_sessions(Worker *w, const char *node); /* of all ports */

/* Apply with the operations that bring back a port of which parts may be missing, all or nothing. */
Answer restore_port(Worker *w, const char *node, uint64_t tag, const char *portals);

/* What Observe answers of all nodes, as text: "<node> <tag>:on[127.0.0.1:3260+ [::1]:3260-] …", '+' for a listening portal, '-'
 * for one that does not listen, "<directory>!" for one without a valid spelling. */
char *observe(Worker *w);

/* What Snapshot gives; what of it is unreadable, in *RET_UNREADABLE, one a line. */
GBytes *snapshot_port(Worker *w, const char *node, uint64_t tag, char **ret_unreadable);

void expect_success(Answer a);
/* TEXT is in the message. */
void expect_refusal(Answer a, Refusal refusal, const char *text);
void expect_lost(Answer a);

/* The whole tree below iscsi/ with the state of each port, for comparing before and after. */
char *tree_snapshot(void);

/* The same with the value of every attribute that can be written. */
char *tree_snapshot_full(void);
void assert_tree(const char *snapshot);

/* Asserts that one is there, or is not. The path is below iscsi/. */
void assert_there(const char *format, ...) _printf_(1, 2);
void assert_absent(const char *format, ...) _printf_(1, 2);
void assert_enabled(const char *port, bool enabled);

/* What somebody else does in the tree; the path is below iscsi/. */
void tree_mkdir(const char *format, ...) _printf_(1, 2);
void tree_rmdir(const char *format, ...) _printf_(1, 2);
void tree_write(const char *path, const char *value);
void file_write(const char *path, const char *value);

/* A disk for LUNs: a backstore that is a file, and its path below the target; and what takes it away. */
#define DISK "core/fileio_7/disk"
void disk_make(void);
void disk_remove(void);

/* Maps the disk as lun_<number> of the port, and in the ACL of INITIATOR (may be NULL) below it. PORT is below iscsi/. */
void lun_make(const char *port, unsigned number, const char *initiator);

/* The value of an attribute, without its newline. The path is below iscsi/. */
char *tree_read(const char *format, ...) _printf_(1, 2);

/* Whether something accepts connections there; address as for Portal. */
bool portal_accepts(const char *portal);

/* Runs a shell command; returns its exit status. */
int shell(const char *format, ...) _printf_(1, 2);

/* An interface besides lo for link-local addresses, made at need; NULL with the test skipped if the kernel cannot make one. */
const char *second_interface(void);

/* The whole of a main(): reads the options, skips where there is no target, and runs what ADD_TESTS adds. */
int lio_test_main(int argc, char **argv, void (*add_tests)(void));
