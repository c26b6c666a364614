/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/startup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/array.h"
#include "common/log.h"

/* Of how many nodes a backend may say that it is busy. It does so after it has waited, and if this many are, it is with something that keeps
 * all of them waiting, such as an open targetcli. */
#define BUSY_NODES_MAX 3u

/* Something of the model that must be brought up: a port, or a node without ports. */
typedef struct Job {
        Node *node;
        Port *port; /* NULL: the node itself */
} Job;

struct Startup {
        Manager *manager;
        void (*done)(Manager *m);
        BackendCall *call;
        Observation observation; /* what is there */
        Job *jobs;
        size_t n_jobs, next_job;
        Portal *portals; /* of the job under way */
        unsigned n_made, n_failed;
        const Node *busy_node; /* the last one that the backend was too busy for */
        char *busy;            /* what it said then */
        unsigned n_busy_nodes;
        char *gave_up; /* why nothing more is tried */
};

static int load_portal_group(uint64_t id, const char *element_name, void *userdata) {
        PortalGroup *g;

        return id == 0 ? 0 : model_add_portal_group(((Manager *) userdata)->model, id, element_name, &g);
}

static int load_tcp_endpoint(const Portal *portal, void *userdata) {
        TcpEndpoint *t;

        return model_add_tcp_endpoint(((Manager *) userdata)->model, portal, NULL, &t);
}

static int load_member(uint64_t group, const Portal *portal, void *userdata) {
        Manager *m = userdata;

        return model_add_member_by_portal(m->model, model_find_portal_group(m->model, group), portal);
}

static int load_node(const char *name, const char *alias, unsigned roles, void *userdata) {
        Manager *m = userdata;
        Node *n;
        int r;

        r = model_add_node(m->model, name, alias, roles, true, &n);
        if (r < 0)
                return r;
        return model_publish_node(m->model, n);
}

static int load_port(const StorePort *port, void *userdata) {
        Manager *m = userdata;
        Node *n = model_find_node(m->model, port->node);
        Port *p;
        int r;

        if (!n)
                return -EUCLEAN;
        r = model_add_port(m->model, n, port->role, port->identifier, port->portals, port->n_portals, true, &p);
        if (r < 0)
                return r;
        return model_publish_port(m->model, p);
}

int startup_load(Manager *m) {
        static const StoreVisitor visitor = {
                .portal_group = load_portal_group,
                .tcp_endpoint = load_tcp_endpoint,
                .member = load_member,
                .node = load_node,
                .port = load_port,
        };
        int r;

        r = store_load(m->store, &visitor, m);
        if (r < 0)
                return log_error_errno(r, "Failed to read the store (%s)", store_last_error(m->store));

        return 0;
}

Startup *startup_free(Startup *s) {
        if (!s)
                return NULL;

        backend_call_cancel(s->call);
        observation_done(&s->observation);
        free(s->jobs);
        free(s->portals);
        free(s->busy);
        free(s->gave_up);
        free(s);
        return NULL;
}

static const ObservedPortal *observed_find_portal(const ObservedPort *o, const Portal *portal) {
        for (size_t i = 0; i < o->n_portals; i++)
                if (portal_compare(&o->portals[i].portal, portal) == 0)
                        return o->portals + i;

        return NULL;
}

/* Whether all that is desired of the port is in force. */
static bool port_is_in_force(const Port *p, const ObservedPort *o) {
        if (!o->enabled)
                return false;

        for (size_t i = 0; i < p->n_bindings; i++) {
                Portal portal = binding_portal(p->bindings[i]);
                const ObservedPortal *there = observed_find_portal(o, &portal);

                if (!there || !there->listening)
                        return false;
        }

        return true;
}

/* A portal that the port has beyond what is desired: NULL if there is none. */
static const Portal *port_surplus(const Port *p, const ObservedPort *o) {
        for (size_t k = 0; k < o->n_portals; k++) {
                size_t i;

                for (i = 0; i < p->n_bindings; i++) {
                        Portal portal = binding_portal(p->bindings[i]);

                        if (portal_compare(&portal, &o->portals[k].portal) == 0)
                                break;
                }
                if (i == p->n_bindings)
                        return &o->portals[k].portal;
        }

        return NULL;
}

static void port_set_drifted(Manager *m, Port *p, const Portal *surplus) {
        char text[PORTAL_TEXT_MAX], why[PORTAL_TEXT_MAX + 128];

        (void) snprintf(why, sizeof(why), "Drifted: in force, and also on portal %s, which was not bound by this service",
                        portal_to_text(surplus, text));
        log_warning("Port %012llX of node %s: %s", (unsigned long long) p->key.identifier, p->key.node->name, why);
        model_set_port_state(m->model, p, STATE_DRIFTED, why);
}

