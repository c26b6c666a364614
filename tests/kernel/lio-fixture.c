/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "lio-fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/address.h"
#include "common/verbs.h"

#define CALL_TIMEOUT_USEC (60u * 1000000u) /* of a machine that is emulated */

const char *worker_path;

Worker *worker_new(const char *inject, const char *option) {
        Worker *w = g_new0(Worker, 1);
        int pair[2];

        g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);

        w->pid = fork();
        g_assert_cmpint(w->pid, >=, 0);
        if (w->pid == 0) {
                g_autoptr(GPtrArray) argv = g_ptr_array_new();
                g_auto(GStrv) parts = NULL;
                char text[16];

                /* The test may play another user; a worker is always root. */
                if (seteuid(0) < 0)
                        _exit(125);

                /* strace stands behind the worker (-D), so that the worker keeps the process id that LISTEN_PID names. */
                if (inject && !g_str_has_prefix(inject, "inject=")) {
                        parts = g_strsplit(inject, " ", -1);
                        for (size_t i = 0; parts[i]; i++)
                                g_ptr_array_add(argv, parts[i]);
                } else if (inject) {
                        g_ptr_array_add(argv, (char *) "strace");
                        g_ptr_array_add(argv, (char *) "-D");
                        g_ptr_array_add(argv, (char *) "-qqq");
                        g_ptr_array_add(argv, (char *) "-o");
                        g_ptr_array_add(argv, (char *) (g_getenv("TEST_LIO_TRACE") ?: "/dev/null"));
                        parts = g_strsplit(inject, " ", -1);
                        for (size_t i = 0; parts[i]; i++) {
                                g_ptr_array_add(argv, (char *) "-e");
                                g_ptr_array_add(argv, parts[i]);
                        }
                }
                g_ptr_array_add(argv, (char *) worker_path);
                if (option)
                        g_ptr_array_add(argv, (char *) option);
                g_ptr_array_add(argv, NULL);

                (void) snprintf(text, sizeof(text), "%d", (int) getpid());
                (void) setenv("LISTEN_PID", text, 1);
                (void) setenv("LISTEN_FDS", "1", 1);
                if (inject) /* the leak check of a sanitized worker cannot work under ptrace */
                        (void) setenv("ASAN_OPTIONS", "detect_leaks=0", 1);

                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                if (pair[1] == 3 ? fcntl(3, F_SETFD, 0) < 0 : dup2(pair[1], 3) < 0)
                        _exit(126);
                (void) execvp(argv->pdata[0], (char **) argv->pdata);
                _exit(127);
        }
        g_assert_cmpint(close(pair[1]), ==, 0);

        g_assert_cmpint(sd_bus_new(&w->bus), >=, 0);
        g_assert_cmpint(sd_bus_set_fd(w->bus, pair[0], pair[0]), >=, 0);
        g_assert_cmpint(sd_bus_start(w->bus), >=, 0);
        g_assert_cmpint(sd_bus_set_method_call_timeout(w->bus, CALL_TIMEOUT_USEC), >=, 0);
        return w;
}

int worker_end(Worker *w) {
        int status = 0;
        pid_t pid;

        sd_bus_close_unref(w->bus);
        pid = waitpid(w->pid, &status, 0);
        g_assert_cmpint(pid, ==, w->pid);
        g_free(w);
        return status;
}

void worker_free(Worker *w) {
        int status;

        status = worker_end(w);
        g_assert_true(WIFEXITED(status));
        g_assert_cmpint(WEXITSTATUS(status), ==, 0);
}

static Answer answer_of(const char *name, const char *message) {
        Answer a = { .message = g_strdup(message) };

        if (name[0])
                a.refusal = refusal_from_error_name(name);
        if (name[0] && a.refusal == REFUSAL_NONE)
                g_error("unknown error %s: %s", name, message);
        return a;
}

static void read_results(sd_bus_message *reply, Results *ret) {
        GString *warnings = g_string_new(NULL);
        const char *name, *message, *text;

        g_assert_cmpint(sd_bus_message_enter_container(reply, 'a', "(ss)"), >, 0);
        while (sd_bus_message_read(reply, "(ss)", &name, &message) > 0) {
                bool not_done = strcmp(name, BACKEND_ERROR_NOT_DONE) == 0;

                ret->items = g_renew(Answer, ret->items, ret->n + 1);
                ret->not_done = g_renew(bool, ret->not_done, ret->n + 1);
                ret->not_done[ret->n] = not_done;
                ret->items[ret->n++] = answer_of(not_done ? "" : name, message);
                g_test_message("  %zu: %s %s", ret->n, name, message);
        }
        g_assert_cmpint(sd_bus_message_exit_container(reply), >=, 0);

        if (sd_bus_message_at_end(reply, true) == 0) {
                g_assert_cmpint(sd_bus_message_enter_container(reply, 'a', "s"), >, 0);
                while (sd_bus_message_read(reply, "s", &text) > 0)
                        g_string_append_printf(warnings, "%s\n", text);
        }
        ret->warnings = g_string_free(warnings, FALSE);
}

