/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "backend/peer-message.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/array.h"
#include "common/log.h"
#include "common/name.h"
#include "common/text.h"

/* How many of an observation's bad entries are logged one by one. */
#define BAD_ENTRIES_LOGGED 8u

#define BIT(refusal) (UINT64_C(1) << (refusal))
_Static_assert(_REFUSAL_MAX <= 64, "a set of refusals fits into 64 bits");

/* What each verb may answer: the comments of interfaces/org.iscsi.Backend.xml. Degraded is for all that change something. */
#define ALWAYS (BIT(REFUSAL_BUSY) | BIT(REFUSAL_BACKEND_UNAVAILABLE) | BIT(REFUSAL_FAILED) | BIT(REFUSAL_INVALID_PARAMETER))
#define CHANGES (ALWAYS | BIT(REFUSAL_DEGRADED))
#define OF_PORTALS                                                                                                             \
        (BIT(REFUSAL_TCP_IN_USE) | BIT(REFUSAL_ADDRESS_IN_USE) | BIT(REFUSAL_ADDRESS_OVERLAP) | BIT(REFUSAL_PORTAL_SHADOWED) | \
         BIT(REFUSAL_SCOPE_MISSING))

static const uint64_t allowed[_BACKEND_VERB_MAX] = {
        [BACKEND_CREATE_NODE] = CHANGES | BIT(REFUSAL_NAME_IN_USE),
        [BACKEND_DELETE_NODE] = CHANGES,
        [BACKEND_CREATE_TARGET_PORT] = CHANGES | OF_PORTALS | BIT(REFUSAL_IDENTIFIER_IN_USE),
        [BACKEND_RESTORE_TARGET_PORT] = CHANGES | OF_PORTALS,
        [BACKEND_UNDO_TARGET_PORT] = CHANGES,
        [BACKEND_DELETE_TARGET_PORT] = CHANGES | BIT(REFUSAL_SESSIONS_ACTIVE),
        [BACKEND_BIND_PORTAL] = CHANGES | OF_PORTALS | BIT(REFUSAL_ENDPOINT_NON_EXISTENT),
        [BACKEND_UNBIND_PORTAL] = CHANGES,
        [BACKEND_CHECK_SESSIONS] = ALWAYS | BIT(REFUSAL_SESSIONS_ACTIVE),
        [BACKEND_OBSERVE] = ALWAYS,
};

static int append_portals(sd_bus_message *m, const Portal *portals, size_t n) {
        char text[IP_ADDRESS_TEXT_MAX];
        int r;

        r = sd_bus_message_open_container(m, 'a', "(sq)");
        if (r < 0)
                return r;

        for (size_t i = 0; i < n; i++) {
                r = sd_bus_message_append(m, "(sq)", ip_address_to_text(&portals[i].address, text), portals[i].port);
                if (r < 0)
                        return r;
        }

        return sd_bus_message_close_container(m);
}

int peer_call_to_message(const BackendCall *c, sd_bus *bus, sd_bus_message **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        char text[IP_ADDRESS_TEXT_MAX];
        int r;

        r = sd_bus_message_new_method_call(bus, &m, NULL, PEER_PATH, PEER_INTERFACE, backend_verb_name(c->verb));
        if (r < 0)
                return r;

        switch (c->verb) {
        case BACKEND_CREATE_NODE:
        case BACKEND_DELETE_NODE:
        case BACKEND_CHECK_SESSIONS:
                r = sd_bus_message_append(m, "s", c->node);
                break;
        case BACKEND_CREATE_TARGET_PORT:
        case BACKEND_RESTORE_TARGET_PORT:
        case BACKEND_UNDO_TARGET_PORT:
                r = sd_bus_message_append(m, "sq", c->node, c->tag);
                if (r >= 0)
                        r = append_portals(m, c->portals, c->n_portals);
                break;
        case BACKEND_DELETE_TARGET_PORT:
                r = sd_bus_message_append(m, "sq", c->node, c->tag);
                break;
        case BACKEND_BIND_PORTAL:
        case BACKEND_UNBIND_PORTAL:
                r = sd_bus_message_append(m, "sqsq", c->node, c->tag, ip_address_to_text(&c->portals[0].address, text),
                                          c->portals[0].port);
                break;
        case BACKEND_OBSERVE:
        case _BACKEND_VERB_MAX:
                r = 0;
                break;
        }
        if (r < 0)
                return r;

        *ret = TAKE_PTR(m);
        return 0;
}

