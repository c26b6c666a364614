/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "introspected.h"

#include <libxml/parser.h>
#include <string.h>

static void member_free(gpointer p) {
        Member *m = p;

        g_free(m->interface);
        g_free(m->name);
        g_free(m->signature);
        g_free(m);
}

static char *attribute(const xmlNode *n, const char *name) {
        xmlChar *value = xmlGetNoNsProp(n, (const xmlChar *) name);
        char *copy = g_strdup((const char *) value);

        xmlFree(value);
        return copy;
}

static bool is_element(const xmlNode *n, const char *name) {
        return n->type == XML_ELEMENT_NODE && g_str_equal(n->name, name);
}

static char *read_signature(const xmlNode *method) {
        g_autoptr(GString) signature = g_string_new(NULL);

        for (const xmlNode *n = method->children; n; n = n->next) {
                g_autofree char *type = NULL, *direction = NULL;

                if (!is_element(n, "arg"))
                        continue;
                type = attribute(n, "type");
                direction = attribute(n, "direction");
                if (!direction || g_str_equal(direction, "in"))
                        g_string_append(signature, type);
        }

        return g_string_free(g_steal_pointer(&signature), FALSE);
}

GPtrArray *introspect_methods(sd_bus *bus, const char *path) {
        GPtrArray *members = g_ptr_array_new_with_free_func(member_free);
        sd_bus_error e = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;
        const char *text;
        xmlDoc *doc;

        if (sd_bus_call_method(bus, BUS_NAME, path, "org.freedesktop.DBus.Introspectable", "Introspect", &e, &reply, NULL) < 0)
                g_error("Introspect %s: %s", path, e.message);
        g_assert_cmpint(sd_bus_message_read(reply, "s", &text), >, 0);
        doc = xmlReadMemory(text, (int) strlen(text), path, NULL, XML_PARSE_NONET);
        g_assert_nonnull(doc);

        for (xmlNode *i = xmlDocGetRootElement(doc)->children; i; i = i->next) {
                if (!is_element(i, "interface"))
                        continue;
                for (xmlNode *n = i->children; n; n = n->next) {
                        Member *m;

                        if (!is_element(n, "method"))
                                continue;
                        m = g_new0(Member, 1);
                        m->interface = attribute(i, "name");
                        m->name = attribute(n, "name");
                        m->signature = read_signature(n);
                        g_ptr_array_add(members, m);
                }
        }

        xmlFreeDoc(doc);
        sd_bus_message_unref(reply);
        return members;
}

GPtrArray *introspect_service_methods(sd_bus *bus) {
        GPtrArray *members = introspect_methods(bus, ROOT_PATH);

        for (guint i = members->len; i > 0; i--)
                if (!g_str_equal(((Member *) members->pdata[i - 1])->interface, SERVICE_INTERFACE))
                        g_ptr_array_remove_index(members, i - 1);

        g_assert_cmpuint(members->len, >, 0);
        return members;
}
