/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* org.iscsi.Backend on the wire: a call as a message, and a worker's answer as a result, with nothing in it taken on trust. */

#include <systemd/sd-bus.h>

#include "backend/base.h"

/* The longest message for people that is taken from a worker, in bytes. */
#define PEER_TEXT_MAX 512u

typedef struct PeerAnswer {
        Refusal refusal;    /* of the call as a whole; REFUSAL_NONE also if an item failed */
        char *message;      /* NULL on success, and when memory is short */
        bool malformed;     /* it claims success in a form that the interface does not have */
        size_t failed_item; /* SIZE_MAX: none */
        BackendItemResult *items;
        size_t n_items;
        char **warnings;
        ObservedNode observed;
        char **nodes;
} PeerAnswer;

/* Returns 0 or a negative errno (-EINVAL: a text in the call is not UTF-8). */
int peer_call_to_message(const BackendCall *c, sd_bus *bus, sd_bus_message **ret);

/* Reads REPLY, a method return or an error of the worker to the call C. What is out of order is logged with BACKEND, the name. */
void peer_answer_read(sd_bus_message *reply, const char *backend, const BackendCall *c, PeerAnswer *ret);
void peer_answer_done(PeerAnswer *a);

/* The answer as the caller sees it. It is valid as long as A. */
BackendResult peer_answer_result(PeerAnswer *a, const BackendCall *c);
