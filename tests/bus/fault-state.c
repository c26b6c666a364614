/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fault-state.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define DEAF " deaf"

int state_lock(void) {
        int fd;

        fd = open("lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0 || flock(fd, LOCK_EX) < 0)
                g_error("Cannot lock the state: %m");

        return fd;
}

static char *node_path(const char *node) {
        return g_build_filename("nodes", node, NULL);
}

static char *port_path(const char *node, uint16_t tag, const char *file) {
        char text[6];

        g_snprintf(text, sizeof(text), "%u", tag);
        return g_build_filename("nodes", node, text, file, NULL);
}

bool state_has_node(const char *node) {
        g_autofree char *path = node_path(node);

        return g_file_test(path, G_FILE_TEST_IS_DIR);
}

void state_make_node(const char *node) {
        g_autofree char *path = node_path(node);

        if (g_mkdir_with_parents(path, 0700) < 0)
                g_error("Cannot make %s: %m", path);
}

void state_remove_node(const char *node) {
        g_autofree char *path = node_path(node);

        if (g_rmdir(path) < 0)
                g_error("Cannot remove %s: %m", path);
}

/* The file's content, "" if there is none. */
static char *read_port_file(const char *node, uint16_t tag, const char *file) {
        g_autofree char *path = port_path(node, tag, file);
        g_autoptr(GError) error = NULL;
        char *text;

        if (g_file_get_contents(path, &text, NULL, &error))
                return g_strchomp(text);

        if (!g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_NOENT))
                g_error("%s", error->message);

        return g_strdup("");
}

void state_write_file(const char *path, const char *text) {
        g_autofree char *new_path = g_strconcat(path, "~", NULL);
        g_autoptr(GError) error = NULL;

        /* Without the fsync() that GLib's own way of replacing has: this need not outlive the machine. */
        if (!g_file_set_contents_full(new_path, text, -1, G_FILE_SET_CONTENTS_NONE, 0600, &error))
                g_error("%s", error->message);
        if (g_rename(new_path, path) < 0)
                g_error("Cannot replace %s: %m", path);
}

static void write_port_file(const char *node, uint16_t tag, const char *file, const char *text) {
        g_autofree char *path = port_path(node, tag, file);

        state_write_file(path, text);
}

static bool read_flag(const char *node, uint16_t tag, const char *file) {
        g_autofree char *text = read_port_file(node, tag, file);

        if (!g_str_equal(text, "") && !g_str_equal(text, "0") && !g_str_equal(text, "1"))
                g_error("%s of %s, tag %u is neither 0 nor 1: %s", file, node, tag, text);

        return text[0] == '1';
}

bool state_load_port(const char *node, uint16_t tag, FaultPort *ret) {
        g_autofree char *path = port_path(node, tag, NULL), *text = NULL;
        g_auto(GStrv) lines = NULL;

        *ret = (FaultPort){};
        if (!g_file_test(path, G_FILE_TEST_IS_DIR))
                return false;

        ret->enabled = read_flag(node, tag, "enabled");
        ret->sessions = read_flag(node, tag, "sessions");

        text = read_port_file(node, tag, "portals");
        lines = g_strsplit(text, "\n", 0);
        for (char **line = lines; *line; line++) {
                bool deaf = g_str_has_suffix(*line, DEAF);
                Portal p;

                if (!**line)
                        continue;
                if (deaf)
                        (*line)[strlen(*line) - strlen(DEAF)] = '\0';
                if (portal_from_text(*line, &p) < 0)
                        g_error("A portal of %s, tag %u is none: %s", node, tag, *line);
                fault_port_add(ret, &p, deaf);
        }

        return true;
}

void state_save_port(const char *node, uint16_t tag, const FaultPort *port) {
        g_autofree char *path = port_path(node, tag, NULL);
        g_autoptr(GString) text = g_string_new(NULL);
        char buf[PORTAL_TEXT_MAX];

        if (g_mkdir_with_parents(path, 0700) < 0)
                g_error("Cannot make %s: %m", path);

        for (size_t i = 0; i < port->n_portals; i++)
                g_string_append_printf(text, "%s%s\n", portal_to_text(&port->portals[i], buf), port->deaf[i] ? DEAF : "");

        write_port_file(node, tag, "portals", text->str);
        write_port_file(node, tag, "sessions", port->sessions ? "1\n" : "0\n");
        write_port_file(node, tag, "enabled", port->enabled ? "1\n" : "0\n");
}

void state_remove_port(const char *node, uint16_t tag) {
        static const char *const files[] = { "enabled", "sessions", "portals", NULL /* the directory itself */ };

        for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
                g_autofree char *path = port_path(node, tag, files[i]);

                if (g_remove(path) < 0 && errno != ENOENT)
                        g_error("Cannot remove %s: %m", path);
        }
}

static int compare_names(gconstpointer a, gconstpointer b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

static int compare_tags(gconstpointer a, gconstpointer b) {
        return *(const uint16_t *) a - *(const uint16_t *) b;
}

static GPtrArray *list_directory(const char *path) {
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
        const char *name;

        while (dir && (name = g_dir_read_name(dir)))
                g_ptr_array_add(names, g_strdup(name));
        g_ptr_array_sort(names, compare_names);

        return names;
}

GPtrArray *state_list_nodes(void) {
        return list_directory("nodes");
}

GArray *state_list_ports(const char *node) {
        g_autofree char *path = node_path(node);
        g_autoptr(GPtrArray) names = list_directory(path);
        GArray *tags = g_array_new(FALSE, FALSE, sizeof(uint16_t));

        for (guint i = 0; i < names->len; i++) {
                guint64 number;
                uint16_t tag;

                if (!g_ascii_string_to_unsigned(names->pdata[i], 10, 0, UINT16_MAX, &number, NULL))
                        g_error("%s has an entry that is no tag: %s", path, (char *) names->pdata[i]);
                tag = (uint16_t) number;
                g_array_append_val(tags, tag);
        }
        g_array_sort(tags, compare_tags);

        return tags;
}

size_t fault_port_find(const FaultPort *port, const Portal *p) {
        size_t i;

        for (i = 0; i < port->n_portals; i++)
                if (portal_compare(&port->portals[i], p) == 0)
                        break;

        return i;
}

void fault_port_add(FaultPort *port, const Portal *p, bool deaf) {
        if (port->n_portals >= FAULT_PORTALS_MAX)
                g_error("A port has more than %d portals", FAULT_PORTALS_MAX);

        port->portals[port->n_portals] = *p;
        port->deaf[port->n_portals++] = deaf;
}

void fault_port_remove(FaultPort *port, size_t i) {
        port->n_portals--;
        memmove(port->portals + i, port->portals + i + 1, (port->n_portals - i) * sizeof(port->portals[0]));
        memmove(port->deaf + i, port->deaf + i + 1, (port->n_portals - i) * sizeof(port->deaf[0]));
}
