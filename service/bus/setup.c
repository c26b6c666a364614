/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bus/setup.h"

#include <errno.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-id128.h>
#include <unistd.h>

#include "bus/authority.h"
#include "bus/call.h"
#include "bus/objects.h"
#include "bus/sessions.h"
#include "change/load.h"
#include "common/log.h"

#define BACKEND_WORKERS_MAX 8u

/* As sd_bus_open_system(), but no file descriptors are taken. No method has any, and a message may carry 16: kept while a
 * question is open, those of a few callers would leave the service without. */
static int connect_to_bus(sd_bus **ret) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        const char *address = getenv("DBUS_SYSTEM_BUS_ADDRESS");
        int r;

        r = sd_bus_new(&bus);
        if (r < 0)
                return r;
        r = sd_bus_set_address(bus, address ? address : "unix:path=/run/dbus/system_bus_socket");
        if (r < 0)
                return r;
        r = sd_bus_set_bus_client(bus, true);
        if (r < 0)
                return r;
        r = sd_bus_negotiate_fds(bus, false);
        if (r < 0)
                return r;
        r = sd_bus_start(bus);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(bus);
        return 0;
}

static int attach_bus(Manager *m, sd_bus *bus, int64_t priority) {
        int r;

        r = sd_bus_set_exit_on_disconnect(bus, true);
        if (r < 0)
                return r;

        return sd_bus_attach_event(bus, m->context.event, priority);
}

/* Questions about callers use a second connection, which is served first. Otherwise replies would queue behind callers' messages,
 * and one caller that floods the service would block everybody.
 *
 * If the name is taken, another instance of the service owns store and backends: stop. This is a courtesy, not a lock: the name
 * itself is asked for last. */
static int open_bus(Manager *m) {
        int r;

        r = connect_to_bus(&m->bus);
        if (r >= 0)
                r = connect_to_bus(&m->asking_bus);
        if (r < 0)
                return log_error_errno(r, "Failed to connect to the system bus");

        r = sd_bus_get_name_creds(m->bus, BUS_NAME, 0, NULL);
        if (r >= 0) {
                log_error("Another process has the name %s on the bus; is the service running already?", BUS_NAME);
                return -EEXIST;
        }
        if (r != -ENXIO)
                return log_error_errno(r, "Failed to ask the bus for the owner of %s", BUS_NAME);

        r = attach_bus(m, m->bus, SD_EVENT_PRIORITY_NORMAL);
        if (r >= 0)
                r = attach_bus(m, m->asking_bus, SD_EVENT_PRIORITY_NORMAL - 1);
        if (r < 0)
                return log_error_errno(r, "Failed to set up the bus connections");

        return 0;
}

static int name_acquired(sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *ret_error) {
        const sd_bus_error *e = sd_bus_message_get_error(reply);
        Manager *m = userdata;
        uint32_t result = 0;

        if (!e)
                (void) sd_bus_message_read(reply, "u", &result);
        if (e || result != 1) { /* DBUS_REQUEST_NAME_REPLY_PRIMARY_OWNER */
                log_error("The bus does not give us the name %s: %s", BUS_NAME,
                          e ? e->message : "another process has it; is the service running already?");
                return sd_event_exit(m->context.event, EXIT_FAILURE);
        }

        log_info("Ready: %u nodes, %u ports", model_counts(m->context.model)->nodes, model_counts(m->context.model)->ports);
        (void) sd_notify(false, "READY=1");
        return 1;
}

/* The first look is over. Changes are taken from here on, before the name is asked for: the bus delivers the calls that started
 * the service ahead of the answer about the name. */
static void looked(void *userdata) {
        Manager *m = userdata;
        int r;

        m->context.ready = true;
        model_set_telling(m->context.model, true);
        bus_sessions_find_ports(m->sessions);

        r = sd_bus_request_name_async(m->bus, NULL, BUS_NAME, 0, name_acquired, m);
        if (r < 0) {
                log_error_errno(r, "Failed to ask for the name %s", BUS_NAME);
                (void) sd_event_exit(m->context.event, EXIT_FAILURE);
        }
}

