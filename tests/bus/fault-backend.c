/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A worker of org.iscsi.Backend for tests, that behaves like a kernel with a memory of its own, and fails as it is told. It serves one
 * connection on file descriptor 3 (sd_listen_fds(3)) until its peer hangs up, so it is started once per connection:
 *
 *      systemd-socket-activate --accept -l /run/test/socket -E FAULT_STATE=/run/test/state fault-backend
 *
 * All workers of one state directory share it, and tests may look at it and edit it at any time:
 *
 *      $FAULT_STATE/nodes/NAME/                a node; NAME is as it is
 *      $FAULT_STATE/nodes/NAME/TAG/            a target port; TAG in decimal
 *      $FAULT_STATE/nodes/NAME/TAG/enabled     1 or 0; absent is 0
 *      $FAULT_STATE/nodes/NAME/TAG/sessions    1 if initiators are logged in, or 0; absent is 0
 *      $FAULT_STATE/nodes/NAME/TAG/portals     a line per portal: "10.0.0.1:3260", or "10.0.0.1:3260 deaf" for one without a listening
 *                                              socket; absent is none
 *      $FAULT_STATE/log                        a line per call, written when it arrives: "CreateTargetPort NAME TAG PORTAL PORTAL"
 *      $FAULT_STATE/plan                       what goes wrong; read at each call; absent is nothing
 *      $FAULT_STATE/lock                       flock() while a worker reads or changes any of it
 *
 * A line of the plan is "VERB BEHAVIOUR", with a verb of the interface or "*". The first that fits a call counts. With "once " before it,
 * it is taken out by the first call that it fits. Empty lines and those that begin with "#" are skipped. Behaviours:
 *
 *      fail NAME [TEXT]        answers with the error NAME ("AddressInUse") and TEXT; nothing is done
 *      fail-half NAME [TEXT]   the same after half of the work, e.g. with NAME Degraded
 *      unknown-error           answers with an error that no service knows; nothing is done
 *      hang                    does nothing and never answers. The process ends once its peer has hung up, so that none is left behind
 *      hang-half, hang-after   the same after half of the work, or all of it
 *      crash-before            ends without having done anything
 *      crash-half              ends after half of the work
 *      crash-after             ends after all of the work, without an answer
 *      slow MSEC               waits, then does its work; if its peer hangs up meanwhile, it does nothing
 *      lie                     answers success, or an empty observation, and does nothing
 *      garbage                 does its work and answers with arguments that the interface does not have
 *
 * Half of the work is: of CreateTargetPort and RestoreTargetPort all but enabling the port; of UndoTargetPort and DeleteTargetPort
 * disabling it and removing its portals; of BindPortal a portal that is deaf; of the others nothing.
 *
 * A plan or a state that cannot be understood ends the process with a line on standard error. */

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <poll.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "common/macro.h"
#include "fault-plan.h"
#include "fault-state.h"
#include "common/refusal.h"

#define INTERFACE "org.iscsi.Backend"
#define NODE_NAME_MAX 223

typedef struct Request {
        const char *verb;
        const char *node;
        uint16_t tag;
        FaultPort given; /* its portals */
        bool half;
} Request;

/* Does REQUEST's work, or half of it. Refuses by filling ERROR. */
typedef void (*work_t)(const Request *rq, sd_bus_error *error);

static void _printf_(3, 4) refuse(sd_bus_error *error, Refusal refusal, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        (void) sd_bus_error_setfv(error, refusal_error_name(refusal), format, ap);
        va_end(ap);
}

/* Refuses if another port of the node has one of the given portals. */
static bool portals_are_free(const Request *rq, sd_bus_error *error) {
        g_autoptr(GArray) tags = state_list_ports(rq->node);
        char buf[PORTAL_TEXT_MAX];

        for (guint i = 0; i < tags->len; i++) {
                uint16_t tag = g_array_index(tags, uint16_t, i);
                FaultPort port;

                if (tag == rq->tag || !state_load_port(rq->node, tag, &port))
                        continue;

                for (size_t j = 0; j < rq->given.n_portals; j++)
                        if (fault_port_find(&port, &rq->given.portals[j]) < port.n_portals) {
                                refuse(error, REFUSAL_TCP_IN_USE, "Portal %s belongs to port %u of %s",
                                       portal_to_text(&rq->given.portals[j], buf), tag, rq->node);
                                return false;
                        }
        }

        return true;
}

static void create_node(const Request *rq, sd_bus_error *error) {
        if (!rq->half)
                state_make_node(rq->node);
}

