/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fake-kernel.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel.h"

static void write_file(const char *root, const char *name, const char *text) {
        g_autofree char *path = g_build_filename(root, name, NULL);
        g_autoptr(GError) error = NULL;

        if (!text)
                (void) g_unlink(path);
        else if (!g_file_set_contents(path, text, -1, &error))
                g_error("%s", error->message);
}

static char *read_file(const char *root, const char *name) {
        g_autofree char *path = g_build_filename(root, name, NULL);
        char *text = NULL;

        return g_file_get_contents(path, &text, NULL, NULL) ? text : g_strdup("");
}

/* Runs what stands between its braces with the kernel locked. */
#define LOCKED(root) for (int _fd = kernel_lock(root); _fd >= 0; _fd = close(_fd) - 1)

static void must(int r, const char *what) {
        if (r < 0)
                g_error("%s: %s", what, g_strerror(-r));
}

void fake_plan(const char *root, const char *text) {
        LOCKED(root) {
                write_file(root, "plan", text);
        }
}

static char *tag_directory(unsigned tag) {
        return g_strdup_printf("tpgt_%u", tag);
}

typedef struct TaggedPort {
        uint16_t tag;
        const char *name;
} TaggedPort;

static int compare_ports(const void *a, const void *b) {
        const TaggedPort *x = a, *y = b;

        return x->tag != y->tag ? x->tag - y->tag : strcmp(x->name, y->name);
}

static void append_port(GString *text, const char *root, const char *node, const TaggedPort *port) {
        g_autofree char *plain = tag_directory(port->tag), *np = kernel_path(root, node, port->name, "np", NULL);
        g_auto(GStrv) portals = kernel_list(np);

        g_string_append_printf(text, "%s %u", node, port->tag);
        if (!g_str_equal(plain, port->name))
                g_string_append_printf(text, "(%s)", port->name);
        g_string_append(text, kernel_is_enabled(root, node, port->name) ? " enabled" : " disabled");
        for (char **portal = portals; *portal; portal++)
                g_string_append_printf(text, " %s%s", *portal,
                                       kernel_portal_listens(root, node, port->name, *portal) ? "" : " deaf");
        g_string_append_c(text, '\n');
}

static void append_node(GString *text, const char *root, const char *node) {
        g_autofree char *path = kernel_path(root, node, NULL);
        g_auto(GStrv) ports = kernel_list(path);
        g_autofree TaggedPort *sorted = g_new0(TaggedPort, g_strv_length(ports) + 1);
        size_t n = 0;

        for (char **port = ports; *port; port++)
                if (kernel_parse_tag(*port, &sorted[n].tag) >= 0)
                        sorted[n++].name = *port;
        qsort(sorted, n, sizeof(TaggedPort), compare_ports);

        g_string_append_printf(text, "%s\n", node);
        for (size_t i = 0; i < n; i++)
                append_port(text, root, node, sorted + i);
}

char *fake_state(const char *root) {
        g_autofree char *path = kernel_path(root, NULL);
        GString *text = g_string_new(NULL);

        LOCKED(root) {
                g_auto(GStrv) nodes = kernel_list(path);

                for (char **node = nodes; *node; node++)
                        append_node(text, root, *node);
        }

        return g_string_free(text, FALSE);
}

void fake_make_node(const char *root, const char *node) {
        LOCKED(root) {
                int r = kernel_mkdir_node(root, node);

                must(r == -EEXIST ? 0 : r, node);
        }
}

static void remove_port(const char *root, const char *node, const char *port) {
        g_autofree char *path = kernel_path(root, node, port, NULL), *np = kernel_path(root, node, port, "np", NULL);
        g_auto(GStrv) portals = kernel_list(np);

        for (char **portal = portals; *portal; portal++)
                must(kernel_rmdir_portal(root, node, port, *portal), *portal);
        kernel_remove_tree(path);
}

static void make_portals(const char *root, const char *node, const char *port, const char *portals) {
        g_auto(GStrv) words = g_strsplit_set(portals, " \n", 0);
        const char *last = NULL;

        for (char **word = words; *word; word++) {
                if (!**word)
                        continue;
                if (g_str_equal(*word, "deaf"))
                        must(kernel_deafen_portal(root, node, port, last), last);
                else
                        must(kernel_mkdir_portal(root, node, port, last = *word), *word);
        }
}

