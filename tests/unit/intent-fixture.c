/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "intent-fixture.h"

#include <errno.h>
#include <sys/socket.h>

#include "bus/read-intent.h"

/* Messages can be made and read on a bus that nobody is at the other end of. */
static sd_bus *bus(void) {
        static sd_bus *b;
        int fds[2];

        if (b)
                return b;
        g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
        g_assert_cmpint(sd_bus_new(&b), >=, 0);
        g_assert_cmpint(sd_bus_set_fd(b, fds[0], fds[0]), >=, 0);
        g_assert_cmpint(sd_bus_start(b), >=, 0);
        return b;
}

static void append(sd_bus_message *m, GVariant *v) {
        const char *type = g_variant_get_type_string(v);
        char kind = (char) g_variant_classify(v);
        g_autofree char *contents = NULL;

        switch (kind) {
        case G_VARIANT_CLASS_BOOLEAN:
                g_assert_cmpint(sd_bus_message_append_basic(m, 'b', &(int){ g_variant_get_boolean(v) }), >=, 0);
                return;
        case G_VARIANT_CLASS_UINT16:
                g_assert_cmpint(sd_bus_message_append_basic(m, 'q', &(uint16_t){ g_variant_get_uint16(v) }), >=, 0);
                return;
        case G_VARIANT_CLASS_INT32:
                g_assert_cmpint(sd_bus_message_append_basic(m, 'i', &(int32_t){ g_variant_get_int32(v) }), >=, 0);
                return;
        case G_VARIANT_CLASS_UINT32:
                g_assert_cmpint(sd_bus_message_append_basic(m, 'u', &(uint32_t){ g_variant_get_uint32(v) }), >=, 0);
                return;
        case G_VARIANT_CLASS_STRING:
        case G_VARIANT_CLASS_OBJECT_PATH:
                g_assert_cmpint(sd_bus_message_append_basic(m, kind, g_variant_get_string(v, NULL)), >=, 0);
                return;
        case G_VARIANT_CLASS_VARIANT: {
                g_autoptr(GVariant) inner = g_variant_get_variant(v);

                contents = g_strdup(g_variant_get_type_string(inner));
                g_assert_cmpint(sd_bus_message_open_container(m, 'v', contents), >=, 0);
                append(m, inner);
                g_assert_cmpint(sd_bus_message_close_container(m), >=, 0);
                return;
        }
        case G_VARIANT_CLASS_ARRAY:
                contents = g_strdup(type + 1);
                break;
        case G_VARIANT_CLASS_TUPLE:
        case G_VARIANT_CLASS_DICT_ENTRY:
                contents = g_strndup(type + 1, strlen(type) - 2);
                kind = kind == G_VARIANT_CLASS_TUPLE ? 'r' : 'e';
                break;
        default:
                g_error("no test needs the type %s", type);
        }

        g_assert_cmpint(sd_bus_message_open_container(m, kind, contents), >=, 0);
        for (size_t i = 0; i < g_variant_n_children(v); i++) {
                g_autoptr(GVariant) child = g_variant_get_child_value(v, i);

                append(m, child);
        }
        g_assert_cmpint(sd_bus_message_close_container(m), >=, 0);
}

sd_bus_message *message_of(GVariant *value) {
        g_autoptr(GVariant) owned = g_variant_ref_sink(value);
        sd_bus_message *m;

        g_assert_cmpint(sd_bus_message_new_method_call(bus(), &m, "a.b", "/", "a.b", "M"), >=, 0);
        for (size_t i = 0; i < g_variant_n_children(owned); i++) {
                g_autoptr(GVariant) child = g_variant_get_child_value(owned, i);

                append(m, child);
        }
        g_assert_cmpint(sd_bus_message_seal(m, 1, 0), >=, 0);
        return m;
}

sd_bus_message *message_from_text(const char *type, const char *text) {
        g_autoptr(GError) error = NULL;
        GVariant *v = g_variant_parse(G_VARIANT_TYPE(type), text, NULL, NULL, &error);

        if (!v)
                g_error("%s is not %s: %s", text, type, error->message);
        return message_of(v);
}