/* Sends M; of a reply with results, they are read. */
static Results *send_call(Worker *w, sd_bus_message *m) {
        g_auto(sd_bus_error) error = SD_BUS_ERROR_NULL;
        Results *results = g_new0(Results, 1);
        sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_call(w->bus, m, 0, &error, &reply);
        if (r < 0) {
                results->call.message = g_strdup(error.message ?: g_strerror(-r));
                results->call.refusal = error.name ? refusal_from_error_name(error.name) : REFUSAL_NONE;
                results->call.lost = results->call.refusal == REFUSAL_NONE;
                g_test_message("%s%s: %s", results->call.lost ? "lost: " : "", error.name ?: "-", results->call.message);
        } else if (g_str_has_prefix(sd_bus_message_get_signature(reply, true), BACKEND_RESULTS_TYPE))
                read_results(reply, results);

        sd_bus_message_unref(m);
        sd_bus_message_unref(reply);
        return results;
}

void results_free(Results *r) {
        answer_done(&r->call);
        for (size_t i = 0; i < r->n; i++)
                answer_done(r->items + i);
        g_free(r->items);
        g_free(r->not_done);
        g_free(r->warnings);
        g_free(r);
}

Answer results_answer(Results *r) {
        Answer a = {};

        if (r->call.lost || r->call.refusal != REFUSAL_NONE)
                a = r->call, r->call.message = NULL;
        for (size_t i = 0; i < r->n && a.refusal == REFUSAL_NONE; i++)
                if (r->items[i].refusal != REFUSAL_NONE)
                        a = r->items[i], r->items[i].message = NULL;

        /* With one that failed none is a success, and the other way round: this is for requests of one piece. */
        for (size_t i = 0; i < r->n; i++)
                if ((a.refusal != REFUSAL_NONE) != (r->not_done[i] || r->items[i].refusal != REFUSAL_NONE))
                        g_error("operation %zu does not go with the others", i + 1);

        results_free(r);
        return a;
}

static sd_bus_message *new_call(Worker *w, const char *member) {
        sd_bus_message *m;

        g_assert_cmpint(sd_bus_message_new_method_call(w->bus, &m, NULL, BACKEND_PATH, BACKEND_INTERFACE, member), >=, 0);
        return m;
}

Answer worker_call(Worker *w, const char *member, const char *types, ...) {
        sd_bus_message *m = new_call(w, member);
        va_list ap;

        va_start(ap, types);
        if (types)
                g_assert_cmpint(sd_bus_message_appendv(m, types, ap), >=, 0);
        va_end(ap);
        return results_answer(send_call(w, m));
}

static void append_portals(sd_bus_message *m, const char *portals) {
        g_auto(GStrv) texts = g_strsplit(portals ?: "", " ", -1);

        g_assert_cmpint(sd_bus_message_open_container(m, 'a', "(sq)"), >=, 0);
        for (size_t i = 0; texts[i]; i++) {
                char address[IP_ADDRESS_TEXT_MAX];
                Portal p;

                g_assert_cmpint(portal_from_text(texts[i], &p), ==, 0);
                g_assert_cmpint(sd_bus_message_append(m, "(sq)", ip_address_to_text(&p.address, address), p.port), >=, 0);
        }
        g_assert_cmpint(sd_bus_message_close_container(m), >=, 0);
}

static void append_identifiers(sd_bus_message *m, const char *name, const char *value) {
        g_auto(GStrv) numbers = g_strsplit(value, ",", -1);

        g_assert_cmpint(sd_bus_message_open_container(m, 'e', "sv"), >=, 0);
        g_assert_cmpint(sd_bus_message_append(m, "s", name), >=, 0);
        g_assert_cmpint(sd_bus_message_open_container(m, 'v', "at"), >=, 0);
        g_assert_cmpint(sd_bus_message_open_container(m, 'a', "t"), >=, 0);
        for (size_t i = 0; numbers[i]; i++)
                g_assert_cmpint(sd_bus_message_append(m, "t", g_ascii_strtoull(numbers[i], NULL, 10)), >=, 0);
        for (size_t i = 0; i < 3; i++)
                g_assert_cmpint(sd_bus_message_close_container(m), >=, 0);
}

