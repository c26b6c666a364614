/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "change/journal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/identifier.h"
#include "common/log.h"
#include "common/name.h"
#include "model/host-node.h"

/* What a line stood for went with its node, whose boot is over, or was deleted since. */
#define NOTHING_LEFT 1

/* What a row says of all its lines. */
typedef struct Row {
        uint64_t id;
        bool forced;
} Row;

static void write_portal(FILE *f, const Binding *b) {
        Portal p = binding_portal(b);
        char text[PORTAL_TEXT_MAX];

        (void) fprintf(f, " %s", p.port ? portal_to_text(&p, text) : ip_address_to_text(&p.address, text));
}

static void write_port(FILE *f, const Port *p) {
        (void) fprintf(f, "port %u %" PRIu64 " %d %s", p->role, p->key.identifier, p->enabled,
                       node_known_as(p->key.node, p->role));
        for (size_t i = 0; i < p->n_bindings; i++)
                if (!p->bindings[i]->pending)
                        write_portal(f, p->bindings[i]);
        (void) fputc('\n', f);
}

static void write_node(FILE *f, const Node *n) {
        (void) fprintf(f, "node %u %d %d %s %s\n", n->roles, n->persistent, (int) n->drift, node_stored_as(n), n->alias);
        for (const Port *p = n->ports; p; p = p->next_of_node)
                write_port(f, p);
}

static void write_operation(FILE *f, const Operation *o) {
        if (!o->kind->removes) {
                if (o->port)
                        (void) fprintf(f, "owed %" PRIu64 " %s\n", o->port->key.identifier,
                                       node_known_as(o->node, o->port->role));
        } else if (o->binding) {
                (void) fprintf(f, "binding %u %" PRIu64 " %s", o->port->role, o->port->key.identifier,
                               node_known_as(o->node, o->port->role));
                write_portal(f, o->binding);
                (void) fputc('\n', f);
        } else if (o->port)
                write_port(f, o->port);
        else
                write_node(f, o->node);
}

#define FORCED " forced"

int journal_add(const Plan *p, StoreChange *change, uint64_t id) {
        _cleanup_free_ char *image = NULL, *action = NULL;
        const Operation *last = NULL;
        size_t size;
        FILE *f;

        f = open_memstream(&image, &size);
        if (!f)
                return -ENOMEM;
        for (size_t i = 0; i < p->n_operations; i++) {
                last = p->operations[i];
                write_operation(f, last);
        }
        if (fclose(f) != 0 || !last || asprintf(&action, "%s%s", last->kind->name, last->force ? FORCED : "") < 0)
                return -ENOMEM;

        return store_change_add(change,
                                &(StoreOperation){ .verb = STORE_ADD_JOURNAL, .id = id, .action = action, .before = image });
}

int journal_drop(StoreChange *change, uint64_t id) {
        return store_change_add(change, &(StoreOperation){ .verb = STORE_REMOVE_JOURNAL, .id = id });
}

static int read_portals(uint16_t role, char *text, Portal **ret, size_t *ret_n) {
        _cleanup_free_ Portal *portals = NULL;
        char *state = NULL;
        size_t n = 0;

        if (!text)
                return -EUCLEAN;
        portals = calloc(strlen(text) + 1,
                         sizeof(Portal)); /* one that another program made may have more than a port of ours can */
        if (!portals)
                return -ENOMEM;
        for (char *p = strtok_r(text, " ", &state); p; p = strtok_r(NULL, " ", &state)) {
                if ((role_info(role)->listens ? portal_from_text(p, portals + n) : ip_address_from_text(p, &portals[n].address)) <
                    0)
                        return -EUCLEAN;
                n++;
        }
        if (n == 0)
                return -EUCLEAN;

        *ret = TAKE_PTR(portals);
        *ret_n = n;
        return 0;
}

/* Takes the word up to the next blank out of *TEXT. *TEXT is NULL after the last word. */
static char *take_word(char **text) {
        char *word = *text;

        if (!word)
                return NULL;
        *text = strchr(word, ' ');
        if (*text)
                *(*text)++ = '\0';
        return word;
}

/* A decimal number of at most MAX. Returns 0 or -EUCLEAN. */
static int take_number(char **text, uint64_t max, uint64_t *ret) {
        const char *word = take_word(text);

        if (!word || !word[0] || word[strspn(word, "0123456789")] || strlen(word) > 15)
                return -EUCLEAN;
        *ret = strtoull(word, NULL, 10);
        return *ret <= max ? 0 : -EUCLEAN;
}

static int take_role(char **text, uint16_t *ret) {
        uint64_t role;
        int r;

        r = take_number(text, ROLE_LAST, &role);
        if (r < 0)
                return r;
        *ret = (uint16_t) role;
        return role_info(role) ? 0 : -EUCLEAN;
}

static int take_identifier(char **text, uint64_t *ret) {
        return take_number(text, IDENTIFIER_MAX, ret);
}

/* The managed node that the next word names. */
static int take_node(Context *c, char **text, Node **ret) {
        const char *name = take_word(text);

        if (!name || !name[0])
                return -EUCLEAN;
        *ret = model_find_known_node(c->model, name);
        return *ret && (*ret)->managed ? 0 : NOTHING_LEFT;
}

