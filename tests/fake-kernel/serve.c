/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "serve.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "common/macro.h"
#include "kernel.h"
#include "messages.h"
#include "plan.h"
#include "worker.h"

/* How long a worker waits for another one that is busy with the same node. */
#define NODE_LOCK_USEC (1 * G_USEC_PER_SEC)

typedef struct Server {
        const char *root;
        sd_bus *bus;
        int kernel; /* the lock's descriptor; -1: not held */
        int node;   /* that of the node's lock, likewise */
        bool garbage, exits;
} Server;

static void must(int r, const char *what) {
        if (r < 0)
                g_error("%s: %s", what, g_strerror(-r));
}

static void lock_kernel(Server *s) {
        s->kernel = kernel_lock(s->root);
}

static void unlock_kernel(Server *s) {
        (void) close(s->kernel);
        s->kernel = -1;
}

static void write_log(const Server *s, const char *line) {
        g_autofree char *path = g_build_filename(s->root, "log", NULL), *text = g_strconcat(line, "\n", NULL);
        int fd;

        fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t) strlen(text))
                g_error("Cannot write the log: %m");
        (void) close(fd);
}

static void log_operation(const Server *s, const char *node, const Operation *o) {
        const VerbInfo *verb = verb_info(o->verb);
        g_autoptr(GString) line = g_string_new(verb->name);
        char buf[PORTAL_TEXT_MAX];

        g_string_append_printf(line, " %s", node);
        if ((verb->takes & TAKES_IDENTIFIER) && !o->all)
                g_string_append_printf(line, " %u", o->tag);
        for (size_t i = 0; i < o->n_portals; i++)
                g_string_append_printf(line, " %s", portal_to_text(o->portals + i, buf));
        if ((verb->takes & TAKES_ENABLED) && !o->enabled)
                g_string_append(line, " disabled");
        if (o->force)
                g_string_append(line, " force");
        write_log(s, line->str);
}

static void append_preconditions(GString *line, sd_bus_message *m) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        Request rq;

        request_read(m, &rq, &error);
        if (rq.keep_going)
                g_string_append(line, " keep-going");
        if (rq.expected)
                g_string_append(line, rq.expected->len > 0 ? " expected" : " expected-none");
        for (guint i = 0; rq.expected && i < rq.expected->len; i++)
                g_string_append_printf(line, " %" G_GUINT64_FORMAT, g_array_index(rq.expected, uint64_t, i));
        request_done(&rq);
        must(sd_bus_message_rewind(m, true), "a request");
}

/* "Apply NODE keep-going expected 1 2", "Observe NODE", "ListNodes". */
static void log_call(const Server *s, sd_bus_message *m) {
        const char *member = sd_bus_message_get_member(m), *node;
        g_autoptr(GString) line = g_string_new(member);

        if (g_str_has_prefix(sd_bus_message_get_signature(m, true), "s")) {
                must(sd_bus_message_read(m, "s", &node), "a node");
                must(sd_bus_message_rewind(m, true), "a node");
                g_string_append_printf(line, " %s", node);
        }
        if (g_str_equal(member, "Apply") || g_str_equal(member, "Check"))
                append_preconditions(line, m);
        write_log(s, line->str);
}