/* "Force Enabled=0 Expected=1,2" */
static void append_settings(sd_bus_message *m, const char *settings, GBytes *snapshot) {
        g_auto(GStrv) words = g_strsplit(settings ?: "", " ", -1);

        g_assert_cmpint(sd_bus_message_open_container(m, 'a', "{sv}"), >=, 0);
        for (size_t i = 0; words[i]; i++) {
                g_auto(GStrv) parts = g_strsplit(words[i], "=", 2);

                if (strcmp(parts[0], "Expected") == 0)
                        append_identifiers(m, parts[0], parts[1]);
                else
                        g_assert_cmpint(sd_bus_message_append(m, "{sv}", parts[0], "b", !parts[1] || parts[1][0] == '1'), >=, 0);
        }
        if (snapshot) {
                gsize size;
                const void *bytes = g_bytes_get_data(snapshot, &size);

                g_assert_cmpint(sd_bus_message_open_container(m, 'e', "sv"), >=, 0);
                g_assert_cmpint(sd_bus_message_append(m, "s", "Snapshot"), >=, 0);
                g_assert_cmpint(sd_bus_message_open_container(m, 'v', "ay"), >=, 0);
                g_assert_cmpint(sd_bus_message_append_array(m, 'y', bytes, size), >=, 0);
                g_assert_cmpint(sd_bus_message_close_container(m), >=, 0);
                g_assert_cmpint(sd_bus_message_close_container(m), >=, 0);
        }
        g_assert_cmpint(sd_bus_message_close_container(m), >=, 0);
}

Results *request(Worker *w, const char *member, const char *node, const char *preconditions, const Item *items) {
        sd_bus_message *m = new_call(w, member);

        g_assert_cmpint(sd_bus_message_append(m, "s", node), >=, 0);
        g_assert_cmpint(sd_bus_message_open_container(m, 'a', "(sta(sq)a{sv})"), >=, 0);
        for (; items->verb; items++) {
                g_assert_cmpint(sd_bus_message_open_container(m, 'r', "sta(sq)a{sv}"), >=, 0);
                g_assert_cmpint(sd_bus_message_append(m, "st", items->verb, items->tag), >=, 0);
                append_portals(m, items->portals);
                append_settings(m, items->options, items->snapshot);
                g_assert_cmpint(sd_bus_message_close_container(m), >=, 0);
        }
        g_assert_cmpint(sd_bus_message_close_container(m), >=, 0);
        append_settings(m, preconditions, NULL);

        return send_call(w, m);
}

static Answer call_one(Worker *w, const char *node, Item item) {
        Item items[] = { item, {} };

        return results_answer(request(w, "Apply", node, NULL, items));
}

Answer call_node(Worker *w, const char *verb, const char *node) {
        return call_one(w, node, (Item){ .verb = verb });
}

Answer call_port(Worker *w, const char *verb, const char *node, uint64_t tag) {
        return call_one(w, node, (Item){ .verb = verb, .tag = tag });
}

Answer call_portals(Worker *w, const char *verb, const char *node, uint64_t tag, const char *portals) {
        return call_one(w, node, (Item){ .verb = verb, .tag = tag, .portals = portals });
}

Answer call_force(Worker *w, const char *verb, const char *node, uint64_t tag) {
        return call_one(w, node, (Item){ .verb = verb, .tag = tag, .options = "Force" });
}

Answer check_sessions(Worker *w, const char *node) {
        return call_one(w, node, (Item){ .verb = "check-sessions", .options = "All" });
}

Answer restore_port(Worker *w, const char *node, uint64_t tag, const char *portals) {
        g_auto(GStrv) texts = g_strsplit(portals, " ", -1);
        g_autofree Item *items = g_new0(Item, g_strv_length(texts) + 3);
        size_t n = 0;

        items[n++] = (Item){ .verb = "make-port", .tag = tag };
        for (size_t i = 0; texts[i]; i++)
                items[n++] = (Item){ .verb = "bind-portal", .tag = tag, .portals = texts[i] };
        items[n++] = (Item){ .verb = "enable-port", .tag = tag };

        return results_answer(request(w, "Apply", node, NULL, items));
}

void answer_done(Answer *a) {
        g_clear_pointer(&a->message, g_free);
}

