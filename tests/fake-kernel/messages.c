/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "messages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/macro.h"
#include "kernel.h"

#define NODE_NAME_MAX 223u
#define OPERATIONS_MAX 4096u

/* Not a GTest assertion: its line would end up in the protocol of a test that has forked this. */
static void must(int r, const char *what) {
        if (r < 0)
                g_error("%s: %s", what, g_strerror(-r));
}

static void _printf_(2, 3) invalid(sd_bus_error *error, const char *format, ...) {
        va_list ap;

        if (sd_bus_error_is_set(error))
                return;
        va_start(ap, format);
        (void) sd_bus_error_setfv(error, refusal_error_name(REFUSAL_INVALID_PARAMETER), format, ap);
        va_end(ap);
}

bool node_name_is_valid(const char *node) {
        return *node && strlen(node) <= NODE_NAME_MAX && node[0] != '.' && !strpbrk(node, "/ \n");
}

static void read_portals(sd_bus_message *m, Operation *o, sd_bus_error *error) {
        const char *address;
        uint16_t port;

        must(sd_bus_message_enter_container(m, 'a', "(sq)"), "portals");
        while (sd_bus_message_read(m, "(sq)", &address, &port) > 0) {
                Portal p = { .port = port };

                if (port == 0 || ip_address_from_text(address, &p.address) < 0) {
                        invalid(error, "\"%s\" and %u are no portal", address, port);
                        continue;
                }
                for (size_t i = 0; i < o->n_portals; i++)
                        if (portal_compare(o->portals + i, &p) == 0)
                                invalid(error, "A portal is given twice: %s, %u", address, port);
                if (o->n_portals >= PORTALS_MAX)
                        invalid(error, "More than %u portals", PORTALS_MAX);
                else
                        o->portals[o->n_portals++] = p;
        }
        must(sd_bus_message_exit_container(m), "portals");
}

/* The snapshot of the fake kernel is a text. */
static void read_snapshot(sd_bus_message *m, Operation *o) {
        const void *bytes;
        size_t size;

        must(sd_bus_message_enter_container(m, 'v', "ay"), "a snapshot");
        must(sd_bus_message_read_array(m, 'y', &bytes, &size), "a snapshot");
        must(sd_bus_message_exit_container(m), "a snapshot");
        o->snapshot = g_strndup(bytes ?: "", size);
}

static void read_options(sd_bus_message *m, Operation *o, unsigned takes, sd_bus_error *error) {
        const struct {
                const char *name;
                unsigned taken;
                bool *value;
        } options[] = { { "Enabled", TAKES_ENABLED, &o->enabled },
                        { "Force", TAKES_FORCE, &o->force },
                        { "All", TAKES_ALL, &o->all } };
        const char *key;
        int r, value;

        o->enabled = true;
        must(sd_bus_message_enter_container(m, 'a', "{sv}"), "options");
        while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                gsize i;

                must(sd_bus_message_read(m, "s", &key), "an option");
                for (i = 0; i < G_N_ELEMENTS(options); i++)
                        if (g_str_equal(options[i].name, key) && (takes & options[i].taken))
                                break;
                if (i < G_N_ELEMENTS(options) && sd_bus_message_read(m, "v", "b", &value) > 0)
                        *options[i].value = value;
                else if (g_str_equal(key, "Snapshot") && (takes & TAKES_SNAPSHOT))
                        read_snapshot(m, o);
                else {
                        invalid(error, "Option %s is not taken here, or not of this type", key);
                        return;
                }
                must(sd_bus_message_exit_container(m), "an option");
        }
        must(r, "options");
        must(sd_bus_message_exit_container(m), "options");
}

static void check_operation(const char *name, uint64_t identifier, const Operation *o, sd_bus_error *error) {
        unsigned takes = verb_info(o->verb)->takes;

        if (identifier > UINT16_MAX || (identifier != 0 && !(takes & TAKES_IDENTIFIER)))
                invalid(error, "%s: %" G_GUINT64_FORMAT " is no Identifier here", name, identifier);
        if ((takes & TAKES_PORTAL) ? o->n_portals != 1 : !!(takes & TAKES_PORTALS) != (o->n_portals > 0))
                invalid(error, "%s: %zu portals are not what it takes", name, o->n_portals);
}

static void read_operation(sd_bus_message *m, GArray *operations, sd_bus_error *error) {
        Operation o = {};
        const char *name;
        uint64_t identifier;

        must(sd_bus_message_read(m, "st", &name, &identifier), "an operation");
        o.verb = verb_from_name(name);
        if (o.verb == _VERB_MAX) {
                invalid(error, "There is no operation \"%s\"", name);
                return;
        }
        o.tag = (uint16_t) identifier;
        read_portals(m, &o, error);
        read_options(m, &o, verb_info(o.verb)->takes, error);
        check_operation(name, identifier, &o, error);
        g_array_append_val(operations, o);
}

