/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One node: observe, compare, make what is missing, set the states; role by role. */

#include "change/job.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/name.h"
#include "model/host-node.h"
#include "model/state.h"

Node *job_node(const Job *j) {
        Model *m = j->reconciler->context->model;

        return strcmp(j->name, HOST_NODE) == 0 ? model_host_node(m) : model_find_node(m, j->name);
}

/* Whether it matters if the node cannot be looked at in this role. It does not for one that is known, does not have the role, and
 * was not listed by the role's backend: all that could be found is what other programs have begun since. */
static bool job_needs_role(const Job *j) {
        const Node *n = job_node(j);

        return !n || strcmp(j->name, HOST_NODE) == 0 || (n->roles & ROLE_BIT(j->role)) ||
               (j->listed && (j->listed_roles & ROLE_BIT(j->role)));
}

/* A run that failed as a whole for the role. */
static void job_set_unknown(Job *j, const char *message) {
        Context *c = j->reconciler->context;
        Node *n = job_node(j);
        _cleanup_free_ char *why = NULL;

        if (!n || !job_needs_role(j))
                return;
        if (asprintf(&why, "Not known: %s", message) < 0)
                why = NULL;
        if (n->state != STATE_UNKNOWN)
                log_warning("Node %s cannot be looked at: %s", n->name, message);
        for (Port *p = n->ports; p; p = p->next_of_node)
                if (p->role == j->role && p->object.path)
                        model_set_port_state(c->model, p, STATE_UNKNOWN, why);
        n->roles_wrong |= ROLE_BIT(j->role);
        if (!(n->roles_wrong & (ROLE_BIT(j->role) - 1)))
                model_set_node_state(c->model, n, STATE_UNKNOWN, why);
}

static void job_note(Job *j, Refusal refusal, const char *message) {
        if (j->refusal != REFUSAL_NONE)
                return;
        j->refusal = refusal;
        j->why = strdup(message);
}

/* A backend that hangs, is absent or is busy must not delay the start once for each node. */
static void job_note_unseen(Job *j, const BackendResult *result) {
        Reconciler *r = j->reconciler;

        if (job_needs_role(j)) {
                j->unseen = true;
                job_note(j, result->refusal, result->message);
        }
        if (!r->done || r->gave_up[j->role])
                return;
        if (result->refusal == REFUSAL_BUSY
                    ? ++r->n_busy >= BUSY_NODES_MAX
                    : result->refusal == REFUSAL_TIMEOUT ||
                              (result->refusal == REFUSAL_BACKEND_UNAVAILABLE && !result->outcome_unknown))
                r->gave_up[j->role] = strdup(result->message);
}

bool *job_looked_at(const Job *j, Node *n) {
        return strcmp(j->name, HOST_NODE) == 0 ? &n->host_looked_at : &n->looked_at;
}

static RepairPolicy job_policy(const Job *j, Node *n) {
        DriftPolicy drift = n->drift != DRIFT_DEFAULT ? n->drift : model_service(j->reconciler->context->model)->drift;

        if (j->puts_all_right || drift == DRIFT_ENFORCE)
                return REPAIR_ALL;
        return *job_looked_at(j, n) ? REPAIR_OWED : REPAIR_MISSING;
}

/* A call that failed as a whole is a failure of each of its items. NULL without memory. */
static BackendItemResult *all_failed(const Job *j, const BackendResult *result) {
        BackendItemResult *items = calloc(j->difference.n_repairs, sizeof(BackendItemResult));

        for (size_t i = 0; items && i < j->difference.n_repairs; i++)
                items[i] = (BackendItemResult){ .refusal = result->refusal, .message = result->message };
        return items;
}

/* What the backend calls an initiator port that was just made is seen when the node is looked at again. Once is enough: what is
 * not there then was removed by somebody. */
static void job_look_for_records(Job *j, const BackendItemResult *items) {
        for (size_t i = 0; items && i < j->difference.n_repairs && !j->named; i++) {
                const Repair *repair = j->difference.repairs + i;

                if (repair->item.verb == VERB_MAKE_PORT && items[i].refusal == REFUSAL_NONE && repair->port &&
                    repair->port->role == ROLE_INITIATOR && !repair->port->record)
                        j->named = j->again = true;
        }
}

static void job_settle(Job *j, const BackendResult *result) {
        Context *c = j->reconciler->context;
        Node *n = job_node(j);
        const BackendItemResult *items = result && result->n_items == j->difference.n_repairs ? result->items : NULL;
        _cleanup_free_ BackendItemResult *failed = NULL;

        if (result && !items) {
                job_note_unseen(j, result);
                items = failed = all_failed(j, result);
        } else if (result && result->refusal != REFUSAL_NONE)
                job_note(j, result->refusal, result->message);

        if (n) { /* else the store was opened again meanwhile */
                j->n_failed += difference_settle(c, n, j->role, &j->observed, &j->difference, items,
                                                 result && !items ? result->message : NULL);
                job_look_for_records(j, items);
        }
        difference_done(&j->difference);
        job_next_role(j);
}

static void job_applied(const BackendResult *result, void *userdata) {
        Job *j = userdata;

        j->call = NULL;
        job_settle(j, result);
}

static int job_apply(Job *j) {
        _cleanup_free_ BackendItem *items = calloc(j->difference.n_repairs, sizeof(BackendItem));

        if (!items)
                return -ENOMEM;
        for (size_t i = 0; i < j->difference.n_repairs; i++)
                items[i] = j->difference.repairs[i].item;

        return backend_apply(j->reconciler->context->backends[j->role],
                             &(BackendRequest){
                                     .node = j->name,
                                     .items = items,
                                     .n_items = j->difference.n_repairs,
                                     .keep_going = true,
                             },
                             job_applied, j, &j->call);
}

