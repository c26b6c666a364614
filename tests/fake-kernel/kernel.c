/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "kernel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* ISCSI_IQN_LEN of the kernel. */
#define NODE_NAME_MAX 223u

/* The groups that a port has from the start, and that nobody can remove. */
static const char *const groups[] = { "acls", "lun", "np" };

int kernel_lock(const char *root) {
        g_autofree char *path = g_build_filename(root, "lock", NULL);
        int fd;

        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0 || TEMP_FAILURE_RETRY(flock(fd, LOCK_EX)) < 0)
                g_error("Cannot lock %s: %m", path);
        return fd;
}

char *kernel_path(const char *root, ...) {
        g_autoptr(GString) path = g_string_new(root);
        const char *name;
        va_list ap;

        g_string_append(path, "/target/iscsi");
        va_start(ap, root);
        while ((name = va_arg(ap, const char *)))
                g_string_append_printf(path, "/%s", name);
        va_end(ap);

        return g_strdup(path->str);
}

static int compare_names(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

char **kernel_list(const char *path) {
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        g_autoptr(GStrvBuilder) names = g_strv_builder_new();
        const char *name;
        char **list;

        while (dir && (name = g_dir_read_name(dir))) {
                g_autofree char *entry = g_build_filename(path, name, NULL);

                if (g_file_test(entry, G_FILE_TEST_IS_DIR))
                        g_strv_builder_add(names, name);
        }
        list = g_strv_builder_end(names);
        qsort(list, g_strv_length(list), sizeof(char *), compare_names);

        return list;
}

static bool is_there(const char *path) {
        return g_file_test(path, G_FILE_TEST_EXISTS);
}

static bool is_empty(const char *path) {
        g_auto(GStrv) names = kernel_list(path);

        return !names[0];
}

static void must_mkdir(const char *path) {
        if (g_mkdir_with_parents(path, 0755) < 0)
                g_error("Cannot make %s: %m", path);
}

/* In place: who watches the file keeps watching the same one. */
static void write_file(const char *directory, const char *name, const char *text) {
        g_autofree char *path = g_build_filename(directory, name, NULL);
        int fd;

        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t) strlen(text) || ftruncate(fd, (off_t) strlen(text)) < 0)
                g_error("Cannot write %s: %m", path);
        (void) close(fd);
}

static char *read_file(const char *directory, const char *name) {
        g_autofree char *path = g_build_filename(directory, name, NULL);
        char *text = NULL;

        return g_file_get_contents(path, &text, NULL, NULL) ? text : g_strdup("");
}

void kernel_remove_tree(const char *path) {
        if (g_file_test(path, G_FILE_TEST_IS_DIR) && !g_file_test(path, G_FILE_TEST_IS_SYMLINK)) {
                g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
                const char *name;

                while (dir && (name = g_dir_read_name(dir))) {
                        g_autofree char *entry = g_build_filename(path, name, NULL);

                        kernel_remove_tree(entry);
                }
        }
        if (g_remove(path) < 0 && errno != ENOENT)
                g_error("Cannot remove %s: %m", path);
}

void kernel_copy_tree(const char *from, const char *to) {
        g_autofree char *target = NULL, *text = NULL;
        g_autoptr(GError) error = NULL;
        gsize length;

        if ((target = g_file_read_link(from, NULL))) {
                if (symlink(target, to) < 0)
                        g_error("Cannot copy %s: %m", from);
        } else if (g_file_test(from, G_FILE_TEST_IS_DIR)) {
                g_autoptr(GDir) dir = g_dir_open(from, 0, NULL);
                const char *name;

                must_mkdir(to);
                while (dir && (name = g_dir_read_name(dir))) {
                        g_autofree char *source = g_build_filename(from, name, NULL), *copy = g_build_filename(to, name, NULL);

                        kernel_copy_tree(source, copy);
                }
        } else if (is_there(from) && (!g_file_get_contents(from, &text, &length, &error) ||
                                      !g_file_set_contents(to, text, (gssize) length, &error)))
                g_error("%s", error->message);
}

unsigned kernel_interface(const char *root, const char *name) {
        g_autofree char *text = read_file(root, "interfaces"), *path = g_build_filename(root, "interfaces", NULL);
        g_auto(GStrv) lines = g_strsplit(text, "\n", 0);

        if (!is_there(path))
                return 1 + g_str_hash(name) % 1000;

        for (char **line = lines; *line; line++) {
                g_auto(GStrv) fields = g_strsplit(*line, " ", 2);

                if (fields[0] && fields[1] && g_str_equal(fields[0], name))
                        return (unsigned) g_ascii_strtoull(fields[1], NULL, 10);
        }

        return 0;
}