static sd_bus_message *ask(Worker *w, const char *member, const char *node) {
        g_auto(sd_bus_error) error = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;

        if (sd_bus_call_method(w->bus, NULL, BACKEND_PATH, BACKEND_INTERFACE, member, &error, &reply, node ? "s" : NULL, node) <
            0)
                g_error("%s: %s", member, error.message);
        return reply;
}

static void observe_portals(sd_bus_message *reply, GString *s) {
        const char *dir, *address, *blank = "";
        int usable, listening;
        uint16_t port;

        g_assert_cmpint(sd_bus_message_enter_container(reply, 'a', "(ssqbb)"), >, 0);
        while (sd_bus_message_read(reply, "(ssqbb)", &dir, &address, &port, &usable, &listening) > 0) {
                char text[PORTAL_TEXT_MAX];
                Portal p = { .port = port };

                g_string_append(s, blank);
                blank = " ";
                if (usable) {
                        g_assert_cmpint(ip_address_from_text(address, &p.address), ==, 0);
                        g_string_append_printf(s, "%s%c", portal_to_text(&p, text), listening ? '+' : '-');
                } else
                        g_string_append_printf(s, "%s!", dir);
        }
        g_assert_cmpint(sd_bus_message_exit_container(reply), >=, 0);
}

static void observe_node(Worker *w, const char *node, GString *s) {
        sd_bus_message *reply = ask(w, "Observe", node);
        int exists, enabled;
        const char *dir;
        uint64_t tag;

        g_assert_cmpint(sd_bus_message_read(reply, "b", &exists), >, 0);
        g_assert_true(exists);
        g_assert_cmpint(sd_bus_message_enter_container(reply, 'a', "(" BACKEND_PORT_TYPE ")"), >, 0);
        while (sd_bus_message_enter_container(reply, 'r', BACKEND_PORT_TYPE) > 0) {
                g_assert_cmpint(sd_bus_message_read(reply, "stb", &dir, &tag, &enabled), >, 0);
                g_string_append_printf(s, " %u:%s[", (unsigned) tag, enabled ? "on" : "off");
                observe_portals(reply, s);
                g_string_append_c(s, ']');
                g_assert_cmpint(sd_bus_message_skip(reply, "a{sv}"), >=, 0);
                g_assert_cmpint(sd_bus_message_exit_container(reply), >=, 0);
        }
        sd_bus_message_unref(reply);
}

char *observe(Worker *w) {
        sd_bus_message *reply = ask(w, "ListNodes", NULL);
        GString *s = g_string_new(NULL);
        const char *node;

        g_assert_cmpint(sd_bus_message_enter_container(reply, 'a', "s"), >, 0);
        while (sd_bus_message_read(reply, "s", &node) > 0) {
                g_string_append_printf(s, "%s%s", s->len > 0 ? " " : "", node);
                observe_node(w, node, s);
        }

        sd_bus_message_unref(reply);
        return g_string_free(s, FALSE);
}

GBytes *snapshot_port(Worker *w, const char *node, uint64_t tag, char **ret_unreadable) {
        g_auto(sd_bus_error) error = SD_BUS_ERROR_NULL;
        GString *unreadable = g_string_new(NULL);
        sd_bus_message *reply = NULL;
        GBytes *snapshot;
        const char *name;
        const void *bytes;
        size_t size;

        if (sd_bus_call_method(w->bus, NULL, BACKEND_PATH, BACKEND_INTERFACE, "Snapshot", &error, &reply, "st", node, tag) < 0)
                g_error("Snapshot: %s", error.message);
        g_assert_cmpint(sd_bus_message_read_array(reply, 'y', &bytes, &size), >=, 0);
        snapshot = g_bytes_new(bytes, size);
        g_assert_cmpint(sd_bus_message_enter_container(reply, 'a', "s"), >, 0);
        while (sd_bus_message_read(reply, "s", &name) > 0)
                g_string_append_printf(unreadable, "%s\n", name);
        *ret_unreadable = g_string_free(unreadable, FALSE);

        sd_bus_message_unref(reply);
        return snapshot;
}

void expect_success(Answer a) {
        if (a.lost || a.refusal != REFUSAL_NONE)
                g_error("expected success, got %s: %s", a.lost ? "nothing" : refusal_error_name(a.refusal), a.message);
        answer_done(&a);
}

