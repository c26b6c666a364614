/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The service that is measured, and what all benches call. All functions end the bench on failure. */

#include "fixture.h"

#define BENCH_LOOPBACK ROOT_PATH "/ip/_3127_2e0_2e0_2e1" /* 127.0.0.1 */

/* As service_new(), with its store in a new directory below DIRECTORY, which should be on a disk. Such a store is not removed by
 * service_free(). OPTION may be NULL. */
Service *bench_service_new(const char *directory, const char *option);

/* The object path of the node NAME. g_free it. */
char *bench_node_path(const char *name);

/* A warm connection to a worker of its own, as the service has one. OPTION is the service's for the worker's socket, with its
 * '=': "--lio-socket=". */
sd_bus *bench_connect_to_worker(const Service *s, const char *option);

/* How long these calls take, in microseconds: the empty one of the service, the empty one of a worker, and the creation of a port
 * in ROLE on one object. The port is deleted again, which is not counted. */
double bench_time_ping(sd_bus *bus);
double bench_time_worker_call(sd_bus *worker);
double bench_time_create(sd_bus *bus, const char *node, unsigned role, const char *on);