static void read_expected(sd_bus_message *m, Request *rq) {
        const uint64_t *identifiers;
        size_t size;

        must(sd_bus_message_enter_container(m, 'v', "at"), "Expected");
        must(sd_bus_message_read_array(m, 't', (const void **) &identifiers, &size), "Expected");
        must(sd_bus_message_exit_container(m), "Expected");
        rq->expected = g_array_new(FALSE, FALSE, sizeof(uint64_t));
        g_array_append_vals(rq->expected, identifiers, (guint) (size / sizeof(uint64_t)));
}

static void read_preconditions(sd_bus_message *m, Request *rq, sd_bus_error *error) {
        const char *key;
        int value;

        must(sd_bus_message_enter_container(m, 'a', "{sv}"), "preconditions");
        while (sd_bus_message_enter_container(m, 'e', "sv") > 0) {
                must(sd_bus_message_read(m, "s", &key), "a precondition");
                if (g_str_equal(key, "Atomic") && sd_bus_message_read(m, "v", "b", &value) > 0)
                        rq->keep_going = !value;
                else if (g_str_equal(key, "Expected"))
                        read_expected(m, rq);
                else {
                        invalid(error, "There is no precondition %s", key);
                        return;
                }
                must(sd_bus_message_exit_container(m), "a precondition");
        }
}

void request_read(sd_bus_message *m, Request *ret, sd_bus_error *error) {
        *ret = (Request){ .operations = g_array_new(FALSE, TRUE, sizeof(Operation)) };

        must(sd_bus_message_read(m, "s", &ret->node), "a node");
        if (!node_name_is_valid(ret->node))
                invalid(error, "\"%s\" is not a node's name", ret->node);

        must(sd_bus_message_enter_container(m, 'a', "(sta(sq)a{sv})"), "operations");
        while (!sd_bus_error_is_set(error) && sd_bus_message_enter_container(m, 'r', "sta(sq)a{sv}") > 0) {
                read_operation(m, ret->operations, error);
                if (!sd_bus_error_is_set(error))
                        must(sd_bus_message_exit_container(m), "operations");
        }
        if (sd_bus_error_is_set(error))
                return;
        if (ret->operations->len > OPERATIONS_MAX)
                invalid(error, "%u operations are not what a call has", ret->operations->len);
        must(sd_bus_message_exit_container(m), "operations");
        read_preconditions(m, ret, error);
}

void request_done(Request *rq) {
        for (guint i = 0; i < rq->operations->len; i++)
                g_free(g_array_index(rq->operations, Operation, i).snapshot);
        g_array_unref(rq->operations);
        if (rq->expected)
                g_array_unref(rq->expected);
}

void append_results(sd_bus_message *m, const Result *results, size_t n) {
        must(sd_bus_message_open_container(m, 'a', "(ss)"), "results");
        for (size_t i = 0; i < n; i++)
                must(sd_bus_message_append(m, "(ss)", results[i].error ?: "", results[i].message ?: ""), "a result");
        must(sd_bus_message_close_container(m), "results");
}

/* Whether an entry's name can be understood, and as which portal. */
static bool read_portal(const char *root, const char *entry, Portal *ret) {
        Endpoint e;

        *ret = (Portal){};
        if (kernel_parse_portal(root, entry, &e) < 0)
                return false;
        if (portal_from_text(entry, ret) >= 0)
                return true;

        /* Another spelling. A zone that is a number has no name here. */
        ret->address.family = e.family;
        if (e.family == AF_INET)
                ret->address.in = e.in;
        else
                ret->address.in6 = e.in6;
        ret->port = e.port;
        return e.port > 0 && ip_address_is_usable(&ret->address);
}

static void append_port(sd_bus_message *m, const char *root, const char *node, const char *port, uint16_t tag) {
        g_autofree char *np = kernel_path(root, node, port, "np", NULL);
        g_auto(GStrv) entries = kernel_list(np);

        must(sd_bus_message_open_container(m, 'r', BACKEND_PORT_TYPE), "a port");
        must(sd_bus_message_append(m, "stb", port, (uint64_t) tag, kernel_is_enabled(root, node, port)), "a port");
        must(sd_bus_message_open_container(m, 'a', "(ssqbb)"), "portals");
        for (char **entry = entries; *entry; entry++) {
                char text[IP_ADDRESS_TEXT_MAX];
                Portal p;
                bool usable = read_portal(root, *entry, &p);

                must(sd_bus_message_append(m, "(ssqbb)", *entry, usable ? ip_address_to_text(&p.address, text) : "", p.port,
                                           usable, usable && kernel_portal_listens(root, node, port, *entry)),
                     "a portal");
        }
        must(sd_bus_message_close_container(m), "portals");
        must(sd_bus_message_append(m, "a{sv}", 0), "facts");
        must(sd_bus_message_close_container(m), "a port");
}

typedef struct TaggedPort {
        uint16_t tag;
        const char *name;
} TaggedPort;

static int compare_ports(const void *a, const void *b) {
        const TaggedPort *x = a, *y = b;

        return x->tag != y->tag ? x->tag - y->tag : strcmp(x->name, y->name);
}