void expect_refusal(Answer a, Refusal refusal, const char *text) {
        if (a.lost || a.refusal != refusal)
                g_error("expected %s, got %s: %s", refusal_error_name(refusal),
                        a.lost                      ? "nothing"
                        : a.refusal == REFUSAL_NONE ? "success"
                                                    : refusal_error_name(a.refusal),
                        a.message);
        if (!strstr(a.message, text))
                g_error("expected \"%s\" in \"%s\"", text, a.message);
        answer_done(&a);
}

void expect_lost(Answer a) {
        if (!a.lost)
                g_error("expected no answer, got %s: %s", a.refusal ? refusal_error_name(a.refusal) : "success", a.message);
        answer_done(&a);
}

static int compare_entries(gconstpointer a, gconstpointer b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

static bool is_writable(const char *path) {
        struct stat st;

        return stat(path, &st) == 0 && (st.st_mode & S_IWUSR);
}

static void snapshot_dir(GString *s, const char *path, const char *name, bool full) {
        g_autoptr(GPtrArray) entries = g_ptr_array_new_with_free_func(g_free);
        struct dirent *de;
        DIR *d;

        d = opendir(path);
        g_assert_nonnull(d);
        while ((de = readdir(d)))
                /* The fabric's own directory comes with the first node and stays. */
                if (de->d_name[0] != '.' && strcmp(de->d_name, "discovery_auth") != 0)
                        g_ptr_array_add(entries, g_strdup_printf("%c%s",
                                                                 de->d_type == DT_DIR   ? 'd'
                                                                 : de->d_type == DT_LNK ? 'l'
                                                                                        : 'f',
                                                                 de->d_name));
        closedir(d);
        g_ptr_array_sort(entries, compare_entries);

        for (size_t i = 0; i < entries->len; i++) {
                const char *entry = entries->pdata[i];
                g_autofree char *child = g_strdup_printf("%s/%s", path, entry + 1),
                                *child_name = g_strdup_printf("%s/%s", name, entry + 1);

                if (entry[0] != 'f')
                        g_string_append_printf(s, "%s\n", child_name);
                if (entry[0] == 'd')
                        snapshot_dir(s, child, child_name, full);
                if (strcmp(entry, "fenable") == 0 || (full && entry[0] == 'f' && is_writable(child))) {
                        g_autofree char *value = NULL;

                        g_assert_true(g_file_get_contents(child, &value, NULL, NULL));
                        g_string_append_printf(s, "%s=%s", child_name, value);
                }
        }
}

static char *snapshot_tree(bool full) {
        GString *s = g_string_new(NULL);

        if (access(ISCSI, F_OK) == 0)
                snapshot_dir(s, ISCSI, "", full);
        return g_string_free(s, FALSE);
}

char *tree_snapshot(void) {
        return snapshot_tree(false);
}

char *tree_snapshot_full(void) {
        return snapshot_tree(true);
}

void assert_tree(const char *snapshot) {
        g_autofree char *now = tree_snapshot();

        g_assert_cmpstr(now, ==, snapshot);
}

#define FORMAT_PATH(path, format)                     \
        g_autofree char *path = NULL, *_below = NULL; \
        va_list _ap;                                  \
        va_start(_ap, format);                        \
        _below = g_strdup_vprintf(format, _ap);       \
        va_end(_ap);                                  \
        path = g_strdup_printf("%s/%s", ISCSI, _below)

void assert_there(const char *format, ...) {
        FORMAT_PATH(path, format);

        if (access(path, F_OK) < 0)
                g_error("%s: %s", path, g_strerror(errno));
}

void assert_absent(const char *format, ...) {
        FORMAT_PATH(path, format);

        if (access(path, F_OK) == 0)
                g_error("%s is there", path);
}

void tree_mkdir(const char *format, ...) {
        FORMAT_PATH(path, format);

        if (mkdir(path, 0755) < 0)
                g_error("mkdir %s: %s", path, g_strerror(errno));
}

void tree_rmdir(const char *format, ...) {
        FORMAT_PATH(path, format);

        if (rmdir(path) < 0)
                g_error("rmdir %s: %s", path, g_strerror(errno));
}

void file_write(const char *path, const char *value) {
        int fd;

        fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, value, strlen(value)) != (ssize_t) strlen(value))
                g_error("write \"%s\" to %s: %s", value, path, g_strerror(errno));
        close(fd);
}

void tree_write(const char *path, const char *value) {
        g_autofree char *full = g_strdup_printf("%s/%s", ISCSI, path);

        file_write(full, value);
}

char *tree_read(const char *format, ...) {
        FORMAT_PATH(path, format);
        char *value = NULL;

        g_assert_true(g_file_get_contents(path, &value, NULL, NULL));
        return g_strchomp(value);
}

