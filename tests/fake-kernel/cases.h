/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What org.iscsi.Backend's operations do, as one table of cases that whatever implements them runs: the fake kernel and the
 * `model` backend in the unit tests, the real worker on the real kernel in a throw-away machine. So the fake and the model stay
 * honest. */

#include <glib.h>
#include <stdbool.h>
#include <systemd/sd-event.h>

#include "backend/backend.h"

#define CASE_NODE_A "iqn.2026-11.org.iscsi:a"
#define CASE_NODE_B "iqn.2026-11.org.iscsi:b"
#define CASE_NODE_TWIN "iqn.2026-11.org.iscsi:A" /* a's name in capitals */

/* Interfaces that there are, and one that there is not. */
#define CASE_INTERFACE_0 "cases0"
#define CASE_INTERFACE_1 "cases1"
#define CASE_INTERFACE_NONE "cases9"

/* What a case needs beyond nodes, ports and portals that were made by operations. */
#define CASE_NEEDS_TREE (1u << 0)     /* another program's hand in configfs */
#define CASE_NEEDS_HOST (1u << 1)     /* interfaces, sockets, the rules of a worker for what it is given */
#define CASE_NEEDS_SESSIONS (1u << 2) /* initiators that are logged in */

/* In the texts a node is called a, b or A, a portal as the kernel is told.
 *
 * BEFORE, what there is, separated by "; ":
 *      node a                  a node
 *      port a 1 PORTAL…        a port that is switched on, with its node
 *      off a 1 PORTAL…         a port that is switched off
 *      dir a/tpgt_01/np/X      a directory that another program makes; all its parents are there, or are made
 *      lun a 1, acl a 1        what others put into a port
 *      listen PORTAL           another program's socket
 *      session a 1             an initiator that is logged in
 * OPERATIONS on node a, separated by "; ": "create-port 1 PORTAL…" and words for the options: off, force, all.
 * HOW: "keep-going", "check", "expect 1 2"; NULL: all or nothing.
 * RESULTS, one per operation: "done", the last part of an error's name, or "-" (undone or not begun); or "call: Busy".
 * AFTER: what Observe tells of a and b; NULL: what it told before. "a{tpgt_1 on 127.0.0.1:3260+ lun acl, tpgt_2 off} b{}": '+' is
 * a portal that listens, '-' one that does not, '?' one that cannot be understood. */
typedef struct Case {
        const char *name, *before, *operations, *how, *results, *after;
        unsigned needs;
} Case;

extern const Case cases[];
extern const size_t n_cases;

/* Where cases run. */
typedef struct Stage Stage;
struct Stage {
        sd_event *event;
        Backend *backend;
        const char *fabric; /* the directory of the nodes, NULL if there is none */
        unsigned has;       /* CASE_NEEDS_… that it offers */

        /* Brings one thing of BEFORE about: WORDS are the command's, a node's name written out. */
        void (*prepare)(Stage *s, char **words);

        /* Takes away all that a case may have left. */
        void (*clean)(Stage *s);
        void *userdata;
};

/* Adds a test of GTest's for each case that the stage can run, below PREFIX. */
void cases_add(Stage *s, const char *prefix);

/* How an operation is done by itself: for prepare() of a stage without a tree. Must succeed. */
void cases_apply(Stage *s, const char *node, const char *operations);