static int parse_number(const char *text, unsigned max, unsigned *ret) {
        unsigned long n;
        char *end;

        if (!g_ascii_isdigit(text[0]) && text[0] != '+')
                return -EINVAL;
        errno = 0;
        n = strtoul(text, &end, 0);
        if (errno != 0 || *end || n > max)
                return -EINVAL;

        *ret = (unsigned) n;
        return 0;
}

/* The part in brackets; a zone by name or number, with link-local addresses alone. */
static int parse_in6(const char *root, char *text, Endpoint *e) {
        char *zone = strchr(text, '%');
        bool link_local;

        if (zone)
                *zone++ = '\0';
        if (inet_pton(AF_INET6, text, &e->in6) != 1)
                return -EINVAL;
        link_local = IN6_IS_ADDR_LINKLOCAL(&e->in6);
        if (link_local != !!zone)
                return -EINVAL;
        if (zone) {
                e->index = kernel_interface(root, zone);
                if (e->index == 0 && parse_number(zone, UINT32_MAX, &e->index) < 0)
                        return -EINVAL;
        }

        e->family = AF_INET6;
        return 0;
}

/* in4_pton() takes leading zeros, inet_pton() does not. */
static int parse_in(const char *text, Endpoint *e) {
        g_auto(GStrv) parts = g_strsplit(text, ".", 0);
        guint32 address = 0;

        if (g_strv_length(parts) != 4)
                return -EINVAL;
        for (unsigned i = 0; i < 4; i++) {
                guint64 n;

                if (!g_ascii_string_to_unsigned(parts[i], 10, 0, 255, &n, NULL) || strlen(parts[i]) > 3)
                        return -EINVAL;
                address = address << 8 | (guint32) n;
        }

        e->family = AF_INET;
        e->in.s_addr = htonl(address);
        return 0;
}

int kernel_parse_portal(const char *root, const char *name, Endpoint *ret) {
        g_autofree char *copy = g_strdup(name);
        char *port = strrchr(copy, ':');
        unsigned n;
        int r;

        *ret = (Endpoint){};
        if (!port || strlen(name) > 256)
                return -EINVAL;
        *port++ = '\0';
        if (parse_number(port, UINT16_MAX, &n) < 0)
                return -EINVAL;
        ret->port = (uint16_t) n;

        if (copy[0] != '[')
                r = parse_in(copy, ret);
        else if (strlen(copy) > 2 && copy[strlen(copy) - 1] == ']') {
                copy[strlen(copy) - 1] = '\0';
                r = parse_in6(root, copy + 1, ret);
        } else
                r = -EINVAL;
        return r;
}

int kernel_parse_tag(const char *name, uint16_t *ret) {
        const char *number = strstr(name, "tpgt_");
        unsigned n;
        int r;

        if (!number)
                return -EINVAL;
        r = parse_number(number + strlen("tpgt_"), UINT16_MAX, &n);
        if (r >= 0)
                *ret = (uint16_t) n;
        return r;
}

int kernel_mkdir_node(const char *root, const char *node) {
        g_autofree char *path = kernel_path(root, node, NULL);

        if (is_there(path))
                return -EEXIST;
        if (strlen(node) > 255)
                return -ENAMETOOLONG;
        if (strlen(node) > NODE_NAME_MAX)
                return -EINVAL;

        must_mkdir(path);
        return 0;
}

int kernel_rmdir_node(const char *root, const char *node) {
        g_autofree char *path = kernel_path(root, node, NULL);

        if (!is_there(path))
                return -ENOENT;
        if (!is_empty(path))
                return -ENOTEMPTY;

        kernel_remove_tree(path);
        return 0;
}

int kernel_mkdir_port(const char *root, const char *node, const char *port) {
        g_autofree char *node_path = kernel_path(root, node, NULL), *path = kernel_path(root, node, port, NULL);
        uint16_t tag;

        if (!is_there(node_path))
                return -ENOENT;
        if (is_there(path))
                return -EEXIST;
        if (kernel_parse_tag(port, &tag) < 0)
                return -EINVAL;

        for (gsize i = 0; i < G_N_ELEMENTS(groups); i++) {
                g_autofree char *group = g_build_filename(path, groups[i], NULL);

                must_mkdir(group);
        }
        write_file(path, "enable", "0\n");
        write_file(path, "dynamic_sessions", "");
        return 0;
}

int kernel_rmdir_port(const char *root, const char *node, const char *port) {
        g_autofree char *path = kernel_path(root, node, port, NULL);

        if (!is_there(path))
                return -ENOENT;
        for (gsize i = 0; i < G_N_ELEMENTS(groups); i++) {
                g_autofree char *group = g_build_filename(path, groups[i], NULL);

                if (!is_empty(group))
                        return -ENOTEMPTY;
        }

        kernel_remove_tree(path);
        return 0;
}

