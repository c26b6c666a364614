/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "model/state.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/macro.h"
#include "model/binding.h"
#include "model/object.h"
#include "model/private.h"

#define PORTALS_NAMED_MAX 8u /* in one text */

static const struct {
        uint16_t enabled, operational;
        unsigned severity; /* 0: well */
        const char *text;
} states[_STATE_MAX] = {
        [STATE_STARTING] = { 10, 8, 1, "Not looked at yet" }, /* Starting */
        [STATE_IN_FORCE] = { 2, 2, 0, "In force" },           /* Enabled, OK */
        [STATE_DEGRADED] = { 6, 3, 5, "Not in force" },       /* Enabled but Offline, Degraded */
        [STATE_DRIFTED] = { 2, 3, 3, "Drifted" },             /* Enabled, Degraded */
        [STATE_DISABLED] = { 3, 10, 0, "Not enabled" },       /* Disabled, Stopped */
        [STATE_PARTLY] = { 2, 3, 4, "Partly in force" },      /* Enabled, Degraded */
        [STATE_UNKNOWN] = { 0, 0, 2, "Unknown" },             /* Unknown, Unknown */
};

uint16_t state_enabled(ObjectState state) {
        return states[state].enabled;
}

uint16_t state_operational(ObjectState state) {
        return states[state].operational;
}

const char *state_text(ObjectState state, const char *description) {
        return description ? description : states[state].text;
}

static const char *const drift_policies[_DRIFT_POLICY_MAX] = {
        [DRIFT_DEFAULT] = "default",
        [DRIFT_REPORT] = "report",
        [DRIFT_ENFORCE] = "enforce",
};

const char *drift_policy_to_text(DriftPolicy policy) {
        return drift_policies[policy];
}

int drift_policy_from_text(const char *text, DriftPolicy *ret) {
        for (DriftPolicy i = 0; i < _DRIFT_POLICY_MAX; i++)
                if (strcmp(drift_policies[i], text) == 0) {
                        *ret = i;
                        return 0;
                }

        return -EINVAL;
}

/* The names of the properties that change together. */
typedef struct Changes {
        const char *names[8];
        size_t n;
} Changes;

static void changes_add(Changes *c, const char *name) {
        c->names[c->n++] = name;
}

static void changes_add_state(Changes *c, ObjectState before, ObjectState now, bool other_text) {
        if (states[before].enabled != states[now].enabled)
                changes_add(c, "EnabledState");
        if (states[before].operational != states[now].operational)
                changes_add(c, "OperationalStatus");
        if (other_text)
                changes_add(c, "StatusDescriptions");
}

static bool address_is_here(const Binding *b) {
        const IpEndpoint *ip = binding_ip(b);

        return ip->present || ip_address_is_wildcard(&ip->address);
}

static bool binding_is_up(const Binding *b) {
        return b->port->evidence.valid && b->port->evidence.enabled && address_is_here(b) && (!b->key.tcp || b->listening);
}

/* One that is not made yet, or is being taken away, is no part of what is desired. */
static bool binding_counts(const Binding *b) {
        return !b->pending && !b->removal;
}

bool binding_is_listening(const Binding *b) {
        return b->key.tcp && !b->pending && binding_is_up(b);
}

/* Nobody's wish but that of the program which made it is known of a port that is not ours: it is desired as it is. */
static bool port_is_desired_enabled(const Port *p) {
        return p->managed ? p->enabled : p->evidence.enabled;
}

static ObjectState port_derive(const Port *p) {
        size_t n_up = 0, n = 0;

        for (size_t i = 0; i < p->n_bindings; i++) {
                n += binding_counts(p->bindings[i]);
                n_up += binding_counts(p->bindings[i]) && binding_is_up(p->bindings[i]);
        }

        if (!p->evidence.enabled)
                return port_is_desired_enabled(p) ? STATE_DEGRADED : STATE_DISABLED;
        if (!port_is_desired_enabled(p))
                return STATE_DRIFTED;
        if (n_up == 0 && (n > 0 || p->role == ROLE_TARGET)) /* an initiator's without addresses is on any of the host's */
                return STATE_DEGRADED;
        if (n_up < n)
                return STATE_PARTLY;
        return p->evidence.drift ? STATE_DRIFTED : STATE_IN_FORCE;
}

/* A text that begins with what the state means, goes on with ": " and separates its clauses by "; ". */
typedef struct Text {
        FILE *file;
        size_t n_clauses;
} Text;

static void text_begin_clause(Text *t) {
        (void) fputs(t->n_clauses++ == 0 ? ": " : "; ", t->file);
}