static bool job_concerns(const Job *j, uint16_t role) {
        const Node *n = job_node(j);
        Backend *b = j->reconciler->context->backends[role];
        bool of_host = b && backend_traits(b)->has_host_node;

        if (strcmp(j->name, HOST_NODE) == 0)
                return n && of_host;
        if (n && (n->roles & ROLE_BIT(role)))
                return !(n->host && of_host); /* it is looked at as HOST_NODE */

        /* Nothing is known of it in this role, so it may be there if others can make it there. */
        return b && backend_traits(b)->shows_others && !(n && n->host && of_host);
}

/* The host's node gets another name: a node of that name may be under change, so the job has to begin again with the lock of it
 * besides. */
static bool job_needs_name(Job *j) {
        const char *name = j->observed.iscsi_name;

        if (!name || strcmp(name, model_host_node(j->reconciler->context->model)->name) == 0 ||
            (j->new_name && strcmp(j->new_name, name) == 0))
                return false;

        free(j->new_name);
        j->new_name = strdup(name);
        if (!j->new_name)
                return false;
        observed_node_done(&j->observed);
        j->locks = lock_set_free(j->locks);
        j->all = j->puts_all_right;
        return true;
}

/* The host's name is what the backend says. */
static void job_name_host(Job *j) {
        Model *m = j->reconciler->context->model;
        _cleanup_free_ char *old = strdup(model_host_node(m)->name);
        const char *name = j->observed.iscsi_name;
        int r;

        r = model_name_host_node(m, name);
        if (r == -EEXIST) {
                free(j->observed.why);
                if (asprintf(&j->observed.why,
                             "The host's initiator name, %s, is that of a node that was made here; give the host another one, or "
                             "delete that node",
                             name) < 0)
                        j->observed.why = NULL;
                r = model_name_host_node(m, NULL);
        }
        if (r < 0) {
                log_warning_errno(r, "The host's own node keeps the name %s", model_host_node(m)->name);
                j->n_failed++; /* tried again */
        }
        if (!old || strcmp(old, model_host_node(m)->name) == 0)
                return;

        log_info("The host's own node is %s now, it was %s", model_host_node(m)->name, old);
        free(j->left);
        j->left = TAKE_PTR(old);
}

/* What is there is known now. */
static void job_compare(Job *j) {
        Context *c = j->reconciler->context;
        const BackendTraits *traits;
        Node *n;
        int r;

        if (!job_concerns(j, j->role)) { /* the name has become that of the host's node meanwhile */
                job_next_role(j);
                return;
        }
        if (strcmp(j->name, HOST_NODE) == 0) {
                if (job_needs_name(j)) {
                        job_run(j);
                        return;
                }
                job_name_host(j);
        }
        difference_show_foreign(c, j->role, &j->observed);
        n = job_node(j);
        if (!n || !n->managed || !(n->roles & ROLE_BIT(j->role)) || n->removal) {
                job_next_role(j);
                return;
        }

        traits = backend_traits(c->backends[j->role]);
        j->observed.on_addresses = traits->on_addresses;
        if (traits->nodes_are_names)
                j->observed.exists = true;

        r = difference_new(n, j->role, &j->observed, job_policy(j, n), &j->difference);
        if (r >= 0 && j->difference.n_repairs == 0) {
                job_settle(j, NULL);
                return;
        }
        if (r >= 0)
                r = job_apply(j);
        if (r < 0) {
                log_error_errno(r, "Failed to put node %s right", j->name);
                j->unseen = true;
                job_next_role(j);
        }
}

static void job_observed(const BackendResult *result, void *userdata) {
        Job *j = userdata;

        j->call = NULL;
        if (result->refusal != REFUSAL_NONE) {
                job_note_unseen(j, result);
                job_set_unknown(j, result->message);
                job_next_role(j);
                return;
        }

        j->observed = *result->observed;
        *result->observed = (ObservedNode){};
        job_compare(j);
}

static void job_look(Job *j) {
        Reconciler *r = j->reconciler;
        Backend *b = r->context->backends[j->role];
        int e;

        if (!b) {
                job_set_unknown(j, "no backend is configured for its role");
                job_next_role(j);
        } else if (r->gave_up[j->role]) {
                if (job_needs_role(j)) {
                        j->unseen = true;
                        job_note(j, REFUSAL_BACKEND_UNAVAILABLE, r->gave_up[j->role]);
                }
                job_set_unknown(j, r->gave_up[j->role]);
                job_next_role(j);
        } else if (j->listed && !(j->listed_roles & ROLE_BIT(j->role)) &&
                   !(backend_traits(b)->has_host_node && job_needs_role(j))) {
                /* With a host's node, what we have is to be looked at in any case: a list may be older than what it is held
                 * against. */
                j->observed.name = strdup(j->name);
                job_compare(j);
        } else {
                e = backend_observe(b, j->name, job_observed, j, &j->call);
                if (e < 0) {
                        log_error_errno(e, "Failed to look at node %s", j->name);
                        j->unseen = true;
                        job_next_role(j);
                }
        }
}

void job_next_role(Job *j) {
        observed_node_done(&j->observed);
        do
                j->role++;
        while (j->role <= ROLE_LAST && !job_concerns(j, j->role));

        if (j->role <= ROLE_LAST)
                job_look(j);
        else
                job_end(j);
}

void job_forget_difference(Job *j) {
        if (j->difference.n_repairs == 0)
                return;

        backend_call_cancel(TAKE_PTR(j->call));
        difference_done(&j->difference);
        j->again = j->unseen = true;
        job_end(j);
}
