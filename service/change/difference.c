/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "change/difference.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "change/journal.h"
#include "common/log.h"
#include "model/host-node.h"
#include "model/state.h"

/* A portal of ours is recognised by the directory name that we wrote. The worker knows what the name means now: its interface may
 * be gone, or be another one. */
static const ObservedPortal *find_portal(const ObservedPort *o, const Portal *portal) {
        char text[PORTAL_TEXT_MAX];

        portal_to_text(portal, text);
        for (size_t i = 0; o && i < o->n_portals; i++)
                if (strcmp(o->portals[i].directory, text) == 0 ||
                    (o->portals[i].usable && portal_compare(&o->portals[i].portal, portal) == 0))
                        return o->portals + i;

        return NULL;
}

static const ObservedPort *find_port(const ObservedNode *o, uint64_t identifier, size_t *ret_n) {
        const ObservedPort *found = NULL;
        size_t n = 0;

        for (size_t i = 0; o->exists && i < o->n_ports; i++)
                if (o->ports[i].identifier == identifier) {
                        if (!found)
                                found = o->ports + i;
                        n++;
                }

        if (ret_n)
                *ret_n = n;
        return found;
}

static int add_repair(Difference *d, Verb verb, Port *port, Binding *binding) {
        Repair *repairs;

        if ((d->n_repairs & (d->n_repairs + 1)) == 0) {
                repairs = reallocarray(d->repairs, 2 * (d->n_repairs + 1), sizeof(Repair));
                if (!repairs)
                        return -ENOMEM;
                d->repairs = repairs;
        }

        d->repairs[d->n_repairs++] = (Repair){
                .item = { .verb = verb, .identifier = port ? port->key.identifier : 0 },
                .portal = binding ? binding_portal(binding) : (Portal){},
                .port = port,
                .binding = binding,
        };
        return 0;
}

/* Whether the address is on this host, but not on the interface that the port is bound to. */
static bool is_elsewhere(const Binding *b, const ObservedPort *o) {
        Portal portal = binding_portal(b);

        return b->ip && b->ip->present && !b->pending && !b->removal && !find_portal(o, &portal);
}

static bool has_elsewhere(const Port *p, const ObservedPort *o) {
        for (size_t i = 0; i < p->n_bindings; i++)
                if (is_elsewhere(p->bindings[i], o))
                        return true;

        return false;
}

/* A port that is bound to an interface follows its addresses to another one if the old one is gone: it was renamed. If it is
 * there still, the addresses have moved, and another administrator may have had a reason. */
static bool wants_remake(const Port *p, const ObservedPort *o, RepairPolicy policy) {
        if (!o || !o->interface)
                return false;
        if (has_elsewhere(p, o) && (o->interface_missing || policy == REPAIR_ALL))
                return true;
        return o->drift && (policy == REPAIR_ALL || p->owed);
}

/* Switching a port on or off is a repair only where it is owed, or where everything is put right: another administrator may have
 * had a reason. */
static bool wants_switch(const Port *p, const ObservedPort *o, RepairPolicy policy) {
        bool enabled = o && o->enabled;

        if (enabled == p->enabled)
                return false;
        return !o || p->owed || policy == REPAIR_ALL;
}

static bool wants_portal(const Binding *b, const ObservedPortal *o, RepairPolicy policy) {
        if (b->pending || b->removal)
                return false;
        if (o)
                return !o->listening && role_info(b->port->role)->listens;
        return b->owed || policy != REPAIR_OWED;
}