/* A copy of at most PEER_TEXT_MAX bytes, cut between characters, with blanks for control characters. */
static char *clean_text(const char *text) {
        char *copy;

        copy = strndup(text, (size_t) text_excerpt(text, PEER_TEXT_MAX));
        if (copy)
                text_mask_controls(copy, ' ');

        return copy;
}

static void read_error(const sd_bus_error *e, const char *backend, BackendVerb verb, PeerAnswer *a) {
        _cleanup_free_ char *text = clean_text(e->message ?: "");
        Refusal refusal;

        refusal = refusal_from_error_name(e->name);
        if (refusal != REFUSAL_NONE && (allowed[verb] & BIT(refusal))) {
                a->refusal = refusal;
                a->message = text && *text ? TAKE_PTR(text) : strdup(refusal_meaning(refusal));
                return;
        }

        log_warning("Backend %s answered %s with an error that it may not give: %s: %s", backend, backend_verb_name(verb),
                    e->name, text && *text ? text : "(no message)");

        a->refusal = REFUSAL_UNSPECIFIED;
        if (asprintf(&a->message,
                     "Backend %s failed in %s for a reason that this service does not know%s%s; the service's log gives it",
                     backend, backend_verb_name(verb), text && *text ? ": " : "", text ?: "") < 0)
                a->message = NULL;
}

/* Reading an observation: what was found so far, and against which limits. */
typedef struct Reader {
        const char *backend;
        Observation observation;
        size_t n_ports, n_portals, n_bad;
} Reader;

static void reader_done(Reader *r) {
        observation_done(&r->observation);
}

static void _printf_(2, 3) skip_entry(Reader *reader, const char *format, ...) {
        _cleanup_free_ char *what = NULL;
        va_list ap;

        if (++reader->n_bad > BAD_ENTRIES_LOGGED)
                return;

        va_start(ap, format);
        if (vasprintf(&what, format, ap) < 0)
                what = NULL;
        va_end(ap);

        log_warning("Backend %s observed what cannot be, left out: %s", reader->backend, what ?: "(out of memory)");
}

static int read_portals(Reader *reader, sd_bus_message *m, const char *node, ObservedPort *port) {
        int r;

        r = sd_bus_message_enter_container(m, 'a', "(sqb)");
        if (r < 0)
                return r;

        for (;;) {
                ObservedPortal portal = {};
                const char *address;
                uint16_t tcp_port;
                int listening;

                r = sd_bus_message_read(m, "(sqb)", &address, &tcp_port, &listening);
                if (r < 0)
                        return r;
                if (r == 0)
                        return sd_bus_message_exit_container(m);

                if (++reader->n_portals > OBSERVED_PORTALS_MAX)
                        return -E2BIG;

                if (tcp_port == 0 || ip_address_from_text(address, &portal.portal.address) < 0) {
                        skip_entry(reader, "portal \"%.128s\", TCP port %u of %s, tag %u", address, tcp_port, node, port->tag);
                        continue;
                }
                portal.portal.port = tcp_port;
                portal.listening = listening;

                r = array_grow(&port->portals, port->n_portals, sizeof(ObservedPortal));
                if (r < 0)
                        return r;
                port->portals[port->n_portals++] = portal;
        }
}

