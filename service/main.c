/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* iscsi-configd: options, the order of start and end, and the event loop. */

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "common/clock.h"
#include "common/log.h"
#include "bus/authority.h"
#include "bus/change.h"
#include "bus/manager.h"
#include "bus/objects.h"
#include "bus/startup.h"

#define BACKEND_WORKERS_MAX 8u

typedef enum BackendChoice {
        BACKEND_NONE,
        BACKEND_MODEL,       /* keeps nothing outside the model */
        BACKEND_MODEL_FIXED, /* the same, and chooses every Identifier itself */
        BACKEND_LIO,         /* the kernel's target, through iscsi-backend-lio */
} BackendChoice;

typedef struct Options {
        BackendChoice target, initiator;
        const char *lio_socket;
        const char *state_directory;
        uint64_t backend_deadline_usec;
        uint64_t authorization_deadline_usec;
        unsigned max_ports;
} Options;

static int show_help(void) {
        printf("iscsi-configd [OPTION…]\n\n"
               "Creates iSCSI ports for callers of org.iscsi.ConfigurationService on the system bus.\n\n"
               "  -h --help                           show this text\n"
               "     --version                        show the version\n"
               "     --target-backend=lio|model|none  what puts target ports into force (default: lio, the kernel's target;\n"
               "                                      model keeps them in this service alone, to try the API)\n"
               "     --initiator-backend=model|model-fixed|none\n"
               "                                      the same for initiator ports (default: none; model-fixed chooses every\n"
               "                                      Identifier itself)\n"
               "     --lio-socket=PATH                where the workers of iscsi-backend-lio are reached\n"
               "                                      (default: /run/iscsi-configd/lio.socket)\n"
               "     --state-directory=PATH           where the store is (default: $STATE_DIRECTORY, or /var/lib/iscsi-configd)\n"
               "     --backend-deadline=SECONDS       how long one backend call may take (default: 10)\n"
               "     --authorization-deadline=SECONDS how long polkit may take when it asks no person (default: 25)\n"
               "     --max-ports=N                    how many ports there may be, 1 to %u (default: %u)\n"
               "     --log-level=debug|info|warning|error   (default: info)\n",
               LIMIT_PORTS_CEILING, LIMIT_PORTS_DEFAULT);
        return 0;
}

static int parse_number(const char *option, const char *text, unsigned long max, unsigned long *ret) {
        unsigned long v;
        char *end;

        errno = 0;
        v = strtoul(text, &end, 10);
        if (text[0] < '0' || text[0] > '9' || *end || errno != 0 || v < 1 || v > max) {
                log_error("--%s=%s: a number from 1 to %lu is wanted", option, text, max);
                return -EINVAL;
        }

        *ret = v;
        return 0;
}

static int parse_backend(const char *option, const char *text, bool target, BackendChoice *ret) {
        static const char *const names[] = {
                [BACKEND_NONE] = "none",
                [BACKEND_MODEL] = "model",
                [BACKEND_MODEL_FIXED] = "model-fixed",
                [BACKEND_LIO] = "lio",
        };

        for (BackendChoice c = 0; c < ELEMENTSOF(names); c++)
                if (strcmp(names[c], text) == 0 && c != (target ? BACKEND_MODEL_FIXED : BACKEND_LIO)) {
                        *ret = c;
                        return 0;
                }

        log_error("--%s=%s: there is no such backend for this role; see --help", option, text);
        return -EINVAL;
}

static int parse_level(const char *text) {
        static const struct {
                const char *name;
                int level;
        } levels[] = { { "debug", LOG_DEBUG }, { "info", LOG_INFO }, { "warning", LOG_WARNING }, { "error", LOG_ERR } };

        for (size_t i = 0; i < ELEMENTSOF(levels); i++)
                if (strcmp(levels[i].name, text) == 0) {
                        log_set_max_level(levels[i].level);
                        return 0;
                }

        log_error("--log-level=%s: there is no such level; see --help", text);
        return -EINVAL;
}

