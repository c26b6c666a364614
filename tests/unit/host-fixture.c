/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <fcntl.h>
#include <glib/gstdio.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host-fixture.h"
#include "common/address.h"

void on_changed(HostEvent event, const HostAddress *a, void *userdata) {
        static const char sign[] = { [HOST_ADDRESS_ADDED] = '+', [HOST_ADDRESS_CHANGED] = '*', [HOST_ADDRESS_REMOVED] = '-' };
        char text[IP_ADDRESS_TEXT_MAX];
        const HostAddress *before;
        Fixture *f = userdata;

        (void) ip_address_to_text(&a->address, text);
        before = g_tree_lookup(f->told, text);
        g_string_append_printf(f->events, "%c%s/%u %s %u\n", sign[event], text, a->prefix_length, a->interface, a->origin);

        /* Whatever happens: nothing comes twice, goes twice, or changes to what it is. */
        if (event == HOST_ADDRESS_ADDED)
                g_assert_null(before);
        else
                g_assert_nonnull(before);
        if (event == HOST_ADDRESS_CHANGED)
                g_assert_true(before->prefix_length != a->prefix_length || before->origin != a->origin ||
                              before->ifindex != a->ifindex || strcmp(before->interface, a->interface) != 0);
        g_assert_cmpint(a->dual_stack, ==, a->address.family == AF_INET6 && ip_address_is_wildcard(&a->address));

        if (event == HOST_ADDRESS_REMOVED)
                g_tree_remove(f->told, text);
        else
                g_tree_replace(f->told, g_strdup(text), g_memdup2(a, sizeof(*a)));
}

static void on_link(const char *name, int ifindex, void *userdata) {
        Fixture *f = userdata;

        g_string_append_printf(f->link_events, "%s=%i\n", name, ifindex);
        g_assert_true(!g_tree_lookup_extended(f->links, name, NULL, NULL) ||
                      GPOINTER_TO_INT(g_tree_lookup(f->links, name)) != ifindex);
        g_assert_cmpint(host_find_link(f->host, name), ==, ifindex);
        g_tree_replace(f->links, g_strdup(name), GINT_TO_POINTER(ifindex));
}

static int compare_text(const void *a, const void *b, void *userdata) {
        return strcmp(a, b);
}

/* Returns whether COMMAND ended well. */
static bool run(const char *command, char **output, char **errors) {
        g_autoptr(GError) error = NULL;
        int status;

        g_spawn_command_line_sync(command, output, errors, &status, &error);
        g_assert_no_error(error);
        return g_spawn_check_wait_status(status, NULL);
}

char *ip_output(const char *arguments) {
        g_autofree char *command = g_strdup_printf("ip %s", arguments), *errors = NULL;
        char *output;

        if (!run(command, &output, &errors))
                g_error("%s: %s", command, errors);
        return output;
}

void ip(const char *format, ...) {
        g_autofree char *arguments = NULL, *output = NULL;
        va_list ap;

        va_start(ap, format);
        arguments = g_strdup_vprintf(format, ap);
        va_end(ap);
        output = ip_output(arguments);
}

bool ip_try_batch(const char *input) {
        g_autofree char *file = NULL, *command = NULL, *output = NULL, *errors = NULL;
        g_autoptr(GError) error = NULL;
        bool done;
        int fd;

        fd = g_file_open_tmp("test-host-XXXXXX", &file, &error);
        g_assert_no_error(error);
        g_assert_cmpint(write(fd, input, strlen(input)), ==, (ssize_t) strlen(input));
        g_assert_cmpint(close(fd), ==, 0);

        command = g_strdup_printf("ip -force -batch %s", file);
        done = run(command, &output, &errors);
        g_assert_cmpint(g_unlink(file), ==, 0);
        return done;
}

void ip_batch(const char *input) {
        g_assert_true(ip_try_batch(input));
}

void sysctl(const char *name, const char *value) {
        g_autofree char *path = g_strdup_printf("/proc/sys/net/ipv6/%s", name);
        int fd = open(path, O_WRONLY | O_CLOEXEC);

        g_assert_cmpint(fd, >=, 0);
        g_assert_cmpint(write(fd, value, strlen(value)), ==, (ssize_t) strlen(value));
        g_assert_cmpint(close(fd), ==, 0);
}

