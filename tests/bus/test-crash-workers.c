/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The service and its workers end at any time: by themselves, killed, or asked to. What was answered with success is there and in
 * force, and of a change without an answer there is all or nothing. */

#include "fault-base.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "mirror.h"
#include "store-check.h"

#define RANDOM_OPERATIONS 60u

static void assert_all_in_force(Base *b, const char *what) {
        g_autofree char *wanted = view_in_force(b->bus), *memory = fault_memory(b->service);

        assert_same_text(wanted, memory, what);
}

/* The service has gone. Brings it back with a backend that does well. */
static void restart(Base *b) {
        fault_wait_workers_gone(b->service);
        assert_store_is_sound(b->service);
        fault_plan(b->service, "%s", "");
        service_start(b->service);
}

/* Who ends what, while the main thread waits for its answer. */
typedef struct Ending {
        Service *service;
        const char *verb; /* once a worker has got a call of it; NULL: at once */
        gulong delay_usec;
        int signal; /* for the service; 0: none */
        bool kill_workers;
} Ending;

static gpointer end_it(gpointer userdata) {
        const Ending *e = userdata;

        if (e->verb)
                fault_wait_call(e->service, e->verb);
        g_usleep(e->delay_usec);
        if (e->kill_workers)
                (void) fault_kill_workers(e->service);
        if (e->signal != 0)
                g_assert_cmpint(kill(e->service->pid, e->signal), ==, 0);
        return NULL;
}

/* Waits until a service that was asked to end has done so, and that it was a good end. */
static void wait_terminated(Service *s) {
        int status = service_wait_end(s);

        if (status != 0) {
                g_autofree char *log = service_read_log(s);

                g_error("The service ended with status 0x%x:\n%s", (unsigned) status, log);
        }
}

static const struct {
        const Operation *operation;
        const char *verb; /* one that it calls */
} verbs[] = {
        { &operation_create_node, "create-node" }, { &operation_create_port, "create-port" },
        { &operation_bind, "bind-portal" },        { &operation_unbind, "unbind-portal" },
        { &operation_delete_port, "delete-port" }, { &operation_delete_node, "check-sessions" },
        { &operation_delete_node, "delete-port" }, { &operation_delete_node, "delete-node" },
};

/* The operation's worker hangs or ends (BEHAVIOUR), and at that moment the service ends by SIGNAL. */
static void end_during(Base *b, gsize row, const char *behaviour, int signal) {
        const Operation *o = verbs[row].operation;
        Ending ending = { .service = b->service, .verb = verbs[row].verb, .signal = signal };
        g_autofree char *what = g_strdup_printf("%s: %s %s, signal %d", o->name, verbs[row].verb, behaviour, signal);
        g_autofree char *objects = NULL;
        sd_bus_error e = SD_BUS_ERROR_NULL;
        gint64 begun = g_get_monotonic_time();
        sd_bus_message *reply;
        bool done, refused;
        GThread *thread;

        fault_plan(b->service, "once %s %s\n", verbs[row].verb, behaviour);
        fault_log_clear(b->service);
        thread = g_thread_new("ending", end_it, &ending);
        reply = o->call(b, &e);
        (void) g_thread_join(thread);
        done = reply;
        refused = !done && !sd_bus_error_has_name(&e, SD_BUS_ERROR_NO_REPLY);
        sd_bus_message_unref(reply);
        g_assert_true(!done || o->removes); /* the next worker was faster than the signal */
        sd_bus_error_free(&e);

        if (signal == SIGKILL)
                service_wait_killed(b->service);
        else
                wait_terminated(b->service);
        /* It does not wait for an answer. */
        g_assert_cmpint(g_get_monotonic_time() - begun, <, 20 * G_USEC_PER_SEC);

        restart(b);
        assert_all_in_force(b, what);
        objects = view_objects(b->bus);
        g_assert_false(done && g_str_equal(objects, b->objects));
        if (!refused && !g_str_equal(objects, b->objects))
                o->revert(b);
        g_free(signals_take(b->signals));
        base_assert_untouched(b, what);
}

static void test_end_during_call(gconstpointer data) {
        static const char *const behaviours[] = {
                "hang", "hang-half", "hang-after", "crash-before", "crash-half", "crash-after"
        };
        g_autoptr(Base) b = base_new();

        for (gsize row = 0; row < G_N_ELEMENTS(verbs); row++)
                for (gsize i = 0; i < G_N_ELEMENTS(behaviours); i++)
                        end_during(b, row, behaviours[i], GPOINTER_TO_INT(data));
}