/* Nodes with a portal on A may listen now, or do not any more. */
static void suspect_users(Manager *m, const IpAddress *a) {
        const IpEndpoint *ip = model_find_ip_endpoint(m->context.model, a);

        if (!ip)
                return;
        for (const Binding *b = ip->bound_by; b; b = b->next_of_endpoint)
                reconciler_suspect(m->reconciler, b->port->key.node->name);
        for (const TcpEndpoint *t = ip->tcp_endpoints; t; t = t->next_of_ip)
                for (const Binding *b = t->bound_by; b; b = b->next_of_endpoint)
                        reconciler_suspect(m->reconciler, b->port->key.node->name);
}

/* Ports that other programs have bound to an interface are on all of its addresses. */
static void suspect_records(Manager *m) {
        if (m->options->initiator != BACKEND_OPEN_ISCSI)
                return;

        for (const Node *n = model_first_node(m->context.model); n; n = n->hh.next)
                for (const Port *p = n->ports; p; p = p->next_of_node)
                        if (!p->managed && p->role == ROLE_INITIATOR) {
                                reconciler_suspect(m->reconciler, n->name);
                                break;
                        }
}

static void host_changed(HostEvent event, const HostAddress *a, void *userdata) {
        Manager *m = userdata;
        IpAttributes attributes = {
                .dual_stack = a->dual_stack,
                .prefix_length = a->prefix_length,
                .origin = a->origin,
        };

        memcpy(attributes.interface, a->interface, sizeof(attributes.interface));

        switch (event) {
        case HOST_ADDRESS_ADDED:
                if (model_add_address(m->context.model, &a->address, &attributes) < 0)
                        log_oom();
                break;
        case HOST_ADDRESS_CHANGED:
                model_change_address(m->context.model, &a->address, &attributes);
                break;
        case HOST_ADDRESS_REMOVED:
                model_remove_address(m->context.model, &a->address);
                break;
        }
        suspect_users(m, &a->address);
        suspect_records(m);
}

/* The interface NAME is another one now, or is gone: portals on its link-local addresses may sit on the old one. */
static void link_changed(const char *name, _unused_ int ifindex, void *userdata) {
        Manager *m = userdata;

        for (const IpEndpoint *ip = model_first_ip_endpoint(m->context.model); ip; ip = ip->hh.next)
                if (strcmp(ip->address.zone, name) == 0)
                        suspect_users(m, &ip->address);
}

static void watch_changed(const char *node, void *userdata) {
        reconciler_suspect(((Manager *) userdata)->reconciler, node);
}

static void watch_status(const char *text, void *userdata) {
        if (model_set_notice(((Manager *) userdata)->context.model, NOTICE_WATCH, text) < 0)
                log_oom();
}

/* What others have done to records of initiator ports. What a worker does not name may have gone before it looked. */
static void initiators_changed(char *const *nodes, bool first, void *userdata) {
        Manager *m = userdata;

        for (char *const *n = nodes; *n; n++)
                if (**n)
                        reconciler_suspect(m->reconciler, *n);
                else
                        first = true;
        for (Node *n = model_first_node(m->context.model); first && n; n = n->hh.next)
                if (n->roles & ROLE_BIT(ROLE_INITIATOR))
                        reconciler_suspect(m->reconciler, n->name);
}

static void initiators_status(const char *text, void *userdata) {
        if (model_set_notice(((Manager *) userdata)->context.model, NOTICE_INITIATOR, text) < 0)
                log_oom();
}

static int watch_initiators(Manager *m) {
        static const BackendWatchCallbacks callbacks = { .changed = initiators_changed, .status = initiators_status };
        int r;

        if (m->options->initiator != BACKEND_OPEN_ISCSI)
                return 0;

        r = backend_watch_new(m->context.event, "open-iscsi", m->options->open_iscsi_socket, &callbacks, m, &m->initiator_watch);
        return r < 0 ? log_error_errno(r, "Failed to watch the records of initiator ports") : 0;
}