bool kernel_portal_socket(const char *root, const char *node, const char *port, const char *portal, Endpoint *ret) {
        g_autofree char *path = kernel_path(root, node, port, "np", portal, NULL), *text = read_file(path, "socket");

        return endpoint_from_text(text, ret);
}

/* Whether a portal of the node has a socket that the kernel takes for E: within a node that is refused. */
static bool node_has_match(const char *root, const char *node, const Endpoint *e) {
        g_autofree char *path = kernel_path(root, node, NULL);
        g_auto(GStrv) ports = kernel_list(path);

        for (char **port = ports; *port; port++) {
                g_autofree char *np = kernel_path(root, node, *port, "np", NULL);
                g_auto(GStrv) portals = kernel_list(np);

                for (char **portal = portals; *portal; portal++) {
                        Endpoint there;

                        if (kernel_portal_socket(root, node, *port, *portal, &there) && endpoint_is_taken_for(e, &there))
                                return true;
                }
        }

        return false;
}

/* Writes the table anew from the portals that are there: a worker that was killed half-way may have left it wrong. */
static GArray *repair_sockets(const char *root) {
        g_autofree char *fabric = kernel_path(root, NULL);
        g_auto(GStrv) nodes = kernel_list(fabric);
        GArray *sockets = g_array_new(FALSE, TRUE, sizeof(Socket));

        for (char **node = nodes; *node; node++) {
                g_autofree char *path = kernel_path(root, *node, NULL);
                g_auto(GStrv) ports = kernel_list(path);

                for (char **port = ports; *port; port++) {
                        g_autofree char *np = kernel_path(root, *node, *port, "np", NULL);
                        g_auto(GStrv) portals = kernel_list(np);

                        for (char **portal = portals; *portal; portal++) {
                                Socket s = { .uses = 1 };
                                guint i;

                                if (!kernel_portal_socket(root, *node, *port, *portal, &s.endpoint))
                                        continue;
                                for (i = 0; i < sockets->len; i++)
                                        if (endpoint_equal(&g_array_index(sockets, Socket, i).endpoint, &s.endpoint))
                                                break;
                                if (i < sockets->len)
                                        g_array_index(sockets, Socket, i).uses++;
                                else
                                        g_array_append_val(sockets, s);
                        }
                }
        }

        sockets_write(root, sockets);
        return sockets;
}

static bool share_socket(GArray *sockets, const Endpoint *e, Endpoint *ret) {
        for (guint i = 0; i < sockets->len; i++) {
                Socket *s = &g_array_index(sockets, Socket, i);

                if (endpoint_is_taken_for(e, &s->endpoint)) {
                        s->uses++;
                        *ret = s->endpoint;
                        return true;
                }
        }

        return false;
}

static bool socket_excludes(const GArray *sockets, const Endpoint *e) {
        for (guint i = 0; i < sockets->len; i++)
                if (endpoint_excludes(e, &g_array_index(sockets, Socket, i).endpoint))
                        return true;

        return false;
}

/* Shares the first socket that the kernel takes for E, or binds one. *RET: the one that it got. */
static int get_socket(const char *root, const Endpoint *e, Endpoint *ret) {
        g_autoptr(GArray) sockets = sockets_read(root), listeners = listeners_read(root);
        Socket new = { *e, 1 };

        if (!share_socket(sockets, e, ret)) {
                if (socket_excludes(sockets, e)) {
                        g_array_unref(sockets);
                        sockets = repair_sockets(root);
                        if (socket_excludes(sockets, e))
                                return -EADDRINUSE;
                }
                for (guint i = 0; i < listeners->len; i++)
                        if (endpoint_excludes(e, &g_array_index(listeners, Endpoint, i)))
                                return -EADDRINUSE;
                if (e->family == AF_INET6 && IN6_IS_ADDR_MULTICAST(&e->in6))
                        return -EINVAL;
                g_array_append_val(sockets, new);
                *ret = *e;
        }

        sockets_write(root, sockets);
        return 0;
}

static void put_socket(const char *root, const Endpoint *e) {
        g_autoptr(GArray) sockets = sockets_read(root);

        for (guint i = 0; i < sockets->len; i++) {
                Socket *s = &g_array_index(sockets, Socket, i);

                if (!endpoint_equal(&s->endpoint, e))
                        continue;
                if (s->uses <= 1)
                        g_array_remove_index(sockets, i);
                else
                        s->uses--;
                break;
        }
        sockets_write(root, sockets);
}

