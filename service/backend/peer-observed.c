/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "backend/peer-observed.h"

#include <errno.h>
#include <string.h>

#include "backend/peer-text.h"
#include "common/array.h"
#include "common/name.h"
#include "common/text.h"
#include "common/verbs.h"

#define PORTAL_TYPE "ssqbb"

/* The longest name of a directory. */
#define DIRECTORY_MAX 255u

/* A sentence about a port, which may have a node's name in it. */
#define DRIFT_MAX 1024u

typedef struct Reader {
        sd_bus_message *m;
        ObservedNode *node;
        size_t n_portals;
        BadEntries bad;
} Reader;

static int read_portal(Reader *r, ObservedPort *port) {
        const char *directory, *address;
        int usable, listening, n;
        ObservedPortal *p;
        uint16_t tcp_port;

        n = sd_bus_message_read(r->m, "(" PORTAL_TYPE ")", &directory, &address, &tcp_port, &usable, &listening);
        if (n <= 0)
                return n;
        if (++r->n_portals > OBSERVED_PORTALS_MAX)
                return -E2BIG;

        n = array_grow(&port->portals, port->n_portals, sizeof(ObservedPortal));
        if (n < 0)
                return n;
        p = &port->portals[port->n_portals++];
        *p = (ObservedPortal){ .usable = usable, .listening = listening };

        p->directory = peer_text(directory, DIRECTORY_MAX);
        if (!p->directory)
                return -ENOMEM;

        if (usable && ip_address_from_text(address, &p->portal.address) < 0) {
                bad_entries_add(&r->bad, "portal \"%.128s\", TCP port %u of %s, %s", address, tcp_port, r->node->name,
                                port->directory);
                p->usable = p->listening = false;
        }
        if (p->usable)
                p->portal.port = tcp_port;
        else
                p->portal = (Portal){};

        return 1;
}

static int read_flag(sd_bus_message *m, bool *ret) {
        int value, n;

        n = sd_bus_message_read(m, "v", "b", &value);
        if (n >= 0)
                *ret = value;
        return n;
}

static int read_text(sd_bus_message *m, size_t max, char **ret) {
        const char *text;
        int n;

        n = sd_bus_message_read(m, "v", "s", &text);
        if (n < 0)
                return n;
        free(*ret);
        *ret = peer_text(text, max);
        return *ret ? n : -ENOMEM;
}

/* Reads the value of the fact NAME into what OF points to. */
typedef int (*read_fact_t)(Reader *r, const char *name, void *of);

static int read_port_fact(Reader *r, const char *name, void *of) {
        ObservedPort *p = of;

        if (strcmp(name, "Interface") == 0)
                return read_text(r->m, DIRECTORY_MAX, &p->interface);
        if (strcmp(name, "InterfaceMissing") == 0)
                return read_flag(r->m, &p->interface_missing);
        if (strcmp(name, "Drift") == 0)
                return read_text(r->m, DRIFT_MAX, &p->drift);
        return sd_bus_message_skip(r->m, "v"); /* a later version knows it */
}

static int read_node_fact(Reader *r, const char *name, void *of) {
        ObservedNode *n = of;

        if (strcmp(name, "Name") == 0)
                return read_text(r->m, ISCSI_NAME_MAX, &n->iscsi_name);
        if (strcmp(name, "Why") == 0)
                return read_text(r->m, DRIFT_MAX, &n->why);
        return sd_bus_message_skip(r->m, "v");
}

static int read_facts(Reader *r, read_fact_t read_fact, void *of) {
        const char *name;
        int n;

        n = sd_bus_message_enter_container(r->m, 'a', "{sv}");
        while (n >= 0 && (n = sd_bus_message_enter_container(r->m, 'e', "sv")) > 0) {
                n = sd_bus_message_read(r->m, "s", &name);
                if (n >= 0)
                        n = read_fact(r, name, of);
                if (n >= 0)
                        n = sd_bus_message_exit_container(r->m);
        }
        return n < 0 ? n : sd_bus_message_exit_container(r->m);
}

