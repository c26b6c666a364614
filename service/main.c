/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* iscsi-configd: options, the order of start and end, and the event loop. */

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "bus/authority.h"
#include "bus/manager.h"
#include "bus/setup.h"
#include "common/clock.h"
#include "common/log.h"

static int show_help(void) {
        printf("iscsi-configd [OPTION…]\n\n"
               "Creates iSCSI ports for callers of org.iscsi.ConfigurationService on the system bus.\n\n"
               "  -h --help                           show this text\n"
               "     --version                        show the version\n"
               "     --target-backend=lio|model|none  what puts target ports into force (default: lio, the kernel's target;\n"
               "                                      model keeps them in this service alone, to try the API)\n"
               "     --initiator-backend=open-iscsi|model|model-fixed|none\n"
               "                                      the same for initiator ports (default: none; open-iscsi: its interface\n"
               "                                      records; model-fixed chooses every Identifier itself)\n"
               "     --lio-socket=PATH                where the workers of iscsi-backend-lio are reached\n"
               "                                      (default: /run/iscsi-configd/lio.socket)\n"
               "     --open-iscsi-socket=PATH         where those of iscsi-backend-open-iscsi are reached\n"
               "                                      (default: /run/iscsi-configd/open-iscsi.socket)\n"
               "     --state-directory=PATH           where the store is (default: $STATE_DIRECTORY, or /var/lib/iscsi-configd)\n"
               "     --backend-deadline=SECONDS       how long one backend call may take (default: 10)\n"
               "     --store-retry=SECONDS            after what time a store that cannot be used is tried again (default: 30)\n"
               "     --authorization-deadline=SECONDS how long polkit may take when it asks no person (default: 25)\n"
               "     --max-ports=N                    how many ports there may be, 1 to %u (default: %u)\n"
               "     --configfs=DIR                   the kernel's target, which is watched for changes of other programs\n"
               "                                      (default: /sys/kernel/config/target; empty: it is not watched)\n"
               "     --sysfs=DIR                      where the iSCSI sessions of this host as an initiator are read (default: "
               "/sys;\n"
               "                                      empty: they are not)\n"
               "     --drift-policy=report|enforce    what is done when another program changed what is ours in the kernel:\n"
               "                                      show it, or put it right too (default: report)\n"
               "     --new-store                      set the store aside, begin an empty one and end; stop the service before\n"
               "     --log-level=debug|info|warning|error   (default: info)\n",
               LIMIT_PORTS_CEILING, limits_default.ports);
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
        static const struct {
                const char *name;
                bool target, initiator;
        } choices[_BACKEND_CHOICE_MAX] = {
                [BACKEND_NONE] = { "none", true, true },
                [BACKEND_MODEL] = { "model", true, true },
                [BACKEND_MODEL_FIXED] = { "model-fixed", false, true },
                [BACKEND_LIO] = { "lio", true, false },
                [BACKEND_OPEN_ISCSI] = { "open-iscsi", false, true },
        };

        for (BackendChoice c = 0; c < ELEMENTSOF(choices); c++)
                if (strcmp(choices[c].name, text) == 0 && (target ? choices[c].target : choices[c].initiator)) {
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

static int parse_drift(const char *option, const char *text, DriftPolicy *ret) {
        if (drift_policy_from_text(text, ret) >= 0 && *ret != DRIFT_DEFAULT)
                return 0;

        log_error("--%s=%s: report or enforce is wanted", option, text);
        return -EINVAL;
}

/* Returns 1 to go on, 0 to end well, or a negative errno. */
static int parse_options(int argc, char *argv[], ManagerOptions *o, bool *ret_new_store) {
        enum {
                OPTION_VERSION = 0x100,
                OPTION_TARGET,
                OPTION_INITIATOR,
                OPTION_SOCKET,
                OPTION_OPEN_ISCSI_SOCKET,
                OPTION_STATE,
                OPTION_STORE_RETRY,
                OPTION_BACKEND_DEADLINE,
                OPTION_AUTHORIZATION_DEADLINE,
                OPTION_MAX_PORTS,
                OPTION_LOG_LEVEL,
                OPTION_CONFIGFS,
                OPTION_SYSFS,
                OPTION_DRIFT,
                OPTION_NEW_STORE,
        };
        static const struct option options[] = {
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, OPTION_VERSION },
                { "target-backend", required_argument, NULL, OPTION_TARGET },
                { "initiator-backend", required_argument, NULL, OPTION_INITIATOR },
                { "lio-socket", required_argument, NULL, OPTION_SOCKET },
                { "open-iscsi-socket", required_argument, NULL, OPTION_OPEN_ISCSI_SOCKET },
                { "state-directory", required_argument, NULL, OPTION_STATE },
                { "store-retry", required_argument, NULL, OPTION_STORE_RETRY },
                { "backend-deadline", required_argument, NULL, OPTION_BACKEND_DEADLINE },
                { "authorization-deadline", required_argument, NULL, OPTION_AUTHORIZATION_DEADLINE },
                { "max-ports", required_argument, NULL, OPTION_MAX_PORTS },
                { "log-level", required_argument, NULL, OPTION_LOG_LEVEL },
                { "configfs", required_argument, NULL, OPTION_CONFIGFS },
                { "sysfs", required_argument, NULL, OPTION_SYSFS },
                { "drift-policy", required_argument, NULL, OPTION_DRIFT },
                { "new-store", no_argument, NULL, OPTION_NEW_STORE },
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
                case OPTION_OPEN_ISCSI_SOCKET:
                        o->open_iscsi_socket = optarg;
                        break;
                case OPTION_STATE:
                        o->state_directory = optarg;
                        break;
                case OPTION_STORE_RETRY:
                        r = parse_number(options[i].name, optarg, 3600, &n);
                        store_times.retry_usec = n * USEC_PER_SEC;
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
                case OPTION_CONFIGFS:
                        o->configfs = optarg;
                        break;
                case OPTION_SYSFS:
                        o->sysfs = optarg;
                        break;
                case OPTION_DRIFT:
                        r = parse_drift(options[i].name, optarg, &o->drift);
                        break;
                case OPTION_NEW_STORE:
                        *ret_new_store = true;
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

static int hung_up(_unused_ sd_event_source *s, _unused_ const struct signalfd_siginfo *info, void *userdata) {
        manager_look_again(userdata);
        return 0;
}

/* SIGTERM and SIGINT end the service, SIGHUP has it look at everything again. */
static int setup_event(Manager *m) {
        sigset_t mask;
        int r;

        (void) sigemptyset(&mask);
        (void) sigaddset(&mask, SIGTERM);
        (void) sigaddset(&mask, SIGINT);
        (void) sigaddset(&mask, SIGHUP);
        if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
                return log_error_errno(-errno, "Failed to block signals");

        r = sd_event_default(&m->context.event);
        if (r < 0)
                return log_error_errno(r, "Failed to make the event loop");
        r = sd_event_add_signal(m->context.event, NULL, SIGTERM, NULL, NULL);
        if (r >= 0)
                r = sd_event_add_signal(m->context.event, NULL, SIGINT, NULL, NULL);
        if (r >= 0)
                r = sd_event_add_signal(m->context.event, NULL, SIGHUP, hung_up, m);
        if (r < 0)
                return log_error_errno(r, "Failed to watch for signals");

        return 0;
}

static int run(Manager *m, const ManagerOptions *o) {
        int r;

        r = setup_event(m);
        if (r >= 0)
                r = manager_setup(m, o);
        if (r < 0)
                return r;

        r = sd_event_loop(m->context.event);
        (void) sd_notify(false, "STOPPING=1");
        return r;
}

/* For an administrator who gives up what the store held. */
static int begin_new_store(const char *directory) {
        _cleanup_free_ char *aside = NULL, *why = NULL;
        int r;

        r = store_begin_new(directory, &aside, &why);
        if (r < 0) {
                log_error("%s", why ? why : strerror(-r));
                return r;
        }

        if (aside)
                printf("A new, empty store was begun in %s. The old one is kept as %s.\n", directory, aside);
        else
                printf("A new, empty store was begun in %s. There was none before.\n", directory);
        return 0;
}

int main(int argc, char *argv[]) {
        ManagerOptions o = {
                .target = BACKEND_LIO,
                .lio_socket = "/run/iscsi-configd/lio.socket",
                .open_iscsi_socket = "/run/iscsi-configd/open-iscsi.socket",
                .configfs = "/sys/kernel/config/target",
                .sysfs = "/sys",
                .state_directory = getenv("STATE_DIRECTORY"),
                .backend_deadline_usec = 10 * USEC_PER_SEC,
                .authorization_deadline_usec = AUTHORITY_DEADLINE_USEC,
                .max_ports = limits_default.ports,
                .drift = DRIFT_REPORT,
        };
        bool new_store = false;
        Manager m = {};
        int r;

        if (!o.state_directory)
                o.state_directory = "/var/lib/iscsi-configd";

        r = parse_options(argc, argv, &o, &new_store);
        if (r <= 0)
                return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
        if (new_store)
                return begin_new_store(o.state_directory) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;

        r = run(&m, &o);
        manager_done(&m);
        return r != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