void append_observed(sd_bus_message *m, const char *root, const char *node) {
        g_autofree char *path = kernel_path(root, node, NULL);
        g_auto(GStrv) ports = kernel_list(path);
        g_autofree TaggedPort *sorted = g_new0(TaggedPort, g_strv_length(ports) + 1);
        size_t n = 0;

        for (char **port = ports; *port; port++)
                if (kernel_parse_tag(*port, &sorted[n].tag) >= 0)
                        sorted[n++].name = *port;
        qsort(sorted, n, sizeof(TaggedPort), compare_ports);

        must(sd_bus_message_append(m, "b", g_file_test(path, G_FILE_TEST_IS_DIR)), "a node");
        must(sd_bus_message_open_container(m, 'a', "(" BACKEND_PORT_TYPE ")"), "ports");
        for (size_t i = 0; i < n; i++)
                append_port(m, root, node, sorted[i].name, sorted[i].tag);
        must(sd_bus_message_close_container(m), "ports");
        must(sd_bus_message_append(m, "a{sv}", 0), "facts");
}

void append_many_ports(sd_bus_message *m, size_t n_ports, size_t n_portals) {
        must(sd_bus_message_append(m, "b", 1), "a node");
        must(sd_bus_message_open_container(m, 'a', "(" BACKEND_PORT_TYPE ")"), "ports");
        for (size_t i = 0; i < n_ports; i++) {
                must(sd_bus_message_open_container(m, 'r', BACKEND_PORT_TYPE), "a port");
                must(sd_bus_message_append(m, "stb", "tpgt", (uint64_t) (i & 0xffff), 1), "a port");
                must(sd_bus_message_open_container(m, 'a', "(ssqbb)"), "portals");
                for (size_t k = 0; k < n_portals; k++)
                        must(sd_bus_message_append(m, "(ssqbb)", "[::]:3260", "::", 3260, 1, 1), "a portal");
                must(sd_bus_message_close_container(m), "portals");
                must(sd_bus_message_append(m, "a{sv}", 0), "facts");
                must(sd_bus_message_close_container(m), "a port");
        }
        must(sd_bus_message_close_container(m), "ports");
        must(sd_bus_message_append(m, "a{sv}", 0), "facts");
}

void append_nodes(sd_bus_message *m, const char *root) {
        g_autofree char *path = kernel_path(root, NULL);
        g_auto(GStrv) nodes = kernel_list(path);

        must(sd_bus_message_open_container(m, 'a', "s"), "nodes");
        for (char **node = nodes; *node; node++)
                if (g_utf8_validate(*node, -1, NULL))
                        must(sd_bus_message_append(m, "s", *node), "a node");
        must(sd_bus_message_close_container(m), "nodes");
}

void append_many_nodes(sd_bus_message *m, size_t n) {
        must(sd_bus_message_open_container(m, 'a', "s"), "nodes");
        for (size_t i = 0; i < n; i++)
                must(sd_bus_message_append(m, "s", "iqn.2024-01.org.example:n"), "a node");
        must(sd_bus_message_close_container(m), "nodes");
}

static void append_value(sd_bus_message *m, GVariant *value);

static void append_children(sd_bus_message *m, GVariant *value) {
        for (gsize i = 0; i < g_variant_n_children(value); i++) {
                g_autoptr(GVariant) child = g_variant_get_child_value(value, i);

                append_value(m, child);
        }
}

static void append_value(sd_bus_message *m, GVariant *value) {
        const char *type = g_variant_get_type_string(value);
        g_autofree char *contents = g_strdup(type + 1);

        switch (type[0]) {
        case 's':
                must(sd_bus_message_append(m, "s", g_variant_get_string(value, NULL)), "a value");
                break;
        case 'b':
                must(sd_bus_message_append(m, "b", (int) g_variant_get_boolean(value)), "a value");
                break;
        case 'q':
                must(sd_bus_message_append(m, "q", g_variant_get_uint16(value)), "a value");
                break;
        case 't':
                must(sd_bus_message_append(m, "t", g_variant_get_uint64(value)), "a value");
                break;
        case 'a':
                must(sd_bus_message_open_container(m, 'a', contents), "a value");
                append_children(m, value);
                must(sd_bus_message_close_container(m), "a value");
                break;
        case '(':
                contents[strlen(contents) - 1] = '\0';
                must(sd_bus_message_open_container(m, 'r', contents), "a value");
                append_children(m, value);
                must(sd_bus_message_close_container(m), "a value");
                break;
        default:
                g_error("A value of type %s is not written here", type);
        }
}

void append_text(sd_bus_message *m, const char *text) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GVariant) value = g_variant_parse(NULL, text, NULL, NULL, &error);

        if (!value || !g_variant_is_of_type(value, G_VARIANT_TYPE_TUPLE))
                g_error("%s is no tuple of values: %s", text, error ? error->message : "");
        append_children(m, value);
}