/* A port that is bound to an interface is on addresses alone, any other on TCP ports. */
static void check_portals(Reader *r, ObservedPort *port) {
        for (size_t i = 0; i < port->n_portals; i++) {
                ObservedPortal *p = port->portals + i;

                if (!p->usable || (p->portal.port == 0) == (port->interface != NULL))
                        continue;
                bad_entries_add(&r->bad, "portal %s, TCP port %u of %s, %s", p->directory, p->portal.port, r->node->name,
                                port->directory);
                p->usable = p->listening = false;
                p->portal = (Portal){};
        }
}

static int read_port(Reader *r) {
        ObservedPort *p;
        const char *directory;
        int enabled, n;

        n = sd_bus_message_enter_container(r->m, 'r', BACKEND_PORT_TYPE);
        if (n <= 0)
                return n;
        if (r->node->n_ports >= OBSERVED_PORTS_MAX)
                return -E2BIG;

        n = array_grow(&r->node->ports, r->node->n_ports, sizeof(ObservedPort));
        if (n < 0)
                return n;
        p = &r->node->ports[r->node->n_ports++];
        *p = (ObservedPort){};

        n = sd_bus_message_read(r->m, "stb", &directory, &p->identifier, &enabled);
        if (n < 0)
                return n;
        p->enabled = enabled;
        p->directory = peer_text(directory, DIRECTORY_MAX);
        if (!p->directory)
                return -ENOMEM;

        n = sd_bus_message_enter_container(r->m, 'a', "(" PORTAL_TYPE ")");
        while (n >= 0 && (n = read_portal(r, p)) > 0)
                ;
        if (n >= 0)
                n = sd_bus_message_exit_container(r->m);
        if (n >= 0)
                n = read_facts(r, read_port_fact, p);
        check_portals(r, p);
        if (n >= 0)
                n = sd_bus_message_exit_container(r->m);

        return n < 0 ? n : 1;
}

int peer_read_observed(sd_bus_message *m, const char *backend, const char *node, ObservedNode *ret) {
        Reader reader = { .m = m, .node = ret, .bad = { .backend = backend } };
        int exists, r;

        *ret = (ObservedNode){};
        ret->name = strdup(node);
        if (!ret->name)
                return -ENOMEM;

        r = sd_bus_message_read(m, "b", &exists);
        if (r < 0)
                return r;
        ret->exists = exists;

        r = sd_bus_message_enter_container(m, 'a', "(" BACKEND_PORT_TYPE ")");
        while (r >= 0 && (r = read_port(&reader)) > 0)
                ;
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        if (r >= 0)
                r = read_facts(&reader, read_node_fact, reader.node);
        if (r < 0)
                return r;

        bad_entries_end(&reader.bad);
        return ret->exists || ret->n_ports == 0 ? 0 : -EBADMSG;
}

static int compare_names(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

int peer_read_nodes(sd_bus_message *m, const char *backend, char ***ret) {
        BadEntries bad = { .backend = backend };
        const char *name;
        size_t n = 0, n_seen = 0;
        int r;

        *ret = calloc(1, sizeof(char *));
        if (!*ret)
                return -ENOMEM;

        r = sd_bus_message_enter_container(m, 'a', "s");
        if (r < 0)
                return r;

        while ((r = sd_bus_message_read(m, "s", &name)) > 0) {
                if (++n_seen > OBSERVED_NODES_MAX)
                        return -E2BIG;

                /* That it is UTF-8 was checked by sd-bus. */
                if (!*name || strlen(name) > ISCSI_NAME_MAX || text_has_controls(name)) {
                        bad_entries_add(&bad, "node \"%.256s\"", name);
                        continue;
                }

                /* One more than there are names, so that the last is always NULL. */
                r = array_grow(ret, n + 1, sizeof(char *));
                if (r < 0)
                        return r;
                (*ret)[n + 1] = NULL;
                (*ret)[n] = strdup(name);
                if (!(*ret)[n])
                        return -ENOMEM;
                n++;
        }
        if (r < 0)
                return r;

        bad_entries_end(&bad);
        qsort(*ret, n, sizeof(char *), compare_names);
        return sd_bus_message_exit_container(m);
}