/* Returns 1 to go on, 0 to end well, or a negative errno. */
static int parse_options(int argc, char *argv[], Options *o) {
        enum {
                OPTION_VERSION = 0x100,
                OPTION_TARGET,
                OPTION_INITIATOR,
                OPTION_SOCKET,
                OPTION_STATE,
                OPTION_BACKEND_DEADLINE,
                OPTION_AUTHORIZATION_DEADLINE,
                OPTION_MAX_PORTS,
                OPTION_LOG_LEVEL,
        };
        static const struct option options[] = {
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, OPTION_VERSION },
                { "target-backend", required_argument, NULL, OPTION_TARGET },
                { "initiator-backend", required_argument, NULL, OPTION_INITIATOR },
                { "lio-socket", required_argument, NULL, OPTION_SOCKET },
                { "state-directory", required_argument, NULL, OPTION_STATE },
                { "backend-deadline", required_argument, NULL, OPTION_BACKEND_DEADLINE },
                { "authorization-deadline", required_argument, NULL, OPTION_AUTHORIZATION_DEADLINE },
                { "max-ports", required_argument, NULL, OPTION_MAX_PORTS },
                { "log-level", required_argument, NULL, OPTION_LOG_LEVEL },
                {},
        };
        unsigned long n = 0;
        int c, i = 0, r = 0;

        while ((c = getopt_long(argc, argv, "h", options, &i)) >= 0) {
                switch (c) {
                case 'h':
                        return show_help();
                case OPTION_VERSION:
                        printf("iscsi-configd " PROJECT_VERSION "\n");
                        return 0;
                case OPTION_TARGET:
                        r = parse_backend(options[i].name, optarg, true, &o->target);
                        break;
                case OPTION_INITIATOR:
                        r = parse_backend(options[i].name, optarg, false, &o->initiator);
                        break;
                case OPTION_SOCKET:
                        o->lio_socket = optarg;
                        break;
                case OPTION_STATE:
                        o->state_directory = optarg;
                        break;
                case OPTION_BACKEND_DEADLINE:
                        r = parse_number(options[i].name, optarg, 3600, &n);
                        o->backend_deadline_usec = n * USEC_PER_SEC;
                        break;
                case OPTION_AUTHORIZATION_DEADLINE:
                        r = parse_number(options[i].name, optarg, 3600, &n);
                        o->authorization_deadline_usec = n * USEC_PER_SEC;
                        break;
                case OPTION_MAX_PORTS:
                        r = parse_number(options[i].name, optarg, LIMIT_PORTS_CEILING, &n);
                        o->max_ports = (unsigned) n;
                        break;
                case OPTION_LOG_LEVEL:
                        r = parse_level(optarg);
                        break;
                default:
                        return -EINVAL;
                }
                if (r < 0)
                        return r;
        }

        if (optind < argc) {
                log_error("No arguments are taken beside options: %s", argv[optind]);
                return -EINVAL;
        }

        return 1;
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
                if (model_add_address(m->model, &a->address, &attributes) < 0)
                        log_oom();
                break;
        case HOST_ADDRESS_CHANGED:
                model_change_address(m->model, &a->address, &attributes);
                break;
        case HOST_ADDRESS_REMOVED:
                model_remove_address(m->model, &a->address);
                break;
        }
}

static int backend_new(Manager *m, BackendChoice choice, const Options *o, uint16_t role) {
        Abilities *a = &m->abilities;
        Backend *b;
        int r;

        if (choice == BACKEND_NONE)
                return 0;

        if (choice == BACKEND_LIO)
                r = backend_new_peer(m->event, "lio", o->lio_socket, o->backend_deadline_usec, BACKEND_WORKERS_MAX, true, &b);
        else
                r = backend_new_model(m->event, choice == BACKEND_MODEL, &b);
        if (choice == BACKEND_LIO && (r == -EINVAL || r == -ENAMETOOLONG)) {
                log_error("--lio-socket=%s: the absolute path of a unix socket is wanted, of at most 107 bytes", o->lio_socket);
                return r;
        }
        if (r < 0)
                return log_error_errno(r, "Failed to set up the backend for role %u", role);

        a->roles[role].available = true;
        a->roles[role].selects_identifiers = backend_selects_identifiers(b);
        m->backends[role] = b;
        return 0;
}

static void manager_done(Manager *m) {
        startup_free(m->startup);
        changes_free(m->changes);
        authority_free(m->authority);
        host_free(m->host);

        for (size_t role = 0; role < ELEMENTSOF(m->backends); role++)
                backend_free(m->backends[role]);

        if (m->model)
                model_set_telling(m->model, false);
        sd_bus_flush_close_unref(m->asking_bus);
        sd_bus_flush_close_unref(m->bus);
        model_free(m->model);
        store_close(m->store);
        free(m->service_vtable);
        free(m->system_name);
        free(m->notice);
        sd_event_unref(m->event);
}

static int open_store(Manager *m, const char *directory) {
        _cleanup_free_ char *damaged = NULL;
        int r;

        r = store_open(directory, &m->store, &damaged);
        if (r < 0)
                return r; /* logged with its cause and the way out */

        if (damaged && asprintf(&m->notice,
                                "The store was damaged. It is kept as %s and a new, empty one was begun; ports that the kernel "
                                "still has are shown "
                                "as not managed",
                                damaged) < 0)
                return log_oom();

        return 0;
}

/* As sd_bus_open_system(), but that no file descriptors are taken. No method has any, and a message may carry 16 on the sly: kept while a
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

/* Whether somebody may do what he asks for is asked on a connection of its own, which is served first. On the one that callers use, the
 * answer would stand behind all that they have sent meanwhile: one who floods the service would fill it with calls of nobody yet knows
 * whom, and all others would be refused. */
static int attach_bus(Manager *m, sd_bus *bus, int64_t priority) {
        int r;

        r = sd_bus_set_exit_on_disconnect(bus, true);
        if (r < 0)
                return r;

        return sd_bus_attach_event(bus, m->event, priority);
}

