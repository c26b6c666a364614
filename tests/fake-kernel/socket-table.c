/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "socket-table.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "kernel.h"

const char *endpoint_to_text(const Endpoint *e, char buf[static ENDPOINT_TEXT_MAX]) {
        char address[INET6_ADDRSTRLEN];

        (void) inet_ntop(e->family, e->family == AF_INET ? (const void *) &e->in : (const void *) &e->in6, address,
                         sizeof(address));
        (void) g_snprintf(buf, ENDPOINT_TEXT_MAX, "%s %u %u", address, e->index, e->port);
        return buf;
}

bool endpoint_from_text(const char *text, Endpoint *ret) {
        char address[INET6_ADDRSTRLEN + 1];
        unsigned index, port;

        *ret = (Endpoint){};
        if (sscanf(text, "%46s %u %u", address, &index, &port) != 3 || port > UINT16_MAX)
                return false;

        ret->family = strchr(address, ':') ? AF_INET6 : AF_INET;
        ret->index = index;
        ret->port = (uint16_t) port;
        return inet_pton(ret->family, address, ret->family == AF_INET ? (void *) &ret->in : (void *) &ret->in6) == 1;
}

bool endpoint_equal(const Endpoint *a, const Endpoint *b) {
        return a->family == b->family && a->port == b->port && a->index == b->index && a->in.s_addr == b->in.s_addr &&
               memcmp(&a->in6, &b->in6, sizeof(a->in6)) == 0;
}

bool endpoint_is_taken_for(const Endpoint *a, const Endpoint *b) {
        /* The bytes of A's address against the same place in B's record: what B's family does not use there is zero, and so are
         * the members of Endpoint that it does not use. At the place of an IPv4 address an IPv6 record has its flow label: zero,
         * too. */
        if (a->port != b->port)
                return false;
        if (a->family == AF_INET)
                return b->family == AF_INET ? a->in.s_addr == b->in.s_addr : a->in.s_addr == 0;
        return memcmp(&a->in6, &b->in6, sizeof(a->in6)) == 0;
}

static bool is_any(const Endpoint *e) {
        return e->family == AF_INET ? e->in.s_addr == 0 : IN6_IS_ADDR_UNSPECIFIED(&e->in6);
}

bool endpoint_excludes(const Endpoint *a, const Endpoint *b) {
        if (a->port != b->port)
                return false;
        if (a->family != b->family)
                return is_any(a->family == AF_INET6 ? a : b);
        if (is_any(a) || is_any(b))
                return true;
        return endpoint_equal(a, b);
}

static char *read_text(const char *root, const char *name) {
        g_autofree char *path = g_build_filename(root, name, NULL);
        char *text = NULL;

        return g_file_get_contents(path, &text, NULL, NULL) ? text : g_strdup("");
}

GArray *sockets_read(const char *root) {
        g_autofree char *text = read_text(root, "sockets");
        g_auto(GStrv) lines = g_strsplit(text, "\n", 0);
        GArray *sockets = g_array_new(FALSE, TRUE, sizeof(Socket));

        for (char **line = lines; *line; line++) {
                char *uses = strrchr(*line, ' ');
                Socket s = {};

                if (!**line)
                        continue;
                if (!uses || !endpoint_from_text(*line, &s.endpoint))
                        g_error("A line of the table of sockets cannot be understood: %s", *line);
                s.uses = (unsigned) g_ascii_strtoull(uses + 1, NULL, 10);
                g_array_append_val(sockets, s);
        }

        return sockets;
}

void sockets_write(const char *root, const GArray *sockets) {
        g_autofree char *path = g_build_filename(root, "sockets", NULL);
        g_autoptr(GString) text = g_string_new(NULL);
        g_autoptr(GError) error = NULL;
        char buf[ENDPOINT_TEXT_MAX];

        for (guint i = 0; i < sockets->len; i++) {
                const Socket *s = &g_array_index(sockets, Socket, i);

                g_string_append_printf(text, "%s %u\n", endpoint_to_text(&s->endpoint, buf), s->uses);
        }
        if (!g_file_set_contents(path, text->str, -1, &error))
                g_error("%s", error->message);
}

GArray *listeners_read(const char *root) {
        g_autofree char *text = read_text(root, "listeners");
        g_auto(GStrv) lines = g_strsplit(text, "\n", 0);
        GArray *listeners = g_array_new(FALSE, TRUE, sizeof(Endpoint));

        for (char **line = lines; *line; line++) {
                g_auto(GStrv) fields = g_strsplit(*line, " ", 2);
                Endpoint e;

                if (!**line)
                        continue;
                if (kernel_parse_portal(root, fields[0], &e) < 0)
                        g_error("A line of the listeners cannot be understood: %s", *line);
                g_array_append_val(listeners, e);
        }

        return listeners;
}