static void text_add(Text *t, const char *clause) {
        if (!clause)
                return;

        text_begin_clause(t);
        (void) fputs(clause, t->file);
}

static void text_add_portals(Text *t, const Port *p) {
        size_t n = 0;

        if (p->n_bindings == 0)
                text_add(t, "it has no portal");

        for (size_t i = 0; i < p->n_bindings; i++) {
                const Binding *b = p->bindings[i];

                if (!binding_counts(b) || binding_is_up(b) || (address_is_here(b) && p->evidence.why)) /* which says it already */
                        continue;
                if (++n > PORTALS_NAMED_MAX)
                        continue;
                text_begin_clause(t);
                (void) fprintf(t->file, "portal %s %s", b->key.tcp ? b->key.tcp->name : b->ip->name,
                               address_is_here(b) ? "does not listen" : "waits for its address, which is not on this host");
        }

        if (n > PORTALS_NAMED_MAX) {
                text_begin_clause(t);
                (void) fprintf(t->file, "and %zu more portals", n - PORTALS_NAMED_MAX);
        }
}

static void text_add_port(Text *t, const Port *p, ObjectState state) {
        (void) fputs(state == STATE_DISABLED ? "Switched off on request" : states[state].text, t->file);

        if (state == STATE_DRIFTED && !port_is_desired_enabled(p))
                text_add(t, "it is switched on, but was switched off on request");
        text_add(t, p->evidence.why);
        if (state == STATE_DEGRADED && !p->evidence.enabled && !p->evidence.why && !p->evidence.drift)
                text_add(t, "it is not enabled in the kernel");
        text_add(t, p->evidence.drift);
        if (p->evidence.enabled && state != STATE_DRIFTED)
                text_add_portals(t, p);
}

/* What people read about the port. NULL: what the state means is enough, or no memory. */
static char *port_describe(const Port *p, ObjectState state) {
        char *text = NULL;
        size_t size;
        Text t = {};

        if (state == STATE_IN_FORCE || (state == STATE_DISABLED && !p->managed))
                return NULL;

        t.file = open_memstream(&text, &size);
        if (!t.file)
                return NULL;
        text_add_port(&t, p, state);
        if (fclose(t.file) != 0)
                free(TAKE_PTR(text));
        return text;
}

/* Takes the new state in. Returns whether the text that people read is another one. */
static bool replace_state(ObjectState *state, char **description, ObjectState new_state, char *new_description) {
        bool other = strcmp(state_text(*state, *description), state_text(new_state, new_description)) != 0;

        *state = new_state;
        free(*description);
        *description = new_description;
        return other;
}

/* Brings told_listening up to date. Returns whether ListeningOn is another list; a binding that is gone shows in the number
 * alone. */
static bool port_update_listening(Port *p) {
        bool changed = false;
        size_t n = 0;

        for (size_t i = 0; i < p->n_bindings; i++) {
                Binding *b = p->bindings[i];
                bool listening = binding_is_listening(b);

                n += listening;
                changed = changed || listening != b->told_listening;
                b->told_listening = listening;
        }

        changed = changed || n != p->n_listening;
        p->n_listening = n;
        return changed;
}

static void port_replace_state(Model *m, Port *p, ObjectState state, char *description, const char *also) {
        ObjectState before = p->state;
        Changes c = {};
        bool other_text;

        if (also)
                changes_add(&c, also);

        if (p->object.path)
                node_discount_port(m, p);
        other_text = replace_state(&p->state, &p->description, state, description);
        if (p->object.path)
                node_count_port(m, p);

        changes_add_state(&c, before, state, other_text);
        if (port_update_listening(p))
                changes_add(&c, "ListeningOn");
        if (c.n > 0)
                object_tell(m, &p->object, c.names);
        if (p->object.path)
                node_derive_state(m, p->key.node, NULL);
}

void port_derive_state(Model *m, Port *p, const char *also) {
        ObjectState state;

        if (!p->evidence.valid) {
                if (also)
                        object_tell_changed(m, &p->object, also);
                return;
        }

        state = port_derive(p);
        port_replace_state(m, p, state, port_describe(p, state), also);
}

static void replace_text(char **text, const char *with) {
        free(*text);
        *text = with ? strdup(with) : NULL;
}

void model_set_port_observed(Model *m, Port *p, const PortObservation *o) {
        p->evidence.valid = true;
        p->evidence.enabled = o->enabled;
        replace_text(&p->evidence.drift, o->drift);
        replace_text(&p->evidence.why, o->why);
        for (size_t i = 0; i < p->n_bindings; i++)
                p->bindings[i]->listening = o->listening && o->listening[i];

        port_derive_state(m, p, NULL);
}