static void delete_node(const Request *rq, sd_bus_error *error) {
        g_autoptr(GArray) tags = state_list_ports(rq->node);

        if (tags->len > 0)
                refuse(error, REFUSAL_FAILED, "Node %s still has %u ports", rq->node, tags->len);
        else if (!rq->half && state_has_node(rq->node))
                state_remove_node(rq->node);
}

static void restore_target_port(const Request *rq, sd_bus_error *error) {
        FaultPort port;

        if (!portals_are_free(rq, error))
                return;

        (void) state_load_port(rq->node, rq->tag, &port);
        for (size_t i = 0; i < rq->given.n_portals; i++) {
                size_t place = fault_port_find(&port, &rq->given.portals[i]);

                if (place < port.n_portals)
                        port.deaf[place] = false;
                else
                        fault_port_add(&port, &rq->given.portals[i], false);
        }

        port.enabled = port.enabled || !rq->half;
        state_save_port(rq->node, rq->tag, &port);
}

static void create_target_port(const Request *rq, sd_bus_error *error) {
        FaultPort port;

        if (state_load_port(rq->node, rq->tag, &port))
                refuse(error, REFUSAL_IDENTIFIER_IN_USE, "Node %s has a port with tag %u", rq->node, rq->tag);
        else
                restore_target_port(rq, error);
}

static void take_down(const Request *rq) {
        FaultPort nothing = {};

        if (rq->half)
                state_save_port(rq->node, rq->tag, &nothing);
        else
                state_remove_port(rq->node, rq->tag);
}

static void undo_target_port(const Request *rq, sd_bus_error *error) {
        FaultPort port;

        if (!state_load_port(rq->node, rq->tag, &port) || port.sessions)
                return;

        /* A port with any other portal was not made by the call that is to be undone. */
        for (size_t i = 0; i < port.n_portals; i++)
                if (fault_port_find(&rq->given, &port.portals[i]) == rq->given.n_portals)
                        return;

        take_down(rq);
}

static void delete_target_port(const Request *rq, sd_bus_error *error) {
        FaultPort port;

        if (!state_load_port(rq->node, rq->tag, &port))
                return;

        if (port.sessions)
                refuse(error, REFUSAL_SESSIONS_ACTIVE, "Initiators are logged in through port %u of %s", rq->tag, rq->node);
        else
                take_down(rq);
}

static void bind_portal(const Request *rq, sd_bus_error *error) {
        const Portal *p = &rq->given.portals[0];
        FaultPort port;
        size_t place;

        if (!state_load_port(rq->node, rq->tag, &port)) {
                refuse(error, REFUSAL_ENDPOINT_NON_EXISTENT, "Node %s has no port with tag %u", rq->node, rq->tag);
                return;
        }
        if (!portals_are_free(rq, error))
                return;

        place = fault_port_find(&port, p);
        if (place == port.n_portals)
                fault_port_add(&port, p, rq->half);
        else if (!rq->half)
                port.deaf[place] = false;
        state_save_port(rq->node, rq->tag, &port);
}

static void unbind_portal(const Request *rq, sd_bus_error *error) {
        FaultPort port;
        size_t place;

        if (rq->half || !state_load_port(rq->node, rq->tag, &port))
                return;

        place = fault_port_find(&port, &rq->given.portals[0]);
        if (place == port.n_portals)
                return;

        fault_port_remove(&port, place);
        state_save_port(rq->node, rq->tag, &port);
}

static void check_sessions(const Request *rq, sd_bus_error *error) {
        g_autoptr(GArray) tags = state_list_ports(rq->node);
        FaultPort port;

        for (guint i = 0; i < tags->len; i++)
                if (state_load_port(rq->node, g_array_index(tags, uint16_t, i), &port) && port.sessions) {
                        refuse(error, REFUSAL_SESSIONS_ACTIVE, "Initiators are logged in through port %u of %s",
                               g_array_index(tags, uint16_t, i), rq->node);
                        return;
                }
}

/* Describe and Observe change nothing; what they tell is written by append_answer(). */
static void tell(const Request *rq, sd_bus_error *error) {
}

static const struct {
        const char *verb, *signature;
        work_t work;
} verbs[] = {
        { "Describe", "", tell },
        { "CreateNode", "s", create_node },
        { "DeleteNode", "s", delete_node },
        { "CreateTargetPort", "sqa(sq)", create_target_port },
        { "RestoreTargetPort", "sqa(sq)", restore_target_port },
        { "UndoTargetPort", "sqa(sq)", undo_target_port },
        { "DeleteTargetPort", "sq", delete_target_port },
        { "BindPortal", "sqsq", bind_portal },
        { "UnbindPortal", "sqsq", unbind_portal },
        { "CheckSessions", "s", check_sessions },
        { "Observe", "", tell },
};

