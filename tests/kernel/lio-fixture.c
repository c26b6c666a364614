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

static Answer finish(Worker *w, sd_bus_message *m) {
        g_auto(sd_bus_error) error = SD_BUS_ERROR_NULL;
        Answer a = {};
        int r;

        r = sd_bus_call(w->bus, m, 0, &error, NULL);
        if (r < 0) {
                a.message = g_strdup(error.message ?: g_strerror(-r));
                a.refusal = error.name ? refusal_from_error_name(error.name) : REFUSAL_NONE;
                a.lost = a.refusal == REFUSAL_NONE;
                if (a.lost)
                        g_test_message("lost: %s %s", error.name ?: "-", a.message);
                else
                        g_test_message("%s: %s", error.name, a.message);
        }
        sd_bus_message_unref(m);
        return a;
}

static sd_bus_message *new_call(Worker *w, const char *member) {
        sd_bus_message *m;

        g_assert_cmpint(sd_bus_message_new_method_call(w->bus, &m, NULL, "/org/iscsi/Backend", "org.iscsi.Backend", member), >=,
                        0);
        return m;
}

Answer worker_call(Worker *w, const char *member, const char *types, ...) {
        sd_bus_message *m = new_call(w, member);
        va_list ap;

        va_start(ap, types);
        if (types)
                g_assert_cmpint(sd_bus_message_appendv(m, types, ap), >=, 0);
        va_end(ap);
        return finish(w, m);
}

Answer call_node(Worker *w, const char *member, const char *node) {
        return worker_call(w, member, "s", node);
}

Answer call_port(Worker *w, const char *member, const char *node, uint16_t tag) {
        return worker_call(w, member, "sq", node, tag);
}

static void append_portal(sd_bus_message *m, const char *types, const char *text) {
        char address[IP_ADDRESS_TEXT_MAX];
        Portal p;

        g_assert_cmpint(portal_from_text(text, &p), ==, 0);
        g_assert_cmpint(sd_bus_message_append(m, types, ip_address_to_text(&p.address, address), p.port), >=, 0);
}

Answer call_portals(Worker *w, const char *member, const char *node, uint16_t tag, const char *portals) {
        g_auto(GStrv) texts = g_strsplit(portals, " ", -1);
        sd_bus_message *m = new_call(w, member);

        g_assert_cmpint(sd_bus_message_append(m, "sq", node, tag), >=, 0);
        g_assert_cmpint(sd_bus_message_open_container(m, 'a', "(sq)"), >=, 0);
        for (size_t i = 0; texts[i]; i++)
                append_portal(m, "(sq)", texts[i]);
        g_assert_cmpint(sd_bus_message_close_container(m), >=, 0);
        return finish(w, m);
}

Answer call_portal(Worker *w, const char *member, const char *node, uint16_t tag, const char *portal) {
        sd_bus_message *m = new_call(w, member);

        g_assert_cmpint(sd_bus_message_append(m, "sq", node, tag), >=, 0);
        append_portal(m, "sq", portal);
        return finish(w, m);
}

void answer_done(Answer *a) {
        g_clear_pointer(&a->message, g_free);
}

char *observe(Worker *w) {
        g_auto(sd_bus_error) error = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;
        GString *s = g_string_new(NULL);
        const char *node, *address;
        int enabled, listening;
        uint16_t tag, port;
        int r;

        r = sd_bus_call_method(w->bus, NULL, "/org/iscsi/Backend", "org.iscsi.Backend", "Observe", &error, &reply, NULL);
        if (r < 0)
                g_error("Observe: %s", error.message);

        g_assert_cmpint(sd_bus_message_enter_container(reply, 'a', "(sa(qba(sqb)))"), >, 0);
        while (sd_bus_message_enter_container(reply, 'r', "sa(qba(sqb))") > 0) {
                g_assert_cmpint(sd_bus_message_read(reply, "s", &node), >, 0);
                g_string_append_printf(s, "%s%s", s->len > 0 ? " " : "", node);
                g_assert_cmpint(sd_bus_message_enter_container(reply, 'a', "(qba(sqb))"), >, 0);
                while (sd_bus_message_enter_container(reply, 'r', "qba(sqb)") > 0) {
                        const char *blank = "";

                        g_assert_cmpint(sd_bus_message_read(reply, "qb", &tag, &enabled), >, 0);
                        g_string_append_printf(s, " %u:%s[", tag, enabled ? "on" : "off");
                        g_assert_cmpint(sd_bus_message_enter_container(reply, 'a', "(sqb)"), >, 0);
                        while (sd_bus_message_read(reply, "(sqb)", &address, &port, &listening) > 0) {
                                char text[PORTAL_TEXT_MAX];
                                Portal p = { .port = port };

                                g_assert_cmpint(ip_address_from_text(address, &p.address), ==, 0);
                                g_string_append_printf(s, "%s%s%c", blank, portal_to_text(&p, text), listening ? '+' : '-');
                                blank = " ";
                        }
                        g_string_append_c(s, ']');
                        g_assert_cmpint(sd_bus_message_exit_container(reply), >=, 0);
                        g_assert_cmpint(sd_bus_message_exit_container(reply), >=, 0);
                }
                g_assert_cmpint(sd_bus_message_exit_container(reply), >=, 0);
                g_assert_cmpint(sd_bus_message_exit_container(reply), >=, 0);
        }

        sd_bus_message_unref(reply);
        return g_string_free(s, FALSE);
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

static void snapshot_dir(GString *s, const char *path, const char *name) {
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
                        snapshot_dir(s, child, child_name);
                if (strcmp(entry, "fenable") == 0) {
                        g_autofree char *value = NULL;

                        g_assert_true(g_file_get_contents(child, &value, NULL, NULL));
                        g_string_append_printf(s, "%s=%s", child_name, value);
                }
        }
}

char *tree_snapshot(void) {
        GString *s = g_string_new(NULL);

        if (access(ISCSI, F_OK) == 0)
                snapshot_dir(s, ISCSI, "");
        return g_string_free(s, FALSE);
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

const char *second_interface(void) {
        static const char name[] = "second0";

        if (if_nametoindex(name) == 0 && shell("ip link add %s type dummy && ip link set %s up", name, name) != 0) {
                g_test_skip("this kernel cannot make a second interface (module dummy)");
                return NULL;
        }

        return name;
}

int lio_test_main(int argc, char **argv, void (*add_tests)(void)) {
        int n = 1;

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
        return g_test_run();
}
