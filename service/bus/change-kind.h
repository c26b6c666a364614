/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a mutating method is: a row of one table. How it is gone through: see change.h. */

#include "bus/manager.h"

typedef struct Change Change;
typedef struct ChangeKind ChangeKind;

/* What a call says, in the order of its signature; pointers lead into the message. */
typedef struct Arguments {
        Reference paths[2];
        unsigned n_paths;
        const char *text;
        uint16_t number;
        Reference *portals;
        size_t n_portals;
        const char *name;      /* option Name, NULL if absent */
        const uint16_t *roles; /* option Roles, NULL if absent */
        size_t n_roles;
} Arguments;

/* What is to be done, from the rules on. Pointers into the model stay good: the node's queue keeps other changes away from them. */
typedef struct Plan {
        Node *node;
        Port *port;
        IpEndpoint *ip;
        TcpEndpoint *tcp;
        PortalGroup *group;
        Binding *binding;
        Portal *portals; /* malloc'ed */
        size_t n_portals;
        uint64_t identifier;
        uint64_t group_id;
        unsigned roles;
        char *name; /* malloc'ed */
} Plan;

struct Change {
        Manager *manager;
        const ChangeKind *kind;
        Arguments arguments;
        Plan plan;
        uint64_t minimum; /* of an Identifier that the service chooses */
};

/* A row of the table that all of the service's methods stand in. A method cannot be registered without one, so none is without its polkit
 * action. Negative return values are errnos. */
struct ChangeKind {
        Method method;
        const char *in, *out;
        const char *names;          /* of the arguments, in and out, each ended by NUL */
        const char *const *options; /* the keys that a{sv} may have, NULL-terminated; NULL: none */
        const char *action;         /* polkit's */
        const char *const *details; /* which of the documented details the question carries: see details_new() */

        /* The rules: fills the plan. Refusal (positive) with its sentence, or 0. */
        int (*check)(Change *c, char **ret_why);

        bool saves_last; /* backend first, then the store */

        /* Makes it durable, and takes that back. NULL: nothing to take back. */
        int (*save)(Change *c);
        int (*unsave)(Change *c);

        /* Puts the object into the model so that the rules of other changes see it, not yet published; takes it out again. */
        int (*enter)(Change *c);
        void (*leave)(Change *c);

        /* The backend's work: 1 and the request of step 0, 1, …; 0 when there are no more. And what takes a step back: 0 for nothing. */
        int (*request)(Change *c, unsigned step, BackendRequest *ret);
        int (*undo_request)(Change *c, unsigned step, BackendRequest *ret);

        /* The rules once more when the backend has done its work, for what changes of other nodes or of none may have made wrong meanwhile.
         * As check, without the plan. NULL: what the model holds since enter, or never lets go, keeps them true. */
        int (*check_again)(Change *c, char **ret_why);

        /* It is done: what the world shall see of it. Returns the path for the reply in *RET if the method has one. */
        int (*finish)(Change *c, const char **ret_path);

        /* It failed and could not be undone: shows the object with the state and its reason. */
        void (*degrade)(Change *c, const char *why);
};

/* VERB for what the plan says. */
BackendRequest change_request(const Change *c, BackendVerb verb);
