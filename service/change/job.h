/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A node's place in the work of the reconciler, and the part of it that looks at the node. */

#include "change/caller.h"
#include "change/context.h"
#include "change/difference.h"
#include "change/locks.h"

typedef struct Engine Engine;
typedef struct Job Job;
typedef struct Reconciler Reconciler;

/* Of how many nodes a backend may say that it is busy before the first look goes on without it. It says so after it has waited,
 * and if this many are, it is with something that keeps all of them waiting, such as an open targetcli. */
#define BUSY_NODES_MAX 3u

/* Who waits for nodes to be put right. */
typedef struct Asker {
        engine_looked_t done;
        void *userdata;
        size_t open; /* nodes that are still to be looked at */
        Refusal refusal;
        char *why;
} Asker;

/* A node's place in the work. It lives while the node is to be looked at, or tried again. */
struct Job {
        Reconciler *reconciler;
        char *name;
        bool queued, running;
        bool again;  /* something moved while it was being looked at */
        bool all;    /* put everything right, whatever the policy is */
        bool first;  /* of the first look */
        bool listed; /* LISTED_ROLES is fresh: where the node is not listed it need not be observed */
        unsigned listed_roles;
        Asker **askers;
        size_t n_askers;
        uint64_t resume_usec; /* no removal is taken up again before */
        size_t n_removals;    /* under way */
        bool named;           /* was looked at again to see what the backend calls ports that were made */

        /* of the run under way */
        LockSet *locks;
        BackendCall *call;
        size_t n_served; /* of the askers, those who came before it began */
        bool puts_all_right;
        uint16_t role;
        ObservedNode observed;
        Difference difference;
        Refusal refusal; /* the first failure */
        char *why;
        bool unseen;    /* a backend did not answer */
        char *new_name; /* whose lock it takes besides: the host's node gets it */
        char *left;     /* the name that the host's node had before, which may be another node's now */
        size_t n_failed;

        unsigned attempts;
        sd_event_source *retry;
        Job *next_queued;
        UT_hash_handle hh;
};

struct Reconciler {
        Context *context;
        Engine *engine;
        Job *jobs; /* by name */
        Job *queue, **queue_end;
        unsigned n_running;
        sd_event_source *turn;

        void (*done)(void *userdata); /* of the first look; NULL once it is over */
        void *userdata;
        size_t n_first;     /* what is still open of it */
        bool listing_first; /* its list is */
        char *gave_up[4];   /* by role: why the first look goes on without its backend */
        bool missed;        /* a node could not be seen in the first look */
        unsigned n_busy;

        BackendCall *listing;
        uint16_t listing_role;
        bool list_again;
        bool list_failed;
        Asker **list_askers; /* of all nodes */
        size_t n_list_askers;
        sd_event_source *relist;
        unsigned relist_attempts;
        bool started;
};

/* Looks at the node of J in the next one of its roles, and puts right what the policy says; after the last one calls
 * job_end(). */
void job_next_role(Job *j);

/* If J is putting its node right just now, ends that without waiting for the outcome, and looks at the node again. */
void job_forget_difference(Job *j);

/* The node of J in the model. A job that is called HOST_NODE is about the host's own node as an initiator, and one that has the
 * name of that node about all else in it. NULL: there is none. */
Node *job_node(const Job *j);

/* Whether what J is about was looked at since it is in the model. */
bool *job_looked_at(const Job *j, Node *n);

/* In reconcile.c: looks at the node, in all of its roles, once it has the locks. */
void job_run(Job *j);

/* In reconcile.c: the node has been looked at in all of its roles. */
void job_end(Job *j);