static int log_fd = -1, log_saved_fd = -1;

void log_capture(void) {
        log_fd = memfd_create("log", MFD_CLOEXEC);
        g_assert_cmpint(log_fd, >=, 0);
        log_saved_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
        g_assert_cmpint(log_saved_fd, >=, 0);
        g_assert_cmpint(dup2(log_fd, STDERR_FILENO), ==, STDERR_FILENO);
}

char **log_captured(void) {
        char text[4096];
        ssize_t n;

        g_assert_cmpint(dup2(log_saved_fd, STDERR_FILENO), ==, STDERR_FILENO);
        n = pread(log_fd, text, sizeof(text) - 1, 0);
        g_assert_cmpint(n, >=, 0);
        g_assert_cmpint(close(log_saved_fd), ==, 0);
        g_assert_cmpint(close(log_fd), ==, 0);

        while (n > 0 && text[n - 1] == '\n')
                n--;
        text[n] = '\0';
        return g_strsplit(text, "\n", -1);
}

void settle(Fixture *f) {
        int r;

        while ((r = sd_event_run(f->event, 0)) > 0)
                ;
        g_assert_cmpint(r, ==, 0);
}

void assert_events(Fixture *f, const char *expected) {
        gint64 end = g_get_monotonic_time() + 5 * G_USEC_PER_SEC;

        if (!*expected)
                g_assert_cmpint(sd_event_run(f->event, 10000), >=, 0);
        settle(f);
        while (strcmp(f->events->str, expected) != 0 && g_get_monotonic_time() < end)
                g_assert_cmpint(sd_event_run(f->event, 20000), >=, 0);

        g_assert_cmpstr(f->events->str, ==, expected);
        g_string_truncate(f->events, 0);
}

bool is_told(Fixture *f, const char *address) {
        return g_tree_lookup(f->told, address);
}

int told_index(Fixture *f, const char *address) {
        const HostAddress *a = g_tree_lookup(f->told, address);

        g_assert_nonnull(a);
        return a->ifindex;
}

void start(Fixture *f) {
        g_assert_cmpint(host_new_tuned(f->event, on_changed, f, &f->tuning, &f->host), ==, 0);
        host_follow_links(f->host, on_link, f);
}

void stop(Fixture *f) {
        f->host = host_free(f->host);
        g_tree_remove_all(f->told);
        g_string_truncate(f->events, 0);
        g_tree_remove_all(f->links);
        g_string_truncate(f->link_events, 0);
}

void start_quietly(Fixture *f) {
        start(f);
        settle(f);
        g_string_truncate(f->events, 0);
}

void fixture_set_up(Fixture *f, const void *data) {
        g_assert_cmpint(unshare(CLONE_NEWNET), ==, 0);
        ip("link add v0 index 10 type veth peer name v1 index 11");
        ip("link set v0 addrgenmode none");
        ip("link set v1 addrgenmode none");
        ip("link set lo up");

        g_assert_cmpint(sd_event_new(&f->event), ==, 0);
        f->tuning = host_tuning_default;
        f->told = g_tree_new_full(compare_text, NULL, g_free, g_free);
        f->events = g_string_new(NULL);
        f->links = g_tree_new_full(compare_text, NULL, g_free, NULL);
        f->link_events = g_string_new(NULL);
}

void fixture_tear_down(Fixture *f, const void *data) {
        (void) host_free(f->host);
        sd_event_unref(f->event);
        g_tree_unref(f->told);
        (void) g_string_free(f->events, TRUE);
        g_tree_unref(f->links);
        (void) g_string_free(f->link_events, TRUE);
}

void assert_links(Fixture *f, const char *expected) {
        settle(f);
        g_assert_cmpstr(f->link_events->str, ==, expected);
        g_string_truncate(f->link_events, 0);
}

static int by_speaker(const void *a, const void *b) {
        char *const *x = a, *const *y = b;
        unsigned long i = strtoul(*x, NULL, 10), j = strtoul(*y, NULL, 10);

        return i < j ? -1 : i > j;
}

static gboolean append_told(void *key, void *value, void *userdata) {
        const HostAddress *a = value;

        if (!ip_address_is_wildcard(&a->address))
                g_string_append_printf(userdata, "%s/%u %s\n", (char *) key, a->prefix_length, a->interface);
        return FALSE;
}