char *method_signature(const Method *m) {
        g_autoptr(GString) s = g_string_new("(");

        for (const ArgumentSpec *a = m->in; a->name; a++)
                g_string_append(s, a->type);
        g_string_append_c(s, ')');
        return g_string_free(g_steal_pointer(&s), false);
}

int try_read_intent(const Method *m, const char *arguments, Intent **ret, char **ret_why) {
        g_autofree char *type = method_signature(m);
        sd_bus_message *message = message_from_text(type, arguments);
        int r;

        r = intent_read(message, m, ret, ret_why);
        sd_bus_message_unref(message); /* the intent owns all of it */
        return r;
}

Intent *read_intent(const Method *m, const char *arguments) {
        Intent *i = NULL;
        char *why = NULL;
        int r;

        r = try_read_intent(m, arguments, &i, &why);
        if (r != 0)
                g_error("%s%s: %d: %s", m->name, arguments, r, why);
        g_assert_nonnull(i);
        return i;
}

#define PORT_PATH NODE_PATH_A "/endpoint/000000000001"
#define TCP_PATH_1 "/org/iscsi/ConfigurationService/tcp/_310_2e0_2e0_2e1_3a3260"
#define IP_PATH_1 "/org/iscsi/ConfigurationService/ip/_310_2e0_2e0_2e1"
#define GROUP_PATH_1 "/org/iscsi/ConfigurationService/portal_group/1"

const char *sample_arguments(const Method *m) {
        static const struct {
                const Method *method;
                const char *arguments;
        } samples[] = {
                { &method_create_port, "('" NODE_PATH_A "', 3, '000000000009', ['" TCP_PATH_1 "'])" },
                { &method_create_ports,
                  "([('" NODE_PATH_A "', 3, '', ['" TCP_PATH_1 "']), ('" NODE_PATH_A "', 3, '', [])], {'Enabled': <false>})" },
                { &method_delete_port, "('" PORT_PATH "',)" },
                { &method_delete_port_forced, "('" PORT_PATH "',)" },
                { &method_request_state_change, "('" PORT_PATH "', 3)" },
                { &method_bind_port, "('" PORT_PATH "', '" TCP_PATH_1 "')" },
                { &method_unbind_port, "('" PORT_PATH "', '" TCP_PATH_1 "')" },
                { &method_create_node,
                  "('alias', {'Name': <'iqn.2001-04.com.example:new'>, 'Roles': <[uint16 2, 3]>, 'Persistent': <false>})" },
                { &method_modify_node, "('" NODE_PATH_A "', {'Alias': <'alias'>, 'DriftPolicy': <'enforce'>})" },
                { &method_delete_node, "('" NODE_PATH_A "',)" },
                { &method_delete_node_forced, "('" NODE_PATH_A "',)" },
                { &method_adopt_node, "('" NODE_PATH_A "',)" },
                { &method_release_node, "('" NODE_PATH_A "',)" },
                { &method_reconcile, "('" NODE_PATH_A "',)" },
                { &method_create_tcp_endpoint, "('" IP_PATH_1 "', 5000, '" GROUP_PATH_1 "', {})" },
                { &method_delete_tcp_endpoint, "('" TCP_PATH_1 "',)" },
                { &method_declare_address, "('192.0.2.1', {'ElementName': <'service address'>})" },
                { &method_retract_address, "('" IP_PATH_1 "',)" },
                { &method_create_portal_group, "('fast', {})" },
                { &method_delete_portal_group, "('" GROUP_PATH_1 "',)" },
                { &method_add_member, "('" GROUP_PATH_1 "', '" TCP_PATH_1 "')" },
                { &method_remove_member, "('" GROUP_PATH_1 "', '" TCP_PATH_1 "')" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(samples); i++)
                if (samples[i].method == m)
                        return samples[i].arguments;

        g_error("the row of %s has no sample", m->name);
}