/* Shows a port that another program made. */
static int show_foreign_port(Manager *m, Node *n, const ObservedPort *o) {
        _cleanup_free_ Portal *portals = NULL;
        Port *p;
        int r;

        if (model_counts(m->model)->ports >= m->abilities.max.ports)
                return -EDQUOT;

        portals = calloc(o->n_portals + 1, sizeof(Portal));
        if (!portals)
                return -ENOMEM;
        for (size_t i = 0; i < o->n_portals; i++)
                portals[i] = o->portals[i].portal;

        r = model_add_port(m->model, n, ROLE_TARGET, o->tag, portals, o->n_portals, false, &p);
        if (r < 0)
                return r;
        model_set_port_state(m->model, p, o->enabled ? STATE_IN_FORCE : STATE_DISABLED, NULL);
        return model_publish_port(m->model, p);
}

static int show_foreign_node(Manager *m, const char *name, Node **ret) {
        int r;

        if (model_counts(m->model)->nodes >= m->abilities.max.nodes)
                return -EDQUOT;

        r = model_add_node(m->model, name, "", ROLE_BIT(ROLE_TARGET), false, ret);
        if (r < 0)
                return r;
        model_set_node_state(m->model, *ret, STATE_IN_FORCE, NULL);
        return model_publish_node(m->model, *ret);
}

static void compare_node(Manager *m, const ObservedNode *o) {
        Node *n = model_find_node(m->model, o->name);
        int r;

        if (!n) {
                r = show_foreign_node(m, o->name, &n);
                if (r < 0) {
                        log_warning_errno(r, "Node %s, made by another program, is not shown", o->name);
                        return;
                }
        } else if (n->managed)
                model_set_node_state(m->model, n, STATE_IN_FORCE, NULL);

        for (size_t i = 0; i < o->n_ports; i++) {
                Port *p = model_find_port(m->model, n, o->ports[i].tag);

                if (!p) {
                        r = show_foreign_port(m, n, o->ports + i);
                        if (r < 0)
                                log_warning_errno(r, "Port %u of node %s, made by another program, is not shown", o->ports[i].tag,
                                                  o->name);
                } else if (p->managed && p->role == ROLE_TARGET && port_is_in_force(p, o->ports + i)) {
                        const Portal *surplus = port_surplus(p, o->ports + i);

                        if (surplus)
                                port_set_drifted(m, p, surplus);
                        else
                                model_set_port_state(m->model, p, STATE_IN_FORCE, NULL);
                }
        }
}

static bool is_on_backend(const Manager *m, const Node *n) {
        return m->backends[ROLE_TARGET] && (n->roles & ROLE_BIT(ROLE_TARGET));
}

/* Initiator ports have no backend verbs: they are in force as soon as they are known, if there is a backend for them. */
static void settle_without_backend(Manager *m) {
        for (Node *n = model_first_node(m->model); n; n = n->hh_name.next) {
                if (n->state == STATE_STARTING && !(n->roles & ROLE_BIT(ROLE_TARGET)))
                        model_set_node_state(m->model, n, STATE_IN_FORCE, NULL);
                else if (n->state == STATE_STARTING && !is_on_backend(m, n))
                        model_set_node_state(m->model, n, STATE_DEGRADED,
                                             "Not in force: no backend is configured for target ports");

                for (Port *p = n->ports; p; p = p->next_of_node)
                        if (p->state == STATE_STARTING && !m->backends[p->role])
                                model_set_port_state(m->model, p, STATE_DEGRADED,
                                                     "Not in force: no backend is configured for its role");
                        else if (p->state == STATE_STARTING && p->role == ROLE_INITIATOR)
                                model_set_port_state(m->model, p, STATE_IN_FORCE, NULL);
        }
}

static int startup_add_job(Startup *s, Node *n, Port *p) {
        int r;

        r = array_grow(&s->jobs, s->n_jobs, sizeof(Job));
        if (r < 0)
                return r;

        s->jobs[s->n_jobs++] = (Job){ n, p };
        return 0;
}

static int startup_collect(Startup *s) {
        Manager *m = s->manager;
        int r;

        for (Node *n = model_first_node(m->model); n; n = n->hh_name.next) {
                if (!n->managed || !is_on_backend(m, n))
                        continue;
                if (n->state == STATE_STARTING) {
                        r = startup_add_job(s, n, NULL);
                        if (r < 0)
                                return r;
                }
                for (Port *p = n->ports; p; p = p->next_of_node)
                        if (p->managed && p->role == ROLE_TARGET && p->state == STATE_STARTING) {
                                r = startup_add_job(s, n, p);
                                if (r < 0)
                                        return r;
                        }
        }

        return 0;
}

static void startup_end(Startup *s) {
        Manager *m = s->manager;
        void (*done)(Manager *) = s->done;

        if (s->n_made > 0 || s->n_failed > 0)
                log_info("Start-up brought up %u of %u missing objects", s->n_made, s->n_made + s->n_failed);

        m->startup = startup_free(s);
        done(m);
}

static void job_set_state(Startup *s, const Job *j, ObjectState state, const char *why) {
        if (j->port)
                model_set_port_state(s->manager->model, j->port, state, why);
        else
                model_set_node_state(s->manager->model, j->node, state, why);
}