/* A process that has our name already is one of us: what the store and the backend have is in its hands. The name itself is asked for last, so
 * this is no lock, but it keeps somebody who starts a second one by hand from doing harm. */
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

/* All that is known before the bus is asked for its name. */
static int manager_setup(Manager *m, const Options *o) {
        char name[256];
        int r;

        m->abilities.max.nodes = LIMIT_NODES;
        m->abilities.max.ports = o->max_ports;
        m->abilities.max.bytes = LIMIT_BYTES;
        m->abilities.max.portals_per_port = LIMIT_PORTALS_PER_PORT;
        m->abilities.max.tcp_endpoints = LIMIT_TCP_ENDPOINTS;
        m->abilities.max.portal_groups = LIMIT_PORTAL_GROUPS;

        if (gethostname(name, sizeof(name)) < 0)
                return log_error_errno(-errno, "Failed to read the host's name");
        name[sizeof(name) - 1] = '\0';
        m->system_name = strdup(name);
        m->model = model_new(&objects_listener, m);
        if (!m->system_name || !m->model)
                return log_oom();

        r = open_bus(m);
        if (r < 0)
                return r;
        r = open_store(m, o->state_directory);
        if (r < 0)
                return r;
        r = startup_load(m);
        if (r < 0)
                return r;
        r = host_new(m->event, host_changed, m, &m->host);
        if (r < 0)
                return log_error_errno(r, "Failed to read the addresses of this host");

        r = backend_new(m, o->target, o, ROLE_TARGET);
        if (r < 0)
                return r;
        r = backend_new(m, o->initiator, o, ROLE_INITIATOR);
        if (r < 0)
                return r;

        r = authority_new(m->bus, m->asking_bus, o->authorization_deadline_usec, &m->authority);
        if (r >= 0)
                r = changes_new(m, &m->changes);
        if (r < 0)
                return log_oom();

        r = objects_register(m);
        if (r < 0)
                return log_error_errno(r, "Failed to put the objects on the bus");

        return 0;
}

static int name_acquired(sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *ret_error) {
        Manager *m = userdata;
        const sd_bus_error *e = sd_bus_message_get_error(reply);
        uint32_t result = 0;

        if (!e)
                (void) sd_bus_message_read(reply, "u", &result);
        if (e || result != 1) { /* DBUS_REQUEST_NAME_REPLY_PRIMARY_OWNER */
                log_error("The bus does not give us the name %s: %s", BUS_NAME,
                          e ? e->message : "another process has it; is the service running already?");
                return sd_event_exit(m->event, EXIT_FAILURE);
        }

        m->ready = true;
        log_info("Ready: %u nodes, %u ports", model_counts(m->model)->nodes, model_counts(m->model)->ports);
        (void) sd_notify(false, "READY=1");
        return 1;
}

static void started(Manager *m) {
        int r;

        model_set_telling(m->model, true);

        r = sd_bus_request_name_async(m->bus, NULL, BUS_NAME, 0, name_acquired, m);
        if (r < 0) {
                log_error_errno(r, "Failed to ask for the name %s", BUS_NAME);
                (void) sd_event_exit(m->event, EXIT_FAILURE);
        }
}

static int run(Manager *m, const Options *o) {
        sigset_t mask;
        int r;

        (void) sigemptyset(&mask);
        (void) sigaddset(&mask, SIGTERM);
        (void) sigaddset(&mask, SIGINT);
        if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
                return log_error_errno(-errno, "Failed to block signals");

        r = sd_event_default(&m->event);
        if (r < 0)
                return log_error_errno(r, "Failed to make the event loop");
        r = sd_event_add_signal(m->event, NULL, SIGTERM, NULL, NULL);
        if (r >= 0)
                r = sd_event_add_signal(m->event, NULL, SIGINT, NULL, NULL);
        if (r < 0)
                return log_error_errno(r, "Failed to watch for signals");

        r = manager_setup(m, o);
        if (r < 0)
                return r;
        r = startup_begin(m, started);
        if (r < 0)
                return r;

        r = sd_event_loop(m->event);
        (void) sd_notify(false, "STOPPING=1");
        return r;
}

int main(int argc, char *argv[]) {
        Options o = {
                .target = BACKEND_LIO,
                .lio_socket = "/run/iscsi-configd/lio.socket",
                .state_directory = getenv("STATE_DIRECTORY"),
                .backend_deadline_usec = 10 * USEC_PER_SEC,
                .authorization_deadline_usec = AUTHORITY_DEADLINE_USEC,
                .max_ports = LIMIT_PORTS_DEFAULT,
        };
        Manager m = {};
        int r;

        if (!o.state_directory)
                o.state_directory = "/var/lib/iscsi-configd";

        r = parse_options(argc, argv, &o);
        if (r <= 0)
                return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;

        r = run(&m, &o);
        manager_done(&m);
        return r != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