static int read_ports(Reader *reader, sd_bus_message *m, ObservedNode *node) {
        int r;

        r = sd_bus_message_enter_container(m, 'a', "(qba(sqb))");
        if (r < 0)
                return r;

        while ((r = sd_bus_message_enter_container(m, 'r', "qba(sqb)")) > 0) {
                ObservedPort *port;
                int enabled;

                if (++reader->n_ports > OBSERVED_PORTS_MAX)
                        return -E2BIG;

                r = array_grow(&node->ports, node->n_ports, sizeof(ObservedPort));
                if (r < 0)
                        return r;
                port = &node->ports[node->n_ports++];
                *port = (ObservedPort){};

                r = sd_bus_message_read(m, "qb", &port->tag, &enabled);
                if (r < 0)
                        return r;
                port->enabled = enabled;

                r = read_portals(reader, m, node->name, port);
                if (r < 0)
                        return r;

                r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;

        return sd_bus_message_exit_container(m);
}

static int read_nodes(Reader *reader, sd_bus_message *m) {
        Observation *o = &reader->observation;
        size_t n_seen = 0;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "(sa(qba(sqb)))");
        if (r < 0)
                return r;

        while ((r = sd_bus_message_enter_container(m, 'r', "sa(qba(sqb))")) > 0) {
                const char *name;

                if (++n_seen > OBSERVED_NODES_MAX)
                        return -E2BIG;

                r = sd_bus_message_read(m, "s", &name);
                if (r < 0)
                        return r;

                /* That it is UTF-8 was checked by sd-bus. */
                if (!*name || strlen(name) > ISCSI_NAME_MAX || text_has_controls(name)) {
                        skip_entry(reader, "node \"%.256s\"", name);
                        r = sd_bus_message_skip(m, "a(qba(sqb))");
                } else {
                        ObservedNode *node;

                        r = array_grow(&o->nodes, o->n_nodes, sizeof(ObservedNode));
                        if (r < 0)
                                return r;
                        node = &o->nodes[o->n_nodes++];
                        *node = (ObservedNode){};

                        node->name = strdup(name);
                        if (!node->name)
                                return -ENOMEM;

                        r = read_ports(reader, m, node);
                }
                if (r < 0)
                        return r;

                r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        if (r < 0)
                return r;

        return sd_bus_message_exit_container(m);
}

static int read_observation(sd_bus_message *m, const char *backend, Observation *ret) {
        _cleanup_(reader_done) Reader reader = { .backend = backend };
        int r;

        r = read_nodes(&reader, m);
        if (r < 0)
                return r;

        if (reader.n_bad > BAD_ENTRIES_LOGGED)
                log_warning("Backend %s observed %zu more entries that cannot be", backend, reader.n_bad - BAD_ENTRIES_LOGGED);

        *ret = reader.observation;
        reader.observation = (Observation){};
        return 0;
}

static void read_success(sd_bus_message *m, const char *backend, BackendVerb verb, PeerAnswer *a) {
        const char *signature, *expected = verb == BACKEND_OBSERVE ? "a(sa(qba(sqb)))" : "";
        int r;

        signature = sd_bus_message_get_signature(m, true) ?: "";
        if (strcmp(signature, expected) != 0) {
                log_warning("Backend %s answered %s with signature \"%s\" instead of \"%s\"", backend, backend_verb_name(verb),
                            signature, expected);
                r = -EBADMSG;
        } else if (verb == BACKEND_OBSERVE) {
                r = read_observation(m, backend, &a->observation);
                if (r < 0)
                        log_warning_errno(r, "Answer of backend %s to %s cannot be read", backend, backend_verb_name(verb));
        } else
                r = 0;
        if (r >= 0)
                return;

        if (r == -E2BIG) {
                a->refusal = REFUSAL_LIMIT_REACHED;
                r = asprintf(&a->message,
                             "Backend %s knows of more than %u nodes, %u ports or %u portals: more than this service handles",
                             backend, OBSERVED_NODES_MAX, OBSERVED_PORTS_MAX, OBSERVED_PORTALS_MAX);
        } else if (r == -ENOMEM) {
                a->refusal = REFUSAL_FAILED;
                a->message = strdup("Out of memory");
                return;
        } else {
                a->refusal = REFUSAL_UNSPECIFIED;
                a->malformed = true;
                r = asprintf(&a->message,
                             "Backend %s answered %s in a form that this service does not know: do their versions match?",
                             backend, backend_verb_name(verb));
        }
        if (r < 0)
                a->message = NULL;
}

void peer_answer_read(sd_bus_message *reply, const char *backend, BackendVerb verb, PeerAnswer *ret) {
        *ret = (PeerAnswer){};

        if (sd_bus_message_is_method_error(reply, NULL))
                read_error(sd_bus_message_get_error(reply), backend, verb, ret);
        else
                read_success(reply, backend, verb, ret);
}

void peer_answer_done(PeerAnswer *a) {
        free(a->message);
        observation_done(&a->observation);
        *a = (PeerAnswer){};
}