static void job_fail(Startup *s, const Job *j, const char *message) {
        _cleanup_free_ char *why = NULL;

        s->n_failed++;
        if (asprintf(&why, "Not in force: %s", message) < 0)
                why = NULL;
        if (j->port)
                log_warning("Port %012llX of node %s is not in force: %s", (unsigned long long) j->port->key.identifier,
                            j->node->name, message);
        else
                log_warning("Node %s is not in force: %s", j->node->name, message);
        job_set_state(s, j, STATE_DEGRADED, why);
}

/* Restoring leaves alone what is there beyond what is desired. */
static void job_succeed(Startup *s, const Job *j) {
        s->n_made++;

        if (j->port)
                for (size_t i = 0; i < s->observation.n_nodes; i++) {
                        const ObservedNode *o = s->observation.nodes + i;

                        if (strcmp(o->name, j->node->name) != 0)
                                continue;
                        for (size_t k = 0; k < o->n_ports; k++) {
                                const Portal *surplus;

                                if (o->ports[k].tag != j->port->key.identifier)
                                        continue;
                                surplus = port_surplus(j->port, o->ports + k);
                                if (surplus) {
                                        port_set_drifted(s->manager, j->port, surplus);
                                        return;
                                }
                        }
                }

        job_set_state(s, j, STATE_IN_FORCE, NULL);
}

static void startup_note_busy(Startup *s, const Node *n, const char *message) {
        s->busy_node = n;
        free(s->busy);
        s->busy = strdup(message);

        if (++s->n_busy_nodes >= BUSY_NODES_MAX)
                s->gave_up = strdup(message);
}

static void startup_next(Startup *s);

static void job_done(const BackendResult *result, void *userdata) {
        Startup *s = userdata;
        const Job *j = s->jobs + s->next_job - 1;

        s->call = NULL;

        if (result->refusal == REFUSAL_NONE)
                job_succeed(s, j);
        else {
                job_fail(s, j, result->message);

                /* A backend that hangs, is not there or is kept waiting must not hold up the start once per object. A worker that ended
                 * over this object may do well with the next. */
                if (result->refusal == REFUSAL_BUSY)
                        startup_note_busy(s, j->node, result->message);
                else if (result->refusal == REFUSAL_TIMEOUT ||
                         (result->refusal == REFUSAL_BACKEND_UNAVAILABLE && !result->outcome_unknown))
                        s->gave_up = strdup(result->message);
        }

        startup_next(s);
}

static int job_begin(Startup *s, const Job *j) {
        BackendRequest q = { .verb = BACKEND_CREATE_NODE, .node = j->node->name };

        if (j->port) {
                free(s->portals);
                s->portals = calloc(j->port->n_bindings, sizeof(Portal));
                if (!s->portals)
                        return -ENOMEM;
                for (size_t i = 0; i < j->port->n_bindings; i++)
                        s->portals[i] = binding_portal(j->port->bindings[i]);

                q.verb = BACKEND_RESTORE_TARGET_PORT;
                q.tag = (uint16_t) j->port->key.identifier;
                q.portals = s->portals;
                q.n_portals = j->port->n_bindings;
        }

        return backend_call(s->manager->backends[ROLE_TARGET], &q, job_done, s, &s->call);
}

static void startup_next(Startup *s) {
        int r;

        while (s->next_job < s->n_jobs) {
                const Job *j = s->jobs + s->next_job++;

                if (s->gave_up) {
                        job_fail(s, j, s->gave_up);
                        continue;
                }
                if (s->busy && j->node == s->busy_node) {
                        job_fail(s, j, s->busy);
                        continue;
                }

                r = job_begin(s, j);
                if (r >= 0)
                        return;
                job_fail(s, j, strerror(-r));
        }

        startup_end(s);
}

static void observed(const BackendResult *result, void *userdata) {
        Startup *s = userdata;
        Manager *m = s->manager;
        int r;

        s->call = NULL;

        if (result->refusal == REFUSAL_NONE) {
                s->observation = *result->observation;
                *result->observation = (Observation){};
                for (size_t i = 0; i < s->observation.n_nodes; i++)
                        compare_node(m, s->observation.nodes + i);
        } else {
                log_error("What is in force cannot be seen: %s", result->message);
                s->gave_up = strdup(result->message);
        }

        settle_without_backend(m);
        r = startup_collect(s);
        if (r < 0)
                log_oom();
        startup_next(s);
}

int startup_begin(Manager *m, void (*done)(Manager *m)) {
        BackendRequest q = { .verb = BACKEND_OBSERVE };
        Startup *s;

        s = calloc(1, sizeof(*s));
        if (!s)
                return log_oom();
        s->manager = m;
        s->done = done;
        m->startup = s;

        if (!m->backends[ROLE_TARGET]) {
                settle_without_backend(m);
                startup_end(s);
                return 0;
        }

        return backend_call(m->backends[ROLE_TARGET], &q, observed, s, &s->call);
}