/* polkit stands still while the service is asked to end. */
static void test_terminate_during_question(void) {
        g_autoptr(Base) b = base_new();
        sd_bus *alice = connect_as("alice");
        sd_bus_creds *creds = NULL;
        sd_bus_message *m = NULL;
        pid_t polkitd;

        g_assert_cmpint(sd_bus_get_name_creds(alice, "org.freedesktop.PolicyKit1", SD_BUS_CREDS_PID, &creds), >=, 0);
        g_assert_cmpint(sd_bus_creds_get_pid(creds, &polkitd), >=, 0);
        sd_bus_creds_unref(creds);
        g_assert_cmpint(kill(polkitd, SIGSTOP), ==, 0);

        for (unsigned i = 0; i < 3; i++) {
                g_autofree char *name = g_strdup_printf("iqn.2026-11.org.example:asked-%u", i);

                g_assert_cmpint(
                        sd_bus_message_new_method_call(alice, &m, BUS_NAME, ROOT_PATH, SERVICE_INTERFACE, "CreateiSCSINode"), >=,
                        0);
                g_assert_cmpint(sd_bus_message_append(m, "sa{sv}", "", 1, "Name", "s", name), >=, 0);
                g_assert_cmpint(sd_bus_message_set_allow_interactive_authorization(m, i % 2), >=, 0);
                g_assert_cmpint(sd_bus_send(alice, m, NULL), >=, 0);
                m = sd_bus_message_unref(m);
        }
        /* Its answer comes after it has got the calls. */
        g_free(view_objects(alice));

        service_stop(b->service);
        g_assert_cmpint(kill(polkitd, SIGCONT), ==, 0);
        sd_bus_flush_close_unref(alice);

        fault_log_clear(b->service);
        service_start(b->service);
        g_free(signals_take(b->signals));
        base_assert_untouched(b, "terminated while it asked");
}

/* What a run of random operations has made: three nodes with up to three ports on up to six portals. */
#define NODES 3u
#define PORTS 3u
#define PORTALS 6u

typedef struct World {
        struct {
                bool exists;
                unsigned portals[PORTS]; /* bits; 0: no such port */
        } nodes[NODES];
} World;

static char *portal_name(unsigned i) {
        return g_strdup_printf("127.0.0.1:%u", 3260 + i);
}

/* In the form of fault_memory(). */
static char *world_text(const World *w) {
        g_autoptr(GString) text = g_string_new(NULL);

        for (unsigned n = 0; n < NODES; n++) {
                if (!w->nodes[n].exists)
                        continue;
                g_string_append_printf(text, "iqn.2026-11.org.example:random-%u\n", n);
                for (unsigned p = 0; p < PORTS; p++) {
                        if (w->nodes[n].portals[p] == 0)
                                continue;
                        g_string_append_printf(text, "iqn.2026-11.org.example:random-%u %u enabled", n, p + 1);
                        for (unsigned i = 0; i < PORTALS; i++)
                                if (w->nodes[n].portals[p] & 1u << i) {
                                        g_autofree char *portal = portal_name(i);

                                        g_string_append_printf(text, " %s", portal);
                                }
                        g_string_append_c(text, '\n');
                }
        }

        return g_strdup(text->str);
}

/* A random change that the rules let pass: as a message, and what it makes of the world. */
static sd_bus_message *random_change(sd_bus *bus, World *w) {
        unsigned n = (unsigned) g_test_rand_int_range(0, NODES), p = (unsigned) g_test_rand_int_range(0, PORTS);
        unsigned i = (unsigned) g_test_rand_int_range(0, PORTALS), used = 0;
        g_autofree char *name = g_strdup_printf("iqn.2026-11.org.example:random-%u", n), *node = node_path(name);
        g_autofree char *port = port_path(name, p + 1), *portal = portal_name(i), *tcp = tcp_path(portal);
        g_autofree char *identifier = g_strdup_printf("%012X", p + 1);
        unsigned *portals = &w->nodes[n].portals[p];
        sd_bus_message *m = NULL;
        const char *member;
        int r;

        for (unsigned k = 0; k < PORTS; k++)
                used |= w->nodes[n].portals[k];

        if (!w->nodes[n].exists)
                member = "CreateiSCSINode";
        else if (g_test_rand_int_range(0, 8) == 0)
                member = "DeleteiSCSINode";
        else if (*portals == 0 && !(used & 1u << i))
                member = "CreateiSCSIProtocolEndpoint";
        else if (*portals != 0 && !(used & 1u << i))
                member = "BindiSCSIProtocolEndPoint";
        else if ((*portals & 1u << i) && *portals != 1u << i)
                member = "UnbindiSCSIProtocolEndPoint";
        else if (*portals != 0)
                member = "DeleteiSCSIProtocolEndpoint";
        else
                return NULL;

        g_assert_cmpint(sd_bus_message_new_method_call(bus, &m, BUS_NAME, ROOT_PATH, SERVICE_INTERFACE, member), >=, 0);
        if (g_str_equal(member, "CreateiSCSINode")) {
                w->nodes[n].exists = true;
                r = sd_bus_message_append(m, "sa{sv}", "", 1, "Name", "s", name);
        } else if (g_str_equal(member, "DeleteiSCSINode")) {
                memset(&w->nodes[n], 0, sizeof(w->nodes[n]));
                r = sd_bus_message_append(m, "o", node);
        } else if (g_str_equal(member, "CreateiSCSIProtocolEndpoint")) {
                *portals = 1u << i;
                r = sd_bus_message_append(m, "oqsao", node, 3, identifier, 1, tcp);
        } else if (g_str_equal(member, "DeleteiSCSIProtocolEndpoint")) {
                *portals = 0;
                r = sd_bus_message_append(m, "o", port);
        } else {
                *portals ^= 1u << i;
                r = sd_bus_message_append(m, "oo", port, tcp);
        }
        g_assert_cmpint(r, >=, 0);
        return m;
}