static void check(int r, const char *what) {
        if (r < 0)
                g_error("%s: %s", what, g_strerror(-r));
}

static void read_portal(sd_bus_message *m, FaultPort *given, sd_bus_error *error) {
        const char *address;
        uint16_t port;
        Portal p = {};

        check(sd_bus_message_read(m, "sq", &address, &port), "Cannot read a portal");

        p.port = port;
        if (port == 0 || ip_address_from_text(address, &p.address) < 0)
                refuse(error, REFUSAL_INVALID_PARAMETER, "\"%s\" and %u are no portal", address, port);
        else if (given->n_portals >= FAULT_PORTALS_MAX)
                refuse(error, REFUSAL_INVALID_PARAMETER, "More than %d portals", FAULT_PORTALS_MAX);
        else
                fault_port_add(given, &p, false);
}

static void read_request(sd_bus_message *m, const char *signature, Request *rq, sd_bus_error *error) {
        int r;

        rq->node = "";
        if (!*signature)
                return;

        check(sd_bus_message_read(m, "s", &rq->node), "Cannot read a node");
        if (!*rq->node || strlen(rq->node) > NODE_NAME_MAX || rq->node[0] == '.' || strpbrk(rq->node, "/ \n"))
                refuse(error, REFUSAL_INVALID_PARAMETER, "\"%s\" is not a node's name", rq->node);

        if (signature[1] == 'q')
                check(sd_bus_message_read(m, "q", &rq->tag), "Cannot read a tag");

        if (g_str_has_suffix(signature, "qsq"))
                read_portal(m, &rq->given, error);
        else if (g_str_has_suffix(signature, "a(sq)")) {
                check(sd_bus_message_enter_container(m, 'a', "(sq)"), "Cannot read portals");
                while ((r = sd_bus_message_enter_container(m, 'r', "sq")) > 0) {
                        read_portal(m, &rq->given, error);
                        check(sd_bus_message_exit_container(m), "Cannot read portals");
                }
                check(r, "Cannot read portals");
        }
}

static void write_log(const Request *rq, const char *signature) {
        g_autoptr(GString) line = g_string_new(rq->verb);
        char buf[PORTAL_TEXT_MAX];
        int fd;

        if (signature[0])
                g_string_append_printf(line, " %s", rq->node);
        if (signature[0] && signature[1])
                g_string_append_printf(line, " %u", rq->tag);
        for (size_t i = 0; i < rq->given.n_portals; i++)
                g_string_append_printf(line, " %s", portal_to_text(&rq->given.portals[i], buf));
        g_string_append_c(line, '\n');

        fd = open("log", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0 || write(fd, line->str, line->len) != (ssize_t) line->len)
                g_error("Cannot write the log: %m");
        (void) close(fd);
}

/* Waits for MSEC or for ever (-1). Ends the process once the peer has hung up. */
static void wait_for_hang_up(sd_bus *bus, int msec) {
        struct pollfd pollfd = { .fd = sd_bus_get_fd(bus), .events = POLLRDHUP };

        if (poll(&pollfd, 1, msec) != 0)
                _exit(EXIT_SUCCESS);
}

/* Carries out what is planned for POINT, unless that is an answer. */
static void reach(sd_bus *bus, const Plan *plan, PlanPoint point) {
        if (plan->point != point)
                return;

        if (plan->action == PLAN_CRASH)
                _exit(EXIT_FAILURE);
        if (plan->action == PLAN_HANG)
                wait_for_hang_up(bus, -1);
}

static int append_port(sd_bus_message *m, uint16_t tag, const FaultPort *port) {
        char buf[IP_ADDRESS_TEXT_MAX];
        int r;

        r = sd_bus_message_open_container(m, 'r', "qba(sqb)");
        if (r >= 0)
                r = sd_bus_message_append(m, "qb", tag, port->enabled);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "(sqb)");
        for (size_t i = 0; r >= 0 && i < port->n_portals; i++)
                r = sd_bus_message_append(m, "(sqb)", ip_address_to_text(&port->portals[i].address, buf), port->portals[i].port,
                                          !port->deaf[i]);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r;
}

static int append_node(sd_bus_message *m, const char *node) {
        g_autoptr(GArray) tags = state_list_ports(node);
        int r;

        r = sd_bus_message_open_container(m, 'r', "sa(qba(sqb))");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", node);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "(qba(sqb))");
        for (guint i = 0; r >= 0 && i < tags->len; i++) {
                uint16_t tag = g_array_index(tags, uint16_t, i);
                FaultPort port;

                if (state_load_port(node, tag, &port))
                        r = append_port(m, tag, &port);
        }
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r;
}