int kernel_mkdir_portal(const char *root, const char *node, const char *port, const char *portal) {
        g_autofree char *path = kernel_path(root, node, port, "np", portal, NULL), *parent = kernel_path(root, node, port, NULL);
        char buf[ENDPOINT_TEXT_MAX];
        Endpoint wanted, got;

        if (!is_there(parent))
                return -ENOENT;
        if (is_there(path))
                return -EEXIST;

        /* Whatever the reason is. */
        if (kernel_parse_portal(root, portal, &wanted) < 0 || node_has_match(root, node, &wanted) ||
            get_socket(root, &wanted, &got) < 0)
                return -EINVAL;

        must_mkdir(path);
        write_file(path, "socket", endpoint_to_text(&got, buf));
        return 0;
}

int kernel_rmdir_portal(const char *root, const char *node, const char *port, const char *portal) {
        g_autofree char *path = kernel_path(root, node, port, "np", portal, NULL);
        Endpoint socket;

        if (!is_there(path))
                return -ENOENT;

        if (kernel_portal_socket(root, node, port, portal, &socket))
                put_socket(root, &socket);
        kernel_remove_tree(path);
        return 0;
}

int kernel_deafen_portal(const char *root, const char *node, const char *port, const char *portal) {
        g_autofree char *path = kernel_path(root, node, port, "np", portal, NULL);
        Endpoint socket;

        if (!is_there(path))
                return -ENOENT;

        if (kernel_portal_socket(root, node, port, portal, &socket))
                put_socket(root, &socket);
        write_file(path, "socket", "none");
        return 0;
}

bool kernel_portal_listens(const char *root, const char *node, const char *port, const char *portal) {
        Endpoint wanted, has;

        return kernel_parse_portal(root, portal, &wanted) >= 0 && kernel_portal_socket(root, node, port, portal, &has) &&
               endpoint_equal(&wanted, &has);
}

int kernel_enable(const char *root, const char *node, const char *port, bool enabled) {
        g_autofree char *path = kernel_path(root, node, port, NULL);

        if (!is_there(path))
                return -ENOENT;

        write_file(path, "enable", enabled ? "1\n" : "0\n");
        if (!enabled)
                write_file(path, "dynamic_sessions", "");
        return 0;
}

bool kernel_is_enabled(const char *root, const char *node, const char *port) {
        g_autofree char *path = kernel_path(root, node, port, NULL), *text = read_file(path, "enable");

        return text[0] == '1';
}

int kernel_add_lun(const char *root, const char *node, const char *port, const char *lun) {
        g_autofree char *path = kernel_path(root, node, port, "lun", lun, NULL), *parent = g_path_get_dirname(path);
        g_autofree char *link = g_build_filename(path, "virtual_scsi_port", NULL);

        if (!is_there(parent))
                return -ENOENT;
        if (is_there(path))
                return -EEXIST;

        must_mkdir(path);
        if (symlink("/dev/null", link) < 0)
                g_error("Cannot make %s: %m", link);
        return 0;
}

int kernel_add_acl(const char *root, const char *node, const char *port, const char *initiator, const char *password) {
        g_autofree char *path = kernel_path(root, node, port, "acls", initiator, NULL), *parent = g_path_get_dirname(path);

        if (!is_there(parent))
                return -ENOENT;
        if (is_there(path))
                return -EEXIST;

        must_mkdir(path);
        if (password)
                write_file(path, "password", password);
        return 0;
}

bool kernel_port_has_contents(const char *root, const char *node, const char *port) {
        g_autofree char *lun = kernel_path(root, node, port, "lun", NULL), *acls = kernel_path(root, node, port, "acls", NULL);

        return !is_empty(lun) || !is_empty(acls);
}

void kernel_set_sessions(const char *root, const char *node, const char *port, const char *initiators) {
        g_autofree char *path = kernel_path(root, node, port, NULL);

        write_file(path, "dynamic_sessions", initiators);
}

char *kernel_sessions(const char *root, const char *node, const char *port) {
        g_autofree char *path = kernel_path(root, node, port, NULL);

        return read_file(path, "dynamic_sessions");
}

static void move_contents(const char *from, const char *to) {
        static const char *const contents[] = { "acls", "lun" };

        for (gsize i = 0; i < G_N_ELEMENTS(contents); i++) {
                g_autofree char *source = g_build_filename(from, contents[i], NULL),
                                *target = g_build_filename(to, contents[i], NULL);

                kernel_remove_tree(target);
                if (g_rename(source, target) < 0)
                        g_error("Cannot move %s: %m", source);
                must_mkdir(source);
        }
}

void kernel_set_contents_aside(const char *root, const char *node, const char *port, const char *place) {
        g_autofree char *path = kernel_path(root, node, port, NULL);

        must_mkdir(place);
        move_contents(path, place);
}

void kernel_take_contents_back(const char *root, const char *node, const char *port, const char *place) {
        g_autofree char *path = kernel_path(root, node, port, NULL);

        move_contents(place, path);
}
