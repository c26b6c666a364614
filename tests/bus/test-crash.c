/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The service is killed between any two steps of a change. What was answered with success is there and in force; a change that
 * was not answered is there as a whole or not at all: on the bus, in the store, in the backend. */

#include "fault-base.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store-check.h"

#define IP_PATH ROOT_PATH "/ip/_3127_2e0_2e0_2e1"
#define GROUP_PATH ROOT_PATH "/portal_group/1"
#define RUNS_MAX 100u

static sd_bus_message *call_create_tcp(Base *b, sd_bus_error *e) {
        return call_service(b->bus, e, "CreateTCPProtocolEndpoint", "oqoa{sv}", IP_PATH, 3299, GROUP_PATH, 0);
}

static void revert_create_tcp(Base *b) {
        g_autofree char *tcp = tcp_path("127.0.0.1:3299");
        sd_bus_error e = SD_BUS_ERROR_NULL;

        sd_bus_message_unref(call_service(b->bus, &e, "DeleteTCPProtocolEndpoint", "o", tcp));
        g_assert_false(sd_bus_error_is_set(&e));
}

static sd_bus_message *call_create_group(Base *b, sd_bus_error *e) {
        return call_service(b->bus, e, "CreatePortalGroup", "sa{sv}", "killed", 0);
}

/* Its number is another one each time. */
static void revert_create_group(Base *b) {
        g_auto(GStrv) objects = list_objects(b->bus);

        for (char **o = objects; *o; o++) {
                sd_bus_error e = SD_BUS_ERROR_NULL;

                if (!g_str_has_prefix(*o, ROOT_PATH "/portal_group/") || g_str_equal(*o, DEFAULT_GROUP) ||
                    g_str_equal(*o, GROUP_PATH))
                        continue;
                sd_bus_message_unref(call_service(b->bus, &e, "DeletePortalGroup", "o", *o));
                g_assert_false(sd_bus_error_is_set(&e));
        }
}

static sd_bus_message *call_member(Base *b, sd_bus_error *e, const char *member) {
        g_autofree char *tcp = tcp_path("127.0.0.1:3264");

        return call_service(b->bus, e, member, "oo", GROUP_PATH, tcp);
}

static sd_bus_message *call_add_member(Base *b, sd_bus_error *e) {
        return call_member(b, e, "AddToPortalGroup");
}

static void revert_add_member(Base *b) {
        sd_bus_error e = SD_BUS_ERROR_NULL;

        sd_bus_message_unref(call_member(b, &e, "RemoveFromPortalGroup"));
        g_assert_false(sd_bus_error_is_set(&e));
}

static const Operation create_tcp = { "create-tcp-endpoint", call_create_tcp, revert_create_tcp, "" };
static const Operation create_group = { "create-portal-group", call_create_group, revert_create_group, "" };
static const Operation add_member = { "add-member", call_add_member, revert_add_member, "" };

static const Operation *const operations[] = {
        &operation_create_node,
        &operation_create_port,
        &operation_bind,
        &operation_unbind,
        &operation_delete_port,
        &operation_delete_node,
        &create_tcp,
        &create_group,
        &add_member,
};

static char *view(Base *b) {
        g_autofree char *objects = view_objects(b->bus), *memory = fault_memory(b->service);
        g_autofree char *all = g_strconcat(objects, "\n", memory, NULL);
        g_autoptr(GRegex) number = g_regex_new("(portal_group/|org.iscsi:)([2-9]|[0-9]{2,})\\b", 0, 0, NULL);

        return g_regex_replace(number, all, -1, 0, "\\1N", 0, NULL);
}

/* What there is before the operation and after it. */
typedef struct Scene {
        Base *base;
        const Operation *operation;
        char *before, *after;
} Scene;

static Scene scene_new(const Operation *o) {
        Scene s = { .base = base_new(), .operation = o };
        sd_bus_error e = SD_BUS_ERROR_NULL;

        g_free(call_for_path(s.base->bus, &e, "CreatePortalGroup", "sa{sv}", "kept", 0));
        g_assert_false(sd_bus_error_is_set(&e));

        s.before = view(s.base);
        sd_bus_message_unref(o->call(s.base, &e));
        g_assert_false(sd_bus_error_is_set(&e));
        s.after = view(s.base);
        g_assert_cmpstr(s.before, !=, s.after);

        o->revert(s.base);
        g_free(signals_take(s.base->signals));
        return s;
}

static void scene_done(Scene *s) {
        base_free(s->base);
        g_free(s->before);
        g_free(s->after);
}

/* The service was killed: restarts it and looks. ANSWERED: the caller had its answer. Leaves things as they were before the
 * operation. */