static int append_answer(sd_bus_message *m, const Request *rq, const Plan *plan) {
        g_autoptr(GPtrArray) nodes = NULL;
        int r;

        if (plan->action == PLAN_GARBAGE)
                return sd_bus_message_append(m, "(tt)", UINT64_C(1), UINT64_C(2));
        if (g_str_equal(rq->verb, "Describe"))
                return sd_bus_message_append(m, "sb", "fault", true);
        if (!g_str_equal(rq->verb, "Observe"))
                return 0;

        nodes = plan->action == PLAN_LIE ? g_ptr_array_new() : state_list_nodes();
        r = sd_bus_message_open_container(m, 'a', "(sa(qba(sqb)))");
        for (guint i = 0; r >= 0 && i < nodes->len; i++)
                r = append_node(m, nodes->pdata[i]);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r;
}

/* There is no vtable, because sd-bus would not let an answer pass that does not fit one. */
static int on_call(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        sd_bus *bus = sd_bus_message_get_bus(m);
        const char *signature = sd_bus_message_get_signature(m, true);
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(plan_done) Plan plan = {};
        _cleanup_close_ int lock = -1;
        Request rq = { .verb = sd_bus_message_get_member(m) };
        size_t i;

        for (i = 0; i < G_N_ELEMENTS(verbs); i++)
                if (sd_bus_message_is_method_call(m, INTERFACE, verbs[i].verb) > 0 && g_str_equal(signature, verbs[i].signature))
                        break;
        if (i == G_N_ELEMENTS(verbs))
                return 0;

        read_request(m, signature, &rq, error);

        lock = state_lock();
        write_log(&rq, signature);
        plan_take(rq.verb, &plan);
        closep(&lock);
        lock = -1;

        if (plan.msec > 0)
                wait_for_hang_up(bus, (int) plan.msec);

        reach(bus, &plan, PLAN_BEFORE);

        lock = state_lock();
        if (plan.action == PLAN_UNKNOWN_ERROR)
                (void) sd_bus_error_set(error, "org.example.Error.Unheard", "What nobody has heard of");
        else if (plan.action != PLAN_LIE && !(plan.action == PLAN_FAIL && plan.point == PLAN_BEFORE) &&
                 !sd_bus_error_is_set(error)) {
                rq.half = plan.action != PLAN_GARBAGE && plan.point == PLAN_HALF;
                verbs[i].work(&rq, error);
        }

        if (plan.action == PLAN_FAIL && !sd_bus_error_is_set(error)) {
                g_autofree char *name = g_strconcat(ERROR_NAME_PREFIX, plan.error, NULL);

                (void) sd_bus_error_set(error, name, plan.text);
        }

        check(sd_bus_message_new_method_return(m, &reply), "Cannot make a reply");
        check(append_answer(reply, &rq, &plan), "Cannot write a reply");
        closep(&lock);
        lock = -1;

        reach(bus, &plan, PLAN_HALF);
        reach(bus, &plan, PLAN_AFTER);

        /* A worker that answers nonsense does so even where it would have to refuse. */
        if (plan.action == PLAN_GARBAGE)
                sd_bus_error_free(error);
        if (sd_bus_error_is_set(error))
                return sd_bus_reply_method_error(m, error) < 0 ? -EIO : 1;

        return sd_bus_send(bus, reply, NULL);
}

int main(void) {
        const char *state = g_getenv("FAULT_STATE");
        sd_bus *bus = NULL;
        sd_id128_t id;
        int r;

        if (!state || chdir(state) < 0)
                g_error("FAULT_STATE is not set to a directory");
        if (sd_listen_fds(true) != 1)
                g_error("Exactly one connection must be passed as file descriptor %d", SD_LISTEN_FDS_START);

        check(sd_bus_new(&bus), "Cannot make a bus");
        check(sd_bus_set_fd(bus, SD_LISTEN_FDS_START, SD_LISTEN_FDS_START), "Cannot use the connection");
        check(sd_id128_randomize(&id), "Cannot make an id");
        check(sd_bus_set_server(bus, true, id), "Cannot serve");
        check(sd_bus_add_object(bus, NULL, "/org/iscsi/Backend", on_call, NULL), "Cannot serve");
        check(sd_bus_start(bus), "Cannot serve");

        do {
                r = sd_bus_process(bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(bus, UINT64_MAX);
        } while (r >= 0);

        sd_bus_unref(bus);
        return EXIT_SUCCESS;
}