/* Waits for MSEC or for ever (-1). Returns whether the peer has hung up. */
static bool wait_for_hang_up(Server *s, int msec) {
        struct pollfd pollfd = { .fd = sd_bus_get_fd(s->bus), .events = POLLRDHUP };

        return poll(&pollfd, 1, msec) > 0 && (pollfd.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

/* Until the number in the file `released` exceeds TAG. */
static bool wait_for_release(Server *s, unsigned tag) {
        g_autofree char *path = g_build_filename(s->root, "released", NULL);

        for (;;) {
                g_autofree char *text = NULL;

                if (g_file_get_contents(path, &text, NULL, NULL) && g_ascii_strtoull(text, NULL, 10) > tag)
                        return false;
                if (wait_for_hang_up(s, 1))
                        return true;
        }
}

/* What is planned before anything is done. Returns whether the peer has hung up meanwhile. The kernel is free for others during
 * it. */
static bool wait_as_planned(Server *s, const Plan *plan, unsigned tag) {
        bool gone;

        unlock_kernel(s);
        if (plan->action == PLAN_WAIT)
                gone = wait_for_release(s, tag);
        else
                gone = wait_for_hang_up(s, plan->action == PLAN_WORK ? (int) plan->number : 0);
        lock_kernel(s);

        return gone;
}

/* Says in the lock of the node, which goes with this process alone, that nobody waits for it any more. */
static void mark_stuck(const Server *s) {
        if (s->node >= 0 && write(s->node, "stuck", 5) != 5)
                _exit(EXIT_FAILURE);
}

/* Carries out what is planned for POINT, unless that is an answer. A process that hangs ends once its peer has hung up, so that
 * none is left behind; one that hangs for ever goes on. */
static void reach(Server *s, const Plan *plan, PlanPoint point) {
        if (plan->point != point)
                return;

        if (plan->action == PLAN_CRASH)
                _exit(EXIT_FAILURE);
        if (plan->action == PLAN_HANG || plan->action == PLAN_HANG_FOREVER) {
                unlock_kernel(s);
                (void) wait_for_hang_up(s, -1);
        }
        if (plan->action == PLAN_HANG)
                _exit(EXIT_SUCCESS);
        if (plan->action == PLAN_HANG_FOREVER)
                mark_stuck(s);
        while (plan->action == PLAN_HANG_FOREVER)
                (void) pause();
}

/* The node's lock goes with the process. */
static bool lock_node(Server *s, const char *node, sd_bus_error *error) {
        g_autofree char *name = g_strconcat("node.", node, NULL), *path = g_build_filename(s->root, name, NULL);
        gint64 end = g_get_monotonic_time() + NODE_LOCK_USEC;
        char mark;

        s->node = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (s->node < 0)
                g_error("Cannot open %s: %m", path);
        while (flock(s->node, LOCK_EX | LOCK_NB) < 0) {
                if (errno != EWOULDBLOCK && errno != EINTR)
                        g_error("Cannot lock %s: %m", path);
                if (g_get_monotonic_time() >= end) {
                        Refusal refusal = pread(s->node, &mark, 1, 0) == 1 ? REFUSAL_STUCK : REFUSAL_BUSY;

                        (void) sd_bus_error_setf(error, refusal_error_name(refusal), "Another worker is busy with node %s", node);
                        return false;
                }
                g_usleep(2000);
        }

        /* Of one that was killed. */
        if (ftruncate(s->node, 0) < 0)
                g_error("Cannot write %s: %m", path);
        return true;
}

static void unlock_node(Server *s) {
        if (s->node >= 0)
                (void) close(s->node);
        s->node = -1;
}

static void set_result(Result *r, const char *error, const char *message) {
        g_free(r->error);
        g_free(r->message);
        *r = (Result){ g_strdup(error), g_strdup(message) };
}

/* The peer has gone: takes back what the call did, and ends. */
static _Noreturn void abandon(Work *w, bool keep_going) {
        if (!keep_going)
                work_undo(w);
        _exit(EXIT_SUCCESS);
}

static void run_operation(Server *s, Work *w, const Operation *o, bool keep_going, Result *ret) {
        g_auto(Plan) plan = {};
        bool done = true;

        log_operation(s, w->node, o);
        plan_take(s->root, verb_info(o->verb)->name, &plan);
        if (wait_as_planned(s, &plan, o->tag))
                abandon(w, keep_going);
        reach(s, &plan, PLAN_BEFORE);

        if (plan.action != PLAN_LIE && !(plan.action == PLAN_FAIL && plan.point == PLAN_BEFORE))
                done = work_do(w, o, plan.point == PLAN_HALF);
        reach(s, &plan, PLAN_HALF);
        reach(s, &plan, PLAN_AFTER);

        s->garbage |= plan.action == PLAN_GARBAGE;
        s->exits |= plan.action == PLAN_EXIT;
        if (!done)
                set_result(ret, refusal_error_name(w->refusal), w->why);
        else if (plan.action == PLAN_FAIL)
                set_result(ret, plan.error, plan.text);
}

/* The others of a call of which one failed. A worker that says Degraded could not take anything back. */
static void end_atomic(Work *w, Result *results, const size_t *order, size_t n, size_t failed) {
        bool begun = true, degraded = g_str_equal(results[failed].error, refusal_error_name(REFUSAL_DEGRADED));

        if (!degraded)
                work_undo(w);
        if (w->lost->len > 0) {
                g_autofree char *message = g_strdup_printf("%s; what had been removed was made again, but not %s",
                                                           results[failed].message, w->lost->str);
                g_autofree char *error = g_strdup(results[failed].error);

                set_result(results + failed, error, message);
        }

        for (size_t i = 0; i < n; i++) {
                size_t k = order[i];
                g_autofree char *message =
                        g_strdup_printf("%s because of operation %zu", begun ? "undone" : "not begun", failed + 1);

                if (k == failed)
                        begun = false;
                else if (!begun || !degraded)
                        set_result(results + k, BACKEND_ERROR_NOT_DONE, message);
        }
}

static void run_operations(Server *s, const Request *rq, Result *results) {
        g_autofree size_t *order = work_order(rq->operations);
        size_t n = rq->operations->len;
        Work w;

        work_init(&w, s->root, rq->node);
        for (size_t i = 0; i < n; i++) {
                size_t k = order[i];

                run_operation(s, &w, &g_array_index(rq->operations, Operation, k), rq->keep_going, results + k);
                if (results[k].error && !rq->keep_going) {
                        end_atomic(&w, results, order, n, k);
                        break;
                }
        }
        work_done(&w);
}

/* Of the other nodes only the names count; their sockets are in the table. */
static void copy_node_names(const char *root, const char *copy) {
        g_autofree char *fabric = kernel_path(root, NULL);
        g_auto(GStrv) nodes = kernel_list(fabric);

        for (char **node = nodes; *node; node++)
                (void) kernel_mkdir_node(copy, *node);
}

/* On a copy of what counts. */
static void check_operations(Server *s, const Request *rq, Result *results) {
        static const char *const files[] = { "sockets", "listeners", "interfaces" };
        g_autofree char *copy = g_dir_make_tmp("fake-kernel-XXXXXX", NULL), *from = kernel_path(s->root, rq->node, NULL);
        g_autofree char *to = kernel_path(copy, rq->node, NULL);
        g_autofree size_t *order = work_order(rq->operations);
        Work w;

        for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
                g_autofree char *source = g_build_filename(s->root, files[i], NULL),
                                *target = g_build_filename(copy, files[i], NULL);

                kernel_copy_tree(source, target);
        }
        copy_node_names(s->root, copy);
        kernel_copy_tree(from, to);

        work_init(&w, copy, rq->node);
        for (guint i = 0; i < rq->operations->len; i++)
                if (!work_do(&w, &g_array_index(rq->operations, Operation, order[i]), false))
                        set_result(results + order[i], refusal_error_name(w.refusal), w.why);
        work_done(&w);
        kernel_remove_tree(copy);
}

static bool check_preconditions(Server *s, const Request *rq, sd_bus_error *error) {
        Work w = { .root = s->root, .node = rq->node };
        g_autofree char *unexpected = NULL;

        if (!rq->expected)
                return true;
        unexpected = work_find_unexpected(&w, (const uint64_t *) rq->expected->data, rq->expected->len);
        if (unexpected)
                (void) sd_bus_error_setf(error, refusal_error_name(REFUSAL_FOREIGN_OBJECT_INSIDE),
                                         "Another program has put %s into node %s", unexpected, rq->node);
        return !unexpected;
}

static void apply(Server *s, sd_bus_message *m, sd_bus_message *reply, const Plan *plan, sd_bus_error *error) {
        bool check = g_str_equal(sd_bus_message_get_member(m), "Check");
        g_autofree Result *results = NULL;
        Request rq;

        request_read(m, &rq, error);
        if (!sd_bus_error_is_set(error) && !check) {
                /* Who holds the node's lock may want the kernel's. */
                unlock_kernel(s);
                (void) lock_node(s, rq.node, error);
                lock_kernel(s);
        }

        results = g_new0(Result, rq.operations->len + 1);
        if (!sd_bus_error_is_set(error) && check_preconditions(s, &rq, error) && plan->action != PLAN_LIE) {
                if (check)
                        check_operations(s, &rq, results);
                else
                        run_operations(s, &rq, results);
        }
        unlock_node(s);

        append_results(reply, results, rq.operations->len);
        if (check)
                must(sd_bus_message_append(reply, "as", 0), "warnings");
        for (guint i = 0; i < rq.operations->len; i++) {
                g_free(results[i].error);
                g_free(results[i].message);
        }
        request_done(&rq);
}

static void observe(Server *s, sd_bus_message *m, sd_bus_message *reply, const Plan *plan, sd_bus_error *error) {
        const char *node;

        must(sd_bus_message_read(m, "s", &node), "a node");
        if (!*node || strchr(node, '/') || g_str_equal(node, ".") || g_str_equal(node, ".."))
                (void) sd_bus_error_setf(error, refusal_error_name(REFUSAL_INVALID_PARAMETER), "\"%s\" is not a node's name",
                                         node);
        else if (plan->action == PLAN_MANY)
                append_many_ports(reply, plan->number, 0);
        else if (plan->action == PLAN_MANY_PORTALS)
                append_many_ports(reply, 1, plan->number);
        else
                append_observed(reply, s->root, plan->action == PLAN_LIE ? "nothing" : node);
}

static void list_nodes(Server *s, sd_bus_message *m, sd_bus_message *reply, const Plan *plan, sd_bus_error *error) {
        if (plan->action == PLAN_MANY || plan->action == PLAN_LIE)
                append_many_nodes(reply, plan->number);
        else
                append_nodes(reply, s->root);
}

static void describe(Server *s, sd_bus_message *m, sd_bus_message *reply, const Plan *plan, sd_bus_error *error) {
        must(sd_bus_message_append(reply, "sb", "fake", 1), "a description");
}

static void snapshot(Server *s, sd_bus_message *m, sd_bus_message *reply, const Plan *plan, sd_bus_error *error) {
        g_auto(GStrv) unreadable = NULL;
        g_autofree char *text = NULL;
        const char *node;
        uint64_t tag;
        Work w;

        must(sd_bus_message_read(m, "st", &node, &tag), "a port");
        work_init(&w, s->root, node);
        text = node_name_is_valid(node) && tag <= UINT16_MAX ? work_take_snapshot(&w, (uint16_t) tag, &unreadable) : NULL;
        if (text) {
                must(sd_bus_message_append_array(reply, 'y', text, strlen(text)), "a snapshot");
                must(sd_bus_message_append_strv(reply, unreadable), "a snapshot");
        } else
                (void) sd_bus_error_setf(error, refusal_error_name(REFUSAL_INVALID_PARAMETER), "There is no such port");
        work_done(&w);
}

static const struct {
        const char *member, *signature;
        void (*answer)(Server *s, sd_bus_message *m, sd_bus_message *reply, const Plan *plan, sd_bus_error *error);
} calls[] = {
        { "Describe", "", describe },
        { "ListNodes", "", list_nodes },
        { "Observe", "s", observe },
        { "Snapshot", "st", snapshot },
        { "Apply", "s" BACKEND_OPERATIONS_TYPE "a{sv}", apply },
        { "Check", "s" BACKEND_OPERATIONS_TYPE "a{sv}", apply },
};

static void send_noise(Server *s) {
        static const char noise[] = "220 mail.example.org ESMTP ready: this is another kind of server\r\n";

        if (write(sd_bus_get_fd(s->bus), noise, sizeof(noise)) != (ssize_t) sizeof(noise))
                _exit(EXIT_FAILURE);
}

/* The work of a call, whose planned fault is PLAN. Returns the reply, or NULL with ERROR set. */
static sd_bus_message *answer_call(Server *s, sd_bus_message *m, gsize i, const Plan *plan, sd_bus_error *error) {
        sd_bus_message *reply = NULL;

        must(sd_bus_message_new_method_return(m, &reply), "a reply");
        if (plan->action == PLAN_ANSWER)
                append_text(reply, plan->text);
        else
                calls[i].answer(s, m, reply, plan, error);

        s->exits |= plan->action == PLAN_EXIT;
        s->garbage |= plan->action == PLAN_GARBAGE;
        if (s->garbage) {
                /* A worker that answers nonsense does so even where it would have to refuse. */
                sd_bus_error_free(error);
                sd_bus_message_unref(reply);
                must(sd_bus_message_new_method_return(m, &reply), "a reply");
                must(sd_bus_message_append(reply, "(ss)", "not", "this"), "a reply");
        }
        if (sd_bus_error_is_set(error))
                reply = sd_bus_message_unref(reply);

        return reply;
}

/* There is no vtable, because sd-bus would not let an answer pass that does not fit one. */
static int on_call(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Server *s = userdata;
        sd_bus_message *reply = NULL;
        g_auto(Plan) plan = {};
        gsize i;

        for (i = 0; i < G_N_ELEMENTS(calls); i++)
                if (sd_bus_message_is_method_call(m, BACKEND_INTERFACE, calls[i].member) > 0 &&
                    g_str_equal(sd_bus_message_get_signature(m, true), calls[i].signature))
                        break;
        if (i == G_N_ELEMENTS(calls))
                return 0;

        if (sd_bus_can_send(s->bus, 'h') <= 0)
                return sd_bus_error_set(error, refusal_error_name(REFUSAL_INVALID_PARAMETER),
                                        "File descriptors were not negotiated");

        lock_kernel(s);
        log_call(s, m);
        plan_take(s->root, calls[i].member, &plan);
        if (plan.action == PLAN_NOISE) {
                unlock_kernel(s);
                send_noise(s);
                return 1;
        }
        if (wait_as_planned(s, &plan, 0))
                _exit(EXIT_SUCCESS);
        reach(s, &plan, PLAN_BEFORE);

        if (plan.action == PLAN_FAIL)
                (void) sd_bus_error_set(error, plan.error, plan.text);
        else
                reply = answer_call(s, m, i, &plan, error);
        reach(s, &plan, PLAN_HALF);
        reach(s, &plan, PLAN_AFTER);
        unlock_kernel(s);

        if (sd_bus_error_is_set(error))
                return sd_bus_reply_method_error(m, error) < 0 ? -EIO : 1;
        must(sd_bus_send(s->bus, reply, NULL), "Cannot answer");
        sd_bus_message_unref(reply);
        if (s->exits) {
                (void) sd_bus_flush(s->bus);
                _exit(EXIT_SUCCESS);
        }
        s->garbage = false;
        return 1;
}

void fake_kernel_serve(int fd, const char *root) {
        Server s = { .root = root, .kernel = -1, .node = -1 };
        sd_id128_t id;
        int r;

        must(sd_id128_randomize(&id), "Cannot make an id");
        must(sd_bus_new(&s.bus), "Cannot make a bus");
        must(sd_bus_set_fd(s.bus, fd, fd), "Cannot use the connection");
        must(sd_bus_set_server(s.bus, true, id), "Cannot serve");
        must(sd_bus_negotiate_fds(s.bus, true), "Cannot serve");
        must(sd_bus_add_object(s.bus, NULL, BACKEND_PATH, on_call, &s), "Cannot serve");
        must(sd_bus_start(s.bus), "Cannot serve");

        do {
                r = sd_bus_process(s.bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(s.bus, UINT64_MAX);
        } while (r >= 0);

        sd_bus_unref(s.bus);
}