static int start_watch(Manager *m) {
        static const ConfigfsWatchCallbacks callbacks = { .changed = watch_changed, .status = watch_status };
        _cleanup_free_ char *fabric = NULL;
        int r;

        if (m->options->target != BACKEND_LIO || !m->options->configfs[0])
                return 0;
        if (asprintf(&fabric, "%s/iscsi", m->options->configfs) < 0)
                return log_oom();

        r = configfs_watch_new(m->context.event, fabric, &callbacks, m, &m->watch);
        return r < 0 ? log_error_errno(r, "Failed to watch %s", fabric) : 0;
}

/* Whatever became of the store, the kernel is looked at, and callers can read. */
static void begin_looking(Manager *m) {
        int r;

        m->looking = true;
        r = host_new(m->context.event, host_changed, m, &m->host);
        if (r < 0)
                log_error_errno(r, "Failed to read the addresses of this host");
        if (r >= 0) {
                host_follow_links(m->host, link_changed, m);
                r = start_watch(m);
                if (r >= 0)
                        r = watch_initiators(m);
        }
        if (r >= 0)
                r = reconciler_start(m->reconciler, looked, m);
        if (r < 0)
                (void) sd_event_exit(m->context.event, EXIT_FAILURE);
}

static void store_opened(_unused_ Store *s, const StoreImage *image, void *userdata) {
        Manager *m = userdata;
        int r;

        engine_drop_all(m->engine);
        reconciler_forget(m->reconciler);
        r = context_load(&m->context, image);
        if (r < 0) {
                log_error_errno(r, "Failed to take in what the store holds");
                (void) sd_event_exit(m->context.event, EXIT_FAILURE);
                return;
        }
        (void) model_set_notice(m->context.model, NOTICE_STORE, NULL);
        if (context_store_host(&m->context) < 0)
                log_oom();

        if (m->looking)
                reconciler_suspect(m->reconciler, NULL);
        else
                begin_looking(m);
}

static void store_unavailable(_unused_ Store *s, const StoreFault *fault, void *userdata) {
        Manager *m = userdata;

        if (model_set_notice(m->context.model, NOTICE_STORE, fault->why) < 0)
                log_oom();
        if (!m->looking)
                begin_looking(m);
}

/* The backends that are worker programs. */
static int peer_new(Manager *m, BackendChoice choice, Backend **ret) {
        static const BackendTraits lio = { .selects_identifiers = true, .shows_others = true };
        static const BackendTraits open_iscsi = {
                .on_addresses = true,
                .shows_others = true,
                .reads_all = true,
                .no_switch = true,
                .has_host_node = true,
                .nodes_are_names = true,
        };
        const ManagerOptions *o = m->options;
        const struct {
                const char *name, *option, *socket;
                const BackendTraits *traits;
        } peers[_BACKEND_CHOICE_MAX] = {
                [BACKEND_LIO] = { "lio", "lio-socket", o->lio_socket, &lio },
                [BACKEND_OPEN_ISCSI] = { "open-iscsi", "open-iscsi-socket", o->open_iscsi_socket, &open_iscsi },
        }, *p = peers + choice;
        int r;

        r = backend_new_peer(m->context.event, p->name, p->socket, o->backend_deadline_usec, BACKEND_WORKERS_MAX, p->traits, ret);
        if (r == -EINVAL || r == -ENAMETOOLONG)
                log_error("--%s=%s: the absolute path of a unix socket is wanted, of at most 107 bytes", p->option, p->socket);
        else if (r < 0)
                log_error_errno(r, "Failed to set up the backend %s", p->name);
        return r;
}

static int backend_new(Manager *m, BackendChoice choice, uint16_t role) {
        Abilities *a = &m->context.abilities;
        const BackendTraits *traits;
        Backend *b;
        int r;

        if (choice == BACKEND_NONE)
                return 0;

        if (choice == BACKEND_MODEL || choice == BACKEND_MODEL_FIXED) {
                r = backend_new_model(m->context.event, role, choice == BACKEND_MODEL, &b);
                if (r < 0)
                        log_error_errno(r, "Failed to set up the backend for role %u", role);
        } else
                r = peer_new(m, choice, &b);
        if (r < 0)
                return r;

        traits = backend_traits(b);
        a->roles[role].available = true;
        a->roles[role].selects_identifiers = traits->selects_identifiers;
        a->roles[role].hosts_identifiers = traits->on_addresses;
        a->roles[role].one_interface = traits->on_addresses;
        a->roles[role].no_switch = traits->no_switch;
        m->context.backends[role] = b;
        return 0;
}