void disk_make(void) {
        g_assert_cmpint(mkdir(TARGET "/core/fileio_7", 0755), ==, 0);
        g_assert_cmpint(mkdir(TARGET "/" DISK, 0755), ==, 0);
        file_write(TARGET "/" DISK "/control", "fd_dev_name=/run/disk.img,fd_dev_size=1048576");
        file_write(TARGET "/" DISK "/enable", "1");
}

void disk_remove(void) {
        g_assert_cmpint(rmdir(TARGET "/" DISK), ==, 0);
        g_assert_cmpint(rmdir(TARGET "/core/fileio_7"), ==, 0);
        g_assert_cmpint(unlink("/run/disk.img"), ==, 0);
}

void lun_make(const char *port, unsigned number, const char *initiator) {
        g_autofree char *lun = g_strdup_printf(ISCSI "/%s/lun/lun_%u", port, number), *link = g_strdup_printf("%s/link", lun);

        g_assert_cmpint(mkdir(lun, 0755), ==, 0);
        g_assert_cmpint(symlink(TARGET "/" DISK, link), ==, 0);
        if (initiator) {
                g_autofree char *mapped = g_strdup_printf(ISCSI "/%s/acls/%s/lun_%u", port, initiator, number),
                                *mapped_link = g_strdup_printf("%s/link", mapped);

                g_assert_cmpint(mkdir(mapped, 0755), ==, 0);
                g_assert_cmpint(symlink(lun, mapped_link), ==, 0);
        }
}

void assert_enabled(const char *port, bool enabled) {
        g_autofree char *path = g_strdup_printf("%s/%s/enable", ISCSI, port), *value = NULL;

        g_assert_true(g_file_get_contents(path, &value, NULL, NULL));
        g_assert_cmpstr(value, ==, enabled ? "1\n" : "0\n");
}

bool portal_accepts(const char *portal) {
        struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
        struct sockaddr_in in = { .sin_family = AF_INET };
        bool v4;
        Portal p;
        int fd, r;

        g_assert_cmpint(portal_from_text(portal, &p), ==, 0);
        v4 = p.address.family == AF_INET;
        in.sin_addr = p.address.in;
        in.sin_port = in6.sin6_port = htons(p.port);
        in6.sin6_addr = p.address.in6;
        in6.sin6_scope_id = p.address.zone[0] ? if_nametoindex(p.address.zone) : 0;

        fd = socket(p.address.family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        g_assert_cmpint(fd, >=, 0);
        r = v4 ? connect(fd, (struct sockaddr *) &in, sizeof(in)) : connect(fd, (struct sockaddr *) &in6, sizeof(in6));
        close(fd);
        return r == 0;
}

int shell(const char *format, ...) {
        g_autofree char *command = NULL, *wrapped = NULL;
        va_list ap;
        int status;

        va_start(ap, format);
        command = g_strdup_vprintf(format, ap);
        va_end(ap);

        /* A command's own output must not be taken for TAP. */
        wrapped = g_strdup_printf("{ %s; } >&2", command);
        status = system(wrapped);
        g_assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

#define SECOND "second0"

const char *second_interface(void) {
        if (if_nametoindex(SECOND) == 0 && shell("ip link add " SECOND " type dummy && ip link set " SECOND " up") != 0) {
                g_test_skip("this kernel cannot make a second interface (module dummy)");
                return NULL;
        }

        return SECOND;
}

int lio_test_main(int argc, char **argv, void (*add_tests)(void)) {
        int n = 1, r;

        worker_path = g_getenv("ISCSI_BACKEND_LIO");
        for (int i = 1; i < argc; i++)
                if (g_str_has_prefix(argv[i], "--worker="))
                        worker_path = argv[i] + strlen("--worker=");
                else
                        argv[n++] = argv[i];
        argc = n;
        argv[n] = NULL;

        g_test_init(&argc, &argv, NULL);

        if (access(TARGET, F_OK) < 0) {
                (void) puts("1..0 # SKIP no kernel target here (" TARGET " does not exist); run it in the throw-away machine");
                return 0;
        }
        if (!worker_path) {
                (void) fputs("Give the worker with --worker=PATH or ISCSI_BACKEND_LIO\n", stderr);
                return 1;
        }

        add_tests();
        r = g_test_run();
        if (if_nametoindex(SECOND) != 0)
                (void) shell("ip link delete " SECOND);
        return r;
}