void model_set_port_state(Model *m, Port *p, ObjectState state, const char *description) {
        p->evidence.valid = p->evidence.enabled = state == STATE_IN_FORCE;
        replace_text(&p->evidence.drift, NULL);
        replace_text(&p->evidence.why, NULL);
        for (size_t i = 0; i < p->n_bindings; i++)
                p->bindings[i]->listening = p->evidence.valid;

        if (p->evidence.valid)
                port_derive_state(m, p, NULL);
        else
                port_replace_state(m, p, state, description ? strdup(description) : NULL, NULL);
}

void model_set_port_enabled(Model *m, Port *p, bool enabled) {
        if (p->enabled == enabled)
                return;

        p->enabled = enabled;
        port_derive_state(m, p, "RequestedState");
}

void model_switch_port(Model *m, Port *p, bool enabled) {
        bool other = p->enabled != enabled;

        p->enabled = enabled;
        p->evidence.valid = true;
        p->evidence.enabled = enabled;
        replace_text(&p->evidence.drift, NULL);
        replace_text(&p->evidence.why, NULL);
        port_derive_state(m, p, other ? "RequestedState" : NULL);
}

/* The state that counts most among the published ports. */
static ObjectState node_worst_port_state(const Node *n) {
        ObjectState worst = STATE_IN_FORCE;

        for (ObjectState s = 0; s < _STATE_MAX; s++)
                if (n->n_ports_in[s] > 0 && states[s].severity > states[worst].severity)
                        worst = s;

        return worst;
}

static bool port_comes_first(const Port *p, const Port *other) {
        return !other || p->key.identifier < other->key.identifier;
}

/* Walking over all ports is needed only when the worst one got better or went. */
static Port *node_find_worst_port(const Node *n, ObjectState state) {
        Port *worst = NULL;

        for (Port *p = n->ports; p; p = p->next_of_node)
                if (p->object.path && p->state == state && port_comes_first(p, worst))
                        worst = p;

        return worst;
}

void node_count_port(_unused_ Model *m, Port *p) {
        Node *n = p->key.node;

        n->n_ports_in[p->state]++;
        if (n->worst && (states[p->state].severity > states[n->worst->state].severity ||
                         (p->state == n->worst->state && port_comes_first(p, n->worst))))
                n->worst = p;
}

void node_discount_port(_unused_ Model *m, Port *p) {
        Node *n = p->key.node;

        n->n_ports_in[p->state]--;
        if (n->worst == p)
                n->worst = NULL;
}

/* NULL: what the state means is enough, or no memory. */
static char *node_describe_ports(const Node *n) {
        unsigned n_wrong = 0;
        char *text;
        int r;

        if (!n->worst)
                return NULL;

        for (ObjectState s = 0; s < _STATE_MAX; s++)
                if (states[s].severity > 0)
                        n_wrong += n->n_ports_in[s];

        if (n_wrong > 1)
                r = asprintf(&text, "Port %012llX: %s; %u more %s not as desired", (unsigned long long) n->worst->key.identifier,
                             state_text(n->worst->state, n->worst->description), n_wrong - 1,
                             n_wrong == 2 ? "port is" : "ports are");
        else
                r = asprintf(&text, "Port %012llX: %s", (unsigned long long) n->worst->key.identifier,
                             state_text(n->worst->state, n->worst->description));
        return r < 0 ? NULL : text;
}

void node_derive_state(Model *m, Node *n, const char *also) {
        ObjectState before = n->state, ports = node_worst_port_state(n);
        Changes c = {};
        bool other_text;

        if (also)
                changes_add(&c, also);

        if (!n->going) {
                if (states[ports].severity == 0 || ports == STATE_STARTING) /* whose text names no port */
                        n->worst = NULL;
                else if (!n->worst || n->worst->state != ports)
                        n->worst = node_find_worst_port(n, ports);

                if (states[ports].severity > states[n->own.state].severity)
                        other_text = replace_state(&n->state, &n->description, ports, node_describe_ports(n));
                else
                        other_text = replace_state(&n->state, &n->description, n->own.state,
                                                   n->own.description ? strdup(n->own.description) : NULL);
                changes_add_state(&c, before, n->state, other_text);
        }

        if (c.n > 0)
                object_tell(m, &n->object, c.names);
}

void model_set_node_state(Model *m, Node *n, ObjectState state, const char *description) {
        n->own.state = state;
        replace_text(&n->own.description, description);
        node_derive_state(m, n, NULL);
}
