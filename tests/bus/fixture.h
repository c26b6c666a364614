/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* For tests that call the running service. They are started inside tests/harness/surroundings: a private system bus, polkitd,
 * network and users (root, alice, mallory, iscsi-config). Each test starts its own service with its own state. All functions end
 * the test on failure. */

#include <glib.h>
#include <stdbool.h>
#include <systemd/sd-bus.h>

#define BUS_NAME "org.iscsi.ConfigurationService"
#define ROOT_PATH "/org/iscsi/ConfigurationService"
#define SERVICE_INTERFACE "org.iscsi.ConfigurationService"
#define ERROR_PREFIX "org.iscsi.ConfigurationService.Error."

#define LOOPBACK_PORTAL ROOT_PATH "/tcp/_3127_2e0_2e0_2e1_3a3260" /* 127.0.0.1:3260 */
#define DEFAULT_GROUP ROOT_PATH "/portal_group/default"

typedef struct Service {
        GPid pid;         /* 0: does not run */
        char *directory;  /* of this test; removed by service_free() */
        char *state;      /* directory/state, owned by iscsi-config */
        char *log;        /* directory/log: what the service said */
        char *worker_log; /* directory/worker.log: what the workers and their listener said */
        char **options;
        char **wrapper; /* command line put before the service's, e.g. strace; NULL: none */
        GPid worker_listener, initiator_listener;
        char *fault; /* the directory of the fake kernel, see fake-kernel.h; NULL unless service_use_fault_backend() */
} Service;

/* Prepares a service with these options (NULL-terminated), e.g. "--target-backend=model". Does not start it. */
Service *service_new(const char *option, ...) G_GNUC_NULL_TERMINATED;

/* One more option, which is taken. Before service_start(); the last one of a name counts. */
void service_add_option(Service *s, char *option);

/* Starts a listener whose workers are those of the fake kernel, and points the service's target backend at it. Before
 * service_start(). */
void service_use_fault_backend(Service *s);

/* Starts a listener that runs COMMAND (NULL-terminated) as worker for each connection, and points the service's target backend at
 * it. SETENV (may be NULL) is a variable for it, as "NAME=value". Before service_start(). */
void service_use_worker(Service *s, const char *const *command, const char *setenv);

/* The same with COMMAND as the worker of open-iscsi, for the initiator backend. */
void service_use_open_iscsi(Service *s, const char *const *command);

/* Starts it and waits until it owns its name. */
void service_start(Service *s);

/* Starts it and does not wait. */
void service_spawn(Service *s);

/* Waits until the name is owned (or the process ended: then returns false). */
bool service_wait_ready(Service *s);

/* SIGTERM; it must end with status 0, which under the sanitizers means: no error, no leak. */
void service_stop(Service *s);

/* SIGKILL, and waits until the bus has forgotten it. */
void service_kill(Service *s);

/* For one that gets SIGKILL from elsewhere: waits for it, and until the bus has forgotten it. */
void service_wait_killed(Service *s);

/* Waits until it ends by itself. Returns the wait status. */
int service_wait_end(Service *s);

/* Stops it if it runs, stops the workers' listener, removes all files. */
void service_free(Service *s);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Service, service_free)

char *service_read_log(Service *s); /* what it said so far */

/* A bus connection of its own, made as that user. Flushed and unref'ed by the caller. */
sd_bus *connect_as(const char *user);

/* Calls a method of the service's own interface. Returns the reply; NULL on an error reply, which *RET_ERROR then holds. */
sd_bus_message *call_service(sd_bus *bus, sd_bus_error *ret_error, const char *member, const char *types, ...);

/* The same, and the reply is one object path (returned, g_free it); NULL on an error. */
char *call_for_path(sd_bus *bus, sd_bus_error *ret_error, const char *member, const char *types, ...);

/* As root; must succeed. */
char *create_node(sd_bus *bus, const char *name);
char *create_target_port(sd_bus *bus, const char *node, const char *identifier, const char *const *portals);

/* Reads a property as text that busctl would show for its basic values and lists, e.g. "iqn…", "3", "[a b]". g_free it. */
char *get_property(sd_bus *bus, const char *path, const char *interface, const char *property);

/* All object paths below the service, sorted, of GetManagedObjects. g_strfreev it. */
char **list_objects(sd_bus *bus);
bool object_exists(sd_bus *bus, const char *path);

/* How many bytes the reply to GetManagedObjects is as a message. sd-bus does not tell, GDBus marshals it once more. */
gsize managed_objects_size(void);

/* Asserts name (without prefix for the service's own errors, or complete) and that the message ends with "(CODE)" if CODE is not
 * 0; frees the error. */
void assert_error(sd_bus_error *e, const char *name, unsigned code);

/* Runs a command (NULL-terminated), which must succeed; its output is dropped. */
void run_command(const char *argument, ...) G_GNUC_NULL_TERMINATED;

/* Whether strace or another tracer has got all threads of the process, which it does one by one. */
bool process_is_traced(GPid pid);

/* Turns the event loop of BUS (sd_bus_process and wait) until CONDITION returns true or 60 s passed, which ends the test. */
void process_until(sd_bus *bus, bool (*condition)(void *userdata), void *userdata);
