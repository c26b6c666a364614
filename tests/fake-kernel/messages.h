/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* org.iscsi.Backend on the wire, from the worker's side. A message that cannot be read or written ends the process. */

#include <glib.h>
#include <systemd/sd-bus.h>

#include "worker.h"

typedef struct Request {
        const char *node;
        GArray *operations; /* of Operation */
        bool keep_going;
        GArray *expected; /* of uint64_t; NULL: any */
} Request;

/* How an operation ended. */
typedef struct Result {
        char *error; /* a complete name; NULL: success */
        char *message;
} Result;

/* Reads the arguments of Apply and Check. What is wrong with them is said in ERROR. */
void request_read(sd_bus_message *m, Request *ret, sd_bus_error *error);
void request_done(Request *rq);

bool node_name_is_valid(const char *node);

void append_results(sd_bus_message *m, const Result *results, size_t n);

/* The answers of Observe and ListNodes; MANY…: instead of what is there, as many. */
void append_observed(sd_bus_message *m, const char *root, const char *node);
void append_many_ports(sd_bus_message *m, size_t n_ports, size_t n_portals);
void append_nodes(sd_bus_message *m, const char *root);
void append_many_nodes(sd_bus_message *m, size_t n);

/* Any arguments, as the text of a GVariant: "(true, [('tpgt_1', uint64 1, …)])". */
void append_text(sd_bus_message *m, const char *text);