void fake_make_port(const char *root, const char *node, unsigned tag, bool enabled, const char *portals) {
        g_autofree char *port = tag_directory(tag);

        fake_make_node(root, node);
        LOCKED(root) {
                remove_port(root, node, port);
                must(kernel_mkdir_port(root, node, port), port);
                make_portals(root, node, port, portals);
                must(kernel_enable(root, node, port, enabled), port);
        }
}

void fake_remove_port(const char *root, const char *node, unsigned tag) {
        g_autofree char *port = tag_directory(tag);

        LOCKED(root) {
                remove_port(root, node, port);
        }
}

static void remove_node(const char *root, const char *node) {
        g_autofree char *path = kernel_path(root, node, NULL);
        g_auto(GStrv) ports = kernel_list(path);

        for (char **port = ports; *port; port++)
                remove_port(root, node, *port);
        must(kernel_rmdir_node(root, node), node);
}

void fake_remove_node(const char *root, const char *node) {
        LOCKED(root) {
                remove_node(root, node);
        }
}

void fake_remove_all(const char *root) {
        g_autofree char *path = kernel_path(root, NULL);

        LOCKED(root) {
                g_auto(GStrv) nodes = kernel_list(path);

                for (char **node = nodes; *node; node++)
                        remove_node(root, *node);
        }
}

void fake_enable_port(const char *root, const char *node, unsigned tag, bool enabled) {
        g_autofree char *port = tag_directory(tag);

        LOCKED(root) {
                must(kernel_enable(root, node, port, enabled), port);
        }
}

void fake_set_sessions(const char *root, const char *node, unsigned tag, bool sessions) {
        g_autofree char *port = tag_directory(tag);

        LOCKED(root) {
                kernel_set_sessions(root, node, port, sessions ? "iqn.2026-11.org.example:initiator\n" : "");
        }
}

void fake_add_lun(const char *root, const char *node, unsigned tag) {
        g_autofree char *port = tag_directory(tag);

        LOCKED(root) {
                must(kernel_add_lun(root, node, port, "lun_0"), "lun_0");
        }
}

void fake_add_acl(const char *root, const char *node, unsigned tag, const char *initiator, const char *password) {
        g_autofree char *port = tag_directory(tag);

        LOCKED(root) {
                must(kernel_add_acl(root, node, port, initiator, password), initiator);
        }
}

bool fake_has_contents(const char *root, const char *node, unsigned tag) {
        g_autofree char *port = tag_directory(tag);
        bool has = false;

        LOCKED(root) {
                has = kernel_port_has_contents(root, node, port);
        }
        return has;
}

void fake_set_interfaces(const char *root, const char *text) {
        LOCKED(root) {
                write_file(root, "interfaces", text);
        }
}

void fake_set_listeners(const char *root, const char *text) {
        LOCKED(root) {
                write_file(root, "listeners", text);
        }
}

void fake_release(const char *root, unsigned n) {
        g_autofree char *text = g_strdup_printf("%u", n);

        write_file(root, "released", text);
}

static bool is_of_apply(const char *line) {
        return g_str_has_prefix(line, "Apply ") || g_str_has_prefix(line, "Check ");
}

char *fake_log(const char *root) {
        g_autofree char *log = read_file(root, "log");
        g_auto(GStrv) lines = g_strsplit(log, "\n", 0);
        GString *text = g_string_new(NULL);

        for (char **line = lines; *line; line++)
                if (**line && !is_of_apply(*line))
                        g_string_append_printf(text, "%s\n", *line);
        return g_string_free(text, FALSE);
}

void fake_log_clear(const char *root) {
        write_file(root, "log", NULL);
}

unsigned fake_log_count(const char *root, const char *word) {
        g_autofree char *log = read_file(root, "log"), *prefix = g_strconcat(word, " ", NULL);
        g_auto(GStrv) lines = g_strsplit(log, "\n", 0);
        unsigned n = 0;

        for (char **line = lines; *line; line++)
                n += g_str_equal(*line, word) || g_str_has_prefix(*line, prefix);
        return n;
}