static int load_node(Context *c, const Row *row, char *line) {
        _cleanup_free_ char *normal = NULL;
        uint64_t roles, persistent, drift;
        const char *name, *reason;
        Node *n;

        if (take_number(&line, ROLES_ALL, &roles) < 0 || roles == 0 || (roles & ~ROLES_ALL) ||
            take_number(&line, 1, &persistent) < 0 || take_number(&line, _DRIFT_POLICY_MAX - 1, &drift) < 0)
                return -EUCLEAN;
        name = take_word(&line);
        if (!name || !line)
                return -EUCLEAN;
        if (iscsi_name_normalize(name, &normal, &reason) < 0 || strcmp(name, normal) != 0)
                return -EUCLEAN;

        /* As in load.c: what another program has under that name is seen again when the node is looked at. */
        n = model_find_node(c->model, name);
        if (n && !n->managed)
                model_remove_node(c->model, n);
        if (model_add_node(c->model, name, line, (unsigned) roles, true, &n) < 0)
                return -EUCLEAN;
        n->persistent = persistent;
        n->drift = (DriftPolicy) drift;
        n->removal = row->id;
        n->forced = row->forced;
        return model_publish_node(c->model, n);
}

static int load_port(Context *c, const Row *row, char *line) {
        _cleanup_free_ Portal *portals = NULL;
        uint64_t identifier, enabled;
        size_t n_portals;
        uint16_t role;
        Node *n;
        Port *p;
        int r;

        if (take_role(&line, &role) < 0 || take_identifier(&line, &identifier) < 0 || identifier > identifier_max(role) ||
            take_number(&line, 1, &enabled) < 0)
                return -EUCLEAN;
        r = take_node(c, &line, &n);
        if (r != 0)
                return r;
        r = read_portals(role, line, &portals, &n_portals);
        if (r < 0)
                return r;
        r = model_add_port(c->model, n, role, identifier, portals, n_portals, true, &p);
        if (r < 0)
                return r;
        p->enabled = enabled;
        p->removal = row->id;
        p->forced = row->forced;
        return model_publish_port(c->model, p);
}

static int load_binding(Context *c, const Row *row, char *line) {
        _cleanup_free_ Portal *portals = NULL;
        uint64_t identifier;
        size_t n_portals;
        uint16_t role;
        Binding *b;
        Node *n;
        Port *p;
        int r;

        if (take_role(&line, &role) < 0 || take_identifier(&line, &identifier) < 0)
                return -EUCLEAN;
        r = take_node(c, &line, &n);
        if (r != 0)
                return r;
        p = model_find_port(c->model, n, identifier);
        if (!p)
                return NOTHING_LEFT;
        if (p->role != role)
                return -EUCLEAN;
        r = read_portals(role, line, &portals, &n_portals);
        if (r < 0)
                return r;
        if (n_portals != 1)
                return -EUCLEAN;
        r = model_reserve_binding(c->model, p, portals, &b);
        if (r < 0)
                return r;
        model_confirm_binding(c->model, b);
        b->removal = row->id;
        return 0;
}

static int load_owed(Context *c, const Row *row, char *line) {
        uint64_t identifier;
        Node *n;
        Port *p;

        if (take_identifier(&line, &identifier) < 0 || !line || !line[0])
                return -EUCLEAN;

        n = model_find_node(c->model, line);
        p = n ? model_find_port(c->model, n, identifier) : NULL;
        if (!p)
                return NOTHING_LEFT;
        p->owed = true;
        p->owed_row = row->id;
        return 0;
}

static int drop_row(Context *c, uint64_t id) {
        StoreChange *change = store_change_new();
        int r;

        r = change ? journal_drop(change, id) : -ENOMEM;
        if (r < 0) {
                store_change_free(change);
                return r;
        }
        return store_commit(c->store, change, STORE_LAZY, NULL, NULL, NULL);
}

void journal_paid(Context *c, Port *port) {
        uint64_t id = port->owed_row;

        port->owed_row = 0;
        for (Node *n = model_first_node(c->model); n; n = n->hh.next)
                for (const Port *p = n->ports; p; p = p->next_of_node)
                        if (p->owed_row == id)
                                return;

        if (drop_row(c, id) < 0)
                log_oom();
}

int journal_load(Context *c, uint64_t id, const char *action, const char *image) {
        static const struct {
                const char *prefix;
                int (*load)(Context *c, const Row *row, char *line);
        } kinds[] = { { "node ", load_node }, { "port ", load_port }, { "binding ", load_binding }, { "owed ", load_owed } };
        const Row row = { .id = id,
                          .forced = strlen(action) > strlen(FORCED) &&
                                    strcmp(action + strlen(action) - strlen(FORCED), FORCED) == 0 };
        _cleanup_free_ char *text = strdup(image);
        char *state = NULL;
        bool used = false;

        if (!text)
                return -ENOMEM;

        for (char *line = strtok_r(text, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
                int r = -EUCLEAN;

                for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
                        if (strncmp(line, kinds[i].prefix, strlen(kinds[i].prefix)) == 0)
                                r = kinds[i].load(c, &row, line + strlen(kinds[i].prefix));
                if (r == -ENOMEM)
                        return r;
                /* What is removed is not there; if it is, the row and the rest of the store contradict each other. */
                if (r < 0)
                        log_error("Row %" PRIu64 " of the journal (%s) cannot be understood and is passed over: %s", id, action,
                                  line);
                used |= r != NOTHING_LEFT;
        }

        return used ? 0 : drop_row(c, id);
}