/* ON_ADDRESSES: where an address is not on this host there is no interface that the port could be bound to for it. */
static int repair_port(Difference *d, Port *p, const ObservedPort *o, RepairPolicy policy, bool on_addresses) {
        int r;

        if (wants_remake(p, o, policy))
                o = NULL; /* as one that is not there */
        else if (!o && !p->owed && policy == REPAIR_OWED)
                return 0;

        if (!o) {
                r = add_repair(d, VERB_MAKE_PORT, p, NULL);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < p->n_bindings; i++) {
                Binding *b = p->bindings[i];
                Portal portal = binding_portal(b);

                if ((on_addresses && (o || !b->ip->present)) ||
                    !wants_portal(b, find_portal(o, &portal), o ? policy : REPAIR_ALL))
                        continue;
                r = add_repair(d, VERB_BIND_PORTAL, p, b);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* After all portals of all ports: the worker then looks once whether all of them listen. */
static int repair_switch(Difference *d, Port *p, const ObservedPort *o, RepairPolicy policy) {
        if ((!o && !p->owed && policy == REPAIR_OWED) || !wants_switch(p, o, policy))
                return 0;

        return add_repair(d, p->enabled ? VERB_ENABLE_PORT : VERB_DISABLE_PORT, p, NULL);
}

static bool port_is_ours(const Port *p, uint16_t role) {
        return p->managed && p->role == role && p->object.path && !p->removal;
}

static bool owes_something(const Node *n, uint16_t role) {
        for (const Port *p = n->ports; p; p = p->next_of_node)
                if (port_is_ours(p, role) && p->owed)
                        return true;

        return false;
}

int difference_new(Node *node, uint16_t role, const ObservedNode *o, RepairPolicy policy, Difference *ret) {
        _cleanup_(difference_done) Difference d = {};
        int r;

        if (!o->exists && (policy != REPAIR_OWED || node->owed || owes_something(node, role))) {
                r = add_repair(&d, VERB_CREATE_NODE, NULL, NULL);
                if (r < 0)
                        return r;
        }
        for (Port *p = node->ports; p; p = p->next_of_node)
                if (port_is_ours(p, role)) {
                        r = repair_port(&d, p, find_port(o, p->key.identifier, NULL), policy, o->on_addresses);
                        if (r < 0)
                                return r;
                }
        d.first_switch = d.n_repairs;
        for (Port *p = node->ports; p; p = p->next_of_node)
                if (port_is_ours(p, role)) {
                        r = repair_switch(&d, p, find_port(o, p->key.identifier, NULL), policy);
                        if (r < 0)
                                return r;
                }

        /* Only now, since the array moved as it grew. */
        for (size_t i = 0; i < d.n_repairs; i++)
                if (d.repairs[i].binding) {
                        d.repairs[i].item.portals = &d.repairs[i].portal;
                        d.repairs[i].item.n_portals = 1;
                }

        *ret = d;
        d = (Difference){};
        return 0;
}

void difference_done(Difference *d) {
        free(d->repairs);
        *d = (Difference){};
}

/* What is known of one port after the repairs. */
typedef struct Evidence {
        const ObservedPort *seen;
        bool exists, enabled;
        bool *listening; /* of each binding */
        const char *why; /* the first reason why something could not be done */
        char *drift;
} Evidence;

static const BackendItemResult *result_of(Difference *d, const BackendItemResult *results, const Port *p, const Binding *b,
                                          Verb verb) {
        bool is_switch = verb == VERB_ENABLE_PORT || verb == VERB_DISABLE_PORT;
        size_t begin = is_switch ? d->first_switch : 0, n = is_switch ? d->n_repairs - begin : d->first_switch;

        if (!results)
                return NULL;

        /* Asked for in the order in which they stand: the one wanted is near the one found last. */
        for (size_t k = 0; k < n; k++) {
                size_t i = begin + (d->found[is_switch] + k) % n;
                const Repair *repair = d->repairs + i;

                if (repair->port == p && repair->binding == b && repair->item.verb == verb) {
                        d->found[is_switch] = i - begin;
                        return results + i;
                }
        }

        return NULL;
}

static bool was_done(Evidence *e, const BackendItemResult *r) {
        if (r && r->refusal != REFUSAL_NONE && !e->why)
                e->why = r->message;
        return r && r->refusal == REFUSAL_NONE;
}

static bool has_failed(const BackendItemResult *r) {
        return r && r->refusal != REFUSAL_NONE;
}

static void add_drift(Evidence *e, const char *format, ...) _printf_(2, 3);
static void add_drift(Evidence *e, const char *format, ...) {
        char *more, *both;
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(&more, format, ap);
        va_end(ap);
        if (n < 0)
                return;
        if (!e->drift) {
                e->drift = more;
                return;
        }
        if (asprintf(&both, "%s; %s", e->drift, more) >= 0) {
                free(e->drift);
                e->drift = both;
        }
        free(more);
}

/* What is said of a port that is bound to an interface, unless it was just made anew. */
static void look_at_interface(Evidence *e, const Port *p, const BackendItemResult *made) {
        const ObservedPort *o = e->seen;

        if (!o || !o->interface || (made && made->refusal == REFUSAL_NONE))
                return;

        if (o->drift)
                add_drift(e, "%s", o->drift);
        if (o->interface_missing)
                add_drift(e, "network interface %s, which it is bound to, is not there", o->interface);
        for (size_t i = 0; i < p->n_bindings && !o->drift; i++)
                if (is_elsewhere(p->bindings[i], o))
                        add_drift(e, "address %s is on network interface %s, and it is bound to %s", p->bindings[i]->ip->name,
                                  p->bindings[i]->ip->attributes.interface, o->interface);
}

static void look_at_portals(Evidence *e, Port *p, Difference *d, const BackendItemResult *results) {
        bool listens = role_info(p->role)->listens;

        for (size_t i = 0; i < p->n_bindings; i++) {
                Binding *b = p->bindings[i];
                const BackendItemResult *r = result_of(d, results, p, b, VERB_BIND_PORTAL);
                Portal portal = binding_portal(b);
                const ObservedPortal *seen = find_portal(e->seen, &portal);
                char text[PORTAL_TEXT_MAX];

                e->listening[i] = (seen && (seen->listening || !listens)) || was_done(e, r);
                if (e->listening[i] || !listens)
                        b->owed = false;
                else if (r)
                        b->owed = true;
                else if (!seen && e->seen && !b->owed && !b->pending && !b->removal)
                        add_drift(e, "portal %s was removed by another program", portal_to_text(&portal, text));
        }
}

static void look_for_surplus(Evidence *e, const Port *p, size_t n_directories) {
        if (n_directories > 1)
                add_drift(e, "another program made a second port with this Identifier");

        /* Whoever is bound to an interface may use all of its addresses. */
        for (size_t k = 0; e->seen && !e->seen->interface && k < e->seen->n_portals; k++) {
                bool ours = false;

                for (size_t i = 0; i < p->n_bindings && !ours; i++) {
                        Portal portal = binding_portal(p->bindings[i]);

                        ours = find_portal(e->seen, &portal) == e->seen->portals + k;
                }
                if (!ours)
                        add_drift(e, "it is also on portal %s, which was not bound by this service",
                                  e->seen->portals[k].directory);
        }
}

static void look_at_switch(Evidence *e, Port *p, Difference *d, const BackendItemResult *results) {
        const BackendItemResult *on = result_of(d, results, p, NULL, VERB_ENABLE_PORT),
                                *off = result_of(d, results, p, NULL, VERB_DISABLE_PORT);

        e->enabled = e->seen && e->seen->enabled;
        if (was_done(e, on))
                e->enabled = true;
        if (was_done(e, off))
                e->enabled = false;
        if (has_failed(on) || has_failed(off) || has_failed(result_of(d, results, p, NULL, VERB_MAKE_PORT)))
                p->owed = true; /* it is tried again */

        if (!e->exists && !p->owed)
                add_drift(e, "it was removed by another program");
        else if (e->exists && e->enabled != p->enabled && !p->owed)
                add_drift(e, "it was switched %s by another program", e->enabled ? "on" : "off");
}

/* Says in the log that the port is in another state. */
static void tell_port(Port *p, ObjectState before) {
        const char *text = state_text(p->state, p->description);

        if (p->state == STATE_DRIFTED || p->state == STATE_DEGRADED || p->state == STATE_PARTLY)
                log_warning("Port %012llX of node %s: %s", (unsigned long long) p->key.identifier, p->key.node->name, text);
        else if (before != STATE_STARTING)
                log_info("Port %012llX of node %s: %s", (unsigned long long) p->key.identifier, p->key.node->name, text);
        p->moved_by_address = false;
}

/* What the backend calls the port: sessions name an initiator port so. A name that is not there any more can still be one that
 * sessions have. */
static void note_record(Context *c, Port *p, const ObservedPort *o) {
        if (o && model_set_port_record(c->model, p, o->directory) < 0)
                (void) log_oom();
}

static void settle_port(Context *c, Port *p, const ObservedNode *o, Difference *d, const BackendItemResult *results,
                        const char *why) {
        _cleanup_free_ bool *listening = calloc(p->n_bindings + 1, sizeof(bool));
        ObjectState before = p->state;
        size_t n_directories = 0;
        Evidence e = { .listening = listening, .why = why };

        if (!listening) {
                (void) log_oom();
                return;
        }

        e.seen = find_port(o, p->key.identifier, &n_directories);
        note_record(c, p, e.seen);
        e.exists = e.seen || was_done(&e, result_of(d, results, p, NULL, VERB_MAKE_PORT));
        look_at_portals(&e, p, d, results);
        look_at_switch(&e, p, d, results);
        look_for_surplus(&e, p, n_directories);
        look_at_interface(&e, p, result_of(d, results, p, NULL, VERB_MAKE_PORT));
        if (e.exists && e.enabled == p->enabled)
                p->owed = false;
        if (!p->owed && p->owed_row)
                journal_paid(c, p);

        model_set_port_observed(
                c->model, p,
                &(PortObservation){ .enabled = e.enabled, .listening = e.listening, .drift = e.drift, .why = e.why });
        free(e.drift);

        if (p->state != before || p->moved_by_address)
                tell_port(p, before);
}

/* The backends of a node's roles are looked at one after the other: it is in force when all of them have it, and what is wrong
 * with the first of them is told. */
static void settle_node(Context *c, Node *n, uint16_t role, const ObservedNode *o, Difference *d,
                        const BackendItemResult *results, const char *why) {
        const BackendItemResult *made = result_of(d, results, NULL, NULL, VERB_CREATE_NODE);
        _cleanup_free_ char *text = NULL;

        n->owed = !o->exists && has_failed(made);
        if (!o->why && (o->exists || (made && made->refusal == REFUSAL_NONE))) {
                n->roles_wrong &= ~ROLE_BIT(role);
                if (n->roles_wrong == 0)
                        model_set_node_state(c->model, n, STATE_IN_FORCE, NULL);
                return;
        }

        n->roles_wrong |= ROLE_BIT(role);
        if (n->roles_wrong & (ROLE_BIT(role) - 1))
                return;
        if (made)
                why = made->message;
        if (o->why)
                why = o->why;
        if (asprintf(&text, "%s%s", why ? "Not in force: " : "Drifted: it was removed by another program", why ? why : "") < 0)
                text = NULL;
        if (n->state != STATE_DEGRADED)
                log_warning("Node %s: %s", n->name, text ? text : "not in force");
        model_set_node_state(c->model, n, STATE_DEGRADED, text);
}

size_t difference_settle(Context *c, Node *node, uint16_t role, const ObservedNode *o, Difference *d,
                         const BackendItemResult *results, const char *why) {
        size_t n_failed = 0;

        settle_node(c, node, role, o, d, results, why);
        for (Port *p = node->ports; p; p = p->next_of_node)
                if (port_is_ours(p, role))
                        settle_port(c, p, o, d, results, why);

        for (size_t i = 0; i < d->n_repairs; i++)
                n_failed += !results || results[i].refusal != REFUSAL_NONE;
        return n_failed;
}

static bool shows_portals(const Port *p, const ObservedPort *o) {
        size_t n = 0;

        for (size_t i = 0; i < o->n_portals; i++) {
                bool found = false;

                if (!o->portals[i].usable)
                        continue;
                n++;
                for (size_t k = 0; k < p->n_bindings && !found; k++) {
                        Portal portal = binding_portal(p->bindings[k]);

                        found = portal_compare(&portal, &o->portals[i].portal) == 0;
                }
                if (!found)
                        return false;
        }

        return n == p->n_bindings;
}

static void show_foreign_state(Context *c, Port *p, const ObservedPort *o) {
        _cleanup_free_ bool *listening = calloc(p->n_bindings + 1, sizeof(bool));

        if (!listening)
                return;
        for (size_t i = 0; i < p->n_bindings; i++) {
                Portal portal = binding_portal(p->bindings[i]);
                const ObservedPortal *seen = find_portal(o, &portal);

                listening[i] = seen && seen->listening;
        }
        p->enabled = o->enabled && !o->interface_missing;
        note_record(c, p, o);
        model_set_port_observed(c->model, p, &(PortObservation){ .enabled = p->enabled, .listening = listening });
}

static int add_foreign_port(Context *c, Node *n, uint16_t role, const ObservedPort *o) {
        _cleanup_free_ Portal *portals = calloc(o->n_portals + 1, sizeof(Portal));
        size_t n_portals = 0;
        Port *p;
        int r;

        if (!portals)
                return -ENOMEM;
        if (limit_is_reached(c->model, &c->abilities, OBJECT_PORT))
                return -EDQUOT;

        for (size_t i = 0; i < o->n_portals; i++)
                if (o->portals[i].usable)
                        portals[n_portals++] = o->portals[i].portal;
        r = model_add_port(c->model, n, role, o->identifier, portals, n_portals, false, &p);
        if (r < 0)
                return r;
        show_foreign_state(c, p, o);
        return model_publish_port(c->model, p);
}

static void show_foreign_port(Context *c, Node *n, uint16_t role, const ObservedPort *o) {
        Port *p = model_find_port(c->model, n, o->identifier);
        int r;

        if (p && (p->managed || p->role != role))
                return;
        if (p && shows_portals(p, o)) {
                show_foreign_state(c, p, o);
                return;
        }
        if (p)
                model_remove_port(c->model, p);

        r = add_foreign_port(c, n, role, o);
        if (r < 0)
                log_warning_errno(r, "Port %llu of node %s, made by another program, is not shown",
                                  (unsigned long long) o->identifier, n->name);
}

static int add_foreign_node(Context *c, const char *name, uint16_t role, Node **ret) {
        int r;

        if (limit_is_reached(c->model, &c->abilities, OBJECT_NODE))
                return -EDQUOT;
        r = model_add_node(c->model, name, "", ROLE_BIT(role), false, ret);
        if (r < 0)
                return r;
        model_set_node_state(c->model, *ret, STATE_IN_FORCE, NULL);
        return model_publish_node(c->model, *ret);
}

/* The backend of ROLE has the node, or not any more. A node that no backend has is gone. */
static void show_foreign_role(Context *c, Node *n, uint16_t role, bool exists) {
        unsigned roles = exists ? n->roles | ROLE_BIT(role) : n->roles & ~ROLE_BIT(role);

        if (roles == 0) {
                model_remove_node(c->model, n);
                return;
        }

        if (exists)
                model_set_node_state(c->model, n, STATE_IN_FORCE, NULL); /* it was not known if the last look failed */
        model_set_node_roles(c->model, n, roles);
}

void difference_show_foreign(Context *c, uint16_t role, const ObservedNode *o) {
        Node *n = model_find_known_node(c->model, o->name);
        Port *next;
        int r;

        if (!n && o->exists) {
                r = add_foreign_node(c, o->name, role, &n);
                if (r < 0) {
                        log_warning_errno(r, "Node %s, made by another program, is not shown", o->name);
                        return;
                }
        }
        if (!n)
                return;

        for (Port *p = n->ports; p; p = next) {
                next = p->next_of_node;
                if (!p->managed && p->role == role && !find_port(o, p->key.identifier, NULL))
                        model_remove_port(c->model, p);
        }
        for (size_t i = 0; o->exists && i < o->n_ports; i++)
                if (find_port(o, o->ports[i].identifier, NULL) == o->ports + i)
                        show_foreign_port(c, n, role, o->ports + i);

        if (!n->managed)
                show_foreign_role(c, n, role, o->exists);
}