/* What goes wrong with the worker, about every second time. */
static void plan_something(Service *s) {
        static const char *const plans[] = {
                "once * crash-before\n", "once * crash-half\n", "once * crash-after\n", "once * slow 20\n", "", "", "", ""
        };

        fault_plan(s, "%s", plans[g_test_rand_int_range(0, G_N_ELEMENTS(plans))]);
}

/* A worker that ends while it looks at a node leaves the node unknown until the next look, some seconds later. */
static void wait_known(Base *b) {
        gint64 end = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;

        for (;;) {
                g_autoptr(GHashTable) objects = read_managed_objects(b->bus);
                GHashTableIter iter;
                gpointer key, value;
                bool known = true;

                g_hash_table_iter_init(&iter, objects);
                while (g_hash_table_iter_next(&iter, &key, &value))
                        known = known && !(g_str_has_suffix(key, " EnabledState") && g_str_equal(value, "0"));
                if (known)
                        break;
                g_assert_cmpint(g_get_monotonic_time(), <, end);
                g_usleep(10000);
        }
}

static void test_random(void) {
        g_autoptr(Base) b = base_new();
        sd_bus_error e = SD_BUS_ERROR_NULL;
        World now = {};
        unsigned n_killed = 0, n_done = 0;

        sd_bus_message_unref(operation_delete_node.call(b, &e));
        g_assert_false(sd_bus_error_is_set(&e));

        for (unsigned n = 0; n < RANDOM_OPERATIONS;) {
                World next = now;
                sd_bus_message *m = random_change(b->bus, &next), *reply = NULL;
                g_autofree char *memory = NULL, *before = world_text(&now), *after = world_text(&next);
                bool killed = g_test_rand_int_range(0, 3) > 0;
                Ending ending = { .service = b->service,
                                  .delay_usec = (gulong) g_test_rand_int_range(0, 15000),
                                  .signal = killed ? SIGKILL : 0 };
                GThread *thread;

                if (!m)
                        continue;
                n++;
                plan_something(b->service);
                thread = g_thread_new("ending", end_it, &ending);
                (void) sd_bus_call(b->bus, m, 60 * G_USEC_PER_SEC, &e, &reply);
                (void) g_thread_join(thread);
                g_test_message("%s: %s, %s", sd_bus_message_get_member(m), killed ? "killed" : "not killed",
                               reply ? "done" : e.name);

                if (killed) {
                        service_wait_killed(b->service);
                        restart(b);
                        n_killed++;
                }
                fault_plan(b->service, "%s", "");

                wait_known(b);
                assert_all_in_force(b, sd_bus_message_get_member(m));
                memory = fault_memory(b->service);
                if (reply)
                        assert_same_text(after, memory, "what was answered with success");
                else if (!sd_bus_error_has_name(&e, SD_BUS_ERROR_NO_REPLY))
                        assert_same_text(before, memory, "what was refused");
                else if (!g_str_equal(before, memory))
                        assert_same_text(after, memory, "what was not answered");
                if (g_str_equal(after, memory)) {
                        now = next;
                        n_done++;
                }

                sd_bus_error_free(&e);
                sd_bus_message_unref(reply);
                sd_bus_message_unref(m);
        }

        g_assert_cmpuint(n_killed, >, 0);
        g_assert_cmpuint(n_done, >, 0);
}

/* kill -9 of the worker alone, at a random time of a slow call: it has done nothing yet, and the service says which worker
 * ended. A removal is done by the next one. */
static void test_kill_worker(void) {
        g_autoptr(Base) b = base_new();

        for (gsize row = 0; row < G_N_ELEMENTS(verbs); row++) {
                Ending ending = { .service = b->service,
                                  .verb = verbs[row].verb,
                                  .delay_usec = (gulong) g_test_rand_int_range(0, 30000),
                                  .kill_workers = true };
                GThread *thread;

                fault_plan(b->service, "once %s slow 900\n", verbs[row].verb);
                fault_log_clear(b->service);
                thread = g_thread_new("ending", end_it, &ending);
                if (verbs[row].operation->removes)
                        base_assert_works_as_planned(b, verbs[row].operation);
                else
                        base_assert_fails(b, verbs[row].operation, "BackendUnavailable", verbs[row].verb);
                (void) g_thread_join(thread);
                base_assert_untouched(b, verbs[row].verb);
        }
        base_assert_untouched_by_restart(b, "killed workers");
}

int main(int argc, char *argv[]) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_data_func("/crash-workers/service-killed-too", GINT_TO_POINTER(SIGKILL), test_end_during_call);
        g_test_add_data_func("/crash-workers/service-terminated", GINT_TO_POINTER(SIGTERM), test_end_during_call);
        g_test_add_func("/crash-workers/terminated-during-question", test_terminate_during_question);
        g_test_add_func("/crash-workers/worker-killed", test_kill_worker);
        g_test_add_func("/crash-workers/random", test_random);
        return g_test_run();
}