static void suspect(const char *node, void *userdata) {
        reconciler_suspect(((Manager *) userdata)->reconciler, node);
}

static int look(const char *node, engine_looked_t done, void *done_userdata, void *userdata) {
        return reconciler_ask(((Manager *) userdata)->reconciler, node, done, done_userdata);
}

static int setup_changes(Manager *m) {
        int r;

        r = authority_new(m->bus, m->asking_bus, m->options->authorization_deadline_usec, &m->authority);
        if (r >= 0)
                r = engine_new(&m->context, &m->engine);
        if (r >= 0)
                r = reconciler_new(&m->context, m->engine, &m->reconciler);
        if (r < 0)
                return log_oom();
        engine_set_suspicion(m->engine, suspect, m);
        engine_set_look(m->engine, look, m);

        r = bus_objects_new(m, &m->objects);
        if (r < 0)
                return log_error_errno(r, "Failed to put the objects on the bus");
        r = bus_sessions_new(m, &m->sessions);
        return r < 0 ? log_error_errno(r, "Failed to follow the iSCSI sessions of this host") : 0;
}

static int setup_context(Manager *m) {
        Context *c = &m->context;
        char name[256];
        sd_id128_t boot;
        int r;

        c->find_interface = host_find_interface;
        c->abilities.max = limits_default;
        c->abilities.max.ports = m->options->max_ports;

        if (gethostname(name, sizeof(name)) < 0)
                return log_error_errno(-errno, "Failed to read the name of this host");
        name[sizeof(name) - 1] = '\0';
        r = sd_id128_get_boot(&boot);
        if (r < 0)
                return log_error_errno(r, "Failed to read the boot id of this host");
        (void) sd_id128_to_string(boot, c->boot_id);

        c->system_name = strdup(name);
        c->model = model_new(&objects_listener, m);
        if (!c->system_name || !c->model)
                return log_oom();
        model_set_drift_policy(c->model, m->options->drift);
        return 0;
}

int manager_setup(Manager *m, const ManagerOptions *options) {
        static const StoreCallbacks callbacks = { .opened = store_opened, .unavailable = store_unavailable };
        int r;

        m->options = options;
        r = setup_context(m);
        if (r < 0)
                return r;
        r = open_bus(m);
        if (r < 0)
                return r;
        r = backend_new(m, options->target, ROLE_TARGET);
        if (r < 0)
                return r;
        r = backend_new(m, options->initiator, ROLE_INITIATOR);
        if (r < 0)
                return r;
        r = context_add_host(&m->context);
        if (r < 0)
                return log_error_errno(r, "Failed to add the host's own node");
        r = setup_changes(m);
        if (r < 0)
                return r;

        r = store_new(m->context.event, options->state_directory, &callbacks, m, &m->context.store);
        return r < 0 ? log_error_errno(r, "Failed to start the store") : 0;
}

void manager_look_again(Manager *m) {
        log_info("Looking at everything again");
        if (store_fault(m->context.store))
                store_try_again(m->context.store);
        reconciler_suspect(m->reconciler, NULL);
        bus_sessions_look(m->sessions);
}

void manager_done(Manager *m) {
        call_checks_free(m);
        bus_sessions_free(m->sessions);
        reconciler_free(m->reconciler);
        engine_free(m->engine);
        authority_free(m->authority);
        configfs_watch_free(m->watch);
        backend_watch_free(m->initiator_watch);
        host_free(m->host);

        for (size_t role = 0; role < ELEMENTSOF(m->context.backends); role++)
                backend_free(m->context.backends[role]);

        if (m->context.model)
                model_set_telling(m->context.model, false);
        sd_bus_close_unref(m->asking_bus);
        sd_bus_flush_close_unref(m->bus);
        store_close(m->context.store);
        model_free(m->context.model);
        bus_objects_free(m->objects);
        free(m->context.system_name);
        sd_event_unref(m->context.event);
}