static gboolean append_expected(void *key, void *value, void *userdata) {
        g_string_append_printf(userdata, "%s%s\n", (char *) key, (char *) value);
        return FALSE;
}

/* What ip(8) lists, as told_text() has it. No two prefixes of one IPv4 address on one link here. */
static char *ip_text(void) {
        g_autofree char *output = ip_output("-o addr");
        g_auto(GStrv) lines = g_strsplit(output, "\n", -1);
        g_autoptr(GTree) expected = g_tree_new_full(compare_text, NULL, g_free, g_free);
        GString *text = g_string_new(NULL);

        qsort(lines, g_strv_length(lines), sizeof(*lines), by_speaker);
        for (char **l = lines; *l; l++) {
                char name[IF_NAMESIZE], address[INET6_ADDRSTRLEN], key[INET6_ADDRSTRLEN + IF_NAMESIZE];
                const char *slash = strchr(*l, '/');
                unsigned prefix;

                if (!**l || strstr(*l, " tentative"))
                        continue;
                g_assert_cmpint(sscanf(*l, "%*u: %15s %*s %45[0-9a-f.:]", name, address), ==, 2);
                g_assert_cmpint(sscanf(slash, "/%u", &prefix), ==, 1);
                (void) g_snprintf(key, sizeof(key), "%s%s%s", address, g_str_has_prefix(address, "fe80") ? "%" : "",
                                  g_str_has_prefix(address, "fe80") ? name : "");
                if (!g_tree_lookup(expected, key))
                        g_tree_insert(expected, g_strdup(key), g_strdup_printf("/%u %s", prefix, name));
        }

        g_tree_foreach(expected, append_expected, text);
        return g_string_free(text, FALSE);
}

static char *told_text(Fixture *f) {
        GString *text = g_string_new(NULL);

        g_tree_foreach(f->told, append_told, text);
        return g_string_free(text, FALSE);
}

static gboolean check_told_link(void *key, void *value, void *userdata) {
        g_assert_cmpint(GPOINTER_TO_INT(value), ==, host_find_link(((Fixture *) userdata)->host, key));
        return FALSE;
}

static gboolean check_told_index(void *key, void *value, void *userdata) {
        const HostAddress *a = value;

        g_assert_cmpint(a->ifindex, ==, host_find_link(((Fixture *) userdata)->host, a->interface));
        return FALSE;
}

/* The interfaces are those that ip(8) lists, the last told of each was what it is now, and addresses agree with that. */
static void assert_links_as_ip_says(Fixture *f) {
        g_autofree char *output = ip_output("-o link");
        g_auto(GStrv) lines = g_strsplit(output, "\n", -1);

        for (char **l = lines; *l; l++) {
                char name[IF_NAMESIZE];
                int ifindex;

                if (!**l)
                        continue;
                g_assert_cmpint(sscanf(*l, "%i: %15[^:@]", &ifindex, name), ==, 2);
                g_assert_cmpint(host_find_link(f->host, name), ==, ifindex);
        }
        g_tree_foreach(f->links, check_told_link, f);
        g_tree_foreach(f->told, check_told_index, f);
}

void assert_as_ip_says(Fixture *f) {
        gint64 end = g_get_monotonic_time() + 5 * G_USEC_PER_SEC;

        for (;;) {
                g_autofree char *want = ip_text(), *have = NULL;

                settle(f);
                have = told_text(f);
                if (strcmp(have, want) == 0) {
                        assert_links_as_ip_says(f);
                        return;
                }
                if (g_get_monotonic_time() >= end)
                        g_assert_cmpstr(have, ==, want);
                g_assert_cmpint(sd_event_run(f->event, 20000), >=, 0);
        }
}

void overrun(Fixture *f) {
        unsigned before = host_statistics(f->host)->overruns;
        GString *s = g_string_new(NULL);

        for (unsigned i = 0; i < 200; i++)
                g_string_append_printf(s, "addr %s 198.51.100.1/32 dev lo\n", i % 2 == 0 ? "add" : "del");
        ip_batch(s->str);
        (void) g_string_free(s, TRUE);

        wait_for(f, host_statistics(f->host)->overruns == before + 1);
}