static void check_after_kill(Scene *s, bool answered, const char *what) {
        Base *b = s->base;
        g_autofree char *now = NULL, *in_force = NULL, *memory = NULL;

        service_wait_killed(b->service);
        fault_wait_workers_gone(b->service);
        assert_store_is_sound(b->service);
        fault_plan(b->service, "%s", "");
        service_start(b->service);

        in_force = view_in_force(b->bus);
        memory = fault_memory(b->service);
        assert_same_text(in_force, memory, what);

        now = view(b);
        if (answered || !g_str_equal(now, s->before))
                assert_same_text(s->after, now, what);
        if (!g_str_equal(now, s->before))
                s->operation->revert(b);
        g_free(signals_take(b->signals));
}

static GPid inject_kill(Service *s, const char *syscall, unsigned when) {
        g_autofree char *pid = g_strdup_printf("%d", s->pid);
        g_autofree char *trace = g_strdup_printf("trace=%s", syscall);
        g_autofree char *inject = g_strdup_printf("inject=%s:signal=SIGKILL:when=%u", syscall, when);
        char *argv[] = { (char *) "strace",
                         (char *) "-f",
                         (char *) "-qq",
                         (char *) "-o",
                         (char *) "/dev/null",
                         (char *) "-e",
                         trace,
                         (char *) "-e",
                         inject,
                         (char *) "-p",
                         pid,
                         NULL };
        g_autoptr(GError) error = NULL;
        GPid strace;

        g_spawn_async(NULL, argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &strace, &error);
        g_assert_no_error(error);

        for (unsigned i = 0; i < 20000; i++) {
                if (process_is_traced(s->pid))
                        return strace;
                g_usleep(500);
        }
        g_error("strace does not attach");
}

/* Whether the service has died. Who LOST it hears so before the last of its threads is gone. */
static bool is_killed(Service *s, bool lost) {
        siginfo_t info = {};

        g_assert_cmpint(waitid(P_PID, (id_t) s->pid, &info, WEXITED | WNOWAIT | (lost ? 0 : WNOHANG)), ==, 0);
        return info.si_pid == s->pid;
}

/* Kills it as it enters its call number WHEN of SYSCALL. Returns false if the operation has fewer of them. */
static bool kill_at(Scene *s, const char *syscall, unsigned when) {
        g_autofree char *what = g_strdup_printf("%s, killed in %s number %u", s->operation->name, syscall, when);
        sd_bus_error e = SD_BUS_ERROR_NULL;
        Base *b = s->base;
        sd_bus_message *reply;
        bool killed, lost;
        GPid strace;

        strace = inject_kill(b->service, syscall, when);
        reply = s->operation->call(b, &e);
        if (!reply)
                g_assert_cmpstr(e.name, ==, SD_BUS_ERROR_NO_REPLY);
        sd_bus_error_free(&e);

        /* The answer is not the last that it does: what it does next comes after that. */
        lost = sd_bus_call_method(b->bus, BUS_NAME, ROOT_PATH, "org.freedesktop.DBus.Peer", "Ping", NULL, NULL, NULL) < 0 ||
               !reply;
        (void) kill(strace, SIGKILL); /* asked to end, it can wait for ever for a thread of a process that is dying */
        (void) waitpid(strace, NULL, 0);

        killed = is_killed(b->service, lost);
        if (killed)
                check_after_kill(s, reply, what);
        else {
                g_assert_nonnull(reply);
                s->operation->revert(b);
        }
        sd_bus_message_unref(reply);
        return killed;
}

static void test_kill(gconstpointer data) {
        static const char *const syscalls[] = { "connect", "sendmsg", "pwrite64", "fdatasync", "write" };
        Scene s = scene_new(data);
        unsigned n = 0;

        for (gsize i = 0; i < G_N_ELEMENTS(syscalls); i++)
                for (unsigned when = 1;; when++) {
                        g_assert_cmpuint(when, <, RUNS_MAX);
                        if (g_str_equal(syscalls[i], "connect"))
                                (void) fault_kill_workers(s.base->service); /* the next call needs a new one */
                        if (!kill_at(&s, syscalls[i], when))
                                break;
                        n++;
                }

        g_test_message("%s: killed at %u points", s.operation->name, n);
        g_assert_cmpuint(n, >=, 6); /* two messages to and from the bus, two writes, a flush, a line of the log */
        scene_done(&s);
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);

        for (gsize i = 0; i < G_N_ELEMENTS(operations); i++) {
                g_autofree char *path = g_strdup_printf("/crash/%s", operations[i]->name);

                g_test_add_data_func(path, operations[i], test_kill);
        }

        return g_test_run();
}
